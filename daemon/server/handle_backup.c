/* Backups: the migrator's side does the work. They take their turn in the session's line. */
#include "daemon/server/handlers.h"
#include "daemon/server/line.h"

static int may(const struct session *s, enum op op, struct error *err)
{
	bool writes = op == OP_BACKUP || op == OP_BACKUP_DELETE;

	if (writes && s->sql.readonly)
		return error_set(err, ERRC_READ_ONLY, "this session is read-only");
	if (s->sql.tx == TX_FAILED)
		return error_set(err, ERRC_TX_EXPIRED, "%s", s->sql.tx_gone);
	/* What the transaction has changed would not be in it, whatever one may think. */
	if (op == OP_BACKUP && s->sql.tx != TX_NONE)
		return error_set(err, ERRC_IN_TRANSACTION, "a backup cannot be made inside a transaction");
	return 0;
}

void handle_backup(struct slot *slot)
{
	struct session *s = slot->session;

	if (may(s, slot->request->op, &slot->sql.err) != 0) {
		slot_finish(slot);
		return;
	}
	slot_begin_wait(slot);
	migrator_backup(s->server->migrator, slot->request, &slot->wait);
}
