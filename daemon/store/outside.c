/*
 * What other processes do with the file.
 *
 * With store.checkpoint = external one of them, litestream, copies the log away as it grows, and copies it back into
 * the database file (checkpoints) once it has what it needs. The daemon leaves that to it: it would take away frames
 * that are not yet copied. It only looks how the log stands. Where nobody has checkpointed for so long that the log is
 * above store.wal_hard_cap it copies back what no reader needs (PASSIVE), which takes nothing from a neighbour that is
 * there: its read lock keeps the log from beginning anew.
 *
 * That neighbour commits to tables of its own, _litestream_*. A job's copy must begin anew when somebody else has
 * written what is copied; these commits are told from others by their count. SQLite counts all commits in the log's
 * index, the daemon its own, and the neighbour its own too: each adds 1 to a number in its table _litestream_seq, or
 * makes one of its tables. What is left over are commits of others.
 *
 * And it goes by what the log holds, where SQLite goes by the index: see outside_begin().
 */
#include "daemon/lib/log.h"
#include "daemon/store/internal.h"
#include "daemon/store/wal_index.h"

/* How often the log is told that the log is too long. */
#define TELL_EVERY_NS (60 * NS_PER_S)

#define HARD "the write-ahead log is above store.wal_hard_cap: "

/* --- at the start --- */

int outside_begin(struct db *db, struct error *err)
{
	if (!store_get_config(db->store)->checkpoint_external)
		return 0;
	if (db_begin(db, err))
		return -1;
	wal_index_spoil(db->handle);
	return db_run(db, "COMMIT", err);
}

/* --- who has written --- */

static int pragma_version(struct db *db, int64_t *ret, struct error *err)
{
	return db_int(db, ret, err, "PRAGMA data_version");
}

/* Commits that the neighbour has made since it is here. */
static int neighbours_commits(struct db *db, uint32_t *ret, struct error *err)
{
	int64_t tables = 0, counts = 0, seq = 0;

	if (db_int(db, &tables, err,
		   "SELECT count(*) FROM main.sqlite_schema WHERE type='table' AND name LIKE " LIKE_NEIGHBOUR) ||
	    db_int(db, &counts, err,
		   "SELECT count(*) FROM pragma_table_info('_litestream_seq','main') WHERE name='seq'"))
		return -1;
	if (counts && db_int(db, &seq, err, "SELECT CAST(total(seq) AS INTEGER) FROM main._litestream_seq"))
		return -1;
	*ret = (uint32_t)(tables + seq);
	return 0;
}

int db_data_version(struct db *db, int64_t *ret, struct error *err)
{
	struct outside *o = &db->store->outside;
	struct wal_index index;
	uint32_t theirs;

	if (!store_get_config(db->store)->checkpoint_external || !wal_index_read(db->handle, &index))
		return pragma_version(db, ret, err);
	uint32_t others = index.commits - o->own_commits;
	if (!o->known || others != o->others) {
		if (neighbours_commits(db, &theirs, err))
			return -1;
		o->mark = others - theirs;
		o->others = others;
		o->known = true;
	}
	*ret = o->mark;
	return 0;
}

/* --- how long the log is --- */

bool outside_watch(struct store *s)
{
	struct checkpointer *c = &s->checkpointer;
	struct wal_index index;

	if (!wal_index_read(c->db->handle, &index))
		return true;
	/* What is wholly copied begins anew with the next commit, if no reader is in the way. */
	bool whole = index.copied >= index.frames;
	atomic_store(&c->wal_frames, whole ? 0 : index.frames);
	atomic_store(&c->copied_frames, whole ? 0 : index.copied);
	atomic_store(&c->left_frames, whole ? 0 : index.frames - index.copied);
	return store_wal_overflows(s);
}

/* A snapshot of the daemon's own; it is ended, or gives way, by itself. */
static bool reads_here(struct store *s) { return readers_oldest(s, false) || store_long_snapshot(s); }

const char *store_wal_problem(struct store *s)
{
	if (!store_wal_overflows(s) || reads_here(s))
		return NULL;
	return store_get_config(s)->checkpoint_external
		       ? HARD "nobody checkpoints it (store.checkpoint = external: is litestream running?), or a long "
			      "read of another process keeps it from beginning anew"
		       : HARD "clients write faster than it can be copied back, or a long read of another process "
			      "keeps it from beginning anew";
}

void outside_tell(struct store *s, uint64_t now)
{
	const char *problem = store_wal_problem(s);

	if (problem && (!s->outside.told_ns || now - s->outside.told_ns > TELL_EVERY_NS)) {
		s->outside.told = true;
		log_warning("store", "%s; it has %lld MiB and grows on with every write", problem,
			    (long long)(store_wal_file_bytes(s) >> 20));
		s->outside.told_ns = now;
	} else if (!problem && s->outside.told && !store_wal_outruns(s)) {
		s->outside.told = false;
		log_info("store", "the write-ahead log is below store.wal_cap again");
	}
}
