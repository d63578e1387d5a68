/*
 * Restoring; see restore.h. The order:
 *
 *   1. the instance lock is taken, the backup copied to DATABASE.alterd-restore, settled, checked and synced;
 *   2. the old database and its log get second names (links), and the folder is synced: from here on they are safe;
 *   3. the old log loses its first name: the new file must never be found beside it;
 *   4. the copy is renamed over the old database.
 *
 * Cut short between 3 and 4 the old database stands there without the commits of its log; under the second names it has
 * them. The restore is run again then.
 */
#include "daemon/migrate/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/migrate/backup_settle.h"
#include "daemon/store/backup.h"
#include "daemon/store/lock.h"

/* Names of one second that are tried for what is kept. */
#define TRIES 1000

struct restoring {
	const char *backup;
	char *database, *folder; /* owned; through links */
	struct buf part;         /* the copy's path */
	struct stat old;         /* of the database; if there is one */
	bool has_old;
	int lock_fd, fd;
	int64_t reserve;
	struct restored *made;
	int *ret_exit;
	struct error *err;
};

static int failed(struct restoring *r, const char *doing, const char *what)
{
	*r->ret_exit = errno == ENOENT                                       ? EX_NOINPUT
		       : errno == EACCES || errno == EPERM || errno == EROFS ? EX_NOPERM
									     : EX_IOERR;
	return error_set(r->err, ERRC_INTERNAL, "%s %.300s: %s", doing, what, strerror(errno));
}

/* --- before anything is touched --- */

static int look_at_backup(struct restoring *r)
{
	struct stat st;

	if (stat(r->backup, &st) != 0)
		return failed(r, "the backup", r->backup);
	*r->ret_exit = EX_DATAERR;
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return error_set(r->err, ERRC_INVALID_PARAMS, "the backup %.300s is %s", r->backup,
				 S_ISREG(st.st_mode) ? "empty" : "not a file");
	*r->ret_exit = EX_USAGE;
	if (r->has_old && st.st_dev == r->old.st_dev && st.st_ino == r->old.st_ino)
		return error_set(r->err, ERRC_INVALID_PARAMS, "%.300s is the database itself", r->backup);
	return 0;
}

static int look_at_database(struct restoring *r, const char *database)
{
	char *real = realpath(database, NULL);

	r->database = real ? real : xstrdup(database);
	char *copy = xstrdup(r->database);
	r->folder = xstrdup(dirname(copy));
	free(copy);
	struct stat st;
	if (stat(r->folder, &st) != 0)
		return failed(r, "the database's folder", r->folder);
	r->has_old = stat(r->database, &r->old) == 0;
	*r->ret_exit = EX_USAGE;
	if (r->has_old && !S_ISREG(r->old.st_mode))
		return error_set(r->err, ERRC_INVALID_PARAMS, "%.300s is not a file", r->database);
	/* Where there is none, the folder's owner is whose it will be. */
	if (!r->has_old)
		r->old = (struct stat){.st_uid = st.st_uid, .st_gid = st.st_gid, .st_mode = 0640};
	return 0;
}

/* A file in WAL mode without its log is read as it is: nothing is to be made beside the backup. */
static void source_uri(const char *backup, struct buf *out)
{
	struct buf log = {0};
	struct stat st;

	buf_printf(&log, "%s-wal", backup);
	buf_puts(out, "file:");
	for (const unsigned char *p = (const unsigned char *)backup; *p; p++)
		if (strchr("%?#", *p))
			buf_printf(out, "%%%02x", *p);
		else
			buf_putc(out, (char)*p);
	buf_puts(out, stat(buf_cstr(&log), &st) == 0 && st.st_size > 0 ? "?mode=ro" : "?immutable=1");
	buf_free(&log);
}

static int settle(void *arg, sqlite3 *copy, struct error *err) { return backup_settle(copy, arg, err); }

static int exit_of(int code)
{
	switch (code & 255) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return EX_DATAERR;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return EX_NOPERM;
	default:
		return EX_IOERR;
	}
}

/* Who may use the database goes on to use it, whoever restores. */
static int give_away(struct restoring *r, int fd, bool mode, const char *what)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return failed(r, "looking at", what);
	if ((st.st_uid != r->old.st_uid || st.st_gid != r->old.st_gid) &&
	    fchown(fd, r->old.st_uid, r->old.st_gid) != 0 && geteuid() == 0)
		return failed(r, "giving its owner to", what);
	return mode && fchmod(fd, r->old.st_mode & 07777) != 0 ? failed(r, "setting the mode of", what) : 0;
}

