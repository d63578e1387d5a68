/* migrate.list: the versions, applied and pending, and what is wrong with them. */
#include <string.h>

#include "daemon/migrate/file_task.h"
#include "proto/response.h"
#include "proto/value.h"

static int64_t latest(const struct file_task *t)
{
	int64_t version = t->history.version;

	for (size_t i = 0; t->has_folder && i < t->folder.n; i++)
		if (t->folder.at[i].number > version)
			version = t->folder.at[i].number;
	return version;
}

/* NULL: nothing is. */
static const char *problem_of(const struct file_task *t, const struct version *v, const struct applied *a)
{
	if (a && !v)
		return t->has_folder ? "no file" : NULL;
	if (a && v && run_changed(v, a))
		return "changed";
	if (v && v->number != t->partial.version && !history_find(&t->history, v->number) &&
	    run_out_of_order(&t->folder, &t->history, v))
		return "out of order";
	return NULL;
}

static void problem(struct buf *out, const struct file_task *t, const struct version *v, const struct applied *a)
{
	const char *state = problem_of(t, v, a);

	if (!state)
		return;
	jw_open(out, '{');
	jw_int(out, "version", v ? v->number : a->version);
	jw_str(out, "state", state);
	jw_close(out, '}');
}

/* What migrate.list tells. migrate.status, which has the partial version by itself, is told of the folder alone. */
static void problems(struct buf *out, const struct file_task *t, bool partial)
{
	jw_open(out, '[');
	if (partial && t->partial.version)
		report_partial(out, t->partial.version, t->partial.done, t->partial.total);
	for (size_t i = 0; i < t->history.n; i++) {
		const struct applied *a = &t->history.at[i];
		problem(out, t, t->has_folder ? folder_find(&t->folder, a->version) : NULL, a);
	}
	for (size_t i = 0; t->has_folder && i < t->folder.n; i++)
		if (!history_find(&t->history, t->folder.at[i].number))
			problem(out, t, &t->folder.at[i], NULL);
	jw_close(out, ']');
}

/* A version that is applied, or its file, or both. `p`: a part of it has run; else NULL. */
static void version_line(struct buf *out, const struct version *v, const struct applied *a, const struct partial *p)
{
	bool kept = a && a->down_sql;

	jw_open(out, '{');
	jw_int(out, "version", a ? a->version : v ? v->number : 0);
	jw_str(out, "name", v ? v->name : a ? a->name : "");
	jw_str(out, "state", a ? "applied" : p ? "partial" : "pending");
	jw_bool(out, "file", v != NULL);
	jw_str(out, "checksum", a ? a->checksum : v ? v->checksum : NULL);
	jw_bool(out, "reversible", kept || (v && v->down.present));
	if (a) {
		jw_str(out, "applied_at", a->applied_at);
		jw_str(out, "applied_by", a->applied_by);
		jw_str(out, "tool", a->tool);
		jw_int(out, "took_ms", a->took_ms);
		jw_str(out, "consented_by", a->consented_by);
	}
	if (p) {
		jw_int(out, "done", p->done);
		jw_int(out, "total", p->total);
		jw_str(out, "ran_at", p->ran_at);
		jw_str(out, "ran_by", p->ran_by);
		jw_str(out, "consented_by", p->consented_by);
	}
	jw_close(out, '}');
}

static void versions(struct buf *out, const struct file_task *t)
{
	jw_key(out, "migrations");
	jw_open(out, '[');
	/* What has no file is told first: where it would stand among the files is not known for every form. */
	for (size_t i = 0; i < t->history.n; i++)
		if (!t->has_folder || !folder_find(&t->folder, t->history.at[i].version))
			version_line(out, NULL, &t->history.at[i], NULL);
	for (size_t i = 0; t->has_folder && i < t->folder.n; i++) {
		const struct version *v = &t->folder.at[i];
		version_line(out, v, history_find(&t->history, v->number),
			     v->number == t->partial.version ? &t->partial : NULL);
	}
	jw_close(out, ']');
}

static void pending(struct buf *out, const struct file_task *t)
{
	bool first = true;

	buf_putc(out, '[');
	for (size_t i = 0; t->has_folder && i < t->folder.n; i++) {
		if (history_find(&t->history, t->folder.at[i].number))
			continue;
		buf_printf(out, "%s%lld", first ? "" : ",", (long long)t->folder.at[i].number);
		first = false;
	}
	buf_putc(out, ']');
}

void file_warnings(struct file_task *t)
{
	struct buf *out = &t->answer;

	jw_key(out, "warnings");
	jw_open(out, '[');
	for (size_t i = 0; t->has_folder && i < t->folder.nwarnings; i++) {
		if (i)
			buf_putc(out, ',');
		json_write_string(out, t->folder.warnings[i], strlen(t->folder.warnings[i]));
	}
	jw_close(out, ']');
}

void file_list(struct file_task *t)
{
	struct buf *out = &t->answer, all = {0};

	t->latest = latest(t);
	pending(&t->pending, t);
	problems(&t->problems, t, false);
	problems(&all, t, true);
	jw_open(out, '{');
	jw_int(out, "version", t->history.version);
	jw_int(out, "latest", t->latest);
	jw_json(out, "pending", buf_cstr(&t->pending));
	jw_json(out, "problems", buf_cstr(&all));
	buf_free(&all);
	if (t->has_folder)
		jw_str(out, "format", folder_format_name(t->folder.format));
	file_warnings(t);
	versions(out, t);
	jw_close(out, '}');
}
