/*
 * The store as a whole: opening, closing, handing jobs over, and the loop's regular look after what is in flight.
 */
#include "daemon/store/store.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/lib/memory.h"
#include "daemon/store/fault_vfs.h"
#include "daemon/store/heap.h"
#include "daemon/store/internal.h"
#include "daemon/store/lock.h"

/* Disk space is looked at this often. */
#define SPACE_EVERY_NS (200 * NS_PER_MS)

const char *store_sqlite_version(void) { return sqlite3_libversion(); }
const struct store_config *store_get_config(const struct store *s) { return &atomic_load(&s->settings)->config; }

struct store_role store_role_limits(const struct store *s, enum role role)
{
	const struct store_config *c = store_get_config(s);
	struct store_role own = c->roles[role];

	return (struct store_role){
		.read_ms = own.read_ms ? own.read_ms : c->read_ms,
		.write_ms = own.write_ms ? own.write_ms : c->write_ms,
		.page_rows = own.page_rows ? own.page_rows : c->page_rows,
	};
}

/* --- jobs in flight --- */

void store_finish(struct store *s, struct job *job) { mailbox_post(s->mailbox, &job->mail); }
void store_post(struct store *s, struct mail *mail) { mailbox_post(s->mailbox, mail); }

static void on_tick(uv_timer_t *timer);

static void start_tick(struct store *s)
{
	if (!uv_is_active((uv_handle_t *)&s->tick))
		uv_timer_start(&s->tick, on_tick, TICK_MS, TICK_MS);
}

void store_submitted(struct store *s)
{
	s->asked = true;
	if (s->in_flight++ == 0)
		start_tick(s);
}

void store_delivered(struct store *s)
{
	INVARIANT(s->in_flight > 0);
	s->in_flight--;
	atomic_store_explicit(&s->answered_ns, clock_now_ns(), memory_order_relaxed);
}

static void prepare_engine_job(struct store *s, struct job *job)
{
	job->class = JOB_BACKGROUND;
	job->on = NULL;
	job->submitted_ns = s->engine_ns = clock_now_ns();
	job->ended_ns = 0;
	if (job->deadline_ns == 0)
		job->deadline_ns = CLOCK_NEVER;
	start_tick(s);
}

void store_submit_writer(struct store *s, struct job *job)
{
	prepare_engine_job(s, job);
	writer_push_background(s, job);
}

void store_submit_reader(struct store *s, struct job *job)
{
	prepare_engine_job(s, job);
	readers_push(s, job, false);
}

void store_stop(struct store *s, struct job *job, enum stop_reason why)
{
	job_stop(job, why);
	store_flush(s);
	if (readers_take_back(s, job) || writer_take_back(s, job)) {
		store_finish(s, job);
		return;
	}
	readers_interrupt(s, job);
	writer_interrupt(s, job);
}

/* --- the tick --- */

static int64_t wal_bytes_used(const struct store *s)
{
	return atomic_load(&s->checkpointer.wal_frames) * (s->page_size + 24);
}

#define WAL_FULL "the write-ahead log is above store.wal_cap"
#define WAL_FULL_OUTSIDE WAL_FULL ": it waits for the process that checkpoints it (store.checkpoint = external)"

/* What it may be above the cap while nearly all of it is copied, and it only waits for its turn to begin anew. */
#define WAL_SLACK_BYTES ((int64_t)8 << 20)

static int64_t wal_above(const struct store *s) { return wal_bytes_used(s) - store_get_config(s)->wal_cap_bytes; }

bool store_wal_outruns(const struct store *s) { return wal_above(s) > WAL_SLACK_BYTES; }
bool store_wal_overflows(const struct store *s) { return wal_bytes_used(s) > store_get_config(s)->wal_hard_bytes; }

static bool wal_full(const struct store *s)
{
	const struct store_config *c = store_get_config(s);

	return store_wal_outruns(s) ||
	       (wal_above(s) > 0 && atomic_load(&s->checkpointer.left_frames) * s->page_size > c->checkpoint_bytes / 2);
}

static const char *wal_full_text(const struct store *s)
{
	return store_get_config(s)->checkpoint_external ? WAL_FULL_OUTSIDE : WAL_FULL;
}

