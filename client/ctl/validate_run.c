/* The versions of a folder, tried: see cmd_validate.c for what is compared with what. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/scratch.h"
#include "client/ctl/validate.h"
#include "proto/response.h"

/* A database in which versions are tried. */
struct trial {
	struct validate *v;
	struct scratch s;
	int code; /* an exit code: it could not be tried */
};

static bool start(struct trial *t, struct validate *v)
{
	*t = (struct trial){.v = v};
	t->code = scratch_start(v->ctl, &t->s);
	return t->code == 0;
}

static int stop(struct trial *t)
{
	scratch_stop(&t->s);
	return t->code;
}

/* The connection is of no more use, or a signal came: not the files' fault. */
static bool is_lost(const struct trial *t)
{
	int code = alterd_error_code(t->s.conn);

	return scratch_interrupted() || (code < 0 && code >= ALTERD_E_MISUSE);
}

static bool needs_consent(const struct trial *t) { return strcmp(alterd_error_name(t->s.conn), "NEEDS_FORCE") == 0; }

/* `steps` 0: all. True: done; false: refused or failed, or t->code is set. */
static bool run(struct trial *t, const char *method, size_t steps, bool consent)
{
	struct buf *params = &t->v->params;
	int rc;

	jw_bool(params, "wait", true);
	if (steps)
		jw_int(params, "steps", (int64_t)steps);
	if (consent)
		jw_bool(params, "allow_data_loss", true);
	jw_close(params, '}');
	if (params->failed)
		must(NULL);
	rc = alterd_call(t->s.conn, method, buf_cstr(params), NULL);
	buf_truncate(params, t->v->begun);
	if (rc != 0 && is_lost(t))
		t->code = scratch_failed(t->v->ctl, &t->s);
	return rc == 0;
}

static bool look(struct trial *t, bool rows, struct snapshot *ret)
{
	if (snapshot_read(t->s.conn, rows, ret) == 0)
		return true;
	t->code = scratch_failed(t->v->ctl, &t->s);
	return false;
}

/* The connection's error is a finding, unless it is not the files' fault. */
static void refused(struct trial *t, struct check *at, const char *rule, const char *what)
{
	struct buf text = {0};

	if (t->code)
		return;
	buf_printf(&text, "%s%s", alterd_error_message(t->s.conn), what);
	finding(t->v, at, rule, NULL, 0, buf_cstr(&text));
	buf_free(&text);
}

static void differs(struct validate *v, struct check *at, const char *rule, const char *what, struct buf *how)
{
	struct buf text = {0};

	buf_printf(&text, "%s: %s", what, buf_cstr(how));
	finding(v, at, rule, NULL, 0, buf_cstr(&text));
	buf_free(&text);
}

/* How many versions are applied; they are the first ones. */
static size_t applied(struct trial *t)
{
	struct alterd_result *r = NULL;
	size_t n = 0;

	if (alterd_query(t->s.conn, "SELECT count(*) FROM alterd_migrations", NULL, 0, &r) == 0 && alterd_step(r) == 1)
		n = (size_t)alterd_cell_int(r, 0);
	alterd_result_free(r);
	return n < t->v->nchecks ? n : t->v->nchecks - 1;
}

/* ---- fresh ---- */

/* Everything in one run, by one request. Data that goes is none of anybody's here. */
static bool run_all(struct trial *t)
{
	if (run(t, "migrate.up", 0, true))
		return true;
	if (t->code)
		return false;
	/* Which one it was; the message is kept, as asking replaces it. */
	struct buf message = {0};
	buf_puts(&message, alterd_error_message(t->s.conn));
	finding(t->v, &t->v->checks[applied(t)], "fresh", NULL, 0, buf_cstr(&message));
	buf_free(&message);
	return false;
}

/* A run after the run has nothing to do, and does nothing. */
static void run_again(struct trial *t, const struct snapshot *before)
{
	struct snapshot now = {0};
	struct buf how = {0};
	size_t at = 0;

	if (!run(t, "migrate.up", 0, false)) {
		refused(t, NULL, "again", " (in a second run, which should have nothing to do)");
		return;
	}
	if (!look(t, true, &now))
		return;
	if (snapshot_compare(before, &now, &how) != SAME || snapshot_rows_differ(before, &now, &at, &how))
		differs(t->v, NULL, "again", "a second run, which should have nothing to do, has changed", &how);
	snapshot_free(&now);
	buf_free(&how);
}

static int try_fresh(struct validate *v, struct snapshot *ret, bool again)
{
	struct trial t;

	if (start(&t, v) && run_all(&t) && look(&t, true, ret) && again)
		run_again(&t, ret);
	return stop(&t);
}

/* ---- steps ---- */

