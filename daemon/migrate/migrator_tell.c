/* Telling what becomes of jobs and of the schema. */
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/store/changes.h"
#include "proto/response.h"

static void schema_changed(void *arg, const struct schema_change *change)
{
	struct migrator *m = arg;

	if (m->listener && m->listener->schema)
		m->listener->schema(m->listener->arg, change);
}

static void schema_seen(void *arg)
{
	struct migrator *m = arg;

	if (m->listener && m->listener->schema_seen)
		m->listener->schema_seen(m->listener->arg);
}

static void schema_idle(void *arg)
{
	struct migrator *m = arg;

	if (m->closing)
		migrator_pump(m);
}

static void schema_touched(void *arg) { schema_watch_look(&((struct migrator *)arg)->schema); }

void migrator_tell_open(struct migrator *m)
{
	schema_watch_init(&m->schema, m->s);
	m->schema.arg = m;
	m->schema.changed = schema_changed;
	m->schema.seen = schema_seen;
	m->schema.idle = schema_idle;
	store_on_schema(m->s, schema_touched, m);
}

void migrator_tell_close(struct migrator *m)
{
	store_on_schema(m->s, NULL, NULL);
	schema_watch_free(&m->schema);
}

void migrator_listen(struct migrator *m, const struct migrator_listener *listener, bool jobs, bool schema)
{
	m->listener = listener;
	m->tells_jobs = jobs;
	schema_watch_set(&m->schema, schema && !m->closing);
}

bool migrator_sees_schema(const struct migrator *m) { return m->schema.on && m->schema.known; }

void migrator_tell(struct migrator *m, const struct record *r, const char *type)
{
	struct buf data = {0};

	if (!m->listener || !m->tells_jobs)
		return;
	bool runs = m->running && m->m.r == r;
	struct report_live live = runs ? migrator_live(m) : (struct report_live){0};
	report_event(&data, r, runs && r->state == JOB_RUNNING ? &live : NULL);
	m->listener->job(m->listener->arg, type, r->id, buf_cstr(&data));
	buf_free(&data);
	m->told_ms = clock_now_ns() / NS_PER_MS;
	m->told_percent = (int64_t)(report_percent(r) * 10);
	m->told_throttled = live.throttled;
}

void migrator_tell_progress(struct migrator *m)
{
	if (!m->listener || !m->tells_jobs || !m->running || m->ended || !m->m.r)
		return;
	if (clock_now_ns() / NS_PER_MS - m->told_ms < PROGRESS_MS)
		return;
	if ((int64_t)(report_percent(m->m.r) * 10) != m->told_percent ||
	    migrator_live(m).throttled != m->told_throttled)
		migrator_tell(m, m->m.r, "progress");
}

void migrator_tell_paused(struct migrator *m, const struct record *r, bool before)
{
	enum phase p = r->p.phase;

	if (before != (r->control.paused != 0) && p != PHASE_ABORT && p != PHASE_END)
		migrator_tell(m, r, r->control.paused ? "paused" : "resumed");
}

void migrator_set_version(struct migrator *m, int64_t version, const struct record *r)
{
	struct buf data = {0};
	int64_t before = m->version;

	m->version = version;
	if (version == before)
		return;
	schema_watch_look(&m->schema);
	if (!m->listener || !m->tells_jobs)
		return;
	jw_open(&data, '{');
	jw_int(&data, "version", version);
	jw_int(&data, "from", before);
	if (r)
		buf_printf(&data, ",\"job\":\"m%lld\"", (long long)r->id);
	else
		jw_null(&data, "job");
	jw_close(&data, '}');
	m->listener->job(m->listener->arg, "version", r ? r->id : 0, buf_cstr(&data));
	buf_free(&data);
}
