/*
 * The dispatch table, and the frame around a step.
 */
#include "daemon/migrate/stepper.h"

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/catalog.h"
#include "daemon/migrate/keep.h"
#include "daemon/migrate/version.h"

struct phase_info {
	enum step_outcome (*step)(struct migration *m, struct db *db, struct error *err);
	bool writer;
	bool plan; /* needs the plan in memory: after a restart it is made first */
};

static const struct phase_info phases[PHASE_COUNT] = {
	[PHASE_PLAN] = {plan_step, false, false},       [PHASE_CHECK] = {check_step, false, true},
	[PHASE_CREATE] = {create_step, true, true},     [PHASE_BACKFILL] = {backfill_step, true, true},
	[PHASE_INDEX] = {index_step, true, true},       [PHASE_VERIFY] = {verify_step, false, true},
	[PHASE_READY] = {ready_step, true, true},       [PHASE_SWAP] = {swap_step, true, true},
	[PHASE_WATCH] = {watch_step, true, true},       [PHASE_SORT] = {sort_step, true, true},
	[PHASE_CATCH_UP] = {catch_up_step, true, true}, [PHASE_COMPARE] = {compare_step, false, true},
	[PHASE_ADOPT] = {adopt_step, true, true},       [PHASE_DROP] = {drop_step, true, true},
	[PHASE_RETIRE] = {retire_step, true, false},    [PHASE_INSTANT] = {instant_step, true, true},
	[PHASE_EXACT] = {exact_step, true, false},      [PHASE_RESTART] = {abort_step, true, false},
	[PHASE_ABORT] = {abort_step, true, false},
};

static const struct phase_info *info(const struct migration *m)
{
	PRE(m->p.phase < PHASE_END);
	const struct phase_info *i = &phases[m->p.phase];
	return i->plan && !m->plan ? &phases[PHASE_PLAN] : i;
}

bool migration_compares(const struct migration *m) { return m->p.phase == PHASE_VERIFY || m->p.phase == PHASE_COMPARE; }

static bool in_doubt(const struct migration *m) { return m->doubted && migration_compares(m); }

/*
 * A difference was found in a snapshot. Only the writer can tell whether another process has written: then the copy
 * begins anew. Else it fails without an error of its own: the one that was found stands.
 */
static enum step_outcome doubt_step(struct migration *m, struct db *db, struct error *err)
{
	bool moved = false;

	m->next = m->p;
	if (step_begin(m, db, &moved, err) == 0 && moved)
		return step_restart(m, db, step_moved_why(m), err);
	return step_failed(m, db);
}

bool migration_on_writer(const struct migration *m)
{
	if (in_doubt(m))
		return true;
	return info(m)->step == sort_step ? sort_on_writer(m) : info(m)->writer;
}

/*
 * A reader whose schema is behind says "no such table" where it could not read the file to see that it is. So the file
 * is read first, by a statement that says what is the matter.
 */
static int look_at_schema(struct db *db, struct error *err)
{
	int64_t one = 0;
	return db_int(db, &one, err, "SELECT 1 FROM main.sqlite_schema LIMIT 1");
}

static enum step_outcome framed_step(struct migration *m, struct db *db, struct error *err)
{
	const struct phase_info *i = info(m);

	m->step_rows = m->dirty_left = 0;
	m->step_ns = 0;
	if (FAULT_IN(phase_name(m->p.phase), "enter"))
		return error_set_sqlite(err, SQLITE_IOERR, "SQLITE_IOERR", "fault point"), STEP_FAILED;
	if (keep_register(db_handle(db), err) != 0 || (!migration_on_writer(m) && look_at_schema(db, err) != 0))
		return STEP_FAILED;
	/* A batch that a power cut takes back is copied again; only what clients may see needs the disk's word. */
	bool relax = migration_on_writer(m) && m->allow.full && m->p.phase != PHASE_SWAP &&
		     m->p.phase != PHASE_INSTANT && m->p.phase != PHASE_EXACT;
	if (relax && db_set_full(db, false, err) != 0)
		return STEP_FAILED;
	/* The commit is part of the time the writer is held. The index build sees to that by itself. */
	if (m->p.phase != PHASE_INDEX && m->p.phase != PHASE_SORT)
		m->allow.hold_ns -= m->commit_ns < m->allow.hold_ns / 2 ? m->commit_ns : m->allow.hold_ns / 2;
	enum step_outcome outcome = (in_doubt(m) ? doubt_step : i->step)(m, db, err);
	INVARIANT(!db_in_transaction(db));
	if (relax) {
		struct error why = {0};
		if (db_set_full(db, true, &why) != 0 && outcome != STEP_FAILED) {
			error_move(err, &why);
			outcome = STEP_FAILED;
		}
		error_clear(&why);
	}
	(void)FAULT_IN(phase_name(m->p.phase), "leave");
	return outcome;
}

