/* Records and the names of their states. */
#include "daemon/migrate/record.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"

struct record *record_new(void)
{
	struct record *r = xcalloc(1, sizeof(*r));
	r->p.swap_us = -1;
	return r;
}

void record_free(struct record *r)
{
	if (!r)
		return;
	free(r->table);
	free(r->sql);
	free(r->strategy);
	free(r->shadow);
	free(r->fingerprint);
	free(r->name);
	free(r->file);
	free(r->applied_by);
	free(r->consented_by);
	free(r->error_name);
	free(r->error_text);
	free(r->error_rows);
	free(r);
}

void record_set(char **field, const char *text)
{
	char *copy = text ? xstrdup(text) : NULL;
	free(*field);
	*field = copy;
}

const char *job_state_name(enum job_state s)
{
	static const char *const names[] = {
#define X(id, name) name,
		JOB_STATE_MAP(X)
#undef X
	};
	return names[s];
}

bool phase_indexes(enum phase p) { return p == PHASE_INDEX || p == PHASE_SORT; }

const char *phase_name(enum phase p)
{
	static const char *const names[] = {
#define X(id, name, wire) name,
		PHASE_MAP(X)
#undef X
	};
	return names[p];
}

const char *phase_wire(enum phase p)
{
	static const char *const names[] = {
#define X(id, name, wire) wire,
		PHASE_MAP(X)
#undef X
	};
	return names[p];
}

enum job_state job_state_by_name(const char *name)
{
	int s = 0;
	while (s < JOB_STATE_COUNT && (!name || strcmp(name, job_state_name((enum job_state)s)) != 0))
		s++;
	return (enum job_state)s;
}

enum phase phase_by_name(const char *name)
{
	int p = 0;
	while (p < PHASE_COUNT && (!name || strcmp(name, phase_name((enum phase)p)) != 0))
		p++;
	return (enum phase)p;
}
