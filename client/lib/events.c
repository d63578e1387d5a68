/*
 * Events: subscribing, and taking them one by one. Those that come while a call waits for its answer are kept, up to a
 * bound; beyond it the oldest go, and the next that is handed out tells how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/conn.h"
#include "client/lib/jread.h"
#include "proto/response.h"

/* Events kept that nobody has asked for yet, and their bytes. */
#define KEPT_MAX 1024
#define KEPT_BYTES ((size_t)4 << 20)

struct alterd_event {
	struct alterd_event *next;
	size_t bytes;
	int64_t seq, lost;
	const char *subscription, *topic, *type, *time, *data; /* in `line` */
	char line[];
};

/* ---- keeping ---- */

static char *text_at(char *object, const char *key)
{
	char *p = jr_member(object, key);

	return p && *p == '"' ? p : NULL;
}

static const char *decoded(char *at)
{
	char *text;
	size_t n;

	return at && jr_string(at, &text, &n) ? text : "";
}

/* Finds the members in the event's own copy of the line. All places are found before anything is decoded. */
static bool take_apart(struct alterd_event *e, char *params)
{
	char *subscription = text_at(params, "subscription"), *topic = text_at(params, "topic");
	char *type = text_at(params, "type"), *time = text_at(params, "time");
	char *seq = jr_member(params, "seq"), *data = jr_member(params, "data"), *lost, *end;

	if (!subscription || !topic || !type || !data || !seq || !jr_int(seq, &e->seq))
		return false;
	lost = *data == '{' ? jr_member(data, "lost") : NULL;
	end = jr_skip(data);
	if (!end || (lost && !jr_int(lost, &e->lost)))
		return false;
	e->subscription = decoded(subscription);
	e->topic = decoded(topic);
	e->type = decoded(type);
	e->time = decoded(time);
	*end = '\0';
	e->data = data;
	return true;
}

static void drop_oldest(struct alterd_conn *c)
{
	struct alterd_event *e = c->events;

	c->events = e->next;
	if (!c->events)
		c->events_end = &c->events;
	c->nevents--;
	c->events_bytes -= e->bytes;
	c->events_lost += 1 + e->lost;
	free(e);
}

int events_keep(struct alterd_conn *c, const struct reply *reply)
{
	struct alterd_event *e = malloc(sizeof(*e) + reply->len + 1);

	if (!e)
		return conn_broken(c, ALTERD_E_NO_MEMORY, "out of memory for an event");
	*e = (struct alterd_event){.bytes = sizeof(*e) + reply->len};
	memcpy(e->line, reply->line, reply->len);
	e->line[reply->len] = '\0';
	/* What is no event of the kind known here is some other notification: not for us. */
	if (!take_apart(e, e->line + reply->params.at)) {
		free(e);
		return 0;
	}
	*c->events_end = e;
	c->events_end = &e->next;
	c->nevents++;
	c->events_bytes += e->bytes;
	while (c->nevents > 1 && (c->nevents > KEPT_MAX || c->events_bytes > KEPT_BYTES))
		drop_oldest(c);
	return 0;
}

void events_free(struct alterd_conn *c)
{
	while (c->events)
		drop_oldest(c);
	free(c->event);
	c->event = NULL;
}

/* ---- taking ---- */

int alterd_next_event(struct alterd_conn *c, int timeout_ms, const struct alterd_event **ret)
{
	if (timeout_ms < -1)
		return conn_fail(c, ALTERD_E_MISUSE, "a timeout of %d ms", timeout_ms);
	if (!c->events) {
		int found = wire_listen(c, timeout_ms);

		if (found <= 0)
			return found;
	}
	free(c->event);
	c->event = c->events;
	c->events = c->event->next;
	if (!c->events)
		c->events_end = &c->events;
	c->nevents--;
	c->events_bytes -= c->event->bytes;
	c->event->lost += c->events_lost;
	c->events_lost = 0;
	*ret = c->event;
	return 1;
}

const char *alterd_event_subscription(const struct alterd_event *e) { return e->subscription; }
int64_t alterd_event_seq(const struct alterd_event *e) { return e->seq; }
const char *alterd_event_topic(const struct alterd_event *e) { return e->topic; }
const char *alterd_event_type(const struct alterd_event *e) { return e->type; }
const char *alterd_event_time(const struct alterd_event *e) { return e->time; }
int64_t alterd_event_lost(const struct alterd_event *e) { return e->lost; }
const char *alterd_event_data(const struct alterd_event *e) { return e->data; }

/* ---- subscribing ---- */

static int write_names(struct alterd_conn *c, const char *key, const char *const *names, size_t n)
{
	jw_key(&c->out, key);
	jw_open(&c->out, '[');
	for (size_t i = 0; i < n; i++) {
		if (!names[i])
			return conn_fail(c, ALTERD_E_MISUSE, "%s has a name that is NULL", key);
		jw_str(&c->out, NULL, names[i]);
	}
	jw_close(&c->out, ']');
	return 0;
}

