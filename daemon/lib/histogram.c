/*
 * A bucket is an octave of microseconds (the position of the highest bit) cut in 8 equal parts (the next three bits).
 * Values of less than 8 us have a bucket each. The value read back is the middle of its bucket, which is at most
 * 1/16 of it away from anything in it; what is longer than the last bucket is counted there and known by max_ns.
 */
#include "daemon/lib/histogram.h"

#include <stddef.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"

/* 2^3 parts an octave. */
#define PART_BITS 3
#define PARTS (1 << PART_BITS)

static size_t bucket_of(uint64_t ns)
{
	/* What takes 16 us to the nanosecond is among those that take at most 16 us. */
	uint64_t us = (ns ? ns - 1 : 0) / NS_PER_US;
	if (us < PARTS)
		return (size_t)us;
	int high = 63 - __builtin_clzll(us);
	size_t part = (size_t)(us >> (high - PART_BITS)) & (PARTS - 1);
	size_t index = (size_t)(high - PART_BITS + 1) * PARTS + part;
	return index < HISTOGRAM_BUCKETS ? index : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket, in nanoseconds. */
static uint64_t bucket_middle(size_t index)
{
	if (index < PARTS)
		return (uint64_t)index * NS_PER_US + NS_PER_US / 2;
	size_t octave = index / PARTS - 1;
	uint64_t width = (UINT64_C(1) << octave) * NS_PER_US;
	uint64_t least = (uint64_t)(PARTS + index % PARTS) * width;
	return least + width / 2;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	atomic_fetch_add_explicit(&h->bucket[bucket_of(ns)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_ns, ns, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->count, 1, memory_order_relaxed);
	uint_fast64_t max = atomic_load_explicit(&h->max_ns, memory_order_relaxed);
	while (ns > max &&
	       !atomic_compare_exchange_weak_explicit(&h->max_ns, &max, ns, memory_order_relaxed, memory_order_relaxed))
		;
}

void histogram_read(const struct histogram *h, uint64_t ret[HISTOGRAM_BUCKETS])
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		ret[i] = atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
}

uint64_t histogram_quantile_of(const uint64_t counts[HISTOGRAM_BUCKETS], uint64_t max_ns, double q)
{
	uint64_t total = 0, seen = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += counts[i];
	if (total == 0)
		return 0;
	double want = q <= 0 ? 1 : q >= 1 ? (double)total : q * (double)total;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += counts[i];
		if ((double)seen >= want) {
			uint64_t middle = bucket_middle(i);
			/* The greatest is known exactly, and nothing is longer. */
			return middle < max_ns ? middle : max_ns;
		}
	}
	return max_ns;
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
	/* Recording goes on while this reads: the sum of the buckets is the count that fits them. */
	uint64_t counts[HISTOGRAM_BUCKETS];

	histogram_read(h, counts);
	return histogram_quantile_of(counts, histogram_max(h), q);
}

void histogram_snapshot(const struct histogram *h, struct histogram_snapshot *ret)
{
	uint64_t seen = 0;
	size_t i = 0;

	ret->sum_ns = atomic_load_explicit(&h->sum_ns, memory_order_relaxed);
	for (size_t bound = 0; bound < HISTOGRAM_BOUNDS; bound++) {
		/* The first bucket of the octave that begins there. */
		size_t end = (size_t)(HISTOGRAM_FIRST_BOUND + bound - PART_BITS + 1) * PARTS;

		for (; i < end; i++)
			seen += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
		ret->below[bound] = seen;
	}
	for (; i < HISTOGRAM_BUCKETS; i++)
		seen += atomic_load_explicit(&h->bucket[i], memory_order_relaxed);
	ret->count = seen;
}

uint64_t histogram_count(const struct histogram *h) { return atomic_load_explicit(&h->count, memory_order_relaxed); }

uint64_t histogram_max(const struct histogram *h) { return atomic_load_explicit(&h->max_ns, memory_order_relaxed); }

void histogram_reset(struct histogram *h)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		atomic_store_explicit(&h->bucket[i], 0, memory_order_relaxed);
	atomic_store_explicit(&h->sum_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&h->count, 0, memory_order_relaxed);
	atomic_store_explicit(&h->max_ns, 0, memory_order_relaxed);
}
