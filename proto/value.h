/*
 * SQLite values and how they look on the wire.
 *
 * null, string and number are themselves; an object in a value position is an escape: {"int":"..."} outside +-(2^53-1),
 * {"blob":base64}, {"text":base64} for TEXT that is not valid UTF-8, {"real":"inf"|"-inf"|number}. REAL always has '.'
 * or 'e', INTEGER never. The writers go straight into a buffer: a row costs no allocation.
 */
#ifndef ALTERD_PROTO_VALUE_H
#define ALTERD_PROTO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"

enum value_type { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB };

/* One bound value. TEXT and BLOB bytes are borrowed from the request's arena. */
struct value {
	enum value_type type;
	union {
		int64_t i;
		double r;
		struct {
			const char *p; /* never NULL for TEXT and BLOB, also when n is 0 */
			size_t n;      /* bytes */
		} s;
	};
};

/* hello.int64: how integers are written. */
enum int64_mode {
	INT64_AUTO,   /* plain within +-(2^53-1), {"int":..} outside */
	INT64_NUMBER, /* always plain */
	INT64_STRING, /* always {"int":..} */
};

void value_write_null(struct buf *out);
void value_write_int(struct buf *out, int64_t v, enum int64_mode mode);
/* Shortest text that reads back as the same double. NaN (which SQLite never yields) is written as null. */
void value_write_real(struct buf *out, double v);
void value_write_text(struct buf *out, const char *p, size_t n);
void value_write_blob(struct buf *out, const void *p, size_t n);
void value_write(struct buf *out, const struct value *v, enum int64_mode mode);

/* A JSON string (quoted, escaped) of valid UTF-8; invalid bytes become U+FFFD. For names, messages, SQL text. */
void json_write_string(struct buf *out, const char *p, size_t n);

/* True if the n bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF). */
bool utf8_valid(const char *p, size_t n);

/*
 * Base64 (RFC 4648, padded). Decoding is strict; returns bytes written, or -1. `out` has room for n / 4 * 3;
 * it may be p itself.
 */
void base64_write(struct buf *out, const void *p, size_t n);
long base64_decode(const char *p, size_t n, void *out);

#endif