static int subscribe(struct alterd_conn *c, int timeout_ms, const char *const *topics, size_t n,
		     const char *const *tables, size_t ntables, struct reply *ret)
{
	int64_t id = wire_begin(c, "subscribe");

	if (id < 0)
		return -1;
	jw_key(&c->out, "params");
	jw_open(&c->out, '{');
	if (write_names(c, "topics", topics, n) != 0)
		return -1;
	if (ntables > 0 && write_names(c, "tables", tables, ntables) != 0)
		return -1;
	jw_close(&c->out, '}');
	return wire_finish(c, id, timeout_ms, ret);
}

int alterd_subscribe(struct alterd_conn *c, const char *const *topics, size_t n, const char *const *tables,
		     size_t ntables, char ret_name[ALTERD_NAME_BYTES], const char **ret_result)
{
	struct reply reply;
	char *result, *name, *end;

	if (subscribe(c, c->timeout_ms, topics, n, tables, ntables, &reply) != 0)
		return -1;
	result = reply.line + reply.result.at;
	name = text_at(result, "subscription");
	end = name ? strchr(name + 1, '"') : NULL;
	if (!end || end - name > ALTERD_NAME_BYTES)
		return conn_broken(c, ALTERD_E_PROTOCOL, "the daemon sent a subscription without a name");
	if (ret_name)
		snprintf(ret_name, ALTERD_NAME_BYTES, "%.*s", (int)(end - name - 1), name + 1);
	result[reply.result.n] = '\0';
	if (ret_result)
		*ret_result = result;
	return 0;
}

int alterd_unsubscribe(struct alterd_conn *c, const char *name)
{
	int64_t id = wire_begin(c, "unsubscribe");
	struct reply reply;

	if (id < 0)
		return -1;
	if (!name)
		return conn_fail(c, ALTERD_E_MISUSE, "no subscription given");
	jw_key(&c->out, "params");
	jw_open(&c->out, '{');
	jw_str(&c->out, "subscription", name);
	jw_close(&c->out, '}');
	if (wire_finish(c, id, c->timeout_ms, &reply) != 0)
		return -1;
	/* Those that had come before are not told any more. */
	for (struct alterd_event **at = &c->events, *e; (e = *at) != NULL;) {
		if (strcmp(e->subscription, name) != 0) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		c->nevents--;
		c->events_bytes -= e->bytes;
		free(e);
	}
	c->events_end = &c->events;
	while (*c->events_end)
		c->events_end = &(*c->events_end)->next;
	return 0;
}

/* ---- waiting for a version ---- */

static bool version_in(char *object, int64_t *ret)
{
	char *p = jr_member(object, "version");

	return p && jr_int(p, ret);
}

/* Takes the events of this subscription alone, the others stay. 1: *ret is its version, 0: time is up, -1: failed. */
static int next_version(struct alterd_conn *c, const char *name, int64_t deadline, int64_t *ret)
{
	for (;;) {
		for (struct alterd_event **at = &c->events, *e; (e = *at) != NULL; at = &e->next) {
			bool mine = strcmp(e->subscription, name) == 0;

			if (!mine)
				continue;
			bool told = version_in((char *)(uintptr_t)e->data, ret);
			*at = e->next;
			if (!e->next)
				c->events_end = at;
			c->nevents--;
			c->events_bytes -= e->bytes;
			free(e);
			if (told)
				return 1;
			break;
		}
		int found = wire_listen(c, wire_left_ms(deadline));

		if (found <= 0)
			return found;
	}
}

int alterd_wait_version(struct alterd_conn *c, int64_t version, int timeout_ms, int64_t *ret_version)
{
	static const char *const topics[] = {"schema"};
	int64_t deadline = wire_deadline(timeout_ms), now = 0;
	char name[ALTERD_NAME_BYTES] = "";
	const char *result = NULL;
	char *state;
	int rc;

	if (timeout_ms < -1)
		return conn_fail(c, ALTERD_E_MISUSE, "a timeout of %d ms", timeout_ms);
	if (alterd_subscribe(c, topics, 1, NULL, 0, name, &result) != 0)
		return -1;
	state = result ? jr_member((char *)(uintptr_t)result, "state") : NULL;
	if (!state || !version_in(state, &now))
		return conn_broken(c, ALTERD_E_PROTOCOL, "the daemon sent a subscription without a version");
	for (rc = 1; rc == 1 && now < version;)
		rc = next_version(c, name, deadline, &now);
	if (rc >= 0 && alterd_unsubscribe(c, name) != 0)
		return -1;
	if (rc == 1 && ret_version)
		*ret_version = now;
	return rc;
}
