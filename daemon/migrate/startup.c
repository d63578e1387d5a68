/* [migrate] on_start = up: the folder's pending files are run when the daemon starts. */
#include <stdlib.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/migrator_internal.h"

struct startup {
	struct migrator_wait w;
	struct buf out;
	struct migrator *m;
	void (*ended)(void *arg);
	void *arg;
};

void startup_free(struct startup *s)
{
	if (!s)
		return;
	error_clear(&s->w.err);
	buf_free(&s->out);
	free(s);
}

/* A failure leaves the daemon serving at the version it has: what that means is for a person to see. */
static void ended(struct migrator_wait *w)
{
	struct startup *s = CONTAINER_OF(w, struct startup, w);

	if (error_is_set(&w->err))
		log_error("migrate", "the migrations of the start have failed: %s", w->err.message);
	else
		log_info("migrate", "the migrations of the start have ended, at version %lld",
			 (long long)s->m->version);
	s->m->startup = NULL;
	s->ended(s->arg);
	startup_free(s);
}

bool migrator_fresh(const struct migrator *m) { return m->fresh; }

void migrator_start_up(struct migrator *m, void (*when_ended)(void *arg), void *arg)
{
	struct startup *s = xcalloc(1, sizeof(*s));
	struct request request = {.op = OP_MIGRATE_UP, .params = {.present = P(WAIT), .wait = true}};

	*s = (struct startup){.w = {.done = ended, .out = &s->out}, .m = m, .ended = when_ended, .arg = arg};
	m->startup = s;
	migrator_files(m, &request, (uint32_t)getuid(), &s->w);
}
