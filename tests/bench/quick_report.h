/*
 * quick_load's books and how they are printed: a table for people, key=value for run.sh. Included by quick_load.c
 * alone.
 *
 * Each client thread writes its own struct client; everything here runs after the threads have been joined.
 */
#ifndef ALTERD_BENCH_QUICK_REPORT_H
#define ALTERD_BENCH_QUICK_REPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "client/alterd.h"
#include "tests/bench/job.h"
#include "tests/bench/latency.h"

#define CHANGES_MAX 8
#define CLIENTS_MAX 256
#define WINDOWS (2 * CHANGES_MAX + 1) /* two to a change; the last takes what lies between them */

struct change {
	char table[64], column[64], type[32]; /* from --change */
	double took_s;                        /* from the start to the swap */
	double retire_s;                      /* from the swap to the end */
	struct job_told told;                 /* once it has ended */
	int64_t wal_peak_bytes;
	bool done; /* alterctl ended well and the column has its new type */
};

struct options {
	const char *socket, *alterctl, *wal;
	long clients, rate, before_seconds;
	bool plain;
	struct change changes[CHANGES_MAX];
	int nchanges;
};

struct window {
	struct latency latency; /* of requests answered well */
	uint64_t failed;
};

struct client {
	pthread_t thread;
	const struct options *options;
	struct alterd_conn *conn;
	uint64_t random;
	int64_t own_id; /* row it inserted last and may delete, 0 = none */
	int64_t own_amount;
	int64_t sum, rows; /* what its acknowledged writes added */
	int64_t groups;    /* groups and rows there are at the start */
	int64_t first_rows;
	char first_error[256];
	struct window windows[WINDOWS];
};

/* Joins one window of all clients. */
static struct window *sum_window(const struct options *o, const struct client *clients, int index)
{
	static struct window all;
	memset(&all, 0, sizeof(all));
	for (long i = 0; i < o->clients; i++) {
		latency_merge(&all.latency, &clients[i].windows[index].latency);
		all.failed += clients[i].windows[index].failed;
	}
	return &all;
}

static double ms(uint64_t ns) { return (double)ns / 1e6; }

/* 1234567 as 1,234,567. Four texts may be in use at once. */
static const char *grouped(uint64_t v)
{
	static char ring[4][32];
	static unsigned next;
	char *out = ring[next++ % 4] + 31;
	*out = '\0';
	for (int n = 0; n == 0 || v; n++, v /= 10) {
		if (n && n % 3 == 0)
			*--out = ',';
		*--out = (char)('0' + v % 10);
	}
	return out;
}

static void print_plain(const struct options *o, const struct client *clients)
{
	for (int i = 0; i < o->nchanges; i++) {
		const struct change *c = &o->changes[i];
		struct window *w = sum_window(o, clients, 2 * i);
		printf("change=%s.%s type=%s done=%d took_s=%.3f retire_s=%.3f swap_ms=%.2f hold_ms=%.2f verified=%lld "
		       "wal_peak_bytes=%lld before_ops=%llu before_p50_ms=%.3f before_p99_ms=%.3f before_max_ms=%.3f",
		       c->table, c->column, c->type, c->done, c->took_s, c->retire_s, c->told.swap_ms, c->told.hold_ms,
		       (long long)c->told.verified, (long long)c->wal_peak_bytes, (unsigned long long)w->latency.count,
		       ms(latency_quantile(&w->latency, 0.5)), ms(latency_quantile(&w->latency, 0.99)),
		       ms(w->latency.max_ns));
		uint64_t failed = w->failed;
		w = sum_window(o, clients, 2 * i + 1);
		printf(" during_ops=%llu during_p50_ms=%.3f during_p99_ms=%.3f during_max_ms=%.3f failed=%llu\n",
		       (unsigned long long)w->latency.count, ms(latency_quantile(&w->latency, 0.5)),
		       ms(latency_quantile(&w->latency, 0.99)), ms(w->latency.max_ns),
		       (unsigned long long)(failed + w->failed));
	}
}

#define CELL 30
static void cell(const char *text) { printf("%*s", CELL, text); }

static void row_of_waits(const struct options *o, const struct client *clients, const char *name, int which)
{
	printf("%-34s", name);
	for (int i = 0; i < o->nchanges; i++) {
		char text[64];
		const struct latency *l = &sum_window(o, clients, 2 * i + which)->latency;
		snprintf(text, sizeof(text), "%.2f / %.1f / %.1f ms", ms(latency_quantile(l, 0.5)),
			 ms(latency_quantile(l, 0.99)), ms(l->max_ns));
		cell(text);
	}
	printf("\n");
}

static void row_of_counts(const struct options *o, const struct client *clients, const char *name, bool failed)
{
	printf("%-34s", name);
	for (int i = 0; i < o->nchanges; i++) {
		uint64_t n = 0;
		for (int k = 0; k < 2; k++) {
			const struct window *w = sum_window(o, clients, 2 * i + k);
			n += failed ? w->failed : w->latency.count;
		}
		cell(grouped(n));
	}
	printf("\n");
}

static void row_of_changes(const struct options *o, const char *name,
			   void (*text)(const struct change *, char *, size_t))
{
	printf("%-34s", name);
	for (int i = 0; i < o->nchanges; i++) {
		char t[64];
		text(&o->changes[i], t, sizeof(t));
		cell(t);
	}
	printf("\n");
}

static void text_name(const struct change *c, char *out, size_t size)
{
	snprintf(out, size, "%s.%s", c->table, c->column);
}

static void text_type(const struct change *c, char *out, size_t size)
{
	snprintf(out, size, "%s %s", c->done ? "is now" : "is NOT", c->type);
}

static void text_took(const struct change *c, char *out, size_t size)
{
	snprintf(out, size, "%.2f s + %.2f s", c->took_s, c->retire_s);
}

static void text_swap(const struct change *c, char *out, size_t size)
{
	snprintf(out, size, c->told.swap_ms < 0 ? "-" : "%.2f ms", c->told.swap_ms);
}

static void text_hold(const struct change *c, char *out, size_t size)
{
	snprintf(out, size, c->told.hold_ms < 0 ? "-" : "%.2f ms", c->told.hold_ms);
}

static void text_verified(const struct change *c, char *out, size_t size)
{
	snprintf(out, size, "%s", c->told.verified < 0 ? "-" : grouped((uint64_t)c->told.verified));
}

static void print_table(const struct options *o, const struct client *clients)
{
	printf("\n%ld clients, %ld requests a second each, one in five a write\n\n", o->clients, o->rate);
	row_of_changes(o, "", text_name);
	row_of_changes(o, "", text_type);
	row_of_counts(o, clients, "requests served", false);
	row_of_counts(o, clients, "requests failed", true);
	row_of_waits(o, clients, "p50 / p99 / longest wait before", 0);
	row_of_waits(o, clients, "p50 / p99 / longest wait during", 1);
	row_of_changes(o, "change took + emptying the old", text_took);
	row_of_changes(o, "rows verified before the swap", text_verified);
	row_of_changes(o, "writer held at once, at most", text_hold);
	row_of_changes(o, "the swap took", text_swap);
}

#endif
