/* Migrations from files: up, down, to, redo, baseline, repair, resolve. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

static int version_of(const char *command, const char *arg, int64_t *ret)
{
	*ret = args_number(arg);
	if (*ret >= 0)
		return 0;
	say("%s takes a version, not \"%s\"", command, arg);
	return EXIT_USAGE;
}

int files_params(struct ctl *c, int argc, char **argv, struct buf *params)
{
	int64_t steps = argc > 1 ? args_number(argv[1]) : 0;

	if (argc > 1 && has(c, FLAG_TO)) {
		say("a number of migrations and --to exclude each other");
		return EXIT_USAGE;
	}
	if (argc > 1 && steps < 1) {
		say("%s takes a number of migrations, not \"%s\"; a version goes with --to", argv[0], argv[1]);
		return EXIT_USAGE;
	}
	jw_open(params, '{');
	if (argc > 1)
		jw_int(params, "steps", steps);
	if (has(c, FLAG_TO))
		jw_int(params, "to", c->to);
	if (has(c, FLAG_OUT_OF_ORDER))
		jw_bool(params, "allow_out_of_order", true);
	if (c->format)
		jw_str(params, "format", c->format);
	return dir_files(c, params);
}

/* ---- running ---- */

struct run {
	const char *method;
	const char *nothing; /* what is told if there is nothing to do; the version follows */
	bool did_nothing;
};

static void print_versions(const struct doc_node *answer)
{
	struct buf out = {0};

	buf_printf(&out, "version %" PRId64 " -> %" PRId64 "\n", doc_int(doc_get(answer, "from"), 0),
		   doc_int(doc_get(answer, "to"), 0));
	print_out(&out);
	buf_free(&out);
}

static int run_shown(struct ctl *c, struct run *r, struct buf *params)
{
	const struct doc_node *answer;
	struct buf out = {0};
	const char *job;
	struct doc *d;
	int code;

	/* Before the job begins, so that there is no moment at which Ctrl-C leaves without a word. */
	if (!has(c, FLAG_DETACH))
		interrupt_catch();
	code = job_start(c, r->method, params, &d);
	if (code)
		return code;
	answer = doc_root(d);
	job = doc_str(doc_get(answer, "job"), NULL);
	r->did_nothing = !job;
	if (!job) {
		buf_printf(&out, "%s; version %" PRId64 "\n", r->nothing, doc_int(doc_get(answer, "to"), 0));
		print_out(&out);
		buf_free(&out);
	} else {
		code = job_follow(c, job);
		/* A postponed swap may still be to come. */
		if (code == EXIT_OK && !has(c, FLAG_DETACH) && !has(c, FLAG_POSTPONE))
			print_versions(answer);
	}
	doc_free(d);
	return code;
}

static int run_json(struct ctl *c, struct run *r, struct buf *params)
{
	struct doc *d;
	int code = job_json(c, r->method, params, &d);

	if (code)
		return code;
	r->did_nothing = doc_type(doc_get(doc_root(d), "job")) == DOC_NULL;
	doc_free(d);
	return 0;
}

static int run(struct ctl *c, struct run *r, struct buf *params)
{
	int code = ctl_connect(c);

	if (code)
		return code;
	return has(c, FLAG_JSON) ? run_json(c, r, params) : run_shown(c, r, params);
}

int cmd_up(struct ctl *c, int argc, char **argv)
{
	struct run r = {.method = "migrate.up", .nothing = "nothing pending"};
	struct buf params = {0};
	int code = files_params(c, argc, argv, &params);

	/* What is not waited for has not been successful yet. */
	if (!code && c->dump && (has(c, FLAG_DRY_RUN) || has(c, FLAG_DETACH) || has(c, FLAG_POSTPONE))) {
		say("--dump writes the schema when the run has ended: it excludes --dry-run, --detach and "
		    "--postpone-cutover");
		code = EXIT_USAGE;
	}
	if (!code)
		code = schema_params(c, &params);
	if (!code)
		code = has(c, FLAG_DRY_RUN) ? show_plan(c, &params) : run(c, &r, &params);
	if (!code && c->dump)
		code = dump_write(c);
	buf_free(&params);
	return code;
}