static void look_at_space(struct store *s, uint64_t now)
{
	struct statvfs disk;

	if (now - s->space_checked_ns < SPACE_EVERY_NS)
		return;
	s->space_checked_ns = now;
	bool disk_full = statvfs(store_get_config(s)->path, &disk) == 0 &&
			 (int64_t)(disk.f_bavail * disk.f_frsize) < store_get_config(s)->disk_reserve_bytes;
	s->throttled = disk_full     ? "free disk space is below store.disk_reserve"
		       : wal_full(s) ? wal_full_text(s)
				     : NULL;
	if (store_wal_overflows(s) && readers_oldest(s, true)) {
		atomic_fetch_add(&s->readers_expired, 1);
		log_event(LOG_LEVEL_WARNING, "store", LOG_FIELDS(.event = LOG_EVENT_READER_EXPIRED),
			  "the write-ahead log is above store.wal_hard_cap: the oldest reader is expired");
	}
	outside_tell(s, now);
}

const char *store_throttled(struct store *s)
{
	/* The tick may be at rest: nothing is in flight while background work waits. */
	look_at_space(s, clock_now_ns());
	if (!wal_full(s))
		return s->throttled;
	/* Where nobody commits, nobody tells the checkpointer that a reader which held it up may be gone. */
	checkpointer_wake(s);
	return s->throttled ? s->throttled : wal_full_text(s);
}

void store_want_checkpoint(struct store *s) { checkpointer_wake(s); }

uint64_t store_client_wait_ns(const struct store *s)
{
	uint64_t since = atomic_load(&s->writer.client_since_ns), now = clock_now_ns();

	return atomic_load(&s->writer.client_waits) && now > since ? now - since : 0;
}

/* Shorter work has not filled what is worth the trouble. */
#define FILLS_NS (50 * NS_PER_MS)

void store_settle(uint64_t since_ns)
{
	if (clock_now_ns() - since_ns >= FILLS_NS)
		memory_settle(sqlite3_memory_used());
}

static void on_tick(uv_timer_t *timer)
{
	struct store *s = timer->data;
	uint64_t now = clock_now_ns();

	readers_tick(s, now);
	writer_tick(s, now);
	look_at_space(s, now);
	if (s->in_flight == 0 && now - s->engine_ns > NS_PER_S && readers_oldest(s, false) == 0)
		uv_timer_stop(timer);
}

/* --- protection of the table a migration works on --- */

void store_protect(struct store *s, const char *table, const char *job)
{
	pthread_mutex_lock(&s->protect_lock);
	snprintf(s->protect_table, sizeof s->protect_table, "%s", table ? table : "");
	snprintf(s->protect_job, sizeof s->protect_job, "%s", job ? job : "");
	pthread_mutex_unlock(&s->protect_lock);
}

bool store_protected(struct store *s, const char *table, char *ret_job, size_t size)
{
	pthread_mutex_lock(&s->protect_lock);
	bool hit = s->protect_job[0] && table && sqlite3_stricmp(table, s->protect_table) == 0;
	if (hit)
		snprintf(ret_job, size, "%s", s->protect_job);
	pthread_mutex_unlock(&s->protect_lock);
	return hit;
}

/* --- settings --- */

static void set_settings(struct store *s, const struct store_config *config, const char *path)
{
	struct settings *next = xmalloc(sizeof *next);

	*next = (struct settings){.config = *config, .before = atomic_load(&s->settings)};
	next->config.path = path;
	atomic_store(&s->settings, next);
}

static void free_settings(struct store *s)
{
	free((char *)(uintptr_t)store_get_config(s)->path);
	for (struct settings *at = atomic_load(&s->settings), *before; at; at = before) {
		before = at->before;
		free(at);
	}
}

/* --- opening --- */

static int check_folder(const char *path, int *ret_exit, struct error *err)
{
	char *copy = xstrdup(path);
	const char *folder = dirname(copy);
	struct stat st;
	int rc = 0;

	if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode)) {
		*ret_exit = errno == EACCES ? EX_NOPERM : EX_NOINPUT;
		rc = error_set(err, ERRC_INTERNAL, "the database's folder %s: %s", folder,
			       errno ? strerror(errno) : "not a folder");
	}
	free(copy);
	return rc;
}

static int exit_code_of(int sqlite_code)
{
	switch (sqlite_code & 255) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return EX_DATAERR;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
		return EX_NOPERM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EX_TEMPFAIL;
	default:
		return EX_IOERR;
	}
}

static int open_writer(struct store *s, int *ret_exit, struct error *err)
{
	bool was_rollback = false;
	int64_t page_size = 4096, freelist = 0;

	if (db_open(s, true, &s->writer.db, &was_rollback, err) || outside_begin(s->writer.db, err) ||
	    db_int(s->writer.db, &page_size, err, "PRAGMA page_size") ||
	    db_int(s->writer.db, &freelist, err, "PRAGMA freelist_count")) {
		*ret_exit = exit_code_of(err->code);
		return -1;
	}
	s->page_size = (int)page_size;
	atomic_store(&s->freelist_pages, freelist);
	if (was_rollback)
		log_info("store", "%s had a rollback journal; it is in WAL mode from now on",
			 store_get_config(s)->path);
	return 0;
}

