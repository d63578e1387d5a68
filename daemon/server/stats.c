/* A small table of names and counts: a few dozen names at most, so a walk through it is quick. */
#include "daemon/server/stats.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/server/internal.h"
#include "daemon/server/metrics.h"
#include "proto/response.h"

void stats_error(struct stats *s, const char *name)
{
	size_t i = 0;

	s->errors_total++;
	while (i < s->names && strcmp(s->error[i].name, name) != 0)
		i++;
	if (i == STATS_NAMES_MAX) {
		s->errors_other++;
		return;
	}
	if (i == s->names) {
		s->error[i].name = name;
		s->names++;
	}
	s->error[i].count++;
}

void stats_write_errors(const struct stats *s, struct buf *out)
{
	jw_open(out, '{');
	for (size_t i = 0; i < s->names; i++)
		jw_int(out, s->error[i].name, (int64_t)s->error[i].count);
	if (s->errors_other > 0)
		jw_int(out, "other", (int64_t)s->errors_other);
	jw_close(out, '}');
}

static void write_sample(struct buf *out, const char *name, uint64_t count)
{
	buf_puts(out, "alterd_errors_total{name=");
	metrics_label(out, name);
	buf_printf(out, "} %" PRIu64 "\n", count);
}

void metrics_write_errors(const struct stats *s, struct buf *out)
{
	for (size_t i = 0; i < s->names; i++)
		write_sample(out, s->error[i].name, s->error[i].count);
	if (s->errors_other > 0)
		write_sample(out, "other", s->errors_other);
}

const char *server_stop_word(enum stop_reason why)
{
	static const char *const names[] = {
		[STOP_CANCEL] = "cancel",     [STOP_KILL] = "kill",       [STOP_GONE] = "gone",
		[STOP_TIMEOUT] = "timeout",   [STOP_EXPIRED] = "expired", [STOP_LONG] = "long",
		[STOP_SHUTDOWN] = "shutdown",
	};

	return names[why];
}
