/* query, exec, schema. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"
#include "proto/value.h"

/* Longest statement read from stdin; the daemon takes lines of 16 MiB. */
#define STDIN_MAX ((size_t)16 << 20)
/* Bytes of a statement shown before and behind the place of an error. */
#define PLACE_BYTES 50

int read_sql(const char *arg, struct buf *out);

/* The SQL given, or all of stdin for "-". */
int read_sql(const char *arg, struct buf *out)
{
	char chunk[4096];
	size_t n;

	if (strcmp(arg, "-") != 0) {
		buf_puts(out, arg);
		return 0;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0) {
		buf_add(out, chunk, n);
		if (out->len > STDIN_MAX || out->failed) {
			say("more than %zu MiB of SQL on stdin", STDIN_MAX >> 20);
			return EXIT_USAGE;
		}
	}
	if (ferror(stdin)) {
		say("cannot read stdin: %s", strerror(errno));
		return EXIT_FAILED;
	}
	return 0;
}

static struct alterd_value *take_values(const struct ctl *c, int argc, char **argv)
{
	struct alterd_value *values = must(calloc((size_t)argc + 1, sizeof(*values)));

	for (int i = 0; i < argc; i++)
		values[i] = args_value(argv[i], has(c, FLAG_TEXT), c->null_word);
	return values;
}

static void write_values(struct buf *out, const struct alterd_value *values, int n)
{
	jw_key(out, "bind");
	jw_open(out, '[');
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		if (values[i].type == ALTERD_INT)
			value_write_int(out, values[i].i, INT64_AUTO);
		else if (values[i].type == ALTERD_REAL)
			value_write_real(out, values[i].r);
		else if (values[i].type == ALTERD_TEXT)
			value_write_text(out, values[i].s.p, values[i].s.n);
		else
			value_write_null(out);
	}
	jw_close(out, ']');
}

/* The request for the page after this one, in *params; false at the end. A page without a cursor keeps the one before.
 */
static bool next_page(const char *page, struct buf *cursor, struct buf *params)
{
	struct error err = {0};
	const char *name;
	struct doc *d;
	bool done;

	if (doc_parse(page, strlen(page), &d, &err) != 0) {
		error_clear(&err);
		return false;
	}
	done = doc_bool(doc_get(doc_root(d), "done"), true);
	name = doc_str(doc_get(doc_root(d), "cursor"), NULL);
	if (name) {
		buf_reset(cursor, cursor->cap);
		buf_puts(cursor, name);
	}
	doc_free(d);
	if (done || cursor->len == 0)
		return false;
	buf_reset(params, params->cap);
	jw_open(params, '{');
	jw_str(params, "cursor", buf_cstr(cursor));
	jw_close(params, '}');
	return true;
}

/* Each page as the daemon sent it, one line each. */
static int print_pages(struct ctl *c, const char *method, const char *sql, const struct alterd_value *values, int n)
{
	struct buf params = {0}, line = {0}, cursor = {0};
	const char *page;
	bool more = true;
	int code = 0;

	jw_open(&params, '{');
	jw_str(&params, "sql", sql);
	if (n > 0)
		write_values(&params, values, n);
	if (c->timeout_ms > 0)
		jw_int(&params, "timeout_ms", c->timeout_ms);
	jw_close(&params, '}');
	while (more) {
		if (alterd_call(c->conn, method, buf_cstr(&params), &page) != 0) {
			code = ctl_failed(c, c->conn);
			break;
		}
		buf_puts(&line, page);
		buf_putc(&line, '\n');
		more = next_page(page, &cursor, &params);
		method = "fetch";
		if (!print_out(&line))
			break;
	}
	buf_free(&cursor);
	buf_free(&params);
	buf_free(&line);
	return code;
}

/* 0 all printed, 1 nobody reads them any more, -1 failed. */
static int print_rows(struct ctl *c, struct alterd_result *r, int64_t *ret_rows)
{
	struct table *t = table_new(c);
	int64_t rows = 0;
	int found;

	for (int i = 0; i < alterd_columns(r); i++)
		table_column(t, alterd_column_name(r, i));
	while ((found = alterd_step(r)) == 1 && table_row(t, alterd_row(r)))
		rows++;
	table_end(t);
	table_free(t);
	*ret_rows = rows;
	return found;
}

static void tell_changes(const struct ctl *c, int64_t changes, int64_t rowid)
{
	if (rowid)
		note(c, "%" PRId64 " row%s changed, last rowid %" PRId64, changes, changes == 1 ? "" : "s", rowid);
	else
		note(c, "%" PRId64 " row%s changed", changes, changes == 1 ? "" : "s");
}

/* Byte of the statement that the error names; -1: none. */
static int64_t error_offset(const struct ctl *c, const char *sql)
{
	const char *data = alterd_error_data(c->conn);
	struct error err = {0};
	struct doc *d;
	int64_t offset = -1;

	if (*data && doc_parse(data, strlen(data), &d, &err) == 0) {
		offset = doc_int(doc_get(doc_root(d), "offset"), -1);
		doc_free(d);
	}
	error_clear(&err);
	return offset >= 0 && (size_t)offset <= strlen(sql) ? offset : -1;
}

