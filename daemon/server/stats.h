/*
 * The server's own counters.
 */
#ifndef ALTERD_SERVER_STATS_H
#define ALTERD_SERVER_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"

/* Names of errors are static strings from two closed tables; the cap is there so that this holds for ever. */
#define STATS_NAMES_MAX 160

struct stats {
	uint64_t requests_total;
	uint64_t statements_total;       /* of them, those that take their turn in a session's line */
	uint64_t errors_total;           /* of all names */
	uint64_t sessions_total;         /* accepted and kept */
	uint64_t sessions_refused_total; /* over the limit, or no descriptor left */
	uint64_t slow_readers_total;     /* closed because they took no byte of their answers */
	uint64_t killed_total;
	uint64_t denied_total;          /* answers DENIED, connections turned away so */
	uint64_t skipped_lines_total;   /* too long, or refused by the input budget */
	uint64_t reading_paused_total;  /* server.in_flight or the bytes in line were reached */
	uint64_t output_paused_total;   /* server.output_high was reached */
	uint64_t scrapes_total;         /* connections to the metrics socket */
	uint64_t scrapes_refused_total; /* of them, those that got no metrics */
	size_t names;
	struct {
		const char *name; /* static */
		uint64_t count;
	} error[STATS_NAMES_MAX];
	uint64_t errors_other; /* of names the table had no room for */
};

void stats_error(struct stats *s, const char *name);
/* {"SQLITE_BUSY":3,...} */
void stats_write_errors(const struct stats *s, struct buf *out);

#endif
