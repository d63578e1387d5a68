/*
 * Memory that is given back all at once: what a plan, a schema or a parsed statement is made of. Nothing in a pool is
 * freed alone. Running out of memory stops the daemon (xmalloc): what is kept here is bounded by the size of DDL.
 */
#ifndef ALTERD_MIGRATE_POOL_H
#define ALTERD_MIGRATE_POOL_H

#include <stdarg.h>
#include <stddef.h>

#include "proto/buf.h"

struct pool_block;

struct pool {
	struct pool_block *blocks; /* newest first; NULL while empty */
};

/* Zeroed memory, aligned for anything. `(struct pool){0}` is an empty pool. */
void *pool_alloc(struct pool *p, size_t n);
char *pool_dup(struct pool *p, const char *text, size_t n);
/* NULL stays NULL. */
char *pool_str(struct pool *p, const char *text);
/* At most the first n bytes, no character of UTF-8 cut in two. */
char *pool_cut(struct pool *p, const char *text, size_t n);
char *pool_printf(struct pool *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The content of a buffer as text of the pool; frees the buffer. */
char *pool_take(struct pool *p, struct buf *b);
/* Room for one more element behind `n` elements of `size` bytes: the array moves when n is 0 or a power of two. */
void *pool_grow(struct pool *p, void *array, size_t n, size_t size);
void pool_free(struct pool *p);

#endif
