/*
 * A store, a migrator and one client on a loop of their own, in a scratch folder: what the engine's tests run in.
 * Nothing sleeps: the loop is run until the event that is waited for.
 */
#ifndef ALTERD_TESTS_MIGRATE_WORLD_H
#define ALTERD_TESTS_MIGRATE_WORLD_H

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/migrator.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/store/sql.h"
#include "daemon/store/store.h"
#include "tests/unit/scratch_folder.h"

struct world {
	char dir[64], path[128];
	uv_loop_t loop;
	struct store *s;
	struct migrator *m;
	struct sql_session session;
	bool gone; /* the migrator has closed */
	int64_t batch_rows;
	/*
	 * Where the job was when the last statement of world_sql() was answered. Steps and writes come back in the
	 * order in which the writer ran them, so this tells on which side of the swap a write took place.
	 */
	enum phase answered_in;
};

static inline void world_serve(struct world *w)
{
	struct error err = {0};
	int code = 0;
	struct store_config c = {.path = w->path,
				 .synchronous_full = true,
				 .readers = 2,
				 .readers_max = 4,
				 .pinned_max = 4,
				 .queue_max = 64,
				 .group_max = 16,
				 .cache_bytes = 4 << 20,
				 .memory_bytes = 256 << 20,
				 .value_bytes = 1 << 20,
				 .sql_bytes = 1 << 20,
				 .wal_cap_bytes = 64 << 20,
				 .wal_hard_bytes = 256 << 20,
				 .checkpoint_bytes = 1 << 20,
				 .page_bytes = 1 << 20,
				 .page_rows = 1000,
				 .read_ms = 30000,
				 .write_ms = 30000,
				 .wait_ms = 30000,
				 .tx_ms = 30000,
				 .tx_idle_ms = 30000,
				 .cursor_ms = 30000,
				 .cursor_idle_ms = 30000,
				 .background_percent = 50,
				 .disk_reserve_bytes = 0};
	struct migrator_config mc = {.hold_ms = 3,
				     .batch_rows = w->batch_rows ? w->batch_rows : 50,
				     .duty_percent = 100,
				     .queue_max = 4,
				     .retire_ms = 0};

	uv_loop_init(&w->loop);
	ck_assert_msg(store_open(&c, &w->loop, &w->s, &code, &err) == 0, "store_open: %s", err.message);
	ck_assert_msg(migrator_open(w->s, &w->loop, &mc, &w->m, &err) == 0, "migrator_open: %s", err.message);
	sql_session_init(&w->session, 1);
	w->session.role = ROLE_ADMIN;
}

