/* ping, status, sessions, kill, version: the daemon itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* How often status --watch looks, on a terminal and elsewhere. */
#define WATCH_TTY_MS 1000
#define WATCH_FILE_MS 10000

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int cmd_ping(struct ctl *c, int argc, char **argv)
{
	struct buf out = {0};
	struct doc *d;
	double started;
	int code = ctl_connect(c);

	(void)argc, (void)argv;
	if (code)
		return code;
	started = now_ms();
	code = ctl_call(c, "ping", NULL, &d);
	if (d) {
		buf_printf(&out, "%s answers in %.2f ms\n", alterd_server(c->conn), now_ms() - started);
		print_out(&out);
	}
	buf_free(&out);
	doc_free(d);
	return code;
}

/* ---- status ---- */

/* Versions waiting: a list in migrate.status, a list or a number in status. */
static int64_t pending_count(const struct doc_node *pending)
{
	return doc_type(pending) == DOC_ARRAY ? (int64_t)doc_count(pending) : doc_int(pending, 0);
}

/* The version that stopped midway, as an entry of the problems; NULL: there is none. */
static const struct doc_node *partial_of(const struct doc_node *status)
{
	const struct doc_node *problems = doc_get(status, "problems");

	for (size_t i = 0; i < doc_count(problems); i++)
		if (strcmp(doc_str(doc_get(doc_at(problems, i), "state"), ""), "partial") == 0)
			return doc_at(problems, i);
	return NULL;
}

static int status_exit_code(const struct doc_node *status)
{
	struct progress p;

	if (progress_read(doc_get(status, "job"), &p)) {
		if (strcmp(p.state, "paused") == 0)
			return EXIT_PAUSED;
		if (!progress_ended(&p))
			return EXIT_RUNNING;
		if (strcmp(p.state, "failed") == 0)
			return EXIT_JOB_FAILED;
	}
	if (partial_of(status))
		return EXIT_JOB_FAILED;
	return pending_count(doc_get(status, "pending")) > 0 ? EXIT_PENDING : EXIT_OK;
}

static void add_job(struct buf *out, const struct doc_node *job, int width)
{
	struct progress p;
	const char *error = doc_str(doc_get(job, "error.message"), doc_str(doc_get(job, "error"), NULL));

	if (!progress_read(job, &p)) {
		buf_puts(out, "job       none yet\n");
		return;
	}
	buf_puts(out, "job       ");
	if (!progress_ended(&p)) {
		progress_line(out, &p, width > 10 ? width - 10 : 0);
	} else {
		progress_title(out, &p);
		buf_printf(out, "  %s", p.state);
		if (*p.table) {
			buf_puts(out, "  ");
			text_safe(out, p.table, strlen(p.table));
		}
		if (error) {
			buf_puts(out, "  ");
			text_safe(out, error, strlen(error));
		}
	}
	buf_putc(out, '\n');
}

static void add_partial(struct buf *out, const struct doc_node *partial)
{
	buf_printf(out, "problem   version %" PRId64 "  partial %" PRId64 "/%" PRId64 "\n",
		   doc_int(doc_get(partial, "version"), 0), doc_int(doc_get(partial, "done"), 0),
		   doc_int(doc_get(partial, "total"), 0));
}

static void add_next(struct buf *out, const struct doc_node *job, const struct doc_node *partial)
{
	struct progress p;
	bool known = progress_read(job, &p);

	if (partial && (!known || progress_ended(&p))) {
		buf_printf(out,
			   "next: mend its file, then alterctl up  |  alterctl resolve %" PRId64
			   " --applied or --not-applied\n",
			   doc_int(doc_get(partial, "version"), 0));
		return;
	}
	if (!known || strcmp(p.state, "done") == 0)
		return;
	/* After the swap there is nothing to give up any more. */
	if (strcmp(p.state, "paused") == 0 && strcmp(p.phase, "retiring") == 0)
		buf_puts(out, "next: alterctl resume\n");
	else if (strcmp(p.state, "paused") == 0)
		buf_puts(out, "next: alterctl resume  |  alterctl abort\n");
	else if (p.postponed && strcmp(p.phase, "ready") == 0)
		buf_puts(out, "next: alterctl cutover  |  alterctl abort\n");
	else if (!progress_ended(&p))
		buf_puts(out, "next: alterctl status --watch  |  alterctl pause\n");
	else if (strcmp(p.state, "failed") == 0)
		buf_puts(out, "next: alterctl history\n");
}

