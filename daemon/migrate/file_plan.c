/*
 * migrate.plan: what a run would do, statement by statement. Writes nothing.
 *
 * A version's statements are judged as its run will judge them (version.c), on the schema they will meet: a scratch
 * database with the live one's, to which every statement is applied once it was judged (file_world.c). What would fail
 * there is told by file and line; the plan goes on without it.
 */
#include "daemon/migrate/file_plan.h"

#include <string.h>
#include <sys/statvfs.h>

#include "daemon/migrate/plan.h"
#include "daemon/migrate/statement.h"
#include "daemon/migrate/version.h"
#include "proto/response.h"

/* What the writer gets done in a millisecond while it runs a script exact. */
#define EXACT_BYTES_PER_MS 50000
/* An exact version that holds the writer longer than this is warned of. */
#define EXACT_WARN_MS 20
/* The beginning of a statement that is shown. */
#define SHOWN_BYTES 80

struct forecast {
	struct file_task *t;
	struct world *w;
	struct pool pool; /* of the version at hand */
	struct error *err;
	const struct run_step *step;
	struct script script;
	struct script_kind *kinds;
	struct outlook all; /* the version's */
	struct outlook *each;
};

/* --- what is wrong --- */

/* The run would end at this statement. */
static void would_fail(struct forecast *f, struct outlook *o, int64_t line, const char *why)
{
	struct error placed = {0};

	error_set(&placed, ERRC_FAILED_MIGRATION, "%s", why);
	version_place(&placed, f->step, line);
	const char *text = pool_printf(&f->pool, "the run would fail here: %s", placed.message);
	if (f->w->missing)
		text = pool_printf(&f->pool,
				   "%s (%zu objects of the schema cannot be made in a scratch database, so this may be "
				   "wrong)",
				   text, f->w->missing);
	error_clear(&placed);
	o->fails = true;
	outlook_warn(&f->pool, o, text);
}

/* Of an error: one that says nothing of the statement ends the plan. */
static int judge_error(struct forecast *f, struct outlook *o, int64_t line, struct error *why)
{
	int primary = why->code > 0 ? (int)(why->code & 0xff) : 0;
	bool passes = primary == SQLITE_NOMEM || primary == SQLITE_INTERRUPT || primary == SQLITE_IOERR ||
		      primary == SQLITE_FULL || primary == SQLITE_BUSY;

	if (passes)
		error_move(f->err, why);
	else
		would_fail(f, o, line, why->message);
	error_clear(why);
	return passes ? -1 : 0;
}

/* A name in double quotes that is no column is a string to SQLite. */
static void quoted(struct forecast *f, struct outlook *o, const char *sql)
{
	if (!world_compiles(f->w, sql, true) || world_compiles(f->w, sql, false))
		return;
	outlook_warn(&f->pool, o,
		     pool_printf(&f->pool, "what is in double quotes is no column here, and so a string: %.200s",
				 sqlite3_errmsg(f->w->db)));
}

/* --- online --- */

/* The first thing that is dropped and holds data; NULL: there is none. */
static const char *loses(struct forecast *f, const struct plan *plan)
{
	if (plan->strategy == STRATEGY_DROP && !plan->dropped_index && world_rows(f->w, plan->table) > 0)
		return plan->table;
	for (size_t i = 0; i < plan->nconsent; i++)
		if (world_holds(f->w, plan->table, plan->consent[i]))
			return plan->consent[i];
	return NULL;
}

static int online(struct forecast *f, const struct plan *plan, struct outlook *o)
{
	bool copies = plan->strategy == STRATEGY_REBUILD || plan->strategy == STRATEGY_INDEX;
	struct pace pace;

	*o = (struct outlook){.strategy = plan_strategy(plan), .table = plan->table};
	o->rows = world_rows(f->w, plan->table);
	o->needs_bytes = copies ? world_bytes(f->w, plan->table) : 0;
	o->destructive = loses(f, plan) != NULL;
	if (pace_read(db_handle(f->w->live), o->strategy, &pace, f->err) != 0 ||
	    outlook_touches(&f->pool, f->w->db, o, f->err) != 0)
		return -1;
	o->hold_ms = pace.longest_ms;
	o->expected_ms = o->hold_ms;
	if (pace.rows_per_s > 0)
		o->expected_ms += o->rows * 1000 / pace.rows_per_s;
	o->measured = pace.measured;
	for (size_t i = 0; i < plan->nwarnings; i++)
		outlook_warn(&f->pool, o, plan->warnings[i]);
	for (size_t i = 0; i < plan->ndropped; i++)
		outlook_warn(&f->pool, o, pool_printf(&f->pool, "index %s goes with its column", plan->dropped[i]));
	return 0;
}

