/* Modes that write a row at a time, and keep nothing. */
#include <string.h>

#include "client/ctl/shell.h"

/* ---- cells ---- */

/* CSV: a cell with anything but plain characters is put in quotes. */
static void csv_cell(struct render *r, const char *p, size_t n)
{
	struct buf *out = &r->out->b;
	const char *end = r->look->column_end;
	bool quotes = n == 0 || (*end && memmem(p, n, end, strlen(end)));

	for (size_t i = 0; i < n && !quotes; i++)
		quotes = (unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f || p[i] == '"' || p[i] == '\'';
	if (!quotes) {
		buf_add(out, p, n);
		return;
	}
	buf_putc(out, '"');
	for (const char *stop = p + n; p < stop;) {
		const char *q = memchr(p, '"', (size_t)(stop - p));
		size_t part = (size_t)((q ? q : stop) - p);

		text_plain(out, p, part, r->out->tty);
		if (q)
			buf_puts(out, "\"\"");
		p += part + (q != NULL);
	}
	buf_putc(out, '"');
}

static void html_cell(struct buf *out, const char *p, size_t n, bool tty)
{
	static const char special[] = "<&>\"'";
	static const char *const entities[] = {"&lt;", "&amp;", "&gt;", "&quot;", "&#39;"};
	size_t begun = 0;

	for (size_t i = 0; i <= n; i++) {
		const char *at = i < n && p[i] ? strchr(special, p[i]) : NULL;

		if (i < n && !at)
			continue;
		text_plain(out, p + begun, i - begun, tty);
		if (at)
			buf_puts(out, entities[at - special]);
		begun = i + 1;
	}
}

/* A string of C, as Tcl reads it too. */
static void tcl_cell(struct buf *out, const char *p, size_t n)
{
	static const char named[] = "\\\"\t\n\r", letters[] = "\\\"tnr";

	buf_putc(out, '"');
	for (size_t i = 0; i < n; i++) {
		const char *at = p[i] ? strchr(named, p[i]) : NULL;

		if (at)
			buf_printf(out, "\\%c", letters[at - named]);
		else if ((unsigned char)p[i] < 0x20 || (unsigned char)p[i] >= 0x7f)
			buf_printf(out, "\\%03o", (unsigned)(unsigned char)p[i]);
		else
			buf_putc(out, p[i]);
	}
	buf_putc(out, '"');
}

static void cell(struct render *r, const struct alterd_value *v)
{
	struct buf scratch = {0}, *out = &r->out->b;
	bool tty = r->out->tty, null = v->type == ALTERD_NULL;
	size_t n;
	const char *p = text_of(v, &scratch, &n);

	if (null) {
		p = r->look->null_value;
		n = strlen(p);
	}
	if (r->look->mode == MODE_QUOTE)
		text_literal(out, v, false, tty);
	else if (r->look->mode == MODE_CSV && !null)
		csv_cell(r, p, n);
	else if (r->look->mode == MODE_TCL)
		tcl_cell(out, p, n);
	else
		text_plain(out, p, n, tty);
	buf_free(&scratch);
}

/* ---- rows ---- */

static void separated(struct render *r, const struct alterd_value *row)
{
	for (int i = 0; i < r->n; i++) {
		if (i > 0)
			buf_puts(&r->out->b, r->look->column_end);
		cell(r, &row[i]);
	}
	buf_puts(&r->out->b, r->look->row_end);
}

static void heading(struct render *r)
{
	for (int i = 0; i < r->n; i++) {
		struct alterd_value name = alterd_text(r->names[i]);

		if (i > 0)
			buf_puts(&r->out->b, r->look->column_end);
		cell(r, &name);
	}
	buf_puts(&r->out->b, r->look->row_end);
}

static void html_row(struct render *r, const struct alterd_value *row, const char *tag)
{
	struct buf scratch = {0}, *out = &r->out->b;

	buf_puts(out, "<TR>");
	for (int i = 0; i < r->n; i++) {
		size_t n;
		const char *p = row ? text_of(&row[i], &scratch, &n) : r->names[i];

		if (!row)
			n = strlen(p);
		buf_printf(out, "<%s>", tag);
		if (p)
			html_cell(out, p, n, r->out->tty);
		else
			html_cell(out, r->look->null_value, strlen(r->look->null_value), r->out->tty);
		buf_printf(out, "</%s>\n", tag);
	}
	buf_puts(out, "</TR>\n");
	buf_free(&scratch);
}

static void line_row(struct render *r, const struct alterd_value *row)
{
	if (r->rows > 0)
		buf_puts(&r->out->b, r->look->row_end);
	for (int i = 0; i < r->n; i++) {
		struct buf *out = &r->out->b;
		size_t n = strlen(r->names[i]);
		int width = r->out->tty ? text_width(r->names[i], n) : (int)n;

		for (int k = width; k < r->name_width; k++)
			buf_putc(out, ' ');
		text_plain(out, r->names[i], n, r->out->tty);
		buf_puts(out, " = ");
		cell(r, &row[i]);
		buf_puts(out, r->look->row_end);
	}
}

static void json_row(struct render *r, const struct alterd_value *row)
{
	struct buf *out = &r->out->b;

	if (r->look->mode == MODE_JSON)
		buf_puts(out, r->rows == 0 ? "[" : ",\n");
	buf_putc(out, '{');
	for (int i = 0; i < r->n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		text_json_string(out, r->names[i], strlen(r->names[i]));
		buf_putc(out, ':');
		text_json(out, &row[i]);
	}
	buf_puts(out, r->look->mode == MODE_JSON ? "}" : "}\n");
}

static void insert_row(struct render *r, const struct alterd_value *row)
{
	struct buf *out = &r->out->b;

	buf_puts(out, "INSERT INTO ");
	text_name(out, r->look->table);
	for (int i = 0; i < r->n && r->look->headers; i++) {
		buf_putc(out, i == 0 ? '(' : ',');
		text_name(out, r->names[i]);
	}
	buf_puts(out, r->look->headers ? ") VALUES(" : " VALUES(");
	for (int i = 0; i < r->n; i++) {
		if (i > 0)
			buf_putc(out, ',');
		text_literal(out, &row[i], true, r->out->tty);
	}
	buf_puts(out, ");\n");
}

static void write_row(struct render *r, const struct alterd_value *row)
{
	bool first = r->rows == 0 && r->look->headers;

	switch (r->look->mode) {
	case MODE_LINE:
		line_row(r, row);
		break;
	case MODE_JSON:
	case MODE_JSONL:
		json_row(r, row);
		break;
	case MODE_INSERT:
		insert_row(r, row);
		break;
	case MODE_HTML:
		if (first)
			html_row(r, NULL, "TH");
		html_row(r, row, "TD");
		break;
	default:
		if (first)
			heading(r);
		separated(r, row);
		break;
	}
	r->rows++;
}

void rows_row(struct render *r, const struct alterd_value *row)
{
	struct buf kept = r->out->b;

	if (!r->out->tty) {
		write_row(r, row);
		return;
	}
	/* Names, keys of JSON and separators are made harmless as well as the cells. */
	r->out->b = (struct buf){0};
	write_row(r, row);
	text_plain(&kept, r->out->b.data ? r->out->b.data : "", r->out->b.len, true);
	kept.failed |= r->out->b.failed;
	buf_free(&r->out->b);
	r->out->b = kept;
}

void rows_end(struct render *r)
{
	if (r->look->mode == MODE_JSON && r->rows > 0)
		buf_puts(&r->out->b, "]\n");
}
