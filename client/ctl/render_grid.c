/*
 * Rows in columns of one width: table, box, column, markdown.
 *
 * Widths come from the first rows, which are kept until there are enough of them (or until the end); the others are
 * written as they come, so that a result of any size needs little memory. A cell has as many lines as it has control
 * characters and as its width asks for. On a terminal that is too narrow the widest columns give way.
 */
#include <stdlib.h>
#include <string.h>

#include "client/ctl/shell.h"

#define KEPT_ROWS 10000
#define KEPT_BYTES ((size_t)4 << 20)
#define UNLIMITED 1000000
/* A column gives way to the terminal's width down to this. */
#define NARROWEST 8

struct span {
	size_t at, n; /* in text */
};

struct column {
	int limit; /* columns of a line of its cells */
	int width;
	bool right;
};

struct grid {
	struct column *columns;
	struct span *cells; /* kept rows */
	size_t ncells, room;
	struct buf text, scratch, literal;
	struct span *rest; /* of the row that is being written, what is left of each cell */
	bool many_lines;   /* a kept row has more than one */
	bool flowing;      /* widths are settled, the heading is out */
	bool written;      /* a row is out */
};

struct corners {
	const char *left, *middle, *right, *dash;
};

static const struct corners plain = {"+", "+", "+", "-"}, bars = {"|", "|", "|", "-"};
static const struct corners box_top = {"\u250c", "\u252c", "\u2510", "\u2500"};
static const struct corners box_middle = {"\u251c", "\u253c", "\u2524", "\u2500"};
static const struct corners box_bottom = {"\u2514", "\u2534", "\u2518", "\u2500"};

/* ---- one line of a cell ---- */

/* Bytes of the character at p, and its columns: one, unless a terminal shows it wider. */
static size_t character(const char *p, const char *end, bool tty, int *ret_columns)
{
	const char *q = p + 1;

	while (q < end && ((unsigned char)*q & 0xc0) == 0x80)
		q++;
	*ret_columns = tty ? text_width(p, (size_t)(q - p)) : 1;
	return (size_t)(q - p);
}

/* Blanks up to the next multiple of eight, at least one, at most to the limit. */
static int tab_columns(int at, int limit)
{
	int to = (at / 8 + 1) * 8;

	return (to < limit ? to : limit) - at;
}

/* Passes over what ended the line; n 0: nothing is left. */
static struct span behind_line(struct span s, const char *p, const char *end, bool full)
{
	size_t skip = full && p < end && (unsigned char)*p >= ' ' ? 0 : 1;

