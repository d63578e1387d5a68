/*
 * What a histogram has taken in of late: second by second for the last minute, and the last ten seconds together.
 *
 * A histogram counts since the start. Whoever owns the window looks at it once a second, and keeps the difference: so
 * recording costs nothing more, from whatever thread. A window belongs to one thread; all zeroes is an empty one.
 */
#ifndef ALTERD_LIB_WINDOW_H
#define ALTERD_LIB_WINDOW_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/lib/histogram.h"

/* Seconds that are kept one by one, and those that are also known together. */
#define WINDOW_SECONDS 60
#define WINDOW_SPAN 10

struct window_times {
	uint64_t count;
	uint64_t p50_ns, p99_ns, max_ns; /* 0 while nothing was recorded */
};

struct window {
	uint64_t before[HISTOGRAM_BUCKETS]; /* the histogram at the last tick */
	uint64_t before_max_ns;
	uint64_t taken[WINDOW_SPAN][HISTOGRAM_BUCKETS]; /* what each of the last ten seconds has brought */
	uint64_t taken_max_ns[WINDOW_SPAN];
	struct window_times second[WINDOW_SECONDS]; /* a ring: tick n is at n % WINDOW_SECONDS */
	uint64_t ticks;
};

/* A second is over. */
void window_tick(struct window *w, const struct histogram *h);
/* The second that ended `ago` ticks before the last one; zeroes where the window does not reach back so far. */
struct window_times window_second(const struct window *w, size_t ago);
/* The last WINDOW_SPAN seconds, or those there were. max_ns is the longest of them, within 1/16. */
struct window_times window_span(const struct window *w);

#endif
