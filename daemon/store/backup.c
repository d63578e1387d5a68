/*
 * Copying a database; see backup.h.
 *
 * It is gentle while there are clients: copying and checking rest as long as they work, and what was written is synced
 * bit by bit, so that a client's commit finds the disk's queue short. But the snapshot keeps the log from beginning
 * anew, so it does not rest while the log is above store.wal_cap; and above store.wal_hard_cap it is given up, as a
 * client's snapshot would be.
 */
#include "daemon/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/lib/fault.h"
#include "daemon/store/gentle.h"
#include "daemon/store/internal.h"

/* Copied at a time. */
#define SLICE_BYTES (256 * 1024)
/* Written to the copy between two syncs. */
#define SYNC_BYTES ((int64_t)2 << 20)
/* How long a log that is large already may take to begin anew before the snapshot is opened. */
#define LOG_WAIT_NS (5 * NS_PER_S)
/* Read and write version of a database's header: 1 is rollback mode, 2 WAL. */
#define HEADER_VERSIONS 18

struct copying {
	const struct backup_order *o;
	struct error *err;
	sqlite3 *from, *to;
	struct gentle gentle;
	int64_t unsynced;
	int page_size;
};

static int failed(struct copying *c, sqlite3 *handle, const char *doing)
{
	int code = handle ? sqlite3_extended_errcode(handle) : SQLITE_NOMEM;

	return error_from_sqlite(c->err, code, -1, doing, handle ? sqlite3_errmsg(handle) : "out of memory");
}

static int failed_errno(struct copying *c, const char *doing)
{
	int code = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? SQLITE_FULL : SQLITE_IOERR;

	return error_set_sqlite(c->err, code, sqlite_code_name(code), "%s: %s", doing, strerror(errno));
}

static int run(struct copying *c, sqlite3 *handle, const char *doing, const char *sql)
{
	return sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(c, handle, doing);
}

