/*
 * Schema changes: the migrator does the work. migrate.alter takes its turn in the session's line (with `wait` it holds
 * the line until the job has ended); what steers a job overtakes.
 */
#include "daemon/server/handlers.h"
#include "daemon/server/line.h"

static int may_wait(const struct session *s, const char *method, struct error *err)
{
	if (s->sql.tx == TX_FAILED)
		return error_set(err, ERRC_TX_EXPIRED, "%s", s->sql.tx_gone);
	/* The job would wait for the writer, or for the end of this snapshot, which only this session could give. */
	if (s->sql.tx != TX_NONE)
		return error_set(err, ERRC_IN_TRANSACTION, "%s cannot run inside a transaction", method);
	return 0;
}

static int may_alter(const struct session *s, struct error *err)
{
	if (s->sql.readonly)
		return error_set(err, ERRC_READ_ONLY, "this session is read-only");
	return may_wait(s, "migrate.alter", err);
}

/* A rehearsal writes nothing here, but costs as much as the run. */
static int may_rehearse(const struct session *s, struct error *err)
{
	if (s->role < ROLE_MIGRATE)
		return error_set(err, ERRC_DENIED, "migrate.plan with try needs the role migrate; this session has %s",
				 peer_role_name(s->role));
	return may_wait(s, "a rehearsal", err);
}

void handle_migrate_alter(struct slot *slot)
{
	struct session *s = slot->session;

	if (may_alter(s, &slot->sql.err) != 0) {
		slot_finish(slot);
		return;
	}
	slot_begin_wait(slot);
	migrator_alter(s->server->migrator, &slot->request->params, s->peer.uid, &slot->wait);
}

/* Looking at migration files is nobody's business but a reader's; running them is a change. */
void handle_migrate_files(struct slot *slot)
{
	struct session *s = slot->session;
	bool runs = op_info(slot->request->op)->role >= ROLE_MIGRATE;

	bool tries = slot->request->op == OP_MIGRATE_PLAN && slot->request->params.rehearse;

	if ((runs && may_alter(s, &slot->sql.err) != 0) || (tries && may_rehearse(s, &slot->sql.err) != 0)) {
		slot_finish(slot);
		return;
	}
	slot_begin_wait(slot);
	migrator_files(s->server->migrator, slot->request, s->peer.uid, &slot->wait);
}

/* How long who steers waits for the writer, which a client's transaction or one long statement may have. */
#define WRITTEN_MS 100

void handle_migrate_abort(struct slot *slot)
{
	slot_begin_wait(slot);
	migrator_abort(slot->session->server->migrator, &slot->request->params, &slot->wait);
}

/* pause, resume, throttle, cutover: in force at once; answered when it is written, or the writer does not get to it. */
void handle_migrate_control(struct slot *slot)
{
	slot_begin_wait(slot);
	slot->in_force = true;
	slot->deadline_ms = uv_now(slot->session->server->loop) + WRITTEN_MS;
	migrator_control(slot->session->server->migrator, slot->request, &slot->wait);
}

int handle_migrate_status(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	(void)r;
	(void)err;
	migrator_status(s->server->migrator, out);
	return 0;
}

int handle_migrate_history(struct session *s, const struct request *r, struct buf *out, struct error *err)
{
	(void)r;
	(void)err;
	migrator_history(s->server->migrator, out);
	return 0;
}
