/*
 * A checkpoint copies tens of megabytes into the database file. Synced at its end alone, they all stand before a
 * client's commit in the disk's queue, which then takes ten times as long as another. So while there are clients, the
 * file is synced each time so much was written that a commit hardly notices it. Without clients that would only make
 * the checkpoint slower; and clients that write faster than it copies must not be let run away.
 */
#include "daemon/store/steady.h"

#include "daemon/store/internal.h"

/* A millisecond or so of a disk's time. */
#define SYNC_EVERY (256 * 1024)
/* How long after its last answer a client counts as being at work. */
#define CLIENTS_NS (100 * NS_PER_MS)

bool store_clients_at_work(const struct store *s)
{
	return clock_now_ns() < atomic_load_explicit(&s->answered_ns, memory_order_relaxed) + CLIENTS_NS;
}

static int write_steadily(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
	struct steady *st = (struct steady *)(uintptr_t)file->pMethods;
	int rc = st->plain->xWrite(file, data, n, at);

	st->unsynced += n;
	if (rc != SQLITE_OK || st->unsynced < SYNC_EVERY)
		return rc;
	st->unsynced = 0;
	bool steady = store_clients_at_work(st->store) && !store_wal_outruns(st->store);
	return steady ? st->plain->xSync(file, SQLITE_SYNC_NORMAL) : SQLITE_OK;
}

int steady_attach(struct steady *st, const struct store *s, sqlite3 *handle)
{
	sqlite3_file *file = NULL;
	int rc = sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (rc != SQLITE_OK)
		return rc;
	*st = (struct steady){.methods = *file->pMethods, .plain = file->pMethods, .store = s};
	st->methods.xWrite = write_steadily;
	file->pMethods = &st->methods;
	return SQLITE_OK;
}
