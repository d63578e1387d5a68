/*
 * Durations in logarithmic buckets (8 to the octave, from 1 us to about 10 minutes): p50 and p99 within 10 %, the
 * greatest exactly. Recording is one relaxed atomic add; any thread records, any thread reads.
 */
#ifndef ALTERD_LIB_HISTOGRAM_H
#define ALTERD_LIB_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 256

struct histogram {
	atomic_uint_fast64_t bucket[HISTOGRAM_BUCKETS];
	atomic_uint_fast64_t count, sum_ns, max_ns;
};

void histogram_add(struct histogram *h, uint64_t ns);
/* The q-quantile (0..1) in nanoseconds; 0 while nothing was recorded. */
uint64_t histogram_quantile(const struct histogram *h, double q);
/* The counts of all buckets as they are now; recording goes on meanwhile. */
void histogram_read(const struct histogram *h, uint64_t ret[HISTOGRAM_BUCKETS]);
/* The q-quantile of such counts, of which `max_ns` is the greatest value. Pure. */
uint64_t histogram_quantile_of(const uint64_t counts[HISTOGRAM_BUCKETS], uint64_t max_ns, double q);
uint64_t histogram_count(const struct histogram *h);
uint64_t histogram_max(const struct histogram *h);

/* Bounds that histogram_snapshot() counts up to: 2^(HISTOGRAM_FIRST_BOUND + i) microseconds, 16 us to 16.8 s. */
#define HISTOGRAM_BOUNDS 21
#define HISTOGRAM_FIRST_BOUND 4
struct histogram_snapshot {
	uint64_t below[HISTOGRAM_BOUNDS]; /* how many took at most that long: exact, and never less than the one before
					   */
	uint64_t count;                   /* how many in all: no less than any of them */
	uint64_t sum_ns;                  /* of the same moment, nearly */
};
void histogram_snapshot(const struct histogram *h, struct histogram_snapshot *ret);
void histogram_reset(struct histogram *h);

#endif
