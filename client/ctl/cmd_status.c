/* status: one look, or --watch. */
#include <stdio.h>
#include <string.h>

#include "client/ctl/status.h"
#include "proto/response.h"

/* Files and plan are told besides: what they would tell is not worth a longer wait. */
#define BESIDES_MS 1000

int status_exit_code(const struct doc_node *status)
{
	const struct doc_node *job = doc_get(status, "job");
	struct progress p;

	if (progress_read(job, &p)) {
		if (strcmp(p.state, "paused") == 0)
			return EXIT_PAUSED;
		if (!progress_ended(&p))
			return doc_bool(doc_get(job, "throttled_by_hand"), false) ? EXIT_PAUSED : EXIT_RUNNING;
		if (strcmp(p.state, "failed") == 0)
			return EXIT_JOB_FAILED;
	}
	if (status_partial(status))
		return EXIT_JOB_FAILED;
	return status_pending(status) > 0 ? EXIT_PENDING : EXIT_OK;
}

/* An answer that is nice to have: NULL if it does not come. */
static struct doc *besides(struct ctl *c, const char *method)
{
	char params[48];
	struct error err = {0};
	const char *text;
	struct doc *d = NULL;

	snprintf(params, sizeof(params), "{\"timeout_ms\":%d}", BESIDES_MS);
	if (alterd_call(c->conn, method, params, &text) != 0 || doc_parse(text, strlen(text), &d, &err) != 0) {
		error_clear(&err);
		return NULL;
	}
	return d;
}

static void print_status(struct ctl *c, const struct doc_node *status)
{
	struct doc *list = besides(c, "migrate.list"), *plan = NULL;
	struct buf out = {0};

	if (status_pending(status) > 0)
		plan = besides(c, "migrate.plan");
	status_text(&out, status, list ? doc_root(list) : NULL, plan ? doc_root(plan) : NULL, c->width);
	if (out.failed)
		must(NULL);
	print_out(&out);
	doc_free(list);
	doc_free(plan);
	buf_free(&out);
}

int cmd_status(struct ctl *c, int argc, char **argv)
{
	struct buf line = {0};
	struct error err = {0};
	struct doc *d = NULL;
	const char *text;
	int code;

	(void)argc, (void)argv;
	if (has(c, FLAG_WATCH))
		return watch_status(c);
	if (has(c, FLAG_INTERVAL)) {
		say("--interval goes with --watch");
		return EXIT_USAGE;
	}
	code = ctl_connect(c);
	if (code)
		return code;
	patience_begin(c);
	int failed = alterd_call(c->conn, "status", NULL, &text);
	patience_end();
	if (failed)
		return ctl_failed(c, c->conn);
	if (doc_parse(text, strlen(text), &d, &err) != 0) {
		say("the daemon's answer cannot be read: %s", err.message);
		error_clear(&err);
		return EXIT_FAILED;
	}
	if (has(c, FLAG_JSON)) {
		buf_printf(&line, "%s\n", text);
		print_out(&line);
		buf_free(&line);
	} else {
		print_status(c, doc_root(d));
	}
	code = has(c, FLAG_EXIT_CODE) ? status_exit_code(doc_root(d)) : EXIT_OK;
	doc_free(d);
	return code;
}