static int64_t ask(sqlite3 *handle, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t n = 0;

	if (sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static bool stopped(const struct copying *c) { return c->o->stop && atomic_load(c->o->stop) != STOP_NONE; }

/* --- the pages --- */

static int open_source(struct copying *c)
{
	const struct backup_order *o = c->o;
	const char *path = o->store ? store_get_config(o->store)->path : o->from;
	int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | (o->store ? 0 : SQLITE_OPEN_URI);

	if (sqlite3_open_v2(path, &c->from, flags, NULL) != SQLITE_OK)
		return failed(c, c->from, "opening the database to copy");
	sqlite3_extended_result_codes(c->from, 1);
	sqlite3_busy_timeout(c->from, DB_BUSY_MS);
	c->gentle.snapshot = o->store != NULL;
	if (o->store)
		atomic_store(&o->store->copy_since_ns, clock_now_ns());
	/* The snapshot begins with the first read. */
	if (run(c, c->from, "opening a snapshot", "PRAGMA cache_size=-256; BEGIN; SELECT count(*) FROM sqlite_schema"))
		return -1;
	c->page_size = (int)ask(c->from, "PRAGMA page_size");
	return c->page_size > 0 ? 0 : failed(c, c->from, "reading the database to copy");
}

static void close_source(struct copying *c)
{
	sqlite3_close(c->from);
	c->from = NULL;
	c->gentle.snapshot = false;
	if (c->o->store)
		atomic_store(&c->o->store->copy_since_ns, 0);
}

static int open_copy(struct copying *c, int flags, const char *pragmas)
{
	if (sqlite3_open_v2(c->o->to, &c->to, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return failed(c, c->to, "opening the copy");
	sqlite3_extended_result_codes(c->to, 1);
	return run(c, c->to, "opening the copy", pragmas);
}

static void close_copy(struct copying *c)
{
	sqlite3_close(c->to);
	c->to = NULL;
}

/* The disk keeps its reserve: what a full one would stop are the clients' writes. */
static int look_at_space(struct copying *c, int64_t more_bytes)
{
	struct statvfs disk;

	if (fstatvfs(c->o->fd, &disk) != 0)
		return 0;
	int64_t room = (int64_t)(disk.f_bavail * disk.f_frsize);
	if (room - more_bytes >= c->o->reserve)
		return 0;
	return error_set_sqlite(c->err, SQLITE_FULL, "SQLITE_FULL",
				"no room for the copy: it needs %lld bytes, %lld are free where it lies, and %lld "
				"(store.disk_reserve) stay free",
				(long long)more_bytes, (long long)room, (long long)c->o->reserve);
}

/* Between two slices. */
static int look_around(struct copying *c, sqlite3_backup *b)
{
	const struct store *s = c->o->store;
	int total = sqlite3_backup_pagecount(b), left = sqlite3_backup_remaining(b);

	if (c->o->permille && total > 0)
		atomic_store(c->o->permille, (int)((int64_t)(total - left) * 1000 / total));
	if (stopped(c))
		return error_stopped(c->err, (enum stop_reason)atomic_load(c->o->stop));
	if (s && store_wal_overflows(s))
		return error_set(c->err, ERRC_BUSY,
				 "the log is above store.wal_hard_cap: clients write faster than it can be copied, or "
				 "a long read keeps the log from beginning anew");
	if (c->unsynced >= SYNC_BYTES) {
		c->unsynced = 0;
		if (fdatasync(c->o->fd) != 0)
			return failed_errno(c, "writing the copy");
		if (look_at_space(c, 0))
			return -1;
	}
	gentle_rest(&c->gentle);
	return 0;
}

static int copy_pages(struct copying *c)
{
	int pages = SLICE_BYTES / c->page_size > 0 ? SLICE_BYTES / c->page_size : 1, rc;

	if (look_at_space(c, ask(c->from, "PRAGMA page_count") * c->page_size))
		return -1;
	sqlite3_backup *b = sqlite3_backup_init(c->to, "main", c->from, "main");
	if (!b)
		return failed(c, c->to, "copying");
	while ((rc = sqlite3_backup_step(b, pages)) == SQLITE_OK) {
		c->unsynced += SLICE_BYTES;
		(void)FAULT("backup-slice");
		if (look_around(c, b))
			break;
	}
	int end = sqlite3_backup_finish(b);
	if (error_is_set(c->err))
		return -1;
	if (rc == SQLITE_DONE && end == SQLITE_OK)
		return 0;
	rc = end != SQLITE_OK ? end : rc;
	return error_from_sqlite(c->err, rc, -1, "copying", sqlite3_errstr(rc));
}

static int copy(struct copying *c)
{
	gentle_wait_for_log(&c->gentle, LOG_WAIT_NS);
	int rc = open_source(c);

	/* A copy that is not whole is thrown away: no journal, and no sync but our own. */
	if (rc == 0)
		rc = open_copy(c, SQLITE_OPEN_READWRITE,
			       "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-512;");
	if (rc == 0)
		rc = copy_pages(c);
	close_copy(c);
	close_source(c);
	return rc;
}

/* Out of WAL mode, in which a file is opened with two others beside it. */
static int leave_wal(struct copying *c)
{
	unsigned char versions[2];

	if (pread(c->o->fd, versions, 2, HEADER_VERSIONS) != 2 || versions[0] != 2)
		return 0; /* an empty database has no header */
	versions[0] = versions[1] = 1;
	return pwrite(c->o->fd, versions, 2, HEADER_VERSIONS) == 2 ? 0 : failed_errno(c, "writing the copy");
}

static int settle(struct copying *c)
{
	if (!c->o->settle)
		return 0;
	int rc = open_copy(c, SQLITE_OPEN_READWRITE,
			   "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-512;");
	if (rc == 0)
		rc = c->o->settle(c->o->arg, c->to, c->err);
	close_copy(c);
	return rc;
}

/* --- the check --- */

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/*
 * What the check says of rows is as true of the database itself. An index being built by a migration may hold NULLs,
 * and is called by its name; anything else is told to who has asked for the whole check.
 */
static bool matters(const struct copying *c, const char *line)
{
	bool row = begins(line, "CHECK constraint failed in ") || strstr(line, " value in ");

	if (begins(line, "NULL value in _alterd_"))
		return false;
	return !row || c->o->full_check;
}

static int read_verdict(struct copying *c, sqlite3_stmt *stmt)
{
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(stmt, 0);
		if (line && strcmp(line, "ok") != 0 && matters(c, line))
			return error_set_sqlite(c->err, SQLITE_CORRUPT, "SQLITE_CORRUPT",
						"the copy is not sound: %.300s", line);
	}
	if (stopped(c))
		return error_stopped(c->err, (enum stop_reason)atomic_load(c->o->stop));
	return rc == SQLITE_DONE ? 0 : failed(c, c->to, "checking the copy");
}

static int check(struct copying *c)
{
	sqlite3_stmt *stmt = NULL;
	int rc = open_copy(c, SQLITE_OPEN_READONLY, "PRAGMA cache_size=-2048; SELECT count(*) FROM sqlite_schema");

	if (rc == 0)
		rc = gentle_attach(&c->gentle, c->to) == SQLITE_OK ? 0 : failed(c, c->to, "checking the copy");
	if (rc == 0)
		rc = sqlite3_prepare_v2(c->to,
					c->o->full_check ? "PRAGMA integrity_check(1000000000)"
							 : "PRAGMA quick_check(1000000000)",
					-1, &stmt, NULL) == SQLITE_OK
			     ? read_verdict(c, stmt)
			     : failed(c, c->to, "checking the copy");
	sqlite3_finalize(stmt);
	close_copy(c);
	return rc;
}

int backup_copy(const struct backup_order *o, int64_t *ret_bytes, struct error *err)
{
	struct copying c = {
		.o = o,
		.err = err,
		.gentle = {.store = o->store, .stop = o->stop, .always = o->gentle, .worked_ns = clock_now_ns()}};
	struct stat st;

	if (copy(&c) || leave_wal(&c) || settle(&c) || (!o->unchecked && check(&c)))
		return -1;
	if ((!o->unchecked && fsync(o->fd) != 0) || fstat(o->fd, &st) != 0)
		return failed_errno(&c, "writing the copy");
	*ret_bytes = st.st_size;
	return 0;
}

int backup_for_once(const char *from, const char *to, int64_t reserve, int64_t *ret_bytes, struct error *err)
{
	struct backup_order o = {.from = from,
				 .to = to,
				 .fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600),
				 .reserve = reserve,
				 .gentle = true,
				 .unchecked = true};

	if (o.fd < 0)
		return error_set_sqlite(err, SQLITE_CANTOPEN, "SQLITE_CANTOPEN", "the copy %.300s: %s", to,
					strerror(errno));
	int rc = backup_copy(&o, ret_bytes, err);
	/* Before anybody opens the copy: closing it lets go of all locks this process has on the file. */
	(void)close(o.fd);
	return rc;
}
