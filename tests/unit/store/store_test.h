/*
 * A store in a scratch folder with its loop, and clients of it: ask() submits one request and runs the loop until it is
 * answered. Made inside the test, for threads do not survive Check's fork.
 */
#ifndef ALTERD_TESTS_STORE_TEST_H
#define ALTERD_TESTS_STORE_TEST_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/lib/clock.h"
#include "daemon/store/engine.h"
#include "daemon/store/sql.h"
#include "daemon/store/store.h"
#include "tests/unit/scratch_folder.h"

struct rig {
	char folder[64], path[96];
	uv_loop_t loop;
	uv_timer_t awake; /* the store's handles do not keep the loop alive; this one does, and bounds its sleep */
	struct store *store;
	struct store_config config;
	uint64_t sessions;
};

struct client {
	struct rig *rig;
	struct sql_session session;
	struct sql_job job;
	struct params params;
	struct step steps[8];
	struct buf out;
	bool busy;
};

static inline struct store_config rig_config(const char *path)
{
	return (struct store_config){
		.path = path,
		.synchronous_full = false,
		.readers = 2,
		.readers_max = 6,
		.pinned_max = 8,
		.queue_max = 64,
		.group_max = 16,
		.cache_bytes = 4 << 20,
		.memory_bytes = 128 << 20,
		.value_bytes = 4 << 20,
		.sql_bytes = 1 << 20,
		.wal_cap_bytes = 16 << 20,
		.wal_hard_bytes = 64 << 20,
		.checkpoint_bytes = 1 << 20,
		.page_bytes = 1 << 20,
		.page_rows = 1000,
		.read_ms = 10000,
		.write_ms = 5000,
		.wait_ms = 5000,
		.tx_ms = 5000,
		.tx_idle_ms = 2000,
		.cursor_ms = 300000,
		.cursor_idle_ms = 30000,
		.background_percent = 20,
	};
}

static inline void wake(uv_timer_t *timer) { (void)timer; }

static inline void rig_start(struct rig *rig)
{
	struct error err = {0};
	int code = 0;

	ck_assert_int_eq(uv_loop_init(&rig->loop), 0);
	uv_timer_init(&rig->loop, &rig->awake);
	uv_timer_start(&rig->awake, wake, 1000, 1000);
	int rc = store_open(&rig->config, &rig->loop, &rig->store, &code, &err);
	ck_assert_msg(rc == 0, "store_open: %s", err.message);
}

static inline void rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	scratch_folder(rig->folder, sizeof rig->folder);
	snprintf(rig->path, sizeof rig->path, "%s/t.db", rig->folder);
	rig->config = rig_config(rig->path);
	rig_start(rig);
}

static inline void rig_stop(struct rig *rig)
{
	store_close(rig->store);
	uv_close((uv_handle_t *)&rig->awake, NULL);
	while (uv_run(&rig->loop, UV_RUN_NOWAIT))
		;
	ck_assert_int_eq(uv_loop_close(&rig->loop), 0);
}

static inline void rig_close(struct rig *rig)
{
	char command[128];

	rig_stop(rig);
	snprintf(command, sizeof command, "rm -rf %s", rig->folder);
	ck_assert_int_eq(system(command), 0);
}

static inline void client_open(struct rig *rig, struct client *c)
{
	memset(c, 0, sizeof *c);
	c->rig = rig;
	sql_session_init(&c->session, ++rig->sessions);
	c->session.role = ROLE_ADMIN;
}

static inline void client_done(struct sql_job *job)
{
	struct client *c = CONTAINER_OF(job, struct client, job);

	c->busy = false;
}

/* Submits with c->params as they are. */
static inline void client_send(struct client *c, enum sql_kind kind)
{
	error_clear(&c->job.err);
	buf_reset(&c->out, 1 << 20);
	c->job.kind = kind;
	c->job.session = &c->session;
	c->job.params = kind == SQL_END || kind == SQL_SWEEP ? NULL : &c->params;
	c->job.out = &c->out;
	c->job.done = client_done;
	c->busy = true;
	sql_submit(c->rig->store, &c->job);
}

static inline void client_wait(struct client *c)
{
	while (c->busy)
		uv_run(&c->rig->loop, UV_RUN_ONCE);
}

static inline int ask(struct client *c, enum sql_kind kind)
{
	client_send(c, kind);
	client_wait(c);
	return error_is_set(&c->job.err) ? -1 : 0;
}

static inline void set_sql(struct client *c, const char *sql)
{
	c->params = (struct params){.present = P(SQL), .sql = sql, .sql_len = strlen(sql)};
}

/* exec: 0, or the error's code. */
static inline int run(struct client *c, const char *sql)
{
	set_sql(c, sql);
	c->job.exec = true;
	return ask(c, SQL_STATEMENT) ? c->job.err.code : 0;
}

/* query: the "rows" of the answer as text, or the error's code as text. Valid until the next call. */
static inline const char *rows(struct client *c, const char *sql)
{
	static char text[4096];

	set_sql(c, sql);
	c->job.exec = false;
	if (ask(c, SQL_STATEMENT)) {
		snprintf(text, sizeof text, "error %d %s", c->job.err.code, c->job.err.message);
		return text;
	}
	const char *from = strstr(buf_cstr(&c->out), "\"rows\":");
	ck_assert_ptr_nonnull(from);
	snprintf(text, sizeof text, "%s", from + 7);
	char *end = strstr(text, ",\"done\"");
	if (end)
		*end = 0;
	return text;
}

static inline void client_close(struct client *c)
{
	if (sql_session_open(&c->session))
		ask(c, SQL_END);
	error_clear(&c->job.err);
	buf_free(&c->out);
}

#endif
