/* A rehearsal's own process: the versions of a run, one by one, on the copy; see rehearsal.h. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lib/clock.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/rehearsal.h"
#include "proto/response.h"

/* How often it is looked whether the job still gets anywhere. */
#define LOOK_MS 50
/* A step that failed so often for want of something will not be tried for ever: nobody gives the copy more. */
#define RETRIES_MAX 3

/* What is done with one version, until its job has ended. */
struct rehearsing {
	struct store *s;
	uv_loop_t *loop;
	struct migrator *m;
	struct migrator_wait w;
	struct buf answer;
	uv_timer_t look;
	bool done, closed;
	struct error stuck; /* why the job gets nowhere */
};

static void on_done(struct migrator_wait *w) { CONTAINER_OF(w, struct rehearsing, w)->done = true; }

static void on_closed(void *arg) { *(bool *)arg = true; }

/* A daemon waits until there is room again; a rehearsal says that there is none. */
static void on_look(uv_timer_t *timer)
{
	struct rehearsing *x = timer->data;
	const char *throttled = store_throttled(x->s);

	if (error_is_set(&x->stuck) || x->closed)
		return;
	bool tired = x->m->retries >= RETRIES_MAX && x->m->trouble[0];
	const char *full = throttled && strstr(throttled, "disk space") ? throttled
			   : tired && strstr(x->m->trouble, "is full")  ? x->m->trouble
									: NULL;
	if (full)
		error_set_sqlite(&x->stuck, SQLITE_FULL, "SQLITE_FULL", "the rehearsal has no room left: %s", full);
	else if (tired)
		error_set(&x->stuck, ERRC_FAILED_MIGRATION, "the rehearsal gets nowhere: %s", x->m->trouble);
}

static const struct record *last_job(const struct migrator *m)
{
	return m->nhistory ? m->history[m->nhistory - 1] : NULL;
}

static void write_error(struct buf *out, const struct error *err)
{
	jw_key(out, "error");
	jw_open(out, '{');
	jw_int(out, "code", err->code);
	jw_str(out, "name", err->name);
	jw_str(out, "message", err->message);
	if (err->data.len > 0) {
		buf_putc(out, ',');
		buf_add(out, err->data.data, err->data.len);
	}
	jw_close(out, '}');
}

/* What became of a version; `r` NULL: it did not get as far as a job. */
static void write_version(struct buf *out, const struct rehearsing *x, const struct record *r)
{
	bool failed = error_is_set(&x->w.err);

	jw_open(out, '{');
	if (r) {
		jw_int(out, "version", r->run.version);
		jw_str(out, "name", r->name ? r->name : "");
		jw_str(out, "direction", r->run.down ? "down" : "up");
		jw_str(out, "strategy", r->strategy);
		jw_str(out, "table", *r->table ? r->table : NULL);
	}
	jw_str(out, "state", failed ? "failed" : "done");
	if (r) {
		int64_t took = r->started_ms && r->ended_ms > r->started_ms ? r->ended_ms - r->started_ms : 0;
		jw_int(out, "took_ms", took);
		jw_int(out, "rows", r->p.rows_done);
		jw_real(out, "longest_hold_ms", (double)r->p.longest_hold_us / 1000.0, 3);
		if (r->p.swap_us >= 0)
			jw_real(out, "swap_ms", (double)r->p.swap_us / 1000.0, 3);
		else
			jw_null(out, "swap_ms");
	}
	if (failed)
		write_error(out, &x->w.err);
	else
		jw_null(out, "error");
	jw_close(out, '}');
}

/* The next version. False: the run ends here. */
static bool run_one(struct rehearsing *x, const struct request *asked, struct buf *out)
{
	struct request one = *asked;
	const struct record *before = last_job(x->m);
	int64_t before_id = before ? before->id : 0;

	one.params.present |= P(STEPS) | P(WAIT);
	one.params.nsteps_asked = 1;
	one.params.wait = true;
	error_clear(&x->w.err);
	buf_truncate(&x->answer, 0);
	x->done = false;
	x->w = (struct migrator_wait){.done = on_done, .out = &x->answer};
	migrator_files(x->m, &one, (uint32_t)getuid(), &x->w);
	while (!x->done && !error_is_set(&x->stuck))
		(void)uv_run(x->loop, UV_RUN_ONCE);
	if (!x->done) {
		migrator_forget(x->m, &x->w);
		return false;
	}
	const struct record *r = last_job(x->m);
	write_version(out, x, r && r->id != before_id ? r : NULL);
	return !error_is_set(&x->w.err);
}

static int run_all(struct rehearsing *x, const struct request *request, struct buf *out, struct error *err)
{
	int64_t steps = request->params.nsteps_asked;
	bool fine = true;
	uint64_t start = clock_now_ns();
	struct buf list = {0};

	/* What had begun on the database would go on in the copy, and count as the run's. */
	if (!list_empty(&x->m->entries))
		return error_set(err, ERRC_MIGRATION_RUNNING, "a migration began while the copy was made; try again");
	for (int64_t i = 0; i < steps && fine; i++)
		fine = run_one(x, request, &list);
	if (error_is_set(&x->stuck)) {
		error_move(err, &x->stuck);
	} else {
		jw_str(out, "state", fine ? "done" : "failed");
		jw_int(out, "took_ms", (int64_t)((clock_now_ns() - start) / NS_PER_MS));
		jw_key(out, "steps");
		buf_printf(out, "[%s]", buf_cstr(&list));
	}
	buf_free(&list);
	return error_is_set(err) ? -1 : 0;
}

int rehearse(struct store *s, uv_loop_t *loop, const struct migrator_config *config, const struct request *request,
	     struct buf *out, struct error *err)
{
	struct rehearsing x = {.s = s, .loop = loop};

	if (migrator_open(s, loop, config, &x.m, err) != 0)
		return -1;
	uv_timer_init(loop, &x.look);
	x.look.data = &x;
	uv_timer_start(&x.look, on_look, LOOK_MS, LOOK_MS);
	int rc = run_all(&x, request, out, err);
	migrator_close(x.m, on_closed, &x.closed);
	/* The look keeps the loop at it: none of the store's handles does. */
	while (!x.closed)
		(void)uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&x.look, NULL);
	(void)uv_run(loop, UV_RUN_NOWAIT);
	error_clear(&x.w.err);
	error_clear(&x.stuck);
	buf_free(&x.answer);
	return rc;
}
