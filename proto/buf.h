/*
 * A growable byte buffer with a sticky failure.
 *
 * Every writer in the program appends to one of these: replies, log lines, SQL text. When memory runs out or the cap is
 * passed, `failed` is set, the content stays as it was, and every later append is a no-op; the caller checks once at
 * the end. Not thread-safe: a buffer belongs to one thread at a time.
 */
#ifndef ALTERD_PROTO_BUF_H
#define ALTERD_PROTO_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;  /* owned; not NUL-terminated unless buf_cstr() was called last; NULL while empty */
	size_t len;  /* bytes used */
	size_t cap;  /* bytes allocated */
	bool failed; /* an append did not fit in memory; sticky until buf_reset() */
};

/* An empty buffer; allocates nothing. `(struct buf){0}` is the same. */
void buf_init(struct buf *b);

/* Frees the memory; the buffer is empty and usable again. Accepts a zeroed buffer, may be called twice. */
void buf_free(struct buf *b);

/* Forgets the content and the failure, keeps the memory when it is at most `keep_bytes`. */
void buf_reset(struct buf *b, size_t keep_bytes);

/* Makes room for `n` more bytes. Returns where they go, NULL (and `failed`) without memory. `len` does not change. */
char *buf_reserve(struct buf *b, size_t n);

void buf_add(struct buf *b, const void *data, size_t n);
void buf_puts(struct buf *b, const char *text);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Cuts back to `len` bytes, which must not be more than there are. */
void buf_truncate(struct buf *b, size_t len);

/* Drops the first `n` bytes (memmove). */
void buf_consume(struct buf *b, size_t n);

/* The content with a NUL behind it (not counted in len); "" when empty or failed. Borrowed until the next append. */
const char *buf_cstr(struct buf *b);

#endif
