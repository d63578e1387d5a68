/*
 * What the parts of the index build share: open and adopt (index_build.c), the reader's side (index_scan.c), the
 * writer's side (index_fill.c). Private to them.
 *
 * The border between the two lanes is the ring of batches. The reader fills the free ones and publishes them under the
 * lock; the writer reads the published ones without it and gives them back under it.
 */
#ifndef ALTERD_MIGRATE_INDEX_STATE_H
#define ALTERD_MIGRATE_INDEX_STATE_H

#include <pthread.h>

#include "daemon/migrate/index_build.h"
#include "daemon/migrate/index_sort.h"
#include "daemon/migrate/index_spec.h"
#include "daemon/migrate/pool.h"

#define INDEX_BATCHES 4

/* Keys of one index in order, one record behind the other. */
struct batch {
	uint8_t *data;
	size_t size, used;
	size_t keys;
	size_t index; /* number of the target */
};

/* One index being built. The reader's, but for what the comment says. */
struct index_part {
	struct sorter *sorter; /* NULL once its keys are all out */
	bool has_null;         /* a NULL is in a key: the imposter is needed. Constant when the first batch is out */
	bool resumed;          /* the sidecar is of an earlier open: look where it ends */
	struct buf last;       /* norm of the sidecar's last entry */
	uint64_t existing;     /* entries the sidecar had */
	uint64_t skipped;      /* keys up to `last`, which are in it already */
	int64_t imposter_root; /* the writer's: root page the imposter was made for */
};

enum read_phase { READ_RESUME, READ_SCAN, READ_EMIT, READ_END };

struct index_build {
	struct pool pool;
	struct index_spec spec;
	struct index_part *parts;
	bool live; /* the table changes meanwhile: duplicates may be of yesterday, and are the caller's to find */
	char *temp_dir;
	size_t arena_bytes, merge_bytes, batch_bytes; /* shares of the memory budget */

	/* The reader's. */
	bool started;             /* a row was scanned: `cursor` is set */
	sqlite3_value **cursor;   /* last row scanned, WITHOUT ROWID */
	int64_t rowid;            /* last row scanned, else */
	size_t emitting;          /* target whose keys go out */
	bool opened;              /* its sorter is finished */
	struct buf norm, tail;    /* a key being made */
	struct key_ref held;      /* key taken from the sorter that did not fit in a batch; total 0: none */
	struct buf unique;        /* unique part of the key before */
	struct key_value *values; /* scratch for the widest key */
	struct buf scratch;

	/* Both sides', under the lock. */
	pthread_mutex_t lock;
	enum read_phase phase;
	bool growing;
	bool failed;
	struct batch batches[INDEX_BATCHES];
	size_t first, published; /* ring: the oldest published batch, and their number */
	struct index_build_progress progress;
	struct buf offenders;
	uint64_t offender_count;

	/* The writer's. */
	size_t batch_at;    /* bytes of the oldest batch that are in the sidecar */
	bool registered;    /* the feeds are known to the writer's connection */
	uint64_t commit_ns; /* what a commit takes, smoothed */
	struct key_value *fill_values;
};

/*
 * Makes the entry of index t from a row, into emptied buffers; `values` maps the entry's columns to the row's, NULL:
 * the row is the entry. *null: a NULL is in it. *ret_unique_n: as in struct key_ref. A failure is the buffers' own.
 */
void index_entry(const struct index_target *t, sqlite3_stmt *row, const size_t *values, struct buf *norm,
		 struct buf *tail, bool *null, size_t *ret_unique_n);

/* Lays the imposter over the sidecar's b-tree, unless it lies there. Writer lane, in a transaction. */
int index_imposter(struct index_build *b, struct db *db, size_t index, struct error *err);

/* Adds the row of a key to the offenders. Under the lock. */
void index_offender(struct index_build *b, const struct index_target *t, const struct key_ref *key);

#endif