static bool step_up(struct trial *t, struct check *k)
{
	struct buf text = {0};

	if (run(t, "migrate.up", 1, false))
		return true;
	if (t->code || !needs_consent(t)) {
		refused(t, k, "steps", "");
		return false;
	}
	buf_printf(&text, "%s; up wants --allow-data-loss where there is any", alterd_error_message(t->s.conn));
	remark(t->v, buf_cstr(&text));
	buf_free(&text);
	if (run(t, "migrate.up", 1, true))
		return true;
	refused(t, k, "steps", "");
	return false;
}

/* What two fresh runs do not agree in depends on time or chance. */
static int tell_rows(struct validate *v, const struct snapshot *fresh, const struct snapshot *steps)
{
	struct snapshot second = {0};
	struct buf name = {0}, other = {0}, text = {0};
	size_t at = 0;
	int code = snapshot_rows_differ(fresh, steps, &at, &name) ? try_fresh(v, &second, false) : 0;

	at = 0;
	while (!code && snapshot_rows_differ(fresh, steps, &at, &name)) {
		bool moves = false;
		for (size_t k = 0; !moves && snapshot_rows_differ(fresh, &second, &k, &other);)
			moves = strcmp(buf_cstr(&name), buf_cstr(&other)) == 0;
		buf_reset(&text, 4096);
		buf_printf(&text,
			   moves ? "%s comes out otherwise in each run (time or chance), and is not compared"
				 : "rows of a fresh run differ from those of one version at a time: %s",
			   buf_cstr(&name));
		if (moves)
			remark(v, buf_cstr(&text));
		else
			finding(v, NULL, "steps", NULL, 0, buf_cstr(&text));
	}
	snapshot_free(&second);
	buf_free(&name);
	buf_free(&other);
	buf_free(&text);
	return code;
}

static int try_steps(struct validate *v, const struct snapshot *fresh)
{
	struct snapshot steps = {0};
	struct buf how = {0};
	struct trial t;
	bool ok = start(&t, v);
	int code;

	for (size_t i = 0; ok && i < v->nchecks; i++)
		ok = step_up(&t, &v->checks[i]);
	ok = ok && look(&t, true, &steps);
	code = stop(&t);
	if (ok && snapshot_compare(fresh, &steps, &how) != SAME)
		differs(v, NULL, "steps", "a fresh run makes another schema than one version at a time", &how);
	if (ok)
		code = tell_rows(v, fresh, &steps);
	snapshot_free(&steps);
	buf_free(&how);
	return code;
}

/* ---- back ---- */

/* `what` names the two that are compared. */
static void compare(struct validate *v, struct check *k, const struct snapshot *a, const struct snapshot *b,
		    const char *what)
{
	struct buf how = {0}, text = {0};
	enum likeness like = snapshot_compare(a, b, &how);

	if (like == DIFFERENT) {
		differs(v, k, "back", what, &how);
	} else if (like == OTHER_ORDER) {
		buf_printf(&text, "%s: %s: %s", k->file, what, buf_cstr(&how));
		remark(v, buf_cstr(&text));
	}
	buf_free(&how);
	buf_free(&text);
}

/* From the version up to the version, through the one before. False: the database is not where it should be. */
static bool there_and_back(struct trial *t, struct check *k, const struct snapshot *before)
{
	struct snapshot up = {0}, down = {0}, again = {0};
	bool ok = look(t, false, &up);

	if (ok && !run(t, "migrate.down", 1, true)) {
		refused(t, k, "back", " (down)");
		snapshot_free(&up);
		return t->code == 0;
	}
	ok = ok && look(t, false, &down);
	if (ok)
		compare(t->v, k, before, &down, "down does not bring back the schema that was before");
	if (ok && !run(t, "migrate.up", 1, true)) {
		refused(t, k, "back", " (up again, after down)");
		ok = false;
	}
	ok = ok && look(t, false, &again);
	if (ok) {
		compare(t->v, k, &up, &again, "up, down, up makes another schema than up");
		k->back = true;
	}
	snapshot_free(&up);
	snapshot_free(&down);
	snapshot_free(&again);
	return ok;
}

/* All versions before the i-th in a new database. */
static bool start_at(struct trial *t, struct validate *v, size_t i)
{
	return start(t, v) && (i == 0 || run(t, "migrate.up", i, true));
}

static int try_back(struct validate *v)
{
	struct trial t;
	bool ok = start(&t, v);

	for (size_t i = 0; ok && i < v->nchecks; i++) {
		struct check *k = &v->checks[i];
		struct snapshot before = {0};
		ok = look(&t, false, &before) && run(&t, "migrate.up", 1, true);
		k->up = ok;
		if (ok && k->reversible && !there_and_back(&t, k, &before)) {
			int code = stop(&t);
			ok = code == 0 && start_at(&t, v, i + 1);
		}
		snapshot_free(&before);
	}
	return stop(&t);
}

int try_versions(struct validate *v)
{
	struct snapshot fresh = {0};
	int code = try_fresh(v, &fresh, true);

	if (!code && v->nproblems == 0)
		code = try_steps(v, &fresh);
	if (!code && v->nproblems == 0)
		code = try_back(v);
	snapshot_free(&fresh);
	return code;
}
