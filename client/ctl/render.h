/*
 * Rows as text, in the modes of sqlite3's shell, byte for byte where it has them, and in one more (jsonl).
 *
 *     render.c       a mode's name; which of the two below     render_text.c  values as text, in each mode's quotes
 *     render_rows.c  modes that write a row at a time          render_grid.c  columns of one width
 *
 * On a terminal it is another matter: there characters that could drive it are spelled out, and wide characters count
 * for two columns. What goes to a file or a pipe are the bytes that sqlite3 would write.
 */
#ifndef ALTERD_CTL_RENDER_H
#define ALTERD_CTL_RENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/alterd.h"
#include "proto/buf.h"

/* ---- where it goes (shell_sink.c) ---- */

struct sink {
	int fd;
	bool tty;    /* bytes are made harmless */
	int width;   /* of the terminal; 0: none */
	bool dead;   /* nobody reads it any more, or the disk is full: all further output is dropped */
	bool failed; /* the disk, not the reader */
	struct buf b;
};

/* The terminal may have another width by now. */
void sink_look(struct sink *s);
/* Writes out what there is if it is much. False: dead. */
bool sink_offer(struct sink *s);
/* Writes out all. False: dead. A reader that has gone is no error worth a word, anything else is told. */
bool sink_flush(struct sink *s);

/* ---- how it looks ---- */

enum render_mode {
	MODE_LIST,
	MODE_TABLE,
	MODE_BOX,
	MODE_COLUMN,
	MODE_MARKDOWN,
	MODE_CSV,
	MODE_TABS,
	MODE_JSON,
	MODE_JSONL,
	MODE_LINE,
	MODE_INSERT,
	MODE_QUOTE,
	MODE_HTML,
	MODE_TCL,
	MODE_ASCII,
	MODES
};

#define RENDER_WIDTHS_MAX 100

struct render_look {
	enum render_mode mode;
	bool headers;
	bool headers_set;              /* by hand: a mode does not change it any more */
	char null_value[64];           /* what stands for NULL */
	char column_end[24];           /* between two columns */
	char row_end[24];              /* behind a row */
	const char *table;             /* of MODE_INSERT; borrowed */
	int widths[RENDER_WIDTHS_MAX]; /* least widths of columns; negative: to the right */
	int wrap;                      /* columns of a cell's line in a grid; 0: any */
	bool quote;                    /* cells of a grid as SQL literals */
};

/* The name of a mode; NULL past the last. */
const char *render_mode_name(enum render_mode mode);
/* MODES: there is none of that name. */
enum render_mode render_mode_find(const char *name);
/* table, box, column, markdown. */
bool render_is_grid(enum render_mode mode);
/* Goes to a mode, with the separators it has. */
void render_set_mode(struct render_look *look, enum render_mode mode);

/* ---- rows ---- */

struct render;

/* `look` and `out` are borrowed; names too, until the end. */
struct render *render_new(const struct render_look *look, struct sink *out, const char *const *names, int n);
/* A row of n values. False: the output is dead. */
bool render_row(struct render *r, const struct alterd_value *row);
/*
 * The end of the rows, and of `r`. Grids show what they have kept: widths come from the first 10,000 rows or 4 MiB, and
 * what is wider after those goes on in another line of its cell.
 */
void render_end(struct render *r);

/* ---- the two kinds, and what they share ---- */

struct render {
	const struct render_look *look;
	struct sink *out;
	const char *const *names;
	int n;
	int64_t rows;
	struct grid *grid; /* NULL: a mode that writes a row at a time */
	int name_width;    /* MODE_LINE: of the longest name */
};

/* render_rows.c */
void rows_row(struct render *r, const struct alterd_value *row);
void rows_end(struct render *r);
/* render_grid.c */
struct grid *grid_new(const struct render *r);
void grid_row(struct render *r, const struct alterd_value *row);
void grid_end(struct render *r);

/* render_text.c */
/* A REAL with so many digits as SQLite writes it, "%!.15g" and "%!.20g": 0.1, 1.0e+20, Inf. */
void text_real(struct buf *out, double v, int digits);
/* The bytes of a value as SQLite turns it into text. A pointer into the value, or into `scratch`. NULL for NULL. */
const char *text_of(const struct alterd_value *v, struct buf *scratch, size_t *ret_n);
/* 'it''s', on a terminal without what could drive it. */
void text_quoted(struct buf *out, const char *p, size_t n, bool tty);
/* The same with line ends as replace(..,'\n',char(10)). */
void text_quoted_lines(struct buf *out, const char *p, size_t n, bool tty);
void text_hex(struct buf *out, const char *p, size_t n, bool capital);
/* A name of SQL, in quotes if it needs them. */
void text_name(struct buf *out, const char *name);
/* The bytes; for a terminal with all but line ends and tabs made harmless. */
void text_plain(struct buf *out, const char *p, size_t n, bool tty);
/* A value as an SQL literal, as MODE_QUOTE and MODE_INSERT write it. */
void text_literal(struct buf *out, const struct alterd_value *v, bool insert, bool tty);
/* A JSON value. */
void text_json(struct buf *out, const struct alterd_value *v);
void text_json_string(struct buf *out, const char *p, size_t n);

#endif
