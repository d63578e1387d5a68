/* Copying a database by one snapshot; see snapshot.h. */
#include "daemon/store/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "daemon/lib/clock.h"
#include "daemon/store/codes.h"
#include "proto/buf.h"

/* Pages at once; what is written before it is synced; the longest pause. */
#define STEP_PAGES 128
#define SYNC_BYTES ((int64_t)4 << 20)
#define PAUSE_MAX_NS (50 * NS_PER_MS)
/* How long a lock of the source is waited for: it is held for moments only. */
#define BUSY_MS 5000
/* Memory of either side, in KiB: the copy is on its way to the disk anyway. */
#define CACHE_SQL "PRAGMA cache_size=-1024"

struct copying {
	sqlite3 *from, *to;
	const char *path; /* of the copy */
	int fd;           /* of the copy, for syncing */
	int64_t reserve_bytes, unsynced;
};

const char *const snapshot_tails[] = {"", "-wal", "-shm", "-journal", ".alterd-lock", NULL};

void snapshot_remove(const char *path)
{
	struct buf name = {0};

	for (size_t i = 0; snapshot_tails[i]; i++) {
		buf_truncate(&name, 0);
		buf_printf(&name, "%s%s", path, snapshot_tails[i]);
		(void)unlink(buf_cstr(&name));
	}
	buf_free(&name);
}

static int failed(sqlite3 *db, int code, const char *doing, struct error *err)
{
	return error_from_sqlite(err, code, -1, doing, db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}

/* Opens the source and takes its snapshot. */
static int open_source(struct copying *c, const char *path, struct error *err)
{
	int code = sqlite3_open_v2(path, &c->from, SQLITE_OPEN_READONLY, NULL);

	if (code == SQLITE_OK) {
		sqlite3_extended_result_codes(c->from, 1);
		sqlite3_busy_timeout(c->from, BUSY_MS);
		code = sqlite3_exec(c->from, CACHE_SQL "; BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
	}
	return code == SQLITE_OK ? 0 : failed(c->from, code, "reading the database for a copy", err);
}

/* Until it is whole there is nothing that a journal could save. */
static int open_copy(struct copying *c, struct error *err)
{
	c->fd = open(c->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->fd < 0)
		return error_set_sqlite(err, SQLITE_CANTOPEN, "SQLITE_CANTOPEN", "the copy %.300s: %s", c->path,
					strerror(errno));
	int code = sqlite3_open_v2(c->path, &c->to, SQLITE_OPEN_READWRITE, NULL);
	if (code == SQLITE_OK) {
		sqlite3_extended_result_codes(c->to, 1);
		code = sqlite3_exec(c->to, CACHE_SQL "; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL, NULL,
				    NULL);
	}
	return code == SQLITE_OK ? 0 : failed(c->to, code, "opening the copy", err);
}

static int look_at_space(const struct copying *c, struct error *err)
{
	struct statvfs disk;

	if (fstatvfs(c->fd, &disk) != 0 || (int64_t)(disk.f_bavail * disk.f_frsize) >= c->reserve_bytes)
		return 0;
	return error_set_sqlite(err, SQLITE_FULL, "SQLITE_FULL",
				"the copy %.300s would leave less free on the disk than store.disk_reserve", c->path);
}

static void pause_for(uint64_t ns)
{
	struct timespec t = {.tv_sec = 0, .tv_nsec = (long)(ns < PAUSE_MAX_NS ? ns : PAUSE_MAX_NS)};

	(void)nanosleep(&t, NULL);
}

static int copy_pages(struct copying *c, sqlite3_backup *backup, struct error *err)
{
	int before = 0, code;

	for (;;) {
		uint64_t start = clock_now_ns();
		if (look_at_space(c, err) != 0)
			return -1;
		code = sqlite3_backup_step(backup, STEP_PAGES);
		if (code != SQLITE_OK)
			break;
		int done = sqlite3_backup_pagecount(backup) - sqlite3_backup_remaining(backup);
		c->unsynced += (int64_t)(done - before) * 4096;
		before = done;
		if (c->unsynced >= SYNC_BYTES) {
			(void)fdatasync(c->fd);
			c->unsynced = 0;
		}
		pause_for(clock_now_ns() - start);
	}
	return code == SQLITE_DONE ? 0 : failed(NULL, code, "copying the database", err);
}

static int copy_all(struct copying *c, int64_t *ret_bytes, struct error *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(c->to, "main", c->from, "main");

	if (!backup)
		return failed(c->to, sqlite3_extended_errcode(c->to), "copying the database", err);
	int rc = copy_pages(c, backup, err);
	int code = sqlite3_backup_finish(backup);
	if (rc == 0 && code != SQLITE_OK)
		rc = failed(c->to, code, "copying the database", err);
	off_t end = lseek(c->fd, 0, SEEK_END);
	*ret_bytes = end > 0 ? (int64_t)end : 0;
	return rc;
}

int snapshot_copy(const char *from, const char *to, int64_t reserve_bytes, int64_t *ret_bytes, struct error *err)
{
	struct copying c = {.path = to, .fd = -1, .reserve_bytes = reserve_bytes};

	int rc = open_source(&c, from, err);
	if (rc == 0)
		rc = open_copy(&c, err);
	if (rc == 0)
		rc = copy_all(&c, ret_bytes, err);
	sqlite3_close(c.to);
	sqlite3_close(c.from);
	/* Last: closing it lets go of all locks this process has on the file. */
	if (c.fd >= 0)
		(void)close(c.fd);
	return rc;
}
