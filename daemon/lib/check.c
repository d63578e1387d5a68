/*
 * What happens when something that cannot happen has happened: say where, and stop. Also the allocations whose failure
 * is treated that way. Nothing here takes a lock or allocates, so that it works in any state of the program.
 */
#include "daemon/lib/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void check_failed(const char *expression, const char *file, int line)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "alterd: %s:%d: assertion failed: %s\n", file, line, expression);
	size_t len = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	/* Nothing can be done about a short write on the way out. */
	ssize_t ignored = write(STDERR_FILENO, text, len);
	(void)ignored;
	abort();
}

void *xmalloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);
	CHECK(p != NULL);
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
	CHECK(p != NULL);
	return p;
}

char *xstrdup(const char *s)
{
	char *copy = strdup(s);
	CHECK(copy != NULL);
	return copy;
}
