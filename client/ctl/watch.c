/*
 * Following a migration job to its end.
 *
 * The job is started without waiting, and its state asked for a few times a second: so Ctrl-C can leave at any moment,
 * and a daemon that restarts on the way is found again.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/lib/jread.h"

/* The first looks come quickly, for a change that takes no time at all. */
#define FIRST_LOOK_MS 20
#define LOOK_MS 250
/* Where nobody watches: one line per this. */
#define LINE_EVERY_MS 10000
/* How long a daemon that went away may take to come back. */
#define RECONNECT_MS 30000

static volatile sig_atomic_t caught;

static void on_interrupt(int signo)
{
	(void)signo;
	if (caught)
		_exit(EXIT_DETACHED);
	caught = 1;
}

void interrupt_catch(void)
{
	struct sigaction sa = {.sa_handler = on_interrupt};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
}

bool interrupted(void) { return caught != 0; }

void interrupt_forget(void) { caught = 0; }

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void pause_ms(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	if (!caught)
		nanosleep(&t, NULL);
}

/* ---- the line ---- */

struct line {
	const struct ctl *ctl;
	bool animated, shown;
	int64_t next_ms; /* when the next line is due, where it is not animated */
	char phase[32];
};

static int terminal_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void line_clear(struct line *l)
{
	if (l->shown && l->animated)
		fputs("\r\033[K", stderr);
	l->shown = false;
}

static void line_show(struct line *l, const struct progress *p)
{
	struct buf out = {0};

	if (has(l->ctl, FLAG_QUIET) || has(l->ctl, FLAG_JSON))
		return;
	if (l->animated) {
		/* The last column stays free: a terminal that wraps there would leave lines behind. */
		buf_puts(&out, "\r\033[K");
		progress_line(&out, p, terminal_width() - 1);
	} else if (now_ms() >= l->next_ms || strcmp(l->phase, p->phase) != 0) {
		l->next_ms = now_ms() + LINE_EVERY_MS;
		progress_line(&out, p, 0);
		buf_putc(&out, '\n');
	}
	snprintf(l->phase, sizeof(l->phase), "%s", p->phase);
	fwrite(buf_cstr(&out), 1, out.len, stderr);
	fflush(stderr);
	l->shown = true;
	buf_free(&out);
}

/* ---- the end of a job ---- */

/* A cell of an offending row: a value as the wire has it, with its escapes; the text lives in `text`. */
static struct alterd_value cell_of(const struct doc_node *v, struct buf *text)
{
	struct alterd_value value;

	if (!v)
		return alterd_null();
	buf_reset(text, 65536);
	doc_dump(text, v);
	buf_cstr(text);
	if (text->failed || !jr_value(text->data, &value))
		return alterd_text_n(buf_cstr(text), text->len);
	return value;
}

/* "CHECK" alone does not say which. */
static void add_constraint(const struct doc_node *constraint, struct alterd_value *cell, struct buf *text)
{
	struct buf whole = {0};

	if (doc_type(constraint) != DOC_STRING || cell->type != ALTERD_TEXT)
		return;
	buf_add(&whole, cell->s.p, cell->s.n);
	buf_printf(&whole, " %s", doc_str(constraint, ""));
	buf_reset(text, 65536);
	buf_add(text, whole.data, whole.len);
	buf_free(&whole);
	*cell = alterd_text_n(buf_cstr(text), text->len);
}

static void show_rows(const struct ctl *c, const struct doc_node *rows, int64_t count)
{
	static const char *const keys[] = {"rowid", "column", "value", "reason"};
	struct buf texts[4] = {0}, out = {0};
	struct table *t = table_new(c);

	table_into(t, &out);
	for (size_t k = 0; k < 4; k++)
		table_column(t, keys[k]);
	for (size_t i = 0; i < doc_count(rows); i++) {
		struct alterd_value cells[4];

		for (size_t k = 0; k < 4; k++)
			cells[k] = cell_of(doc_get(doc_at(rows, i), keys[k]), &texts[k]);
		add_constraint(doc_get(doc_at(rows, i), "constraint"), &cells[3], &texts[3]);
		table_row(t, cells);
	}
	table_end(t);
	fwrite(buf_cstr(&out), 1, out.len, stderr);
	if (count > (int64_t)doc_count(rows))
		fprintf(stderr, "... and %" PRId64 " more\n", count - (int64_t)doc_count(rows));
	table_free(t);
	buf_free(&out);
	for (size_t k = 0; k < 4; k++)
		buf_free(&texts[k]);
}

/* Rows are named in the job itself, or in its error. */
static const struct doc_node *in_error(const struct doc_node *job, const char *key)
{
	static const char *const places[] = {"error.data.%s", "error.%s", "data.%s", "%s"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[64];
		const struct doc_node *found;

		snprintf(path, sizeof(path), "%.*s%s", (int)(strlen(places[i]) - 2), places[i], key);
		found = doc_get(job, path);
		if (found)
			return found;
	}
	return NULL;
}