static void set_memory_limits(const struct store_config *c)
{
	/* Page caches shrink from three quarters on; later an allocation fails, and with it one statement. */
	sqlite3_soft_heap_limit64(c->memory_bytes / 4 * 3);
	heap_set_limit(c->memory_bytes);
}

/* None of them keeps the loop alive. */
static void open_handles(struct store *s)
{
	uv_handle_t *handles[] = {(uv_handle_t *)&s->tick, (uv_handle_t *)&s->check, (uv_handle_t *)&s->prepare,
				  (uv_handle_t *)&s->no_wait};

	uv_timer_init(s->loop, &s->tick);
	round_start(s);
	for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
		handles[i]->data = s;
		uv_unref(handles[i]);
		s->handles_open++;
	}
}

void store_init(void) { heap_install(); }

int store_open(const struct store_config *config, uv_loop_t *loop, struct store **ret, int *ret_exit, struct error *err)
{
	struct store *s = xcalloc(1, sizeof *s);

	store_init();
	fault_vfs_install();
	*ret_exit = EX_SOFTWARE;
	set_settings(s, config, xstrdup(config->path));
	s->loop = loop;
	s->lock_fd = -1;
	list_init(&s->to_readers);
	list_init(&s->to_writer);
	quick_start(s);
	quoted_start(s);
	statements_init(&s->statements, (size_t)config->statements);
	pthread_mutex_init(&s->protect_lock, NULL);
	pthread_mutex_init(&s->checkpointer.lock, NULL);
	set_memory_limits(config);
	if (check_folder(config->path, ret_exit, err) || store_lock(config->path, &s->lock_fd, ret_exit, err) ||
	    open_writer(s, ret_exit, err))
		goto err_after_alloc;
	if (mailbox_open(loop, &s->mailbox)) {
		error_set(err, ERRC_INTERNAL, "cannot open the mailbox");
		goto err_after_alloc;
	}
	open_handles(s);
	if (checkpointer_start(s, err) || readers_start(s, err) || writer_start(s, err)) {
		*ret_exit = EX_OSERR;
		log_error("store", "%s", err->message);
		abort(); /* no thread could be made at start: nothing is lost, and nothing can be run down either */
	}
	*ret_exit = 0;
	*ret = s;
	return 0;

err_after_alloc:
	db_close(s->writer.db);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free_settings(s);
	statements_free(&s->statements);
	quoted_stop(s);
	free(s);
	return -1;
}

/* --- draining and closing --- */

void store_drain(struct store *s) { s->draining = true; }

bool store_idle(const struct store *s)
{
	uint64_t held;

	return s->in_flight == 0 && sql_writer_holder(s, &held) == 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct store *s = handle->data;

	if (--s->handles_open > 0)
		return;
	free_settings(s);
	free(s);
}

void store_close(struct store *s)
{
	struct error err = {0};

	s->closing = true;
	store_flush(s);
	readers_stop(s);
	writer_stop(s);
	checkpointer_stop(s);
	writer_free(s);
	mailbox_drain(s->mailbox);
	quick_stop(s);
	quoted_stop(s);
	/* All is in the database file when the daemon has ended: a copy of that one file is a backup then. */
	if (!store_get_config(s)->checkpoint_external && db_exec(s->writer.db, &err, "PRAGMA wal_checkpoint(TRUNCATE)"))
		log_warning("store",
			    "the last checkpoint failed: %s; nothing is lost, the log is read at the next start",
			    err.message);
	error_clear(&err);
	db_close(s->writer.db);
	s->writer.db = NULL;
	class_cache_clear(&s->classes);
	statements_free(&s->statements);
	close(s->lock_fd);
	mailbox_close(s->mailbox);
	uv_close((uv_handle_t *)&s->tick, on_handle_closed);
	uv_close((uv_handle_t *)&s->check, on_handle_closed);
	uv_close((uv_handle_t *)&s->prepare, on_handle_closed);
	uv_close((uv_handle_t *)&s->no_wait, on_handle_closed);
}

void store_reconfigure(struct store *s, const struct store_config *config)
{
	const struct store_config *now = store_get_config(s);
	struct store_config next = *config;

	next.readers = now->readers;
	next.readers_max = now->readers_max;
	next.cache_bytes = now->cache_bytes;
	next.memory_bytes = now->memory_bytes;
	next.value_bytes = now->value_bytes;
	next.sql_bytes = now->sql_bytes;
	next.synchronous_full = now->synchronous_full;
	next.checkpoint_external = now->checkpoint_external;
	next.statements = now->statements;
	set_settings(s, &next, now->path);
}