static void add_status(struct buf *out, const struct doc_node *s, int width)
{
	const char *database = doc_str(doc_get(s, "database"), "?");
	const struct doc_node *wait = doc_get(s, "writer.wait_ms");

	buf_puts(out, "database  ");
	text_safe(out, database, strlen(database));
	buf_printf(out, "   version %" PRId64 "   pending %" PRId64 "\n", doc_int(doc_get(s, "version"), 0),
		   pending_count(doc_get(s, "pending")));
	buf_printf(out, "daemon    %s   up ", doc_str(doc_get(s, "state"), "?"));
	text_seconds(out, doc_real(doc_get(s, "uptime_s"), 0));
	buf_printf(out, "   sessions %" PRId64 "   %s\n", doc_int(doc_get(s, "sessions"), 0),
		   doc_str(doc_get(s, "server"), ""));
	buf_printf(out, "writer    queue %" PRId64 "   wait p50 %.1f ms  p99 %.1f ms  longest %.1f ms\n",
		   doc_int(doc_get(s, "writer.queue"), 0), doc_real(doc_get(wait, "p50"), 0),
		   doc_real(doc_get(wait, "p99"), 0), doc_real(doc_get(wait, "max"), 0));
	buf_puts(out, "size      ");
	text_bytes(out, doc_int(doc_get(s, "db_bytes"), 0));
	buf_puts(out, "   wal ");
	text_bytes(out, doc_int(doc_get(s, "wal_bytes"), 0));
	buf_putc(out, '\n');
	add_job(out, doc_get(s, "job"), width);
	if (partial_of(s))
		add_partial(out, partial_of(s));
	add_next(out, doc_get(s, "job"), partial_of(s));
}

