/* What known statements are: a chained hash table that forgets everything when it is full. */
#include "daemon/store/class_cache.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/store/stmt_cache.h"

#define ENTRIES_MAX 8192
#define BYTES_MAX (4u << 20)
#define TEXT_BYTES_MAX 16384

struct class_entry {
	struct class_entry *next;
	uint64_t hash;
	struct class_known known;
	size_t n;
	char sql[];
};

static struct class_entry *find(const struct class_cache *c, const char *sql, size_t n, uint64_t hash)
{
	for (struct class_entry *e = c->bucket[hash % CLASS_CACHE_BUCKETS]; e; e = e->next)
		if (e->hash == hash && e->n == n && memcmp(e->sql, sql, n) == 0)
			return e;
	return NULL;
}

struct class_known *class_cache_get(const struct class_cache *c, const char *sql, size_t n)
{
	if (c->count == 0 || n > TEXT_BYTES_MAX)
		return NULL;
	struct class_entry *e = find(c, sql, n, hash_bytes(sql, n));
	return e ? &e->known : NULL;
}

struct class_known *class_cache_put(struct class_cache *c, const char *sql, size_t n, int type, bool simple)
{
	uint64_t hash = hash_bytes(sql, n);

	if (n > TEXT_BYTES_MAX)
		return NULL;
	struct class_entry *there = find(c, sql, n, hash);
	if (there)
		return &there->known;
	if (c->count >= ENTRIES_MAX || c->bytes + n > BYTES_MAX)
		class_cache_clear(c);
	struct class_entry *e = malloc(sizeof *e + n);
	if (!e)
		return NULL; /* it will be classified again: slower, not wrong */
	struct class_entry **at = &c->bucket[hash % CLASS_CACHE_BUCKETS];
	*e = (struct class_entry){
		.next = *at, .hash = hash, .known = {.type = type, .simple = simple, .hash = hash}, .n = n};
	memcpy(e->sql, sql, n);
	*at = e;
	c->count++;
	c->bytes += n;
	return &e->known;
}

void class_note_run(struct class_known *known, bool was_short)
{
	if (!was_short)
		known->credit = CREDIT_AFTER_LONG;
	else if (known->credit < CREDIT_MAX)
		known->credit++;
}

void class_cache_clear(struct class_cache *c)
{
	for (size_t i = 0; i < CLASS_CACHE_BUCKETS; i++)
		for (struct class_entry *e = c->bucket[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	memset(c, 0, sizeof *c);
}
