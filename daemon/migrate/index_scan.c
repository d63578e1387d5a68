/*
 * The reader's side of the index build: one pass over the table collects the keys of all indexes; then they are put out
 * in order, index by index, into batches for the writer, and neighbours of a UNIQUE index are compared on the way.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/migrate/index_state.h"

/* Pieces that are over before somebody who waits for the processor, or for the snapshot to end, would notice. */
#define CHUNK_ROWS 1000
#define CHUNK_NS (2 * NS_PER_MS)
/* A read goes on with further chunks for so long; then the lane is free for others. */
#define READ_NS (2 * NS_PER_MS)
#define CLOCK_EVERY_ROWS 16
/* Rows a snapshot has at least, though the log waits for it to end. */
#define CHUNK_ROWS_LEAST 250
/* Keys taken from the sorter for one batch at most: those that are skipped or only counted do not fill it. */
#define EMIT_KEYS 50000

static void set_phase(struct index_build *b, enum read_phase phase)
{
	pthread_mutex_lock(&b->lock);
	b->phase = phase;
	b->progress.scanned = phase >= READ_EMIT;
	pthread_mutex_unlock(&b->lock);
}

static int fail(struct index_build *b)
{
	pthread_mutex_lock(&b->lock);
	b->failed = true;
	pthread_mutex_unlock(&b->lock);
	return -1;
}

/* The key that lies in b->norm and b->tail. */
static struct key_ref made_key(const struct index_build *b, size_t unique_n)
{
	return (struct key_ref){.norm = (const uint8_t *)b->norm.data,
				.norm_n = b->norm.len,
				.tail = (const uint8_t *)b->tail.data,
				.tail_n = b->tail.len,
				.unique_n = unique_n};
}

void index_entry(const struct index_target *t, sqlite3_stmt *row, const size_t *values, struct buf *norm,
		 struct buf *tail, bool *null, size_t *ret_unique_n)
{
	bool unique_null = false;

	buf_truncate(norm, 0);
	buf_truncate(tail, 0);
	*ret_unique_n = 0;
	for (size_t i = 0; i < t->count; i++) {
		struct key_value v;
		key_value_get(row, (int)(values ? values[i] : i), &v);
		if (v.type == SQLITE_NULL) {
			*null = true;
			unique_null |= i < t->key_count;
		}
		key_add(norm, tail, i, &t->columns[i], &v);
		if (i + 1 == t->key_count && t->unique && !unique_null)
			*ret_unique_n = norm->len;
	}
}

static int make_key(struct index_build *b, const struct index_target *t, sqlite3_stmt *row, const size_t *values,
		    bool *null, size_t *ret_unique_n, struct error *err)
{
	index_entry(t, row, values, &b->norm, &b->tail, null, ret_unique_n);
	if (b->norm.failed || b->tail.failed)
		return error_set(err, ERRC_INTERNAL, "no memory for a key of index %s", t->name);
	return 0;
}

/* Where the sidecar of an earlier open ends. */
static int resume_part(struct index_build *b, struct db *db, size_t i, struct error *err)
{
	const struct index_target *t = &b->spec.targets[i];
	struct index_part *part = &b->parts[i];
	sqlite3_stmt *stmt;
	int64_t count = 0;
	size_t unique_n;
	bool null = false;

	if (db_int(db, &count, err, "SELECT count(*) FROM main.\"%w\"", t->sidecar) != 0 ||
	    db_prepare(db, t->last_sql, &stmt, err) != 0)
		return -1;
	int row = db_step(db, stmt, err);
	if (row > 0 && make_key(b, t, stmt, NULL, &null, &unique_n, err) != 0)
		row = -1;
	db_done(db, stmt);
	if (row < 0)
		return -1;
	buf_truncate(&part->last, 0);
	if (row > 0)
		buf_add(&part->last, b->norm.data, b->norm.len);
	part->existing = (uint64_t)count;
	return 0;
}

