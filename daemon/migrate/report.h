/* What is told of a job: the JSON objects of migrate.status and history, the line for systemd. */
#ifndef ALTERD_MIGRATE_REPORT_H
#define ALTERD_MIGRATE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/record.h"
#include "proto/buf.h"
#include "proto/error.h"

/* What only a job that runs has. */
struct report_live {
	double rows_per_s;
	int64_t eta_s;         /* -1: unknown */
	const char *throttled; /* why it waits; NULL: it does not */
	int64_t batch_rows, duty_percent;
	bool by_hand; /* migrate.throttle has asked for less than the settings */
};

/* The job object; live is NULL for a job that does not run. */
void report_job(struct buf *out, const struct record *r, const struct report_live *live);
/* What an event tells of a job. */
void report_event(struct buf *out, const struct record *r, const struct report_live *live);
/* A partial version, as an entry of `problems`. */
void report_partial(struct buf *out, int64_t version, int64_t done, int64_t total);
/* One line of history. */
void report_history(struct buf *out, const struct record *r);
/* The error that a waiting client gets for a job that failed or was aborted. */
void report_error(const struct record *r, struct error *err);
double report_percent(const struct record *r);
void report_line(char *out, size_t size, const struct record *r, const struct report_live *live);

#endif