int64_t place_line(const struct ctl *c, const char *sql)
{
	int64_t offset = error_offset(c, sql), lines = 0;

	for (int64_t i = 0; i < offset; i++)
		lines += sql[i] == '\n';
	return lines;
}

void show_place(const struct ctl *c, const char *sql)
{
	struct buf line = {0};
	int64_t offset = error_offset(c, sql);
	size_t begin, end;

	if (offset < 0)
		return;
	for (begin = (size_t)offset; begin > 0 && sql[begin - 1] != '\n';)
		begin--;
	end = begin + strcspn(sql + begin, "\n");
	/* A long line is shown around the place only. */
	if ((size_t)offset - begin > PLACE_BYTES)
		begin = (size_t)offset - PLACE_BYTES;
	if (end - (size_t)offset > PLACE_BYTES)
		end = (size_t)offset + PLACE_BYTES;
	text_safe(&line, sql + begin, (size_t)offset - begin);
	int column = text_width(buf_cstr(&line), line.len);
	text_safe(&line, sql + offset, end - (size_t)offset);
	note(c, "  %s\n  %*s^", buf_cstr(&line), column, "");
	buf_free(&line);
}

/* Tells the error of a statement. */
static int statement_failed(const struct ctl *c, const char *sql)
{
	int code = ctl_failed(c, c->conn);

	if (!has(c, FLAG_JSON))
		show_place(c, sql);
	return code;
}

static int run_query(struct ctl *c, const char *sql, const struct alterd_value *values, int n)
{
	struct alterd_result *r;
	int64_t rows;
	int code = 0, printed;

	patience_begin(c);
	code = alterd_query(c->conn, sql, values, (size_t)n, &r);
	patience_end();
	if (code != 0)
		return statement_failed(c, sql);
	if (alterd_columns(r) == 0) {
		tell_changes(c, alterd_changes(r), alterd_last_insert_rowid(r));
	} else {
		printed = print_rows(c, r, &rows);
		if (printed == 0)
			note(c, "%" PRId64 " row%s", rows, rows == 1 ? "" : "s");
		if (printed < 0) {
			code = ctl_failed(c, c->conn);
			note(c, "the rows above are not all: %" PRId64 " came before this", rows);
		}
	}
	alterd_result_free(r);
	return code;
}

static int run_exec(struct ctl *c, const char *sql, const struct alterd_value *values, int n)
{
	int64_t changes, rowid;
	int failed;

	patience_begin(c);
	failed = alterd_exec(c->conn, sql, values, (size_t)n, &changes, &rowid);
	patience_end();
	if (failed)
		return statement_failed(c, sql);
	tell_changes(c, changes, rowid);
	return 0;
}

static int run_statement(struct ctl *c, int argc, char **argv)
{
	bool query = strcmp(argv[0], "query") == 0;
	struct alterd_value *values = take_values(c, argc - 2, argv + 2);
	struct buf sql = {0};
	int code = read_sql(argv[1], &sql);

	if (!code)
		code = ctl_connect(c);
	if (!code && has(c, FLAG_JSON))
		code = print_pages(c, argv[0], buf_cstr(&sql), values, argc - 2);
	else if (!code)
		code = query ? run_query(c, buf_cstr(&sql), values, argc - 2)
			     : run_exec(c, buf_cstr(&sql), values, argc - 2);
	free(values);
	buf_free(&sql);
	return code;
}

int cmd_query(struct ctl *c, int argc, char **argv) { return run_statement(c, argc, argv); }

int cmd_exec(struct ctl *c, int argc, char **argv) { return run_statement(c, argc, argv); }

int cmd_schema(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0}, out = {0};
	const struct doc_node *all;
	struct doc *d;
	int code;

	if (argc > 1) {
		jw_open(&params, '{');
		jw_str(&params, "table", argv[1]);
		jw_close(&params, '}');
	}
	code = ctl_call(c, "schema", argc > 1 ? buf_cstr(&params) : NULL, &d);
	all = d ? doc_get(doc_root(d), "schema") : NULL;
	for (size_t i = 0; i < doc_count(all); i++) {
		const struct doc_node *sql = doc_get(doc_at(all, i), "sql");
		const char *text = doc_str(sql, NULL);

		/* SQL goes out as it is to a file; on a terminal its bytes are made harmless, its line breaks kept. */
		for (const char *end; text && *text; text = *end ? end + 1 : end) {
			end = strchrnul(text, '\n');
			if (c->out_tty)
				text_safe(&out, text, (size_t)(end - text));
			else
				buf_add(&out, text, (size_t)(end - text));
			buf_puts(&out, *end ? "\n" : ";\n");
		}
	}
	print_out(&out);
	doc_free(d);
	buf_free(&out);
	buf_free(&params);
	return code;
}
