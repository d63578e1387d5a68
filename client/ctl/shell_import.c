/*
 * .import: the rows of a file into a table, in batches.
 *
 * The file is read a byte at a time through stdio's buffer, so its size does not matter; a row is bounded. A batch is
 * one transaction of the daemon. Where a row of it is refused the rows before that one go again without it, since of a
 * batch that fails nothing is kept.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/shell.h"

#define BATCH_ROWS 500
#define BATCH_BYTES ((size_t)256 << 10)
#define ROW_BYTES_MAX ((size_t)8 << 20)
#define COLUMNS_MAX 2000
/* Rows that may be refused before it is given up, and complaints about a row's length that are told. */
#define REFUSED_MAX 100
#define NOTES_MAX 10

struct field {
	size_t at, n; /* in text */
	bool missing; /* NULL */
};

/* Rows that are not yet sent. */
struct batch {
	struct buf text;
	struct field *fields; /* `columns` a row */
	size_t nfields, room, rows;
	int64_t lines[BATCH_ROWS];
};

struct import {
	struct shell *shell;
	const char *path, *table;
	FILE *file;
	char separator;
	int64_t line, skip;
	size_t columns;
	struct buf sql;
	struct batch batch;
	int64_t done, refused, notes;
};

/* ---- the file ---- */

enum row_end { ROW_MORE, ROW_END, ROW_LAST, ROW_BAD };

static int get(struct import *im)
{
	int c = getc_unlocked(im->file);

	im->line += c == '\n';
	return c;
}

static enum row_end behind_field(const struct import *im, int c)
{
	if (c == (unsigned char)im->separator)
		return ROW_MORE;
	return c == '\n' ? ROW_END : ROW_LAST;
}

/* In quotes, the first of which is read: two of them are one. */
static enum row_end quoted_field(struct import *im, struct buf *out)
{
	int64_t begun = im->line;
	int c;

	for (;;) {
		c = get(im);
		if (c == EOF || out->len > ROW_BYTES_MAX) {
			shell_complain(im->shell, im->path, begun + 1, "a quote that does not end");
			return ROW_BAD;
		}
		if (c != '"') {
			buf_putc(out, (char)c);
			continue;
		}
		c = get(im);
		if (c == '\r')
			c = get(im);
		if (c == EOF || c == '\n' || c == (unsigned char)im->separator)
			return behind_field(im, c);
		buf_putc(out, '"');
		if (c != '"')
			buf_putc(out, (char)c);
	}
}

static enum row_end read_field(struct import *im, struct buf *out)
{
	size_t begun = out->len;
	int c = get(im);

	if (c == '"')
		return quoted_field(im, out);
	while (c != EOF && c != '\n' && c != (unsigned char)im->separator) {
		if (out->len > ROW_BYTES_MAX) {
			shell_complain(im->shell, im->path, im->line + 1, "a row of more than %zu MiB",
				       ROW_BYTES_MAX >> 20);
			return ROW_BAD;
		}
		buf_putc(out, (char)c);
		c = get(im);
	}
	if (c != (unsigned char)im->separator && out->len > begun && out->data[out->len - 1] == '\r')
		buf_truncate(out, out->len - 1);
	return behind_field(im, c);
}

static void add_field(struct batch *b, size_t at, bool missing)
{
	if (b->nfields == b->room) {
		b->room = b->room ? b->room * 2 : 1024;
		b->fields = must(realloc(b->fields, b->room * sizeof(*b->fields)));
	}
	b->fields[b->nfields++] = (struct field){.at = at, .n = b->text.len - at, .missing = missing};
}

static void note_length(struct import *im, size_t n, const char *what)
{
	if (++im->notes <= NOTES_MAX)
		shell_complain(im->shell, im->path, im->line, "expected %zu columns but found %zu: %s", im->columns, n,
			       what);
}

