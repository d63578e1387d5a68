/* Upkeep on the loop's side; see upkeep.h. */
#include "daemon/migrate/upkeep.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/upkeep_internal.h"
#include "daemon/store/codes.h"
#include "proto/response.h"

struct upkeep {
	struct migrator *m;
	struct upkeep_task *task; /* the one under way; NULL: none */
	bool closing;
};

static void next(struct upkeep_task *t);

/* --- the end of a task --- */

static void task_free(struct upkeep_task *t)
{
	error_clear(&t->err);
	for (size_t i = 0; i < t->nnames; i++)
		free(t->names[i]);
	free(t->names);
	free(t->table);
	buf_free(&t->looked.told);
	buf_free(&t->looked.names);
	free(t);
}

static void finish(struct upkeep_task *t)
{
	struct upkeep *u = t->u;
	struct migrator_wait *w = t->w;
	const char *name = op_info(t->op)->name;

	if (error_is_set(&t->err))
		log_info("upkeep", "%s ended: %s", name, t->err.message);
	else if (t->op == OP_CHECK && t->looked.findings)
		log_error("upkeep", "check found the database unsound: %s", buf_cstr(&t->looked.told));
	else
		log_info("upkeep", "%s is done", name);
	/* Pages that were given back leave the file with a checkpoint. */
	if (t->op == OP_SHRINK && t->free_now < t->free_before)
		store_want_checkpoint(u->m->s);
	if (w && error_is_set(&t->err))
		error_move(&w->err, &t->err);
	else if (w)
		upkeep_answer(t, w->out);
	u->task = NULL;
	task_free(t);
	if (w)
		w->done(w);
	if (u->closing)
		migrator_pump(u->m);
}

/* --- check --- */

static void *check_main(void *arg)
{
	struct upkeep_task *t = arg;
	struct look_order order = {.store = t->u->m->s,
				   .table = t->table,
				   .quick = t->quick,
				   .whole = t->whole,
				   .stop = &t->stop,
				   .permille = &t->permille};

	(void)look_through(&order, &t->looked, &t->err);
	store_post(t->u->m->s, &t->job.mail);
	return NULL;
}

static void check_done(struct mail *mail)
{
	struct upkeep_task *t = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct upkeep_task, job);

	pthread_join(t->thread, NULL);
	if (error_is_set(&t->err) && atomic_load(&t->stop) == STOP_SHUTDOWN) {
		error_clear(&t->err);
		error_set(&t->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	}
	finish(t);
}

static int start_check(struct upkeep_task *t)
{
	t->job.mail.deliver = check_done;
	int rc = pthread_create(&t->thread, NULL, check_main, t);
	if (rc != 0)
		return error_set(&t->err, ERRC_INTERNAL, "no thread can be started for the check: %s", strerror(rc));
	t->threaded = true;
	return 0;
}

/* --- analyze and shrink: step by step --- */

static void step_run(struct job *job, struct db *db)
{
	struct upkeep_task *t = CONTAINER_OF(job, struct upkeep_task, job);
	struct error ignored = {0};

	t->ran = true;
	/* What a power cut takes back is done again; nobody was told of it. */
	bool relax = t->full && db_set_full(db, false, &t->err) == 0;
	if (!error_is_set(&t->err))
		(void)(t->op == OP_ANALYZE ? upkeep_analyze_step : upkeep_shrink_step)(t, db);
	if (relax && db_set_full(db, true, &ignored) != 0 && !error_is_set(&t->err))
		error_move(&t->err, &ignored);
	error_clear(&ignored);
}

static void step_done(struct mail *mail)
{
	struct upkeep_task *t = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct upkeep_task, job);
	uint64_t held = t->ran ? t->job.ended_ns - t->job.started_ns : 0;

	t->longest_ns = held > t->longest_ns ? held : t->longest_ns;
	next(t);
}

