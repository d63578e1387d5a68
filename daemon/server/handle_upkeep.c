/* check, analyze, shrink: the migrator's side does the work. They take their turn in the session's line. */
#include "daemon/server/handlers.h"
#include "daemon/server/line.h"

static int may(const struct session *s, enum op op, struct error *err)
{
	if (op != OP_CHECK && s->sql.readonly)
		return error_set(err, ERRC_READ_ONLY, "this session is read-only");
	if (s->sql.tx == TX_FAILED)
		return error_set(err, ERRC_TX_EXPIRED, "%s", s->sql.tx_gone);
	/* It would wait for the transaction, and the transaction for it; a check would not see what it has changed. */
	if (s->sql.tx != TX_NONE)
		return error_set(err, ERRC_IN_TRANSACTION, "%s cannot be asked for inside a transaction",
				 op_info(op)->name);
	return 0;
}

void handle_upkeep(struct slot *slot)
{
	struct session *s = slot->session;

	if (may(s, slot->request->op, &slot->sql.err) != 0) {
		slot_finish(slot);
		return;
	}
	slot_begin_wait(slot);
	migrator_upkeep(s->server->migrator, slot->request, &slot->wait);
}
