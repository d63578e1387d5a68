/* list: what is applied, and what is pending. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* A longer name does not move the columns behind it of all other lines; on a terminal it is cut. */
#define NAME_WIDEST 40
#define NAME_NARROWEST 12
/* Columns of a line of the list besides version and name: mark, gaps, date, time taken. */
#define LIST_OTHERS 34
/* And of a problem's word. */
#define PROBLEM_WIDTH 14

struct problem {
	int64_t version;
	const struct doc_node *node;
};

struct list {
	const struct ctl *ctl;
	struct problem *problems; /* by version */
	size_t nproblems;
	int version_width, name_width;
	struct buf out;
};

static int by_version(const void *a, const void *b)
{
	int64_t x = ((const struct problem *)a)->version, y = ((const struct problem *)b)->version;

	return x < y ? -1 : x > y;
}

static void read_problems(struct list *l, const struct doc_node *problems)
{
	l->nproblems = doc_count(problems);
	l->problems = must(calloc(l->nproblems + 1, sizeof(*l->problems)));
	for (size_t i = 0; i < l->nproblems; i++) {
		const struct doc_node *node = doc_at(problems, i);

		l->problems[i] = (struct problem){.version = doc_int(doc_get(node, "version"), -1), .node = node};
	}
	qsort(l->problems, l->nproblems, sizeof(*l->problems), by_version);
}

/* The first problem of the version; more may stand behind it. */
static const struct problem *problems_of(const struct list *l, int64_t version)
{
	size_t low = 0, high = l->nproblems;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->problems[middle].version < version)
			low = middle + 1;
		else
			high = middle;
	}
	return &l->problems[low];
}

static const char *problem_state(const struct problem *p) { return doc_str(doc_get(p->node, "state"), "problem"); }

static void add_problem(struct buf *out, const struct problem *p)
{
	const char *state = problem_state(p), *message = doc_str(doc_get(p->node, "message"), NULL);

	text_safe(out, state, strlen(state));
	if (strcmp(state, "partial") == 0 && doc_get(p->node, "total"))
		buf_printf(out, " %" PRId64 "/%" PRId64, doc_int(doc_get(p->node, "done"), 0),
			   doc_int(doc_get(p->node, "total"), 0));
	if (message) {
		buf_puts(out, ": ");
		text_flat(out, message);
	}
}

/* [X] applied, [ ] pending, [?] applied and without a file, [!] anything else that is wrong with it. */
static char mark_of(const struct list *l, const struct doc_node *row, int64_t version)
{
	const struct problem *p = problems_of(l, version), *end = l->problems + l->nproblems;
	bool applied = strcmp(doc_str(doc_get(row, "state"), ""), "applied") == 0;
	char mark = !applied ? ' ' : doc_bool(doc_get(row, "file"), true) ? 'X' : '?';

	for (; p < end && p->version == version; p++) {
		if (strcmp(problem_state(p), "no file") != 0)
			return '!';
		mark = '?';
	}
	return mark;
}

static void end_line(struct list *l, size_t line)
{
	while (l->out.len > line && l->out.data[l->out.len - 1] == ' ')
		buf_truncate(&l->out, l->out.len - 1);
	buf_putc(&l->out, '\n');
}

static void add_version(struct list *l, const struct doc_node *row)
{
	int64_t version = doc_int(doc_get(row, "version"), 0);
	const char *name = doc_str(doc_get(row, "name"), "");
	const struct problem *p = problems_of(l, version), *end = l->problems + l->nproblems;
	char mark = mark_of(l, row, version);
	/* Who consented to what was lost. */
	const char *consents = doc_str(doc_get(row, "consented_by"), NULL);
	size_t line = l->out.len, at;

	buf_printf(&l->out, " [%c]  %*" PRId64 "  ", mark, l->version_width, version);
	at = l->out.len;
	text_flat(&l->out, name);
	text_cut(&l->out, at, l->ctl->width ? l->name_width : 0);
	text_pad(&l->out, at, l->name_width);
	buf_puts(&l->out, "  ");
	at = l->out.len;
	text_time(&l->out, doc_str(doc_get(row, "applied_at"), ""));
	buf_puts(&l->out, "  ");
	text_took(&l->out, doc_real(doc_get(row, "took_ms"), -1));
	if ((p < end && p->version == version) || mark == '?' || consents)
		text_pad(&l->out, at, 26);
	if (mark == '?' && (p == end || p->version != version))
		buf_puts(&l->out, consents ? "no file, " : "no file");
	bool first = true;
	for (; p < end && p->version == version; p++, first = false) {
		buf_puts(&l->out, first ? "" : ", ");
		add_problem(&l->out, p);
	}
	if (consents) {
		buf_puts(&l->out, first ? "data loss: " : ", data loss: ");
		text_flat(&l->out, consents);
	}
	end_line(l, line);
}

