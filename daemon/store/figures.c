/* Figures of runs; see figures.h. */
#include "daemon/store/figures.h"

#include <stdlib.h>
#include <string.h>

static int64_t status(sqlite3_stmt *stmt, int which) { return sqlite3_stmt_status(stmt, which, 1); }

void figures_take(struct figures *f, sqlite3_stmt *stmt)
{
	int64_t steps = status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP);

	f->scan_steps += steps;
	f->scans += steps > 0;
	f->sorts += status(stmt, SQLITE_STMTSTATUS_SORT);
	f->auto_rows += status(stmt, SQLITE_STMTSTATUS_AUTOINDEX);
	f->vm_steps += status(stmt, SQLITE_STMTSTATUS_VM_STEP);
}

void figures_add(struct figures *to, const struct figures *from)
{
	to->calls += from->calls;
	to->errors += from->errors;
	to->ns += from->ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	to->rows += from->rows;
	to->changes += from->changes;
	to->scans += from->scans;
	to->scan_steps += from->scan_steps;
	to->sorts += from->sorts;
	to->auto_rows += from->auto_rows;
	to->vm_steps += from->vm_steps;
}

void figures_add_text(struct figures_batch **b, const struct figures_text *t)
{
	if (!*b && !(*b = calloc(1, sizeof **b)))
		return;
	/* From the newest on: a batch is most often one text again and again. */
	for (size_t i = (*b)->n; i > 0; i--) {
		struct figures_text *at = &(*b)->at[i - 1];
		if (at->hash == t->hash && at->n == t->n && memcmp(at->sql, t->sql, t->n) == 0) {
			figures_add(&at->f, &t->f);
			return;
		}
	}
	if ((*b)->n < FIGURES_TEXTS_MAX)
		(*b)->at[(*b)->n++] = *t;
	else
		(*b)->others++;
}
