/*
 * What clients change in a table while an index of it is built: for each change the rowid, and the entry that the index
 * would have had for the row before it. In the order of the changes; never taken back: one entry too many does no harm.
 *
 * Lives in memory and in an unlinked temporary file, and dies with the daemon: a build that a crash cuts short begins
 * anew. The writer lane adds and takes off, a reader lane may read at the same time: each reader with a cursor of its
 * own. Positions only grow, also when what everybody has read is dropped.
 */
#ifndef ALTERD_MIGRATE_INDEX_LOG_H
#define ALTERD_MIGRATE_INDEX_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/migrate/index_key.h"
#include "proto/buf.h"

/* Bytes kept, at most: some ten million changes. Beyond that the log is `lost`. */
#define INDEX_LOG_BYTES_MAX ((uint64_t)1 << 30)

struct index_log;

struct index_log_cursor {
	uint64_t at;     /* position of the next record */
	struct buf read; /* records from `from` on */
	uint64_t from;
};

struct index_log_record {
	int64_t rowid;
	bool entry;         /* the row was in the index */
	struct key_ref key; /* that entry; borrowed until the next read */
	uint64_t position;
};

struct index_log *index_log_new(const char *temp_dir);
void index_log_free(struct index_log *log); /* NULL is fine */

/* Writer lane. Never fails: what cannot be kept makes the log lost. key NULL: the row was in no index. */
void index_log_add(struct index_log *log, int64_t rowid, const struct key_ref *key);
/* Something is missing: the build has to begin anew. */
void index_log_lose(struct index_log *log, const char *why);
/* NULL, or why. Any thread. */
const char *index_log_lost(struct index_log *log);
/* Any thread: position behind the last record. */
uint64_t index_log_end(struct index_log *log);
/* Writer lane, while nobody else reads: what lies before `position` is needed no more. */
void index_log_drop(struct index_log *log, uint64_t position);

/* 1: a record, 0: none is left, -1: it cannot be read, and the log is lost. */
int index_log_read(struct index_log *log, struct index_log_cursor *c, struct index_log_record *ret);
void index_log_cursor_free(struct index_log_cursor *c);

#endif
