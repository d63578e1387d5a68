/* stats, metrics: what the daemon has counted. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

static void add_scalar(struct buf *out, const struct doc_node *v)
{
	if (doc_type(v) == DOC_STRING)
		text_safe(out, doc_str(v, ""), doc_strlen(v));
	else if (doc_type(v) == DOC_NULL)
		buf_putc(out, '-');
	else
		doc_dump(out, v);
}

/* "writer_wait_ms.p50   0.1": any tree of counters, a line each. */
static void add_tree(struct buf *out, const struct doc_node *node, const char *prefix)
{
	const struct doc_node *value;
	const char *key;

	for (void *i = doc_each(node, NULL, &key, &value); i; i = doc_each(node, i, &key, &value)) {
		struct buf name = {0};

		buf_printf(&name, "%s%s", prefix, key);
		if (doc_type(value) == DOC_OBJECT) {
			buf_putc(&name, '.');
			add_tree(out, value, buf_cstr(&name));
		} else {
			buf_printf(out, "%-30s ", buf_cstr(&name));
			add_scalar(out, value);
			buf_putc(out, '\n');
		}
		buf_free(&name);
	}
}

static int show_counters(struct ctl *c)
{
	struct buf out = {0};
	struct doc *d;
	int code = ctl_call(c, "stats", NULL, &d);

	if (d) {
		add_tree(&out, doc_root(d), "");
		print_out(&out);
	}
	buf_free(&out);
	doc_free(d);
	return code;
}

/* ---- statements ---- */

/* A figure of the statement: milliseconds with one digit behind the point, counts as they are. */
static struct alterd_value figure(const struct doc_node *e, const char *key)
{
	const struct doc_node *v = doc_get(e, key);
	double tenths = doc_real(v, 0) * 10;

	if (doc_type(v) == DOC_INT)
		return alterd_int(doc_int(v, 0));
	return alterd_real((double)(int64_t)(tenths + 0.5) / 10);
}

static void add_statement(struct table *t, const struct doc_node *e)
{
	static const char *const keys[] = {"calls",   "total_ms",   "mean_ms", "max_ms", "rows",
					   "changes", "scan_steps", "sorts",   "errors"};
	struct alterd_value cells[10];
	struct buf sql = {0};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		cells[i] = figure(e, keys[i]);
	text_flat(&sql, doc_str(doc_get(e, "sql"), ""));
	if (doc_bool(doc_get(e, "cut"), false))
		buf_puts(&sql, "...");
	cells[9] = alterd_text(buf_cstr(&sql));
	table_row(t, cells);
	buf_free(&sql);
}

static void print_statements(const struct ctl *c, const struct doc_node *list)
{
	static const char *const names[] = {"calls",   "ms",      "mean",  "max",    "rows",
					    "changed", "scanned", "sorts", "errors", "statement"};
	struct table *t = table_new(c);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		table_column(t, names[i]);
	for (size_t i = 0; i < doc_count(list); i++)
		add_statement(t, doc_at(list, i));
	table_end(t);
	table_free(t);
}

static int show_statements(struct ctl *c)
{
	struct buf params = {0};
	struct doc *d;
	int code;

	jw_open(&params, '{');
	if (c->by)
		jw_str(&params, "by", c->by);
	if (c->limit)
		jw_int(&params, "limit", c->limit);
	jw_close(&params, '}');
	code = ctl_call(c, "stats.statements", buf_cstr(&params), &d);
	if (d) {
		const struct doc_node *s = doc_root(d);

		if (doc_count(doc_get(s, "statements")) > 0)
			print_statements(c, doc_get(s, "statements"));
		note(c, "%" PRId64 " of at most %" PRId64 " texts, since %s", doc_int(doc_get(s, "texts"), 0),
		     doc_int(doc_get(s, "texts_max"), 0), doc_str(doc_get(s, "since"), "?"));
	}
	buf_free(&params);
	doc_free(d);
	return code;
}

static int reset(struct ctl *c)
{
	struct doc *d;
	int code = ctl_call(c, "stats.reset", NULL, &d);

	if (!code)
		note(c, "the statistics of statements begin anew");
	doc_free(d);
	return code;
}

int cmd_stats(struct ctl *c, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "reset") != 0) {
		say("stats has the one word reset, not \"%s\"", argv[1]);
		return EXIT_USAGE;
	}
	if (argc > 1)
		return reset(c);
	return has(c, FLAG_STATEMENTS) ? show_statements(c) : show_counters(c);
}

/* ---- metrics ---- */

/* Written beside it and renamed: whoever reads the file finds the whole text, the old one or the new. */
static int write_whole(const char *path, const char *text, size_t n)
{
	struct buf part = {0};
	int code = EXIT_FAILED;
	FILE *f;

	buf_printf(&part, "%s.%ld", path, (long)getpid());
	f = fopen(buf_cstr(&part), "wxe");
	if (!f) {
		say("%s: %s", buf_cstr(&part), strerror(errno));
		buf_free(&part);
		return EXIT_FAILED;
	}
	bool written = fwrite(text, 1, n, f) == n;
	if (fclose(f) == 0 && written && rename(buf_cstr(&part), path) == 0) {
		code = EXIT_OK;
	} else {
		say("%s: %s", path, strerror(errno));
		(void)unlink(buf_cstr(&part));
	}
	buf_free(&part);
	return code;
}

int cmd_metrics(struct ctl *c, int argc, char **argv)
{
	struct buf out = {0};
	struct doc *d;
	int code = ctl_call(c, "metrics", NULL, &d);

	(void)argc, (void)argv;
	if (d && c->output) {
		const struct doc_node *text = doc_get(doc_root(d), "text");

		code = write_whole(c->output, doc_str(text, ""), doc_strlen(text));
	} else if (d) {
		buf_puts(&out, doc_str(doc_get(doc_root(d), "text"), ""));
		print_out(&out);
	}
	buf_free(&out);
	doc_free(d);
	return code;
}