	if (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
		skip = 2;
	if (p >= end || (size_t)(end - p) <= skip)
		return (struct span){.at = s.at + s.n, .n = 0};
	return (struct span){.at = s.at + s.n - (size_t)(end - p) + skip, .n = (size_t)(end - p) - skip};
}

/* The first line of the cell at most `limit` wide, appended to `out` if given. Moves *s behind it. Returns its width.
 */
static int take_line(const char *text, struct span *s, int limit, bool tty, struct buf *out)
{
	const char *p = text + s->at, *end = p + s->n;
	int width = 0, stray = 0;
	bool full = false;

	while (p < end && width < limit) {
		int columns;
		size_t n;

		if (*p == '\t') {
			columns = tab_columns(width, limit);
			for (int i = 0; out && i < columns; i++)
				buf_putc(out, ' ');
			width += columns;
			p++;
			continue;
		}
		if ((unsigned char)*p < ' ')
			break;
		n = character(p, end, tty, &columns);
		/* A wide one that does not fit waits for the next line, if it is not alone in this one. */
		if (width + columns > limit && width > 0) {
			full = true;
			break;
		}
		if (out)
			buf_add(out, p, n);
		width += columns;
		/* What is no UTF-8 takes a place in the line, but sqlite3 does not pad for it. */
		stray += !tty && ((unsigned char)*p & 0xc0) == 0x80;
		p += n;
	}
	*s = behind_line(*s, p, end, full || width >= limit);
	return width - stray;
}

/* ---- writing ---- */

static void repeat(struct buf *out, const char *what, int n)
{
	for (; n > 0; n--)
		buf_puts(out, what);
}

static void rule(const struct render *r, const struct corners *c)
{
	struct buf *out = &r->out->b;

	buf_puts(out, c->left);
	for (int i = 0; i < r->n; i++) {
		repeat(out, c->dash, r->grid->columns[i].width + 2);
		buf_puts(out, i + 1 < r->n ? c->middle : c->right);
	}
	buf_putc(out, '\n');
}

static const char *before_cell(const struct render *r, int i)
{
	if (r->look->mode == MODE_COLUMN)
		return i == 0 ? "" : "  ";
	if (r->look->mode == MODE_BOX)
		return i == 0 ? "\u2502 " : " \u2502 ";
	return i == 0 ? "| " : " | ";
}

static const char *behind_cells(const struct render *r)
{
	return r->look->mode == MODE_COLUMN ? "\n" : r->look->mode == MODE_BOX ? " \u2502\n" : " |\n";
}

static void padded(struct buf *out, const struct buf *cell, int width, int room, bool right)
{
	if (right)
		repeat(out, " ", room - width);
	buf_add(out, cell->data, cell->len);
	if (!right)
		repeat(out, " ", room - width);
}

static void write_row(struct render *r, const char *text, const struct span *cells)
{
	struct grid *g = r->grid;
	bool more = true;

	memcpy(g->rest, cells, (size_t)r->n * sizeof(*cells));
	for (int line = 0; more; line++) {
		more = false;
		for (int i = 0; i < r->n; i++) {
			struct column *c = &g->columns[i];
			int width = 0;

			buf_reset(&g->scratch, 4096);
			if (line == 0 || g->rest[i].n > 0)
				width = take_line(text, &g->rest[i], c->limit, r->out->tty, &g->scratch);
			more = more || g->rest[i].n > 0;
			buf_puts(&r->out->b, before_cell(r, i));
			padded(&r->out->b, &g->scratch, width, c->width, c->right);
		}
		buf_puts(&r->out->b, behind_cells(r));
	}
	g->written = true;
}

static void between_rows(const struct render *r)
{
	if (!r->grid->many_lines || !r->grid->written)
		return;
	if (r->look->mode == MODE_TABLE)
		rule(r, &plain);
	else if (r->look->mode == MODE_BOX)
		rule(r, &box_middle);
	else if (r->look->mode == MODE_COLUMN)
		buf_putc(&r->out->b, '\n');
}

/* A name as far as it fits in one line. */
static int heading_cell(const struct render *r, int i, struct buf *out)
{
	struct buf safe = {0};
	int width;

	text_plain(&safe, r->names[i], strlen(r->names[i]), r->out->tty);
	buf_reset(out, 4096);
	width = take_line(buf_cstr(&safe), &(struct span){.n = safe.len}, r->grid->columns[i].limit, r->out->tty, out);
	buf_free(&safe);
	return width;
}

static void heading(const struct render *r)
{
	struct buf *out = &r->out->b, *cell = &r->grid->scratch;

	for (int i = 0; i < r->n; i++) {
		const struct column *c = &r->grid->columns[i];
		int width = heading_cell(r, i, cell);

		buf_puts(out, before_cell(r, i));
		if (r->look->mode == MODE_COLUMN) {
			padded(out, cell, width, c->width, c->right);
			continue;
		}
		repeat(out, " ", (c->width - width) / 2);
		buf_add(out, cell->data, cell->len);
		repeat(out, " ", (c->width - width + 1) / 2);
	}
	buf_puts(out, behind_cells(r));
}

static void top(const struct render *r)
{
	bool column = r->look->mode == MODE_COLUMN;

	if (column && !r->look->headers)
		return;
	if (r->look->mode == MODE_TABLE)
		rule(r, &plain);
	else if (r->look->mode == MODE_BOX)
		rule(r, &box_top);
	heading(r);
	for (int i = 0; column && i < r->n; i++) {
		repeat(&r->out->b, "-", r->grid->columns[i].width);
		buf_puts(&r->out->b, i + 1 < r->n ? "  " : "\n");
	}
	if (!column)
		rule(r, r->look->mode == MODE_TABLE ? &plain : r->look->mode == MODE_BOX ? &box_middle : &bars);
}

/* ---- widths ---- */

/* Takes columns off the widest until a row fits the terminal. Returns whether that was needed. */
static bool fit_terminal(struct render *r)
{
	struct grid *g = r->grid;
	bool shrunk = false;
	int room = r->out->width - (r->look->mode == MODE_COLUMN ? 2 * (r->n - 1) : 3 * r->n + 1);

	for (;;) {
		int widest = 0, total = 0;

		for (int i = 0; i < r->n; i++) {
			total += g->columns[i].width;
			if (g->columns[i].width > g->columns[widest].width)
				widest = i;
		}
		if (total <= room || g->columns[widest].width <= NARROWEST)
			return shrunk;
		g->columns[widest].width -= total - room > 1000 ? (g->columns[widest].width - NARROWEST + 1) / 2 : 1;
		shrunk = g->many_lines = true;
	}
}

/* From here on cells are broken where their column ends. */
static void limit_to_widths(struct render *r)
{
	for (int i = 0; i < r->n; i++) {
		struct column *c = &r->grid->columns[i];
		int limit = c->width > 0 ? c->width : 1;

		c->limit = limit < c->limit ? limit : c->limit;
	}
}

static void settle(struct render *r)
{
	struct grid *g = r->grid;

	g->flowing = true;
	if (r->out->width > 0 && fit_terminal(r))
		limit_to_widths(r);
	top(r);
	for (size_t i = 0; i < g->ncells; i += (size_t)r->n) {
		between_rows(r);
		write_row(r, g->text.data, &g->cells[i]);
		if (!sink_offer(r->out))
			break;
	}
	limit_to_widths(r);
	g->ncells = 0;
	buf_reset(&g->text, 0);
}

/* ---- rows ---- */

struct grid *grid_new(const struct render *r)
{
	struct grid *g = must(calloc(1, sizeof(*g)));

