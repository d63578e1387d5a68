/*
 * A sorter for index keys with bounded memory.
 *
 * Keys are added in any order and come out in norm order (index_key.h). What is in memory can be sorted and moved to an
 * unlinked temporary file as a run at any time; at the end the runs are merged. The owner decides when to spill, since
 * several sorters share one budget. A sorter belongs to one thread at a time.
 *
 * Memory: sorter_memory() while adding; while merging `merge_bytes`, but 4 KiB a run at least, and room for the
 * greatest key of each run.
 */
#ifndef ALTERD_MIGRATE_INDEX_SORT_H
#define ALTERD_MIGRATE_INDEX_SORT_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/index_key.h"
#include "proto/error.h"

struct sorter;

/*
 * `temp_dir`, for runs, is borrowed while the sorter lives. `share_bytes`: about how much memory it will have before it
 * is spilled. It maps memory in pieces that are small beside that, or else a run would hold next to nothing.
 */
struct sorter *sorter_new(const char *temp_dir, size_t share_bytes);
/* Accepts NULL. */
void sorter_free(struct sorter *s);

/* Copies the key. */
int sorter_add(struct sorter *s, const struct key_ref *key, struct error *err);
/* Memory that the keys added so far take. */
size_t sorter_memory(const struct sorter *s);
/* Sorts what is in memory and writes it out as a run; the memory is free then. */
int sorter_spill(struct sorter *s, struct error *err);
/* Keys added, and bytes written to runs. */
uint64_t sorter_keys(const struct sorter *s);
uint64_t sorter_spilled_bytes(const struct sorter *s);

/* Nothing is added after this; sorts, and opens the merge if there are runs. */
int sorter_finish(struct sorter *s, size_t merge_bytes, struct error *err);
/* 1 and the next key, borrowed until the next call; 0 at the end; -1 on failure. */
int sorter_next(struct sorter *s, struct key_ref *ret, struct error *err);

#endif
