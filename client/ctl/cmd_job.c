/* alter and what steers a migration: pause, resume, abort, throttle, cutover, history. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* ---- alter ---- */

static int alter_shown(struct ctl *c, struct buf *params)
{
	struct doc *d;
	int code;

	/* Before the job begins, so that there is no moment at which Ctrl-C leaves without a word. */
	if (!has(c, FLAG_DETACH))
		interrupt_catch();
	code = job_start(c, "migrate.alter", params, &d);
	if (code)
		return code;
	code = job_follow(c, doc_str(doc_get(doc_root(d), "job"), ""));
	doc_free(d);
	return code;
}

int cmd_alter(struct ctl *c, int argc, char **argv)
{
	struct buf sql = {0}, params = {0};
	struct doc *d = NULL;
	int code = read_sql(argv[1], &sql);

	(void)argc;
	if (!code)
		code = ctl_connect(c);
	if (code)
		goto out;
	jw_open(&params, '{');
	jw_str(&params, "sql", buf_cstr(&sql));
	code = has(c, FLAG_JSON) ? job_json(c, "migrate.alter", &params, &d) : alter_shown(c, &params);
out:
	doc_free(d);
	buf_free(&params);
	buf_free(&sql);
	return code;
}

/* ---- control ---- */

/*
 * A control method with an optional job; tells `done` when it worked, with the abort offered at its %s as long as there
 * is something to give up.
 */
static int control(struct ctl *c, const char *method, const char *job, const char *done)
{
	struct buf params = {0};
	struct doc *d;
	int code;

	jw_open(&params, '{');
	if (job)
		jw_str(&params, "job", job);
	jw_close(&params, '}');
	code = ctl_call(c, method, buf_cstr(&params), &d);
	bool retiring = d && strcmp(doc_str(doc_get(doc_root(d), "phase"), ""), "retiring") == 0;
	const char *offer = strstr(done, "%s");
	if (!code)
		note(c, "%.*s%s", offer ? (int)(offer - done) : (int)strlen(done), done,
		     offer && !retiring ? "  |  alterctl abort" : "");
	doc_free(d);
	buf_free(&params);
	return code;
}

int cmd_pause(struct ctl *c, int argc, char **argv)
{
	return control(c, "migrate.pause", argc > 1 ? argv[1] : NULL, "paused\nnext: alterctl resume%s");
}

int cmd_resume(struct ctl *c, int argc, char **argv)
{
	return control(c, "migrate.resume", argc > 1 ? argv[1] : NULL, "goes on\nnext: alterctl status --watch");
}

int cmd_cutover(struct ctl *c, int argc, char **argv)
{
	return control(c, "migrate.cutover", argc > 1 ? argv[1] : NULL,
		       "the swap may happen\nnext: alterctl status --watch");
}

/* Asks about the job as it stands. True too where none is running: then the daemon says so, and there is nothing to
 * ask. */
static bool abort_is_meant(struct ctl *c)
{
	struct buf question = {0};
	struct error err = {0};
	struct progress p;
	const char *text;
	struct doc *d;
	bool yes = true;

	if (alterd_call(c->conn, "migrate.status", NULL, &text) != 0 || doc_parse(text, strlen(text), &d, &err) != 0) {
		error_clear(&err);
		return ctl_confirm(c, "Give up the migration and throw away what it has done?");
	}
	if (progress_read(doc_get(doc_root(d), "job"), &p) && !progress_ended(&p)) {
		progress_line(&question, &p, 0);
		buf_puts(&question, "\nGive it up and throw away what it has done?");
		yes = ctl_confirm(c, buf_cstr(&question));
	}
	doc_free(d);
	buf_free(&question);
	return yes;
}

int cmd_abort(struct ctl *c, int argc, char **argv)
{
	int code;

	if (!has(c, FLAG_FORCE) && !ctl_may_ask(c)) {
		say("abort throws the migration's work away; say -f to do it without being asked");
		return EXIT_USAGE;
	}
	code = ctl_connect(c);
	if (code)
		return code;
	if (!has(c, FLAG_FORCE) && !abort_is_meant(c)) {
		note(c, "nothing is changed");
		return EXIT_FAILED;
	}
	return control(c, "migrate.abort", argc > 1 ? argv[1] : NULL,
		       "aborted; the table and its data are as they were");
}

int cmd_throttle(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0}, out = {0};
	struct doc *d = NULL;
	int code = 0;

	jw_open(&params, '{');
	for (int i = 1; i < argc && !code; i++) {
		if (args_setting(argv[i], &params) != 0) {
			say("throttle takes KEY=NUMBER, as batch-rows=200 or duty-percent=25, not \"%s\"", argv[i]);
			code = EXIT_USAGE;
		}
	}
	jw_close(&params, '}');
	if (!code)
		code = ctl_call(c, "migrate.throttle", buf_cstr(&params), &d);
	if (d) {
		doc_dump(&out, doc_root(d));
		note(c, "the pace is now %s", buf_cstr(&out));
	}
	doc_free(d);
	buf_free(&params);
	buf_free(&out);
	return code;
}

/* ---- history ---- */

static void add_number(struct buf *out, const struct doc_node *v, const char *format_ms)
{
	if (doc_type(v) == DOC_STRING)
		buf_puts(out, doc_str(v, ""));
	else if (doc_type(v) == DOC_NULL)
		buf_putc(out, '-');
	else if (format_ms)
		buf_printf(out, "%.1f ms", doc_real(v, 0));
	else
		text_number(out, doc_int(v, 0));
}

static void history_row(struct table *t, const struct doc_node *job)
{
	static const struct {
		const char *key;
		bool ms;
	} columns[] = {{"state", false},  {"rows", false},           {"took_ms", true},
		       {"swap_ms", true}, {"longest_hold_ms", true}, {"longest_wait_ms", true}};
	struct buf texts[8] = {0};
	const char *row[9];
	struct progress p;

	if (!progress_read(job, &p))
		return;
	progress_title(&texts[0], &p);
	buf_puts(&texts[1], doc_str(doc_get(job, "started"), "-"));
	for (size_t i = 0; i < 6; i++) {
		const struct doc_node *v = doc_get(job, columns[i].key);

		if (i == 1 && !v)
			v = doc_get(job, "rows_done");
		add_number(&texts[i + 2], v, columns[i].ms ? "ms" : NULL);
	}
	for (size_t i = 0; i < 8; i++)
		row[i] = buf_cstr(&texts[i]);
	row[8] = doc_str(doc_get(job, "error.message"), doc_str(doc_get(job, "error"), ""));
	table_texts(t, row);
	for (size_t i = 0; i < 8; i++)
		buf_free(&texts[i]);
}

int cmd_history(struct ctl *c, int argc, char **argv)
{
	static const char *const heads[] = {"migration", "started",      "state",        "rows", "took",
					    "swap",      "longest hold", "longest wait", "error"};
	const struct doc_node *list;
	struct table *t;
	struct doc *d;
	int code = ctl_call(c, "migrate.history", NULL, &d);

	(void)argc, (void)argv;
	if (!d)
		return code;
	list = doc_get(doc_root(d), "history");
	t = table_new(c);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		table_column(t, heads[i]);
	for (size_t i = 0; i < doc_count(list); i++)
		history_row(t, doc_at(list, i));
	if (doc_count(list) > 0)
		table_end(t);
	else
		note(c, "no migration has ended yet");
	table_free(t);
	doc_free(d);
	return code;
}
