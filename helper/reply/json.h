/* A JSON writer: commas, quoting and UTF-8 are its business, the reply's shape is
 * the caller's. Knows neither Python nor queries. */
#ifndef RME_REPLY_JSON_H
#define RME_REPLY_JSON_H

#include "runtime/buffer.h"

struct rme_json {
	struct rme_buffer *out;
	bool need_comma;
};

void rme_json_open(struct rme_json *j, const char *key);  /* {   key NULL inside arrays */
void rme_json_close(struct rme_json *j);                  /* }  */
void rme_json_array(struct rme_json *j, const char *key); /* [  */
void rme_json_array_end(struct rme_json *j);              /* ]  */
void rme_json_unsigned(struct rme_json *j, const char *key, uint64_t value);
void rme_json_signed(struct rme_json *j, const char *key, int64_t value);
void rme_json_bool(struct rme_json *j, const char *key, bool value);
void rme_json_null(struct rme_json *j, const char *key);
void rme_json_address(struct rme_json *j, const char *key, uint64_t value); /* "0x…" */
/* Only the key: the next call opens its value with key NULL. */
void rme_json_key(struct rme_json *j, const char *key);
/* Text of `n` bytes; bytes that are not UTF-8 become U+FFFD. */
void rme_json_text(struct rme_json *j, const char *key, const void *text, size_t n);
void rme_json_string(struct rme_json *j, const char *key, const char *text);

#endif
