/*
 * COMPARE: the sidecar and the table are compared in full, on a reader lane, while clients go on writing.
 *
 * Entered: at position `begin` of the log the sidecar was the index. Nothing is applied meanwhile, so it stays as it
 * is; the table moves on. Left: the same, and the sidecar was found to hold the entries that the table had at `begin`,
 * each of them and no other, by number and by the sum of a hash of each entry's bytes; the rows that repeat a key of a
 * UNIQUE index are suspects.
 *
 * The table as it was at `begin` is put together from short snapshots and the log: a row that has not changed is read;
 * of one that has, the first change in the log holds the entry it had. Which of the two counted is known from how far
 * the log had come when the row's chunk was read.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/migrate/index_state.h"
#include "daemon/migrate/live_index.h"

#define CHUNK_ROWS 5000
/* A step goes on with further chunks for so long. */
#define COMPARE_NS (50 * NS_PER_MS)
/* Rows changed while it lasts, at most: beyond that they are applied first, and it begins anew. */
#define CHANGED_MAX ((size_t)1 << 20)

/* The first change of a row since `begin`. */
struct changed {
	int64_t rowid;
	uint64_t position; /* + 1; 0: the slot is free */
	uint64_t hash;
	bool entry;
};

/* Rows up to `upper` (and above the chunk before) were read when the log had come to `position`. */
struct chunk {
	int64_t upper;
	uint64_t position;
};

struct live_compare {
	struct index_log_cursor log;
	struct changed *changed; /* open addressing; a power of two of slots */
	size_t slots, used;
	struct chunk *chunks;
	size_t nchunks;
	bool started; /* a row was read: `rowid` is the last one */
	bool table;   /* all of the table was read */
	int64_t rowid;
	uint64_t sum, count;
	struct buf norm, tail, before;
};

void live_compare_free(struct live_compare *c)
{
	if (!c)
		return;
	index_log_cursor_free(&c->log);
	free(c->changed);
	free(c->chunks);
	buf_free(&c->norm);
	buf_free(&c->tail);
	buf_free(&c->before);
	free(c);
}

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

static uint64_t hash_bytes(uint64_t h, const uint8_t *data, size_t n)
{
	uint64_t word;

	h = mix(h ^ n);
	for (; n >= sizeof(word); data += sizeof(word), n -= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		h = mix(h ^ word);
	}
	word = 0;
	if (n > 0)
		memcpy(&word, data, n);
	return mix(h ^ word);
}

static uint64_t hash_key(const uint8_t *norm, size_t norm_n, const uint8_t *tail, size_t tail_n)
{
	return hash_bytes(hash_bytes(0x9e3779b97f4a7c15u, norm, norm_n), tail, tail_n);
}

/* The slot of the rowid, or the free one where it belongs. */
static struct changed *slot(struct changed *changed, size_t slots, int64_t rowid)
{
	size_t i = (size_t)mix((uint64_t)rowid) & (slots - 1);

	while (changed[i].position && changed[i].rowid != rowid)
		i = (i + 1) & (slots - 1);
	return &changed[i];
}

static void grow(struct live_compare *c)
{
	size_t slots = c->slots ? 2 * c->slots : 1024;
	struct changed *larger = xcalloc(slots, sizeof(*larger));

	for (size_t i = 0; i < c->slots; i++)
		if (c->changed[i].position)
			*slot(larger, slots, c->changed[i].rowid) = c->changed[i];
	free(c->changed);
	c->changed = larger;
	c->slots = slots;
}

/* Takes in what the log has come to. In a snapshot, so that all that the snapshot shows is in it. */
static int follow_log(struct migration *m, struct live_compare *c, struct error *err)
{
	struct index_log_record r;
	int got;

	while ((got = index_log_read(m->live->log, &c->log, &r)) == 1) {
		if (2 * (c->used + 1) > c->slots)
			grow(c);
		struct changed *s = slot(c->changed, c->slots, r.rowid);
		if (s->position)
			continue;
		*s = (struct changed){.rowid = r.rowid, .position = r.position + 1, .entry = r.entry};
		if (r.entry)
			s->hash = hash_key(r.key.norm, r.key.norm_n, r.key.tail, r.key.tail_n);
		c->used++;
	}
	return got < 0 ? error_set(err, ERRC_INTERNAL, "%s", index_log_lost(m->live->log)) : 0;
}