static void measure(struct list *l, const struct doc_node *rows)
{
	int most = NAME_WIDEST, others = LIST_OTHERS + (l->nproblems > 0 ? PROBLEM_WIDTH : 0);
	char digits[24];

	for (size_t i = 0; i < doc_count(rows); i++) {
		const struct doc_node *row = doc_at(rows, i);
		const char *name = doc_str(doc_get(row, "name"), "");
		int width = text_width(name, strlen(name));
		int n = snprintf(digits, sizeof(digits), "%" PRId64, doc_int(doc_get(row, "version"), 0));

		l->name_width = width > l->name_width ? width : l->name_width;
		l->version_width = n > l->version_width ? n : l->version_width;
	}
	others += l->version_width;
	if (l->ctl->width && l->ctl->width - others < most)
		most = l->ctl->width - others;
	if (most < NAME_NARROWEST)
		most = NAME_NARROWEST;
	if (l->name_width > most)
		l->name_width = most;
}

/* Problems of versions that have no line. */
static void add_others(struct list *l, const struct doc_node *rows)
{
	size_t i = 0, n = doc_count(rows);
	struct problem *known = must(calloc(n + 1, sizeof(*known)));

	for (size_t k = 0; k < n; k++)
		known[k].version = doc_int(doc_get(doc_at(rows, k), "version"), 0);
	qsort(known, n, sizeof(*known), by_version);
	for (const struct problem *p = l->problems; p < l->problems + l->nproblems; p++) {
		size_t line = l->out.len;

		while (i < n && known[i].version < p->version)
			i++;
		if (i < n && known[i].version == p->version)
			continue;
		buf_printf(&l->out, " [%c]  ", strcmp(problem_state(p), "no file") == 0 ? '?' : '!');
		if (p->version >= 0)
			buf_printf(&l->out, "%*" PRId64 "  ", l->version_width, p->version);
		add_problem(&l->out, p);
		end_line(l, line);
	}
	free(known);
}

static void note_next(const struct list *l, int64_t pending)
{
	for (size_t i = 0; i < l->nproblems; i++) {
		const struct problem *p = &l->problems[i];

		if (strcmp(problem_state(p), "changed") == 0) {
			note(l->ctl, "next: alterctl repair %" PRId64 ", if the changed file is meant", p->version);
			return;
		}
		if (strcmp(problem_state(p), "partial") == 0) {
			note(l->ctl,
			     "next: mend its file, then alterctl up  |  alterctl resolve %" PRId64
			     " --applied or --not-applied",
			     p->version);
			return;
		}
	}
	if (pending > 0)
		note(l->ctl, "next: alterctl plan  |  alterctl up");
}

/* What is worth a word about the folder as a whole. */
static void note_warnings(const struct ctl *c, const struct doc_node *warnings)
{
	for (size_t i = 0; i < doc_count(warnings); i++) {
		struct buf text = {0};

		text_flat(&text, doc_str(doc_at(warnings, i), ""));
		note(c, "warning: %s", buf_cstr(&text));
		buf_free(&text);
	}
}

static void show_list(const struct ctl *c, const struct doc_node *answer)
{
	const struct doc_node *rows = doc_get(answer, "migrations");
	int64_t pending = (int64_t)doc_count(doc_get(answer, "pending"));
	struct list l = {.ctl = c};

	read_problems(&l, doc_get(answer, "problems"));
	measure(&l, rows);
	buf_printf(&l.out, "version %" PRId64 "   latest %" PRId64 "   pending %" PRId64,
		   doc_int(doc_get(answer, "version"), 0), doc_int(doc_get(answer, "latest"), 0), pending);
	if (l.nproblems > 0)
		buf_printf(&l.out, "   problems %zu", l.nproblems);
	buf_putc(&l.out, '\n');
	for (size_t i = 0; i < doc_count(rows); i++)
		add_version(&l, doc_at(rows, i));
	add_others(&l, rows);
	if (l.out.failed)
		must(NULL);
	print_out(&l.out);
	if (doc_count(rows) == 0)
		note(c, "there are no migrations");
	note_warnings(c, doc_get(answer, "warnings"));
	note_next(&l, pending);
	free(l.problems);
	buf_free(&l.out);
}

int cmd_list(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0};
	struct doc *d = NULL;
	int code = files_params(c, argc, argv, &params);

	jw_close(&params, '}');
	if (!code)
		code = ctl_call(c, "migrate.list", buf_cstr(&params), &d);
	if (d)
		show_list(c, doc_root(d));
	doc_free(d);
	buf_free(&params);
	return code;
}
