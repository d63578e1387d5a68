/*
 * What migrate.status tells of a change, for the bench programs that watch one.
 */
#ifndef ALTERD_BENCH_JOB_H
#define ALTERD_BENCH_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "client/alterd.h"
#include "proto/doc.h"

struct job_told {
	double swap_ms;   /* < 0: not told */
	double hold_ms;   /* longest time the writer was held at once */
	int64_t verified; /* rows compared before the swap; < 0: not told */
	bool before_swap; /* there is no job yet, or it has not been swapped */
};

/* Calls a method and parses its result; NULL if either fails. */
static inline struct doc *job_call(struct alterd_conn *control, const char *method, const char *params)
{
	const char *text;
	struct doc *d;
	struct error err;
	if (alterd_call(control, method, params, &text) != 0 || doc_parse(text, strlen(text), &d, &err) != 0)
		return NULL;
	return d;
}

/* The running job, else the one that ended last. */
static inline struct job_told job_read(struct alterd_conn *control)
{
	struct job_told told = {.swap_ms = -1, .hold_ms = -1, .verified = -1, .before_swap = true};
	struct doc *d = job_call(control, "migrate.status", NULL);
	if (!d)
		return told;
	const struct doc_node *job = doc_get(doc_root(d), "job");
	told.swap_ms = doc_real(doc_get(job, "swap_ms"), -1);
	told.hold_ms = doc_real(doc_get(job, "longest_hold_ms"), -1);
	told.verified = doc_int(doc_get(job, "verified_rows"), -1);
	told.before_swap = strcmp(doc_str(doc_get(job, "phase"), ""), "retiring") != 0 &&
			   strcmp(doc_str(doc_get(job, "state"), ""), "done") != 0;
	doc_free(d);
	return told;
}

#endif
