/*
 * migrate.resolve: a person says what a partial version counts as. Applied: it takes its line in the history, with the
 * file as it is now. Not applied: that a part of it has run is forgotten, and up begins at its first statement. Nothing
 * else in the database is touched. Either way a job that has ended tells who said so.
 */
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/file_task.h"
#include "proto/response.h"

static struct applied line_of(const struct file_task *t)
{
	const struct partial *p = &t->partial;
	const struct version *v = t->has_folder ? folder_find(&t->folder, p->version) : NULL;

	return (struct applied){.version = p->version,
				.name = v ? v->name : p->name,
				.checksum = v ? v->checksum : p->checksum,
				.took_ms = p->took_ms,
				.tool = "resolve",
				.down_sql = !v                ? p->down_sql
					    : v->down.present ? v->down.text
							      : NULL,
				.consented_by = p->consented_by};
}

static struct record *ended_job(const struct file_task *t, int64_t version)
{
	const struct partial *p = &t->partial;
	struct record *r = record_new();

	r->state = JOB_DONE;
	r->p.phase = PHASE_END;
	r->queued_ms = r->started_ms = r->ended_ms = clock_wall_ms();
	r->run = (struct run_place){.steps = 1,
				    .from_version = t->history.version,
				    .to_version = version,
				    .version = p->version,
				    .after = version};
	record_set(&r->name, p->name);
	record_set(&r->file, p->file);
	record_set(&r->table, "");
	record_set(&r->strategy, "none");
	record_set(&r->sql, t->applied ? "resolve --applied" : "resolve --not-applied");
	record_set(&r->applied_by, t->options.user);
	return r;
}

int resolve_look(struct file_task *t)
{
	const struct partial *p = &t->partial;
	int64_t version = t->history.version;

	if (p->version != t->version)
		return error_set(&t->err, ERRC_WRONG_STATE, "version %lld is not partial: there is nothing to resolve",
				 (long long)t->version);
	if (t->applied) {
		t->record = pool_alloc(&t->pool, sizeof(*t->record));
		t->record[0] = line_of(t);
		t->nrecord = 1;
		version = p->version > version ? p->version : version;
	} else {
		t->nrecord = 0;
	}
	t->r = ended_job(t, version);
	return 0;
}

/* Another one may have been quicker. */
static int still_partial(struct file_task *t, struct db *db)
{
	int64_t n = 0;

	if (db_int(db, &n, &t->err, "SELECT count(*) FROM main._alterd_partial WHERE version=%lld",
		   (long long)t->version) != 0)
		return -1;
	return n ? 0
		 : error_set(&t->err, ERRC_WRONG_STATE, "version %lld is not partial any more", (long long)t->version);
}

int resolve_write(struct file_task *t, struct db *db)
{
	char now[32];

	clock_format(clock_wall_ms(), 3, now);
	if (still_partial(t, db) != 0 || partial_forget(db, t->version, &t->err) != 0)
		return -1;
	if (t->applied) {
		t->record[0].applied_at = now;
		t->record[0].applied_by = t->options.user;
		if (history_add(db, &t->record[0], &t->err) != 0)
			return -1;
	}
	return catalog_insert(db, t->r, &t->err);
}

void resolve_done(struct file_task *t)
{
	struct migrator *m = t->m;
	struct buf *out = &t->answer;

	log_info("migrate", "version %lld is said to be %s, after %lld of %lld statements", (long long)t->version,
		 t->applied ? "applied" : "not applied", (long long)t->partial.done, (long long)t->partial.total);
	jw_open(out, '{');
	jw_int(out, "version", t->version);
	jw_str(out, "name", t->partial.name);
	jw_bool(out, "applied", t->applied);
	jw_int(out, "done", t->partial.done);
	jw_int(out, "total", t->partial.total);
	jw_str(out, "checksum", t->applied ? t->record[0].checksum : NULL);
	jw_close(out, '}');
	migrator_set_version(m, t->r->run.after, NULL);
	m->partial = (struct partial_place){0};
	migrator_to_history(m, t->r);
	t->r = NULL;
	migrator_look_at_folder(m);
}
