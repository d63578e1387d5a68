/*
 * The log of slow statements: at most so many lines a second, the rest counted. Loop only.
 */
#ifndef ALTERD_STORE_SLOW_LOG_H
#define ALTERD_STORE_SLOW_LOG_H

#include <stddef.h>
#include <stdint.h>

/* Lines a second. */
#define SLOW_LINES_MAX 10

struct store;
struct sql_job;
struct figures;
struct statement;

struct slow_log {
	uint64_t second_ns; /* when the present second began */
	int lines;          /* in it */
	int64_t untold;     /* statements that were passed over since the last line */
	int64_t total;      /* slow statements since the start */
	int64_t passed_over_total;
};

/*
 * A statement of the job has taken longer than log.slow: its longest run is told with its text, without values. `e` is
 * its statistics, NULL: there are none, and the text (`sql`, n bytes) is taken apart for the log alone.
 */
void slow_log_write(struct store *s, const struct sql_job *job, const struct figures *f, const struct statement *e,
		    const char *sql, size_t n);

#endif
