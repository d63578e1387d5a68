/*
 * INDEXING: the target's indexes are built on the shadow, under names of their own.
 *
 * Entered: all rows are copied, every change is captured, the shadow has no index, where possible not even those of its
 * PRIMARY KEY and UNIQUE. In between: tables that hold the entries so far, see index_build.h. Left: all indexes exist.
 * Dirty keys only gather meanwhile: the shadow stays as it was when the build began, also over a restart.
 *
 * Where index_build.h cannot do it, native_step() lets SQLite's own CREATE INDEX do it, one index a step, each of which
 * holds the writer for as long as it takes.
 */
#include <string.h>

#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/index_spec.h"
#include "daemon/migrate/migration.h"

/* All indexes are there. */
static void leave(struct migration *m)
{
	m->next.indexes = (int64_t)m->plan->nindexes;
	m->next.phase = PHASE_VERIFY;
	m->next.verified_rows = 0;
	m->has_verified = false;
}

/* A UNIQUE index failed natively: names the duplicates. */
static enum step_outcome native_duplicates(struct migration *m, struct db *db, const struct plan_index *x,
					   struct error *err)
{
	if (offenders_duplicates(m, db, x->name, err) == 0) {
		if (m->offenders.count == 0) {
			/* NULLs aside there is none: an expression or partial index, whose rows have no simple name. */
			m->offenders.count = 1;
		}
		offenders_error(m, err);
	}
	return step_failed(m, db);
}

/* SQLite's own CREATE INDEX, for the shadow's next one. *ret_left: clients' rows are to go first. */
static int native_index(struct migration *m, struct db *db, const struct plan_index *x, bool *ret_left,
			struct error *err)
{
	/* Without the rows that clients have changed the shadow is an image of the source: a duplicate is a real one.
	 */
	if (x->unique && dirty_purge(m, db, ret_left, err) != 0)
		return -1;
	if (*ret_left)
		return 0;
	if (db_exec(db, err, "%s", x->shadow_sql) != 0)
		return -1;
	m->next.indexes++;
	return 0;
}

static enum step_outcome native_step(struct migration *m, struct db *db, struct error *err)
{
	bool left = false;

	if (m->next.indexes < (int64_t)m->plan->nindexes) {
		const struct plan_index *x = &m->plan->indexes[m->next.indexes];
		if (native_index(m, db, x, &left, err) != 0) {
			if (!offending(err))
				return step_failed(m, db);
			error_clear(err);
			return native_duplicates(m, db, x, err);
		}
	}
	if (m->next.indexes == (int64_t)m->plan->nindexes)
		leave(m);
	return step_commit(m, db, err) == 0 ? STEP_MORE : step_failed(m, db);
}

/* What the rows cannot have twice, by the name that clients know the index by. */
static void say_repeated(struct migration *m, char *out, size_t size)
{
	struct buf columns = {0};
	const char *name = index_build_repeated(m->index, &columns);

	for (size_t i = 0; name && i < m->plan->nindexes; i++)
		if (m->plan->indexes[i].shadow_name && strcmp(m->plan->indexes[i].shadow_name, name) == 0)
			name = m->plan->indexes[i].name;
	if (name)
		snprintf(out, size, "UNIQUE index %.180s", name);
	else
		snprintf(out, size, "UNIQUE: %.180s", buf_cstr(&columns));
	buf_free(&columns);
}

void index_take_offenders(struct migration *m, struct error *err)
{
	uint64_t count = 0;

	index_build_offenders(m->index, &m->offenders.rows, &count);
	m->offenders.count = (int64_t)count;
	m->offenders.named = count < OFFENDERS_NAMED ? (int)count : OFFENDERS_NAMED;
	say_repeated(m, m->offenders.first, sizeof(m->offenders.first));
	error_clear(err);
	offenders_error(m, err);
}

void index_temp_dir(struct db *db, struct buf *out)
{
	const char *path = sqlite3_db_filename(db_handle(db), "main"), *slash = path ? strrchr(path, '/') : NULL;

	if (!slash)
		buf_putc(out, '.');
	else
		buf_add(out, path, slash == path ? 1 : (size_t)(slash - path));
}

static const char **shadow_indexes(const struct plan *plan, struct pool *pool)
{
	const char **sql = pool_alloc(pool, (plan->nindexes + 1) * sizeof(*sql));

	for (size_t i = 0; i < plan->nindexes; i++)
		sql[i] = plan->indexes[i].shadow_sql;
	return sql;
}

bool index_can_build(const struct migration *m, struct db *db)
{
	const struct plan *plan = m->plan;
	struct pool pool = {0};
	struct index_spec spec;
	struct error why = {0};

	if (!plan->bare_sql || m->index_native || !index_build_available(db))
		return false;
	struct index_source source = {.table = plan->shadow,
				      .table_sql = plan->shadow_sql,
				      .sql = shadow_indexes(plan, &pool),
				      .count = plan->nindexes};
	int rc = index_spec_read(&pool, &source, &spec, &why);
	error_clear(&why);
	pool_free(&pool);
	return rc == 0;
}

/* True if the shadow still lacks the indexes of its constraints. */
static int is_bare(struct migration *m, struct db *db, bool *ret, struct error *err)
{
	int64_t indexes = 0;

	*ret = false;
	if (!m->plan->bare_sql)
		return 0;
	if (db_int(db, &indexes, err,
		   "SELECT count(*) FROM main.sqlite_schema WHERE type='index' AND tbl_name=%Q AND sql IS NULL",
		   m->plan->shadow) != 0)
		return -1;
	*ret = indexes == 0;
	return 0;
}

