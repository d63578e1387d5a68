/*
 * The one place where a state changes: the table is asked, the move is told to the log, the owner's invariant is
 * checked.
 */
#include "daemon/lib/sm.h"

#include <inttypes.h>
#include <stddef.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"

void sm_init(struct sm *m, const struct sm_state *states, int count, int state, const char *room, const char *what,
	     int64_t id)
{
	PRE(count > 0 && count <= SM_STATES_MAX && state >= 0 && state < count);
	*m = (struct sm){
		.states = states,
		.count = count,
		.now = state,
		.room = room,
		.what = what,
		.id = id,
	};
}

void sm_move(struct sm *m, int state)
{
	PRE(state >= 0 && state < m->count);
	if (!sm_may(m, state)) {
		/* The assertion below names only the line; this names the machine and the move. */
		log_error(m->room, "%s %" PRId64 ": move %s -> %s is not allowed, stopping", m->what, m->id,
			  m->states[m->now].name, m->states[state].name);
	}
	INVARIANT(sm_may(m, state));
	log_debug(m->room, "%s %" PRId64 ": %s -> %s", m->what, m->id, m->states[m->now].name, m->states[state].name);
	m->now = state;
	if (m->check)
		m->check(m);
}

const char *sm_name(const struct sm *m) { return m->states[m->now].name; }
