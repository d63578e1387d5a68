/*
 * Assertions as documentation. They hold in every build: a broken invariant stops the daemon, which is safe (a restart
 * recovers), where going on might not be. Never on what a client, a file or the disk can cause: that is an error.
 */
#ifndef ALTERD_LIB_CHECK_H
#define ALTERD_LIB_CHECK_H

#include <stddef.h>

/* Prints where and what to stderr and aborts. */
_Noreturn void check_failed(const char *expression, const char *file, int line);

#define CHECK(expression) ((expression) ? (void)0 : check_failed(#expression, __FILE__, __LINE__))
/* What must be true on entry, and what must be true in between. */
#define PRE(expression) CHECK(expression)
#define INVARIANT(expression) CHECK(expression)

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* malloc family for small fixed-size things whose failure cannot be answered any better than by stopping: aborts. */
void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
char *xstrdup(const char *s);

#endif
