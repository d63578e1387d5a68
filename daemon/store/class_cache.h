/*
 * What known statements are, by their text: so that a write goes to the writer without a stop on a reader lane.
 *
 * What a text is (read, write, transaction statement) does not depend on the schema, so entries never go stale. Loop
 * only.
 */
#ifndef ALTERD_STORE_CLASS_CACHE_H
#define ALTERD_STORE_CLASS_CACHE_H

#include <stddef.h>

#define CLASS_CACHE_BUCKETS 4096

struct class_entry;

struct class_cache {
	struct class_entry *bucket[CLASS_CACHE_BUCKETS];
	size_t count, bytes;
};

/* enum sql_type of the text, SQL_TYPE_UNKNOWN (0) if not known. */
int class_cache_get(const struct class_cache *c, const char *sql, size_t n);
/* Remembers; forgets everything first when the cache is full. Texts longer than 16 KiB are not kept. */
void class_cache_put(struct class_cache *c, const char *sql, size_t n, int type);
void class_cache_clear(struct class_cache *c);

#endif
