#include "cpython/layout.h"

#include <stddef.h>

struct rule {
	char name[56];
	uint16_t basicsize;
	uint16_t minors; /* bit 0: 3.8, bit 1: 3.9, ...: room up to 3.23 */
	uint8_t heap_type : 1;
	uint8_t visits_type : 1;
	uint64_t words;
};

static const struct rule rules[] = {
#include "direct.inc"
};

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool rme_direct_rule(const struct rme_layout *layout, const char *tp_name, uint64_t basicsize,
                     struct rme_direct *ret)
{
	unsigned minor = 1u << ((layout->version >> 16 & 0xff) - 8);

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct rule *rule = &rules[i];

		if (rule->minors & minor && rule->basicsize == basicsize &&
		    same(rule->name, tp_name)) {
			ret->words = rule->words;
			ret->visits_type = rule->visits_type;
			ret->heap_type = rule->heap_type;
			return true;
		}
	}
	return false;
}
