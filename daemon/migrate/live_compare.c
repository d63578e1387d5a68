/*
 * COMPARE: the sidecar and the table are compared in full, on a reader lane, while clients go on writing.
 *
 * Entered: at the position `frozen` of the log the sidecar was the index. Nothing is applied meanwhile, so it stays as
 * it is; the table moves on. Left: the same, and the sidecar was found to hold the entries that the table had at
 * `frozen`, each of them and no other, by number and by the sum of a hash of each entry's bytes; the rows that repeat a
 * key of a UNIQUE index are suspects.
 *
 * The table is read in short snapshots, which may begin long before, beside SORT. A row that the log does not name is
 * the same in all of them. One that it names is left out there, or taken out again by the entry that the log says it
 * had; which of the two, is known from how far the log had come when the row's chunk was read. Such rows are compared
 * on their own: as they are in the snapshot of the sidecar, or as the first change since `frozen` says they were.
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

/* A row that has changed since the table began to be read. */
struct changed {
	int64_t rowid;
	uint64_t position;        /* of the first change, + 1; 0: the slot is free */
	uint64_t hash, late_hash; /* of the entry it had before that; before the first change since `frozen` */
	bool entry, late_entry;   /* it had one */
	bool late;                /* there was a change since `frozen` */
};

/* Rows up to `upper` (and above the chunk before) were read when the log had come to `position`. */
struct chunk {
	int64_t upper;
	uint64_t position;
};

/* Entries by number and sum. */
struct tally {
	uint64_t sum, count;
};

