/*
 * EXACT: all statements of a version in one transaction, as SQLite would run them.
 *
 * Entered: the schema is as it was; nothing of this version is in the file. Left: the version is there, and in the
 * history. Everybody waits meanwhile.
 *
 * Foreign keys are off, as every tool for migrations has them, and looked at when all is done: with them on, DROP TABLE
 * of a parent would empty its children. BEGIN, COMMIT and the PRAGMAs that scripts put around a rebuild are passed
 * over. TEMP objects live in the transaction: what is left of them at its end is dropped, and no client sees them. What
 * ALTER TABLE can do only here is carried out in its place (exact_alter.c).
 */
#include <string.h>
#include <strings.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/consent.h"
#include "daemon/migrate/history.h"
#include "daemon/migrate/script_kind.h"
#include "daemon/migrate/version.h"

struct exact {
	struct migration *m;
	struct db *db;
	struct pool *pool;
	struct run_step step;
	struct script script;
	struct script_kind *kinds; /* one a statement */
	bool loses;                /* data, with consent */
};

/* NEEDS_FORCE where it loses data and nobody has consented. */
static int look_at_loss(struct exact *x, size_t i, struct error *err)
{
	struct error why = {0};

	if (consent_needed(x->db, x->pool, &x->script, x->kinds, i, &why) == 0)
		return 0;
	if (why.code != errc_code(ERRC_NEEDS_FORCE) || !x->step.allow_data_loss) {
		error_move(err, &why);
		return -1;
	}
	error_clear(&why);
	x->loses = true;
	return 0;
}

/* *ret_done: it was planned, and carried out or not; else SQLite is to do it. */
static int run_planned(struct exact *x, size_t i, bool *ret_done, struct error *err)
{
	const char *sql = x->script.at[i].sql, *unused = NULL;
	struct error why = {0};
	bool compiles = version_compiles(x->db, x->pool, sql, &unused);

	*ret_done = script_wants_plan(&x->kinds[i], compiles);
	if (!*ret_done || exact_alter(x->m, x->db, sql, x->step.allow_data_loss, &x->loses, &why) == 0)
		return 0;
	/* A plan that is refused has done nothing. */
	if (compiles && (why.code == errc_code(ERRC_MIGRATION_INVALID) || why.code == errc_code(ERRC_NOT_FOUND))) {
		error_clear(&why);
		*ret_done = false;
		return 0;
	}
	error_move(err, &why);
	return -1;
}

/*
 * A rename that is part of a rebuild must not take along what refers to the name: children, views and triggers mean the
 * table that has it afterwards.
 */
static int run_statement(struct exact *x, size_t i, struct error *err)
{
	const struct script_kind *k = &x->kinds[i];
	bool legacy = k->what == SCRIPT_RENAME_TABLE && k->rebuilds, done = false;

	if (k->what == SCRIPT_PASSED_OVER)
		return 0;
	if (k->what == SCRIPT_REFUSED)
		return error_set(err, ERRC_MIGRATION_INVALID, "%s", k->why);
	if (look_at_loss(x, i, err) != 0)
		return -1;
	db_forget_statements(x->db);
	int rc = run_planned(x, i, &done, err);
	if (rc != 0 || done)
		return rc;
	if (legacy && db_exec(x->db, err, "PRAGMA legacy_alter_table=ON") != 0)
		return -1;
	rc = db_exec_guarded(x->db, x->script.at[i].sql, err);
	if (legacy) {
		struct error ignored = {0};
		(void)db_exec(x->db, &ignored, "PRAGMA legacy_alter_table=OFF");
		error_clear(&ignored);
	}
	return rc;
}

static int run_statements(struct exact *x, struct error *err)
{
	for (size_t i = 0; i < x->script.n; i++) {
		if (run_statement(x, i, err) == 0)
			continue;
		version_place(err, &x->step, x->script.at[i].line);
		return -1;
	}
	return 0;
}

/* Rows that refer to nothing: there may have been some before. */
static int orphans(struct exact *x, int64_t *ret, struct error *err)
{
	return db_int(x->db, ret, err, "SELECT count(*) FROM pragma_foreign_key_check");
}

static int check_orphans(struct exact *x, int64_t before, struct error *err)
{
	int64_t now = 0;

	if (orphans(x, &now, err) != 0)
		return -1;
	if (now <= before)
		return 0;
	return error_set(err, ERRC_FAILED_MIGRATION, "%.200s: %lld rows would refer to rows that are not there",
			 x->step.file, (long long)(now - before));
}

/* For a dump: nobody has made a table since the run was begun. */
static int still_fresh(struct exact *x, struct error *err)
{
	struct history h;

	return history_read(x->pool, db_handle(x->db), &h, err) != 0 ? -1 : history_must_be_fresh(&h, err);
}

static int run_version(struct exact *x, struct error *err)
{
	struct migration *m = x->m;
	bool moved = false;
	int64_t before = 0;
	uint64_t start = clock_now_ns();

	if (step_begin(m, x->db, &moved, err) != 0 || (x->step.schema && still_fresh(x, err) != 0))
		return -1;
	if (x->script.n > 0 && (orphans(x, &before, err) != 0 || run_statements(x, err) != 0 ||
				db_drop_temp(x->db, err) != 0 || check_orphans(x, before, err) != 0))
		return -1;
	m->consented = x->loses;
	m->next.phase = PHASE_END;
	m->next.swap_us = (int64_t)((clock_now_ns() - start) / NS_PER_US);
	if (step_commit(m, x->db, err) != 0)
		return -1;
	log_info("migrate", "m%lld %s: %zu statements in %.1f ms", (long long)m->r->id, x->step.file, x->script.n,
		 (double)m->p.swap_us / 1000.0);
	return 0;
}

static int read_script(struct exact *x, struct error *err)
{
	struct migration *m = x->m;

	if (steps_read(x->db, m->r->id, m->r->run.step, x->pool, &x->step, err) != 0)
		return -1;
	/* PLAN has read it, unless the daemon has begun anew. */
	record_set(&m->version.consent, x->step.consent);
	/* There was nothing to do. */
	if (strcmp(m->r->strategy, "none") == 0)
		return 0;
	if (script_split(x->pool, x->step.sql, strlen(x->step.sql), x->step.line, &x->script, err) != 0)
		return -1;
	return script_kinds(x->pool, &x->script, step_vacuums(&x->step), &x->kinds, err);
}

enum step_outcome exact_step(struct migration *m, struct db *db, struct error *err)
{
	struct pool pool = {0};
	struct exact x = {.m = m, .db = db, .pool = &pool};

	m->next = m->p;
	if (m->allow.postpone)
		return STEP_IDLE;
	db_forget_statements(db);
	int rc = read_script(&x, err);
	if (rc == 0)
		rc = db_foreign_keys(db, false, err);
	if (rc == 0) {
		struct error ignored = {0};
		db_allow_temp(db, true);
		rc = run_version(&x, err);
		/* What it has made in TEMP goes with it. */
		db_rollback(db);
		db_allow_temp(db, false);
		(void)db_foreign_keys(db, true, &ignored);
		error_clear(&ignored);
	}
	pool_free(&pool);
	return rc == 0 ? STEP_MORE : STEP_FAILED;
}
