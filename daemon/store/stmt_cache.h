/*
 * Prepared statements of one connection by their SQL text, the least recently used given up first.
 *
 * A statement handed out leaves the cache and comes back with stmt_cache_put(), so the same text in use twice at a time
 * is simply prepared twice.
 */
#ifndef ALTERD_STORE_STMT_CACHE_H
#define ALTERD_STORE_STMT_CACHE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/lib/list.h"

#define STMT_CACHE_BUCKETS 256

struct stmt_entry;

struct stmt_cache {
	struct stmt_entry *bucket[STMT_CACHE_BUCKETS]; /* chains */
	struct list recent;                            /* least recently used first */
	size_t max;                                    /* statements kept at most */
};

/* A statement out of the cache, with what was known of it. */
struct stmt_known {
	sqlite3_stmt *stmt; /* NULL: not there */
	int type;           /* enum sql_type */
	bool calls_changes;
	bool simple; /* see class_cache.h */
};

void stmt_cache_init(struct stmt_cache *c, size_t max);
/* Finalises all. */
void stmt_cache_clear(struct stmt_cache *c);
/* Takes the statement with this text and guard mode out. */
struct stmt_known stmt_cache_take(struct stmt_cache *c, const char *sql, size_t n, bool guarded);
/* Gives a reset statement back; finalises the oldest when full. The text is the statement's own (sqlite3_sql). */
void stmt_cache_put(struct stmt_cache *c, struct stmt_known known, bool guarded);

uint64_t hash_bytes(const void *p, size_t n);

#endif
