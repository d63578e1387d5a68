/*
 * From a line of text to an answer. Slots are recycled with their reply buffers, so in the steady state a statement
 * allocates its request's arena and nothing else.
 */
#include "daemon/server/line.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/server/admit.h"
#include "daemon/server/denial.h"
#include "daemon/server/handlers.h"
#include "daemon/server/internal.h"
#include "proto/response.h"

/* SQLITE_INTERRUPT: this room does not include sqlite3.h. */
#define CODE_INTERRUPT 9

bool line_full(const struct line_limits *limits, size_t running, size_t waiting, size_t bytes, size_t first_bytes)
{
	if (running + waiting > limits->in_flight)
		return true;
	return waiting > 0 && bytes - first_bytes > limits->queued_bytes;
}

struct slot *slot_get(struct session *s)
{
	struct list_node *n = list_pop(&s->server->spare);
	struct slot *slot = n ? LIST_ENTRY(n, struct slot, node) : xcalloc(1, sizeof *slot);

	slot->session = s;
	return slot;
}

void slot_free(struct slot *slot)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): slot_get() gives every slot its session */
	struct server *server = slot->session->server;
	struct buf reply = slot->reply;

	PRE(!list_linked(&slot->node));
	INVARIANT(server->input_charged >= slot->charged);
	server->input_charged -= slot->charged;
	request_free(slot->request);
	free(slot->id_text);
	error_clear(&slot->sql.err);
	error_clear(&slot->wait.err);
	if (server->spare.count >= SLOTS_KEPT) {
		buf_free(&slot->reply);
		free(slot);
		return;
	}
	buf_reset(&reply, REPLY_KEPT_BYTES);
	*slot = (struct slot){.reply = reply};
	list_push_front(&server->spare, &slot->node);
}

void slots_free_spare(struct server *server)
{
	struct list_node *n;

	while ((n = list_pop(&server->spare)) != NULL) {
		struct slot *slot = LIST_ENTRY(n, struct slot, node);

		buf_free(&slot->reply);
		free(slot);
	}
}

/* The answer as a whole line in slot->reply. */
static void compose(struct slot *slot)
{
	struct error *err = &slot->sql.err;

	if (!error_is_set(err)) {
		response_end(&slot->reply);
		if (!slot->reply.failed)
			return;
		(void)error_set(err, ERRC_INTERNAL, "out of memory for the answer");
	}
	buf_reset(&slot->reply, REPLY_KEPT_BYTES);
	response_error(&slot->reply, &slot->id, err);
}

void slot_finish(struct slot *slot)
{
	struct session *s = slot->session;

	if (s->running == slot)
		s->running = NULL;
	else if (list_linked(&slot->node))
		list_remove(&s->aside, &slot->node);
	if (!slot->notification && s->state != SESSION_CLOSED) {
		compose(slot);
		connection_send(&s->connection, &slot->reply);
	}
	if (error_is_set(&slot->sql.err))
		stats_error(&s->server->stats, slot->sql.err.name);
	if (slot->sql.err.code == errc_code(ERRC_DENIED))
		denial_note(s->server, &s->peer, s, slot->request ? op_info(slot->request->op)->name : "a request",
			    &slot->sql.err);
	slot_free(slot);
}

static void on_statement_done(struct sql_job *job)
{
	struct slot *slot = CONTAINER_OF(job, struct slot, sql);
	struct session *s = slot->session;

	slot_finish(slot);
	session_note(s);
	server_shutdown_check(s->server);
	session_turn(s);
}

void slot_submit(struct slot *slot, enum sql_kind kind)
{
	PRE(slot->session->running == slot && !slot->session->keeping);
	slot->sql = (struct sql_job){
		.job = {.class = JOB_CLIENT, .deadline_ns = CLOCK_NEVER},
		.kind = kind,
		.exec = slot->request->op == OP_EXEC,
		.session = &slot->session->sql,
		.params = &slot->request->params,
		.out = &slot->reply,
		.done = on_statement_done,
	};
	sql_submit(slot->session->server->store, &slot->sql);
}

