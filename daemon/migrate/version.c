/* The versions of a run; see version.h. */
#include "daemon/migrate/version.h"

#include <stdio.h>
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/history.h"
#include "daemon/migrate/script_kind.h"

/* What history tells of a script that is not one statement. */
#define SHOWN_BYTES 200

void version_place(struct error *err, const struct run_step *step, int64_t line)
{
	char text[sizeof(err->message)];

	snprintf(text, sizeof(text), "%s", err->message);
	/* Cut where it gets too long: the place is what helps. */
	(void)snprintf(err->message, sizeof(err->message), "%.120s:%lld: %.360s", step->file, (long long)line, text);
}

static int take_step(struct migration *m, struct db *db, struct pool *pool, struct run_step *ret, struct error *err)
{
	struct record *r = m->r;

	if (steps_read(db, r->id, r->run.step, pool, ret, err) != 0)
		return -1;
	r->run.version = ret->version;
	r->run.down = ret->down;
	r->run.after = ret->after;
	r->allow_data_loss = ret->allow_data_loss;
	record_set(&r->name, ret->name);
	record_set(&r->file, ret->file);
	return 0;
}

/* SQLite can run the text as it is; looked at without running it. */
static bool compiles(struct db *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(db_handle(db), sql, -1, &stmt, NULL) == SQLITE_OK;

	sqlite3_finalize(stmt);
	return ok;
}

/* Whether the plan takes the statement. What it does not take, but SQLite does, is run exact. */
static int judge(struct migration *m, struct db *db, struct pool *pool, const struct run_step *step, const char *sql,
		 int64_t line, bool *ret_exact, struct error *err)
{
	struct plan_options options = {.allow_data_loss = m->r->allow_data_loss != 0};
	struct error why = {0};
	struct plan *plan = NULL;

	*ret_exact = false;
	if (plan_statement(pool, db_handle(db), sql, &options, &plan, &why) == 0)
		return 0;
	if (why.code == errc_code(ERRC_MIGRATION_INVALID) && compiles(db, sql)) {
		log_info("migrate", "m%lld %s: run exact: %s", (long long)m->r->id, step->file, why.message);
		error_clear(&why);
		*ret_exact = true;
		return 0;
	}
	version_place(&why, step, line);
	error_move(err, &why);
	return -1;
}

int version_begin(struct migration *m, struct db *db, bool *ret_exact, struct error *err)
{
	struct pool pool = {0};
	struct run_step step;
	struct script script;
	struct script_kind *kinds = NULL;
	struct record *r = m->r;
	const char *one = NULL;
	int64_t line = 0;

	*ret_exact = true;
	int rc = take_step(m, db, &pool, &step, err);
	if (rc == 0)
		rc = script_split(&pool, step.sql, strlen(step.sql), step.line, &script, err);
	if (rc == 0)
		rc = script_kinds(&pool, &script, &kinds, err);
	if (rc == 0 && !step.exact)
		one = script_as_one(&pool, &script, kinds, &line);
	if (one)
		rc = judge(m, db, &pool, &step, one, line, ret_exact, err);
	if (rc == 0 && !*ret_exact)
		record_set(&r->sql, one);
	if (rc == 0 && *ret_exact) {
		record_set(&r->sql, pool_cut(&pool, step.sql, SHOWN_BYTES));
		record_set(&r->table, "");
		record_set(&r->strategy, script.n ? "exact" : "none");
	}
	pool_free(&pool);
	return rc;
}

int version_consent(struct migration *m, struct db *db, bool *ret_exact, struct error *err)
{
	struct pool pool = {0};
	struct record *r = m->r;
	const char *lost = NULL;
	int rc = 0;

	record_set(&r->table, m->plan->table);
	record_set(&r->strategy, plan_strategy(m->plan));
	*ret_exact = m->plan->strategy == STRATEGY_NONE;
	if (!r->allow_data_loss)
		rc = plan_consent(&pool, db_handle(db), m->plan, &lost, err);
	if (rc == 0 && lost)
		rc = error_set(err, ERRC_NEEDS_FORCE,
			       "%.100s: version %lld drops %.100s, which holds data: say allow_data_loss", r->file,
			       (long long)r->run.version, lost);
	pool_free(&pool);
	return rc;
}

int version_record(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	struct run_step step;
	char now[32];

	int rc = steps_read(db, m->r->id, m->r->run.step, &pool, &step, err);
	if (rc == 0 && step.down) {
		rc = history_remove(db, step.version, err);
	} else if (rc == 0) {
		clock_format(clock_wall_ms(), 3, now);
		struct applied a = {.version = step.version,
				    .name = step.name,
				    .checksum = step.checksum,
				    .applied_at = now,
				    .took_ms = m->r->started_ms ? clock_wall_ms() - m->version_ms : 0,
				    .applied_by = m->r->applied_by,
				    .tool = "alterd",
				    .down_sql = step.down_sql};
		rc = history_add(db, &a, err);
	}
	pool_free(&pool);
	return rc;
}
