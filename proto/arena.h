/*
 * One block of memory for everything a request is decoded into. Structures grow from its front (so they stay aligned),
 * bytes from its back (so they waste nothing). The block is made large enough beforehand; it never grows, so pointers
 * into it stay good. Inside proto only.
 */
#ifndef ALTERD_PROTO_ARENA_H
#define ALTERD_PROTO_ARENA_H

#include <stddef.h>

struct arena {
	char *front; /* next structure */
	char *back;  /* end of what is free; the bytes taken lie behind it */
};

#define ARENA_ALIGN 8

/* n structures' bytes, aligned, not cleared; NULL if the block is used up. */
static inline void *arena_struct(struct arena *a, size_t n)
{
	char *p = a->front;

	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if ((size_t)(a->back - a->front) < n)
		return NULL;
	a->front += n;
	return p;
}

/* n bytes, not aligned, not cleared; NULL if the block is used up. */
static inline char *arena_bytes(struct arena *a, size_t n)
{
	if ((size_t)(a->back - a->front) < n)
		return NULL;
	a->back -= n;
	return a->back;
}

#endif
