/*
 * What known statements are, by their text: so that a write goes to the writer without a stop on a reader lane, and a
 * read that has always been short is answered without a lane at all.
 *
 * What a text is (read, write, transaction statement) does not depend on the schema, so entries never go stale. How
 * long it takes does: `credit` follows what its runs took. Loop only.
 */
#ifndef ALTERD_STORE_CLASS_CACHE_H
#define ALTERD_STORE_CLASS_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLASS_CACHE_BUCKETS 4096

struct class_entry;

struct class_known {
	int type;      /* enum sql_type */
	bool simple;   /* plain tables and comparisons only: no functions, PRAGMAs, recursion */
	int credit;    /* short runs of late, up to CREDIT_MAX; far below zero after a long one */
	uint64_t hash; /* of the text (hash_bytes) */
	bool names;    /* each "x" in it is known to be a name, not a string */
};

/* A read has to be short as often in a row until it counts as known to be short. */
#define CREDIT_MAX 4
#define CREDIT_AFTER_LONG (-12)

struct class_cache {
	struct class_entry *bucket[CLASS_CACHE_BUCKETS];
	size_t count, bytes;
};

/* What is known of the text, NULL if nothing; good until the next put. */
struct class_known *class_cache_get(const struct class_cache *c, const char *sql, size_t n);
/* Remembers; forgets everything first when the cache is full. NULL: not kept, as texts longer than 16 KiB are not. */
struct class_known *class_cache_put(struct class_cache *c, const char *sql, size_t n, int type, bool simple);
/* A run of it was short, or not. */
void class_note_run(struct class_known *known, bool was_short);
void class_cache_clear(struct class_cache *c);

#endif