/* Where nobody can be asked the daemon still refuses what loses data, unless -f is given. */
static bool down_is_meant(const struct ctl *c, int argc, char **argv)
{
	struct buf question = {0};
	bool yes;

	if (has(c, FLAG_FORCE) || !ctl_may_ask(c))
		return true;
	if (has(c, FLAG_TO))
		buf_printf(&question, "Take back all migrations above version %" PRId64 "?", c->to);
	else if (argc > 1 && args_number(argv[1]) > 1)
		buf_printf(&question, "Take back the last %" PRId64 " migrations?", args_number(argv[1]));
	else
		buf_puts(&question, "Take back the last migration?");
	yes = ctl_confirm(c, buf_cstr(&question));
	buf_free(&question);
	if (!yes)
		note(c, "nothing is changed");
	return yes;
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The version that `steps` back from the last one is, of the answer of migrate.list. 0: before the first. */
static int64_t version_before(const struct doc_node *list, int64_t steps)
{
	const struct doc_node *rows = doc_get(list, "migrations");
	int64_t *applied = must(calloc(doc_count(rows) + 1, sizeof(*applied))), found = 0;
	size_t n = 0;

	for (size_t i = 0; i < doc_count(rows); i++)
		if (strcmp(doc_str(doc_get(doc_at(rows, i), "state"), ""), "applied") == 0)
			applied[n++] = doc_int(doc_get(doc_at(rows, i), "version"), 0);
	qsort(applied, n, sizeof(*applied), by_number);
	if (steps < (int64_t)n)
		found = applied[n - (size_t)steps - 1];
	free(applied);
	return found;
}

/* down -n: the plan to the version it would end at. */
static int plan_down(struct ctl *c, int argc, char **argv)
{
	int64_t steps = argc > 1 ? args_number(argv[1]) : 1;
	struct buf params = {0};
	struct error err = {0};
	struct doc *d = NULL;
	const char *text;
	int code = files_params(c, 1, argv, &params);

	if (!code && !has(c, FLAG_TO)) {
		size_t begun = params.len;

		jw_close(&params, '}');
		code = ctl_connect(c);
		if (!code && alterd_call(c->conn, "migrate.list", buf_cstr(&params), &text) != 0)
			code = ctl_failed(c, c->conn);
		buf_truncate(&params, begun);
		if (!code && doc_parse(text, strlen(text), &d, &err) != 0) {
			say("the daemon's answer cannot be read: %s", err.message);
			code = EXIT_FAILED;
		}
		if (!code)
			jw_int(&params, "to", version_before(doc_root(d), steps));
	}
	if (!code)
		code = show_plan(c, &params);
	error_clear(&err);
	doc_free(d);
	buf_free(&params);
	return code;
}

int cmd_down(struct ctl *c, int argc, char **argv)
{
	struct run r = {.method = "migrate.down", .nothing = "nothing to take back"};
	struct buf params = {0};
	int code = files_params(c, argc, argv, &params);

	if (!code && has(c, FLAG_DRY_RUN)) {
		buf_free(&params);
		return plan_down(c, argc, argv);
	}
	if (!code)
		code = ctl_connect(c);
	if (!code)
		code = down_is_meant(c, argc, argv) ? run(c, &r, &params) : EXIT_FAILED;
	buf_free(&params);
	return code;
}

int cmd_to(struct ctl *c, int argc, char **argv)
{
	struct run r = {.method = "migrate.to", .nothing = "nothing to do"};
	struct buf params = {0};
	int64_t version;
	int code = version_of("to", argv[1], &version);

	(void)argc;
	if (!code)
		code = files_params(c, 1, argv, &params);
	if (!code && has(c, FLAG_DRY_RUN)) {
		jw_int(&params, "to", version);
		code = show_plan(c, &params);
	} else if (!code) {
		jw_int(&params, "version", version);
		code = run(c, &r, &params);
	}
	buf_free(&params);
	return code;
}

int cmd_redo(struct ctl *c, int argc, char **argv)
{
	struct run down = {.method = "migrate.down", .nothing = "nothing to take back"};
	struct run up = {.method = "migrate.up", .nothing = "nothing pending"};
	struct buf params = {0};
	int code = files_params(c, argc, argv, &params);

	if (code)
		goto out;
	jw_int(&params, "steps", 1);
	code = run(c, &down, &params);
	/* Without a way down there is none up either: that would be another migration. */
	if (code || down.did_nothing)
		goto out;
	if (interrupted()) {
		note(c, "The migration is taken back, and not run again.\nnext: alterctl up 1");
		code = EXIT_DETACHED;
		goto out;
	}
	code = run(c, &up, &params);
	if (code == EXIT_FAILED)
		note(c, "The migration is taken back. next, when it is mended: alterctl up 1");
out:
	buf_free(&params);
	return code;
}

/* ---- the history ---- */

/* "1, 2, 3", or of many "1, 2, 3 ... 40". */
static void add_recorded(struct buf *out, const struct doc_node *list)
{
	size_t n = doc_count(list), shown = n > 12 ? 3 : n;

	for (size_t i = 0; i < shown; i++)
		buf_printf(out, "%s%" PRId64, i ? ", " : "", doc_int(doc_at(list, i), 0));
	if (shown < n)
		buf_printf(out, " ... %" PRId64, doc_int(doc_at(list, n - 1), 0));
}

static void show_baseline(const struct ctl *c, const struct doc_node *answer)
{
	const struct doc_node *list = doc_get(answer, "recorded");
	bool dry = doc_bool(doc_get(answer, "dry_run"), has(c, FLAG_DRY_RUN));
	size_t n = doc_count(list);
	struct buf out = {0};

	buf_printf(&out, "version %" PRId64 ": ", doc_int(doc_get(answer, "version"), 0));
	if (n == 0) {
		buf_puts(&out, dry ? "nothing would be recorded" : "nothing is recorded");
	} else {
		buf_printf(&out, "%s%zu migration%s as applied: ", dry ? "would record " : "recorded ", n,
			   n == 1 ? "" : "s");
		add_recorded(&out, list);
	}
	buf_putc(&out, '\n');
	print_out(&out);
	buf_free(&out);
	note(c, dry ? "Nothing was run or written." : "Nothing was run.\nnext: alterctl list  |  alterctl plan");
}

int cmd_baseline(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0};
	struct doc *d = NULL;
	int64_t version = 0;
	bool counts = has(c, FLAG_USER_VERSION) || (c->from && strcmp(c->from, "user_version") == 0);
	int code = argc > 1 ? version_of("baseline", argv[1], &version) : 0;

	if (argc == 1 && !counts) {
		say("baseline takes a version, or --user-version");
		return EXIT_USAGE;
	}
	if (has(c, FLAG_USER_VERSION) && c->from) {
		say("--user-version and --from exclude each other");
		return EXIT_USAGE;
	}
	if (!code)
		code = files_params(c, 1, argv, &params);
	if (code)
		goto out;
	if (argc > 1)
		jw_int(&params, "version", version);
	if (counts || c->from)
		jw_str(&params, "from", counts ? "user_version" : c->from);
	if (has(c, FLAG_DRY_RUN))
		jw_bool(&params, "dry_run", true);
	jw_close(&params, '}');
	code = ctl_call(c, "migrate.baseline", buf_cstr(&params), &d);
	if (d)
		show_baseline(c, doc_root(d));
out:
	doc_free(d);
	buf_free(&params);
	return code;
}

