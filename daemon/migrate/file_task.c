/* The course of a request about migration files; see file_task.h. */
#include "daemon/migrate/file_task.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/mirror.h"
#include "daemon/migrate/rehearsal.h"
#include "proto/response.h"

static bool is_run(const struct file_task *t)
{
	return t->op == OP_MIGRATE_UP || t->op == OP_MIGRATE_DOWN || t->op == OP_MIGRATE_TO;
}

/* Not beside a run. */
static bool is_alone(const struct file_task *t) { return is_run(t) || t->op == OP_MIGRATE_RESOLVE; }

static void free_task(struct file_task *t)
{
	list_remove(&t->m->file_tasks, &t->node);
	record_free(t->r);
	error_clear(&t->err);
	buf_free(&t->answer);
	buf_free(&t->pending);
	buf_free(&t->problems);
	pool_free(&t->pool);
	free(t);
}

/* Ends the task with its error or its answer. */
static void finish(struct file_task *t)
{
	struct migrator *m = t->m;
	struct migrator_wait *w = t->w;

	if (!w && error_is_set(&t->err) && t->op == OP_MIGRATE_LIST)
		log_warning("migrate", "the folder of migrations: %s", t->err.message);
	if (w && error_is_set(&t->err))
		error_move(&w->err, &t->err);
	else if (w)
		buf_add(w->out, t->answer.data, t->answer.len);
	free_task(t);
	if (w)
		w->done(w);
	migrator_pump(m);
}

/* --- on a reader lane --- */

static void look_run(struct job *job, struct db *db)
{
	struct file_task *t = CONTAINER_OF(job, struct file_task, job);

	t->ran = true;
	t->rc = -1;
	if (db_begin(db, &t->err) != 0)
		return;
	t->rc = file_look(t, db);
	db_rollback(db);
}

/* --- on the writer lane --- */

/* Versions taken for applied: by baseline, or from another tool. */
static int write_history(struct file_task *t, struct db *db)
{
	char now[32];

	clock_format(clock_wall_ms(), 3, now);
	for (size_t i = 0; i < t->nrecord; i++) {
		t->record[i].applied_at = now;
		t->record[i].applied_by = t->options.user;
		if (history_add(db, &t->record[i], &t->err) != 0)
			return -1;
	}
	return 0;
}

static int write_run(struct file_task *t, struct db *db)
{
	record_set(&t->r->applied_by, t->options.user);
	if (write_history(t, db) != 0 || catalog_insert(db, t->r, &t->err) != 0)
		return -1;
	for (size_t i = 0; i < t->run.n; i++)
		if (steps_add(db, t->r->id, (int64_t)i, &t->run.at[i], &t->err) != 0)
			return -1;
	return 0;
}

static int write_repair(struct file_task *t, struct db *db)
{
	if (history_set_checksum(db, t->version, t->checksum, &t->err) != 0)
		return -1;
	return t->mirror ? mirror_checksum(db, t->repaired, &t->err) : 0;
}

static void write_task(struct job *job, struct db *db)
{
	struct file_task *t = CONTAINER_OF(job, struct file_task, job);

	t->ran = true;
	t->rc = db_begin(db, &t->err);
	if (t->rc == 0 && is_run(t))
		t->rc = write_run(t, db);
	else if (t->rc == 0 && t->op == OP_MIGRATE_BASELINE)
		t->rc = write_history(t, db);
	else if (t->rc == 0 && t->op == OP_MIGRATE_RESOLVE)
		t->rc = resolve_write(t, db);
	else if (t->rc == 0)
		t->rc = write_repair(t, db);
	if (t->rc != 0 || (t->rc = db_commit(db, &t->err)) != 0)
		db_rollback(db);
	(void)FAULT("alter-committed");
}

/* --- on the loop --- */