/* A version that runs without a transaction keeps what came before the failure. */
static void note_partial(const struct ctl *c, const struct doc_node *job)
{
	const struct doc_node *partial = in_error(job, "partial");
	int64_t version = doc_int(doc_get(job, "version"), 0);

	note(c,
	     "Version %" PRId64 " is partial: %" PRId64 " of %" PRId64
	     " statements have run, and stay.\nnext: mend its file, then alterctl up  |  alterctl resolve %" PRId64
	     " --applied or --not-applied",
	     version, doc_int(doc_get(partial, "done"), 0), doc_int(doc_get(partial, "total"), 0), version);
}

static int report_failure(const struct ctl *c, const struct doc_node *job, const struct progress *p)
{
	const char *why = doc_str(in_error(job, "message"), doc_str(doc_get(job, "error"), "no reason given"));
	const struct doc_node *rows = in_error(job, "rows");
	const char *name = doc_str(in_error(job, "name"), "");
	struct buf text = {0};

	progress_title(&text, p);
	buf_puts(&text, " failed: ");
	text_safe(&text, why, strlen(why));
	say("%s", buf_cstr(&text));
	if (doc_type(rows) == DOC_ARRAY && doc_count(rows) > 0)
		show_rows(c, rows, doc_int(in_error(job, "count"), 0));
	if (doc_type(in_error(job, "partial")) == DOC_OBJECT)
		note_partial(c, job);
	else
		note(c, "The table and its data are as they were.");
	if (strcmp(name, "NEEDS_FORCE") == 0)
		note(c, "next: the same with --allow-data-loss, if the loss is meant");
	else if (doc_count(rows) > 0)
		note(c, "next: mend these rows, then run it again");
	buf_free(&text);
	return EXIT_FAILED;
}

static void add_figure(struct buf *out, const struct doc_node *job, const char *key, const char *label)
{
	const struct doc_node *v = doc_get(job, key);

	if (doc_type(v) == DOC_INT || doc_type(v) == DOC_REAL)
		buf_printf(out, "  %-14s %.1f ms\n", label, doc_real(v, 0));
}

static void add_rows(struct buf *out, const struct doc_node *job)
{
	int64_t verified = doc_int(doc_get(job, "verified_rows"), -1), done = doc_int(doc_get(job, "rows_done"), -1);

	if (done >= 0) {
		buf_printf(out, "  %-14s ", "rows");
		text_number(out, done);
		buf_putc(out, '\n');
	}
	if (verified >= 0) {
		buf_printf(out, "  %-14s ", "verified");
		text_number(out, verified);
		buf_putc(out, '\n');
	}
}

static void report_success(const struct ctl *c, const struct doc_node *job, const struct progress *p)
{
	double took_ms = doc_real(doc_get(job, "took_ms"), doc_real(doc_get(job, "elapsed_s"), -0.001) * 1000);
	struct buf out = {0};

	progress_title(&out, p);
	buf_puts(&out, " done");
	if (*p->table) {
		buf_puts(&out, ": ");
		text_safe(&out, p->table, strlen(p->table));
		buf_puts(&out, " is changed");
	}
	buf_putc(&out, '\n');
	add_rows(&out, job);
	if (took_ms >= 0)
		buf_printf(&out, "  %-14s %.2f s\n", "took", took_ms / 1000);
	add_figure(&out, job, "swap_ms", "swap");
	add_figure(&out, job, "longest_hold_ms", "longest hold");
	add_figure(&out, job, "longest_wait_ms", "longest wait");
	print_out(&out);
	note(c, "next: alterctl schema%s%s  |  alterctl history", *p->table ? " " : "", p->table);
	buf_free(&out);
}

int report_job(const struct ctl *c, const struct doc_node *job)
{
	struct progress p;

	if (!progress_read(job, &p)) {
		say("the daemon does not know the job");
		return EXIT_FAILED;
	}
	if (strcmp(p.state, "done") == 0) {
		report_success(c, job, &p);
		return EXIT_OK;
	}
	if (strcmp(p.state, "aborted") == 0) {
		if (doc_type(in_error(job, "partial")) == DOC_OBJECT) {
			say("%s was aborted", p.id);
			note_partial(c, job);
			return EXIT_FAILED;
		}
		say("%s was aborted; the table and its data are as they were", p.id);
		return EXIT_FAILED;
	}
	return report_failure(c, job, &p);
}

/* ---- following ---- */

/* m7 -> 7: jobs are numbered in the order they were asked for. */
static int64_t job_number(const char *id) { return strtoll(id + strcspn(id, "0123456789"), NULL, 10); }

