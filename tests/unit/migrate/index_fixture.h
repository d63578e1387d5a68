/*
 * A store on a database of its own, for tests of the index build: runs functions on the lanes and waits for them.
 * Create it inside the test or a checked fixture.
 */
#ifndef ALTERD_TESTS_INDEX_FIXTURE_H
#define ALTERD_TESTS_INDEX_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/index_build.h"
#include "daemon/store/engine.h"
#include "tests/unit/scratch_folder.h"

struct fixture {
	char dir[64], path[128];
	uv_loop_t loop;
	uv_async_t awake; /* keeps the loop waiting while a job is out */
	struct store *store;
};

/* A function for a lane, and what became of it. */
struct call {
	struct job job;
	int (*run)(struct db *db, void *arg, struct error *err);
	void *arg;
	int result;
	bool done;
	struct error err;
};

static void call_run(struct job *job, struct db *db)
{
	struct call *c = CONTAINER_OF(job, struct call, job);

	c->result = c->run(db, c->arg, &c->err);
}

static void call_done(struct mail *mail) { CONTAINER_OF(mail, struct call, job.mail)->done = true; }

static void call_start(struct fixture *f, bool writer, struct call *c)
{
	c->job.mail.deliver = call_done;
	c->job.run = call_run;
	if (writer)
		store_submit_writer(f->store, &c->job);
	else
		store_submit_reader(f->store, &c->job);
}

static void call_wait(struct fixture *f, struct call *c)
{
	while (!c->done)
		uv_run(&f->loop, UV_RUN_ONCE);
}

/* Runs it and returns its result; the error, if any, goes to *ret_err or fails the test when that is NULL. */
static int call(struct fixture *f, bool writer, int (*run)(struct db *, void *, struct error *), void *arg,
		struct error *ret_err, uint64_t *ret_held_ns)
{
	struct call c = {.run = run, .arg = arg};

	call_start(f, writer, &c);
	call_wait(f, &c);
	if (ret_held_ns)
		*ret_held_ns = c.job.ended_ns - c.job.started_ns;
	if (c.result != 0 && ret_err)
		error_move(ret_err, &c.err);
	else
		ck_assert_msg(c.result == 0, "%s", c.err.message);
	return c.result;
}

static int run_sql(struct db *db, void *arg, struct error *err) { return db_exec(db, err, "%s", (char *)arg); }

static void sql(struct fixture *f, const char *text) { call(f, true, run_sql, (void *)(uintptr_t)text, NULL, NULL); }

static void fixture_open_store(struct fixture *f)
{
	struct store_config config = {
		.path = f->path,
		.synchronous_full = false,
		.readers = 1,
		.readers_max = 2,
		.pinned_max = 2,
		.queue_max = 64,
		.group_max = 16,
		.cache_bytes = 16 << 20,
		.memory_bytes = 256 << 20,
		.value_bytes = 16 << 20,
		.sql_bytes = 1 << 20,
		.wal_cap_bytes = 64 << 20,
		.wal_hard_bytes = 512 << 20,
		.checkpoint_bytes = 4 << 20,
		.page_bytes = 1 << 20,
		.page_rows = 1000,
		.read_ms = 60000,
		.write_ms = 60000,
		.wait_ms = 5000,
		.tx_ms = 5000,
		.tx_idle_ms = 2000,
		.cursor_ms = 60000,
		.cursor_idle_ms = 30000,
		.background_percent = 50,
	};
	struct error err = {0};
	int code;

	ck_assert_msg(store_open(&config, &f->loop, &f->store, &code, &err) == 0, "%s", err.message);
}

static void never_sent(uv_async_t *awake) { (void)awake; }

static void fixture_open(struct fixture *f)
{
	*f = (struct fixture){0};
	scratch_folder(f->dir, sizeof(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/a.db", f->dir);
	uv_loop_init(&f->loop);
	uv_async_init(&f->loop, &f->awake, never_sent);
	fixture_open_store(f);
}

static void fixture_close_store(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
}

static void fixture_close(struct fixture *f)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".alterd-lock"};
	char name[160];

	if (f->store)
		fixture_close_store(f);
	uv_close((uv_handle_t *)&f->awake, NULL);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	ck_assert_int_eq(uv_loop_close(&f->loop), 0);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", f->path, ends[i]);
		unlink(name);
	}
	ck_assert_int_eq(rmdir(f->dir), 0);
}

#endif
