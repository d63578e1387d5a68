/* The statistics of statements told: in what order, and as JSON. */
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/store/db.h"
#include "daemon/store/statements.h"
#include "proto/response.h"
#include "proto/value.h"

enum order { BY_TIME, BY_CALLS, BY_SCANS, BY_MEAN, BY_MAX, BY_ROWS, BY_SORTS, BY_WORK, BY_ERRORS };

static const char *const orders[] = {"time", "calls", "scans", "mean", "max", "rows", "sorts", "work", "errors"};

bool statements_order(const char *by, int *ret_order)
{
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
		if (strcmp(orders[i], by) == 0) {
			*ret_order = (int)i;
			return true;
		}
	}
	return false;
}

static double mean_ns(const struct figures *f) { return f->calls ? (double)f->ns / (double)f->calls : 0; }

static double figure_of(const struct figures *f, enum order order)
{
	switch (order) {
	case BY_TIME:
		return (double)f->ns;
	case BY_CALLS:
		return (double)f->calls;
	case BY_SCANS:
		return (double)f->scan_steps;
	case BY_MEAN:
		return mean_ns(f);
	case BY_MAX:
		return (double)f->max_ns;
	case BY_ROWS:
		return (double)(f->rows + f->changes);
	case BY_SORTS:
		return (double)f->sorts;
	case BY_WORK:
		return (double)f->vm_steps;
	case BY_ERRORS:
		return (double)f->errors;
	}
	return 0;
}

struct ranked {
	const struct statement *e;
	double figure;
};

static int by_figure(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	if (left->figure != right->figure)
		return left->figure < right->figure ? 1 : -1;
	/* Some fixed order among equals: the older first. */
	return left->e->serial < right->e->serial ? -1 : 1;
}

size_t statements_top(const struct statements *s, int order, size_t limit, const struct statement **ret)
{
	struct ranked *all = s->count ? malloc(s->count * sizeof *all) : NULL;
	size_t n = 0;

	for (size_t i = 0; all && i < s->max && n < s->count; i++)
		if (s->at[i].serial)
			all[n++] = (struct ranked){&s->at[i], figure_of(&s->at[i].f, (enum order)order)};
	if (n > 1)
		qsort(all, n, sizeof *all, by_figure);
	if (n > limit)
		n = limit;
	for (size_t i = 0; i < n; i++)
		ret[i] = all[i].e;
	free(all);
	return n;
}

static const char *kind_of(int type)
{
	return type == SQL_TYPE_READ    ? "read"
	       : type == SQL_TYPE_WRITE ? "write"
	       : type == SQL_TYPE_DDL   ? "ddl"
					: "other";
}

static void write_one(const struct statement *e, struct buf *out)
{
	const struct figures *f = &e->f;

	jw_open(out, '{');
	jw_key(out, "sql");
	json_write_string(out, e->text, e->n);
	if (e->cut)
		jw_bool(out, "cut", true);
	jw_str(out, "kind", kind_of(e->type));
	jw_int(out, "calls", f->calls);
	jw_int(out, "errors", f->errors);
	jw_real(out, "total_ms", (double)f->ns / 1e6, 3);
	jw_real(out, "mean_ms", mean_ns(f) / 1e6, 3);
	jw_real(out, "max_ms", (double)f->max_ns / 1e6, 3);
	jw_int(out, "rows", f->rows);
	jw_int(out, "changes", f->changes);
	jw_int(out, "scans", f->scans);
	jw_int(out, "scan_steps", f->scan_steps);
	jw_int(out, "sorts", f->sorts);
	jw_int(out, "auto_rows", f->auto_rows);
	jw_int(out, "vm_steps", f->vm_steps);
	jw_close(out, '}');
}

void statements_write(const struct statements *s, int order, size_t limit, struct buf *out)
{
	const struct statement **top = limit && s->count ? malloc(s->count * sizeof *top) : NULL;
	size_t n = top ? statements_top(s, order, limit, top) : 0;
	char since[32];

	clock_format(s->since_ms, 3, since);
	jw_open(out, '{');
	jw_str(out, "since", since);
	jw_int(out, "texts", (int64_t)s->count);
	jw_int(out, "texts_max", (int64_t)s->max);
	jw_int(out, "evicted_total", (int64_t)s->evicted);
	jw_int(out, "others", s->others);
	jw_key(out, "statements");
	jw_open(out, '[');
	for (size_t i = 0; i < n; i++)
		write_one(top[i], out);
	jw_close(out, ']');
	jw_close(out, '}');
	free(top);
}