static int copy(struct restoring *r)
{
	struct buf from = {0};

	/* The lock is ours: nobody else is at it, and one that is there was left behind. */
	(void)unlink(buf_cstr(&r->part));
	r->fd = open(buf_cstr(&r->part), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return failed(r, "making", buf_cstr(&r->part));
	source_uri(r->backup, &from);
	struct backup_order order = {.from = buf_cstr(&from),
				     .to = buf_cstr(&r->part),
				     .fd = r->fd,
				     .reserve = r->reserve,
				     .full_check = true,
				     .settle = settle,
				     .arg = &r->made->version};
	int rc = backup_copy(&order, &r->made->bytes, r->err);
	*r->ret_exit = exit_of(r->err->code);
	buf_free(&from);
	return rc == 0 ? give_away(r, r->fd, true, buf_cstr(&r->part)) : -1;
}

/* --- in its place --- */

static int sync_folder(struct restoring *r)
{
	int fd = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd >= 0 && fsync(fd) == 0 ? 0 : failed(r, "syncing", r->folder);

	if (fd >= 0)
		close(fd);
	return rc;
}

static void beside(const char *database, const char *suffix, struct buf *out)
{
	buf_reset(out, 4096);
	buf_printf(out, "%s%s", database, suffix);
}

static bool there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* "app.db.before-restore-20260301T100000Z", and that no such file is there. */
static void name_kept(struct restoring *r)
{
	char time[32];

	clock_format(clock_wall_ms(), 0, time);
	for (int nth = 1; nth < TRIES; nth++) {
		beside(r->database, ".before-restore-", &r->made->kept);
		for (const char *p = time; *p; p++)
			if (*p != '-' && *p != ':')
				buf_putc(&r->made->kept, *p);
		if (nth > 1)
			buf_printf(&r->made->kept, "-%d", nth);
		if (!there(buf_cstr(&r->made->kept)))
			return;
	}
}

/* A second name; where the file system has no links, another one. */
static int keep(struct restoring *r, const char *suffix)
{
	struct buf from = {0}, to = {0};
	int rc = 0;

	beside(r->database, suffix, &from);
	beside(buf_cstr(&r->made->kept), suffix, &to);
	if (link(buf_cstr(&from), buf_cstr(&to)) != 0 && errno != ENOENT &&
	    (errno == EEXIST || rename(buf_cstr(&from), buf_cstr(&to)) != 0))
		rc = failed(r, "keeping", buf_cstr(&from));
	buf_free(&from);
	buf_free(&to);
	return rc;
}

static int take_away(struct restoring *r, const char *suffix)
{
	struct buf path = {0};
	int rc = 0;

	beside(r->database, suffix, &path);
	if (unlink(buf_cstr(&path)) != 0 && errno != ENOENT)
		rc = failed(r, "taking away", buf_cstr(&path));
	buf_free(&path);
	return rc;
}

static int put_in_place(struct restoring *r)
{
	static const char *const logs[] = {"-wal", "-journal"};

	name_kept(r);
	for (size_t i = 0; i < 2; i++)
		if (keep(r, logs[i]) != 0)
			return -1;
	if (keep(r, "") != 0 || sync_folder(r) != 0)
		return -1;
	(void)FAULT("restore-kept");
	for (size_t i = 0; i < 2; i++)
		if (take_away(r, logs[i]) != 0)
			return -1;
	if (take_away(r, "-shm") != 0 || sync_folder(r) != 0)
		return -1;
	(void)FAULT("restore-bare");
	if (rename(buf_cstr(&r->part), r->database) != 0)
		return failed(r, "naming", r->database);
	return sync_folder(r);
}

int restore_backup(const char *backup, const char *database, int64_t reserve, struct restored *ret, int *ret_exit,
		   struct error *err)
{
	struct restoring r = {.backup = backup,
			      .lock_fd = -1,
			      .fd = -1,
			      .reserve = reserve,
			      .made = ret,
			      .ret_exit = ret_exit,
			      .err = err};
	int rc = -1;

	*ret = (struct restored){0};
	if (look_at_database(&r, database) == 0 && look_at_backup(&r) == 0 &&
	    store_lock(r.database, &r.lock_fd, ret_exit, err) == 0 &&
	    give_away(&r, r.lock_fd, false, "the lock file") == 0) {
		beside(r.database, ".alterd-restore", &r.part);
		rc = copy(&r) == 0 ? put_in_place(&r) : -1;
		if (rc != 0)
			(void)unlink(buf_cstr(&r.part));
	}
	if (!r.has_old)
		buf_free(&ret->kept);
	if (r.fd >= 0)
		close(r.fd);
	if (r.lock_fd >= 0)
		close(r.lock_fd);
	buf_free(&r.part);
	free(r.database);
	free(r.folder);
	return rc;
}
