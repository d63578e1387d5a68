/*
 * The connections reader lanes use: a few kept ready without a lane, and those that an open cursor or read transaction
 * has taken for itself ("pinned"), counted against a cap and known by the age of their snapshot.
 */
#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/store/readers.h"

/* Connections kept without a lane. */
#define IDLE_DBS_MAX 4

struct db *readers_take_db(struct store *s)
{
	struct readers *r = &s->readers;
	struct db *db = NULL;
	struct error err = {0};

	pthread_mutex_lock(&r->lock);
	struct list_node *n = list_pop(&r->idle_dbs);
	pthread_mutex_unlock(&r->lock);
	if (n)
		return LIST_ENTRY(n, struct db, link);
	if (db_open(s, false, &db, NULL, &err))
		log_error("store", "cannot open a connection for reading: %s", err.message);
	error_clear(&err);
	return db;
}

void readers_give_db(struct store *s, struct db *db)
{
	struct readers *r = &s->readers;

	pthread_mutex_lock(&r->lock);
	bool keep = r->idle_dbs.count < IDLE_DBS_MAX && !r->closing;
	if (keep)
		list_push(&r->idle_dbs, &db->link);
	pthread_mutex_unlock(&r->lock);
	if (!keep)
		db_close(db);
}

int readers_pin(struct db *db, struct error *err)
{
	struct readers *r = &db->store->readers;
	size_t most = (size_t)store_get_config(db->store)->pinned_max;

	PRE(!db->writer && !db->pinned);
	pthread_mutex_lock(&r->lock);
	bool room = r->pinned_dbs.count < most;
	if (room) {
		list_push(&r->pinned_dbs, &db->link);
		db->snapshot_ns = clock_now_ns();
	}
	pthread_mutex_unlock(&r->lock);
	if (!room)
		atomic_fetch_add(&db->store->pinned_refused, 1);
	if (!room)
		return error_set(err, ERRC_TOO_MANY, "%zu cursors and read transactions are open, no more at a time",
				 most);
	db->pinned = true;
	atomic_store(&db->overdue, false);
	return 0;
}

void readers_unpin(struct db *db)
{
	struct readers *r = &db->store->readers;

	PRE(db->pinned);
	pthread_mutex_lock(&r->lock);
	list_remove(&r->pinned_dbs, &db->link);
	db->snapshot_ns = 0;
	pthread_mutex_unlock(&r->lock);
	db->pinned = false;
	/* The lane running this very connection keeps it as its own: see run_job(). */
	if (!db->job)
		readers_give_db(db->store, db);
}

uint64_t readers_oldest(struct store *s, bool mark_overdue)
{
	struct readers *r = &s->readers;
	struct db *oldest = NULL;
	uint64_t since = 0;

	pthread_mutex_lock(&r->lock);
	for (struct list_node *n = list_first(&r->pinned_dbs); n; n = list_next(&r->pinned_dbs, n)) {
		struct db *db = LIST_ENTRY(n, struct db, link);
		if (!oldest || db->snapshot_ns < oldest->snapshot_ns)
			oldest = db;
	}
	if (oldest) {
		since = oldest->snapshot_ns;
		if (mark_overdue)
			atomic_store(&oldest->overdue, true);
	}
	pthread_mutex_unlock(&r->lock);
	return since;
}
