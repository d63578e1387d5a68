/* The versions of a run; see version.h. */
#include "daemon/migrate/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/history.h"
#include "daemon/migrate/mirror.h"
#include "daemon/migrate/partial.h"
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
	free(v->consent);
	*v = (struct version_found){0};
}

bool version_compiles(struct db *db, struct pool *pool, const char *sql, const char **ret_why)
{
	sqlite3_stmt *stmt = NULL;
	bool ok = sqlite3_prepare_v2(db_handle(db), sql, -1, &stmt, NULL) == SQLITE_OK;

	*ret_why = ok ? NULL : pool_str(pool, sqlite3_errmsg(db_handle(db)));
	sqlite3_finalize(stmt);
	return ok;
}

/*
 * Whether the plan takes the script. What it does not take, but SQLite does, is run exact, and so are several
 * statements that cannot be one change.
 */
static int judge(struct migration *m, struct db *db, struct pool *pool, const struct run_step *step, const char *sql,
		 bool several, bool *ret_exact, struct error *err)
{
	struct plan_options options = {.allow_data_loss = step->allow_data_loss};
	struct error why = {0};
	struct plan *plan = NULL;
	const char *sqlites = NULL;

	*ret_exact = false;
	if (plan_statement(pool, db_handle(db), sql, &options, &plan, &why) == 0)
		return 0;
	if (why.code == errc_code(ERRC_MIGRATION_INVALID) && (several || version_compiles(db, pool, sql, &sqlites))) {
		log_info("migrate", "m%lld %s: run exact: %s", (long long)m->r->id, step->file, why.message);
		error_clear(&why);
		*ret_exact = true;
		return 0;
	}
	/* What is no change of a table is SQLite's to judge. */
	if (sqlites && strncasecmp(sql, "ALTER", 5) != 0) {
		error_clear(&why);
		error_set(&why, ERRC_MIGRATION_INVALID, "%.400s", sqlites);
	}
	version_place(&why, step, m->version.line);
	error_move(err, &why);
	return -1;
}

/* One change to run online, in *ret_one; NULL: it is run exact. */
static int look_at_script(struct migration *m, struct db *db, struct pool *pool, const struct run_step *step,
			  const char **ret_one, bool *ret_nothing, struct error *err)
{
	struct script script;
	struct script_kind *kinds = NULL;
	int64_t line = step->line;
	bool exact = false;

	if (script_split(pool, step->sql, strlen(step->sql), step->line, &script, err) != 0 ||
	    script_kinds(pool, &script, step_vacuums(step), &kinds, err) != 0)
		return -1;
	*ret_nothing = script.n == 0;
	*ret_one = step->exact ? NULL : script_as_one(pool, &script, kinds, &line);
	m->version.line = line;
	if (*ret_one && judge(m, db, pool, step, *ret_one, script_is_several(&script, kinds), &exact, err) != 0)
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
				    .batch_rows = step->batch_rows,
				    .before = step->before,
				    .behind = step->behind,
				    .total = step->total};
	record_set(&v->name, step->name);
	record_set(&v->file, step->file);
	record_set(&v->consent, step->consent);
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
	int rc;

	rc = plan_consent(&pool, db_handle(db), m->plan, &lost, err);
	m->consented = rc == 0 && lost && r->allow_data_loss;
	if (rc == 0 && lost && !r->allow_data_loss)
		rc = error_set(err, ERRC_NEEDS_FORCE,
			       "%.100s:%lld: version %lld drops %.100s, which holds data: say allow_data_loss", r->file,
			       (long long)m->version.line, (long long)r->run.version, lost);
	pool_free(&pool);
	return rc;
}

/* A piece is done; with the last one the version is. What came before it is in the file already. */
static int record_up(struct migration *m, struct db *db, struct pool *pool, const struct run_step *step,
		     const char *consented_by, struct error *err)
{
	struct partial before = {0};
	char now[32];

	if (step->total > 0 && partial_read(pool, db_handle(db), false, &before, err) != 0)
		return -1;
	clock_format(clock_wall_ms(), 3, now);
	struct applied a = {.version = step->version,
			    .name = step->name,
			    .checksum = step->checksum,
			    .applied_at = now,
			    .took_ms = (m->r->started_ms ? clock_wall_ms() - m->version_ms : 0) + before.took_ms,
			    .applied_by = m->r->applied_by,
			    .tool = "alterd",
			    .down_sql = step->down_sql,
			    .consented_by = consented_by ? consented_by : before.consented_by};
	if (step_is_partial(step)) {
		struct partial all = {
			.ran_at = now, .ran_by = a.applied_by, .consented_by = a.consented_by, .took_ms = a.took_ms};
		return partial_advance(db, pool, step, &all, err);
	}
	if (step->total > 0 && partial_forget(db, step->version, err) != 0)
		return -1;
	return history_add(db, &a, err);
}

int version_record(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	struct run_step step = {0};

	int rc = steps_read(db, m->r->id, m->r->run.step, &pool, &step, err);
	const char *consented_by = m->consented || m->r->run.consented ? step.consent : NULL;
	/* The loop writes the record, too, but may not live to do it: then it would tell of the version before. */
	if (rc == 0) {
		struct record row = *m->r;
		row.p = m->next;
		row.run.consented = consented_by != NULL;
		if (consented_by)
			row.consented_by = pool_str(&pool, consented_by);
		rc = catalog_save(db, &row, err);
	}
	if (rc == 0)
		rc = step.down     ? history_remove(db, step.version, err)
		     : step.schema ? history_date(db, &pool, m->r->applied_by, err)
				   : record_up(m, db, &pool, &step, consented_by, err);
	if (rc == 0 && m->allow.mirror && !step_is_partial(&step))
		rc = mirror_version(db, &pool, &step, m->r->applied_by, err);
	pool_free(&pool);
	return rc;
}
