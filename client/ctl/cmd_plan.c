/* plan: what a run would do, and what it did on a copy. */
#include <inttypes.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

static bool tells(const struct doc_node *warnings, const char *text)
{
	for (size_t i = 0; i < doc_count(warnings); i++) {
		if (strcmp(doc_str(doc_at(warnings, i), ""), text) == 0)
			return true;
	}
	return false;
}

/* The warnings, except those that one of `said` (statements, NULL: none) has told. */
static void add_warnings(struct buf *out, const struct doc_node *warnings, const struct doc_node *said)
{
	for (size_t i = 0; i < doc_count(warnings); i++) {
		const char *text = doc_str(doc_at(warnings, i), "");
		bool told = false;

		for (size_t k = 0; k < doc_count(said) && !told; k++)
			told = tells(doc_get(doc_at(said, k), "warnings"), text);
		if (told)
			continue;
		buf_puts(out, "       warning: ");
		text_flat(out, text);
		buf_putc(out, '\n');
	}
}

/* "rebuild user  ~1.0M rows  needs 172.0 MiB  holds writes 5 ms" */
static void add_figures(struct buf *out, const struct doc_node *n)
{
	const char *strategy = doc_str(doc_get(n, "strategy"), "?"), *table = doc_str(doc_get(n, "table"), "");
	int64_t rows = doc_int(doc_get(n, "rows"), 0), bytes = doc_int(doc_get(n, "needs_bytes"), 0);
	int64_t expected = doc_int(doc_get(n, "expected_ms"), 0);
	double hold = doc_real(doc_get(n, "blocks_writes_ms"), 0);

	text_safe(out, strategy, strlen(strategy));
	if (*table) {
		buf_putc(out, ' ');
		text_safe(out, table, strlen(table));
	}
	if (rows > 0) {
		buf_puts(out, "  ~");
		text_count(out, rows);
		buf_puts(out, rows == 1 ? " row" : " rows");
	}
	if (bytes > 0) {
		buf_puts(out, "  needs ");
		text_bytes(out, bytes);
	}
	if (hold > 0)
		buf_printf(out, hold < 1 ? "  holds writes %.1f ms" : "  holds writes %.0f ms", hold);
	if (expected >= 1000) {
		buf_puts(out, "  takes about ");
		text_seconds(out, (double)expected / 1000);
	}
}

static void add_statement(const struct ctl *c, struct buf *out, const struct doc_node *s, int line_width)
{
	const char *strategy = doc_str(doc_get(s, "strategy"), "?");
	size_t line = out->len;

	buf_printf(out, "     line %*" PRId64 ": ", line_width, doc_int(doc_get(s, "line"), 0));
	text_safe(out, strategy, strlen(strategy));
	buf_puts(out, "  ");
	text_flat(out, doc_str(doc_get(s, "sql"), ""));
	text_cut(out, line, c->width);
	buf_putc(out, '\n');
	if (doc_bool(doc_get(s, "destructive"), false))
		buf_puts(out, "       loses data: needs --allow-data-loss where there is any\n");
	add_warnings(out, doc_get(s, "warnings"), NULL);
}

static void add_step(const struct ctl *c, struct buf *out, const struct doc_node *step)
{
	const struct doc_node *statements = doc_get(step, "statements");
	bool down = strcmp(doc_str(doc_get(step, "direction"), "up"), "down") == 0;
	int line_width = 1;

	buf_printf(out, " %" PRId64 "  ", doc_int(doc_get(step, "version"), 0));
	text_flat(out, doc_str(doc_get(step, "name"), ""));
	buf_puts(out, down ? "  down, " : "  ");
	add_figures(out, step);
	if (!doc_bool(doc_get(step, "reversible"), true))
		buf_puts(out, "  no way back");
	if (doc_bool(doc_get(step, "fails"), false))
		buf_puts(out, "  would fail");
	buf_putc(out, '\n');
	for (size_t i = 0; i < doc_count(statements); i++) {
		int64_t line = doc_int(doc_get(doc_at(statements, i), "line"), 0);
		int width = line >= 1000 ? 4 : line >= 100 ? 3 : line >= 10 ? 2 : 1;

		line_width = width > line_width ? width : line_width;
	}
	for (size_t i = 0; i < doc_count(statements); i++)
		add_statement(c, out, doc_at(statements, i), line_width);
	add_warnings(out, doc_get(step, "warnings"), statements);
}

/* ---- a rehearsal ---- */

/* " 13  split_name  done  rebuild user  1,000,000 rows in 17.2 s  held writes 5.1 ms  swap 1.0 ms" */
static void add_tried(struct buf *out, const struct doc_node *v)
{
	const char *strategy = doc_str(doc_get(v, "strategy"), ""), *table = doc_str(doc_get(v, "table"), "");
	int64_t rows = doc_int(doc_get(v, "rows"), 0);

	buf_printf(out, " %" PRId64 "  ", doc_int(doc_get(v, "version"), 0));
	text_flat(out, doc_str(doc_get(v, "name"), ""));
	buf_puts(out, "  ");
	text_flat(out, doc_str(doc_get(v, "state"), "?"));
	buf_puts(out, *strategy ? "  " : "");
	text_flat(out, strategy);
	buf_puts(out, *table ? " " : "");
	text_flat(out, table);
	if (rows > 0) {
		buf_puts(out, "  ");
		text_number(out, rows);
		buf_puts(out, rows == 1 ? " row" : " rows");
	}
	buf_puts(out, "  in ");
	text_seconds(out, (double)doc_int(doc_get(v, "took_ms"), 0) / 1000);
	buf_printf(out, "  held writes %.1f ms", doc_real(doc_get(v, "longest_hold_ms"), 0));
	if (doc_real(doc_get(v, "swap_ms"), -1) >= 0)
		buf_printf(out, "  swap %.1f ms", doc_real(doc_get(v, "swap_ms"), 0));
	buf_putc(out, '\n');
}