/* The first run that has not ended; NULL: there is none. */
static const struct record *running(const struct migrator *m)
{
	for (struct list_node *n = list_first(&m->entries); n; n = list_next(&m->entries, n)) {
		const struct record *r = LIST_ENTRY(n, struct entry, node)->r;
		if (r->run.steps > 0)
			return r;
	}
	return NULL;
}

static int only_one(struct file_task *t)
{
	const struct record *r = running(t->m);
	char job[32];

	for (struct list_node *n = list_first(&t->m->file_tasks); n && !r; n = list_next(&t->m->file_tasks, n))
		if (n != &t->node && LIST_ENTRY(n, struct file_task, node)->r)
			return error_set(&t->err, ERRC_MIGRATION_RUNNING, "another run is just beginning");
	if (!r)
		return 0;
	snprintf(job, sizeof(job), "m%lld", (long long)r->id);
	error_set(&t->err, ERRC_MIGRATION_RUNNING, "migration %s is running (%lld %.100s)", job,
		  (long long)r->run.version, r->name ? r->name : "");
	error_add_str(&t->err, "job", job);
	return -1;
}

static void answer_baseline(struct file_task *t)
{
	struct buf *out = &t->answer;

	jw_open(out, '{');
	jw_int(out, "version", t->version);
	jw_key(out, "recorded");
	jw_open(out, '[');
	for (size_t i = 0; i < t->nrecord; i++)
		buf_printf(out, "%s%lld", i ? "," : "", (long long)t->record[i].version);
	jw_close(out, ']');
	jw_bool(out, "dry_run", t->dry_run);
	jw_close(out, '}');
}

/* The run's job is written: it takes its place in the queue. */
static void enqueue(struct file_task *t)
{
	struct migrator *m = t->m;
	struct migrator_wait *w = t->w;
	struct entry *e = migrator_queue(m, t->r);

	migrator_tell(m, t->r, "queued");
	if (w && t->wait)
		list_push(&e->waiters, &w->node);
	else if (w)
		buf_printf(&t->answer, "{\"job\":\"m%lld\",\"from\":%lld,\"to\":%lld}", (long long)t->r->id,
			   (long long)t->run.from, (long long)t->run.to);
	t->r = NULL;
	if (t->wait)
		t->w = NULL;
	finish(t);
}

static void written(struct mail *mail)
{
	struct file_task *t = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct file_task, job);

	if (!t->ran && !error_is_set(&t->err))
		error_set(&t->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	if (!t->ran || t->rc != 0) {
		finish(t);
		return;
	}
	if (is_run(t)) {
		enqueue(t);
		return;
	}
	if (t->op == OP_MIGRATE_RESOLVE) {
		resolve_done(t);
	} else if (t->op == OP_MIGRATE_BASELINE) {
		migrator_set_version(t->m, t->version, NULL);
		answer_baseline(t);
	} else {
		buf_printf(&t->answer, "{\"version\":%lld,\"checksum\":\"%s\"}", (long long)t->version, t->checksum);
	}
	finish(t);
}

static void make_record(struct file_task *t)
{
	struct record *r = t->r = record_new();

	r->state = JOB_QUEUED;
	r->p.phase = PHASE_PLAN;
	r->queued_ms = clock_wall_ms();
	r->control.postpone = t->postpone;
	r->run = (struct run_place){.steps = (int64_t)t->run.n,
				    .from_version = t->run.from,
				    .to_version = t->run.to,
				    .version = t->run.at[0].version,
				    .down = t->run.at[0].down,
				    .after = t->run.at[0].after};
	record_set(&r->name, t->run.at[0].name);
	record_set(&r->file, t->run.at[0].file);
	record_set(&r->sql, "");
	record_set(&r->table, "");
}

/* What migrate.status tells until the folder is looked at again. */
static void keep_listing(struct file_task *t)
{
	struct migrator *m = t->m;

	m->latest = t->latest;
	record_set(&m->pending, buf_cstr(&t->pending));
	record_set(&m->problems, buf_cstr(&t->problems));
}