static int resume(struct index_build *b, struct db *db, struct error *err)
{
	for (size_t i = 0; i < b->spec.count; i++)
		if (b->parts[i].resumed && resume_part(b, db, i, err) != 0)
			return -1;
	set_phase(b, READ_SCAN);
	return 0;
}

/* -1 is final: the row went into some sorters and not into others. */
static int collect_row(struct index_build *b, sqlite3_stmt *row, struct error *err)
{
	for (size_t i = 0; i < b->spec.count; i++) {
		const struct index_target *t = &b->spec.targets[i];
		struct index_part *part = &b->parts[i];
		size_t unique_n;
		if (t->condition > 0 && !sqlite3_column_int(row, (int)t->condition))
			continue;
		if (make_key(b, t, row, t->values, &part->has_null, &unique_n, err) != 0)
			return fail(b);
		struct key_ref key = made_key(b, unique_n);
		if (sorter_add(part->sorter, &key, err) != 0)
			return fail(b);
	}
	return 0;
}

static size_t arena_bytes(const struct index_build *b)
{
	size_t bytes = 0;

	for (size_t i = 0; i < b->spec.count; i++)
		bytes += sorter_memory(b->parts[i].sorter);
	return bytes;
}

/* Takes memory back from the sorter that has most of it. Outside of a snapshot: sorting and writing take a while. */
static int spill_largest(struct index_build *b, struct error *err)
{
	struct sorter *largest = NULL;

	for (size_t i = 0; i < b->spec.count; i++)
		if (!largest || sorter_memory(b->parts[i].sorter) > sorter_memory(largest))
			largest = b->parts[i].sorter;
	return largest && sorter_spill(largest, err) != 0 ? fail(b) : 0;
}

static void count_progress(struct index_build *b, uint64_t rows)
{
	struct index_build_progress p = {0};

	for (size_t i = 0; i < b->spec.count; i++) {
		if (!b->parts[i].sorter)
			continue;
		p.keys += sorter_keys(b->parts[i].sorter);
		p.spilled_bytes += sorter_spilled_bytes(b->parts[i].sorter);
		p.memory_bytes += sorter_memory(b->parts[i].sorter);
	}
	pthread_mutex_lock(&b->lock);
	b->progress.rows += rows;
	if (!b->progress.scanned) {
		b->progress.keys = p.keys;
		b->progress.spilled_bytes = p.spilled_bytes;
	}
	b->progress.memory_bytes = p.memory_bytes;
	pthread_mutex_unlock(&b->lock);
}

static void keep_cursor(struct index_build *b, sqlite3_stmt *row)
{
	b->started = true;
	if (!b->spec.without_rowid) {
		b->rowid = sqlite3_column_int64(row, 0);
		return;
	}
	for (size_t i = 0; i < b->spec.cursor_count; i++) {
		sqlite3_value_free(b->cursor[i]);
		b->cursor[i] = sqlite3_value_dup(sqlite3_column_value(row, (int)i));
	}
}

static int bind_cursor(struct index_build *b, struct db *db, sqlite3_stmt *stmt, struct error *err)
{
	int rc = SQLITE_OK;

	if (!b->started)
		return 0;
	if (!b->spec.without_rowid)
		rc = sqlite3_bind_int64(stmt, 1, b->rowid);
	for (size_t i = 0; b->spec.without_rowid && rc == SQLITE_OK && i < b->spec.cursor_count; i++)
		rc = b->cursor[i] ? sqlite3_bind_value(stmt, (int)i + 1, b->cursor[i]) : SQLITE_NOMEM;
	return rc == SQLITE_OK ? 0 : db_error(db, "going on with the scan for indexes", err);
}