int cmd_repair(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0}, out = {0};
	struct doc *d = NULL;
	const char *checksum;
	int64_t version;
	int code = version_of("repair", argv[1], &version);

	(void)argc;
	if (!code)
		code = files_params(c, 1, argv, &params);
	if (code)
		goto out;
	jw_int(&params, "version", version);
	jw_close(&params, '}');
	code = ctl_call(c, "migrate.repair", buf_cstr(&params), &d);
	if (d) {
		checksum = doc_str(doc_get(doc_root(d), "checksum"), "");
		buf_printf(&out, "version %" PRId64 ": the file as it is now counts as applied\n  checksum  ",
			   doc_int(doc_get(doc_root(d), "version"), version));
		text_safe(&out, checksum, strlen(checksum));
		buf_putc(&out, '\n');
		print_out(&out);
	}
out:
	doc_free(d);
	buf_free(&params);
	buf_free(&out);
	return code;
}

int cmd_resolve(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0}, out = {0};
	struct doc *d = NULL;
	bool applied = has(c, FLAG_APPLIED);
	int64_t version;
	int code = version_of("resolve", argv[1], &version);

	(void)argc;
	if (!code && applied == has(c, FLAG_NOT_APPLIED)) {
		say("resolve takes one of --applied and --not-applied");
		code = EXIT_USAGE;
	}
	if (!code)
		code = files_params(c, 1, argv, &params);
	if (code)
		goto out;
	jw_int(&params, "version", version);
	jw_bool(&params, "applied", applied);
	jw_close(&params, '}');
	code = ctl_call(c, "migrate.resolve", buf_cstr(&params), &d);
	if (d) {
		const struct doc_node *answer = doc_root(d);

		buf_printf(&out, "version %" PRId64 ": %s, after %" PRId64 " of %" PRId64 " statements\n",
			   doc_int(doc_get(answer, "version"), version),
			   applied ? "counts as applied" : "counts as never begun", doc_int(doc_get(answer, "done"), 0),
			   doc_int(doc_get(answer, "total"), 0));
		print_out(&out);
		note(c, "Nothing was run.%s",
		     applied ? "" : "\nnext: alterctl up, which begins with its first statement");
	}
out:
	doc_free(d);
	buf_free(&params);
	buf_free(&out);
	return code;
}
