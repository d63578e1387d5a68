/*
 * The last minute, second by second: requests, errors, waits. For people who look on (`alterctl status --watch`), and
 * for figures that are not of weeks ago (`wait_ms_10s`).
 */
#ifndef ALTERD_SERVER_RECENT_H
#define ALTERD_SERVER_RECENT_H

#include <stdint.h>

#include "daemon/lib/window.h"
#include "daemon/store/store.h"
#include "proto/buf.h"

struct recent {
	uint64_t due_ms, last_ms;    /* uv_now: the end of this second, and of the one before */
	uint64_t statements, errors; /* counters as they were then */
	double statements_per_s[WINDOW_SECONDS], errors_per_s[WINDOW_SECONDS]; /* rings, as the windows' */
	struct window wait, query;
};

/* Several times a second: takes down the second that is over, if one is. The counters are those since the start. */
void recent_look(struct recent *r, const struct store *store, uint64_t now_ms, uint64_t statements, uint64_t errors);
/* The result of stats.recent. `waiting_ns`: how long the first of those who want to write has been waiting by now. */
void recent_write(const struct recent *r, uint64_t waiting_ns, struct buf *out);

#endif