/* One short snapshot. 1: there may be more rows, 0: that was the last one, -1: failed. */
static int scan_chunk(struct index_build *b, struct db *db, struct error *err)
{
	uint64_t deadline_ns = clock_now_ns() + CHUNK_NS, rows = 0;
	sqlite3_stmt *stmt;
	int result;

	if (db_prepare(db, b->spec.scan_sql[b->started], &stmt, err) != 0)
		return -1;
	result = bind_cursor(b, db, stmt, err);
	while (result == 0) {
		result = db_step(db, stmt, err);
		if (result <= 0)
			break;
		result = collect_row(b, stmt, err);
		if (result != 0)
			break;
		keep_cursor(b, stmt);
		rows++;
		if (rows == CHUNK_ROWS || arena_bytes(b) > b->arena_bytes ||
		    (rows % CLOCK_EVERY_ROWS == 0 &&
		     (clock_now_ns() > deadline_ns || (rows >= CHUNK_ROWS_LEAST && db_wal_waits(db)))))
			result = 1;
	}
	db_done(db, stmt);
	count_progress(b, rows);
	return result;
}

static bool is_growing(struct index_build *b)
{
	pthread_mutex_lock(&b->lock);
	bool growing = b->growing;
	pthread_mutex_unlock(&b->lock);
	return growing;
}

static int scan(struct index_build *b, struct db *db, struct error *err)
{
	uint64_t deadline_ns = clock_now_ns() + READ_NS;

	for (;;) {
		/* Asked before the snapshot is taken: after it the last rows may have come. */
		bool growing = is_growing(b);
		int more = scan_chunk(b, db, err);
		if (more < 0)
			return -1;
		if (more == 0 && growing)
			return 0;
		if (more == 0) {
			set_phase(b, READ_EMIT);
			return 0;
		}
		if (arena_bytes(b) > b->arena_bytes)
			return spill_largest(b, err);
		if (clock_now_ns() > deadline_ns || db_stopped(db) || db_wal_waits(db))
			return 0;
	}
}

/* In the order of the keys those of one value are neighbours. A NULL equals nothing, and then unique_n is 0. */
static void check_unique(struct index_build *b, const struct index_target *t, const struct key_ref *key)
{
	if (key->unique_n > 0 && key->unique_n == b->unique.len &&
	    memcmp(key->norm, b->unique.data, key->unique_n) == 0) {
		pthread_mutex_lock(&b->lock);
		if (b->offender_count++ < INDEX_OFFENDERS_MAX)
			index_offender(b, t, key);
		pthread_mutex_unlock(&b->lock);
		return;
	}
	buf_truncate(&b->unique, 0);
	buf_add(&b->unique, key->norm, key->unique_n);
}

/* True if the sidecar has the entry from before a restart. */
static bool skip_existing(struct index_build *b, struct index_part *part, const struct key_ref *key)
{
	struct key_ref last = {.norm = (const uint8_t *)part->last.data, .norm_n = part->last.len};

	if (part->last.len == 0 || key_compare(key, &last) > 0)
		return false;
	part->skipped++;
	pthread_mutex_lock(&b->lock);
	b->progress.keys_done++;
	pthread_mutex_unlock(&b->lock);
	return true;
}

/* 1: added, 0: does not fit any more, -1: no memory. */
static int batch_add(struct batch *batch, const struct key_ref *key, struct error *err)
{
	size_t need = key_write_size(key);

	if (need > batch->size - batch->used) {
		if (batch->used > 0)
			return 0;
		/* A key longer than a batch has one of its own. */
		uint8_t *data = realloc(batch->data, need);
		if (!data)
			return error_set(err, ERRC_INTERNAL, "no memory for an index key of %zu bytes", need);
		batch->data = data;
		batch->size = need;
	}
	batch->used += key_write(batch->data + batch->used, key);
	batch->keys++;
	return 1;
}

/* An empty batch that is the reader's, NULL while all are the writer's. */
static struct batch *free_batch(struct index_build *b)
{
	struct batch *batch = NULL;

