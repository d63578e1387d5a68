/* The versions of a run; see version.h. */
#include "daemon/migrate/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/history.h"
#include "daemon/migrate/mirror.h"
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

void version_forget(struct version_found *v)
{
	free(v->name);
	free(v->file);
	free(v->sql);
	free(v->strategy);
	*v = (struct version_found){0};
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
	struct plan_options options = {.allow_data_loss = step->allow_data_loss};
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

/* One change to run online, in *ret_one; NULL: it is run exact. */
static int look_at_script(struct migration *m, struct db *db, struct pool *pool, const struct run_step *step,
			  const char **ret_one, bool *ret_nothing, struct error *err)
{
	struct script script;
	struct script_kind *kinds = NULL;
	int64_t line = 0;
	bool exact = false;

	if (script_split(pool, step->sql, strlen(step->sql), step->line, &script, err) != 0 ||
	    script_kinds(pool, &script, &kinds, err) != 0)
		return -1;
	*ret_nothing = script.n == 0;
	*ret_one = step->exact ? NULL : script_as_one(pool, &script, kinds, &line);
	if (*ret_one && judge(m, db, pool, step, *ret_one, line, &exact, err) != 0)
		return -1;
	if (exact)
		*ret_one = NULL;
	if (step->online && !*ret_one && script.n > 0)
		return error_set(err, ERRC_MIGRATION_INVALID, "%.200s says mode=online, and can only be run exact",
				 step->file);
	return 0;
}

static void start_found(struct version_found *v, const struct run_step *step)
{
	version_forget(v);
	*v = (struct version_found){.found = true,
				    .version = step->version,
				    .down = step->down,
				    .after = step->after,
				    .allow_data_loss = step->allow_data_loss,
				    .batch_rows = step->batch_rows};
	record_set(&v->name, step->name);
	record_set(&v->file, step->file);
}

int version_find(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	struct run_step step;
	const char *one = NULL;
	bool nothing = false;

	int rc = steps_read(db, m->r->id, m->r->run.step, &pool, &step, err);
	if (rc == 0) {
		start_found(&m->version, &step);
		rc = look_at_script(m, db, &pool, &step, &one, &nothing, err);
	}
	if (rc == 0) {
		struct version_found *v = &m->version;
		v->exact = !one;
		record_set(&v->strategy, one ? NULL : nothing ? "none" : "exact");
		record_set(&v->sql, one ? one : pool_cut(&pool, step.sql, SHOWN_BYTES));
	}
	pool_free(&pool);
	return rc;
}

int version_consent(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	const struct record *r = m->r;
	const char *lost = NULL;
	int rc = 0;

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
	} else if (rc == 0 && step.schema) {
		rc = history_date(db, &pool, m->r->applied_by, err);
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
	if (rc == 0 && m->allow.mirror)
		rc = mirror_version(db, &pool, &step, m->r->applied_by, err);
	pool_free(&pool);
	return rc;
}