static void add_tried_error(struct buf *out, const struct doc_node *error)
{
	const struct doc_node *rows = doc_get(error, "rows");

	if (doc_type(error) != DOC_OBJECT)
		return;
	buf_puts(out, "     ");
	text_flat(out, doc_str(doc_get(error, "message"), "failed"));
	buf_putc(out, '\n');
	for (size_t i = 0; i < doc_count(rows); i++) {
		const struct doc_node *row = doc_at(rows, i);

		buf_puts(out, "       row ");
		doc_dump(out, doc_get(row, "rowid"));
		buf_puts(out, "  ");
		text_flat(out, doc_str(doc_get(row, "column"), ""));
		buf_puts(out, "  ");
		text_flat(out, doc_str(doc_get(row, "reason"), ""));
		buf_putc(out, '\n');
	}
}

/* What the rehearsal has found; EXIT_FAILED if the run would fail. */
static int print_tried(const struct ctl *c, const struct doc_node *tried)
{
	const struct doc_node *steps = doc_get(tried, "steps");
	bool failed = strcmp(doc_str(doc_get(tried, "state"), ""), "done") != 0;
	struct buf out = {0};

	buf_puts(&out, "rehearsed on a copy of ");
	text_bytes(&out, doc_int(doc_get(tried, "bytes"), 0));
	buf_printf(&out, ": %s\n", failed ? "it fails" : "it works");
	for (size_t i = 0; i < doc_count(steps); i++) {
		add_tried(&out, doc_at(steps, i));
		add_tried_error(&out, doc_get(doc_at(steps, i), "error"));
	}
	if (out.failed)
		must(NULL);
	print_out(&out);
	buf_free(&out);
	if (failed)
		note(c, "Nothing was changed. next: mend the file or the rows, then plan --try again");
	return failed ? EXIT_FAILED : EXIT_OK;
}

static void note_plan(const struct ctl *c, int64_t to)
{
	struct buf dir = {0};

	if (c->dir) {
		buf_puts(&dir, " --dir ");
		text_safe(&dir, c->dir, strlen(c->dir));
	}
	note(c, "next: alterctl to %" PRId64 "%s", to, buf_cstr(&dir));
	buf_free(&dir);
}

static int print_plan(const struct ctl *c, const struct doc_node *answer)
{
	const struct doc_node *steps = doc_get(answer, "steps"), *tried = doc_get(answer, "try");
	int64_t from = doc_int(doc_get(answer, "from"), 0), to = doc_int(doc_get(answer, "to"), from);
	size_t n = doc_count(steps);
	struct buf out = {0};

	if (n == 0)
		buf_printf(&out, "nothing pending; version %" PRId64 "\n", from);
	else
		buf_printf(&out, "version %" PRId64 " -> %" PRId64 "   %zu migration%s\n", from, to, n,
			   n == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++)
		add_step(c, &out, doc_at(steps, i));
	if (out.failed)
		must(NULL);
	print_out(&out);
	buf_free(&out);
	if (n > 0 && tried && print_tried(c, tried) != EXIT_OK)
		return EXIT_FAILED;
	if (n > 0)
		note_plan(c, to);
	return EXIT_OK;
}

/* With --json, too, the exit code says what the rehearsal has found. */
static int plan_json(struct ctl *c, const char *params)
{
	struct error err = {0};
	struct doc *d = NULL;
	struct buf line = {0};
	const char *text, *state = "done";
	int code = ctl_connect(c);

	if (code)
		return code;
	if (alterd_call(c->conn, "migrate.plan", params, &text) != 0)
		return ctl_failed(c, c->conn);
	if (has(c, FLAG_TRY) && doc_parse(text, strlen(text), &d, &err) == 0)
		state = doc_str(doc_get(doc_get(doc_root(d), "try"), "state"), "done");
	code = strcmp(state, "done") == 0 ? EXIT_OK : EXIT_FAILED;
	buf_printf(&line, "%s\n", text);
	print_out(&line);
	buf_free(&line);
	error_clear(&err);
	doc_free(d);
	return code;
}

int show_plan(struct ctl *c, struct buf *params)
{
	struct doc *d;
	int code;

	if (has(c, FLAG_TRY))
		jw_bool(params, "try", true);
	if (has(c, FLAG_FORCE))
		jw_bool(params, "allow_data_loss", true);
	jw_close(params, '}');
	if (has(c, FLAG_JSON))
		return plan_json(c, buf_cstr(params));
	code = ctl_call(c, "migrate.plan", buf_cstr(params), &d);
	if (d)
		code = print_plan(c, doc_root(d));
	doc_free(d);
	return code;
}

int cmd_plan(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0};
	int code = files_params(c, argc, argv, &params);

	if (!code)
		code = show_plan(c, &params);
	buf_free(&params);
	return code;
}
