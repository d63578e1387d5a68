/*
 * migrate.plan: what a run would do, statement by statement, told from the database as it stands. Writes nothing.
 *
 * A version's statements are judged as its run will judge them (version.c). The schema is the present one: what a
 * version before it in the same run changes is not in it yet, and where that matters the plan says so.
 */
#include <string.h>

#include "daemon/migrate/file_task.h"
#include "daemon/migrate/plan.h"
#include "daemon/migrate/script_kind.h"
#include "daemon/migrate/version.h"
#include "proto/response.h"

/* What the writer gets done in a millisecond while it runs a script exact, and the hold of an online change. */
#define EXACT_BYTES_PER_MS 50000
#define ONLINE_HOLD_MS 5
/* The beginning of a statement that is shown. */
#define SHOWN_BYTES 80

/* One statement, or what is said of a whole version. */
struct outlook {
	const char *strategy; /* NULL: not known yet */
	const char *table;
	int64_t rows, needs_bytes, hold_ms;
	bool destructive;
	const char *warning; /* NULL: none */
};

struct forecast {
	struct file_task *t;
	struct db *db;
	struct error *err;
	const struct run_step *step;
	bool first; /* the schema is the one it will meet */
};

/* The table's rows and bytes, its indexes with it. No such table: none. */
static int measure(struct forecast *f, struct outlook *o)
{
	int64_t there = 0;

	if (!o->table || !*o->table)
		return 0;
	if (db_int(f->db, &there, f->err,
		   "SELECT count(*) FROM main.sqlite_schema WHERE type='table' AND rootpage>0 AND name=%Q COLLATE "
		   "NOCASE",
		   o->table) != 0)
		return -1;
	if (!there)
		return 0;
	return db_int(f->db, &o->rows, f->err, "SELECT count(*) FROM main.%s", quote_name(&f->t->pool, o->table)) !=
				       0 ||
			       db_int(f->db, &o->needs_bytes, f->err,
				      "SELECT ifnull(sum(pgsize),0) FROM dbstat('main',1) WHERE name IN (SELECT "
				      "name FROM"
				      " main.sqlite_schema WHERE tbl_name=%Q COLLATE NOCASE)",
				      o->table) != 0
		       ? -1
		       : 0;
}

/* An online change: what the plan makes of it. */
static int online(struct forecast *f, const struct plan *plan, struct outlook *o)
{
	const char *lost = NULL;
	bool copies = plan->strategy == STRATEGY_REBUILD || plan->strategy == STRATEGY_INDEX;

	*o = (struct outlook){.strategy = plan_strategy(plan), .table = plan->table};
	if (measure(f, o) != 0 || plan_consent(&f->t->pool, db_handle(f->db), plan, &lost, f->err) != 0)
		return -1;
	o->needs_bytes = copies ? o->needs_bytes : 0;
	o->hold_ms = ONLINE_HOLD_MS;
	o->destructive = lost != NULL;
	return 0;
}

static int exact(struct forecast *f, const struct script_kind *k, const char *why, struct outlook *o)
{
	*o = (struct outlook){.strategy = k->what == SCRIPT_PASSED_OVER ? "instant" : "exact", .table = k->name};
	/* Where a file asks not to be one transaction, what it says of transactions is worth a word. */
	if (k->what == SCRIPT_PASSED_OVER) {
		o->warning = f->step->no_transaction ? k->why : NULL;
		return 0;
	}
	if (measure(f, o) != 0)
		return -1;
	o->hold_ms = 1 + o->needs_bytes / EXACT_BYTES_PER_MS;
	o->needs_bytes = 0;
	o->destructive = (k->what == SCRIPT_DROP_TABLE && o->rows > 0 && !k->rebuilds) || k->what == SCRIPT_DROP_COLUMN;
	o->warning = k->what == SCRIPT_REFUSED ? k->why : why;
	return 0;
}

/* One statement of a script; `one` is all of it where that is run as one change. */
static int judge(struct forecast *f, const char *one, size_t i, const struct script_kind *kinds, struct outlook *o)
{
	struct plan_options options = {.allow_data_loss = true};
	struct error why = {0};
	struct plan *plan = NULL;

	if (!one || kinds[i].what == SCRIPT_PASSED_OVER)
		return exact(f, &kinds[i], NULL, o);
	if (plan_statement(&f->t->pool, db_handle(f->db), one, &options, &plan, &why) == 0)
		return online(f, plan, o);
	const char *text = pool_str(&f->t->pool, why.message);
	bool passing = why.code > 0;
	if (passing)
		error_move(f->err, &why);
	error_clear(&why);
	if (passing)
		return -1;
	if (f->first)
		return exact(f, &kinds[i], text, o);
	*o = (struct outlook){
		.table = kinds[i].name,
		.warning = "it depends on the versions before it, and is looked at when they are applied",
	};
	return 0;
}

