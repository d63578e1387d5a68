/* An event in memory, and as a line. */
#include "daemon/server/event.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "proto/response.h"

struct event *event_new(enum topic topic, const char *type)
{
	struct event *e = xcalloc(1, sizeof *e);

	e->topic = topic;
	e->type = type;
	e->wall_ms = clock_wall_ms();
	e->bytes = sizeof *e;
	e->commits = 1;
	return e;
}

void event_free(struct event *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->ntables; i++)
		free((char *)(uintptr_t)e->tables[i].table);
	free(e->tables);
	buf_free(&e->data);
	free(e);
}

static struct change *find(struct event *e, const char *table)
{
	for (size_t i = e->ntables; i-- > 0;)
		if (strcmp(e->tables[i].table, table) == 0)
			return &e->tables[i];
	return NULL;
}

void event_add(struct event *e, const struct change *change)
{
	struct change *to = find(e, change->table);

	if (!to && e->ntables == CHANGES_TABLES_MAX) {
		e->more = true;
		return;
	}
	if (!to && e->ntables == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 4;
		e->tables = realloc(e->tables, e->cap * sizeof *e->tables);
		CHECK(e->tables != NULL);
	}
	if (!to) {
		to = &e->tables[e->ntables++];
		*to = (struct change){.table = xstrdup(change->table)};
		e->bytes += sizeof *to + strlen(to->table);
	}
	to->inserted += change->inserted;
	to->updated += change->updated;
	to->deleted += change->deleted;
}

void event_merge(struct event *into, struct event *newer)
{
	struct buf data = into->data;

	PRE(into->topic == newer->topic && into->sub == newer->sub);
	into->type = newer->type;
	into->seq = newer->seq;
	into->wall_ms = newer->wall_ms;
	into->lost += newer->lost + 1;
	into->commits += newer->commits;
	into->version = newer->version;
	into->cookie = newer->cookie;
	into->more = into->more || newer->more;
	into->bytes += newer->data.len - into->data.len;
	into->data = newer->data;
	newer->data = data;
	for (size_t i = 0; i < newer->ntables; i++)
		event_add(into, &newer->tables[i]);
	event_free(newer);
}

static void write_changes(const struct event *e, struct buf *out)
{
	jw_open(out, '{');
	jw_key(out, "tables");
	jw_open(out, '{');
	for (size_t i = 0; i < e->ntables; i++) {
		jw_key(out, e->tables[i].table);
		jw_open(out, '{');
		jw_int(out, "insert", e->tables[i].inserted);
		jw_int(out, "update", e->tables[i].updated);
		jw_int(out, "delete", e->tables[i].deleted);
		jw_close(out, '}');
	}
	jw_close(out, '}');
	if (e->more)
		jw_bool(out, "more", true);
	if (e->commits > 1)
		jw_int(out, "commits", (int64_t)e->commits);
	jw_int(out, "lost", (int64_t)e->lost);
	jw_close(out, '}');
}

static void write_schema(const struct event *e, struct buf *out)
{
	jw_open(out, '{');
	jw_int(out, "version", e->version);
	jw_int(out, "from", e->before);
	jw_int(out, "schema_version", e->cookie);
	jw_key(out, "tables");
	jw_open(out, '[');
	for (size_t i = 0; i < e->ntables; i++)
		jw_str(out, NULL, e->tables[i].table);
	jw_close(out, ']');
	if (e->more)
		jw_bool(out, "more", true);
	if (e->lost > 0)
		jw_int(out, "lost", (int64_t)e->lost);
	jw_close(out, '}');
}

static void write_data(const struct event *e, struct buf *out)
{
	PRE(e->data.len >= 2 && e->data.data[e->data.len - 1] == '}');
	buf_add(out, e->data.data, e->data.len - 1);
	if (e->lost > 0)
		jw_int(out, "lost", (int64_t)e->lost);
	jw_close(out, '}');
}

void event_write(const struct event *e, const char *subscription, struct buf *out)
{
	char time[32];

	clock_format(e->wall_ms, 3, time);
	jw_open(out, '{');
	jw_str(out, "jsonrpc", "2.0");
	jw_str(out, "method", "event");
	jw_key(out, "params");
	jw_open(out, '{');
	jw_str(out, "subscription", subscription);
	jw_int(out, "seq", (int64_t)e->seq);
	jw_str(out, "topic", topic_name(e->topic));
	jw_str(out, "type", e->type);
	jw_str(out, "time", time);
	jw_key(out, "data");
	if (e->topic == TOPIC_CHANGES)
		write_changes(e, out);
	else if (e->topic == TOPIC_SCHEMA)
		write_schema(e, out);
	else
		write_data(e, out);
	jw_close(out, '}');
	jw_close(out, '}');
	buf_putc(out, '\n');
}
