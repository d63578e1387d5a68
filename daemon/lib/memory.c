/* What is resident by /proc/self/statm; glibc gives back what it can by malloc_trim(). */
#include "daemon/lib/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The daemon itself, what an index build sorts in, and what glibc needs around each piece. */
#define KEPT_BYTES (INT64_C(96) << 20)

/* Resident bytes that no file stands behind; 0 where that is not known. */
static int64_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	char line[128] = "", *at;

	if (!f)
		return 0;
	(void)!fgets(line, sizeof line, f);
	(void)fclose(f);
	(void)strtoll(line, &at, 10); /* with all that is only reserved */
	int64_t all = strtoll(at, &at, 10), shared = strtoll(at, &at, 10);
	return (all - shared) * sysconf(_SC_PAGESIZE);
}

void memory_settle(int64_t in_use)
{
	if (resident() > in_use + KEPT_BYTES)
		(void)malloc_trim(0);
}
