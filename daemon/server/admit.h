/*
 * Who comes in, and under which role: the rules of [access], and how many sessions all, one user and one role may have.
 */
#ifndef ALTERD_SERVER_ADMIT_H
#define ALTERD_SERVER_ADMIT_H

#include "daemon/server/internal.h"
#include "daemon/server/session.h"

/*
 * Connections of the role none that wait to be told so, at most, and for how long. They are in nobody's way: they count
 * in no limit, and their lines are short.
 */
#define STRANGERS_MAX 16
#define STRANGER_MS 1000
#define STRANGER_LINE_BYTES ((size_t)64 * 1024)

/* 0 if a new session of this client fits; else -1 and the error it is turned away with. */
int admit_check(struct server *server, const struct peer *peer, enum role role, struct error *err);
/* One line of error to a connection that becomes no session, then its end: the client learns why. Takes `fd`. */
void admit_turn_away(struct server *server, int fd, const struct error *err);
/* The error for a client of the role none. */
int admit_refuse(struct server *server, const struct peer *peer, struct error *err);

/* A session has come, or is being freed. */
void admit_count(struct session *s);
void admit_uncount(struct session *s);

/*
 * The rules have changed: each session gets the role it has now, from its next request on; one that has none any more
 * is ended.
 */
void admit_again(struct server *server);

/* What holds for a role: the settings of [roles], or the general ones where those are 0. */
struct role_limits {
	int64_t sessions, read_ms, write_ms, page_rows;
};
void admit_limits(const struct config *config, enum role role, struct role_limits *ret);

#endif
