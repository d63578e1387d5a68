/*
 * How much at a time, and how long to wait in between: arithmetic alone, no clock and no I/O of its own.
 */
#ifndef ALTERD_MIGRATE_PACER_H
#define ALTERD_MIGRATE_PACER_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds the rate looks back. */
#define PACER_WINDOW_S 10
#define PACER_SAMPLES 32

struct pacer {
	uint64_t hold_ns;     /* time a step may hold the writer, at most */
	int64_t batch_rows;   /* rows a batch at most */
	int64_t duty_percent; /* share of the writer's time while clients write, 1 to 100 */
	int press;            /* see pacer_press() */
	bool clients;         /* somebody else wants the writer, of late */

	double ns_per_row;  /* smoothed cost of a row; 0: not known yet */
	double commit_ns;   /* smoothed: what a step takes beside its rows */
	int64_t chunk_rows; /* rows of the next statement */

	/* Rows done at moments of the last PACER_WINDOW_S seconds; a ring. */
	struct {
		uint64_t at_ns;
		int64_t rows;
	} samples[PACER_SAMPLES];
	int first, n;
};

void pacer_init(struct pacer *p, uint64_t hold_ns, int64_t batch_rows, int64_t duty_percent);
/* New limits; what was learnt stays. */
void pacer_limits(struct pacer *p, uint64_t hold_ns, int64_t batch_rows, int64_t duty_percent);

/*
 * A step's rows, the time they took, and how long it had the writer in all. Adapts chunk_rows: about a quarter of the
 * hold time, at most doubled at once.
 */
void pacer_learn(struct pacer *p, int64_t rows, uint64_t ns, uint64_t held_ns);
/*
 * Clients have been changing rows faster than the changes are applied, for this long (0: they have not). A change that
 * never catches up never ends, so it takes a larger share bit by bit: after a second it waits no more between its
 * steps, after each two more a step may be longer, up to PACER_PRESS_MAX times.
 */
#define PACER_PRESS_MAX 16
void pacer_press(struct pacer *p, uint64_t behind_ns);
/*
 * Percent of the writer's time that is to be sure while pressed, soon 90; 0: as configured. Else clients that change
 * rows faster than a fifth of the time can apply would keep the migration from ever ending.
 */
int pacer_share(const struct pacer *p);
/*
 * Time a step may hold the writer now. While clients write, a third of what is configured, for that is what they wait;
 * but as long as its commit takes, or where the disk is slow the migration would do little but commit.
 */
uint64_t pacer_hold(const struct pacer *p);
/* Time to wait after a step that held the writer for `held_ns`: 0 where nobody else wants it. */
uint64_t pacer_pause(const struct pacer *p, uint64_t held_ns, bool clients);

/* The work's state at a moment; a fall (another phase) forgets what was before. */
void pacer_sample(struct pacer *p, uint64_t now_ns, int64_t rows);
void pacer_forget(struct pacer *p);
/* Rows per second over the window, 0 while there is none. */
double pacer_rate(const struct pacer *p, uint64_t now_ns);
/* Seconds for the rows that remain at that rate, -1: unknown. */
int64_t pacer_eta(const struct pacer *p, uint64_t now_ns, int64_t rows_left);

/* Wait before the n-th retry (from 0) after the disk was full or the like: 0.25 s doubling up to 30 s. */
uint64_t pacer_backoff(unsigned n);

#endif
