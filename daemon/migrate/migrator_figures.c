/* The migrator as figures, for metrics. */
#include "daemon/migrate/migrator_internal.h"

static int64_t count_of(const char *array)
{
	int64_t n = array[0] == '[' && array[1] != ']';

	for (; *array; array++)
		n += *array == ',';
	return n;
}

static void running_job(const struct migrator *m, const struct record *r, struct migrator_figures *ret)
{
	ret->running = true;
	ret->job_version = r->run.steps ? r->run.version : 0;
	ret->table = r->table ? r->table : "";
	ret->phase = phase_wire(r->p.phase);
	ret->progress = report_percent(r) / 100;
	ret->paused = r->control.paused != 0;
	ret->eta_s = -1;
	if (m->running && m->m.r == r) {
		struct report_live live = migrator_live(m);
		ret->eta_s = live.eta_s;
		ret->throttled = live.throttled;
	}
}

void migrator_figures(const struct migrator *m, struct migrator_figures *ret)
{
	const struct entry *e = migrator_current(m);

	*ret = (struct migrator_figures){
		.version = m->version,
		.pending = count_of(migrator_pending(m)),
		.queued = (int64_t)m->entries.count - (e != NULL),
		.done_total = m->jobs_ended[JOB_DONE],
		.failed_total = m->jobs_ended[JOB_FAILED],
		.aborted_total = m->jobs_ended[JOB_ABORTED],
		.rows_total = m->rows_before + (e ? e->r->p.rows_done : 0),
	};
	if (e)
		running_job(m, e->r, ret);
}