/* A row to the batch, as many fields as there are columns (any number where these are not known). 1, 0: no more, -1. */
static int read_row(struct import *im)
{
	struct batch *b = &im->batch;
	size_t n = 0, begun = b->nfields;
	int64_t line = im->line + 1;
	int c = getc_unlocked(im->file);
	enum row_end end = ROW_MORE;

	if (c == EOF)
		return 0;
	(void)ungetc(c, im->file);
	while (end == ROW_MORE) {
		size_t at = b->text.len;

		end = read_field(im, &b->text);
		if (end == ROW_BAD || b->text.failed)
			return -1;
		n++;
		if (im->columns ? n <= im->columns : n <= COLUMNS_MAX)
			add_field(b, at, false);
		else
			buf_truncate(&b->text, at);
	}
	if (im->columns && n < im->columns)
		note_length(im, n, "the rest is NULL");
	else if (im->columns && n > im->columns)
		note_length(im, n, "the rest is left out");
	while (im->columns && b->nfields - begun < im->columns)
		add_field(b, b->text.len, true);
	b->lines[b->rows++] = line;
	return 1;
}

static void batch_clear(struct batch *b)
{
	b->rows = b->nfields = 0;
	buf_reset(&b->text, BATCH_BYTES * 2);
}

/* ---- the table ---- */

static int count_columns(struct import *im)
{
	const char *binds[] = {im->table, NULL};
	struct alterd_result *r = NULL;
	int code = shell_query(im->shell, "SELECT count(*) FROM pragma_table_info(?)", binds, &r);

	if (!code && alterd_step(r) == 1)
		im->columns = (size_t)alterd_cell_int(r, 0);
	alterd_result_free(r);
	cancel_unwatch();
	return code;
}

static int make_table(struct import *im)
{
	const struct batch *b = &im->batch;
	struct buf sql = {0}, name = {0};
	int code = 0;

	if (read_row(im) != 1) {
		say("%s has no first row to name the columns", im->path);
		return EXIT_FAILED;
	}
	buf_puts(&sql, "CREATE TABLE ");
	text_name(&sql, im->table);
	for (size_t i = 0; i < b->nfields; i++) {
		buf_reset(&name, 4096);
		buf_add(&name, b->text.data + b->fields[i].at, b->fields[i].n);
		buf_puts(&sql, i == 0 ? "(\n" : ", ");
		buf_putc(&sql, '"');
		for (const char *p = buf_cstr(&name); *p; p++)
			buf_printf(&sql, *p == '"' ? "\"\"" : "%c", *p);
		buf_puts(&sql, "\" TEXT");
	}
	buf_puts(&sql, ")");
	im->columns = b->nfields;
	if (alterd_exec(im->shell->ctl->conn, buf_cstr(&sql), NULL, 0, NULL, NULL) != 0)
		code = ctl_failed(im->shell->ctl, im->shell->ctl->conn);
	batch_clear(&im->batch);
	buf_free(&sql);
	buf_free(&name);
	return code;
}

/* ---- sending ---- */

static int send_rows(struct import *im, size_t from, size_t to)
{
	struct alterd_statement *all = must(calloc(to - from + 1, sizeof(*all)));
	struct alterd_value *values = must(calloc((to - from) * im->columns + 1, sizeof(*values)));
	const struct batch *b = &im->batch;
	int rc;

	for (size_t row = from; row < to; row++) {
		struct alterd_value *binds = values + (row - from) * im->columns;

		for (size_t i = 0; i < im->columns; i++) {
			const struct field *f = &b->fields[row * im->columns + i];

			binds[i] = f->missing ? alterd_null() : alterd_text_n(b->text.data + f->at, f->n);
		}
		all[row - from] = (struct alterd_statement){
			.sql = buf_cstr(&im->sql), .binds = binds, .n = im->columns, .expect_changes = -1};
	}
	rc = to > from ? alterd_batch(im->shell->ctl->conn, all, to - from, NULL) : 0;
	free(all);
	free(values);
	return rc;
}

/* What is wrong with one row only, so that the others may still go. */
static bool is_of_row(const struct alterd_conn *conn)
{
	return alterd_error_code(conn) > 0 && alterd_error_statement(conn) >= 0 && !alterd_error_retryable(conn) &&
	       alterd_error_code(conn) != 9;
}

