/* A chained hash table in one block of places, and a hand that makes room. */
#include "daemon/store/statements.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/store/normalise.h"
#include "daemon/store/stmt_cache.h"

/* Places where a text may be found again, and how many of them one hash may take. */
#define SEEN_SETS 1024
#define SEEN_WAYS 4

void statements_init(struct statements *s, size_t max)
{
	*s = (struct statements){.max = max, .buckets = 64, .since_ms = clock_wall_ms()};
	if (max == 0)
		return;
	while (s->buckets < max)
		s->buckets *= 2;
	s->at = xcalloc(max, sizeof *s->at);
	s->bucket = xcalloc(s->buckets, sizeof *s->bucket);
	s->seen = xcalloc((size_t)SEEN_SETS * SEEN_WAYS, sizeof *s->seen);
}

static void forget(struct statement *e)
{
	free(e->text);
	free(e->sample);
	*e = (struct statement){0};
}

void statements_reset(struct statements *s)
{
	for (size_t i = 0; i < s->max; i++)
		forget(&s->at[i]);
	if (s->max > 0)
		memset(s->bucket, 0, s->buckets * sizeof *s->bucket);
	s->count = s->hand = 0;
	s->others = 0;
	s->since_ms = clock_wall_ms();
}

void statements_free(struct statements *s)
{
	statements_reset(s);
	free(s->at);
	free(s->bucket);
	free(s->seen);
	*s = (struct statements){0};
}

static uint32_t *chain_of(const struct statements *s, uint64_t hash) { return &s->bucket[hash & (s->buckets - 1)]; }

static void unlink_place(struct statements *s, uint32_t place)
{
	uint32_t *at = chain_of(s, s->at[place].hash);

	while (*at != place + 1)
		at = &s->at[*at - 1].next;
	*at = s->at[place].next;
}

/* A place that holds nothing, counted already. */
static uint32_t make_room(struct statements *s)
{
	for (;;) {
		uint32_t place = (uint32_t)s->hand;
		struct statement *e = &s->at[place];
		s->hand = (s->hand + 1) % s->max;
		if (e->serial == 0) {
			s->count++;
			return place;
		}
		if (e->uses-- > 0)
			continue;
		unlink_place(s, place);
		forget(e);
		s->evicted++;
		return place;
	}
}

static char *copy(const char *p, size_t n)
{
	char *out = malloc(n + 1);

	if (out) {
		memcpy(out, p, n);
		out[n] = '\0';
	}
	return out;
}

/* Bytes of the text that are kept: whole characters. */
static size_t kept(const struct buf *text)
{
	size_t n = text->len;

	if (n > STATEMENT_BYTES_MAX)
		for (n = STATEMENT_BYTES_MAX; n > 0 && ((unsigned char)text->data[n] & 0xc0) == 0x80; n--)
			;
	return n;
}

static struct statement *take_in(struct statements *s, const struct buf *text, uint64_t hash)
{
	size_t n = kept(text);
	char *own = copy(text->data, n);

	if (!own)
		return NULL;
	uint32_t place = make_room(s);
	struct statement *e = &s->at[place];
	uint32_t *chain = chain_of(s, hash);
	if (++s->serials == 0)
		s->serials = 1;
	*e = (struct statement){
		.serial = s->serials, .next = *chain, .hash = hash, .text = own, .n = n, .cut = n < text->len};
	*chain = place + 1;
	return e;
}

static struct statement *find(const struct statements *s, const struct buf *text, uint64_t hash)
{
	size_t n = kept(text);

	for (uint32_t i = *chain_of(s, hash); i; i = s->at[i - 1].next) {
		struct statement *e = &s->at[i - 1];
		if (e->hash == hash && e->n == n && memcmp(e->text, text->data, n) == 0)
			return e;
	}
	return NULL;
}

/* The latest text with its values, for EXPLAIN. */
static void keep_sample(struct statement *e, const char *sql, size_t n)
{
	if (n > STATEMENT_BYTES_MAX)
		return;
	char *sample = copy(sql, n);
	if (!sample)
		return;
	free(e->sample);
	e->sample = sample;
}

static struct statement_seen *set_of(const struct statements *s, uint64_t raw)
{
	return &s->seen[(raw >> 32) % SEEN_SETS * SEEN_WAYS];
}

struct statement *statements_seen(const struct statements *s, uint64_t raw)
{
	if (s->max == 0)
		return NULL;
	struct statement_seen *set = set_of(s, raw);
	for (size_t i = 0; i < SEEN_WAYS; i++)
		if (set[i].raw == raw && set[i].serial != 0 && s->at[set[i].place].serial == set[i].serial)
			return &s->at[set[i].place];
	return NULL;
}

/* In the place of one that is gone, else of some one. */
static void remember(struct statements *s, uint64_t raw, const struct statement *e)
{
	struct statement_seen *set = set_of(s, raw), *to = &set[raw % SEEN_WAYS];

	for (size_t i = 0; i < SEEN_WAYS; i++)
		if (set[i].serial == 0 || s->at[set[i].place].serial != set[i].serial) {
			to = &set[i];
			break;
		}
	*to = (struct statement_seen){.raw = raw, .place = (uint32_t)(e - s->at), .serial = e->serial};
}

struct statement *statements_get(struct statements *s, uint64_t raw, const char *sql, size_t n, int type, bool strings)
{
	struct statement *e = statements_seen(s, raw);
	struct buf text = {0};

	if (e || s->max == 0)
		return e;
	sql_normalise(sql, n, strings, &text);
	if (text.len > 0 && !text.failed) {
		uint64_t hash = hash_bytes(text.data, text.len);
		e = find(s, &text, hash);
		if (!e)
			e = take_in(s, &text, hash);
	}
	buf_free(&text);
	if (!e)
		return NULL;
	e->type = type;
	keep_sample(e, sql, n);
	remember(s, raw, e);
	return e;
}

void statements_add(struct statement *e, const struct figures *f)
{
	if (e->uses < STATEMENT_USES)
		e->uses++;
	figures_add(&e->f, f);
}
