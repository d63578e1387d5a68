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
	int type;
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

int class_cache_get(const struct class_cache *c, const char *sql, size_t n)
{
	if (c->count == 0 || n > TEXT_BYTES_MAX)
		return 0;
	const struct class_entry *e = find(c, sql, n, hash_bytes(sql, n));
	return e ? e->type : 0;
}

void class_cache_put(struct class_cache *c, const char *sql, size_t n, int type)
{
	uint64_t hash = hash_bytes(sql, n);

	if (n > TEXT_BYTES_MAX || find(c, sql, n, hash))
		return;
	if (c->count >= ENTRIES_MAX || c->bytes + n > BYTES_MAX)
		class_cache_clear(c);
	struct class_entry *e = malloc(sizeof *e + n);
	if (!e)
		return; /* it will be classified again: slower, not wrong */
	struct class_entry **at = &c->bucket[hash % CLASS_CACHE_BUCKETS];
	*e = (struct class_entry){.next = *at, .hash = hash, .type = type, .n = n};
	memcpy(e->sql, sql, n);
	*at = e;
	c->count++;
	c->bytes += n;
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
