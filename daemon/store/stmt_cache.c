/* The statement cache: a chained hash table with the entries in the order of their use. */
#include "daemon/store/stmt_cache.h"

#include <stdlib.h>
#include <string.h>

/* A text longer than this is rare and large: not worth keeping. */
#define SQL_BYTES_MAX 65536

struct stmt_entry {
	struct stmt_known known;
	bool guarded;
	uint64_t hash;
	const char *sql; /* the statement's own copy */
	size_t n;
	struct stmt_entry *next;
	struct list_node recent;
};

/* 64-bit multiply-and-fold over 8-byte words: short SQL texts, looked up a few hundred thousand times a second. */
uint64_t hash_bytes(const void *p, size_t n)
{
	const unsigned char *b = p;
	uint64_t h = 0x9E3779B97F4A7C15u ^ n;

	for (; n >= 8; n -= 8, b += 8) {
		uint64_t w;
		memcpy(&w, b, 8);
		h = (h ^ w) * 0xFF51AFD7ED558CCDu;
		h ^= h >> 32;
	}
	uint64_t w = 0;
	memcpy(&w, b, n);
	h = (h ^ w) * 0xC4CEB9FE1A85EC53u;
	return h ^ (h >> 29);
}

void stmt_cache_init(struct stmt_cache *c, size_t max)
{
	memset(c, 0, sizeof *c);
	list_init(&c->recent);
	c->max = max;
}

static struct stmt_entry **chain_of(struct stmt_cache *c, uint64_t hash)
{
	return &c->bucket[hash % STMT_CACHE_BUCKETS];
}

static void unlink_entry(struct stmt_cache *c, struct stmt_entry *e)
{
	struct stmt_entry **at = chain_of(c, e->hash);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	list_remove(&c->recent, &e->recent);
}

void stmt_cache_clear(struct stmt_cache *c)
{
	struct list_node *n;

	while ((n = list_first(&c->recent))) {
		struct stmt_entry *e = LIST_ENTRY(n, struct stmt_entry, recent);
		unlink_entry(c, e);
		sqlite3_finalize(e->known.stmt);
		free(e);
	}
}

struct stmt_known stmt_cache_take(struct stmt_cache *c, const char *sql, size_t n, bool guarded)
{
	uint64_t hash = hash_bytes(sql, n);

	for (struct stmt_entry *e = *chain_of(c, hash); e; e = e->next) {
		if (e->hash != hash || e->n != n || e->guarded != guarded || memcmp(e->sql, sql, n) != 0)
			continue;
		struct stmt_known known = e->known;
		unlink_entry(c, e);
		free(e);
		return known;
	}
	return (struct stmt_known){0};
}

void stmt_cache_put(struct stmt_cache *c, struct stmt_known known, bool guarded)
{
	const char *sql = sqlite3_sql(known.stmt);
	size_t n = sql ? strlen(sql) : 0;
	struct stmt_entry *e = n && n <= SQL_BYTES_MAX ? malloc(sizeof *e) : NULL;

	if (!e) {
		sqlite3_finalize(known.stmt);
		return;
	}
	*e = (struct stmt_entry){.known = known, .guarded = guarded, .hash = hash_bytes(sql, n), .sql = sql, .n = n};
	e->next = *chain_of(c, e->hash);
	*chain_of(c, e->hash) = e;
	list_push(&c->recent, &e->recent);
	if (c->recent.count > c->max) {
		struct stmt_entry *old = LIST_ENTRY(list_first(&c->recent), struct stmt_entry, recent);
		unlink_entry(c, old);
		sqlite3_finalize(old->known.stmt);
		free(old);
	}
}