static int open_build(struct migration *m, struct db *db, bool growing, struct error *err)
{
	struct pool pool = {0};
	struct buf dir = {0};
	const char **sql = shadow_indexes(m->plan, &pool);
	bool bare = false;

	if (is_bare(m, db, &bare, err) != 0)
		return -1;
	index_temp_dir(db, &dir);
	struct index_build_config config = {.table = m->plan->shadow,
					    .table_sql = bare ? m->plan->shadow_sql : NULL,
					    .sql = sql,
					    .count = m->plan->nindexes,
					    .growing = growing,
					    .temp_dir = buf_cstr(&dir)};
	int rc = index_build_open(db, &config, &m->index, err);
	buf_free(&dir);
	pool_free(&pool);
	return rc;
}

/* Opens the build in the open transaction, and commits. */
static enum step_outcome open_step(struct migration *m, struct db *db, bool growing, struct error *err)
{
	if (open_build(m, db, growing, err) != 0) {
		/* A positive code is SQLite's: the disk, memory, .. Else: this cannot be built here. */
		if (err->code > 0)
			return step_failed(m, db);
		log_warning("migrate", "m%lld %s: %s; using CREATE INDEX", (long long)m->r->id, m->r->table,
			    err->message);
		error_clear(err);
		db_rollback(db);
		m->index_native = true;
		return STEP_MORE;
	}
	if (step_commit(m, db, err) == 0)
		return STEP_MORE;
	index_build_free(m->index);
	m->index = NULL;
	return step_failed(m, db);
}

/*
 * Keys of rows that clients have changed only gather while nothing in the shadow is unique; then what was copied does
 * not change, and more rows come behind it.
 */
bool index_early(const struct migration *m)
{
	const struct plan *plan = m->plan;

	return !m->index && !m->index_native && !m->p.collecting && plan->nindexes > 0 && !plan_anything_unique(plan) &&
	       plan->copy_rowid;
}

enum step_outcome index_begin_early(struct migration *m, struct db *db, struct error *err)
{
	if (index_build_available(db))
		return open_step(m, db, true, err);
	m->index_native = true;
	db_rollback(db);
	return STEP_MORE;
}

/* Begins the build, or takes up that of an earlier run, in the open transaction. */
static enum step_outcome begin_build(struct migration *m, struct db *db, bool begun, struct error *err)
{
	bool left = false;

	/*
	 * Without the rows that clients have changed the shadow is an image of the source: a duplicate is a real one. A
	 * build that was begun has seen this done, and the shadow is as it left it.
	 */
	if (!begun && plan_anything_unique(m->plan) && dirty_purge(m, db, &left, err) != 0)
		return step_failed(m, db);
	if (!left)
		return open_step(m, db, false, err);
	return step_commit(m, db, err) == 0 ? STEP_MORE : step_failed(m, db);
}

static enum step_outcome adopt_build(struct migration *m, struct db *db, struct error *err)
{
	leave(m);
	if (index_build_adopt(m->index, db, err) != 0 || step_commit(m, db, err) != 0)
		return step_failed(m, db);
	index_build_free(m->index);
	m->index = NULL;
	return STEP_MORE;
}

void index_failed(struct migration *m, struct error *err)
{
	if (err->code == errc_code(ERRC_FAILED_MIGRATION))
		index_take_offenders(m, err);
	else
		m->mismatch = err->code < 0 && m->resumed;
}

enum step_outcome index_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false, begun = false, more = false;

	m->next = m->p;
	if (m->index)
		index_build_grown(m->index);
	/* The build has its own transactions. */
	if (m->index && (index_build_needs(m->index) & INDEX_NEEDS_WRITER))
		return index_build_fill(m->index, db, m->allow.hold_ns, err) == 0 ? STEP_MORE : step_failed(m, db);
	/* The reader is at it; or it has found something that ends the build, which is on its way to the loop. */
	if (m->index && (index_build_needs(m->index) != 0 || index_build_failed(m->index)))
		return STEP_IDLE;
	if (!m->index && index_build_begun(db, m->plan->shadow, &begun, err) != 0)
		return step_failed(m, db);
	if (!m->index && !m->index_native && !index_build_available(db))
		m->index_native = true;
	if (begun && m->index_native) {
		/* An earlier run could, this one cannot: what it left goes first. */
		if (index_build_abandon(db, m->plan->shadow, m->allow.hold_ns, &more, err) != 0)
			return step_failed(m, db);
		return STEP_MORE;
	}
	if (step_begin(m, db, &moved, err) != 0)
		return step_failed(m, db);
	if (moved) {
		index_build_free(m->index);
		m->index = NULL;
		return step_restart(m, db, step_moved_why(m), err);
	}
	if (m->index)
		return adopt_build(m, db, err);
	bool bare = false;
	if (is_bare(m, db, &bare, err) != 0)
		return step_failed(m, db);
	if (bare && m->index_native)
		return step_restart(m, db, "indexes that an earlier run could build cannot be built here", err);
	if (m->index_native || (m->plan->nindexes == 0 && !bare))
		return native_step(m, db, err);
	return begin_build(m, db, begun, err);
}
