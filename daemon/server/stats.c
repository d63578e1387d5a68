/* A small table of names and counts: a few dozen names at most, so a walk through it is quick. */
#include "daemon/server/stats.h"

#include <string.h>

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
