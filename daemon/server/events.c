/* Who has subscribed to what, and what waits for whom. */
#include "daemon/server/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/lib/check.h"
#include "daemon/server/internal.h"
#include "daemon/server/line.h"
#include "proto/response.h"

void events_init(struct server *server)
{
	server->events = (struct events){0};
	list_init(&server->events.subscriptions);
	list_init(&server->events.waiting);
}

void event_box_init(struct event_box *box)
{
	*box = (struct event_box){0};
	list_init(&box->subscriptions);
	list_init(&box->queue);
}

static struct slot *slot_of(struct list_node *n)
{
	return CONTAINER_OF(LIST_ENTRY(n, struct migrator_wait, node), struct slot, wait);
}

static struct subscription *each_of(struct list_node *n) { return LIST_ENTRY(n, struct subscription, all); }

/* --- the queue of a session --- */

static void name_of(const struct subscription *sub, char *out, size_t size)
{
	(void)snprintf(out, size, "e%" PRIu64, sub->number);
}

static void take_out(struct event_box *box, struct event *e)
{
	list_remove(&box->queue, &e->node);
	box->bytes -= e->bytes;
}

void events_pump(struct session *s)
{
	struct event_box *box = &s->events;
	struct list_node *n;

	while (s->state == SESSION_OPEN && connection_output(&s->connection) < EVENT_OUTPUT_BYTES &&
	       (n = list_first(&box->queue)) != NULL) {
		struct event *e = LIST_ENTRY(n, struct event, node);
		struct buf line = {0};
		char name[32];

		take_out(box, e);
		name_of(e->sub, name, sizeof name);
		event_write(e, name, &line);
		event_free(e);
		connection_tell(&s->connection, &line);
		buf_free(&line);
	}
}

/* The last event in the queue of the same subscription and topic; NULL: there is none. */
static struct event *last_like(const struct event_box *box, const struct event *e)
{
	for (struct list_node *n = box->queue.head.prev; n != &box->queue.head; n = n->prev) {
		struct event *each = LIST_ENTRY(n, struct event, node);

		if (each->sub == e->sub && each->topic == e->topic)
			return each;
	}
	return NULL;
}

static bool is_progress(const struct event *e)
{
	return e->topic == TOPIC_MIGRATION && strcmp(e->type, "progress") == 0;
}

/*
 * Takes the event. Where there is no room and nothing alike waits it is kept all the same: one of each topic and
 * subscription at most, so that also a client that reads late hears the last of each.
 */
static void put(struct subscription *sub, struct event *e, uint64_t seq)
{
	struct server *server = sub->session->server;
	struct event_box *box = &sub->session->events;
	bool full = box->queue.count >= (size_t)server->config.server_event_queue || box->bytes >= EVENT_QUEUE_BYTES;
	struct event *like;

	e->sub = sub;
	e->seq = seq;
	server->events.total += 1 + e->lost;
	server->events.lost_total += e->lost;
	like = full || is_progress(e) ? last_like(box, e) : NULL;
	if (like && (full || is_progress(like))) {
		box->bytes -= like->bytes;
		event_merge(like, e);
		box->bytes += like->bytes;
		server->events.lost_total++;
		return;
	}
	box->bytes += e->bytes;
	list_push(&box->queue, &e->node);
	events_pump(sub->session);
}

/* --- publishing --- */

void events_publish(struct server *server, enum topic topic, const char *type, const char *data, uint64_t lost)
{
	struct events *ev = &server->events;
	uint64_t seq = ev->seq + 1;

	for (struct list_node *n = list_first(&ev->subscriptions); n; n = list_next(&ev->subscriptions, n)) {
		if (!(each_of(n)->topics & TOPIC_BIT(topic)))
			continue;
		struct event *e = event_new(topic, type);
		buf_puts(&e->data, data);
		CHECK(!e->data.failed);
		e->bytes += e->data.len;
		e->lost = lost;
		ev->seq = seq;
		put(each_of(n), e, seq);
	}
}

static bool names(const struct subscription *sub, const char *table)
{
	for (size_t i = 0; i < sub->ntables; i++)
		if (strcasecmp(sub->tables[i], table) == 0)
			return true;
	return sub->ntables == 0;
}

void events_publish_changes(struct server *server, const struct changes *changes)
{
	struct events *ev = &server->events;
	uint64_t seq = ev->seq + 1;

	for (struct list_node *n = list_first(&ev->subscriptions); n; n = list_next(&ev->subscriptions, n)) {
		struct subscription *sub = each_of(n);

		if (!(sub->topics & TOPIC_BIT(TOPIC_CHANGES)))
			continue;
		struct event *e = event_new(TOPIC_CHANGES, "commit");
		for (size_t i = 0; i < changes->n; i++)
			if (names(sub, changes->at[i].table))
				event_add(e, &changes->at[i]);
		e->more = e->more || changes->more;
		if (e->ntables == 0 && !e->more) {
			event_free(e);
			continue;
		}
		ev->seq = seq;
		put(sub, e, seq);
	}
}

