/*
 * Multikey quicksort: a long common beginning of many keys is looked at once, and not in each comparison.
 */
#include "daemon/migrate/index_quick.h"

#include <string.h>

#include "daemon/lib/check.h"

#define INSERTION_BELOW 12
#define RECORD_MOST ((size_t)1 << 40)

/* A record of the arena is whole; its length is its own. */
struct key_ref quick_key(const uint8_t *record)
{
	struct key_ref key = {0};

	CHECK(key_read(record, record + RECORD_MOST, &key));
	return key;
}

uint64_t quick_word(const uint8_t *record, size_t depth)
{
	struct key_ref key = quick_key(record);
	uint64_t word = 0;

	if (key.norm_n >= depth + sizeof(word)) {
		memcpy(&word, key.norm + depth, sizeof(word));
		return __builtin_bswap64(word);
	}
	if (key.norm_n > depth)
		memcpy(&word, key.norm + depth, key.norm_n - depth);
	return __builtin_bswap64(word);
}

static int compare_from(const struct entry *a, const struct entry *b)
{
	if (a->word != b->word)
		return a->word < b->word ? -1 : 1;
	struct key_ref left = quick_key(a->record), right = quick_key(b->record);
	return key_compare(&left, &right);
}

static void insertion_sort(struct entry *e, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct entry moving = e[i];
		size_t j = i;
		for (; j > 0 && compare_from(&moving, &e[j - 1]) < 0; j--)
			e[j] = e[j - 1];
		e[j] = moving;
	}
}

static void swap_entries(struct entry *a, struct entry *b)
{
	struct entry kept = *a;

	*a = *b;
	*b = kept;
}

/* The median of three entries at random places: a client cannot craft an order that makes the sort quadratic. */
static uint64_t choose_pivot(uint64_t *random, const struct entry *e, size_t n)
{
	uint64_t word[3];

	for (size_t i = 0; i < 3; i++) {
		*random ^= *random << 13;
		*random ^= *random >> 7;
		*random ^= *random << 17;
		word[i] = e[*random % n].word;
	}
	uint64_t low = word[0] < word[1] ? word[0] : word[1], high = word[0] < word[1] ? word[1] : word[0];
	return word[2] <= low ? low : word[2] >= high ? high : word[2];
}

/*
 * Three parts by the word: less, equal, greater. The equal part goes on eight bytes deeper. The largest part is done by
 * the loop and only the others by recursion, each at most half of n, so that the stack stays small.
 */
static void sort_entries(uint64_t *random, struct entry *e, size_t n, size_t depth)
{
	while (n >= INSERTION_BELOW) {
		uint64_t pivot = choose_pivot(random, e, n);
		size_t less = 0, at = 0, greater = n;
		while (at < greater) {
			if (e[at].word < pivot)
				swap_entries(&e[less++], &e[at++]);
			else if (e[at].word > pivot)
				swap_entries(&e[at], &e[--greater]);
			else
				at++;
		}
		struct entry *equal = e + less;
		size_t equal_n = greater - less, greater_n = n - greater;
		/* No key is a prefix of another: where one has ended they are all the same key, and in order. */
		if (equal_n > 1 && quick_key(equal->record).norm_n <= depth + 8)
			equal_n = 0;
		for (size_t i = 0; equal_n > 1 && i < equal_n; i++) {
			if (i + QUICK_PREFETCH < equal_n)
				__builtin_prefetch(equal[i + QUICK_PREFETCH].record);
			equal[i].word = quick_word(equal[i].record, depth + 8);
		}
		bool most_less = less >= equal_n && less >= greater_n, most_equal = !most_less && equal_n >= greater_n;
		if (!most_less)
			sort_entries(random, e, less, depth);
		if (!most_equal && equal_n > 1)
			sort_entries(random, equal, equal_n, depth + 8);
		if (most_less || most_equal)
			sort_entries(random, e + greater, greater_n, depth);
		if (most_less) {
			n = less;
		} else if (most_equal) {
			e = equal;
			n = equal_n;
			depth += 8;
		} else {
			e += greater;
			n = greater_n;
		}
	}
	insertion_sort(e, n);
}

void quick_sort(struct entry *entries, size_t n)
{
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15);

	sort_entries(&random, entries, n, 0);
}
