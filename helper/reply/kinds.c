#include "reply/kinds.h"

const char *rme_error_word(enum rme_error_kind kind)
{
	static const char *const words[] = {"",
#define KIND(name, word) word,
	                                    RME_ERROR_KINDS(KIND)
#undef KIND
	};

	return words[kind];
}

const char *rme_caveat_word(enum rme_caveat_kind kind)
{
	static const char *const words[] = {
#define KIND(name, word) word,
	    RME_CAVEAT_KINDS(KIND)
#undef KIND
	};

	return words[kind];
}
