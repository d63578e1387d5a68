/*
 * A chain of blocks, each one allocation. Small requests share a block; a large one has its own.
 */
#include "daemon/migrate/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"

#define BLOCK_BYTES 4096

struct pool_block {
	struct pool_block *next;
	size_t used, size; /* bytes of data[] */
	alignas(max_align_t) char data[];
};

void *pool_alloc(struct pool *p, size_t n)
{
	const size_t align = alignof(max_align_t);

	PRE(n < SIZE_MAX - 4 * align);
	n = (n + align - 1) / align * align;
	struct pool_block *block = p->blocks;
	if (!block || block->size - block->used < n) {
		size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
		block = xmalloc(sizeof(*block) + size);
		*block = (struct pool_block){.next = p->blocks, .size = size};
		p->blocks = block;
	}
	void *at = block->data + block->used;
	block->used += n;
	return memset(at, 0, n);
}

char *pool_dup(struct pool *p, const char *text, size_t n)
{
	char *copy = pool_alloc(p, n + 1);
	if (n)
		memcpy(copy, text, n);
	return copy;
}

char *pool_str(struct pool *p, const char *text) { return text ? pool_dup(p, text, strlen(text)) : NULL; }

char *pool_cut(struct pool *p, const char *text, size_t n)
{
	size_t len = strnlen(text, n + 1);

	if (len <= n)
		return pool_dup(p, text, len);
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	return pool_dup(p, text, n);
}

char *pool_take(struct pool *p, struct buf *b)
{
	CHECK(!b->failed);
	char *text = pool_dup(p, buf_cstr(b), b->len);

	buf_free(b);
	return text;
}

char *pool_printf(struct pool *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	CHECK(n >= 0);
	char *text = pool_alloc(p, (size_t)n + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

void *pool_grow(struct pool *p, void *array, size_t n, size_t size)
{
	if (n != 0 && (n & (n - 1)) != 0)
		return array;
	void *bigger = pool_alloc(p, (n ? 2 * n : 1) * size);
	if (n)
		memcpy(bigger, array, n * size);
	return bigger;
}

void pool_free(struct pool *p)
{
	while (p->blocks) {
		struct pool_block *block = p->blocks;
		p->blocks = block->next;
		free(block);
	}
}
