/*
 * Sorting key records in memory: private to the sorter.
 */
#ifndef ALTERD_MIGRATE_INDEX_QUICK_H
#define ALTERD_MIGRATE_INDEX_QUICK_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/index_key.h"

/* Records lie all over the arena: how far ahead they are asked for. */
#define QUICK_PREFETCH 12

struct entry {
	uint64_t word;         /* eight bytes of norm from the depth the sort has reached, as a number */
	const uint8_t *record; /* in a block */
};

/* A record that is known to be whole. */
struct key_ref quick_key(const uint8_t *record);
/* The eight bytes of a record's norm from `depth`, zeros behind its end. */
uint64_t quick_word(const uint8_t *record, size_t depth);
/* Puts entries, whose words are those of depth 0, in norm order; the words are of no use afterwards. */
void quick_sort(struct entry *entries, size_t n);

#endif
