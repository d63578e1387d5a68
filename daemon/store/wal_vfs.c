/*
 * Between SQLite and the log, on the writer's connection: fewer writes, and checksums that hold.
 *
 * SQLite writes each frame of a commit with two calls, 24 bytes and a page; of what a small write costs the writer a
 * good part goes into these. Here frames that are appended one behind the other are gathered in memory and written
 * together. Nobody can see the difference. Other connections read frames up to the last commit only, and a commit is
 * published after its last frame, which SQLite marks as such, has been "written": at that one everything goes out, so
 * an error is the commit's. Reads through this handle are answered from memory where they must be. What a transaction
 * that is rolled back has left here goes out before its lock does, so that another process's frames cannot be written
 * over. What cannot be written is kept and tried again at the next call, until that lock goes: a frame is never left
 * out in the middle. All else - the first frame of a transaction that begins anew, a page written again in place,
 * checksums made anew - goes straight through, and in order: the memory is emptied before.
 *
 * The checksums: a page that goes to the log a second time before the commit is written over its first frame, and the
 * frames from there on get their checksums at the commit. SQLite up to 3.40 at least forgets a few of them when a
 * savepoint, or a statement that failed, was rolled back in between to before that frame. The commit is in the log
 * then, but after a crash neither it nor any that followed it would be found there. As SQLite begins to make the
 * checksums it asks for the one to go on from; here those that are missing before it are made first.
 */
#include "daemon/store/wal_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/pulse.h"

#define NAME "alterd-wal"
#define FRAME_HEADER 24
#define LOG_HEADER 32
/* SQLite's file system cannot write 128 KiB at once. */
#define GATHER_MAX (120 * 1024)
#define PAGE_MAX 65536

struct file {
	sqlite3_file base;    /* first: SQLite's view */
	sqlite3_file *real;   /* behind this struct */
	struct file *partner; /* of a database its log, and the other way round; NULL: none */
	/* Of a log: */
	unsigned char *gathered;   /* owned; NULL: nothing is gathered */
	int len;                   /* bytes in it */
	bool in_frame, commit;     /* its last header has no page yet; and is the last of its transaction */
	sqlite3_int64 start, tail; /* where they belong; where the page written last ended */
	sqlite3_int64 end[];       /* the real file; SQLite gives 8 bytes of alignment */
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs wal_vfs;

static struct file *file_of(sqlite3_file *f) { return (struct file *)f; }
static sqlite3_file *real_of(sqlite3_file *f) { return file_of(f)->real; }

/* --- the log --- */

static int write_out(struct file *w)
{
	if (w->len == 0)
		return SQLITE_OK;
	int rc = w->real->pMethods->xWrite(w->real, w->gathered, w->len, w->start);
	if (rc != SQLITE_OK)
		return rc;
	w->tail = w->start + w->len;
	w->len = 0;
	w->in_frame = false;
	return SQLITE_OK;
}

static int write_through(struct file *w, const void *data, int n, sqlite3_int64 at)
{
	int rc = w->real->pMethods->xWrite(w->real, data, n, at);

	if (rc == SQLITE_OK && n != FRAME_HEADER)
		w->tail = at + n;
	return rc;
}

static int on_log_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	struct file *w = file_of(f);
	bool header = n == FRAME_HEADER;

	pulse_beat();
	bool next = w->len ? at == w->start + w->len && header != w->in_frame && w->len + n <= GATHER_MAX
			   : at == w->tail && header && w->gathered;

	if (!next) {
		int rc = write_out(w);
		return rc == SQLITE_OK ? write_through(w, data, n, at) : rc;
	}
	if (w->len == 0)
		w->start = at;
	memcpy(w->gathered + w->len, data, (size_t)n);
	w->len += n;
	w->in_frame = header;
	if (header) {
		/* The size of the database after the commit; 0 in all frames but its last. */
		static const char none[4];
		w->commit = memcmp((const char *)data + 4, none, sizeof none) != 0;
		return SQLITE_OK;
	}
	return w->commit ? write_out(w) : SQLITE_OK;
}

/* --- missing checksums --- */

struct chain {
	unsigned char salt[8];
	bool big_endian;
	int page; /* bytes */
	uint32_t sum[2];
};

static uint32_t get_word(const unsigned char *p, bool big_endian)
{
	return big_endian ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
			  : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void put_word(unsigned char *p, uint32_t word)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(word >> (24 - 8 * i));
}

static void add_up(struct chain *c, const unsigned char *p, int n)
{
	for (int i = 0; i < n; i += 8) {
		c->sum[0] += get_word(p + i, c->big_endian) + c->sum[1];
		c->sum[1] += get_word(p + i + 4, c->big_endian) + c->sum[0];
	}
}

static int log_read(struct file *w, void *data, int n, sqlite3_int64 at)
{
	return w->real->pMethods->xRead(w->real, data, n, at);
}

