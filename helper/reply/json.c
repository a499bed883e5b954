#include "reply/json.h"

#include "runtime/memory.h"
#include "runtime/utf8.h"

static void quoted(struct rme_json *j, const uint8_t *p, size_t n)
{
	rme_buffer_char(j->out, '"');
	while (n) {
		/* Runs of plain characters go out in one piece. */
		size_t plain = 0;
		while (plain < n && p[plain] >= 0x20 && p[plain] < 0x7f && p[plain] != '"' &&
		       p[plain] != '\\')
			plain++;
		rme_buffer_bytes(j->out, p, plain);
		p += plain;
		n -= plain;
		if (!n)
			break;
		uint32_t c = RME_REPLACEMENT;
		size_t size = rme_utf8_decode(p, n, &c);
		if (c == '"' || c == '\\') {
			rme_buffer_char(j->out, '\\');
			rme_buffer_char(j->out, (char)c);
		} else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
			/* The C1 controls too: some terminals obey them. */
			const char *hex = "0123456789abcdef";
			rme_buffer_text(j->out, "\\u00");
			rme_buffer_char(j->out, hex[c >> 4]);
			rme_buffer_char(j->out, hex[c & 15]);
		} else {
			rme_utf8_append(j->out, c);
		}
		size = size ? size : 1;
		p += size;
		n -= size;
	}
	rme_buffer_char(j->out, '"');
}

static void begin(struct rme_json *j, const char *key)
{
	if (j->need_comma)
		rme_buffer_char(j->out, ',');
	j->need_comma = true;
	if (key) {
		quoted(j, (const uint8_t *)key, rme_strlen(key));
		rme_buffer_char(j->out, ':');
	}
}

void rme_json_key(struct rme_json *j, const char *key)
{
	begin(j, key);
	j->need_comma = false;
}

void rme_json_open(struct rme_json *j, const char *key)
{
	begin(j, key);
	rme_buffer_char(j->out, '{');
	j->need_comma = false;
}

void rme_json_close(struct rme_json *j)
{
	rme_buffer_char(j->out, '}');
	j->need_comma = true;
}

void rme_json_array(struct rme_json *j, const char *key)
{
	begin(j, key);
	rme_buffer_char(j->out, '[');
	j->need_comma = false;
}

void rme_json_array_end(struct rme_json *j)
{
	rme_buffer_char(j->out, ']');
	j->need_comma = true;
}

void rme_json_unsigned(struct rme_json *j, const char *key, uint64_t value)
{
	begin(j, key);
	rme_buffer_unsigned(j->out, value);
}

void rme_json_signed(struct rme_json *j, const char *key, int64_t value)
{
	begin(j, key);
	rme_buffer_signed(j->out, value);
}

void rme_json_bool(struct rme_json *j, const char *key, bool value)
{
	begin(j, key);
	rme_buffer_text(j->out, value ? "true" : "false");
}

void rme_json_null(struct rme_json *j, const char *key)
{
	begin(j, key);
	rme_buffer_text(j->out, "null");
}

void rme_json_address(struct rme_json *j, const char *key, uint64_t value)
{
	begin(j, key);
	rme_buffer_char(j->out, '"');
	rme_buffer_hex(j->out, value);
	rme_buffer_char(j->out, '"');
}

void rme_json_text(struct rme_json *j, const char *key, const void *text, size_t n)
{
	begin(j, key);
	quoted(j, text, n);
}

void rme_json_string(struct rme_json *j, const char *key, const char *text)
{
	rme_json_text(j, key, text, rme_strlen(text));
}
