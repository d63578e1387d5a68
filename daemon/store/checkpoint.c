/*
 * Checkpoints away from the writer: a thread with a connection of its own copies the WAL back (PASSIVE) once it has
 * grown to checkpoint_bytes. Under a steady load it never quite catches up, and a WAL that is not wholly copied cannot
 * be begun anew: so when only a little is left, the writer copies the rest itself between two commits.
 */
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/store/internal.h"

/* Frames the writer may be asked to copy: a millisecond or two. */
#define WRITER_FRAMES_MAX 400
/* Pause after a run that was held up by a reader. */
#define BLOCKED_PAUSE_NS (100 * NS_PER_MS)

static int on_wal(void *arg, sqlite3 *handle, const char *database, int frames)
{
	struct db *db = arg;
	struct store *s = db->store;
	struct checkpointer *c = &s->checkpointer;

	(void)handle, (void)database;
	if (db->schema_touched) {
		db->schema_touched = false;
		atomic_fetch_add(&s->schema_changes, 1);
	}
	atomic_store_explicit(&c->wal_frames, frames, memory_order_relaxed);
	if ((int64_t)frames * s->page_size < store_get_config(s)->checkpoint_bytes || atomic_load(&c->writer_turn))
		return SQLITE_OK;
	pthread_mutex_lock(&c->lock);
	if (!c->wanted) {
		c->wanted = true;
		pthread_cond_signal(&c->work);
	}
	pthread_mutex_unlock(&c->lock);
	return SQLITE_OK;
}

void checkpointer_attach(struct db *writer) { sqlite3_wal_hook(writer->handle, on_wal, writer); }

/* One PASSIVE run. Returns frames not copied, -1 on failure. */
static int run(struct store *s, struct db *db)
{
	int all = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_PASSIVE, &all, &copied);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
		log_warning("store", "checkpoint failed: %s; it will be tried again after the next commit",
			    sqlite3_errmsg(db->handle));
		return -1;
	}
	atomic_fetch_add(&s->checkpoints, 1);
	atomic_store(&s->checkpointer.left_frames, all - copied);
	return all - copied;
}

void checkpointer_writer_turn(struct store *s, struct db *writer)
{
	struct checkpointer *c = &s->checkpointer;

	/* A session may have begun its transaction just now: the next gap will do. */
	if (!atomic_load_explicit(&c->writer_turn, memory_order_relaxed) || db_in_transaction(writer))
		return;
	run(s, writer);
	atomic_store(&c->writer_turn, 0);
}

/* Copies until little is left. True: held up by a reader. */
static bool work(struct store *s)
{
	struct checkpointer *c = &s->checkpointer;
	int before = INT32_MAX;

	for (;;) {
		int left = run(s, c->db);
		if (left <= 0)
			return left < 0;
		if (left <= WRITER_FRAMES_MAX) {
			atomic_store(&c->writer_turn, 1);
			return false;
		}
		if (left >= before) {
			atomic_fetch_add(&s->checkpoints_blocked, 1);
			return true;
		}
		before = left;
	}
}

static void *checkpointer_main(void *arg)
{
	struct store *s = arg;
	struct checkpointer *c = &s->checkpointer;
	bool blocked = false;

	pthread_mutex_lock(&c->lock);
	while (!c->closing) {
		if (blocked) {
			uint64_t at = clock_now_ns() + BLOCKED_PAUSE_NS;
			struct timespec until = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)};
			while (!c->closing && pthread_cond_timedwait(&c->work, &c->lock, &until) == 0)
				;
			blocked = false;
			continue;
		}
		if (!c->wanted) {
			pthread_cond_wait(&c->work, &c->lock);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		blocked = work(s);
		pthread_mutex_lock(&c->lock);
		c->wanted = false;
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* A connection that may write, for a read-only one cannot checkpoint; it is used for nothing else. */
static struct db *open_connection(struct store *s, struct error *err)
{
	struct db *db = xcalloc(1, sizeof *db);

	*db = (struct db){.store = s};
	stmt_cache_init(&db->cache, 1);
	if (sqlite3_open_v2(store_get_config(s)->path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) == SQLITE_OK &&
	    sqlite3_exec(db->handle, "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-256; SELECT 1 FROM sqlite_schema",
			 NULL, NULL, NULL) == SQLITE_OK)
		return db;
	db_error(db, "opening the checkpoint connection", err);
	db_close(db);
	return NULL;
}

int checkpointer_start(struct store *s, struct error *err)
{
	struct checkpointer *c = &s->checkpointer;
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->work, &attr);
	pthread_condattr_destroy(&attr);
	c->db = open_connection(s, err);
	if (!c->db)
		return -1;
	int rc = pthread_create(&c->thread, NULL, checkpointer_main, s);
	if (rc) {
		db_close(c->db);
		c->db = NULL;
		return error_set(err, ERRC_INTERNAL, "cannot start the checkpointer: %s", strerror(rc));
	}
	return 0;
}

void checkpointer_stop(struct store *s)
{
	struct checkpointer *c = &s->checkpointer;

	if (!c->db)
		return;
	pthread_mutex_lock(&c->lock);
	c->closing = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	db_close(c->db);
	c->db = NULL;
	pthread_cond_destroy(&c->work);
}