void events_publish_schema(struct server *server, const struct schema_change *change)
{
	struct events *ev = &server->events;
	uint64_t seq = ev->seq + 1;

	for (struct list_node *n = list_first(&ev->subscriptions); n; n = list_next(&ev->subscriptions, n)) {
		if (!(each_of(n)->topics & TOPIC_BIT(TOPIC_SCHEMA)))
			continue;
		struct event *e = event_new(TOPIC_SCHEMA, "changed");
		for (size_t i = 0; i < change->n; i++)
			event_add(e, &(struct change){.table = change->tables[i]});
		e->more = e->more || change->more;
		e->version = change->version;
		e->before = change->before;
		e->cookie = change->cookie;
		ev->seq = seq;
		put(each_of(n), e, seq);
	}
}

/* --- subscriptions --- */

/* Listens to what is wanted, by those who wait for it too. */
static void settle(struct server *server)
{
	struct events *ev = &server->events;
	unsigned topics = 0;

	for (struct list_node *n = list_first(&ev->subscriptions); n; n = list_next(&ev->subscriptions, n))
		topics |= each_of(n)->topics;
	for (struct list_node *n = list_first(&ev->waiting); n; n = list_next(&ev->waiting, n))
		topics |= slot_of(n)->request->params.topics;
	if (topics == ev->listening)
		return;
	event_sources_listen(server, topics);
	ev->listening = topics;
}

static void free_subscription(struct subscription *sub)
{
	struct event_box *box = &sub->session->events;

	for (struct list_node *n = list_first(&box->queue), *next; n; n = next) {
		struct event *e = LIST_ENTRY(n, struct event, node);

		next = list_next(&box->queue, n);
		if (e->sub != sub)
			continue;
		take_out(box, e);
		event_free(e);
	}
	list_remove(&box->subscriptions, &sub->node);
	list_remove(&sub->session->server->events.subscriptions, &sub->all);
	for (size_t i = 0; i < sub->ntables; i++)
		free(sub->tables[i]);
	free(sub->tables);
	free(sub);
}

static struct subscription *new_subscription(struct session *s, const struct params *p)
{
	struct subscription *sub = xcalloc(1, sizeof *sub);

	*sub = (struct subscription){
		.session = s, .number = ++s->events.made, .topics = p->topics, .ntables = p->ntables};
	sub->tables = p->ntables ? xcalloc(p->ntables, sizeof *sub->tables) : NULL;
	for (size_t i = 0; i < p->ntables; i++)
		sub->tables[i] = xstrdup(p->tables[i]);
	list_push(&s->events.subscriptions, &sub->node);
	list_push(&s->server->events.subscriptions, &sub->all);
	return sub;
}

/* Subscribed and answered in one go: what is published from here on is behind the answer. */
static void begin(struct slot *slot)
{
	struct server *server = slot->session->server;
	struct subscription *sub = new_subscription(slot->session, &slot->request->params);
	struct buf *out = &slot->reply;
	char name[32];

	name_of(sub, name, sizeof name);
	jw_open(out, '{');
	jw_str(out, "subscription", name);
	jw_int(out, "seq", (int64_t)server->events.seq);
	jw_key(out, "state");
	jw_open(out, '{');
	jw_int(out, "version", migrator_version(server->migrator));
	jw_key(out, "job");
	migrator_job(server->migrator, out);
	jw_close(out, '}');
	jw_close(out, '}');
	slot_waited(&slot->wait);
}

void events_ready(struct server *server)
{
	struct events *ev = &server->events;

	/* An answer may have another subscribe begin: the list is looked at anew each time. */
	for (struct list_node *n = list_first(&ev->waiting); n;) {
		struct slot *slot = slot_of(n);

		if (!event_sources_ready(server, slot->request->params.topics)) {
			n = list_next(&ev->waiting, n);
			continue;
		}
		list_remove(&ev->waiting, n);
		begin(slot);
		n = list_first(&ev->waiting);
	}
}

void events_subscribe(struct slot *slot)
{
	struct server *server = slot->session->server;

	list_push(&server->events.waiting, &slot->wait.node);
	settle(server);
	events_ready(server);
}

bool events_unsubscribe(struct session *s, const char *name)
{
	char each[32];

	for (struct list_node *n = list_first(&s->events.subscriptions); n;
	     n = list_next(&s->events.subscriptions, n)) {
		struct subscription *sub = LIST_ENTRY(n, struct subscription, node);

		name_of(sub, each, sizeof each);
		if (strcmp(each, name) != 0)
			continue;
		free_subscription(sub);
		settle(s->server);
		return true;
	}
	return false;
}

bool events_forget(struct server *server, const struct migrator_wait *wait)
{
	struct list *waiting = &server->events.waiting;

	for (struct list_node *n = list_first(waiting); n; n = list_next(waiting, n)) {
		if (LIST_ENTRY(n, struct migrator_wait, node) != wait)
			continue;
		list_remove(waiting, n);
		settle(server);
		return true;
	}
	return false;
}

void events_drop(struct session *s)
{
	struct list_node *n;

	if (list_empty(&s->events.subscriptions))
		return;
	while ((n = list_first(&s->events.subscriptions)) != NULL)
		free_subscription(LIST_ENTRY(n, struct subscription, node));
	settle(s->server);
}

void events_sweep(struct server *server)
{
	if (list_empty(&server->events.waiting))
		return;
	event_sources_listen(server, server->events.listening);
	events_ready(server);
}
