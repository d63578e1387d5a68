/*
 * The two sources of time. The fakes are plain pointers: they are set before a test starts threads and never while
 * threads run, so reading them needs no ordering.
 */
#include "daemon/lib/clock.h"

#include <stdio.h>
#include <time.h>

#include "daemon/lib/check.h"

static uint64_t (*fake_now_ns)(void);
static int64_t (*fake_wall_ms)(void);

uint64_t clock_now_ns(void)
{
	struct timespec t;
	if (fake_now_ns)
		return fake_now_ns();
	CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

int64_t clock_wall_ms(void)
{
	struct timespec t;
	if (fake_wall_ms)
		return fake_wall_ms();
	CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
	return (int64_t)t.tv_sec * 1000 + (int64_t)(t.tv_nsec / 1000000);
}

void clock_format(int64_t wall_ms, int decimals, char *out)
{
	const size_t size = 32;
	/* Division rounds towards zero; before 1970 the second must still be the one that has begun. */
	int64_t ms = wall_ms % 1000;
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	PRE(decimals == 0 || decimals == 3);
	if (ms < 0) {
		ms += 1000;
		seconds--;
	}
	/* A year that does not fit an int, or not our 32 bytes, is shown as the epoch rather than refused: it is a
	 * text. */
	if (!gmtime_r(&seconds, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
		seconds = 0;
		ms = 0;
		CHECK(gmtime_r(&seconds, &tm));
	}
	size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
	CHECK(n > 0);
	if (decimals == 3)
		(void)snprintf(out + n, size - n, ".%03dZ", (int)ms);
	else
		(void)snprintf(out + n, size - n, "Z");
}

void clock_fake(uint64_t (*now_ns)(void), int64_t (*wall_ms)(void))
{
	fake_now_ns = now_ns;
	fake_wall_ms = wall_ms;
}
