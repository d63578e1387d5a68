/* ping, sessions, kill, config, reload, version: the daemon itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

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

/* ---- config, reload ---- */

/* Where a value came from: the default, alterd.conf:12, or the daemon's command line. */
static void add_origin(struct buf *out, const struct doc_node *s)
{
	const char *origin = doc_str(doc_get(s, "origin"), "?"), *file = doc_str(doc_get(s, "file"), "");

	if (strcmp(origin, "file") == 0) {
		text_safe(out, file, strlen(file));
		buf_printf(out, ":%" PRId64, doc_int(doc_get(s, "line"), 0));
	} else {
		buf_puts(out, strcmp(origin, "set") == 0 ? "command line" : origin);
	}
}

static void note_waiting(const struct ctl *c, const struct doc_node *settings)
{
	for (size_t i = 0; i < doc_count(settings); i++) {
		const struct doc_node *s = doc_at(settings, i);
		const char *waiting = doc_str(doc_get(s, "waiting"), NULL);
		struct buf value = {0};

		if (!waiting)
			continue;
		text_safe(&value, waiting, strlen(waiting));
		note(c, "%s = %s was read by the last reload, and waits for a restart",
		     doc_str(doc_get(s, "name"), "?"), buf_cstr(&value));
		buf_free(&value);
	}
}

int cmd_config(struct ctl *c, int argc, char **argv)
{
	static const char *const heads[] = {"setting", "value", "from", "changed by"};
	const struct doc_node *settings;
	struct table *t;
	struct doc *d;
	int code = ctl_call(c, "config.show", NULL, &d);

	(void)argc, (void)argv;
	if (!d)
		return code;
	settings = doc_get(doc_root(d), "settings");
	t = table_new(c);
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		table_column(t, heads[i]);
	for (size_t i = 0; i < doc_count(settings); i++) {
		const struct doc_node *s = doc_at(settings, i);
		struct buf origin = {0};

		add_origin(&origin, s);
		const char *row[] = {doc_str(doc_get(s, "name"), "?"), doc_str(doc_get(s, "value"), ""),
				     buf_cstr(&origin), doc_bool(doc_get(s, "reload"), false) ? "reload" : "restart"};
		table_texts(t, row);
		buf_free(&origin);
	}
	table_end(t);
	table_free(t);
	note_waiting(c, settings);
	doc_free(d);
	return code;
}

/* "taken: store.group, log.level". Nothing for an empty list. */
static void print_names(const char *title, const struct doc_node *names)
{
	struct buf out = {0};

	if (doc_count(names) == 0)
		return;
	buf_puts(&out, title);
	for (size_t i = 0; i < doc_count(names); i++)
		buf_printf(&out, "%s %s", i ? "," : "", doc_str(doc_at(names, i), "?"));
	buf_putc(&out, '\n');
	print_out(&out);
	buf_free(&out);
}

int cmd_reload(struct ctl *c, int argc, char **argv)
{
	const struct doc_node *changed, *waiting;
	struct doc *d;
	int code = ctl_call(c, "config.reload", NULL, &d);

	(void)argc, (void)argv;
	if (!d)
		return code;
	changed = doc_get(doc_root(d), "changed");
	waiting = doc_get(doc_root(d), "needs_restart");
	print_names("in force now:", changed);
	print_names("after a restart:", waiting);
	if (doc_count(changed) == 0 && doc_count(waiting) == 0)
		note(c, "the settings are as they were");
	else
		note(c, "next: alterctl config");
	doc_free(d);
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