enum step_outcome migration_step(struct migration *m, struct db *db, struct error *err)
{
	FAULT_SCOPE(true);
	enum step_outcome outcome = framed_step(m, db, err);
	FAULT_SCOPE(false);
	return outcome;
}

int step_begin(struct migration *m, struct db *db, bool *ret_moved, struct error *err)
{
	int64_t version = 0;

	*ret_moved = false;
	if (db_begin(db, err) != 0 || db_data_version(db, &version, err) != 0)
		return -1;
	/* It stays so until the copy begins anew: this step may still fail. */
	m->moved = m->moved || (m->version_known && version != m->data_version);
	*ret_moved = m->moved;
	/* Capture had to give up on a statement that changed too much: what it changed is not known. */
	*ret_moved = *ret_moved || m->capture->lost;
	if (m->plan)
		rules_watch(m);
	m->data_version = version;
	m->version_known = true;
	return 0;
}

const char *step_moved_why(const struct migration *m)
{
	return m->capture->lost ? "a statement changed more rows than could be noted"
				: "another process wrote the database";
}

void migration_forget_keys(struct migration *m)
{
	rowkey_free(&m->checked);
	rowkey_free(&m->verified);
	rowkey_free(&m->collected);
	rowkey_free(&m->seen);
	m->has_checked = m->has_verified = m->has_collected = m->has_seen = false;
}

/* The version of a run becomes what clients see: with it goes its line in the history. */
static bool ends_version(const struct migration *m)
{
	bool changes = m->p.phase == PHASE_SWAP || m->p.phase == PHASE_DROP || m->p.phase == PHASE_ADOPT ||
		       m->p.phase == PHASE_INSTANT || m->p.phase == PHASE_EXACT;
	return m->r->run.steps > 0 && changes && (m->next.phase == PHASE_RETIRE || m->next.phase == PHASE_END);
}

int step_commit(struct migration *m, struct db *db, struct error *err)
{
	if (FAULT_IN(phase_name(m->p.phase), "commit"))
		return error_set_sqlite(err, SQLITE_IOERR, "SQLITE_IOERR", "fault point");
	if (catalog_progress(db, m->r->id, &m->next, err) != 0 || (ends_version(m) && version_record(m, db, err) != 0))
		return -1;
	uint64_t start_ns = clock_now_ns();
	if (db_commit(db, err) != 0)
		return -1;
	m->commit_ns = (3 * m->commit_ns + (clock_now_ns() - start_ns)) / 4;
	(void)FAULT_IN(phase_name(m->p.phase), "committed");
	/* Nothing is copied yet, or it all goes. */
	if (m->p.phase <= PHASE_CREATE || m->p.phase == PHASE_WATCH || m->p.phase == PHASE_RESTART ||
	    m->next.phase == PHASE_RESTART)
		m->moved = false;
	m->p = m->next;
	return 0;
}

enum step_outcome step_failed(struct migration *m, struct db *db)
{
	db_rollback(db);
	m->has_seen = false;
	return STEP_FAILED;
}

enum step_outcome step_restart(struct migration *m, struct db *db, const char *why, struct error *err)
{
	m->next.phase = PHASE_RESTART;
	m->next.restarts++;
	if (step_commit(m, db, err) != 0)
		return step_failed(m, db);
	m->restart_why = why;
	m->mismatch = m->doubted = false;
	capture_border(m->capture, false, 0);
	record_log(WARNING, m->r, JOB_RESTARTED, "m%lld %s: %s, the copy starts over", (long long)m->r->id, m->r->table,
		   why);
	return STEP_MORE;
}

bool offending(const struct error *err)
{
	int code = err->code & 0xff;
	return err->code > 0 && (code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH);
}
