/*
 * What the bench programs share: a clock, a histogram of durations, a random generator, and decimal digits.
 *
 * The histogram has 64 buckets to the octave, so a quantile is right within about 1.1 %; the maximum is exact. It
 * belongs to one thread; latency_merge() joins those of several once they have ended.
 */
#ifndef ALTERD_BENCH_LATENCY_H
#define ALTERD_BENCH_LATENCY_H

#include <stdint.h>
#include <time.h>

#define LATENCY_SUB_BITS 6
#define LATENCY_BUCKETS ((64 - LATENCY_SUB_BITS) << LATENCY_SUB_BITS)

struct latency {
	uint64_t bucket[LATENCY_BUCKETS]; /* counts by size of the duration */
	uint64_t count;                   /* durations recorded */
	uint64_t max_ns;                  /* the longest of them */
};

static inline uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline unsigned latency_slot(uint64_t ns)
{
	if (ns < (1u << LATENCY_SUB_BITS))
		return (unsigned)ns;
	unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - LATENCY_SUB_BITS;
	unsigned slot = ((shift + 1) << LATENCY_SUB_BITS) + (unsigned)((ns >> shift) & ((1u << LATENCY_SUB_BITS) - 1));
	return slot < LATENCY_BUCKETS ? slot : LATENCY_BUCKETS - 1;
}

static inline void latency_add(struct latency *l, uint64_t ns)
{
	l->bucket[latency_slot(ns)]++;
	l->count++;
	if (ns > l->max_ns)
		l->max_ns = ns;
}

static inline void latency_merge(struct latency *to, const struct latency *from)
{
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
	to->count += from->count;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
}

/* The q-quantile (0..1) in nanoseconds, 0 when nothing was recorded. */
static inline uint64_t latency_quantile(const struct latency *l, double q)
{
	if (!l->count)
		return 0;
	uint64_t rank = (uint64_t)(q * (double)(l->count - 1)), seen = 0;
	unsigned i = 0;
	for (; i < LATENCY_BUCKETS - 1; i++) {
		seen += l->bucket[i];
		if (seen > rank)
			break;
	}
	if (i < (1u << LATENCY_SUB_BITS))
		return i;
	unsigned shift = (i >> LATENCY_SUB_BITS) - 1;
	uint64_t low = ((1ull << LATENCY_SUB_BITS) + (i & ((1u << LATENCY_SUB_BITS) - 1))) << shift;
	uint64_t middle = low + ((1ull << shift) >> 1);
	return middle < l->max_ns ? middle : l->max_ns;
}

/* xorshift64*: the state must not be 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717u;
}

/* What the bench tables hold in `abalance` before anybody changes it; run.sh fills both databases by the same rule. */
static inline int64_t first_balance(int64_t aid) { return aid * 7919 % 100003; }

/* Appends the digits of `v`; returns where the text ends. */
static inline char *put_number(char *p, uint64_t v)
{
	char digits[20];
	size_t n = 0;
	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		*p++ = digits[--n];
	return p;
}

#endif