/* What each statement leaves of rows and names. */
static void learn(struct forecast *f, size_t i)
{
	struct script_data data;

	script_data(&f->pool, f->script.at[i].sql, &data);
	world_learn(f->w, &f->kinds[i], &data);
}

/* Where a file asks not to be one transaction, what it says of transactions is worth a word. */
static void passed_over(struct forecast *f, const struct script_kind *k, struct outlook *o)
{
	if (f->step->no_transaction && k->why)
		outlook_warn(&f->pool, o, k->why);
}

/* All of the script is one change. *ret_why: it is to be run exact, and why. */
static int judge_one(struct forecast *f, const char *one, int64_t line, const char **ret_why)
{
	struct plan_options options = {.allow_data_loss = true, .rows = world_rows, .rows_arg = f->w};
	struct outlook o = {0};
	struct error why = {0};
	struct plan *plan = NULL;

	if (plan_statement(&f->pool, f->w->db, one, &options, &plan, &why) != 0) {
		if (why.code == errc_code(ERRC_MIGRATION_INVALID) &&
		    (script_is_several(&f->script, f->kinds) || world_compiles(f->w, one, true))) {
			*ret_why = pool_printf(&f->pool, "run exact: %s", why.message);
			error_clear(&why);
			return 0;
		}
		o.table = f->kinds[0].name;
	} else if (online(f, plan, &o) != 0) {
		return -1;
	} else if (world_apply_plan(f->w, plan, &why) == 0) {
		/* A rebuild written by hand has the rows it had. */
		for (size_t i = 0; i < f->script.n && !plan->byhand; i++)
			learn(f, i);
	}
	if (error_is_set(&why) && judge_error(f, &o, line, &why) != 0)
		return -1;
	for (size_t i = 0; i < f->script.n; i++) {
		f->each[i] = o;
		if (f->kinds[i].what != SCRIPT_PASSED_OVER)
			continue;
		f->each[i] = (struct outlook){.strategy = "instant"};
		passed_over(f, &f->kinds[i], &f->each[i]);
	}
	return 0;
}

/* --- exact --- */

/* The table a statement is about, and the bytes SQLite goes through for it. */
static int64_t weigh(struct forecast *f, const struct script_kind *k, const struct script_data *data, const char *sql,
		     struct outlook *o)
{
	struct statement st = {0};
	struct error none = {0};
	int64_t read = 0;

	o->table = k->name ? k->name : data->table;
	if (!o->table && statement_parse(&f->pool, sql, &st, &none) == 0)
		o->table = st.table;
	error_clear(&none);
	o->rows = world_rows(f->w, o->table);
	switch (data->what) {
	case DATA_INSERT:
		o->rows = world_reads(f->w, data, &read);
		return read;
	case DATA_UPDATE:
	case DATA_DELETE:
		return world_bytes(f->w, o->table);
	case DATA_NONE:
		break;
	}
	/* A rename or a new column is a matter of the schema. */
	bool cheap = k->what == SCRIPT_RENAME_TABLE || k->what == SCRIPT_ALTER || k->what == SCRIPT_CREATE_TABLE;
	return cheap ? 0 : world_bytes(f->w, o->table);
}

/* An ALTER TABLE that is carried out in its place (exact_alter.c). *ret_done: it is; else SQLite is to do it. */
static int judge_planned(struct forecast *f, size_t i, struct outlook *o, bool *ret_done, struct error *why)
{
	struct plan_options options = {.allow_data_loss = true, .rows = world_rows, .rows_arg = f->w};
	const char *sql = f->script.at[i].sql;
	bool compiles = world_compiles(f->w, sql, true);
	struct plan *plan = NULL;

	*ret_done = script_wants_plan(&f->kinds[i], compiles);
	if (!*ret_done)
		return 0;
	if (plan_statement(&f->pool, f->w->db, sql, &options, &plan, why) != 0) {
		*ret_done = !compiles;
		if (compiles)
			error_clear(why);
		return compiles ? 0 : -1;
	}
	o->destructive = loses(f, plan) != NULL;
	for (size_t k = 0; k < plan->nwarnings; k++)
		outlook_warn(&f->pool, o, plan->warnings[k]);
	return world_apply_plan(f->w, plan, why);
}