/* Frame `at` gets its salt and checksum; `data` has room for a page. */
static int seal_frame(struct file *w, struct chain *c, unsigned char *data, sqlite3_int64 at)
{
	unsigned char header[FRAME_HEADER];
	int rc = log_read(w, header, FRAME_HEADER, at);

	if (rc == SQLITE_OK)
		rc = log_read(w, data, c->page, at + FRAME_HEADER);
	if (rc != SQLITE_OK)
		return rc;
	memcpy(header + 8, c->salt, sizeof c->salt);
	add_up(c, header, 8);
	add_up(c, data, c->page);
	put_word(header + 16, c->sum[0]);
	put_word(header + 20, c->sum[1]);
	return w->real->pMethods->xWrite(w->real, header, FRAME_HEADER, at);
}

/* Where the frames whose checksum was put off begin, of those up to `last`: SQLite writes zeros for it and the salt. */
static int find_unsealed(struct file *w, sqlite3_int64 size, sqlite3_int64 last, sqlite3_int64 *ret)
{
	static const unsigned char none[16];
	unsigned char sealed[16];
	sqlite3_int64 first = last + size;

	for (; first > LOG_HEADER; first -= size) {
		int rc = log_read(w, sealed, sizeof sealed, first - size + 8);
		if (rc != SQLITE_OK)
			return rc;
		if (memcmp(sealed, none, sizeof none) != 0)
			break;
	}
	*ret = first;
	return SQLITE_OK;
}

/*
 * SQLite asks for the checksum of the frame before the first that it will make new ones for. All before it, up to the
 * end of the log, get theirs. *at is moved to the frame written last if it is behind that.
 */
static int seal_before(struct file *w, sqlite3_int64 *at)
{
	unsigned char header[LOG_HEADER], sum[8];
	struct chain c = {0};
	int rc = log_read(w, header, LOG_HEADER, 0);

	if (rc != SQLITE_OK)
		return rc;
	c.big_endian = header[3] & 1;
	c.page = (int)get_word(header + 8, true);
	memcpy(c.salt, header + 16, sizeof c.salt);
	sqlite3_int64 size = c.page + FRAME_HEADER, last = *at - 16;
	if (c.page < 512 || c.page > PAGE_MAX || last < LOG_HEADER || (last - LOG_HEADER) % size != 0)
		return SQLITE_OK; /* not such a question */
	if (last > w->tail - size)
		last = w->tail - size;
	*at = last + 16;
	sqlite3_int64 first = 0;
	rc = find_unsealed(w, size, last, &first);
	if (rc != SQLITE_OK || first > last)
		return rc;
	rc = log_read(w, sum, sizeof sum, first == LOG_HEADER ? 24 : first - size + 16);
	if (rc != SQLITE_OK)
		return rc;
	c.sum[0] = get_word(sum, true);
	c.sum[1] = get_word(sum + 4, true);
	unsigned char *data = malloc((size_t)c.page);
	if (!data)
		return SQLITE_IOERR_NOMEM;
	for (; rc == SQLITE_OK && first <= last; first += size)
		rc = seal_frame(w, &c, data, first);
	free(data);
	return rc;
}

static int on_log_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
	struct file *w = file_of(f);

	pulse_beat();
	if (n == 8 && w->partner) {
		int rc = write_out(w);
		if (rc == SQLITE_OK)
			rc = seal_before(w, &at);
		return rc == SQLITE_OK ? log_read(w, data, n, at) : rc;
	}
	if (w->len && at >= w->start && at + n <= w->start + w->len) {
		memcpy(data, w->gathered + (at - w->start), (size_t)n);
		return SQLITE_OK;
	}
	if (w->len && at < w->start + w->len && at + n > w->start) {
		int rc = write_out(w);
		if (rc != SQLITE_OK)
			return rc;
	}
	return log_read(w, data, n, at);
}

static int on_sync(sqlite3_file *f, int flags)
{
	pulse_sync_begins();
	int rc = real_of(f)->pMethods->xSync(real_of(f), flags);
	pulse_sync_ends();
	return rc;
}

static int on_log_sync(sqlite3_file *f, int flags)
{
	int rc = write_out(file_of(f));

	return rc == SQLITE_OK ? on_sync(f, flags) : rc;
}

static int on_log_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = write_out(file_of(f));

	return rc == SQLITE_OK ? real_of(f)->pMethods->xTruncate(real_of(f), size) : rc;
}

static int on_log_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	int rc = write_out(file_of(f));

	return rc == SQLITE_OK ? real_of(f)->pMethods->xFileSize(real_of(f), ret) : rc;
}

/* --- the database --- */

