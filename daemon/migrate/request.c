/* What clients are told by the migrator: status, history. */
#include <stdio.h>

#include "daemon/migrate/migrator_internal.h"
#include "proto/response.h"

void migrator_job(const struct migrator *m, struct buf *out)
{
	struct entry *e = migrator_current(m);

	if (e && m->running) {
		struct report_live live = migrator_live(m);
		report_job(out, e->r, &live);
	} else if (e) {
		report_job(out, e->r, NULL);
	} else if (m->nhistory) {
		report_job(out, m->history[m->nhistory - 1], NULL);
	} else {
		buf_puts(out, "null");
	}
}

const char *migrator_pending(const struct migrator *m) { return m->pending ? m->pending : "[]"; }

void migrator_problems(const struct migrator *m, struct buf *out)
{
	const char *more = m->problems ? m->problems : "[]";

	if (!m->partial.version) {
		buf_puts(out, more);
		return;
	}
	buf_putc(out, '[');
	report_partial(out, m->partial.version, m->partial.done, m->partial.total);
	buf_printf(out, "%s%s", more[1] == ']' ? "" : ",", more + 1);
}

void migrator_status(const struct migrator *m, struct buf *out)
{
	jw_open(out, '{');
	jw_int(out, "version", m->version);
	jw_int(out, "latest", m->latest > m->version ? m->latest : m->version);
	jw_json(out, "pending", migrator_pending(m));
	jw_key(out, "problems");
	migrator_problems(m, out);
	jw_int(out, "queued", (int64_t)m->entries.count - m->running);
	jw_key(out, "job");
	migrator_job(m, out);
	jw_close(out, '}');
}

void migrator_history(const struct migrator *m, struct buf *out)
{
	buf_puts(out, "{\"history\":[");
	for (size_t i = 0; i < m->nhistory; i++) {
		if (i)
			buf_putc(out, ',');
		report_history(out, m->history[i]);
	}
	buf_puts(out, "]}");
}

void migrator_line(const struct migrator *m, char *out, size_t size)
{
	struct entry *e = migrator_current(m);

	out[0] = '\0';
	if (e && m->running) {
		struct report_live live = migrator_live(m);
		report_line(out, size, e->r, &live);
	}
}

int64_t migrator_version(const struct migrator *m) { return m->version; }
