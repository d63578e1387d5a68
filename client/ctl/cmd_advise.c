/* advise: which statements scan or sort, and which index would help. */
#include <inttypes.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* "scans a table, sorts": what the plan does. */
static void add_why(struct buf *out, const struct doc_node *plan)
{
	static const struct {
		const char *key, *text;
	} whys[] = {{"scans", "scans"}, {"sorts", "sorts"}, {"auto_indexes", "makes an index for each run"}};
	const char *comma = "";

	for (size_t i = 0; i < sizeof(whys) / sizeof(whys[0]); i++) {
		int64_t n = doc_int(doc_get(plan, whys[i].key), 0);

		if (n == 0)
			continue;
		buf_printf(out, "%s%s", comma, whys[i].text);
		if (n > 1)
			buf_printf(out, " %" PRId64 " times", n);
		comma = ", ";
	}
	if (!*comma)
		buf_puts(out, "neither scans nor sorts");
}

static void add_statement(struct buf *out, const struct doc_node *e)
{
	const struct doc_node *create = doc_get(e, "create");

	text_flat(out, doc_str(doc_get(e, "sql"), ""));
	buf_puts(out, "\n  ");
	text_count(out, doc_int(doc_get(e, "calls"), 0));
	buf_printf(out, " calls, %.1f ms, ", doc_real(doc_get(e, "total_ms"), 0));
	text_count(out, doc_int(doc_get(e, "scan_steps"), 0));
	buf_puts(out, " rows gone over; ");
	add_why(out, doc_get(e, "plan"));
	if (doc_count(create) == 0) {
		buf_puts(out, "; no index was found that helps\n");
		return;
	}
	buf_puts(out, "; with the index");
	buf_puts(out, doc_count(create) > 1 ? "es: " : ": ");
	add_why(out, doc_get(e, "with"));
	buf_putc(out, '\n');
	for (size_t i = 0; i < doc_count(create); i++) {
		buf_puts(out, "    ");
		text_flat(out, doc_str(doc_at(create, i), ""));
		buf_puts(out, ";\n");
	}
}

static void add_redundant(struct buf *out, const struct doc_node *e)
{
	buf_puts(out, "index ");
	text_flat(out, doc_str(doc_get(e, "index"), "?"));
	buf_puts(out, " of ");
	text_flat(out, doc_str(doc_get(e, "table"), "?"));
	buf_puts(out, " is not needed beside ");
	text_flat(out, doc_str(doc_get(e, "covered_by"), "?"));
	buf_puts(out, "\n    ");
	text_flat(out, doc_str(doc_get(e, "drop"), ""));
	buf_puts(out, ";\n");
}

int cmd_advise(struct ctl *c, int argc, char **argv)
{
	struct buf params = {0}, out = {0};
	struct doc *d;
	int code;

	(void)argc, (void)argv;
	if (c->by || (has(c, FLAG_STATEMENTS) && !c->limit)) {
		say("\"alterctl advise\" takes --limit alone");
		return EXIT_USAGE;
	}
	jw_open(&params, '{');
	if (c->limit)
		jw_int(&params, "limit", c->limit);
	jw_close(&params, '}');
	code = ctl_call(c, "advise", buf_cstr(&params), &d);
	if (d) {
		const struct doc_node *statements = doc_get(doc_root(d), "statements"),
				      *redundant = doc_get(doc_root(d), "redundant");

		for (size_t i = 0; i < doc_count(statements); i++)
			add_statement(&out, doc_at(statements, i));
		for (size_t i = 0; i < doc_count(redundant); i++)
			add_redundant(&out, doc_at(redundant, i));
		print_out(&out);
		if (doc_count(statements) + doc_count(redundant) == 0)
			note(c, "nothing to advise: no statement seen so far scans or sorts much");
		if (!doc_bool(doc_get(doc_root(d), "complete"), true))
			note(c, "the time was up before all statements were looked at");
	}
	buf_free(&params);
	buf_free(&out);
	doc_free(d);
	return code;
}