/* All that were read; refused ones are told. 0, or the code of what ends the import. */
static int send_batch(struct import *im)
{
	struct ctl *c = im->shell->ctl;
	size_t from = 0;
	int code = 0;

	while (from < im->batch.rows && !code) {
		size_t bad;

		if (send_rows(im, from, im->batch.rows) == 0) {
			im->done += (int64_t)(im->batch.rows - from);
			break;
		}
		code = EXIT_FAILED;
		if (!is_of_row(c->conn))
			return ctl_failed(c, c->conn);
		bad = from + (size_t)alterd_error_statement(c->conn);
		shell_complain(im->shell, im->path, im->batch.lines[bad], "%s", alterd_error_message(c->conn));
		if (send_rows(im, from, bad) != 0)
			return ctl_failed(c, c->conn);
		im->done += (int64_t)(bad - from);
		im->refused++;
		from = bad + 1;
		if (!im->shell->bail && im->refused < REFUSED_MAX)
			code = 0;
		else if (!im->shell->bail)
			say("%d rows are refused: that is enough", REFUSED_MAX);
	}
	batch_clear(&im->batch);
	return code;
}

static int run(struct import *im)
{
	int code = im->columns > 0 ? 0 : make_table(im), got = 1;

	buf_puts(&im->sql, "INSERT INTO ");
	text_name(&im->sql, im->table);
	for (size_t i = 0; i < im->columns; i++)
		buf_puts(&im->sql, i == 0 ? " VALUES(?" : ",?");
	buf_putc(&im->sql, ')');
	while (!code && got == 1 && !cancel_asked()) {
		got = read_row(im);
		if (got < 0)
			code = EXIT_FAILED;
		if (im->batch.rows == BATCH_ROWS || im->batch.text.len > BATCH_BYTES || (got != 1 && !code))
			code = send_batch(im);
	}
	if (!code && ferror(im->file)) {
		say("%s: %s", im->path, strerror(errno));
		code = EXIT_FAILED;
	}
	return code;
}

/* ---- the command ---- */

static int take_arguments(struct import *im, int argc, char **argv)
{
	const char *names[2] = {0};
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--csv") == 0)
			im->separator = ',';
		else if (strcmp(argv[i], "--skip") == 0 && i + 1 < argc && args_number(argv[i + 1]) >= 0)
			im->skip = args_number(argv[++i]);
		else if (*argv[i] != '-' && n < 2)
			names[n++] = argv[i];
		else
			n = 3;
	}
	im->path = names[0];
	im->table = names[1];
	if (n == 2)
		return 0;
	say(".import [--csv] [--skip N] FILE TABLE");
	return EXIT_USAGE;
}

/* Marks of UTF-8 at the beginning, and rows that were not asked for. */
static bool skip_rows(struct import *im)
{
	int c = getc_unlocked(im->file);

	if (c == 0xef && getc_unlocked(im->file) == 0xbb)
		(void)getc_unlocked(im->file);
	else if (c != EOF)
		(void)ungetc(c, im->file);
	for (int64_t i = 0; i < im->skip; i++) {
		int got = read_row(im);

		batch_clear(&im->batch);
		if (got != 1)
			return got == 0;
	}
	return true;
}

static void tell(const struct import *im)
{
	const struct ctl *c = im->shell->ctl;

	if (im->refused > 0)
		note(c, "%" PRId64 " row%s imported, %" PRId64 " refused", im->done, im->done == 1 ? "" : "s",
		     im->refused);
	else
		note(c, "%" PRId64 " row%s imported", im->done, im->done == 1 ? "" : "s");
	if (cancel_asked())
		say("interrupted");
}

int dot_import(struct shell *s, int argc, char **argv)
{
	struct import im = {.shell = s, .separator = s->look.column_end[0]};
	int code = take_arguments(&im, argc, argv);

	if (!code)
		code = shell_connect(s);
	if (code)
		return code;
	if (im.separator == '\0' || strlen(s->look.column_end) > 1) {
		if (im.separator != ',') {
			say("a column separator of one byte is needed; .separator or --csv");
			return EXIT_USAGE;
		}
	}
	im.file = fopen(im.path, "re");
	if (!im.file) {
		say("%s: %s", im.path, strerror(errno));
		return EXIT_FAILED;
	}
	code = skip_rows(&im) ? count_columns(&im) : EXIT_FAILED;
	cancel_watch(s->ctl->conn);
	if (!code) {
		code = run(&im);
		tell(&im);
	}
	cancel_unwatch();
	if (!code && im.refused > 0)
		code = EXIT_FAILED;
	shell_look_at_link(s);
	fclose(im.file);
	free(im.batch.fields);
	buf_free(&im.batch.text);
	buf_free(&im.sql);
	return code;
}
