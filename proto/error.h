/*
 * One error, as it goes to a client: code, name, text, and further members of `data`.
 *
 * Functions that can fail return 0 or -1 and take `struct error *err` as their last parameter, never NULL, written only
 * on failure. The first failure is the one that counts: error_set() on an error that is already set does nothing.
 */
#ifndef ALTERD_PROTO_ERROR_H
#define ALTERD_PROTO_ERROR_H

#include <stdbool.h>

#include "proto/buf.h"
#include "proto/errc.h"

struct error {
	int code;         /* the wire's code: 0 = no error, negative = errc.h, positive = SQLite extended result code */
	const char *name; /* static string for data.name; NULL when code is 0 */
	bool retryable;   /* data.retryable */
	char message[512]; /* NUL-terminated UTF-8 text for a person */
	struct buf
		data; /* further members of `data`, JSON text without braces: `"offset":0,"reason":"cancel"`; owned */
};

/* `(struct error){0}` is the same. */
void error_init(struct error *err);

/* Frees what it holds and makes it "no error" again. */
void error_clear(struct error *err);

static inline bool error_is_set(const struct error *err) { return err->code != 0; }

/* Sets code, name and retryable from the table, and the text. Returns -1, so that `return error_set(...)` reads well.
 */
int error_set(struct error *err, enum errc which, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for an SQLite extended result code; `name` is a static string ("SQLITE_CONSTRAINT_UNIQUE"). */
int error_set_sqlite(struct error *err, int code, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Moves `from` into `to` (which must not be set); `from` is "no error" afterwards. */
void error_move(struct error *to, struct error *from);

/* Adds a member to `data`. The key is plain ASCII; the string is escaped here. */
void error_add_int(struct error *err, const char *key, long long value);
void error_add_str(struct error *err, const char *key, const char *value);
/* Adds a member whose value is JSON text already. */
void error_add_json(struct error *err, const char *key, const char *json);

/* Code of an entry, for tests and for clients. */
int errc_code(enum errc which);
const char *errc_name(enum errc which);

#endif
