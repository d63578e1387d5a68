/* Where events come from: commits, jobs and schema, the log, sessions. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/server/internal.h"
#include "daemon/server/session.h"
#include "proto/response.h"
#include "proto/value.h"

/* --- the store --- */

static void on_committed(void *arg, const struct changes *changes) { events_publish_changes(arg, changes); }
static void on_counting(void *arg) { events_ready(arg); }

/* --- the migrator --- */

static void on_job(void *arg, const char *type, int64_t job, const char *data)
{
	(void)job;
	events_publish(arg, TOPIC_MIGRATION, type, data, 0);
}

static void on_schema(void *arg, const struct schema_change *change) { events_publish_schema(arg, change); }
static void on_schema_seen(void *arg) { events_ready(arg); }

/* --- the log --- */

struct log_mail {
	struct mail mail; /* first */
	struct server *server;
	enum log_level level;
	const char *room; /* static */
	char text[];
};

static void deliver_line(struct mail *mail)
{
	struct log_mail *line = (struct log_mail *)(void *)mail;
	struct server *server = line->server;
	struct buf data = {0};

	atomic_fetch_sub(&server->events.log_pending, 1);
	jw_open(&data, '{');
	jw_str(&data, "level", log_level_name(line->level));
	jw_str(&data, "room", line->room);
	jw_str(&data, "message", line->text);
	jw_close(&data, '}');
	events_publish(server, TOPIC_LOG, "line", buf_cstr(&data), atomic_exchange(&server->events.log_lost, 0));
	buf_free(&data);
	free(line);
}

/* Any thread. */
static void on_line(void *arg, enum log_level level, const char *room, const char *text, size_t n)
{
	struct server *server = arg;
	struct log_mail *line;

	if (atomic_fetch_add(&server->events.log_pending, 1) >= LOG_PENDING_MAX) {
		atomic_fetch_sub(&server->events.log_pending, 1);
		atomic_fetch_add(&server->events.log_lost, 1);
		return;
	}
	line = xmalloc(sizeof *line + n + 1);
	*line = (struct log_mail){.mail.deliver = deliver_line, .server = server, .level = level, .room = room};
	memcpy(line->text, text, n);
	line->text[n] = '\0';
	store_post(server->store, &line->mail);
}

/* --- sessions --- */

void events_of_session(const struct session *s, const char *type)
{
	struct buf data = {0};
	char name[32];

	if (!(s->server->events.listening & TOPIC_BIT(TOPIC_SESSION)))
		return;
	(void)snprintf(name, sizeof name, "s%" PRIu64, s->sql.id);
	jw_open(&data, '{');
	jw_str(&data, "session", name);
	jw_str(&data, "client", s->client[0] ? s->client : NULL);
	jw_int(&data, "uid", (int64_t)s->peer.uid);
	jw_int(&data, "pid", (int64_t)s->peer.pid);
	jw_str(&data, "role", peer_role_name(s->role));
	jw_int(&data, "requests", (int64_t)s->requests);
	jw_close(&data, '}');
	events_publish(s->server, TOPIC_SESSION, type, buf_cstr(&data), 0);
	buf_free(&data);
}

/* --- on and off --- */

static bool has_topic(unsigned topics, enum topic topic) { return (topics & TOPIC_BIT(topic)) != 0; }

void event_sources_listen(struct server *server, unsigned topics)
{
	struct events *ev = &server->events;
	bool changes = has_topic(topics, TOPIC_CHANGES), schema = has_topic(topics, TOPIC_SCHEMA);
	bool jobs = has_topic(topics, TOPIC_MIGRATION);
	unsigned other = topics ^ ev->listening;

	if (has_topic(other, TOPIC_CHANGES)) {
		store_on_changes(server->store, on_committed, on_counting, server);
		store_count_changes(server->store, changes);
	}
	ev->listener = (struct migrator_listener){
		.arg = server, .job = on_job, .schema = on_schema, .schema_seen = on_schema_seen};
	migrator_listen(server->migrator, &ev->listener, jobs, schema);
	if (has_topic(other, TOPIC_LOG))
		log_listen(has_topic(topics, TOPIC_LOG) ? on_line : NULL, server);
}

bool event_sources_ready(struct server *server, unsigned topics)
{
	if (has_topic(topics, TOPIC_CHANGES) && !store_counts_changes(server->store))
		return false;
	return !has_topic(topics, TOPIC_SCHEMA) || migrator_sees_schema(server->migrator);
}