struct live_compare {
	struct index_log_cursor log;
	bool is_frozen; /* `frozen` is known: the sidecar is full and stays as it is */
	uint64_t frozen;
	struct changed *changed; /* open addressing; a power of two of slots */
	size_t slots, used;
	struct chunk *chunks;
	size_t nchunks;
	bool started; /* a row was read: `rowid` is the last one */
	bool table;   /* all of the table was read */
	int64_t rowid;
	struct tally table_rows; /* entries of rows that had not changed when they were read */
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

static void note(struct live_compare *c, const struct index_log_record *r)
{
	uint64_t hash = r->entry ? hash_key(r->key.norm, r->key.norm_n, r->key.tail, r->key.tail_n) : 0;

	if (2 * (c->used + 1) > c->slots)
		grow(c);
	struct changed *s = slot(c->changed, c->slots, r->rowid);
	if (!s->position) {
		*s = (struct changed){.rowid = r->rowid, .position = r->position + 1, .entry = r->entry, .hash = hash};
		c->used++;
	}
	if (c->is_frozen && r->position >= c->frozen && !s->late) {
		s->late = true;
		s->late_entry = r->entry;
		s->late_hash = hash;
	}
}

/* Takes in what the log has come to. In a snapshot, so that all that the snapshot shows is in it. */
static int follow_log(struct migration *m, struct live_compare *c, struct error *err)
{
	struct index_log_record r;
	int got;

	while ((got = index_log_read(m->live->log, &c->log, &r)) == 1)
		note(c, &r);
	return got < 0 ? error_set(err, ERRC_INTERNAL, "%s", index_log_lost(m->live->log)) : 0;
}

static void count_entry(struct tally *t, uint64_t hash)
{
	t->sum += hash;
	t->count++;
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

static uint64_t made_hash(const struct live_compare *c)
{
	return hash_key((const uint8_t *)c->norm.data, c->norm.len, (const uint8_t *)c->tail.data, c->tail.len);
}

static bool is_changed(const struct live_compare *c, int64_t rowid)
{
	return c->slots && slot(c->changed, c->slots, rowid)->position;
}

static int read_row(struct migration *m, struct live_compare *c, sqlite3_stmt *row, struct error *err)
{
	const struct index_target *t = m->live->target;
	size_t unique_n;

	c->rowid = sqlite3_column_int64(row, 0);
	c->started = true;
	if (is_changed(c, c->rowid) || (t->condition > 0 && !sqlite3_column_int(row, (int)t->condition)))
		return 0;
	if (entry_of(c, t, row, t->values, &unique_n, err) != 0)
		return -1;
	count_entry(&c->table_rows, made_hash(c));
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

/* Opens a snapshot and follows the log up to it. */
static int snapshot(struct migration *m, struct live_compare *c, struct db *db, struct error *err)
{
	int64_t any = 0;

	/* The log is followed once the snapshot stands: with that, it tells all that the snapshot shows. */
	if (db_begin(db, err) == 0 && db_int(db, &any, err, "SELECT count(*) FROM main.sqlite_schema") == 0 &&
	    follow_log(m, c, err) == 0)
		return 0;
	db_rollback(db);
	return -1;
}

/* One short snapshot of the table. */
static int compare_chunk(struct migration *m, struct live_compare *c, struct db *db, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int64_t rows = 0;

	if (snapshot(m, c, db, err) != 0)
		return -1;
	int rc = db_prepare(db, m->live->spec->scan_sql[c->started], &stmt, err);
	if (rc == 0 && c->started)
		sqlite3_bind_int64(stmt, 1, c->rowid);
	if (rc == 0)
		rc = 1;
	while (rc == 1 && rows < CHUNK_ROWS && (rc = db_step(db, stmt, err)) == 1) {
		if (read_row(m, c, stmt, err) != 0)
			rc = -1;
		else
			rows++;
	}
	db_done(db, stmt);
	db_rollback(db);
	m->step_rows += rows;
	c->table = rc == 0;
	/* When it fails, what was read counts: it is gone on from there. */
	if (rows > 0 || c->table)
		add_chunk(c, c->table);
	return rc < 0 ? -1 : 0;
}

/* How far the log had come when a row was read, or was not there to be read. */
static uint64_t read_at(const struct live_compare *c, int64_t rowid)
{
	size_t low = 0, high = c->nchunks - 1;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (c->chunks[middle].upper >= rowid)
			high = middle;
		else
			low = middle + 1;
	}
	return c->chunks[low].position;
}

/* The row as it is in the snapshot. */
static int read_present(struct migration *m, struct live_compare *c, struct db *db, int64_t rowid, struct tally *rows,
			struct error *err)
{
	const struct index_target *t = m->live->target;
	sqlite3_stmt *row = NULL;
	size_t unique_n;

	if (db_prepare(db, m->live->spec->one_sql, &row, err) != 0)
		return -1;
	sqlite3_bind_int64(row, 1, rowid);
	int rc = db_step(db, row, err);
	if (rc == 1 && (t->condition == 0 || sqlite3_column_int(row, (int)t->condition))) {
		rc = entry_of(c, t, row, t->values, &unique_n, err);
		if (rc == 0)
			count_entry(rows, made_hash(c));
	}
	db_done(db, row);
	return rc < 0 ? -1 : 0;
}

/* What the table wants: *same of the rows that have not changed since they were read, *other of those that have. */
static int tally_table(struct migration *m, struct live_compare *c, struct db *db, struct tally *same,
		       struct tally *other, struct error *err)
{
	*same = c->table_rows;
	for (size_t i = 0; i < c->slots; i++) {
		const struct changed *s = &c->changed[i];
		if (!s->position)
			continue;
		if (s->entry && s->position - 1 >= read_at(c, s->rowid)) {
			same->sum -= s->hash;
			same->count--;
		}
		if (s->late && s->late_entry)
			count_entry(other, s->late_hash);
		else if (!s->late && read_present(m, c, db, s->rowid, other, err) != 0)
			return -1;
	}
	return 0;
}

/* An entry that repeats the key before it belongs to a suspect. */
static void check_unique(struct migration *m, struct live_compare *c, int64_t rowid, size_t unique_n)
{
	if (unique_n > 0 && unique_n == c->before.len && memcmp(c->norm.data, c->before.data, unique_n) == 0) {
		live_suspect(m->live, rowid);
		m->live->repeated++;
	}
	buf_truncate(&c->before, 0);
	buf_add(&c->before, c->norm.data, unique_n);
}

/* Entry after entry of the sidecar. */
static int tally_sidecar(struct migration *m, struct live_compare *c, struct db *db, struct tally *same,
			 struct tally *other, struct error *err)
{
	struct pool pool = {0};
	const struct index_target *t = m->live->target;
	struct buf order = {0};
	sqlite3_stmt *stmt = NULL;
	size_t unique_n = 0;

	m->live->repeated = 0;
	buf_truncate(&c->before, 0);
	for (size_t i = 0; i < t->count; i++)
		buf_printf(&order, "%sk%zu%s", i ? "," : "", i, t->columns[i].desc ? " DESC" : "");
	int rc = db_prepare(db,
			    pool_printf(&pool, "SELECT * FROM main.%s ORDER BY %s", quote_name(&pool, t->sidecar),
					buf_cstr(&order)),
			    &stmt, err);
	while (rc == 0 && (rc = db_step(db, stmt, err)) == 1) {
		int64_t rowid = sqlite3_column_int64(stmt, (int)t->count - 1);
		rc = entry_of(c, t, stmt, NULL, &unique_n, err);
		if (rc != 0)
			break;
		count_entry(is_changed(c, rowid) ? other : same, made_hash(c));
		if (t->unique)
			check_unique(m, c, rowid, unique_n);
	}
	db_done(db, stmt);
	buf_free(&order);
	pool_free(&pool);
	return rc;
}

static int differ(struct migration *m, const struct tally *has, const struct tally *wants, const char *which,
		  struct error *err)
{
	m->mismatch = true;
	return error_set(err, ERRC_FAILED_MIGRATION,
			 "verification found that index %.100s has %llu entries%s of rows that have %schanged, where "
			 "%.100s wants %llu",
			 m->live->target->name, (unsigned long long)has->count,
			 has->count == wants->count ? ", but others," : "", which, m->plan->table,
			 (unsigned long long)wants->count);
}

static int compare_sidecar(struct migration *m, struct live_compare *c, struct db *db, struct error *err)
{
	struct tally same = {0}, other = {0}, wants_same = {0}, wants_other = {0};

	if (snapshot(m, c, db, err) != 0)
		return -1;
	int rc = tally_sidecar(m, c, db, &same, &other, err);
	if (rc == 0)
		rc = tally_table(m, c, db, &wants_same, &wants_other, err);
	db_rollback(db);
	if (rc != 0)
		return -1;
	if (same.sum != wants_same.sum || same.count != wants_same.count)
		return differ(m, &same, &wants_same, "not ", err);
	if (other.sum != wants_other.sum || other.count != wants_other.count)
		return differ(m, &other, &wants_other, "", err);
	m->next.verified_rows = (int64_t)(same.count + other.count);
	return 0;
}

/* Up to the end of the table, or the turn's. */
static int compare_table(struct migration *m, struct live_compare *c, struct db *db, struct error *err)
{
	uint64_t deadline_ns = clock_now_ns() + COMPARE_NS;

	do {
		if (compare_chunk(m, c, db, err) != 0)
			return -1;
	} while (!c->table && clock_now_ns() < deadline_ns && !db_stopped(db));
	return 0;
}

int live_compare_ahead(struct migration *m, struct db *db, struct error *err)
{
	struct live_index *live = m->live;

	if (!live->compare)
		/* From the log's beginning: what was logged when this begins may not have been committed. */
		live->compare = xcalloc(1, sizeof(*live->compare));
	struct live_compare *c = live->compare;
	if (c->table || c->used > CHANGED_MAX || index_log_lost(live->log))
		return 0;
	return compare_table(m, c, db, err);
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

	m->next = m->p;
	if (!live->compare) {
		live->compare = xcalloc(1, sizeof(*live->compare));
		live->compare->log.at = live->applied.at;
	}
	struct live_compare *c = live->compare;
	if (!c->is_frozen) {
		c->is_frozen = true;
		c->frozen = live->applied.at;
	}
	if (c->used > CHANGED_MAX || index_log_lost(live->log)) {
		end(m, false);
	} else if (!c->table) {
		if (compare_table(m, c, db, err) != 0)
			return STEP_FAILED;
	} else {
		if (compare_sidecar(m, c, db, err) != 0)
			return STEP_FAILED;
		end(m, true);
	}
	m->p = m->next;
	return STEP_MORE;
}
