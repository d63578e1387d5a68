/*
 * alterctl status: what its files share. Nodes are borrowed from their documents; NULL is what is not known.
 *
 *     cmd_status.c  the command, once or --watch     status_text.c  the text of one look
 *     status_list.c versions, a line each            watch_loop.c   looking again and again
 *     watch_view.c  a look as a screen, or a line    screen.c       a terminal held, and given back
 *     graph.c       figures as a row of bars
 */
#ifndef ALTERD_CTL_STATUS_H
#define ALTERD_CTL_STATUS_H

#include "client/ctl/ctl.h"

/* ---- cmd_status.c ---- */

/* What --exit-code says of an answer of `status`. Pure. */
int status_exit_code(const struct doc_node *status);

/* ---- status_text.c ---- */

/* Versions waiting: a list, or a number. */
int64_t status_pending(const struct doc_node *status);
/* The version that stopped midway, as an entry of the problems; NULL: there is none. */
const struct doc_node *status_partial(const struct doc_node *status);
/* The whole text; `list` and `plan` are the answers of migrate.list and migrate.plan. */
void status_text(struct buf *out, const struct doc_node *status, const struct doc_node *list,
		 const struct doc_node *plan, int width);
/* A job that has ended: its title, state and table. */
void status_ended(struct buf *out, const struct progress *p);
/* Why it did not end well; NULL: it did. */
const char *status_error(const struct doc_node *job);

/* ---- status_list.c ---- */

/*
 * The last applied versions and those pending, a line each, at most `width` columns (0: any). True if the job has a
 * line among them.
 */
bool status_list(struct buf *out, const struct doc_node *list, const struct doc_node *plan, const struct doc_node *job,
		 int width);

/* ---- graph.c ---- */

/* The last `cells` of the numbers, one cell each, the tallest at the greatest. With utf8 in eighths of a cell. */
void graph_row(struct buf *out, const struct doc_node *numbers, int cells, bool utf8);
/* The greatest and the last of them; 0 if there are none. */
double graph_peak(const struct doc_node *numbers);
double graph_last(const struct doc_node *numbers);
/* [####----] of so many columns in all; in full and half blocks with utf8. */
void graph_bar(struct buf *out, double percent, int columns, bool utf8);

/* ---- watch_view.c ---- */

struct watch_view {
	const struct doc_node *status, *recent; /* the last answers there were */
	const char *socket;
	const char *notice;   /* a line for the foot: what was done, or went wrong; NULL: none */
	const char *question; /* what is asked; it takes the foot's place */
	const char *lost;     /* why the daemon is not there; NULL: it is */
	bool utf8, color;
	bool keys;        /* keys are read */
	bool may_control; /* and p and r would be allowed */
	double interval_s;
};

/* A screen of at most rows x columns: lines ended by \n, the foot in the last row. */
void watch_screen(struct buf *out, const struct watch_view *v, int rows, int columns);
/* The same as one line, for where there is no screen. */
void watch_line(struct buf *out, const struct watch_view *v);

/* ---- watch_loop.c ---- */

int watch_status(struct ctl *c);

/* ---- screen.c ---- */

/*
 * The terminal as a screen: another buffer, no cursor, keys without Enter. It is given back by screen_close(), at
 * exit(), and by every signal that ends or stops the program; there is one screen in a program. `keys` false: stdin is
 * none.
 */
void screen_open(bool keys);
void screen_close(void);
void screen_size(int *ret_rows, int *ret_columns);
/* Draws text of whole lines over what is there. */
void screen_draw(const char *text, size_t n);

enum screen_event {
	SCREEN_TIME = 0,   /* the time is up */
	SCREEN_AGAIN = -1, /* the size has changed, or the program goes on after Ctrl-Z: draw */
	SCREEN_END = -2,   /* a signal says so */
};

/* Waits for a key (its byte) or an event. */
int screen_wait(int ms);
/* After SCREEN_END and screen_close(): ends as the signal would have, but for Ctrl-C, at which it returns. */
void screen_raise(void);

#endif