	g->columns = must(calloc((size_t)r->n + 1, sizeof(*g->columns)));
	g->rest = must(calloc((size_t)r->n + 1, sizeof(*g->rest)));
	for (int i = 0; i < r->n; i++) {
		int asked = i < RENDER_WIDTHS_MAX ? r->look->widths[i] : 0;
		int limit = asked ? abs(asked) : r->look->wrap;

		g->columns[i] = (struct column){
			.limit = limit > 0 ? limit : UNLIMITED,
			.width = abs(asked),
			.right = asked < 0,
		};
	}
	return g;
}

/* A cell's bytes behind those of the others. */
static struct span add_cell(struct render *r, const struct alterd_value *v)
{
	struct grid *g = r->grid;
	struct span s = {.at = g->text.len};
	const char *p;
	size_t n;

	/* There is a text to point at even for an empty cell. */
	buf_reserve(&g->text, 1);
	if (r->look->quote && (v->type == ALTERD_TEXT || v->type == ALTERD_BLOB)) {
		buf_reset(&g->literal, 4096);
		p = text_of(v, &g->scratch, &n);
		if (v->type == ALTERD_TEXT) {
			text_quoted(&g->literal, p, n, false);
		} else {
			buf_puts(&g->literal, "x'");
			text_hex(&g->literal, v->s.p, v->s.n, false);
			buf_putc(&g->literal, '\'');
		}
		p = buf_cstr(&g->literal);
		n = g->literal.len;
	} else if (v->type == ALTERD_NULL) {
		p = r->look->quote ? "NULL" : r->look->null_value;
		n = strlen(p);
	} else {
		p = text_of(v, &g->scratch, &n);
	}
	text_plain(&g->text, p, n, r->out->tty);
	s.n = g->text.len - s.at;
	return s;
}

/* What a kept cell asks of its column. */
static void measure(struct render *r, int i, struct span s)
{
	struct column *c = &r->grid->columns[i];

	for (bool first = true; first || s.n > 0; first = false) {
		int width = take_line(r->grid->text.data, &s, c->limit, r->out->tty, NULL);

		c->width = width > c->width ? width : c->width;
		r->grid->many_lines |= s.n > 0;
	}
}

static void keep(struct render *r, const struct alterd_value *row)
{
	struct grid *g = r->grid;

	if (g->ncells + (size_t)r->n > g->room) {
		g->room = (g->room + (size_t)r->n) * 2;
		g->cells = must(realloc(g->cells, g->room * sizeof(*g->cells)));
	}
	for (int i = 0; i < r->n; i++) {
		struct span s = add_cell(r, &row[i]);

		g->cells[g->ncells++] = s;
		if (!g->text.failed)
			measure(r, i, s);
	}
}

void grid_row(struct render *r, const struct alterd_value *row)
{
	struct grid *g = r->grid;

	/* The names count for the widths, but only if there is a row to stand above. */
	for (int i = 0; r->rows == 0 && i < r->n; i++) {
		int width = heading_cell(r, i, &g->scratch);

		g->columns[i].width = width > g->columns[i].width ? width : g->columns[i].width;
	}
	r->rows++;
	if (g->flowing) {
		struct span *cells = g->cells;

		buf_reset(&g->text, KEPT_BYTES);
		for (int i = 0; i < r->n; i++)
			cells[i] = add_cell(r, &row[i]);
		between_rows(r);
		if (!g->text.failed)
			write_row(r, g->text.data, cells);
	} else {
		keep(r, row);
		if (r->rows >= KEPT_ROWS || g->text.len > KEPT_BYTES)
			settle(r);
	}
	if (g->text.failed)
		r->out->b.failed = true;
}

void grid_end(struct render *r)
{
	struct grid *g = r->grid;

	if (!g->flowing && r->rows > 0)
		settle(r);
	if (r->rows > 0 && r->look->mode == MODE_TABLE)
		rule(r, &plain);
	else if (r->rows > 0 && r->look->mode == MODE_BOX)
		rule(r, &box_bottom);
	buf_free(&g->text);
	buf_free(&g->scratch);
	buf_free(&g->literal);
	free(g->columns);
	free(g->cells);
	free(g->rest);
	free(g);
}