static void rehearsed(struct file_task *t)
{
	t->rehearsal = NULL;
	jw_close(&t->answer, '}');
	finish(t);
}

/* The plan is made; with `try` it is rehearsed before it is answered. */
static void planned(struct file_task *t)
{
	if (t->rehearses && t->run.n == 0)
		jw_json(&t->answer, "try", "{\"state\":\"done\",\"took_ms\":0,\"steps\":[]}");
	else if (t->rehearses && t->w && !t->m->closing && rehearsal_start(t, rehearsed) == 0)
		return;
	rehearsed(t);
}

static void looked(struct mail *mail)
{
	struct file_task *t = CONTAINER_OF(CONTAINER_OF(mail, struct job, mail), struct file_task, job);

	if (!t->ran && !error_is_set(&t->err)) {
		if (t->m->closing)
			error_set(&t->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
		else
			error_set_sqlite(&t->err, SQLITE_CANTOPEN, "SQLITE_CANTOPEN",
					 "no connection for reading could be opened");
	}
	if (t->ran && t->rc == 0 && t->op == OP_MIGRATE_LIST && !t->sent)
		keep_listing(t);
	bool reads = t->op == OP_MIGRATE_LIST || t->op == OP_MIGRATE_VALIDATE;
	if (t->ran && t->rc == 0 && t->op == OP_MIGRATE_PLAN) {
		planned(t);
		return;
	}
	if (!t->ran || t->rc != 0 || reads || (is_alone(t) && only_one(t) != 0)) {
		finish(t);
		return;
	}
	if (is_run(t) && t->run.n == 0) {
		buf_printf(&t->answer, "{\"job\":null,\"state\":\"done\",\"from\":%lld,\"to\":%lld}",
			   (long long)t->run.from, (long long)t->run.to);
		finish(t);
		return;
	}
	if (t->op == OP_MIGRATE_BASELINE && t->dry_run) {
		answer_baseline(t);
		finish(t);
		return;
	}
	if (is_run(t))
		make_record(t);
	t->ran = false;
	t->job = (struct job){
		.mail = {.deliver = written}, .run = write_task, .class = JOB_BACKGROUND, .deadline_ns = CLOCK_NEVER};
	store_submit_writer(t->m->s, &t->job);
}

/* The request's memory goes when its client does. */
static void take_files(struct file_task *t, const struct params *p)
{
	t->sent = params_has(p, PARAM_FILES);
	t->files = pool_alloc(&t->pool, (p->nfiles + 1) * sizeof(*t->files));
	for (size_t i = 0; i < p->nfiles; i++)
		t->files[t->nfiles++] = (struct folder_file){
			.name = pool_str(&t->pool, p->files[i].name),
			.text = pool_dup(&t->pool, p->files[i].sql, p->files[i].sql_len),
			.len = p->files[i].sql_len};
	if (params_has(p, PARAM_SCHEMA))
		t->schema = (struct folder_file){.name = pool_str(&t->pool, p->schema.name),
						 .text = pool_dup(&t->pool, p->schema.sql, p->schema.sql_len),
						 .len = p->schema.sql_len};
}

static int take_options(struct file_task *t, const struct params *p)
{
	const char *format = params_has(p, PARAM_FORMAT) ? p->format : t->sent ? "auto" : t->m->config.format;
	bool to_version = t->op == OP_MIGRATE_TO;
	/* A plan also tells the way back. */
	bool back = t->op == OP_MIGRATE_PLAN && params_has(p, PARAM_TO) && !params_has(p, PARAM_STEPS);

	t->options = (struct run_options){
		.kind = t->op == OP_MIGRATE_DOWN ? RUN_DOWN
			: to_version || back     ? RUN_TO
						 : RUN_UP,
		.has_to = to_version || params_has(p, PARAM_TO),
		.to = to_version ? p->version : p->to,
		.steps = params_has(p, PARAM_STEPS) ? p->nsteps_asked : 0,
		.allow_data_loss = p->allow_data_loss,
		.allow_out_of_order = p->allow_out_of_order,
	};
	t->format = folder_format_by_name(format ? format : "auto");
	if (t->format == FOLDER_FORMAT_COUNT)
		return error_set(&t->err, ERRC_INVALID_PARAMS, "no form of migration files is called %.60s", format);
	if (t->op == OP_MIGRATE_BASELINE && !params_has(p, PARAM_VERSION)) {
		if (t->from_tool && strcmp(t->from_tool, FROM_USER_VERSION) == 0)
			return 0;
		return error_set(&t->err, ERRC_INVALID_PARAMS,
				 "migrate.baseline needs the parameter version, or from "
				 "\"" FROM_USER_VERSION "\"");
	}
	bool names = t->op == OP_MIGRATE_BASELINE || t->op == OP_MIGRATE_REPAIR || t->op == OP_MIGRATE_RESOLVE;
	if (names && t->version < 1)
		return error_set(&t->err, ERRC_INVALID_PARAMS, "versions begin with 1");
	return 0;
}

/* One rehearsal at a time, and none beside a change: the copy would hold half of it. */
static int may_rehearse(struct file_task *t)
{
	struct migrator *m = t->m;

	for (struct list_node *n = list_first(&m->file_tasks); n; n = list_next(&m->file_tasks, n))
		if (n != &t->node && LIST_ENTRY(n, struct file_task, node)->rehearses)
			return error_set(&t->err, ERRC_BUSY, "another rehearsal is under way");
	if (migrator_current(m))
		return error_set(&t->err, ERRC_MIGRATION_RUNNING, "a migration is running: its end comes first");
	return 0;
}

void migrator_files(struct migrator *m, const struct request *request, uint32_t uid, struct migrator_wait *w)
{
	const struct params *p = &request->params;
	struct file_task *t = xcalloc(1, sizeof(*t));

	*t = (struct file_task){.m = m,
				.w = w,
				.op = request->op,
				.uid = uid,
				.wait = p->wait,
				.postpone = p->postpone_cutover,
				.dry_run = p->dry_run,
				.mirror = m->config.mirror,
				.applied = p->applied,
				.rehearses = request->op == OP_MIGRATE_PLAN && p->rehearse,
				.version = p->version};
	list_push(&m->file_tasks, &t->node);
	take_files(t, p);
	t->path = pool_str(&t->pool, m->config.folder ? m->config.folder : "");
	t->from_tool = params_has(p, PARAM_FROM) ? pool_str(&t->pool, p->from) : NULL;
	if (m->closing)
		error_set(&t->err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
	else if ((int64_t)(m->entries.count + m->file_tasks.count) > m->config.queue_max)
		error_set(&t->err, ERRC_TOO_MANY, "%lld migrations are waiting already",
			  (long long)m->config.queue_max);
	if (error_is_set(&t->err) || take_options(t, p) != 0 || (is_alone(t) && only_one(t) != 0) ||
	    (t->rehearses && may_rehearse(t) != 0)) {
		finish(t);
		return;
	}
	t->job = (struct job){
		.mail = {.deliver = looked}, .run = look_run, .class = JOB_BACKGROUND, .deadline_ns = CLOCK_NEVER};
	store_submit_reader(m->s, &t->job);
}

void migrator_look_at_folder(struct migrator *m)
{
	struct request request = {.op = OP_MIGRATE_LIST};

	if (m->config.folder && *m->config.folder && !m->closing)
		migrator_files(m, &request, 0, NULL);
}

void file_tasks_forget(struct migrator *m, const struct migrator_wait *w)
{
	for (struct list_node *n = list_first(&m->file_tasks); n; n = list_next(&m->file_tasks, n)) {
		struct file_task *t = LIST_ENTRY(n, struct file_task, node);
		if (t->w != w)
			continue;
		t->w = NULL;
		if (t->rehearsal)
			rehearsal_stop(t->rehearsal);
	}
}
