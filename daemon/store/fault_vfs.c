/*
 * Between SQLite and the machine, in a build with fault points: a file system that fails, fills up, tears a write or
 * loses what was not synced, and an allocator that runs out. What is asked for is daemon/lib/fault.h's to know.
 *
 * Power loss: each write since a file's last sync is remembered with what it wrote over. When the power goes, they are
 * taken back from the newest to the oldest: all of them, or by the toss of a coin, as a disk that reorders writes may
 * leave it. The coin is the point's hit, so a run can be repeated. Truncating and deleting count as durable at once.
 */
#include "daemon/store/fault_vfs.h"

#ifdef ALTERD_FAULTS

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/fault.h"
#include "daemon/lib/list.h"

struct file {
	sqlite3_file base; /* first: SQLite's view */
	sqlite3_file *real;
	char *path; /* owned; NULL for a temporary file, which nobody reads after the power is back */
};

/*
 * A write that no sync has covered yet. By path, not by handle: a sync covers what was written through any handle of
 * the file, and a write outlives the handle.
 */
struct undo {
	struct list_node node;
	char *path;
	sqlite3_int64 at, size_before;
	int n; /* bytes that stood there */
	unsigned char old[];
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs fault_vfs;
static sqlite3_mem_methods real_memory;
/* Newest last. Writes and syncs of all threads are put in one order by the lock. */
static struct list undos;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static sqlite3_file *real_of(sqlite3_file *f) { return ((struct file *)f)->real; }

static enum fault_kind ask(const char *name)
{
	char scoped[32];

	if (!fault_in_step())
		return fault_ask(name);
	snprintf(scoped, sizeof(scoped), "step-%s", name);
	return fault_ask(scoped);
}

/* --- what the power takes --- */

static void free_undo(struct undo *u)
{
	list_remove(&undos, &u->node);
	free(u->path);
	free(u);
}

static void forget(const char *path)
{
	for (struct list_node *n = list_first(&undos), *next; n; n = next) {
		struct undo *u = LIST_ENTRY(n, struct undo, node);
		next = list_next(&undos, n);
		if (strcmp(u->path, path) == 0)
			free_undo(u);
	}
}

static void remember(const struct file *f, sqlite3_int64 at, int n)
{
	sqlite3_file *real = f->real;

	if (!f->path)
		return;
	struct undo *u = xmalloc(sizeof(*u) + (size_t)n);
	*u = (struct undo){.path = xstrdup(f->path), .at = at};
	if (real->pMethods->xFileSize(real, &u->size_before) != SQLITE_OK)
		u->size_before = 0;
	u->n = at >= u->size_before ? 0 : u->size_before - at < n ? (int)(u->size_before - at) : n;
	if (u->n > 0 && real->pMethods->xRead(real, u->old, u->n, at) != SQLITE_OK)
		u->n = 0;
	list_push(&undos, &u->node);
}

static void take_back(const struct undo *u, bool all)
{
	int fd = open(u->path, O_WRONLY | O_CLOEXEC);
	ssize_t done = u->n > 0 && fd >= 0 ? pwrite(fd, u->old, (size_t)u->n, u->at) : u->n;

	CHECK(fd < 0 || done == u->n);
	/* Only where nothing that was written later is kept. */
	if (all && fd >= 0)
		CHECK(ftruncate(fd, u->size_before) == 0);
}

static _Noreturn void lose_power(void)
{
	uint64_t coin = 88172645463325252U + fault_hits("write") * 2654435761U + fault_hits("step-write") * 40503U;
	bool all = coin % 3 == 0;

	while (!list_empty(&undos)) {
		struct undo *u = LIST_ENTRY(undos.head.prev, struct undo, node);
		coin ^= coin << 13;
		coin ^= coin >> 7;
		coin ^= coin << 17;
		if (all || coin % 2)
			take_back(u, all);
		free_undo(u);
	}
	fault_die();
}

/* --- a file --- */

static int on_close(sqlite3_file *f)
{
	struct file *file = (struct file *)f;
	int rc = file->real->pMethods->xClose(file->real);

	free(file->real);
	free(file->path);
	return rc;
}

static int on_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
	if (ask("read") != FAULT_NONE)
		return SQLITE_IOERR_READ;
	return real_of(f)->pMethods->xRead(real_of(f), data, n, at);
}

