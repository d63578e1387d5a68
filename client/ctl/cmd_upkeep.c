/* check, analyze, shrink: the daemon does the work beside its clients; here it is told what came of it. */
#include <inttypes.h>
#include <stdio.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* A call with the table that was named, if one was. */
static int call(struct ctl *c, const char *method, const char *table, struct doc **ret)
{
	struct buf params = {0};

	jw_open(&params, '{');
	if (table)
		jw_str(&params, "table", table);
	if (has(c, FLAG_QUICK))
		jw_bool(&params, "quick", true);
	if (has(c, FLAG_WHOLE))
		jw_bool(&params, "whole", true);
	jw_close(&params, '}');
	int code = ctl_call_keeping(c, method, buf_cstr(&params), ret);
	buf_free(&params);
	return code;
}

/* ---- check ---- */

static void show_findings(struct ctl *c, const struct doc_node *findings, int64_t count)
{
	struct table *t = table_new(c);

	table_column(t, "table");
	table_column(t, "rowid");
	table_column(t, "kind");
	table_column(t, "message");
	for (size_t i = 0; i < doc_count(findings); i++) {
		const struct doc_node *f = doc_at(findings, i), *rowid = doc_get(f, "rowid");
		struct buf number = {0};

		if (doc_type(rowid) == DOC_INT)
			buf_printf(&number, "%" PRId64, doc_int(rowid, 0));
		const char *row[] = {doc_str(doc_get(f, "table"), "-"), buf_cstr(&number),
				     doc_str(doc_get(f, "kind"), ""), doc_str(doc_get(f, "message"), "")};
		table_texts(t, row);
		buf_free(&number);
	}
	table_end(t);
	table_free(t);
	if (count > (int64_t)doc_count(findings))
		note(c, "and %" PRId64 " more", count - (int64_t)doc_count(findings));
	note(c, "next: keep the file and the daemon's log; restore a backup, or dump what can be read");
}

static void show_skipped(const struct doc_node *skipped)
{
	for (size_t i = 0; i < doc_count(skipped); i++)
		say("not looked at: %s; clients write so much that the log would pass store.wal_hard_cap",
		    doc_str(doc_at(skipped, i), "?"));
	if (doc_count(skipped) > 0)
		say("try again later, or look at a copy: alterctl backup --verify");
}

int cmd_check(struct ctl *c, int argc, char **argv)
{
	struct doc *d = NULL;
	int code = call(c, "check", argc > 1 ? argv[1] : NULL, &d);

	if (!d)
		return code;
	const struct doc_node *r = doc_root(d), *skipped = doc_get(r, "skipped");
	int64_t count = doc_int(doc_get(r, "count"), 0);
	if (!has(c, FLAG_JSON) && count > 0)
		show_findings(c, doc_get(r, "findings"), count);
	if (!has(c, FLAG_JSON))
		show_skipped(skipped);
	if (!has(c, FLAG_JSON) && count == 0 && doc_count(skipped) == 0)
		printf("ok  %" PRId64 " tables, %s%s  %.1f s\n", doc_int(doc_get(r, "tables"), 0),
		       has(c, FLAG_QUICK) ? "quickly" : "rows, indexes and foreign keys",
		       doc_bool(doc_get(r, "whole"), false) ? ", free pages" : "",
		       doc_real(doc_get(r, "ms"), 0) / 1000);
	if (!has(c, FLAG_JSON) && count == 0 && argc < 2 && !doc_bool(doc_get(r, "whole"), false))
		note(c, "table by table: pages of no table, or of two, were not looked for; --whole does");
	code = count > 0 ? EXIT_FAILED : doc_count(skipped) > 0 ? EXIT_RETRY : 0;
	doc_free(d);
	return code;
}

/* ---- analyze ---- */

int cmd_analyze(struct ctl *c, int argc, char **argv)
{
	struct doc *d = NULL;
	int code = call(c, "analyze", argc > 1 ? argv[1] : NULL, &d);

	if (d && !has(c, FLAG_JSON))
		note(c, "%" PRId64 " indexes and tables analyzed by samples; the writer was held for %.1f ms at most",
		     doc_int(doc_get(doc_root(d), "analyzed"), 0),
		     doc_real(doc_get(doc_root(d), "longest_hold_ms"), 0));
	doc_free(d);
	return code;
}

/* ---- shrink ---- */

int cmd_shrink(struct ctl *c, int argc, char **argv)
{
	struct doc *d = NULL;
	int code = call(c, "shrink", NULL, &d);

	(void)argc;
	(void)argv;
	if (!d)
		return code;
	const struct doc_node *r = doc_root(d);
	const char *reason = doc_str(doc_get(r, "reason"), NULL);
	struct buf out = {0};
	buf_puts(&out, "freed ");
	text_bytes(&out, doc_int(doc_get(r, "freed_bytes"), 0));
	buf_puts(&out, "   free inside ");
	text_bytes(&out, doc_int(doc_get(r, "free_bytes"), 0));
	buf_putc(&out, '\n');
	if (!has(c, FLAG_JSON))
		print_out(&out);
	buf_free(&out);
	if (reason && !has(c, FLAG_JSON))
		say("%s", reason);
	doc_free(d);
	return reason ? EXIT_FAILED : 0;
}
