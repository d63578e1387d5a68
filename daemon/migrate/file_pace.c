/* How long a change takes, by what has run on this database before. */
#include <string.h>

#include "daemon/migrate/file_plan.h"
#include "daemon/migrate/schema.h"

/* Rows a second of a common machine with nothing else at work (README, "What it costs"). */
static const struct {
	const char *strategy;
	int64_t rows_per_s;
} common[] = {{"rebuild", 490000}, {"data", 490000}, {"index", 900000}, {"check", 2000000}, {"drop", 210000}};

static int row_pace(void *arg, sqlite3_stmt *stmt)
{
	struct pace *p = arg;
	int64_t rows = sqlite3_column_int64(stmt, 0), ms = sqlite3_column_int64(stmt, 1);

	if (rows == 0 || ms <= 0)
		return 0;
	p->measured = true;
	p->rows_per_s = rows * 1000 / ms > 0 ? rows * 1000 / ms : 1;
	p->longest_ms = (sqlite3_column_int64(stmt, 2) + 999) / 1000;
	return 0;
}

int pace_read(sqlite3 *db, const char *strategy, struct pace *ret, struct error *err)
{
	const char *texts[] = {strategy, NULL};

	*ret = (struct pace){.longest_ms = ONLINE_HOLD_MS};
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		if (strcmp(common[i].strategy, strategy) == 0)
			ret->rows_per_s = common[i].rows_per_s;
	if (ret->rows_per_s == 0)
		return 0;
	/* Of a run of several versions one time alone is known, that of all. Small tables tell nothing of large ones.
	 */
	return schema_each(db, err, row_pace, ret,
			   "SELECT sum(rows_done),sum(ended_ms-started_ms),max(longest_hold_us) FROM (SELECT * FROM "
			   "main._alterd_job WHERE state='done' AND strategy=?1 AND rows_done>=10000 AND steps<=1 AND "
			   "ended_ms>started_ms ORDER BY id DESC LIMIT 5)",
			   texts);
}