/* The job's last word, from the history. */
static int report_from_history(struct ctl *c, const char *job)
{
	const struct doc_node *list, *found = NULL;
	struct doc *d;
	int code = ctl_call(c, "migrate.history", NULL, &d);

	if (code)
		return code;
	list = doc_get(doc_root(d), "history");
	for (size_t i = 0; i < doc_count(list); i++) {
		const struct doc_node *entry = doc_at(list, i);

		if (strcmp(doc_str(doc_get(entry, "id"), doc_str(doc_get(entry, "job"), "")), job) == 0)
			found = entry;
	}
	code = report_job(c, found);
	doc_free(d);
	return code;
}

/* The daemon went away: it may be restarting, and the job goes on with it. */
static int reconnect(struct ctl *c, struct line *l)
{
	int64_t until = now_ms() + RECONNECT_MS;

	line_clear(l);
	note(c, "the daemon is gone; waiting for it to come back");
	alterd_close(c->conn);
	c->conn = NULL;
	while (now_ms() < until && !interrupted()) {
		struct alterd_conn *conn;

		if (alterd_connect(c->socket, &conn) == 0) {
			c->conn = conn;
			return 0;
		}
		alterd_close(conn);
		pause_ms(LOOK_MS);
	}
	return ctl_connect(c);
}

/* All is done that was asked for: the rest waits for a word. */
static bool waits_for_cutover(const struct progress *p)
{
	return p->postponed && strcmp(p->phase, "ready") == 0 && strcmp(p->state, "running") == 0;
}

/* One look. *ret_ended with *ret_code, or the line is drawn. 0, or an exit code that ends the following. */
static int look(struct ctl *c, const char *job, struct line *l, bool *ret_ended, int *ret_code)
{
	struct error err = {0};
	const struct doc_node *node;
	struct progress p;
	const char *text;
	struct doc *d;

	if (alterd_call(c->conn, "migrate.status", NULL, &text) != 0) {
		int code = alterd_error_code(c->conn);

		if (code == ALTERD_E_CLOSED || strcmp(alterd_error_name(c->conn), "SHUTTING_DOWN") == 0)
			return reconnect(c, l);
		line_clear(l);
		return ctl_failed(c, c->conn);
	}
	if (doc_parse(text, strlen(text), &d, &err) != 0) {
		line_clear(l);
		say("the daemon's answer cannot be read: %s", err.message);
		error_clear(&err);
		return EXIT_FAILED;
	}
	node = doc_get(doc_root(d), "job");
	if (!progress_read(node, &p)) {
		*ret_ended = false;
	} else if (strcmp(p.id, job) == 0 && progress_ended(&p)) {
		line_clear(l);
		*ret_ended = true;
		*ret_code = report_job(c, node);
	} else if (strcmp(p.id, job) == 0 && has(c, FLAG_POSTPONE) && waits_for_cutover(&p)) {
		line_clear(l);
		*ret_ended = true;
		*ret_code = EXIT_OK;
		note(c, "%s is ready to swap, and keeps up with the clients' writes.", job);
		note(c, "next: alterctl cutover  |  alterctl abort");
	} else if (job_number(p.id) > job_number(job)) {
		line_clear(l);
		*ret_ended = true;
		*ret_code = report_from_history(c, job);
	} else {
		line_show(l, &p);
	}
	doc_free(d);
	return 0;
}

/* After the swap there is nothing to give up any more. */
static void note_next(const struct ctl *c, const struct line *l)
{
	note(c, "next: alterctl status --watch  |  alterctl pause%s",
	     strcmp(l->phase, "retiring") == 0 ? "" : "  |  alterctl abort");
}

static int detached(const struct ctl *c, struct line *l, const char *job)
{
	line_clear(l);
	note(c, "Still running; %s goes on in the daemon.", job);
	note_next(c, l);
	return EXIT_DETACHED;
}

static int timed_out(const struct ctl *c, struct line *l, const char *job)
{
	line_clear(l);
	say("%s is not done within %.1f s; it goes on in the daemon", job, c->timeout_ms / 1000.0);
	note_next(c, l);
	return EXIT_RETRY;
}

int watch_job(struct ctl *c, const char *job)
{
	struct line l = {
		.ctl = c,
		.animated = c->err_tty && c->color,
	};
	int64_t until = c->timeout_ms > 0 ? now_ms() + c->timeout_ms : INT64_MAX;
	int wait = FIRST_LOOK_MS;

	for (;;) {
		bool ended = false;
		int outcome = EXIT_FAILED, code = look(c, job, &l, &ended, &outcome);

		if (interrupted())
			return ended ? outcome : detached(c, &l, job);
		if (code)
			return code;
		if (ended)
			return outcome;
		if (now_ms() >= until)
			return timed_out(c, &l, job);
		pause_ms(wait);
		if (interrupted())
			return detached(c, &l, job);
		wait = wait * 2 > LOOK_MS ? LOOK_MS : wait * 2;
	}
}