static inline void world_init(struct world *w, const char *setup)
{
	sqlite3 *db;
	char *message = NULL;

	if (!getenv("LOG"))
		log_set_level(LOG_LEVEL_ERROR);
	scratch_folder(w->dir, sizeof(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/t.db", w->dir);
	ck_assert_int_eq(sqlite3_open(w->path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, setup, NULL, NULL, &message) == SQLITE_OK, "setup: %s", message);
	sqlite3_close(db);
	world_serve(w);
}

static inline void world_closed(void *arg) { ((struct world *)arg)->gone = true; }

static inline void world_hold(uv_timer_t *t) { (void)t; }

/* One turn of the loop, which waits for an event. */
static inline void world_turn(struct world *w)
{
	uv_timer_t hold;
	uv_timer_init(&w->loop, &hold);
	uv_timer_start(&hold, world_hold, 10000, 0);
	uv_run(&w->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&hold, NULL);
	uv_run(&w->loop, UV_RUN_NOWAIT);
}

static inline void world_stop(struct world *w)
{
	w->gone = false;
	migrator_close(w->m, world_closed, w);
	while (!w->gone)
		world_turn(w);
	store_close(w->s);
	while (uv_loop_close(&w->loop) == UV_EBUSY)
		uv_run(&w->loop, UV_RUN_ONCE);
}

static inline void world_restart(struct world *w)
{
	world_stop(w);
	world_serve(w);
}

static inline void world_remove(struct world *w)
{
	char name[160];
	static const char *const tails[] = {"", "-wal", "-shm", ".alterd-lock"};
	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", w->path, tails[i]);
		unlink(name);
	}
	rmdir(w->dir);
}

static inline void world_free(struct world *w)
{
	world_stop(w);
	world_remove(w);
}

/* The phase of the running job, PHASE_END if there is none. */
static inline enum phase world_phase(struct world *w) { return w->m->running ? w->m->m.r->p.phase : PHASE_END; }

struct world_call {
	struct sql_job job;
	struct world *w;
	bool done;
};

static inline void world_called(struct sql_job *job)
{
	struct world_call *c = CONTAINER_OF(job, struct world_call, job);
	c->w->answered_in = world_phase(c->w);
	c->done = true;
}

/* A client's statement. Returns its error code, 0 if it succeeded; the answer's JSON in `out` where asked for. */
static inline int world_sql(struct world *w, const char *sql, struct buf *out)
{
	struct params params = {.present = P(SQL), .sql = sql, .sql_len = strlen(sql)};
	struct buf own = {0};
	struct world_call c = {.job = {.kind = SQL_STATEMENT,
				       .session = &w->session,
				       .params = &params,
				       .out = out ? out : &own,
				       .done = world_called},
			       .w = w};
	sql_submit(w->s, &c.job);
	while (!c.done)
		world_turn(w);
	int code = c.job.err.code;
	if (code && getenv("LOG"))
		fprintf(stderr, "client: %s: %s\n", sql, c.job.err.message);
	error_clear(&c.job.err);
	buf_free(&own);
	return code;
}

static inline void world_ok(struct world *w, const char *sql)
{
	int code = world_sql(w, sql, NULL);
	ck_assert_msg(code == 0, "%s: %d", sql, code);
}

struct world_wait {
	struct migrator_wait w;
	struct buf out;
	bool done;
};

static inline void world_waited(struct migrator_wait *w) { CONTAINER_OF(w, struct world_wait, w)->done = true; }

static inline void world_alter(struct world *w, struct world_wait *wait, const char *sql, bool loss, bool postpone)
{
	struct params params = {.present = P(SQL) | P(WAIT),
				.sql = sql,
				.sql_len = strlen(sql),
				.wait = true,
				.allow_data_loss = loss,
				.postpone_cutover = postpone};
	*wait = (struct world_wait){.w = {.done = world_waited}};
	wait->w.out = &wait->out;
	migrator_alter(w->m, &params, (uint32_t)getuid(), &wait->w);
}

static inline int world_await(struct world *w, struct world_wait *wait)
{
	while (!wait->done)
		world_turn(w);
	if (wait->w.err.code && getenv("LOG"))
		fprintf(stderr, "alter: %d %s {%s}\n", wait->w.err.code, wait->w.err.message,
			buf_cstr(&wait->w.err.data));
	return wait->w.err.code;
}

/* Steers the running job: OP_MIGRATE_PAUSE, RESUME or CUTOVER. Its error code; the answer's JSON in `out` where asked
 * for. */
static inline int world_control(struct world *w, enum op op, struct buf *out)
{
	struct request request = {.op = op};
	struct buf own = {0};
	struct world_wait wait = {.w = {.done = world_waited, .out = out ? out : &own}};

	migrator_control(w->m, &request, &wait.w);
	int code = world_await(w, &wait);
	error_clear(&wait.w.err);
	buf_free(&own);
	return code;
}

static inline void world_wait_free(struct world_wait *wait)
{
	buf_free(&wait->out);
	error_clear(&wait->w.err);
}

/* Changes a table, start to end; the error code. */
static inline int world_change(struct world *w, const char *sql)
{
	struct world_wait wait;
	world_alter(w, &wait, sql, false, false);
	int code = world_await(w, &wait);
	world_wait_free(&wait);
	return code;
}

/* Everything of a file as text: schema, rows with types and rowids, sequences. On a connection of its own. */
static inline int world_append(void *arg, int n, char **values, char **names)
{
	(void)names;
	for (int i = 0; i < n; i++)
		buf_printf(arg, "%s|", values[i] ? values[i] : "NULL");
	buf_putc(arg, '\n');
	return 0;
}

static inline void world_query(const char *path, const char *sql, struct buf *out)
{
	sqlite3 *db;
	char *message = NULL;
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, world_append, out, &message) == SQLITE_OK, "%s: %s", sql, message);
	sqlite3_close(db);
}

static inline void world_dump(const char *path, const char *rows_sql, struct buf *out)
{
	world_query(path, "PRAGMA integrity_check", out);
	world_query(path, "PRAGMA foreign_key_check", out);
	world_query(path,
		    "SELECT type,name,tbl_name,sql FROM sqlite_schema WHERE name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' "
		    "ORDER BY type,name",
		    out);
	world_query(path, rows_sql, out);
}

#endif