static int on_shm_lock(sqlite3_file *f, int from, int n, int flags)
{
	struct file *log = file_of(f)->partner;

	/*
	 * An error concerns no one: what is here then was not committed. But with the lock of the writer (the first
	 * one) goes the right to these places in the log: another process may write there, and nothing of ours after.
	 */
	if (log && (flags & SQLITE_SHM_UNLOCK) && write_out(log) != SQLITE_OK && from == 0) {
		log->len = 0;
		log->in_frame = false;
	}
	return real_of(f)->pMethods->xShmLock(real_of(f), from, n, flags);
}

/* --- both --- */

static int on_close(sqlite3_file *f)
{
	struct file *file = file_of(f);

	write_out(file);
	if (file->partner)
		file->partner->partner = NULL;
	free(file->gathered);
	return file->real->pMethods->xClose(file->real);
}

static int on_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
	pulse_beat();
	return real_of(f)->pMethods->xRead(real_of(f), data, n, at);
}

static int on_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	pulse_beat();
	return real_of(f)->pMethods->xWrite(real_of(f), data, n, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return real_of(f)->pMethods->xTruncate(real_of(f), size);
}
static int on_size(sqlite3_file *f, sqlite3_int64 *ret) { return real_of(f)->pMethods->xFileSize(real_of(f), ret); }
static int on_lock(sqlite3_file *f, int level) { return real_of(f)->pMethods->xLock(real_of(f), level); }
static int on_unlock(sqlite3_file *f, int level) { return real_of(f)->pMethods->xUnlock(real_of(f), level); }

static int on_reserved(sqlite3_file *f, int *ret) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret); }

static int on_control(sqlite3_file *f, int what, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), what, arg);
}

static int on_sector(sqlite3_file *f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
static int on_device(sqlite3_file *f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); }

static int on_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}

static void on_shm_barrier(sqlite3_file *f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); }
static int on_shm_unmap(sqlite3_file *f, int remove) { return real_of(f)->pMethods->xShmUnmap(real_of(f), remove); }

static int on_fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **ret)
{
	return real_of(f)->pMethods->xFetch(real_of(f), at, n, ret);
}

static int on_unfetch(sqlite3_file *f, sqlite3_int64 at, void *page)
{
	return real_of(f)->pMethods->xUnfetch(real_of(f), at, page);
}

static const sqlite3_io_methods database_methods = {
	.iVersion = 3,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_reserved,
	.xFileControl = on_control,
	.xSectorSize = on_sector,
	.xDeviceCharacteristics = on_device,
	.xShmMap = on_shm_map,
	.xShmLock = on_shm_lock,
	.xShmBarrier = on_shm_barrier,
	.xShmUnmap = on_shm_unmap,
	.xFetch = on_fetch,
	.xUnfetch = on_unfetch,
};

/* The same for a real file system that does not map files. */
static sqlite3_io_methods unmapped_methods;

static const sqlite3_io_methods log_methods = {
	.iVersion = 1,
	.xClose = on_close,
	.xRead = on_log_read,
	.xWrite = on_log_write,
	.xTruncate = on_log_truncate,
	.xSync = on_log_sync,
	.xFileSize = on_log_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_reserved,
	.xFileControl = on_control,
	.xSectorSize = on_sector,
	.xDeviceCharacteristics = on_device,
};

static bool is_database(const sqlite3_file *f)
{
	return f && (f->pMethods == &database_methods || f->pMethods == &unmapped_methods);
}

/* --- the file system --- */

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct file *file = file_of(f);
	bool log = (flags & SQLITE_OPEN_WAL) != 0;

	(void)vfs;
	if (!log && !(flags & SQLITE_OPEN_MAIN_DB))
		return real_vfs->xOpen(real_vfs, name, f, flags, ret_flags);
	*file = (struct file){.real = (sqlite3_file *)(void *)file->end};
	int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
	if (!file->real->pMethods)
		return rc;
	file->base.pMethods = log                                  ? &log_methods
			      : file->real->pMethods->iVersion < 3 ? &unmapped_methods
								   : &database_methods;
	sqlite3_file *database = log ? sqlite3_database_file_object(name) : NULL;
	if (is_database(database) && !file_of(database)->partner) {
		file->partner = file_of(database);
		file->partner->partner = file;
		file->gathered = malloc(GATHER_MAX);
	}
	return rc;
}

static void install(void)
{
	sqlite3_vfs *found = sqlite3_vfs_find(NULL);

	if (!found)
		return;
	unmapped_methods = database_methods;
	unmapped_methods.iVersion = 2;
	wal_vfs = *found;
	wal_vfs.zName = NAME;
	wal_vfs.szOsFile = (int)offsetof(struct file, end) + found->szOsFile;
	wal_vfs.pNext = NULL;
	wal_vfs.xOpen = on_open;
	if (sqlite3_vfs_register(&wal_vfs, 0) == SQLITE_OK)
		real_vfs = found;
}

const char *wal_vfs_name(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	CHECK(pthread_once(&once, install) == 0);
	return real_vfs ? NAME : NULL;
}
