/*
 * Denials in the log: who was refused what. A loop of them must not fill the log, so each user has a few lines in a
 * while, all users together some more; what is not told is counted, and the count is told when the while is over.
 */
#ifndef ALTERD_SERVER_DENIAL_H
#define ALTERD_SERVER_DENIAL_H

#include "daemon/server/internal.h"
#include "daemon/server/session.h"

#define DENIAL_WINDOW_MS 10000
#define DENIALS_OF_USER 5
#define DENIALS_OF_ALL 50

/* `what`: the method, or what else was tried. `s`: NULL for a connection that became no session. */
void denial_note(struct server *server, const struct peer *peer, const struct session *s, const char *what,
		 const struct error *err);
/* Now and then: tells what was passed over in a window that has ended. */
void denial_sweep(struct server *server);

#endif