static int lines_in(const struct buf *b)
{
	int n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

/* Draws the status over the one before, until Ctrl-C. Where stdout is no terminal: a job's line every ten seconds. */
static int watch_status(struct ctl *c)
{
	struct buf out = {0};
	int code = 0, drawn = 0;
	bool draw = c->out_tty && c->color;

	interrupt_catch();
	while (!interrupted()) {
		struct doc *d;

		code = ctl_call(c, "status", NULL, &d);
		if (code)
			break;
		if (draw && drawn > 0)
			buf_printf(&out, "\033[%dA\033[J", drawn);
		if (d && draw) {
			size_t at = out.len;
			struct buf view;

			add_status(&out, doc_root(d), c->width);
			view = (struct buf){.data = out.data + at, .len = out.len - at};
			drawn = lines_in(&view);
		} else if (d) {
			add_job(&out, doc_get(doc_root(d), "job"), 0);
		}
		doc_free(d);
		if (!print_out(&out))
			break;
		pause_ms(draw ? WATCH_TTY_MS : WATCH_FILE_MS);
	}
	/* The terminal has written its "^C" below the status. */
	if (draw && interrupted()) {
		buf_puts(&out, "\r\033[K");
		print_out(&out);
	}
	buf_free(&out);
	return code;
}

int cmd_status(struct ctl *c, int argc, char **argv)
{
	bool json = has(c, FLAG_JSON);
	struct buf out = {0};
	const char *text;
	struct error err = {0};
	struct doc *d = NULL;
	int code;

	(void)argc, (void)argv;
	if (has(c, FLAG_WATCH))
		return watch_status(c);
	code = ctl_connect(c);
	if (code)
		return code;
	if (alterd_call(c->conn, "status", NULL, &text) != 0)
		return ctl_failed(c, c->conn);
	if (doc_parse(text, strlen(text), &d, &err) != 0) {
		say("the daemon's answer cannot be read: %s", err.message);
		error_clear(&err);
		return EXIT_FAILED;
	}
	if (json) {
		buf_puts(&out, text);
		buf_putc(&out, '\n');
	} else {
		add_status(&out, doc_root(d), c->width);
	}
	print_out(&out);
	code = has(c, FLAG_EXIT_CODE) ? status_exit_code(doc_root(d)) : EXIT_OK;
	doc_free(d);
	buf_free(&out);
	return code;
}

/* ---- sessions, kill, version ---- */

/* All objects of a list as a table; the first one names the columns. */
static void print_objects(const struct ctl *c, const struct doc_node *list)
{
	struct table *t = table_new(c);
	const struct doc_node *value;
	const char *key;
	struct buf texts[32] = {0};
	size_t n = 0;

	for (void *i = doc_each(doc_at(list, 0), NULL, &key, &value); i && n < 32;
	     i = doc_each(doc_at(list, 0), i, &key, &value), n++)
		table_column(t, key);
	for (size_t row = 0; row < doc_count(list); row++) {
		struct alterd_value cells[32] = {0};
		size_t k = 0;

		for (void *i = doc_each(doc_at(list, 0), NULL, &key, &value); i && k < n;
		     i = doc_each(doc_at(list, 0), i, &key, &value), k++) {
			const struct doc_node *v = doc_get(doc_at(list, row), key);

			buf_reset(&texts[k], 4096);
			if (doc_type(v) == DOC_STRING)
				buf_add(&texts[k], doc_str(v, ""), doc_strlen(v));
			else if (doc_type(v) == DOC_NULL)
				buf_putc(&texts[k], '-');
			else
				doc_dump(&texts[k], v);
			cells[k] = doc_type(v) == DOC_INT ? alterd_int(doc_int(v, 0))
							  : alterd_text_n(buf_cstr(&texts[k]), texts[k].len);
		}
		table_row(t, cells);
	}
	if (n > 0)
		table_end(t);
	table_free(t);
	for (size_t k = 0; k < 32; k++)
		buf_free(&texts[k]);
}

int cmd_sessions(struct ctl *c, int argc, char **argv)
{
	struct doc *d;
	int code = ctl_call(c, "sessions", NULL, &d);

	(void)argc, (void)argv;
	if (d)
		print_objects(c, doc_get(doc_root(d), "sessions"));
	doc_free(d);
	return code;
}

int cmd_kill(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0};
	struct doc *d;
	int code;

	(void)argc;
	jw_open(&params, '{');
	jw_str(&params, "session", argv[1]);
	jw_close(&params, '}');
	code = ctl_call(c, "kill", buf_cstr(&params), &d);
	if (!code)
		note(c, "session %s is ended", argv[1]);
	doc_free(d);
	buf_free(&params);
	return code;
}

int cmd_version(struct ctl *c, int argc, char **argv)
{
	const char *text;
	struct alterd_conn *conn;
	struct buf out = {0};

	(void)argc, (void)argv;
	/* Asked without a daemon too, for instance by a bug report: then the half that is known is told. */
	if (alterd_connect(c->socket, &conn) == 0 &&
	    alterd_set_timeout(conn, c->timeout_ms > 0 ? c->timeout_ms : 2000) == 0 &&
	    alterd_call(conn, "hello", "{\"protocol\":[1,1],\"client\":\"alterctl/" ALTERD_VERSION "\"}", &text) == 0) {
		struct error err = {0};
		struct doc *d = NULL;

		if (has(c, FLAG_JSON))
			buf_printf(&out, "{\"client\":\"alterctl/%s\",\"hello\":%s}\n", ALTERD_VERSION, text);
		else if (doc_parse(text, strlen(text), &d, &err) == 0)
			buf_printf(&out,
				   "alterctl/%s\n%s   SQLite %s   protocol %" PRId64 "   schema version %" PRId64 "\n",
				   ALTERD_VERSION, doc_str(doc_get(doc_root(d), "server"), "?"),
				   doc_str(doc_get(doc_root(d), "sqlite"), "?"),
				   doc_int(doc_get(doc_root(d), "protocol"), 0),
				   doc_int(doc_get(doc_root(d), "version"), 0));
		doc_free(d);
		error_clear(&err);
	} else {
		if (has(c, FLAG_JSON))
			buf_puts(&out, "{\"client\":\"alterctl/" ALTERD_VERSION "\",\"hello\":null}\n");
		else
			buf_puts(&out, "alterctl/" ALTERD_VERSION "\n");
		note(c, "no daemon: %s", alterd_error_message(conn));
	}
	print_out(&out);
	buf_free(&out);
	alterd_close(conn);
	return EXIT_OK;
}
