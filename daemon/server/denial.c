/* Denials in the log, at most so many in a window of time; see denial.h. */
#include "daemon/server/denial.h"

#include <inttypes.h>
#include <stdio.h>

#include "daemon/lib/log.h"

static void end_window(struct server *server, struct user *u)
{
	uint64_t passed_over = u->passed_over;
	char who[USER_TEXT];

	u->window_ms = 0;
	u->told = 0;
	u->passed_over = 0;
	if (passed_over == 0)
		return;
	user_text(&server->users, u->uid, who, sizeof who);
	log_warning("server", "%s: %" PRIu64 " more denials in %d s", who, passed_over, DENIAL_WINDOW_MS / 1000);
}

/* True if there is still room for a line. */
static bool may_tell(struct server *server, uid_t uid)
{
	uint64_t now = uv_now(server->loop);
	struct user *u = user_get(&server->users, uid);

	if (u->window_ms != 0 && now - u->window_ms >= DENIAL_WINDOW_MS)
		end_window(server, u);
	if (now - server->denials_since_ms >= DENIAL_WINDOW_MS) {
		server->denials_since_ms = now;
		server->denials_told = 0;
	}
	if (u->window_ms == 0)
		u->window_ms = now > 0 ? now : 1;
	if (u->told >= DENIALS_OF_USER || server->denials_told >= DENIALS_OF_ALL) {
		u->passed_over++;
		return false;
	}
	u->told++;
	server->denials_told++;
	return true;
}

void denial_note(struct server *server, const struct peer *peer, const struct session *s, const char *what,
		 const struct error *err)
{
	char who[USER_TEXT], session[32] = "a new connection";

	server->stats.denied_total++;
	if (!may_tell(server, peer->uid))
		return;
	user_text(&server->users, peer->uid, who, sizeof who);
	if (s)
		(void)snprintf(session, sizeof session, "s%" PRIu64, s->sql.id);
	log_warning("server", "%s: %s is denied to %s, pid %ld%s%s, role %s: %s", session, what, who, (long)peer->pid,
		    s && s->client[0] ? ", client " : "", s ? s->client : "", role_name(s ? s->role : ROLE_NONE),
		    err->message);
}

void denial_sweep(struct server *server)
{
	uint64_t now = uv_now(server->loop);

	for (size_t i = 0; i < server->users.count; i++) {
		struct user *u = &server->users.at[i];

		if (u->window_ms != 0 && now - u->window_ms >= DENIAL_WINDOW_MS)
			end_window(server, u);
	}
}