static int write_locked(const struct file *f, const void *data, int n, sqlite3_int64 at)
{
	sqlite3_file *real = f->real;

	switch (ask("write")) {
	case FAULT_NONE:
		break;
	case FAULT_FAIL:
		return SQLITE_IOERR_WRITE;
	case FAULT_FULL:
		return SQLITE_FULL;
	case FAULT_TORN:
		real->pMethods->xWrite(real, data, n / 2, at);
		fault_die();
	case FAULT_POWER:
		lose_power();
	}
	remember(f, at, n);
	return real->pMethods->xWrite(real, data, n, at);
}

static int on_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	pthread_mutex_lock(&lock);
	int rc = write_locked((struct file *)f, data, n, at);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	enum fault_kind kind = ask("truncate");

	if (kind == FAULT_TORN || kind == FAULT_POWER)
		fault_die();
	if (kind != FAULT_NONE)
		return SQLITE_IOERR_TRUNCATE;
	return real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
	pthread_mutex_lock(&lock);
	enum fault_kind kind = ask("sync");
	if (kind == FAULT_TORN || kind == FAULT_POWER)
		lose_power();
	int rc = kind != FAULT_NONE ? SQLITE_IOERR_FSYNC : real_of(f)->pMethods->xSync(real_of(f), flags);
	if (rc == SQLITE_OK && ((struct file *)f)->path)
		forget(((struct file *)f)->path);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int on_size(sqlite3_file *f, sqlite3_int64 *ret) { return real_of(f)->pMethods->xFileSize(real_of(f), ret); }
static int on_lock(sqlite3_file *f, int level) { return real_of(f)->pMethods->xLock(real_of(f), level); }
static int on_unlock(sqlite3_file *f, int level) { return real_of(f)->pMethods->xUnlock(real_of(f), level); }
static int on_reserved(sqlite3_file *f, int *ret) { return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret); }
static int on_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}
static int on_sector(sqlite3_file *f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }
static int on_device(sqlite3_file *f) { return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f)); }
static int on_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}
static int on_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}
static void on_shm_barrier(sqlite3_file *f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); }
static int on_shm_unmap(sqlite3_file *f, int delete) { return real_of(f)->pMethods->xShmUnmap(real_of(f), delete); }

/* Version 2: no memory-mapped pages, which nobody could fail. */
static const sqlite3_io_methods methods = {
	.iVersion = 2,
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
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct file *file = (struct file *)f;

	(void)vfs;
	*file = (struct file){0};
	if (ask("open") != FAULT_NONE)
		return SQLITE_CANTOPEN;
	file->real = xcalloc(1, (size_t)real_vfs->szOsFile);
	int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
	if (!file->real->pMethods) {
		free(file->real);
		return rc;
	}
	file->path = name ? xstrdup(name) : NULL;
	file->base.pMethods = &methods;
	return rc;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	pthread_mutex_lock(&lock);
	forget(name);
	pthread_mutex_unlock(&lock);
	return real_vfs->xDelete(real_vfs, name, sync);
}

/* --- memory --- */

static void *on_malloc(int n) { return ask("alloc") != FAULT_NONE ? NULL : real_memory.xMalloc(n); }

static void *on_realloc(void *p, int n) { return ask("alloc") != FAULT_NONE ? NULL : real_memory.xRealloc(p, n); }

void fault_vfs_install(void)
{
	if (real_vfs)
		return;
	/* A test that has used SQLite before keeps the allocator it has. */
	sqlite3_mem_methods memory;
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) == SQLITE_OK) {
		real_memory = memory;
		memory.xMalloc = on_malloc;
		memory.xRealloc = on_realloc;
		CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) == SQLITE_OK);
	}
	real_vfs = sqlite3_vfs_find(NULL);
	CHECK(real_vfs);
	list_init(&undos);
	fault_vfs = *real_vfs;
	fault_vfs.zName = "alterd-faults";
	fault_vfs.szOsFile = (int)sizeof(struct file);
	fault_vfs.pNext = NULL;
	fault_vfs.xOpen = on_open;
	fault_vfs.xDelete = on_delete;
	CHECK(sqlite3_vfs_register(&fault_vfs, 1) == SQLITE_OK);
}

#else

typedef int fault_vfs_is_compiled_out;

#endif