static int judge_exact(struct forecast *f, size_t i, const char *why_exact, struct outlook *o)
{
	const struct script_kind *k = &f->kinds[i];
	const struct script_statement *s = &f->script.at[i];
	struct script_data data;
	struct error why = {0};
	bool done = false;

	*o = (struct outlook){.strategy = "instant"};
	if (k->what == SCRIPT_PASSED_OVER) {
		passed_over(f, k, o);
		return 0;
	}
	o->strategy = "exact";
	if (k->what == SCRIPT_REFUSED) {
		would_fail(f, o, s->line, k->why);
		return 0;
	}
	script_data(&f->pool, s->sql, &data);
	o->hold_ms = o->expected_ms = 1 + weigh(f, k, &data, s->sql, o) / EXACT_BYTES_PER_MS;
	if (outlook_touches(&f->pool, f->w->db, o, f->err) != 0)
		return -1;
	if (k->what == SCRIPT_DROP_TABLE && !k->own)
		o->destructive = k->rebuilds ? world_leaves_out(f->w, &f->script, f->kinds, i) != NULL : o->rows > 0;
	else if (k->what == SCRIPT_DROP_COLUMN)
		o->destructive = !k->rebuilds && world_holds(f->w, k->name, k->other);
	if (why_exact)
		outlook_warn(&f->pool, o, why_exact);
	quoted(f, o, s->sql);
	int rc = judge_planned(f, i, o, &done, &why);
	if (rc == 0 && !done)
		rc = world_apply(f->w, k, data.empty_sql ? data.empty_sql : s->sql, &why);
	if (rc != 0)
		return judge_error(f, o, s->line, &why);
	world_learn(f->w, k, &data);
	return 0;
}

/* --- a version --- */

static void warn_of_version(void *arg, const char *text)
{
	struct forecast *f = arg;
	outlook_warn(&f->pool, &f->all, text);
}

/* How the version as a whole holds the writer, and whether there is room for it. */
static void warn_as_a_whole(struct forecast *f, bool exact)
{
	const struct store_config *c = store_get_config(f->t->m->s);
	struct outlook *all = &f->all;

	if (exact && all->hold_ms > EXACT_WARN_MS)
		warn_of_version(f, pool_printf(&f->pool,
					       "it runs in one transaction: nobody else writes for about %lld ms",
					       (long long)all->hold_ms));
	if (all->needs_bytes > 0 && f->t->free_bytes >= 0 &&
	    all->needs_bytes > f->t->free_bytes - c->disk_reserve_bytes)
		warn_of_version(f, "there is not that much space on the disk: the run would wait for it");
}

static int judge_statements(struct forecast *f)
{
	const struct run_step *step = f->step;
	const char *one = NULL, *why = NULL;
	int64_t line = step->line;
	bool whole;

	if (!step->exact)
		one = script_as_one(&f->pool, &f->script, f->kinds, &line);
	if (one && judge_one(f, one, line, &why) != 0)
		return -1;
	whole = one && !why;
	for (size_t i = 0; i < f->script.n; i++) {
		if (!whole && judge_exact(f, i, why, &f->each[i]) != 0)
			return -1;
		outlook_sum(&f->pool, &f->all, &f->each[i], whole);
	}
	if (step->online && !whole && f->script.n > 0)
		would_fail(f, &f->all, step->line, "the file says mode=online, and can only be run exact");
	warn_as_a_whole(f, !whole);
	if (error_is_set(&f->w->err)) {
		error_move(f->err, &f->w->err);
		return -1;
	}
	return f->script.n ? world_doers(f->w, &f->pool, warn_of_version, f, f->err) : 0;
}

