/*
 * validate: is a folder of migrations what it should be? Needs no daemon but its own (scratch.c).
 *
 *     files    read whole by migrate.validate: forms, order, numbers, statements no run takes
 *     fresh    all of them in one run; a run after it has nothing to do
 *     steps    one version at a time, as a database grows: the same schema and rows
 *     back     up, down, up of each version that has a way down: the same schema each time
 *
 * Each in a database of its own. What depends on time or chance comes out otherwise in two fresh runs as well, and is
 * told apart by a second one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/scratch.h"
#include "client/ctl/validate.h"
#include "proto/response.h"

/* ---- findings ---- */

void finding(struct validate *v, struct check *at, const char *rule, const char *file, int64_t line,
	     const char *message)
{
	v->problems = must(realloc(v->problems, (v->nproblems + 1) * sizeof(*v->problems)));
	v->problems[v->nproblems++] = (struct problem_found){.version = at ? at->version : -1,
							     .rule = must(strdup(rule)),
							     .file = must(strdup(file ? file
										 : at ? at->file
										      : "")),
							     .line = line,
							     .message = must(strdup(message))};
	if (at)
		at->failed = true;
}

void remark(struct validate *v, const char *message)
{
	v->warnings = must(realloc(v->warnings, (v->nwarnings + 1) * sizeof(*v->warnings)));
	v->warnings[v->nwarnings++] = must(strdup(message));
}

static void read_findings(struct validate *v, const struct doc_node *answer)
{
	const struct doc_node *list = doc_get(answer, "versions");

	v->format = must(strdup(doc_str(doc_get(answer, "format"), "")));
	v->checks = must(calloc(doc_count(list) + 1, sizeof(*v->checks)));
	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc_node *n = doc_at(list, i);
		v->checks[v->nchecks++] = (struct check){.version = doc_int(doc_get(n, "version"), 0),
							 .name = must(strdup(doc_str(doc_get(n, "name"), ""))),
							 .file = must(strdup(doc_str(doc_get(n, "file"), ""))),
							 .reversible = doc_bool(doc_get(n, "reversible"), false)};
	}
	list = doc_get(answer, "problems");
	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc_node *n = doc_at(list, i);
		int64_t version = doc_int(doc_get(n, "version"), -1);
		struct check *at = NULL;
		for (size_t k = 0; k < v->nchecks && !at; k++)
			at = v->checks[k].version == version ? &v->checks[k] : NULL;
		finding(v, at, doc_str(doc_get(n, "state"), "invalid"), doc_str(doc_get(n, "file"), ""),
			doc_int(doc_get(n, "line"), 0), doc_str(doc_get(n, "message"), ""));
	}
	list = doc_get(answer, "warnings");
	for (size_t i = 0; i < doc_count(list); i++)
		remark(v, doc_str(doc_at(list, i), ""));
}

static int check_files(struct validate *v)
{
	struct scratch s;
	struct error err = {0};
	struct doc *d = NULL;
	const char *text;
	int code = scratch_start(v->ctl, &s);

	if (code)
		return code;
	jw_close(&v->params, '}');
	if (alterd_call(s.conn, "migrate.validate", buf_cstr(&v->params), &text) != 0) {
		code = scratch_failed(v->ctl, &s);
	} else if (doc_parse(text, strlen(text), &d, &err) != 0) {
		say("the daemon's answer cannot be read: %s", err.message);
		error_clear(&err);
		code = EXIT_FAILED;
	} else {
		read_findings(v, doc_root(d));
	}
	buf_truncate(&v->params, v->begun);
	doc_free(d);
	scratch_stop(&s);
	return code;
}

/* ---- the answer ---- */

static void add_place(struct buf *out, const struct problem_found *p)
{
	/* Errors of the daemon begin with their place already. */
	bool named = *p->file && strncmp(p->message, p->file, strlen(p->file)) == 0;

	if (*p->file && !named) {
		text_flat(out, p->file);
		if (p->line > 0)
			buf_printf(out, ":%" PRId64, p->line);
		buf_puts(out, ": ");
	}
	text_flat(out, p->message);
}

static void add_line(struct buf *out, const struct check *k, int version_width, int name_width)
{
	bool run = k->up || k->failed;
	size_t at;

	buf_printf(out, " [%s]  %*" PRId64 "  ", k->failed ? "!" : run ? "X" : " ", version_width, k->version);
	at = out->len;
	text_flat(out, k->name);
	for (int n = name_width - text_width(out->data + at, out->len - at); n > 0; n--)
		buf_putc(out, ' ');
	buf_printf(out, "  %s\n",
		   k->failed       ? "failed"
		   : !run          ? "not run"
		   : k->back       ? "up, down, up"
		   : k->reversible ? "up"
				   : "up; no way down");
}

