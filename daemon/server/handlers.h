/*
 * One function per method, and the table that finds it.
 *
 * A handler with `start` owns the slot's course: it ends with slot_finish(), slot_submit() or a migrator_wait. One with
 * `answer` is answered at once: it appends one JSON value, or sets err and returns -1.
 */
#ifndef ALTERD_SERVER_HANDLERS_H
#define ALTERD_SERVER_HANDLERS_H

#include "daemon/server/internal.h"
#include "daemon/server/session.h"

typedef void handler_start(struct slot *slot);
typedef int handler_answer(struct session *s, const struct request *r, struct buf *out, struct error *err);

struct handler {
	handler_start *start;
	handler_answer *answer;
};

/* NULL members both: a method the table does not know, which is a bug a test finds. */
const struct handler *handler_of(enum op op);

/* Checks the role and calls the handler; answers at once or leaves the slot in flight. */
void dispatch(struct slot *slot);

/* handle_session.c */
handler_start handle_hello;
handler_answer handle_ping, handle_cancel, handle_kill, handle_sessions;
/* handle_sql.c */
handler_start handle_statement, handle_batch, handle_begin, handle_commit, handle_rollback, handle_fetch, handle_close,
	handle_describe, handle_schema;
/* handle_status.c */
handler_answer handle_status, handle_stats, handle_stats_recent, handle_discover, handle_config_show,
	handle_config_reload;
/* handle_stats.c */
handler_start handle_advise;
handler_answer handle_stats_statements, handle_stats_reset, handle_metrics;
/* handle_migrate.c */
handler_start handle_migrate_abort, handle_migrate_alter, handle_migrate_control, handle_migrate_files;
handler_answer handle_migrate_status, handle_migrate_history;
/* handle_backup.c */
handler_start handle_backup;
/* handle_upkeep.c */
handler_start handle_upkeep;
/* handle_events.c */
handler_start handle_subscribe, handle_unsubscribe;

#endif
