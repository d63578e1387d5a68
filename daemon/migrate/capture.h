/*
 * Capture: every rowid of the source that a statement changes behind the copy goes into the dirty-key log, in the
 * transaction of that statement. By the store's observer (sqlite3_preupdate_hook).
 *
 * Lives on the writer lane: all functions there, inside a job.
 *
 * In memory keys are kept for one statement only. A statement that changes more than CAPTURE_KEYS_MAX rows is logged as
 * every key between the least and the greatest one, read from source and shadow: more than needed, never less.
 */
#ifndef ALTERD_MIGRATE_CAPTURE_H
#define ALTERD_MIGRATE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/engine.h"

#define CAPTURE_KEYS_MAX 65536

struct capture {
	struct observer observer;
	int64_t job;
	char *table;     /* owned; the source's name, NULL while capture is off */
	char *range_sql; /* owned; logs the keys between ?2 and ?3 */
	bool any;        /* something was copied: keys up to `border` are captured */
	int64_t border;
	int64_t *keys; /* changed by the statement that runs */
	size_t n;
	bool ranged; /* more than CAPTURE_KEYS_MAX: keys are void, the range counts */
	int64_t low, high;
};

void capture_init(struct capture *c);
/* Names as SQL wants them (quoted). The observer is installed; nothing is captured before the border moves. */
void capture_start(struct capture *c, struct db *db, int64_t job, const char *table, const char *quoted_source_rowid,
		   const char *quoted_shadow, const char *quoted_shadow_rowid);
/* Keys up to `border` are captured from now on; any = false: none. Call after the commit that moved the cursor. */
void capture_border(struct capture *c, bool any, int64_t border);
void capture_stop(struct capture *c, struct db *db);
void capture_free(struct capture *c);

#endif