	pthread_mutex_lock(&b->lock);
	if (b->published < INDEX_BATCHES)
		batch = &b->batches[(b->first + b->published) % INDEX_BATCHES];
	pthread_mutex_unlock(&b->lock);
	if (!batch)
		return NULL;
	if (batch->size != b->batch_bytes) {
		free(batch->data);
		batch->data = xmalloc(b->batch_bytes);
		batch->size = b->batch_bytes;
	}
	batch->used = batch->keys = 0;
	batch->index = b->emitting;
	return batch;
}

static void publish(struct index_build *b, const struct batch *batch)
{
	if (batch->keys == 0)
		return;
	pthread_mutex_lock(&b->lock);
	b->published++;
	pthread_mutex_unlock(&b->lock);
}

/* All keys of an index have gone by. */
static int end_index(struct index_build *b, struct error *err)
{
	const struct index_target *t = &b->spec.targets[b->emitting];
	struct index_part *part = &b->parts[b->emitting];

	if (b->offender_count > 0) {
		error_set(err, ERRC_FAILED_MIGRATION, "%llu rows repeat a key of %s %s",
			  (unsigned long long)b->offender_count, t->sql ? "the UNIQUE index" : "the constraint behind",
			  t->name);
		return fail(b);
	}
	if (part->skipped != part->existing) {
		error_set(err, ERRC_INTERNAL, "%s holds %llu entries where the table has %llu: it is not of this build",
			  t->sidecar, (unsigned long long)part->existing, (unsigned long long)part->skipped);
		return fail(b);
	}
	sorter_free(part->sorter);
	part->sorter = NULL;
	b->opened = false;
	b->emitting++;
	buf_truncate(&b->unique, 0);
	return 0;
}

/* Fills one batch, or as much of it as one turn allows. 1: go on, 0: no key is left of the index, -1: failed. */
static int emit_batch(struct index_build *b, struct batch *batch, struct error *err)
{
	const struct index_target *t = &b->spec.targets[b->emitting];
	struct index_part *part = &b->parts[b->emitting];
	struct key_ref key;
	int got = 1, added = 1;

	if (!b->opened && sorter_finish(part->sorter, b->merge_bytes, err) != 0)
		return fail(b);
	b->opened = true;
	/* The last key that did not fit into the batch before. */
	if (b->held.total > 0)
		added = batch_add(batch, &b->held, err);
	b->held.total = 0;
	for (size_t seen = 0; added > 0 && seen < EMIT_KEYS; seen++) {
		got = sorter_next(part->sorter, &key, err);
		if (got <= 0)
			break;
		if (t->unique && !b->live)
			check_unique(b, t, &key);
		/* With a duplicate found the rest is only counted. */
		if (skip_existing(b, part, &key) || b->offender_count > 0)
			continue;
		added = batch_add(batch, &key, err);
		if (added == 0)
			b->held = key;
	}
	return got < 0 || added < 0 ? fail(b) : got;
}

static int emit(struct index_build *b, struct error *err)
{
	uint64_t deadline_ns = clock_now_ns() + READ_NS;

	while (b->emitting < b->spec.count) {
		struct batch *batch = free_batch(b);
		if (!batch || clock_now_ns() > deadline_ns)
			return 0;
		int more = emit_batch(b, batch, err);
		if (more < 0)
			return -1;
		if (b->offender_count == 0)
			publish(b, batch);
		if (more == 0 && end_index(b, err) != 0)
			return -1;
		count_progress(b, 0);
	}
	set_phase(b, READ_END);
	return 0;
}

int index_build_read(struct index_build *b, struct db *db, struct error *err)
{
	PRE(!db_in_transaction(db) && !b->failed);
	switch (b->phase) {
	case READ_RESUME:
		return resume(b, db, err);
	case READ_SCAN:
		return scan(b, db, err);
	case READ_EMIT:
		return emit(b, err);
	case READ_END:
		break;
	}
	return 0;
}