void slot_begin_wait(struct slot *slot)
{
	const struct params *p = &slot->request->params;

	slot->waits = true;
	slot->wait.done = slot_waited;
	slot->wait.out = &slot->reply;
	if (params_has(p, PARAM_TIMEOUT_MS))
		slot->deadline_ms = uv_now(slot->session->server->loop) + (uint64_t)p->timeout_ms;
}

void slot_waited(struct migrator_wait *wait)
{
	struct slot *slot = CONTAINER_OF(wait, struct slot, wait);
	struct session *s = slot->session;

	if (error_is_set(&wait->err))
		error_move(&slot->sql.err, &wait->err);
	slot_finish(slot);
	session_turn(s);
}

void slot_interrupted(struct slot *slot, const char *reason)
{
	(void)error_set_sqlite(&slot->sql.err, CODE_INTERRUPT, "SQLITE_INTERRUPT", "interrupted");
	error_add_str(&slot->sql.err, "reason", reason);
	slot_finish(slot);
}

void slot_forget(struct slot *slot)
{
	struct server *server = slot->session->server;

	if (!events_forget(server, &slot->wait))
		migrator_forget(server->migrator, &slot->wait);
}

void slot_give_up(struct slot *slot, const char *reason)
{
	PRE(slot->waits);
	slot_forget(slot);
	if (slot->in_force)
		slot_finish(slot);
	else
		slot_interrupted(slot, reason);
}

static void put_in_line(struct slot *slot)
{
	struct session *s = slot->session;

	s->line_bytes += slot->bytes;
	list_push(&s->line, &slot->node);
}

static struct slot *take_first(struct session *s)
{
	struct list_node *first = list_pop(&s->line);

	PRE(first != NULL);
	struct slot *slot = LIST_ENTRY(first, struct slot, node);
	s->line_bytes -= slot->bytes;
	return slot;
}

struct slot *line_find(const struct session *s, const struct reqid *id)
{
	if (id->kind == REQID_NONE)
		return NULL;
	if (s->running && reqid_equal(&s->running->id, id))
		return s->running;
	for (struct list_node *n = list_first(&s->line); n; n = list_next(&s->line, n)) {
		struct slot *slot = LIST_ENTRY(n, struct slot, node);

		if (reqid_equal(&slot->id, id))
			return slot;
	}
	for (struct list_node *n = list_first(&s->aside); n; n = list_next(&s->aside, n)) {
		struct slot *slot = LIST_ENTRY(n, struct slot, node);

		if (reqid_equal(&slot->id, id))
			return slot;
	}
	return NULL;
}

/* What a request holds in memory, roughly: decoded values are larger than their text. */
static size_t cost_of(const struct request *r)
{
	size_t values = r->params.bind.n, cost = r->bytes;

	for (size_t i = 0; i < r->params.nsteps; i++)
		values += r->params.steps[i].bind.n;
	cost += values * sizeof(struct value) + r->params.nsteps * sizeof(struct step);
	return cost;
}

static void charge(struct slot *slot, size_t bytes)
{
	struct server *server = slot->session->server;

	INVARIANT(server->input_charged >= slot->charged);
	server->input_charged += bytes - slot->charged;
	slot->charged = bytes;
}

/* Counts a long request in the input budget. Returns -1 if there is no room for it. */
static int charge_request(struct slot *slot)
{
	struct server *server = slot->session->server;
	size_t cost = cost_of(slot->request);

	if (cost <= LONG_LINE_BYTES)
		return 0;
	if (server->input_charged + cost > (size_t)server->config.server_input_budget)
		return error_set(&slot->sql.err, ERRC_BUSY, "too many long requests at once");
	charge(slot, cost);
	return 0;
}

