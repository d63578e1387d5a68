/*
 * The greatest value is known exactly where it is the greatest since the start; else it is the middle of the topmost
 * bucket that was hit. A value recorded while the window looks is counted in this second or in the next, never twice.
 */
#include "daemon/lib/window.h"

#include <string.h>

static struct window_times times_of(const uint64_t counts[HISTOGRAM_BUCKETS], uint64_t max_ns)
{
	struct window_times t = {
		.p50_ns = histogram_quantile_of(counts, max_ns, .5),
		.p99_ns = histogram_quantile_of(counts, max_ns, .99),
		.max_ns = max_ns,
	};

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		t.count += counts[i];
	return t;
}

void window_tick(struct window *w, const struct histogram *h)
{
	uint64_t now[HISTOGRAM_BUCKETS], max_ns = histogram_max(h), count = 0;
	uint64_t *taken = w->taken[w->ticks % WINDOW_SPAN];

	histogram_read(h, now);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		taken[i] = now[i] - w->before[i];
		count += taken[i];
	}
	memcpy(w->before, now, sizeof(now));
	if (max_ns <= w->before_max_ns)
		max_ns = histogram_quantile_of(taken, w->before_max_ns, 1);
	else
		w->before_max_ns = max_ns;
	if (count == 0)
		max_ns = 0;
	w->taken_max_ns[w->ticks % WINDOW_SPAN] = max_ns;
	w->second[w->ticks % WINDOW_SECONDS] = times_of(taken, max_ns);
	w->ticks++;
}

struct window_times window_second(const struct window *w, size_t ago)
{
	if (ago >= WINDOW_SECONDS || ago >= w->ticks)
		return (struct window_times){0};
	return w->second[(w->ticks - 1 - ago) % WINDOW_SECONDS];
}

struct window_times window_span(const struct window *w)
{
	uint64_t sum[HISTOGRAM_BUCKETS] = {0}, max_ns = 0;

	for (size_t k = 0; k < WINDOW_SPAN; k++) {
		for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
			sum[i] += w->taken[k][i];
		max_ns = w->taken_max_ns[k] > max_ns ? w->taken_max_ns[k] : max_ns;
	}
	return times_of(sum, max_ns);
}