static void warnings(struct buf *out, const char *warning)
{
	jw_key(out, "warnings");
	jw_open(out, '[');
	if (warning)
		json_write_string(out, warning, strlen(warning));
	jw_close(out, ']');
}

static void figures(struct buf *out, const struct outlook *o, bool reversible)
{
	jw_str(out, "strategy", o->strategy);
	jw_str(out, "table", o->table && *o->table ? o->table : NULL);
	jw_int(out, "rows", o->rows);
	jw_int(out, "needs_bytes", o->needs_bytes);
	jw_int(out, "blocks_writes_ms", o->hold_ms);
	jw_bool(out, "destructive", o->destructive);
	jw_bool(out, "reversible", reversible);
	warnings(out, o->warning);
}

/* The heavier one is the version's. */
static void sum_up(struct outlook *all, const struct outlook *o)
{
	bool heavier = !all->strategy || o->hold_ms > all->hold_ms || o->needs_bytes > all->needs_bytes;

	if (heavier && o->strategy) {
		all->strategy = o->strategy;
		all->table = o->table;
		all->rows = o->rows;
	}
	all->needs_bytes = o->needs_bytes > all->needs_bytes ? o->needs_bytes : all->needs_bytes;
	all->hold_ms += all->hold_ms && o->strategy && strcmp(o->strategy, "exact") != 0 ? 0 : o->hold_ms;
	all->destructive = all->destructive || o->destructive;
	all->warning = all->warning ? all->warning : o->warning;
}

static int statements(struct forecast *f, const struct script *script, bool reversible, struct outlook *all,
		      struct buf *out)
{
	struct script_kind *kinds = NULL;
	const char *one = NULL;
	int64_t line;

	if (script_kinds(&f->t->pool, script, step_vacuums(f->step), &kinds, f->err) != 0)
		return -1;
	if (!f->step->exact)
		one = script_as_one(&f->t->pool, script, kinds, &line);
	for (size_t i = 0; i < script->n; i++) {
		struct outlook o = {0};
		if (judge(f, one, i, kinds, &o) != 0) {
			version_place(f->err, f->step, script->at[i].line);
			return -1;
		}
		sum_up(all, &o);
		jw_open(out, '{');
		jw_int(out, "line", script->at[i].line);
		jw_str(out, "sql", pool_cut(&f->t->pool, script->at[i].sql, SHOWN_BYTES));
		figures(out, &o, reversible);
		jw_close(out, '}');
	}
	return 0;
}

/* One piece, or all of it. */
static int step(struct forecast *f, bool reversible, struct outlook *all, struct buf *out)
{
	const struct run_step *s = f->step;
	struct script script;

	if (script_split(&f->t->pool, s->sql, strlen(s->sql), s->line, &script, f->err) != 0)
		return -1;
	return statements(f, &script, reversible, all, out);
}

/* The n steps of a version: pieces, if there are several. */
static int version(struct forecast *f, size_t n, struct buf *out)
{
	const struct run_step *s = f->step;
	bool reversible = s->down || s->down_sql != NULL;
	struct outlook all = {0};
	struct buf list = {0};
	int rc = 0;

	jw_open(&list, '[');
	for (size_t i = 0; i < n && rc == 0; i++) {
		f->step = &s[i];
		rc = step(f, reversible, &all, &list);
		f->first = false;
	}
	jw_close(&list, ']');
	if (rc == 0) {
		if (!all.strategy && buf_cstr(&list)[1] == ']')
			all.strategy = "instant";
		if (s->no_transaction)
			all.warning = s->before > 0
					      ? "a part of it has run: it goes on from there, each statement for itself"
					      : "it runs without a transaction, each statement for itself: where one "
						"fails those before it stay, and the version is partial";
		jw_open(out, '{');
		jw_int(out, "version", s->version);
		jw_str(out, "name", s->name);
		jw_str(out, "direction", s->down ? "down" : "up");
		jw_bool(out, "transaction", !s->no_transaction);
		if (s->total > 0) {
			jw_int(out, "done", s->before);
			jw_int(out, "total", s->total);
		}
		figures(out, &all, reversible);
		jw_json(out, "statements", buf_cstr(&list));
		jw_close(out, '}');
	}
	buf_free(&list);
	return rc;
}

int file_plan(struct file_task *t, struct db *db, struct error *err)
{
	struct buf *out = &t->answer;

	jw_open(out, '{');
	jw_int(out, "from", t->run.from);
	jw_int(out, "to", t->run.to);
	file_warnings(t);
	jw_key(out, "steps");
	jw_open(out, '[');
	for (size_t i = 0, n; i < t->run.n; i += n) {
		struct forecast f = {.t = t, .db = db, .err = err, .step = &t->run.at[i], .first = i == 0};
		for (n = 1; i + n < t->run.n && t->run.at[i + n].version == t->run.at[i].version;)
			n++;
		if (version(&f, n, out) != 0)
			return -1;
	}
	jw_close(out, ']');
	jw_close(out, '}');
	return 0;
}
