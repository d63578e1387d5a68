/*
 * A copy of a database as it is at one moment, page by page, made while clients read and write.
 *
 * The source is read through a connection of its own which keeps one snapshot open: SQLite's backup interface begins
 * anew whenever another connection writes, unless the source connection is in a read transaction. Pages are copied as
 * they are, which VACUUM INTO does not do: that gives rows without an INTEGER PRIMARY KEY other rowids, and a change
 * that is under way goes by rowids. Nobody waits for the copy, but the log cannot begin anew beside a snapshot: see
 * backup.c for what bounds it.
 */
#ifndef ALTERD_STORE_BACKUP_H
#define ALTERD_STORE_BACKUP_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store/job.h"
#include "daemon/store/store.h"
#include "proto/error.h"

struct backup_order {
	struct store *store; /* whose database is copied: its clients and its log are minded. NULL: `from` is */
	const char *from;    /* without a store: the database's path, or an URI */
	const char *to;      /* the copy: an empty file that nobody else uses, .. */
	int fd;              /* .. and a descriptor of it for writing */
	int64_t reserve;     /* bytes that stay free on its disk */
	bool full_check;     /* integrity_check instead of quick_check, and what it says of rows counts too */
	bool unchecked;      /* neither: it is for once, and needs to survive nothing */
	bool gentle;         /* rest as long as it works, also where no store tells of clients */
	/* Called with the copy open for writing, once its pages are there and before it is checked. */
	int (*settle)(void *arg, sqlite3 *copy, struct error *err);
	void *arg;
	atomic_int *stop;     /* enum stop_reason; set by another thread */
	atomic_int *permille; /* of the pages, for who looks on */
};

/*
 * Copies, settles, checks and syncs (unless it is unchecked). The copy is in rollback mode: one file, whatever opens
 * it. Blocks for as long as it takes; on a thread that is neither the loop nor a lane. After a failure `to` holds
 * anything. Errors: SQLite's (SQLITE_FULL, also where the reserve would be touched; SQLITE_CORRUPT: the check failed),
 * BUSY where clients write faster than it can be copied, SQLITE_INTERRUPT.
 */
int backup_copy(const struct backup_order *o, int64_t *ret_bytes, struct error *err);

/*
 * A copy that is needed once, made gently and not looked through. `to` must not be there; only its owner can read it.
 */
int backup_for_once(const char *from, const char *to, int64_t reserve, int64_t *ret_bytes, struct error *err);

#endif