static void count_entry(struct live_compare *c, uint64_t hash)
{
	c->sum += hash;
	c->count++;
}

static int entry_of(struct live_compare *c, const struct index_target *t, sqlite3_stmt *row, const size_t *values,
		    size_t *ret_unique_n, struct error *err)
{
	bool null = false;

	index_entry(t, row, values, &c->norm, &c->tail, &null, ret_unique_n);
	if (c->norm.failed || c->tail.failed)
		return error_set(err, ERRC_INTERNAL, "no memory for an entry of index %s", t->name);
	return 0;
}

static int read_row(struct migration *m, struct live_compare *c, sqlite3_stmt *row, struct error *err)
{
	const struct index_target *t = m->live->target;
	size_t unique_n;

	c->rowid = sqlite3_column_int64(row, 0);
	c->started = true;
	if ((c->slots && slot(c->changed, c->slots, c->rowid)->position) ||
	    (t->condition > 0 && !sqlite3_column_int(row, (int)t->condition)))
		return 0;
	if (entry_of(c, t, row, t->values, &unique_n, err) != 0)
		return -1;
	count_entry(c,
		    hash_key((const uint8_t *)c->norm.data, c->norm.len, (const uint8_t *)c->tail.data, c->tail.len));
	return 0;
}

static void add_chunk(struct live_compare *c, bool last)
{
	if ((c->nchunks & (c->nchunks - 1)) == 0) {
		size_t room = c->nchunks ? 2 * c->nchunks : 1;
		struct chunk *larger = xcalloc(room, sizeof(*larger));
		if (c->nchunks)
			memcpy(larger, c->chunks, c->nchunks * sizeof(*larger));
		free(c->chunks);
		c->chunks = larger;
	}
	c->chunks[c->nchunks++] = (struct chunk){.upper = last ? INT64_MAX : c->rowid, .position = c->log.at};
}

/* One short snapshot of the table. */
static int compare_chunk(struct migration *m, struct live_compare *c, struct db *db, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int64_t rows = 0, any = 0;
	int rc;

	/* The log is followed once the snapshot stands: with that, it tells all that the snapshot shows. */
	if (db_begin(db, err) != 0 || db_int(db, &any, err, "SELECT count(*) FROM main.sqlite_schema") != 0 ||
	    follow_log(m, c, err) != 0 || db_prepare(db, m->live->spec->scan_sql[c->started], &stmt, err) != 0) {
		db_rollback(db);
		return -1;
	}
	if (c->started)
		sqlite3_bind_int64(stmt, 1, c->rowid);
	for (rc = db_step(db, stmt, err); rc == 1; rc = db_step(db, stmt, err)) {
		if (read_row(m, c, stmt, err) != 0) {
			rc = -1;
			break;
		}
		if (++rows == CHUNK_ROWS)
			break;
	}
	db_done(db, stmt);
	db_rollback(db);
	m->step_rows += rows;
	if (rc < 0) {
		/* What was read counts: it is gone on from there. */
		if (rows > 0)
			add_chunk(c, false);
		return -1;
	}
	c->table = rows < CHUNK_ROWS;
	add_chunk(c, c->table);
	return 0;
}

/* The rows that have changed: those read before count already, of the others the entry they had. */
static void add_changed(struct live_compare *c)
{
	for (size_t i = 0; i < c->slots; i++) {
		const struct changed *s = &c->changed[i];
		size_t low = 0, high = c->nchunks - 1;
		if (!s->position || !s->entry)
			continue;
		while (low < high) {
			size_t middle = (low + high) / 2;
			if (c->chunks[middle].upper >= s->rowid)
				high = middle;
			else
				low = middle + 1;
		}
		if (s->position - 1 < c->chunks[low].position)
			count_entry(c, s->hash);
	}
}

