/*
 * Statistics of statements by their normalised text: how often, how long, and what they went through.
 *
 * A bounded table. Where it is full a text goes that was not used lately (a hand goes round; each use lets a text stay
 * for one more round, up to STATEMENT_USES), so that a flood of texts seen once takes nothing from those that come
 * again and again. Loop only.
 */
#ifndef ALTERD_STORE_STATEMENTS_H
#define ALTERD_STORE_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store/figures.h"
#include "proto/buf.h"
#include "proto/error.h"

/* Bytes of a text that are kept: normalised, and as a client sent it last. */
#define STATEMENT_BYTES_MAX 4096
#define STATEMENT_USES 8

struct statement {
	uint32_t serial; /* which text the place holds; 0: none */
	uint32_t next;   /* in the chain of its hash: place + 1; 0: the end */
	uint64_t hash;   /* of the whole normalised text */
	int uses;        /* rounds it may stay */
	int type;        /* enum sql_type */
	bool cut;        /* the text was longer */
	char *text;      /* normalised; owned */
	size_t n;
	char *sample; /* as a client sent it, values and all: never shown. Owned; NULL where it was too long */
	struct figures f;
};

/* Where the statement of a client's text was found last time, so that the text is not taken apart each time. */
struct statement_seen {
	uint64_t raw; /* hash_bytes of the client's text */
	uint32_t place, serial;
};

struct statements {
	struct statement *at; /* `max` places; NULL: nothing is kept */
	struct statement_seen *seen;
	uint32_t *bucket; /* place + 1 */
	size_t max, buckets, count, hand;
	uint32_t serials;
	uint64_t evicted; /* texts that had to go */
	int64_t others;   /* runs that could not be told apart: a batch of too many texts */
	int64_t since_ms; /* wall clock: when counting began */
};

void statements_init(struct statements *s, size_t max);
void statements_free(struct statements *s);
/* Forgets all texts and their figures. */
void statements_reset(struct statements *s);

/*
 * The statement of a client's text, which is taken in where it is new; NULL: nothing is kept. `raw` is hash_bytes of
 * the text, `strings` as in sql_normalise().
 */
struct statement *statements_get(struct statements *s, uint64_t raw, const char *sql, size_t n, int type, bool strings);
/* The same where only the hash is at hand: NULL if it was not seen lately. */
struct statement *statements_seen(const struct statements *s, uint64_t raw);
/* Adds a run's figures. */
void statements_add(struct statement *e, const struct figures *f);

/* What to sort by, greatest first. False: there is no such word. */
bool statements_order(const char *by, int *ret_order);
/* The words for it, for an error's text. */
#define STATEMENTS_ORDERS "time, calls, scans, mean, max, rows, sorts, work or errors"
/* The first `limit` of that order: appends {"statements":[..],..}. */
void statements_write(const struct statements *s, int order, size_t limit, struct buf *out);
/* Their places, at most `limit` of them, in that order; returns how many. */
size_t statements_top(const struct statements *s, int order, size_t limit, const struct statement **ret);

#endif
