/*
 * Rows in aligned columns.
 *
 * Widths come from the first rows, which are kept until there are enough of them (or until the end); the rest is
 * printed as it arrives, so that a result of any size needs little memory. On a terminal long cells are cut to fit;
 * elsewhere nothing is. Numbers stand to the right. NULL is bare, a text that says NULL is quoted.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/value.h"

#define KEPT_ROWS 1000
#define KEPT_BYTES ((size_t)4 << 20)
/* A column is not cut below this, even if the line is then too long. */
#define NARROWEST 8
/* Bytes of a BLOB shown on a terminal. */
#define BLOB_SHOWN 24
#define GAP 2

enum look { LOOK_TEXT, LOOK_NUMBER, LOOK_NULL };

struct cell {
	size_t at, n; /* in text */
	enum look look;
};

struct column {
	char *name;
	int width;
	bool number_seen, text_seen; /* only numbers: the heading stands to the right, as they do */
};

struct table {
	const struct ctl *ctl;
	struct column *columns;
	size_t ncolumns;
	struct cell *cells; /* kept rows, ncolumns each */
	size_t ncells, room;
	struct buf text; /* of the kept cells */
	struct buf own;  /* output on its way to stdout */
	struct buf *out; /* where output goes */
	bool flowing;    /* widths are settled, the heading is out */
	bool dead;       /* nobody reads stdout any more, or memory ran out */
};

struct table *table_new(const struct ctl *c)
{
	struct table *t = must(calloc(1, sizeof(*t)));

	t->ctl = c;
	t->out = &t->own;
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->ncolumns; i++)
		free(t->columns[i].name);
	free(t->columns);
	free(t->cells);
	buf_free(&t->text);
	buf_free(&t->own);
	free(t);
}

void table_into(struct table *t, struct buf *out) { t->out = out; }

void table_column(struct table *t, const char *name)
{
	struct buf safe = {0};

	t->columns = must(realloc(t->columns, (t->ncolumns + 1) * sizeof(*t->columns)));
	text_safe(&safe, name, strlen(name));
	t->columns[t->ncolumns++] = (struct column){
		.name = must(strdup(buf_cstr(&safe))),
		.width = text_width(buf_cstr(&safe), safe.len),
	};
	buf_free(&safe);
}

static void add_blob(const struct table *t, struct buf *out, const struct alterd_value *v)
{
	size_t shown = t->ctl->width && v->s.n > BLOB_SHOWN ? BLOB_SHOWN : v->s.n;

	buf_puts(out, "x'");
	for (size_t i = 0; i < shown; i++)
		buf_printf(out, "%02X", (unsigned char)v->s.p[i]);
	if (shown < v->s.n)
		buf_printf(out, "...' (%zu bytes)", v->s.n);
	else
		buf_putc(out, '\'');
}

/* Appends the cell's text. */
static enum look add_cell(const struct table *t, struct buf *out, const struct alterd_value *v)
{
	switch (v->type) {
	case ALTERD_INT:
		value_write_int(out, v->i, INT64_NUMBER);
		return LOOK_NUMBER;
	case ALTERD_REAL:
		if (isinf(v->r))
			buf_puts(out, v->r > 0 ? "inf" : "-inf");
		else
			value_write_real(out, v->r);
		return LOOK_NUMBER;
	case ALTERD_BLOB:
		add_blob(t, out, v);
		return LOOK_TEXT;
	case ALTERD_TEXT:
		if (v->s.n == 4 && memcmp(v->s.p, "NULL", 4) == 0)
			buf_puts(out, "'NULL'");
		else
			text_safe(out, v->s.p, v->s.n);
		return LOOK_TEXT;
	case ALTERD_NULL:
		break;
	}
	buf_puts(out, "NULL");
	return LOOK_NULL;
}

static void spaces(struct buf *out, int n)
{
	for (; n > 0; n--)
		buf_putc(out, ' ');
}

static void emit(struct table *t, const char *p, size_t n, enum look look, size_t column)
{
	const struct column *c = &t->columns[column];
	bool last = column + 1 == t->ncolumns, dim = look == LOOK_NULL && t->ctl->color;
	int width = text_width(p, n), cut = 0;

	/* A cell that came after the widths were settled may be wider than its column: cut on a terminal, else shown
	 * whole. */
	if (t->ctl->width && width > c->width) {
		n = text_fit(p, n, c->width - 1);
		width = text_width(p, n) + 1;
		cut = 1;
	}
	if (column > 0)
		spaces(t->out, GAP);
	if (look == LOOK_NUMBER)
		spaces(t->out, c->width - width);
	if (dim)
		buf_puts(t->out, "\033[2m");
	buf_add(t->out, p, n);
	if (cut)
		buf_puts(t->out, "\xe2\x80\xa6");
	if (dim)
		buf_puts(t->out, "\033[0m");
	if (look != LOOK_NUMBER && !last)
		spaces(t->out, c->width - width);
	if (last)
		buf_putc(t->out, '\n');
}