/* Why it may not go on; 0: it may. */
static int may_go_on(struct upkeep_task *t)
{
	enum stop_reason why = (enum stop_reason)atomic_load(&t->stop);

	if (why == STOP_SHUTDOWN)
		return error_set(&t->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	if (why != STOP_NONE)
		return error_stopped(&t->err, why);
	const struct entry *e = migrator_current(t->u->m);
	if (t->op == OP_CHECK || !e)
		return 0;
	error_set(&t->err, ERRC_MIGRATION_RUNNING, "migration m%lld is under way: %s when it has ended%s",
		  (long long)e->r->id, op_info(t->op)->name, t->longest_ns ? "; what it has done until now stays" : "");
	return -1;
}

static void next(struct upkeep_task *t)
{
	if (error_is_set(&t->err) || t->over || may_go_on(t) != 0) {
		finish(t);
		return;
	}
	const struct migrator *m = t->u->m;
	t->ran = false;
	t->hold_ns = (uint64_t)m->config.hold_ms * NS_PER_MS;
	t->full = store_get_config(m->s)->synchronous_full;
	t->job = (struct job){.mail = {.deliver = step_done}, .run = step_run};
	store_submit_writer(m->s, &t->job);
}

/* --- from outside --- */

static int refuse(const struct upkeep *u, struct error *err)
{
	if (u->closing)
		return error_set(err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	if (!u->task)
		return 0;
	return error_set(err, ERRC_BUSY, "%s is under way (%d.%d%%): check, analyze and shrink run one at a time",
			 op_info(u->task->op)->name, atomic_load(&u->task->permille) / 10,
			 atomic_load(&u->task->permille) % 10);
}

void upkeep_request(struct upkeep *u, const struct request *request, struct migrator_wait *w)
{
	const struct params *p = &request->params;

	if (refuse(u, &w->err) != 0) {
		w->done(w);
		return;
	}
	struct upkeep_task *t = xcalloc(1, sizeof(*t));
	*t = (struct upkeep_task){.u = u, .w = w, .op = request->op, .begun_ns = clock_now_ns()};
	t->table = params_has(p, PARAM_TABLE) ? xstrdup(p->table) : NULL;
	t->quick = params_has(p, PARAM_QUICK) && p->quick;
	t->whole = params_has(p, PARAM_WHOLE) && p->whole;
	u->task = t;
	if (t->op != OP_CHECK)
		next(t);
	else if (start_check(t) != 0)
		finish(t);
}

void upkeep_forget(struct upkeep *u, const struct migrator_wait *w)
{
	if (!u->task || u->task->w != w)
		return;
	u->task->w = NULL;
	atomic_store(&u->task->stop, STOP_GONE);
}

struct upkeep *upkeep_open(struct migrator *m)
{
	struct upkeep *u = xcalloc(1, sizeof(*u));

	u->m = m;
	return u;
}

void upkeep_stop(struct upkeep *u)
{
	u->closing = true;
	if (u->task)
		atomic_store(&u->task->stop, STOP_SHUTDOWN);
}

bool upkeep_busy(const struct upkeep *u) { return u->task != NULL; }

void upkeep_free(struct upkeep *u)
{
	PRE(!u || !u->task);
	free(u);
}

void migrator_upkeep(struct migrator *m, const struct request *request, struct migrator_wait *w)
{
	upkeep_request(m->upkeep, request, w);
}

void upkeep_write(const struct upkeep *u, struct buf *out)
{
	const struct upkeep_task *t = u->task;

	if (!t) {
		buf_puts(out, "null");
		return;
	}
	jw_open(out, '{');
	jw_str(out, "what", op_info(t->op)->name);
	jw_str(out, "table", t->table);
	jw_real(out, "percent", (double)atomic_load(&t->permille) / 10, 1);
	jw_real(out, "elapsed_s", (double)(clock_now_ns() - t->begun_ns) / 1e9, 1);
	jw_close(out, '}');
}

void migrator_upkeep_state(const struct migrator *m, struct buf *out) { upkeep_write(m->upkeep, out); }