/* Entry after entry of the sidecar; those that repeat the key before them are suspects. */
static int read_sidecar(struct migration *m, struct live_compare *c, sqlite3_stmt *stmt, struct db *db,
			uint64_t *ret_sum, uint64_t *ret_count, struct error *err)
{
	const struct index_target *t = m->live->target;
	size_t unique_n = 0;
	int rc;

	m->live->repeated = 0;
	buf_truncate(&c->before, 0);
	for (rc = db_step(db, stmt, err); rc == 1; rc = db_step(db, stmt, err)) {
		if (entry_of(c, t, stmt, NULL, &unique_n, err) != 0)
			return -1;
		*ret_sum += hash_key((const uint8_t *)c->norm.data, c->norm.len, (const uint8_t *)c->tail.data,
				     c->tail.len);
		++*ret_count;
		if (!t->unique)
			continue;
		if (unique_n > 0 && unique_n == c->before.len && memcmp(c->norm.data, c->before.data, unique_n) == 0) {
			live_suspect(m->live, sqlite3_column_int64(stmt, (int)t->count - 1));
			m->live->repeated++;
		}
		buf_truncate(&c->before, 0);
		buf_add(&c->before, c->norm.data, unique_n);
	}
	return rc;
}

static int compare_sidecar(struct migration *m, struct live_compare *c, struct db *db, struct error *err)
{
	struct pool pool = {0};
	const struct index_target *t = m->live->target;
	struct buf order = {0};
	sqlite3_stmt *stmt = NULL;
	uint64_t sum = 0, count = 0;

	for (size_t i = 0; i < t->count; i++)
		buf_printf(&order, "%sk%zu%s", i ? "," : "", i, t->columns[i].desc ? " DESC" : "");
	int rc = db_prepare(db,
			    pool_printf(&pool, "SELECT * FROM main.%s ORDER BY %s", quote_name(&pool, t->sidecar),
					buf_cstr(&order)),
			    &stmt, err);
	if (rc == 0)
		rc = read_sidecar(m, c, stmt, db, &sum, &count, err);
	db_done(db, stmt);
	buf_free(&order);
	pool_free(&pool);
	if (rc != 0)
		return -1;
	add_changed(c);
	if (sum == c->sum && count == c->count) {
		m->next.verified_rows = (int64_t)count;
		return 0;
	}
	m->mismatch = true;
	return error_set(err, ERRC_FAILED_MIGRATION,
			 "verification found that index %.100s has %llu entries%s where %.100s wants %llu", t->name,
			 (unsigned long long)count, count == c->count ? ", but others," : "", m->plan->table,
			 (unsigned long long)c->count);
}

static void end(struct migration *m, bool compared)
{
	live_compare_free(m->live->compare);
	m->live->compare = NULL;
	m->live->compared = compared;
	m->next.phase = PHASE_CATCH_UP;
}

enum step_outcome compare_step(struct migration *m, struct db *db, struct error *err)
{
	struct live_index *live = m->live;
	uint64_t deadline_ns = clock_now_ns() + COMPARE_NS;

	m->next = m->p;
	if (!live->compare) {
		live->compare = xcalloc(1, sizeof(*live->compare));
		live->compare->log.at = live->applied.at;
	}
	struct live_compare *c = live->compare;
	if (c->used > CHANGED_MAX || index_log_lost(live->log)) {
		end(m, false);
	} else if (!c->table) {
		do {
			if (compare_chunk(m, c, db, err) != 0)
				return STEP_FAILED;
		} while (!c->table && clock_now_ns() < deadline_ns && !db_stopped(db));
	} else {
		if (compare_sidecar(m, c, db, err) != 0)
			return STEP_FAILED;
		end(m, true);
	}
	m->p = m->next;
	return STEP_MORE;
}