void slot_decode(struct slot *slot)
{
	slot->undecodable = request_decode(slot->text, slot->bytes, &slot->request, &slot->id, &slot->id_text,
					   &slot->notification, &slot->sql.err) != 0;
}

/* Whatever a client of the role none asks first is its last. */
static void refuse_stranger(struct slot *slot)
{
	struct session *s = slot->session;

	if (!slot->undecodable) {
		slot->id = slot->request->id;
		slot->notification = slot->id.kind == REQID_NONE;
	}
	error_clear(&slot->sql.err);
	(void)admit_refuse(s->server, &s->peer, &slot->sql.err);
	s->server->stats.sessions_refused_total++;
	slot_finish(slot);
	session_end(s, LAST_ANSWER_MS);
}

/* Answers what was decoded, or puts it in line. */
static void place(struct slot *slot)
{
	struct session *s = slot->session;

	slot->text = NULL;
	charge(slot, 0);
	if (s->role == ROLE_NONE) {
		refuse_stranger(slot);
		return;
	}
	if (slot->undecodable) {
		put_in_line(slot);
		return;
	}
	slot->id = slot->request->id;
	slot->notification = slot->id.kind == REQID_NONE;
	if (line_find(s, &slot->id)) {
		(void)error_set(&slot->sql.err, ERRC_INVALID_REQUEST,
				"a request with this id is in flight on this connection");
		slot_finish(slot);
	} else if (charge_request(slot) != 0) {
		slot_finish(slot);
	} else if (op_info(slot->request->op)->flags & OP_CONTROL) {
		dispatch(slot);
	} else {
		slot->session->server->stats.statements_total++;
		put_in_line(slot);
	}
}

void line_take(struct session *s, const char *text, size_t len)
{
	struct slot *slot = slot_get(s);

	slot->first = s->requests++ == 0;
	slot->late = s->server->state != SERVER_RUNNING;
	slot->text = text;
	slot->bytes = len;
	s->server->stats.requests_total++;
	if (len > LONG_LINE_BYTES) {
		charge(slot, len);
		s->decoding = slot;
		beside_decode(&s->server->beside, slot);
		return;
	}
	slot_decode(slot);
	place(slot);
}

void line_decoded(struct slot *slot)
{
	struct session *s = slot->session;

	PRE(s->decoding == slot);
	s->decoding = NULL;
	if (s->state == SESSION_OPEN)
		place(slot);
	else
		slot_free(slot);
	server_shutdown_check(s->server);
	session_turn(s);
}

void line_refuse(struct session *s, enum errc which, const char *text)
{
	struct slot *slot = slot_get(s);

	s->requests++;
	s->server->stats.skipped_lines_total++;
	if (s->role == ROLE_NONE) {
		slot->undecodable = true;
		refuse_stranger(slot);
		return;
	}
	(void)error_set(&slot->sql.err, which, "%s", text);
	put_in_line(slot);
}

/* What the daemon's end refuses: anything that does not finish a transaction which is open. */
static bool refused_by_shutdown(const struct slot *slot)
{
	const struct session *s = slot->session;

	if (s->server->state == SERVER_RUNNING)
		return false;
	if (s->server->state != SERVER_DRAINING)
		return true;
	return slot->late && slot->request->op != OP_HELLO && s->sql.tx != TX_READ && s->sql.tx != TX_WRITE;
}

void line_start(struct session *s)
{
	struct slot *slot = take_first(s);

	PRE(!s->running && !s->keeping);
	/* Here, because no lane has the session now. */
	s->sql.role = s->role;
	s->running = slot;
	if (error_is_set(&slot->sql.err)) {
		slot_finish(slot);
	} else if (refused_by_shutdown(slot)) {
		(void)error_set(&slot->sql.err, ERRC_SHUTTING_DOWN, "the daemon is shutting down");
		slot_finish(slot);
	} else {
		dispatch(slot);
	}
}

void line_drop(struct session *s)
{
	while (!list_empty(&s->line))
		slot_free(take_first(s));
}