static void flush(struct table *t)
{
	if (t->out == &t->own && !print_out(&t->own))
		t->dead = true;
}

/* Takes columns off the widest until the line fits the terminal. */
static void fit_terminal(struct table *t)
{
	for (;;) {
		size_t widest = 0;
		int total = 0;

		for (size_t i = 0; i < t->ncolumns; i++) {
			total += t->columns[i].width + (i ? GAP : 0);
			if (t->columns[i].width > t->columns[widest].width)
				widest = i;
		}
		if (total <= t->ctl->width || t->columns[widest].width <= NARROWEST)
			return;
		/* Large steps while far away, then one by one. */
		t->columns[widest].width -= total - t->ctl->width > 4 * t->ctl->width
						    ? (t->columns[widest].width - NARROWEST + 1) / 2
						    : 1;
	}
}

static void heading(struct table *t)
{
	for (size_t i = 0; i < t->ncolumns; i++) {
		struct column *c = &t->columns[i];

		/* Headings stand like their cells, so that they are over them. */
		if (t->ctl->color)
			buf_puts(t->out, "\033[1m");
		emit(t, c->name, strlen(c->name), c->number_seen && !c->text_seen ? LOOK_NUMBER : LOOK_TEXT, i);
		if (t->ctl->color)
			buf_puts(t->out, "\033[0m");
	}
	for (size_t i = 0; i < t->ncolumns; i++) {
		if (i > 0)
			spaces(t->out, GAP);
		for (int k = 0; k < t->columns[i].width; k++)
			buf_putc(t->out, '-');
	}
	buf_putc(t->out, '\n');
}

/* Settles the widths and prints what was kept. */
static void settle(struct table *t)
{
	t->flowing = true;
	if (t->ctl->width && t->ncolumns > 0)
		fit_terminal(t);
	if (t->ncolumns > 0)
		heading(t);
	for (size_t i = 0; t->ncolumns > 0 && i < t->ncells; i++)
		emit(t, t->text.data + t->cells[i].at, t->cells[i].n, t->cells[i].look, i % t->ncolumns);
	t->ncells = 0;
	buf_reset(&t->text, KEPT_BYTES);
	flush(t);
}

static void keep(struct table *t, size_t column, size_t at, enum look look)
{
	struct column *c = &t->columns[column];
	size_t n = t->text.len - at;
	int width = text_width(t->text.data + at, n);

	if (t->ncells == t->room) {
		t->room = t->room ? t->room * 2 : 256;
		t->cells = must(realloc(t->cells, t->room * sizeof(*t->cells)));
	}
	t->cells[t->ncells++] = (struct cell){.at = at, .n = n, .look = look};
	if (width > c->width)
		c->width = width;
	c->number_seen |= look == LOOK_NUMBER;
	c->text_seen |= look == LOOK_TEXT;
}

static void end_row(struct table *t)
{
	if (t->text.failed) {
		say("out of memory for the table");
		t->dead = true;
		return;
	}
	if (t->flowing) {
		if (t->out->len > 65536)
			flush(t);
		buf_reset(&t->text, KEPT_BYTES);
	} else if (t->ncells >= KEPT_ROWS * t->ncolumns || t->text.len > KEPT_BYTES) {
		settle(t);
	}
}

bool table_row(struct table *t, const struct alterd_value *row)
{
	if (t->dead)
		return false;
	for (size_t i = 0; i < t->ncolumns; i++) {
		size_t at = t->text.len;
		enum look look;

		/* Reserved first, so that there is a text to point at even for an empty cell. */
		buf_reserve(&t->text, 1);
		look = add_cell(t, &t->text, &row[i]);
		if (t->text.failed)
			break;
		if (t->flowing)
			emit(t, t->text.data + at, t->text.len - at, look, i);
		else
			keep(t, i, at, look);
	}
	end_row(t);
	return !t->dead;
}

void table_texts(struct table *t, const char *const *row)
{
	struct alterd_value *values = must(calloc(t->ncolumns + 1, sizeof(*values)));

	for (size_t i = 0; i < t->ncolumns; i++)
		values[i] = alterd_text(row[i] ? row[i] : "");
	table_row(t, values);
	free(values);
}

void table_end(struct table *t)
{
	if (t->dead)
		return;
	if (!t->flowing)
		settle(t);
	flush(t);
}