static void show(const struct validate *v)
{
	int version_width = 1, name_width = 0;
	struct buf out = {0}, text = {0};
	char digits[24];

	for (size_t i = 0; i < v->nchecks; i++) {
		int n = snprintf(digits, sizeof(digits), "%" PRId64, v->checks[i].version);
		int width = text_width(v->checks[i].name, strlen(v->checks[i].name));
		version_width = n > version_width ? n : version_width;
		name_width = width > name_width && width <= 60 ? width : name_width;
	}
	for (size_t i = 0; i < v->nchecks; i++)
		add_line(&out, &v->checks[i], version_width, name_width);
	buf_printf(&out, "%s: %zu version%s, format %s", v->nproblems ? "not valid" : "valid", v->nchecks,
		   v->nchecks == 1 ? "" : "s", v->format);
	if (v->nproblems)
		buf_printf(&out, ", %zu problem%s", v->nproblems, v->nproblems == 1 ? "" : "s");
	buf_putc(&out, '\n');
	print_out(&out);
	for (size_t i = 0; i < v->nwarnings; i++) {
		buf_reset(&text, 4096);
		text_flat(&text, v->warnings[i]);
		note(v->ctl, "warning: %s", buf_cstr(&text));
	}
	for (size_t i = 0; i < v->nproblems; i++) {
		buf_reset(&text, 4096);
		add_place(&text, &v->problems[i]);
		say("%s", buf_cstr(&text));
	}
	buf_free(&out);
	buf_free(&text);
}

static void show_json(const struct validate *v)
{
	struct buf out = {0};

	jw_open(&out, '{');
	jw_bool(&out, "valid", v->nproblems == 0);
	jw_str(&out, "format", v->format);
	jw_key(&out, "versions");
	jw_open(&out, '[');
	for (size_t i = 0; i < v->nchecks; i++) {
		const struct check *k = &v->checks[i];
		jw_open(&out, '{');
		jw_int(&out, "version", k->version);
		jw_str(&out, "name", k->name);
		jw_str(&out, "file", k->file);
		jw_str(&out, "state", k->failed ? "failed" : k->up ? "ok" : "not run");
		jw_bool(&out, "reversible", k->reversible);
		jw_close(&out, '}');
	}
	jw_close(&out, ']');
	jw_key(&out, "problems");
	jw_open(&out, '[');
	for (size_t i = 0; i < v->nproblems; i++) {
		const struct problem_found *p = &v->problems[i];
		jw_open(&out, '{');
		if (p->version >= 0)
			jw_int(&out, "version", p->version);
		jw_str(&out, "state", p->rule);
		if (*p->file)
			jw_str(&out, "file", p->file);
		if (p->line > 0)
			jw_int(&out, "line", p->line);
		jw_str(&out, "message", p->message);
		jw_close(&out, '}');
	}
	buf_puts(&out, "],\"warnings\":[");
	for (size_t i = 0; i < v->nwarnings; i++) {
		buf_puts(&out, i ? "," : "");
		json_write_string(&out, v->warnings[i], strlen(v->warnings[i]));
	}
	buf_puts(&out, "]}\n");
	print_out(&out);
	buf_free(&out);
}

static void forget(struct validate *v)
{
	for (size_t i = 0; i < v->nchecks; i++) {
		free(v->checks[i].name);
		free(v->checks[i].file);
	}
	for (size_t i = 0; i < v->nproblems; i++) {
		free(v->problems[i].rule);
		free(v->problems[i].file);
		free(v->problems[i].message);
	}
	for (size_t i = 0; i < v->nwarnings; i++)
		free(v->warnings[i]);
	free(v->checks);
	free(v->problems);
	free(v->warnings);
	free(v->format);
	buf_free(&v->params);
}

int cmd_validate(struct ctl *c, int argc, char **argv)
{
	struct validate v = {.ctl = c};
	int code;

	if (argc > 1 && c->dir) {
		say("a folder is named twice: %s and --dir %s", argv[1], c->dir);
		return EXIT_USAGE;
	}
	c->dir = argc > 1 ? argv[1] : c->dir ? c->dir : "migrations";
	code = files_params(c, 1, argv, &v.params);
	v.begun = v.params.len;
	if (!code)
		code = check_files(&v);
	/* What cannot be read cannot be tried. */
	if (!code && v.nproblems == 0 && v.nchecks > 0)
		code = try_versions(&v);
	if (!code && has(c, FLAG_JSON))
		show_json(&v);
	else if (!code)
		show(&v);
	if (!code && v.nproblems > 0)
		code = EXIT_FAILED;
	forget(&v);
	return code;
}
