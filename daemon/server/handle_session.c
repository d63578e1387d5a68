/* Methods about sessions themselves: hello, ping, cancel, kill, sessions. */
#include <inttypes.h>
#include <string.h>

#include "daemon/lib/log.h"
#include "daemon/server/admit.h"
#include "daemon/server/handlers.h"
#include "daemon/server/line.h"
#include "proto/response.h"

#define PROTOCOL_MIN 1
#define PROTOCOL_MAX 1
/* Bytes of a running statement's text that `sessions` shows. */
#define STATEMENT_SHOWN 200

/* Copies what fits, whole characters only. */
static void cut_text(char *out, size_t size, const char *text)
{
	size_t n = strlen(text);

	if (n >= size) {
		n = size - 1;
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(out, text, n);
	out[n] = '\0';
}

static int check_protocol(const struct params *p, struct error *err)
{
	if (!params_has(p, PARAM_PROTOCOL))
		return 0;
	if (p->protocol_min <= PROTOCOL_MAX && p->protocol_max >= PROTOCOL_MIN)
		return 0;
	(void)error_set(err, ERRC_PROTOCOL_VERSION, "this daemon speaks protocol %d to %d", PROTOCOL_MIN, PROTOCOL_MAX);
	error_add_json(err, "protocol", "[1,1]");
	return -1;
}

static int check_version(const struct session *s, const struct params *p, struct error *err)
{
	int64_t version = migrator_version(s->server->migrator);

	if (!params_has(p, PARAM_EXPECT_VERSION) || p->expect_version == version)
		return 0;
	(void)error_set(err, ERRC_VERSION_MISMATCH, "the schema has version %" PRId64 ", not %" PRId64, version,
			p->expect_version);
	error_add_int(err, "version", version);
	return -1;
}

static void write_hello(const struct session *s, struct buf *out)
{
	const struct config *c = &s->server->config;
	struct role_limits limits;
	char name[32];

	admit_limits(c, s->role, &limits);
	(void)snprintf(name, sizeof name, "s%" PRIu64, s->sql.id);
	jw_open(out, '{');
	jw_str(out, "server", "alterd/" ALTERD_VERSION);
	jw_int(out, "protocol", PROTOCOL_MAX);
	jw_str(out, "session", name);
	jw_str(out, "role", peer_role_name(s->role));
	jw_str(out, "sqlite", store_sqlite_version());
	jw_int(out, "version", migrator_version(s->server->migrator));
	jw_json(out, "capabilities", "[\"cursor\",\"tx\",\"events\",\"migrate\",\"backup\"]");
	jw_key(out, "limits");
	jw_open(out, '{');
	jw_int(out, "line_bytes", c->server_line_limit);
	jw_int(out, "page_rows", limits.page_rows);
	jw_int(out, "page_bytes", c->server_page_bytes);
	jw_int(out, "in_flight", c->server_in_flight);
	jw_int(out, "tx_ms", c->limits_tx_time);
	jw_int(out, "tx_idle_ms", c->limits_tx_idle);
	jw_int(out, "cursor_idle_ms", c->limits_cursor_idle);
	jw_close(out, '}');
	jw_close(out, '}');
}

void handle_hello(struct slot *slot)
{
	struct session *s = slot->session;
	const struct params *p = &slot->request->params;
	struct error *err = &slot->sql.err;

	if (!slot->first) {
		(void)error_set(err, ERRC_INVALID_REQUEST, "hello must be the first request of a connection");
	} else if (check_protocol(p, err) != 0 || check_version(s, p, err) != 0) {
		bool farewell = err->code == errc_code(ERRC_PROTOCOL_VERSION);

		slot_finish(slot);
		if (farewell)
			session_end(s, LAST_ANSWER_MS);
		return;
	} else {
		if (params_has(p, PARAM_CLIENT))
			cut_text(s->client, sizeof s->client, p->client);
		s->sql.int64 = p->int64;
		s->sql.readonly = params_has(p, PARAM_READONLY) && p->readonly;
		write_hello(s, &slot->reply);
	}
	slot_finish(slot);
}

int handle_ping(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	(void)s;
	(void)r;
	(void)err;
	buf_puts(out, "{}");
	return 0;
}

int handle_cancel(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	struct slot *slot = line_find(s, &r->params.id);

	(void)err;
	if (slot && slot->in_force)
		slot = NULL;
	jw_open(out, '{');
	jw_bool(out, "cancelled", slot != NULL);
	jw_close(out, '}');
	if (!slot)
		return 0;
	if (slot->waits) {
		slot_give_up(slot, "cancel");
	} else if (slot == s->running) {
		store_stop(s->server->store, &slot->sql.job, STOP_CANCEL);
	} else {
		list_remove(&s->line, &slot->node);
		s->line_bytes -= slot->bytes;
		/* One that could not be decoded has its own error to tell. */
		if (error_is_set(&slot->sql.err))
			slot_finish(slot);
		else
			slot_interrupted(slot, "cancel");
	}
	return 0;
}

int handle_kill(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	struct session *victim = session_by_name(s->server, r->params.session);

	if (!victim)
		return error_set(err, ERRC_NOT_FOUND, "no session %.40s", r->params.session);
	log_event(LOG_LEVEL_INFO, "server", LOG_FIELDS(.event = LOG_EVENT_SESSION_KILLED, .session = victim->sql.id),
		  "s%" PRIu64 ": killed by s%" PRIu64 " (uid %lu, pid %ld)", victim->sql.id, s->sql.id,
		  (unsigned long)s->peer.uid, (long)s->peer.pid);
	session_kill(victim);
	buf_puts(out, "{}");
	return 0;
}

static const char *state_of(const struct session *s)
{
	if (s->running)
		return s->running->waits ? "waiting" : "active";
	return s->tx == TX_READ || s->tx == TX_WRITE ? "in transaction" : "idle";
}

static void write_statement(const struct slot *slot, struct buf *out)
{
	char text[STATEMENT_SHOWN + 1];

	if (!slot || !slot->request) {
		jw_null(out, "statement");
		return;
	}
	if (params_has(&slot->request->params, PARAM_SQL))
		cut_text(text, sizeof text, slot->request->params.sql);
	else
		cut_text(text, sizeof text, op_info(slot->request->op)->name);
	jw_str(out, "statement", text);
}

/* `whole`: also what only an admin sees of other users' sessions: the program, and its SQL. */
static void write_session(const struct session *s, bool whole, struct buf *out, uint64_t now_ms)
{
	char name[32];

	(void)snprintf(name, sizeof name, "s%" PRIu64, s->sql.id);
	jw_open(out, '{');
	jw_str(out, "session", name);
	jw_str(out, "client", whole && s->client[0] ? s->client : NULL);
	jw_int(out, "uid", (int64_t)s->peer.uid);
	jw_str(out, "user", user_name(&s->server->users, s->peer.uid));
	if (whole)
		jw_int(out, "pid", (int64_t)s->peer.pid);
	else
		jw_null(out, "pid");
	jw_str(out, "role", peer_role_name(s->role));
	jw_str(out, "state", state_of(s));
	jw_real(out, "since_s", (double)(now_ms - s->since_ms) / 1000, 1);
	write_statement(whole ? s->running : NULL, out);
	if (s->tx == TX_READ || s->tx == TX_WRITE)
		jw_real(out, "tx_s", (double)(now_ms - s->tx_since_ms) / 1000, 3);
	jw_int(out, "cursors", (int64_t)s->cursors);
	jw_int(out, "in_flight", (int64_t)session_in_flight(s));
	jw_int(out, "subscriptions", (int64_t)s->events.subscriptions.count);
	jw_close(out, '}');
}

int handle_sessions(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	struct server *server = s->server;

	(void)r;
	(void)err;
	jw_open(out, '{');
	jw_key(out, "sessions");
	jw_open(out, '[');
	for (struct list_node *n = list_first(&server->sessions); n; n = list_next(&server->sessions, n)) {
		const struct session *each = LIST_ENTRY(n, const struct session, node);

		bool whole = s->role == ROLE_ADMIN || each->peer.uid == s->peer.uid;

		if (each->state != SESSION_CLOSED && each->role != ROLE_NONE)
			write_session(each, whole, out, uv_now(server->loop));
	}
	jw_close(out, ']');
	jw_close(out, '}');
	return 0;
}
