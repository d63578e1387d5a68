/* events: a line for each thing that happens, until Ctrl-C. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* How soon Ctrl-C is noticed. */
#define LISTEN_MS 200

static const char *const topics[] = {"migration", "schema", "changes", "log", "session", NULL};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int check_topics(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *near = nearest(argv[i], topics);
		size_t k = 0;

		while (topics[k] && strcmp(topics[k], argv[i]) != 0)
			k++;
		if (topics[k])
			continue;
		if (near)
			say("no topic %s; did you mean %s?", argv[i], near);
		else
			say("no topic %s; there are migration, schema, changes, log and session", argv[i]);
		return EXIT_USAGE;
	}
	return 0;
}

static void add_value(struct buf *out, const struct doc_node *v)
{
	if (doc_type(v) == DOC_STRING) {
		text_safe(out, doc_str(v, ""), doc_strlen(v));
	} else if (doc_type(v) == DOC_ARRAY) {
		for (size_t i = 0; i < doc_count(v); i++) {
			buf_puts(out, i ? "," : "");
			add_value(out, doc_at(v, i));
		}
	} else {
		doc_dump(out, v);
	}
}

/* "user +1 ~2 -0, log +1 ~0 -0" */
static void add_changes(struct buf *out, const struct doc_node *tables)
{
	const struct doc_node *counts;
	const char *table;
	bool first = true;

	for (void *i = doc_each(tables, NULL, &table, &counts); i; i = doc_each(tables, i, &table, &counts)) {
		buf_puts(out, first ? "  " : ", ");
		text_safe(out, table, strlen(table));
		buf_printf(out, " +%" PRId64 " ~%" PRId64 " -%" PRId64, doc_int(doc_get(counts, "insert"), 0),
			   doc_int(doc_get(counts, "update"), 0), doc_int(doc_get(counts, "delete"), 0));
		first = false;
	}
}

/* Whatever is known of it, but for what is null. */
static void add_members(struct buf *out, const struct doc_node *data)
{
	const struct doc_node *value;
	const char *key;

	for (void *i = doc_each(data, NULL, &key, &value); i; i = doc_each(data, i, &key, &value)) {
		if (doc_type(value) == DOC_NULL || strcmp(key, "lost") == 0 ||
		    (strcmp(key, "tables") == 0 && doc_type(value) == DOC_OBJECT))
			continue;
		buf_printf(out, "  %s=", key);
		add_value(out, value);
	}
}

static void add_event(struct buf *out, const struct alterd_event *e)
{
	const char *text = alterd_event_data(e);
	struct error err = {0};
	struct doc *d = NULL;

	text_safe(out, alterd_event_time(e), strlen(alterd_event_time(e)));
	buf_printf(out, "  %-9s  %-8s", alterd_event_topic(e), alterd_event_type(e));
	if (doc_parse(text, strlen(text), &d, &err) == 0) {
		const struct doc_node *tables = doc_get(doc_root(d), "tables");

		if (doc_type(tables) == DOC_OBJECT)
			add_changes(out, tables);
		add_members(out, doc_root(d));
	}
	if (alterd_event_lost(e) > 0)
		buf_printf(out, "  (%" PRId64 " lost before it)", alterd_event_lost(e));
	buf_putc(out, '\n');
	error_clear(&err);
	doc_free(d);
}

static void add_json(struct buf *out, const struct alterd_event *e)
{
	jw_open(out, '{');
	jw_str(out, "subscription", alterd_event_subscription(e));
	jw_int(out, "seq", alterd_event_seq(e));
	jw_str(out, "topic", alterd_event_topic(e));
	jw_str(out, "type", alterd_event_type(e));
	jw_str(out, "time", alterd_event_time(e));
	jw_json(out, "data", alterd_event_data(e));
	jw_close(out, '}');
	buf_putc(out, '\n');
}

static int listen_on(struct ctl *c)
{
	int64_t until = c->timeout_ms > 0 ? now_ms() + c->timeout_ms : INT64_MAX, left = c->count;
	const struct alterd_event *e;
	struct buf out = {0};
	bool there = true;

	while (!interrupted() && there && (c->count == 0 || left > 0)) {
		int64_t wait = until - now_ms();
		int found = alterd_next_event(c->conn, wait < LISTEN_MS ? (int)(wait < 0 ? 0 : wait) : LISTEN_MS, &e);

		if (found < 0)
			return ctl_failed(c, c->conn);
		if (found == 0 && now_ms() >= until)
			break;
		if (found == 0)
			continue;
		if (has(c, FLAG_JSON))
			add_json(&out, e);
		else
			add_event(&out, e);
		there = print_out(&out);
		left--;
	}
	buf_free(&out);
	/* Who has named a number has not got it; who has not wanted so much time, and had it. */
	return !interrupted() && there && c->count > 0 && left > 0 ? EXIT_RETRY : EXIT_OK;
}

int cmd_events(struct ctl *c, int argc, char **argv)
{
	/* What everybody may hear; of tables there is one topic. */
	const char *const *wanted = c->ntables > 0 ? topics + 2 : topics;
	size_t n = c->ntables > 0 ? 1 : 3;
	int code = check_topics(argc, argv);

	if (code)
		return code;
	if (argc > 1) {
		wanted = (const char *const *)(void *)(argv + 1);
		n = (size_t)argc - 1;
	}
	code = ctl_connect(c);
	if (code)
		return code;
	interrupt_catch();
	if (alterd_subscribe(c->conn, wanted, n, c->tables, c->ntables, NULL, NULL) != 0)
		return ctl_failed(c, c->conn);
	note(c, "listening; Ctrl-C ends it");
	return listen_on(c);
}
