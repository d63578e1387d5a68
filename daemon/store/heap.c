/*
 * SQLite's own limit meets whoever asks next. While one statement has taken all there is - an expanded CTE, a sort -
 * that may be somebody else's UPDATE of one row. So the last part of the memory is a reserve: it is there for work that
 * has taken little so far, and who has taken much is refused before it.
 */
#include "daemon/store/heap.h"

#include <sqlite3.h>
#include <stdatomic.h>

#include "daemon/lib/check.h"

/* The reserve, and what is little, as parts of the limit: eight pieces of work find room at once. */
#define RESERVE_PART 8
#define LITTLE_PART 64

static sqlite3_mem_methods below;
static _Atomic int64_t limit, used;
static _Thread_local int64_t taken; /* since heap_begin(); below zero where it has given back what others took */
static _Thread_local bool unbounded;

static bool may_take(int64_t bytes)
{
	int64_t most = atomic_load_explicit(&limit, memory_order_relaxed);

	if (most == 0 || unbounded)
		return true;
	if (taken + bytes > most / LITTLE_PART)
		most -= most / RESERVE_PART;
	return atomic_load_explicit(&used, memory_order_relaxed) + bytes <= most;
}

static void note(int64_t bytes)
{
	taken += bytes;
	atomic_fetch_add_explicit(&used, bytes, memory_order_relaxed);
}

static void *on_malloc(int n)
{
	void *p = may_take(n) ? below.xMalloc(n) : NULL;

	if (p)
		note(below.xSize(p));
	return p;
}

static void *on_realloc(void *old, int n)
{
	int had = below.xSize(old);
	void *p = n <= had || may_take(n - had) ? below.xRealloc(old, n) : NULL;

	if (p)
		note(below.xSize(p) - had);
	return p;
}

static void on_free(void *p)
{
	note(-(int64_t)below.xSize(p));
	below.xFree(p);
}

void heap_install(void)
{
	sqlite3_mem_methods ours;

	/* A test that has used SQLite before keeps the allocator it has. */
	if (below.xMalloc || sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below) != SQLITE_OK)
		return;
	ours = below;
	ours.xMalloc = on_malloc;
	ours.xRealloc = on_realloc;
	ours.xFree = on_free;
	CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) == SQLITE_OK);
}

void heap_set_limit(int64_t bytes) { atomic_store(&limit, bytes); }

void heap_begin(void) { taken = 0; }

void heap_unbounded(bool on) { unbounded = on; }
