/* Statements: the store does the work and writes the result; here only what does not need SQLite is checked. */
#include "daemon/server/handlers.h"
#include "daemon/server/line.h"

void handle_statement(struct slot *slot) { slot_submit(slot, SQL_STATEMENT); }

void handle_batch(struct slot *slot)
{
	const struct params *p = &slot->request->params;

	if (params_has(p, PARAM_STATEMENTS) == params_has(p, PARAM_SCRIPT)) {
		(void)error_set(&slot->sql.err, ERRC_INVALID_PARAMS, "batch takes either statements or script");
		slot_finish(slot);
		return;
	}
	slot_submit(slot, SQL_BATCH);
}

void handle_begin(struct slot *slot) { slot_submit(slot, SQL_BEGIN); }

void handle_commit(struct slot *slot) { slot_submit(slot, SQL_COMMIT); }

void handle_rollback(struct slot *slot) { slot_submit(slot, SQL_ROLLBACK); }

void handle_fetch(struct slot *slot) { slot_submit(slot, SQL_FETCH); }

void handle_close(struct slot *slot) { slot_submit(slot, SQL_CLOSE); }

void handle_describe(struct slot *slot) { slot_submit(slot, SQL_DESCRIBE); }

void handle_schema(struct slot *slot) { slot_submit(slot, SQL_SCHEMA); }
