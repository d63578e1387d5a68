/*
 * Checkpoints away from the writer: a thread with a connection of its own copies the WAL back (PASSIVE) once it has
 * grown to checkpoint_bytes, round by round, for the writer goes on meanwhile. A WAL that is not wholly copied cannot
 * be begun anew, and under a steady load the thread never quite catches up: so when only a little is left, the writer
 * copies the rest itself between two transactions and begins the WAL anew (RESTART).
 *
 * That last run is also the one that syncs the database file, all of it. So that the writer does not stand still for
 * that, the thread syncs the file after each of its own rounds, and within them: see steady.c.
 *
 * With store.checkpoint = external all this is another process's: see outside.c.
 */
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/store/internal.h"

/* Frames the writer may be asked to copy: a millisecond or two. */
#define WRITER_FRAMES_MAX 200
/* Rounds before the writer copies the rest however much it is: it is faster than the disk. */
#define ROUNDS_MAX 8
/* The writer's wait for readers that still look at the WAL; twice that at most. */
#define WRITER_WAIT_MS 2
/* Pause after a run that was held up by a reader. */
#define BLOCKED_PAUSE_NS (100 * NS_PER_MS)

static int on_wal(void *arg, sqlite3 *handle, const char *database, int frames)
{
	struct db *db = arg;
	struct store *s = db->store;
	struct checkpointer *c = &s->checkpointer;

	(void)handle, (void)database;
	s->outside.own_commits++;
	if (db->schema_touched) {
		db->schema_touched = false;
		atomic_fetch_add(&s->schema_changes, 1);
		changes_schema_touched(s);
	}
	atomic_store_explicit(&c->wal_frames, frames, memory_order_relaxed);
	if ((int64_t)frames * s->page_size < store_get_config(s)->checkpoint_bytes || atomic_load(&c->writer_turn) ||
	    clock_now_ns() < atomic_load_explicit(&c->not_before_ns, memory_order_relaxed))
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

void checkpointer_wake(struct store *s)
{
	struct checkpointer *c = &s->checkpointer;

	pthread_mutex_lock(&c->lock);
	c->wanted = true;
	pthread_cond_signal(&c->work);
	pthread_mutex_unlock(&c->lock);
}

/* One run. 0, or frames that a reader's snapshot holds; -1 on failure. */
static int run(struct store *s, struct db *db, int mode)
{
	int all = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(db->handle, "main", mode, &all, &copied);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
		log_event(LOG_LEVEL_WARNING, "store", LOG_FIELDS(.event = LOG_EVENT_CHECKPOINT_FAILED),
			  "checkpoint failed: %s; it will be tried again after the next commit",
			  sqlite3_errmsg(db->handle));
		return -1;
	}
	atomic_fetch_add(&s->checkpoints, 1);
	atomic_store(&s->checkpointer.copied_frames, copied);
	/* All may be copied, and the WAL not to be begun anew for a reader that still looks at it. */
	return rc == SQLITE_BUSY && all == copied ? 1 : all - copied;
}

/* What is to be copied yet; a commit may have come since, or the WAL have begun anew. */
static int frames_left(struct checkpointer *c)
{
	int64_t frames = atomic_load(&c->wal_frames), copied = atomic_load(&c->copied_frames);
	int64_t left = frames < copied ? frames : frames - copied;

	atomic_store(&c->left_frames, left);
	return (int)left;
}

bool checkpointer_wants_writer(const struct store *s)
{
	return atomic_load_explicit(&s->checkpointer.writer_turn, memory_order_relaxed) != 0;
}

bool store_wal_waits(const struct store *s) { return checkpointer_wants_writer(s); }

void checkpointer_writer_turn(struct store *s, struct db *writer)
{
	struct checkpointer *c = &s->checkpointer;

	PRE(!db_in_transaction(writer));
	sqlite3_busy_timeout(writer->handle, WRITER_WAIT_MS);
	int held = run(s, writer, SQLITE_CHECKPOINT_RESTART);
	sqlite3_busy_timeout(writer->handle, DB_BUSY_MS);
	if (held == 0)
		atomic_store(&c->wal_frames, 0), atomic_store(&c->copied_frames, 0);
	frames_left(c);
	atomic_store(&c->not_before_ns, held ? clock_now_ns() + BLOCKED_PAUSE_NS : 0);
	atomic_store(&c->writer_turn, 0);
}

/* Makes the disk hold what has been copied. */
static int sync_file(struct db *db)
{
	sqlite3_file *file = NULL;
	int rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (rc == SQLITE_OK && file->pMethods)
		rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
	if (rc == SQLITE_OK)
		return 0;
	log_event(LOG_LEVEL_WARNING, "store", LOG_FIELDS(.event = LOG_EVENT_CHECKPOINT_FAILED),
		  "checkpoint failed: %s; it will be tried again after the next commit", sqlite3_errstr(rc));
	return -1;
}

/* True: not now, for a backup's or a check's snapshot is open, beside which the log cannot begin anew. */
static bool hand_over(struct store *s)
{
	if (store_long_snapshot(s))
		return true;
	atomic_store(&s->checkpointer.writer_turn, 1);
	writer_wake(s); /* it may have nothing else to do: background work waits for the log to become shorter */
	return false;
}

/*
 * Clients write faster than this thread copies: each round would leave more than the one before, for as long as they
 * go on. So they wait, while the writer copies what is left.
 */
static bool outrun(const struct store *s, int64_t done)
{
	return store_wal_outruns(s) && atomic_load(&s->checkpointer.left_frames) >= done;
}

/* Another process checkpoints: only what has become far too long is copied back, and nobody is waited for. */
static bool leave_it(struct store *s)
{
	struct checkpointer *c = &s->checkpointer;

	if (outside_watch(s) && atomic_load(&c->left_frames) > 0) {
		if (run(s, c->db, SQLITE_CHECKPOINT_PASSIVE) > 0)
			atomic_fetch_add(&s->checkpoints_blocked, 1);
		(void)outside_watch(s);
	}
	return true;
}

/* Copies until little is left. True: held up by a reader, or failed. */
static bool work(struct store *s)
{
	struct checkpointer *c = &s->checkpointer;
	int64_t before = -1;

	if (store_get_config(s)->checkpoint_external)
		return leave_it(s);
	for (int round = 1;; round++) {
		/*
		 * Never with nothing to copy: the writer may begin the WAL anew at any moment then, and in SQLite
		 * before 3.51.3 a run that has just begun would take the new frames for copied ones.
		 */
		if (frames_left(c) == 0)
			return hand_over(s);
		int held = run(s, c->db, SQLITE_CHECKPOINT_PASSIVE);
		int64_t copied = atomic_load(&c->copied_frames);
		if (held < 0 || (frames_left(c) > 0 && copied != before && sync_file(c->db)))
			return true;
		if (held > WRITER_FRAMES_MAX && copied == before) {
			atomic_fetch_add(&s->checkpoints_blocked, 1);
			return true;
		}
		/* With nothing left, too: a commit may be under way, and the WAL would grow on behind it. */
		if (frames_left(c) <= WRITER_FRAMES_MAX ||
		    (held <= WRITER_FRAMES_MAX && (round >= ROUNDS_MAX || outrun(s, copied - before))))
			return hand_over(s);
		before = copied;
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
	    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK &&
	    sqlite3_exec(db->handle, "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-256; SELECT 1 FROM sqlite_schema",
			 NULL, NULL, NULL) == SQLITE_OK &&
	    steady_attach(&s->checkpointer.file, s, db->handle) == SQLITE_OK)
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
