/* The table of methods, and the way to them. */
#include "daemon/server/handlers.h"

#include "daemon/lib/check.h"
#include "daemon/server/line.h"
#include "proto/response.h"

/* Control requests of one session whose answer takes its time (migrate.abort waits for its shadow to be gone). */
#define ASIDE_MAX 16

static const struct handler table[OP_COUNT] = {
	[OP_HELLO] = {.start = handle_hello},
	[OP_PING] = {.answer = handle_ping},
	[OP_QUERY] = {.start = handle_statement},
	[OP_EXEC] = {.start = handle_statement},
	[OP_BATCH] = {.start = handle_batch},
	[OP_BEGIN] = {.start = handle_begin},
	[OP_COMMIT] = {.start = handle_commit},
	[OP_ROLLBACK] = {.start = handle_rollback},
	[OP_FETCH] = {.start = handle_fetch},
	[OP_CLOSE] = {.start = handle_close},
	[OP_CANCEL] = {.answer = handle_cancel},
	[OP_KILL] = {.answer = handle_kill},
	[OP_SESSIONS] = {.answer = handle_sessions},
	[OP_DESCRIBE] = {.start = handle_describe},
	[OP_SCHEMA] = {.start = handle_schema},
	[OP_STATUS] = {.answer = handle_status},
	[OP_STATS] = {.answer = handle_stats},
	[OP_STATS_STATEMENTS] = {.answer = handle_stats_statements},
	[OP_STATS_RESET] = {.answer = handle_stats_reset},
	[OP_METRICS] = {.answer = handle_metrics},
	[OP_ADVISE] = {.start = handle_advise},
	[OP_DISCOVER] = {.answer = handle_discover},
	[OP_STATS_RECENT] = {.answer = handle_stats_recent},
	[OP_CONFIG_SHOW] = {.answer = handle_config_show},
	[OP_CONFIG_RELOAD] = {.answer = handle_config_reload},
	[OP_MIGRATE_ALTER] = {.start = handle_migrate_alter},
	[OP_MIGRATE_PLAN] = {.start = handle_migrate_files},
	[OP_MIGRATE_UP] = {.start = handle_migrate_files},
	[OP_MIGRATE_DOWN] = {.start = handle_migrate_files},
	[OP_MIGRATE_TO] = {.start = handle_migrate_files},
	[OP_MIGRATE_LIST] = {.start = handle_migrate_files},
	[OP_MIGRATE_VALIDATE] = {.start = handle_migrate_files},
	[OP_MIGRATE_BASELINE] = {.start = handle_migrate_files},
	[OP_MIGRATE_REPAIR] = {.start = handle_migrate_files},
	[OP_MIGRATE_RESOLVE] = {.start = handle_migrate_files},
	[OP_MIGRATE_STATUS] = {.answer = handle_migrate_status},
	[OP_MIGRATE_HISTORY] = {.answer = handle_migrate_history},
	[OP_MIGRATE_PAUSE] = {.start = handle_migrate_control},
	[OP_MIGRATE_RESUME] = {.start = handle_migrate_control},
	[OP_MIGRATE_ABORT] = {.start = handle_migrate_abort},
	[OP_MIGRATE_THROTTLE] = {.start = handle_migrate_control},
	[OP_MIGRATE_CUTOVER] = {.start = handle_migrate_control},
	[OP_BACKUP] = {.start = handle_backup},
	[OP_BACKUP_LIST] = {.start = handle_backup},
	[OP_BACKUP_READ] = {.start = handle_backup},
	[OP_BACKUP_DELETE] = {.start = handle_backup},
	[OP_CHECK] = {.start = handle_upkeep},
	[OP_ANALYZE] = {.start = handle_upkeep},
	[OP_SHRINK] = {.start = handle_upkeep},
	[OP_SUBSCRIBE] = {.start = handle_subscribe},
	[OP_UNSUBSCRIBE] = {.start = handle_unsubscribe},
};

const struct handler *handler_of(enum op op)
{
	PRE(op < OP_COUNT);
	return &table[op];
}

void dispatch(struct slot *slot)
{
	struct session *s = slot->session;
	const struct request *r = slot->request;
	const struct op_info *info = op_info(r->op);
	const struct handler *h = handler_of(r->op);

	CHECK(h->start || h->answer);
	if (s->role < info->role) {
		(void)error_set(&slot->sql.err, ERRC_DENIED, "%s needs the role %s; this session has %s", info->name,
				peer_role_name(info->role), peer_role_name(s->role));
		slot_finish(slot);
		return;
	}
	response_begin(&slot->reply, &slot->id);
	if (h->answer) {
		(void)h->answer(s, r, &slot->reply, &slot->sql.err);
		slot_finish(slot);
		return;
	}
	if (info->flags & OP_CONTROL) {
		if (s->aside.count >= ASIDE_MAX) {
			(void)error_set(&slot->sql.err, ERRC_BUSY, "%d requests of this kind wait already", ASIDE_MAX);
			slot_finish(slot);
			return;
		}
		list_push(&s->aside, &slot->node);
	}
	h->start(slot);
}
