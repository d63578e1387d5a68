/* Starting a job: the consent it may need, and how it is waited for. alter and the commands of versions share this. */
#include <stdio.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* Adds what the options say, and ends the object. */
static const char *end_params(const struct ctl *c, struct buf *params, bool wait, bool force)
{
	if (wait)
		jw_bool(params, "wait", true);
	if (force)
		jw_bool(params, "allow_data_loss", true);
	if (has(c, FLAG_POSTPONE))
		jw_bool(params, "postpone_cutover", true);
	jw_close(params, '}');
	if (params->failed)
		must(NULL);
	return buf_cstr(params);
}

static bool is_needs_force(const struct alterd_conn *conn)
{
	return strcmp(alterd_error_name(conn), "NEEDS_FORCE") == 0;
}

/* Refused for the data it would lose: asks, where there is somebody to ask. */
static bool consents(const struct ctl *c)
{
	struct buf question = {0};
	const char *why = alterd_error_message(c->conn);
	bool yes;

	text_safe(&question, why, strlen(why));
	buf_puts(&question, "\nThis data cannot be brought back by alterd. Go on?");
	yes = ctl_confirm(c, buf_cstr(&question));
	buf_free(&question);
	return yes;
}

static int refused(const struct ctl *c)
{
	int code = ctl_failed(c, c->conn);

	if (is_needs_force(c->conn))
		note(c, "next: the same with --allow-data-loss (-f), if the loss is meant");
	return code;
}

static int parse(const char *text, struct doc **ret)
{
	struct error err = {0};

	if (doc_parse(text, strlen(text), ret, &err) == 0)
		return 0;
	say("the daemon's answer cannot be read: %s", err.message);
	error_clear(&err);
	return EXIT_FAILED;
}

int job_start(struct ctl *c, const char *method, struct buf *params, struct doc **ret)
{
	size_t begun = params->len;
	const char *text;
	int failed;

	patience_begin(c);
	failed = alterd_call(c->conn, method, end_params(c, params, false, has(c, FLAG_FORCE)), &text);
	patience_end();
	buf_truncate(params, begun);
	if (failed && is_needs_force(c->conn) && ctl_may_ask(c)) {
		if (!consents(c)) {
			note(c, "nothing is changed");
			return EXIT_FAILED;
		}
		patience_begin(c);
		failed = alterd_call(c->conn, method, end_params(c, params, false, true), &text);
		patience_end();
		buf_truncate(params, begun);
	}
	return failed ? refused(c) : parse(text, ret);
}

int job_json(struct ctl *c, const char *method, struct buf *params, struct doc **ret)
{
	size_t begun = params->len;
	struct buf line = {0};
	const char *text;
	int failed;

	/* The answer comes when the job has ended. */
	if (!has(c, FLAG_DETACH) && !has(c, FLAG_QUIET))
		patience_last_words("\nWhat has begun goes on in the daemon.\n"
				    "next: alterctl status --watch  |  alterctl pause  |  alterctl abort\n");
	failed = alterd_call(c->conn, method, end_params(c, params, !has(c, FLAG_DETACH), has(c, FLAG_FORCE)), &text);
	patience_last_words(NULL);
	buf_truncate(params, begun);
	if (failed)
		return ctl_failed(c, c->conn);
	buf_printf(&line, "%s\n", text);
	print_out(&line);
	buf_free(&line);
	return parse(text, ret);
}

int job_follow(struct ctl *c, const char *job)
{
	struct buf out = {0};

	if (!has(c, FLAG_DETACH))
		return watch_job(c, job);
	text_safe(&out, job, strlen(job));
	buf_putc(&out, '\n');
	print_out(&out);
	buf_free(&out);
	note(c, "next: alterctl status --watch  |  alterctl pause  |  alterctl abort");
	return EXIT_OK;
}
