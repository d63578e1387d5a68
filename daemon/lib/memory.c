/* What is resident by /proc/self/statm; glibc gives back what it can by malloc_trim(). */
#include "daemon/lib/memory.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

/* The daemon itself, what an index build sorts in, and what glibc needs around each piece. */
#define KEPT_BYTES (INT64_C(96) << 20)

/* Resident bytes that no file stands behind; 0 where that is not known. */
static int64_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	int64_t all = 0, shared = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*d %" SCNd64 " %" SCNd64, &all, &shared) != 2)
		all = shared = 0;
	(void)fclose(f);
	return (all - shared) * sysconf(_SC_PAGESIZE);
}

void memory_settle(int64_t in_use)
{
	if (resident() > in_use + KEPT_BYTES)
		(void)malloc_trim(0);
}
