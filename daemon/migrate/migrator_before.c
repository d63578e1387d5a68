/*
 * [migrate] backup = before: a run of migration files begins with a backup. The job is running then, in PLAN, and
 * nothing of it is done; where the backup fails the run fails. Nothing is written down of it: a daemon that is killed
 * meanwhile makes it again, for the run is still where it was.
 */
#include <stdio.h>

#include "daemon/lib/clock.h"
#include "daemon/migrate/migrator_internal.h"

/* How often what is told of it is brought up to date. */
#define LOOK_NS (100 * NS_PER_MS)

static void ended(void *arg, struct error *err)
{
	struct migrator *m = arg;

	m->before = NULL;
	m->backed_up = !error_is_set(err);
	/* The run's record may be being written just now: pump() does the rest once it is not. */
	if (error_is_set(err) && !m->closing && !m->abort_asked)
		error_move(&m->before_failed, err);
	migrator_pump(m);
}

static void fail(struct migrator *m)
{
	struct error *err = &m->before_failed;
	char why[sizeof(err->message)];

	(void)snprintf(why, sizeof(why), "%s", err->message);
	(void)snprintf(err->message, sizeof(err->message), "the backup before the run has failed: %.440s", why);
	if (!m->abort_asked)
		migrator_fail(m, err);
	error_clear(err);
}

bool migrator_before_over(struct migrator *m)
{
	if (error_is_set(&m->before_failed))
		fail(m);
	if (!m->abort_asked || !m->before)
		return false;
	backups_before_stop(m->before);
	return true;
}

static bool wanted(const struct migrator *m)
{
	const struct record *r = m->m.r;
	/* The run of the start on a new database: nobody could have written anything yet. */
	bool nothing = m->fresh && m->startup;

	return m->config.backup_before && !m->backed_up && !nothing && r->run.steps > 0 && r->run.step == 0 &&
	       m->m.p.phase == PHASE_PLAN && !r->error_code;
}

bool migrator_backs_up(struct migrator *m, uint64_t *ret_again_ns)
{
	if (!m->before && !wanted(m))
		return false;
	if (!m->before)
		m->before = backups_before(m->backups, m->m.r->run.version, ended, m);
	int permille = backups_permille(m->before);
	(void)snprintf(m->why, sizeof(m->why), "the backup before the run is being made: %d.%d%%", permille / 10,
		       permille % 10);
	*ret_again_ns = clock_now_ns() + LOOK_NS;
	return true;
}

void migrator_backup(struct migrator *m, const struct request *request, struct migrator_wait *w)
{
	backups_request(m->backups, request, w);
}
