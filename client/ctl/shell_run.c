/* Running a statement: its values, its rows, its time, its error. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/shell.h"
#include "proto/response.h"

void shell_complain(const struct shell *s, const char *name, int64_t line, const char *format, ...)
{
	struct buf b = {0};
	va_list args;

	(void)s;
	if (name)
		buf_printf(&b, "%s:%" PRId64 ": ", name, line);
	va_start(args, format);
	buf_vprintf(&b, format, args);
	va_end(args);
	say("%s", buf_cstr(&b));
	buf_free(&b);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Behind the terminal's own ^C. */
static void tell_interrupted(const struct shell *s)
{
	if (s->interactive)
		fputc('\n', stderr);
	say("interrupted");
}

/* The error of the connection, with its place in the script, or a word where Ctrl-C is the reason. */
static int failed(struct shell *s, const char *sql, const char *name, int64_t line, bool was_asked)
{
	struct ctl *c = s->ctl;
	struct buf where = {0};
	char word[16];
	int code;

	sink_flush(&s->out);
	if (was_asked && alterd_error_code(c->conn) == 9) {
		tell_interrupted(s);
		return EXIT_FAILED;
	}
	if (name)
		buf_printf(&where, "%s:%" PRId64 ": ", name, line + place_line(c, sql));
	code = ctl_failed_at(c, c->conn, buf_cstr(&where));
	buf_free(&where);
	if (!has(c, FLAG_JSON))
		show_place(c, sql);
	split_first_word(sql, word, sizeof(word));
	if (s->interactive && strcmp(word, "ALTER") == 0 && alterd_error_code(c->conn) == 1)
		note(c, "next: .alter 'SQL' changes a table online, and knows more forms");
	shell_look_at_link(s);
	return code;
}

/* ---- rows ---- */

int shell_rows(struct shell *s, const struct render_look *look, struct alterd_result *r)
{
	int n = alterd_columns(r), found = 0;
	const char **names = must(calloc((size_t)n + 1, sizeof(*names)));
	struct render *render;

	for (int i = 0; i < n; i++)
		names[i] = alterd_column_name(r, i);
	render = render_new(look, &s->out, names, n);
	while (!cancel_asked() && (found = alterd_step(r)) == 1)
		if (!render_row(render, alterd_row(r)))
			break;
	render_end(render);
	free(names);
	return found < 0 ? -1 : 0;
}

/* ---- values of parameters ---- */

static const struct shell_parameter *parameter(const struct shell *s, const char *name)
{
	for (size_t i = 0; i < s->nparameters; i++)
		if (strcmp(s->parameters[i].name, name) == 0)
			return &s->parameters[i];
	return NULL;
}

struct bound {
	const char **names;
	struct alterd_value *values;
	size_t n;
	struct doc *d; /* the names are in it */
};

static void bound_free(struct bound *b)
{
	free(b->names);
	free(b->values);
	doc_free(b->d);
}

/* Those of the statement's parameters that were set; the others are NULL. -1: failed as a call does. */
static int bind(struct shell *s, const char *sql, struct bound *ret)
{
	struct buf params = {0};
	struct error err = {0};
	const char *text;
	int rc;

	*ret = (struct bound){0};
	if (s->nparameters == 0)
		return 0;
	jw_open(&params, '{');
	jw_str(&params, "sql", sql);
	jw_close(&params, '}');
	rc = alterd_call(s->ctl->conn, "describe", buf_cstr(&params), &text);
	buf_free(&params);
	if (rc != 0)
		return -1;
	if (doc_parse(text, strlen(text), &ret->d, &err) != 0) {
		error_clear(&err);
		return 0;
	}
	const struct doc_node *all = doc_get(doc_root(ret->d), "parameters");
	ret->names = must(calloc(doc_count(all) + 1, sizeof(*ret->names)));
	ret->values = must(calloc(doc_count(all) + 1, sizeof(*ret->values)));
	for (size_t i = 0; i < doc_count(all); i++) {
		const char *name = doc_str(doc_at(all, i), NULL);
		const struct shell_parameter *p = name ? parameter(s, name) : NULL;

		if (!name)
			continue;
		ret->names[ret->n] = name;
		ret->values[ret->n++] = p ? args_value(p->text, false, "NULL") : alterd_null();
	}
	return 0;
}

/* ---- a statement ---- */

static void tell_changes(struct shell *s, const struct alterd_result *r)
{
	s->total_changes += alterd_changes(r);
	if (s->changes)
		buf_printf(&s->out.b, "changes: %" PRId64 "   total_changes: %" PRId64 "\n", alterd_changes(r),
			   s->total_changes);
}

/* Sends it and shows what comes. 0, or -1 as a call of the library. */
static int run(struct shell *s, const char *sql)
{
	struct alterd_result *r = NULL;
	struct bound b;
	int rc = bind(s, sql, &b);

	if (rc == 0 && b.n > 0)
		rc = alterd_query_named(s->ctl->conn, sql, b.names, b.values, b.n, &r);
	else if (rc == 0)
		rc = alterd_query(s->ctl->conn, sql, NULL, 0, &r);
	bound_free(&b);
	if (rc != 0)
		return -1;
	if (alterd_columns(r) > 0)
		rc = shell_rows(s, &s->look, r);
	if (rc == 0)
		tell_changes(s, r);
	alterd_result_free(r);
	return rc;
}

static void remember(struct shell *s, const char *sql)
{
	buf_reset(&s->last, 1 << 16);
	if (strlen(sql) <= SHELL_LAST_MAX)
		buf_puts(&s->last, sql);
}

/* Files of .once end, and what was gathered goes out. */
static void end_output(struct shell *s)
{
	shell_flush(s);
	if (s->once)
		shell_output(s, NULL);
}

int shell_run(struct shell *s, const char *sql, const char *name, int64_t line)
{
	double begun = now_s();
	char word[16];
	int rc, code = 0;
	bool asked;

	if (s->echo)
		buf_printf(&s->out.b, "%s\n", sql);
	code = shell_connect(s);
	if (code) {
		end_output(s);
		return code;
	}
	sink_look(&s->out);
	split_first_word(sql, word, sizeof(word));
	cancel_watch(s->ctl->conn);
	rc = run(s, sql);
	asked = cancel_unwatch();
	if (rc != 0)
		code = failed(s, sql, name, line, asked);
	else if (asked)
		tell_interrupted(s);
	if (rc == 0 && asked)
		code = EXIT_FAILED;
	shell_look_at_tx(s, word, rc != 0);
	remember(s, sql);
	if (s->timer && !s->quit)
		buf_printf(&s->out.b, "Run Time: real %.3f\n", now_s() - begun);
	end_output(s);
	return code;
}
