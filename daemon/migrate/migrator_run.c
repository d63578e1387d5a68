/* A run of migration files on the loop: from one version to the next. */
#include <stdio.h>
#include <string.h>

#include "daemon/lib/clock.h"
#include "daemon/migrate/migrator_internal.h"
#include "daemon/migrate/version.h"

void migrator_forget_change(struct migrator *m)
{
	store_protect(m->s, NULL, NULL);
	live_free(m->m.live);
	m->m.live = NULL;
	asides_forget(m);
	index_build_free(m->m.index);
	m->m.index = NULL;
	version_forget(&m->m.version);
	pool_free(&m->m.pool);
	offenders_free(&m->m.offenders);
	migration_forget_keys(&m->m);
	error_clear(&m->verdict);
}

void migrator_name_file(struct record *r)
{
	struct pool pool = {0};

	if (r->run.steps && r->file && r->error_code != errc_code(ERRC_ABORTED) && !strstr(r->error_text, r->file))
		record_set(&r->error_text, pool_printf(&pool, "%s: %s", r->file, r->error_text));
	pool_free(&pool);
}

bool migrator_more_versions(const struct record *r) { return !r->error_code && r->run.step + 1 < r->run.steps; }

bool migrator_next_version(struct migrator *m)
{
	struct record *r = m->m.r;

	if (!migrator_more_versions(r))
		return false;
	migrator_forget_change(m);
	r->run.step++;
	record_set(&r->shadow, NULL);
	record_set(&r->fingerprint, NULL);
	r->p = (struct progress){.phase = PHASE_PLAN,
				 .swap_us = -1,
				 .longest_hold_us = m->m.p.longest_hold_us,
				 .longest_wait_us = m->m.p.longest_wait_us,
				 .run_ms = m->m.p.run_ms};
	m->m = (struct migration){.r = r, .p = r->p, .capture = &m->capture, .version_ms = clock_wall_ms()};
	m->unsaved = true;
	return true;
}

void migrator_protect(struct migrator *m)
{
	char name[32];

	snprintf(name, sizeof(name), "m%lld", (long long)m->m.r->id);
	store_protect(m->s, m->m.r->table, name);
}

void migrator_take_version(struct migrator *m)
{
	struct version_found *v = &m->m.version;
	struct record *r = m->m.r;

	if (!v->found || v->taken)
		return;
	v->taken = v->sql != NULL;
	r->run.version = v->version;
	r->run.down = v->down;
	r->run.after = v->after;
	r->run.file_batch = v->batch_rows;
	r->run.done_before = v->before;
	r->run.done_behind = v->behind;
	r->run.done_total = v->total;
	r->run.consented = 0;
	r->allow_data_loss = v->allow_data_loss;
	record_set(&r->name, v->name);
	record_set(&r->file, v->file);
	record_set(&r->sql, v->sql ? v->sql : "");
	record_set(&r->table, "");
	record_set(&r->strategy, v->strategy);
}

void migrator_see_version(struct migrator *m, enum phase before)
{
	const struct record *r = m->m.r;
	bool visible = r->p.phase == PHASE_RETIRE || (r->p.phase == PHASE_END && before != PHASE_RETIRE);

	if (r->run.steps == 0 || r->error_code)
		return;
	if (before == PHASE_PLAN && m->m.plan) {
		record_set(&m->m.r->table, m->m.plan->table);
		migrator_protect(m);
	}
	if (m->m.consented && !r->run.consented) {
		m->m.r->run.consented = 1;
		record_set(&m->m.r->consented_by, m->m.version.consent);
		m->unsaved = true;
	}
	if (!visible)
		return;
	migrator_set_version(m, r->run.after, r);
	if (r->run.done_behind < r->run.done_total)
		m->partial = (struct partial_place){r->run.version, r->run.done_behind, r->run.done_total};
	else if (m->partial.version == r->run.version)
		m->partial = (struct partial_place){0};
}
