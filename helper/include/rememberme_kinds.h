/* Kinds of errors and caveats, from contract.def
 * by helper/contract/generate.py (./dev contract). */
/* clang-format off */
#ifndef REMEMBERME_KINDS_H
#define REMEMBERME_KINDS_H

#define RME_ERROR_KINDS(KIND) \
	KIND(NOT_PYTHON, "not-python") \
	KIND(UNSUPPORTED_PYTHON, "unsupported-python") \
	KIND(NOT_INITIALIZED, "not-initialized") \
	KIND(FINALIZED, "finalized") \
	KIND(LAYOUT_MISMATCH, "layout-mismatch") \
	KIND(NO_PYTHON_THREAD, "no-python-thread") \
	KIND(NO_PYTHON_FRAME, "no-python-frame") \
	KIND(NO_SUCH_FRAME, "no-such-frame") \
	KIND(NO_SUCH_NAME, "no-such-name") \
	KIND(NO_SUCH_MODULE, "no-such-module") \
	KIND(NO_SUCH_ATTRIBUTE, "no-such-attribute") \
	KIND(NO_SUCH_KEY, "no-such-key") \
	KIND(NOT_SUBSCRIPTABLE, "not-subscriptable") \
	KIND(NO_OBJECT, "no-object") \
	KIND(TOO_LARGE, "too-large") \
	KIND(REPLY_TOO_LARGE, "reply-too-large") \
	KIND(OUT_OF_MEMORY, "out-of-memory") \
	KIND(BAD_REQUEST, "bad-request") \
	KIND(CANCELLED, "cancelled") \
	KIND(USAGE, "usage") \
	KIND(BAD_LIBRARY, "bad-library") \
	KIND(COMPRESSED_CORE, "compressed-core") \
	KIND(DAMAGED_CORE, "damaged-core") \
	KIND(UNSUPPORTED_CORE, "unsupported-core") \
	KIND(NOT_A_CORE, "not-a-core") \
	KIND(NO_SUCH_FILE, "no-such-file") \
	KIND(NO_SUCH_THREAD, "no-such-thread") \
	KIND(NO_PROCESS, "no-process") \
	KIND(MEMORY_LIMIT, "memory-limit") \
	KIND(TIME_LIMIT, "time-limit") \
	KIND(DIED, "died") \
	KIND(SYSTEM, "system") \
	KIND(BAD_EXPRESSION, "bad-expression") \
	KIND(BAD_REPLY, "bad-reply") \
	KIND(CALL_FAILED, "call-failed") \
	KIND(PROCESS_ENDED, "process-ended") \
	KIND(INTERNAL, "internal") \
	KIND(NO_CORE_PATH, "no-core-path") \
	KIND(NO_LIBC, "no-libc") \
	KIND(NO_LIBRARY, "no-library") \
	KIND(NO_MAPPINGS, "no-mappings") \
	KIND(NO_MEMORY, "no-memory") \
	KIND(NO_SNAPSHOT, "no-snapshot") \
	KIND(NO_SYMBOLS, "no-symbols") \
	KIND(NO_TARGET, "no-target") \
	KIND(NO_ROOM, "no-room") \
	KIND(NO_THREAD, "no-thread") \
	KIND(NO_THREAD_POINTER, "no-thread-pointer") \
	KIND(NOT_LOCAL, "not-local") \
	KIND(FROZEN, "frozen") \
	KIND(RUNNING, "running") \
	KIND(UNSAFE, "unsafe") \
	KIND(SECCOMP, "seccomp") \
	KIND(TOO_DEEP, "too-deep") \
	KIND(UNREADABLE, "unreadable") \
	KIND(UNSUPPORTED_GDB, "unsupported-gdb")

#define RME_CAVEAT_KINDS(KIND) \
	KIND(FAULT, "fault") \
	KIND(SLOW, "slow") \
	KIND(SYSTEM_CALL, "system-call") \
	KIND(ESTIMATED_SIZE, "estimated-size") \
	KIND(INFERRED_REFERENCES, "inferred-references") \
	KIND(CORRUPT_REFERENCE, "corrupt-reference") \
	KIND(FREED_OBJECT, "freed-object") \
	KIND(FILE_BACKED, "file-backed") \
	KIND(ANONYMOUS_MAPPING, "anonymous-mapping") \
	KIND(ALLOCATOR, "allocator") \
	KIND(NOT_ALL_RANKED, "not-all-ranked") \
	KIND(UNMEASURED_FRAMES, "unmeasured-frames") \
	KIND(COLLECTING, "collecting") \
	KIND(BROKEN_LIST, "broken-list") \
	KIND(NO_ROOM, "no-room") \
	KIND(CUT_TREE, "cut-tree") \
	KIND(OUT_OF_MEMORY, "out-of-memory") \
	KIND(DAMAGED_HEAP, "damaged-heap") \
	KIND(MALLOC_BYTES, "malloc-bytes") \
	KIND(MALLOC_MAPPINGS, "malloc-mappings") \
	KIND(NO_ARENAS, "no-arenas") \
	KIND(MISSING_BINARY, "missing-binary") \
	KIND(WRONG_BINARY, "wrong-binary") \
	KIND(HANDS_OFF, "hands-off") \
	KIND(UNVERIFIABLE_BINARY, "unverifiable-binary") \
	KIND(NOT_EXECUTABLE, "not-executable") \
	KIND(NO_FILE_LIST, "no-file-list") \
	KIND(TRUNCATED_CORE, "truncated-core") \
	KIND(UNREADABLE, "unreadable") \
	KIND(NOT_CONFINED, "not-confined")

#define KIND(name, word) RME_ERROR_##name,
enum rme_error_kind { RME_NO_ERROR, RME_ERROR_KINDS(KIND) };
#undef KIND

#define KIND(name, word) RME_CAVEAT_##name,
enum rme_caveat_kind { RME_CAVEAT_KINDS(KIND) };
#undef KIND

#endif