/* One piece of a version, or all of it. */
static int judge_piece(struct forecast *f)
{
	const struct run_step *s = f->step;
	struct error why = {0};

	if (script_split(&f->pool, s->sql, strlen(s->sql), s->line, &f->script, &why) != 0 ||
	    script_kinds(&f->pool, &f->script, step_vacuums(s), &f->kinds, &why) != 0) {
		f->script.n = 0;
		would_fail(f, &f->all, s->line, why.message);
		error_clear(&why);
		return 0;
	}
	f->each = pool_alloc(&f->pool, (f->script.n + 1) * sizeof(*f->each));
	return judge_statements(f);
}

static void write_piece(struct forecast *f, bool reversible, struct buf *out)
{
	for (size_t i = 0; i < f->script.n; i++) {
		jw_open(out, '{');
		jw_int(out, "line", f->script.at[i].line);
		jw_str(out, "sql", pool_cut(&f->pool, f->script.at[i].sql, SHOWN_BYTES));
		outlook_write(out, &f->each[i], reversible);
		jw_close(out, '}');
	}
}

static void warn_of_pieces(struct forecast *f, const struct run_step *s)
{
	if (s->no_transaction)
		warn_of_version(f, s->before > 0
					   ? "a part of it has run: it goes on from there, each statement for itself"
					   : "it runs without a transaction, each statement for itself: where one "
					     "fails those before it stay, and the version is partial");
}

/* The n steps of a version: pieces, if there are several. */
static int judge_version(struct forecast *f, size_t n, struct buf *out)
{
	const struct run_step *s = f->step;
	bool reversible = s->down || s->down_sql != NULL;
	struct buf list = {0};
	int rc = 0;

	warn_of_pieces(f, s);
	jw_open(&list, '[');
	for (size_t i = 0; i < n && rc == 0; i++) {
		f->step = &s[i];
		rc = judge_piece(f);
		if (rc == 0)
			write_piece(f, reversible, &list);
		if (rc == 0)
			rc = world_end(f->w, f->err);
	}
	jw_close(&list, ']');
	if (rc == 0) {
		if (!f->all.strategy && !f->all.fails)
			f->all.strategy = "instant";
		jw_open(out, '{');
		jw_int(out, "version", s->version);
		jw_str(out, "name", s->name);
		jw_str(out, "direction", s->down ? "down" : "up");
		jw_bool(out, "transaction", !s->no_transaction);
		if (s->total > 0) {
			jw_int(out, "done", s->before);
			jw_int(out, "total", s->total);
		}
		outlook_write(out, &f->all, reversible);
		jw_json(out, "statements", buf_cstr(&list));
		jw_close(out, '}');
	}
	buf_free(&list);
	return rc;
}

/* Bytes free where the database is; -1: nobody can say. */
static int64_t free_bytes(const struct file_task *t)
{
	struct statvfs disk;

	if (statvfs(store_get_config(t->m->s)->path, &disk) != 0)
		return -1;
	return (int64_t)(disk.f_bavail * disk.f_frsize);
}

static void nothing_to_tell(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static int write_plan(struct file_task *t, struct world *w, struct error *err)
{
	struct buf *out = &t->answer;
	int rc = world_doers(w, &t->pool, nothing_to_tell, NULL, err);

	jw_open(out, '{');
	jw_int(out, "from", t->run.from);
	jw_int(out, "to", t->run.to);
	jw_int(out, "free_bytes", t->free_bytes);
	file_warnings(t);
	jw_key(out, "steps");
	jw_open(out, '[');
	for (size_t i = 0, n; rc == 0 && i < t->run.n; i += n) {
		struct forecast f = {.t = t, .w = w, .err = err, .step = &t->run.at[i]};
		for (n = 1; i + n < t->run.n && t->run.at[i + n].version == t->run.at[i].version;)
			n++;
		rc = judge_version(&f, n, out);
		if (f.all.needs_bytes > t->needs_bytes)
			t->needs_bytes = f.all.needs_bytes;
		pool_free(&f.pool);
	}
	jw_close(out, ']');
	return rc;
}

int file_plan(struct file_task *t, struct db *db, struct error *err)
{
	struct world w;

	t->free_bytes = free_bytes(t);
	int rc = world_open(&w, &t->pool, db, err);
	if (rc == 0)
		rc = db_int(db, &t->db_bytes, err,
			    "SELECT page_count*page_size FROM pragma_page_count, pragma_page_size");
	if (rc == 0)
		rc = write_plan(t, &w, err);
	world_close(&w);
	return rc;
}
