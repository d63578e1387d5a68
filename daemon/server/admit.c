/* Admission: roles by [access], places by server.sessions and its shares. */
#include "daemon/server/admit.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "proto/response.h"

void admit_limits(const struct config *c, enum role role, struct role_limits *ret)
{
	const struct role_limits own[ROLE_COUNT] = {
		[ROLE_RO] = {c->roles_ro_sessions, c->roles_ro_read_time, 0, c->roles_ro_page_rows},
		[ROLE_RW] = {c->roles_rw_sessions, c->roles_rw_read_time, c->roles_rw_write_time,
			     c->roles_rw_page_rows},
		[ROLE_MIGRATE] = {c->roles_migrate_sessions, c->roles_migrate_read_time, c->roles_migrate_write_time,
				  c->roles_migrate_page_rows},
	};

	*ret = own[role];
	if (ret->sessions == 0)
		ret->sessions = c->server_sessions;
	if (ret->read_ms == 0)
		ret->read_ms = c->limits_read_time;
	if (ret->write_ms == 0)
		ret->write_ms = c->limits_write_time;
	if (ret->page_rows == 0)
		ret->page_rows = c->server_page_rows;
}

/* --- coming --- */

/* Places that only an admin may take. */
static size_t reserved(const struct config *c)
{
	size_t wanted = (size_t)c->server_admin_sessions, most = (size_t)c->server_sessions / 4;

	return wanted < most ? wanted : most;
}

static size_t share_of_one(const struct config *c)
{
	size_t n = (size_t)(c->server_sessions * c->server_user_share / 100);

	return n > 0 ? n : 1;
}

int admit_refuse(struct server *server, const struct peer *peer, struct error *err)
{
	char who[USER_TEXT];

	user_text(&server->users, peer->uid, who, sizeof who);
	return error_set(err, ERRC_DENIED, "%s has no access to this database ([access])", who);
}

int admit_check(struct server *server, const struct peer *peer, enum role role, struct error *err)
{
	const struct config *c = &server->config;
	size_t strangers = server->by_role[ROLE_NONE], all = server->sessions.count - strangers;
	struct role_limits limits;

	if (role == ROLE_NONE)
		return strangers < STRANGERS_MAX ? 0 : admit_refuse(server, peer, err);
	if (all >= (size_t)c->server_sessions)
		return error_set(err, ERRC_TOO_MANY, "too many sessions (server.sessions)");
	if (role == ROLE_ADMIN)
		return 0;
	if (all + reserved(c) >= (size_t)c->server_sessions)
		return error_set(err, ERRC_TOO_MANY, "too many sessions (server.sessions; the last %zu are for admins)",
				 reserved(c));
	if (user_get(&server->users, peer->uid)->sessions >= share_of_one(c))
		return error_set(err, ERRC_TOO_MANY, "too many sessions of one user: %zu (server.user_share)",
				 share_of_one(c));
	admit_limits(c, role, &limits);
	if (server->by_role[role] >= (size_t)limits.sessions)
		return error_set(err, ERRC_TOO_MANY,
				 "too many sessions of the role %s: %" PRId64 " (roles.%s_sessions)", role_name(role),
				 limits.sessions, role_name(role));
	return 0;
}

void admit_turn_away(struct server *server, int fd, const struct error *err)
{
	static const struct reqid no_id = {.kind = REQID_NONE};
	struct buf line = {0};

	response_error(&line, &no_id, err);
	if (!line.failed)
		(void)send(fd, line.data, line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)close(fd);
	stats_error(&server->stats, err->name);
	server->stats.sessions_refused_total++;
	buf_free(&line);
}

/* --- counting --- */

/* A stranger has no session, so it takes none from its user. */
static size_t weight(enum role role) { return role == ROLE_NONE ? 0 : 1; }

void admit_count(struct session *s)
{
	s->counted = s->role;
	s->server->by_role[s->counted]++;
	user_get(&s->server->users, s->peer.uid)->sessions += weight(s->counted);
}

void admit_uncount(struct session *s)
{
	struct user *user = user_get(&s->server->users, s->peer.uid);

	INVARIANT(s->server->by_role[s->counted] > 0 && user->sessions >= weight(s->counted));
	s->server->by_role[s->counted]--;
	user->sessions -= weight(s->counted);
}

/* --- again --- */

static void change_role(struct session *s, enum role role)
{
	/* A stranger is about to go, and may come again. */
	if (role == s->role || s->role == ROLE_NONE || s->state == SESSION_CLOSED)
		return;
	log_info("server", "s%" PRIu64 ": its role is %s now, it was %s%s", s->sql.id, role_name(role),
		 role_name(s->role), role == ROLE_NONE ? "; it is ended" : "");
	if (role == ROLE_NONE) {
		session_kill(s);
		return;
	}
	admit_uncount(s);
	s->role = role;
	admit_count(s);
}

void admit_again(struct server *server)
{
	struct list_node *next;

	users_forget_names(&server->users);
	for (struct list_node *n = list_first(&server->sessions); n; n = next) {
		struct session *s = LIST_ENTRY(n, struct session, node);

		next = list_next(&server->sessions, n);
		if (s->state != SESSION_CLOSED)
			change_role(s, peer_role(&server->config.access, s->connection.fd, &s->peer));
	}
}
