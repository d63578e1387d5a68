/*
 * status --watch: looks, draws, waits for a key or the next time; through restarts of the daemon, until it is told to
 * end.
 *
 * A daemon that does not answer holds a look up for ANSWER_MS at most: keys still work then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/status.h"

/* How often it looks, on a screen and elsewhere, unless --interval says. */
#define SCREEN_MS 1000
#define LINE_MS 10000
/* A daemon that is gone is looked for this often. */
#define RECONNECT_MS 500
#define ANSWER_MS 2000
/* How long what a key has done stays in the foot. */
#define NOTICE_MS 3000

struct watch {
	struct ctl *ctl;
	struct doc *status, *recent; /* the last answers; NULL before there was one */
	struct buf notice, question, lost, socket;
	int64_t notice_until_ms;
	const char *asked; /* the method that a yes would call; NULL: nothing is asked */
	bool screen;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int interval_ms(const struct watch *w)
{
	return w->ctl->interval_ms ? w->ctl->interval_ms : w->screen ? SCREEN_MS : LINE_MS;
}

static void set(struct buf *b, const char *text)
{
	buf_reset(b, 4096);
	text_flat(b, text);
	(void)buf_cstr(b);
}

/* ---- the daemon ---- */

static void lose(struct watch *w, const char *why)
{
	if (!w->screen && w->lost.len == 0)
		say("%s; reconnecting", why);
	set(&w->lost, why);
	alterd_close(w->ctl->conn);
	w->ctl->conn = NULL;
}

static bool connected(struct watch *w)
{
	struct ctl *c = w->ctl;
	struct alterd_conn *conn;

	if (c->conn)
		return true;
	if (alterd_connect(c->socket, &conn) == 0 && alterd_set_timeout(conn, ANSWER_MS) == 0 &&
	    alterd_hello(conn, "alterctl/" ALTERD_VERSION, 0, -1) == 0) {
		c->conn = conn;
		return true;
	}
	lose(w, alterd_error_message(conn));
	alterd_close(conn);
	return false;
}

/* A new answer in the place of the old one, which stays if there is none. False: the connection is of no use any more.
 */
static bool ask(struct watch *w, const char *method, struct doc **d)
{
	struct error err = {0};
	struct doc *fresh = NULL;
	const char *text;

	if (alterd_call(w->ctl->conn, method, NULL, &text) != 0) {
		/* An older daemon does not know the method: that part stays empty. */
		if (alterd_error_code(w->ctl->conn) > -32768 && alterd_error_code(w->ctl->conn) <= -32000)
			return true;
		lose(w, alterd_error_message(w->ctl->conn));
		return false;
	}
	if (doc_parse(text, strlen(text), &fresh, &err) == 0) {
		doc_free(*d);
		*d = fresh;
	}
	error_clear(&err);
	return true;
}

static void look(struct watch *w)
{
	if (!connected(w) || !ask(w, "status", &w->status) || !ask(w, "stats.recent", &w->recent))
		return;
	buf_reset(&w->lost, 4096);
}

/* ---- showing ---- */

static bool may_control(const struct watch *w)
{
	const char *role = w->ctl->conn ? alterd_role(w->ctl->conn) : "";

	return strcmp(role, "migrate") == 0 || strcmp(role, "admin") == 0;
}

static struct watch_view view(struct watch *w)
{
	return (struct watch_view){
		.status = w->status ? doc_root(w->status) : NULL,
		.recent = w->recent ? doc_root(w->recent) : NULL,
		.socket = buf_cstr(&w->socket),
		.notice = w->notice.len && now_ms() < w->notice_until_ms ? buf_cstr(&w->notice) : NULL,
		.question = w->asked ? buf_cstr(&w->question) : NULL,
		.lost = w->lost.len ? buf_cstr(&w->lost) : NULL,
		.utf8 = w->ctl->utf8,
		.color = w->ctl->color,
		.keys = w->ctl->in_tty,
		.may_control = may_control(w),
		.interval_s = interval_ms(w) / 1000.0,
	};
}

static void draw(struct watch *w)
{
	struct watch_view v = view(w);
	struct buf out = {0};
	int rows, columns;

	screen_size(&rows, &columns);
	watch_screen(&out, &v, rows, columns);
	if (!out.failed)
		screen_draw(buf_cstr(&out), out.len);
	buf_free(&out);
}

/* ---- keys ---- */

static void tell(struct watch *w, const char *text)
{
	set(&w->notice, text);
	w->notice_until_ms = now_ms() + NOTICE_MS;
}

/* p and r ask first: a key is soon hit. */
static void question(struct watch *w, const char *method, const char *word)
{
	struct progress j;

	if (!w->status || w->lost.len || !progress_read(doc_get(doc_root(w->status), "job"), &j) ||
	    progress_ended(&j)) {
		tell(w, "nothing is running");
	} else if (!may_control(w)) {
		tell(w, "that needs the role migrate");
	} else {
		buf_reset(&w->question, 4096);
		buf_printf(&w->question, "%s ", word);
		progress_title(&w->question, &j);
		buf_putc(&w->question, '?');
		w->asked = method;
	}
}

static void answer(struct watch *w, int key)
{
	const char *method = w->asked;

	w->asked = NULL;
	if ((key != 'y' && key != 'Y') || !w->ctl->conn)
		return;
	if (alterd_call(w->ctl->conn, method, NULL, NULL) == 0)
		tell(w, strcmp(method, "migrate.pause") == 0 ? "paused" : "goes on");
	else
		tell(w, alterd_error_message(w->ctl->conn));
	look(w);
}

/* False: it is the end. */
static bool press(struct watch *w, int key)
{
	if (w->asked)
		answer(w, key);
	else if (key == 'q' || key == 'Q')
		return false;
	else if (key == 'p')
		question(w, "migrate.pause", "Pause");
	else if (key == 'r')
		question(w, "migrate.resume", "Resume");
	return true;
}

/* ---- the two ways ---- */

static void watch_on_screen(struct watch *w)
{
	int64_t next_ms = now_ms() + interval_ms(w);

	screen_open(w->ctl->in_tty);
	for (;;) {
		draw(w);
		int event = screen_wait((int)(next_ms - now_ms()));
		if (event == SCREEN_END || (event > 0 && !press(w, event)))
			break;
		if (event != SCREEN_TIME || now_ms() < next_ms)
			continue;
		look(w);
		next_ms = now_ms() + (w->lost.len && interval_ms(w) > RECONNECT_MS ? RECONNECT_MS : interval_ms(w));
	}
	screen_close();
	screen_raise();
}

static void watch_by_line(struct watch *w)
{
	struct buf out = {0};

	interrupt_catch();
	while (!interrupted()) {
		struct watch_view v = view(w);
		bool lost = w->lost.len > 0;

		if (!lost && has(w->ctl, FLAG_JSON)) {
			doc_dump(&out, v.status);
			buf_putc(&out, '\n');
		} else if (!lost && v.status) {
			watch_line(&out, &v);
		}
		if (!print_out(&out))
			break;
		pause_ms(lost ? RECONNECT_MS : interval_ms(w));
		if (!interrupted())
			look(w);
	}
	buf_free(&out);
}

int watch_status(struct ctl *c)
{
	struct watch w = {.ctl = c, .screen = c->out_tty && !c->dumb && !has(c, FLAG_JSON)};
	int code = ctl_connect(c);

	if (code)
		return code;
	alterd_set_timeout(c->conn, ANSWER_MS);
	set(&w.socket, alterd_path(c->conn));
	look(&w);
	if (w.screen)
		watch_on_screen(&w);
	else
		watch_by_line(&w);
	if (has(c, FLAG_EXIT_CODE))
		code = w.lost.len ? EXIT_UNREACHABLE : w.status ? status_exit_code(doc_root(w.status)) : EXIT_FAILED;
	doc_free(w.status);
	doc_free(w.recent);
	buf_free(&w.notice);
	buf_free(&w.question);
	buf_free(&w.lost);
	buf_free(&w.socket);
	return code;
}
