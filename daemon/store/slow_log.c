/* Slow statements told; see slow_log.h. */
#include "daemon/store/slow_log.h"

#include "daemon/lib/log.h"
#include "daemon/store/internal.h"
#include "daemon/store/normalise.h"

/* Bytes of a statement in the log: the line has a limit, and the figures come first. */
#define TEXT_BYTES_MAX 1600

static bool may_write(struct slow_log *l, uint64_t now)
{
	l->total++;
	if (now - l->second_ns >= NS_PER_S) {
		l->second_ns = now;
		l->lines = 0;
	}
	if (l->lines >= SLOW_LINES_MAX) {
		l->untold++;
		l->passed_over_total++;
		return false;
	}
	l->lines++;
	return true;
}

static double ms(uint64_t ns) { return (double)ns / 1e6; }

void slow_log_write(struct store *s, const struct sql_job *job, const struct figures *f, const struct statement *e,
		    const char *sql, size_t n)
{
	struct slow_log *l = &s->slow_log;
	uint64_t waited = job->job.started_ns - job->job.submitted_ns;
	struct buf text = {0}, untold = {0};

	if (!may_write(l, clock_now_ns()))
		return;
	if (e)
		buf_add(&text, e->text, e->n);
	else
		sql_normalise(sql, n, true, &text);
	if (l->untold)
		buf_printf(&untold, " (%lld more were not told)", (long long)l->untold);
	l->untold = 0;
	const char *shown = buf_cstr(&text);
	int width = text.len > TEXT_BYTES_MAX ? TEXT_BYTES_MAX : (int)text.len;
	while (width < (int)text.len && width > 0 && ((unsigned char)shown[width] & 0xc0) == 0x80)
		width--;
	log_event(LOG_LEVEL_WARNING, "store",
		  LOG_FIELDS(.event = LOG_EVENT_SLOW_STATEMENT, .session = job->session->id),
		  "slow statement of s%llu: %.1f ms, waited %.1f ms, %lld runs, %lld rows, %lld changed, %lld scanned, "
		  "%lld sorts%s: %.*s%s",
		  (unsigned long long)job->session->id, ms(f->max_ns), ms(waited), (long long)f->calls,
		  (long long)f->rows, (long long)f->changes, (long long)f->scan_steps, (long long)f->sorts,
		  buf_cstr(&untold), width, shown, width < (int)text.len ? "..." : "");
	buf_free(&text);
	buf_free(&untold);
}
