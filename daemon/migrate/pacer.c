/* The pacer's arithmetic. */
#include "daemon/migrate/pacer.h"

#include "daemon/lib/clock.h"

#define CHUNK_FIRST 64
#define CHUNK_MIN 8
/* The pressure with which the share of the time is the largest. */
#define PRESS_SHARE 4
/* Weight of the newest measurement. */
#define SMOOTH 0.25

static int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

void pacer_init(struct pacer *p, uint64_t hold_ns, int64_t batch_rows, int64_t duty_percent)
{
	*p = (struct pacer){.chunk_rows = CHUNK_FIRST};
	pacer_limits(p, hold_ns, batch_rows, duty_percent);
}

void pacer_limits(struct pacer *p, uint64_t hold_ns, int64_t batch_rows, int64_t duty_percent)
{
	p->hold_ns = hold_ns;
	p->batch_rows = batch_rows > 0 ? batch_rows : 1;
	p->duty_percent = clamp(duty_percent, 1, 100);
	p->chunk_rows = clamp(p->chunk_rows, 1, p->batch_rows);
}

static double smooth(double before, double now) { return before > 0 ? before * (1 - SMOOTH) + now * SMOOTH : now; }

void pacer_learn(struct pacer *p, int64_t rows, uint64_t ns, uint64_t held_ns)
{
	if (rows <= 0 || ns == 0)
		return;
	p->ns_per_row = smooth(p->ns_per_row, (double)ns / (double)rows);
	p->commit_ns = smooth(p->commit_ns, held_ns > ns ? (double)(held_ns - ns) : 0);
	double wanted = (double)pacer_hold(p) / 4 / p->ns_per_row;
	int64_t most = 2 * p->chunk_rows;
	int64_t rows_next = wanted > (double)most ? most : (int64_t)wanted;
	p->chunk_rows = clamp(rows_next, CHUNK_MIN, INT64_MAX);
	p->chunk_rows = clamp(p->chunk_rows, 1, p->batch_rows);
}

void pacer_press(struct pacer *p, uint64_t behind_ns)
{
	p->press = behind_ns < NS_PER_S ? 0 : (int)clamp((int64_t)((behind_ns / NS_PER_S + 1) / 2), 1, PACER_PRESS_MAX);
}

int pacer_share(const struct pacer *p)
{
	return p->press > 0 ? 20 + 70 * (int)clamp(p->press, 0, PRESS_SHARE) / PRESS_SHARE : 0;
}

uint64_t pacer_hold(const struct pacer *p)
{
	if (p->press > 0)
		return p->hold_ns * (uint64_t)p->press;
	uint64_t least = p->hold_ns / 3, commit = (uint64_t)p->commit_ns;
	if (!p->clients || commit > p->hold_ns)
		return p->hold_ns;
	return commit > least ? commit : least;
}

uint64_t pacer_pause(const struct pacer *p, uint64_t held_ns, bool clients)
{
	if (!clients || p->press > 0)
		return 0;
	return held_ns / (uint64_t)p->duty_percent * (uint64_t)(100 - p->duty_percent);
}

void pacer_forget(struct pacer *p) { p->n = 0; }

void pacer_sample(struct pacer *p, uint64_t now_ns, int64_t rows)
{
	const uint64_t apart = PACER_WINDOW_S * NS_PER_S / (PACER_SAMPLES - 2);

	if (p->n > 0) {
		int last = (p->first + p->n - 1) % PACER_SAMPLES;
		if (rows < p->samples[last].rows)
			p->n = 0;
		else if (p->n > 1 && now_ns - p->samples[(last + PACER_SAMPLES - 1) % PACER_SAMPLES].at_ns < apart) {
			/* Too near to the one before the last: the last one moves on. */
			p->samples[last].at_ns = now_ns;
			p->samples[last].rows = rows;
			return;
		}
	}
	while (p->n > 1 && (p->n == PACER_SAMPLES || now_ns - p->samples[p->first].at_ns > PACER_WINDOW_S * NS_PER_S)) {
		p->first = (p->first + 1) % PACER_SAMPLES;
		p->n--;
	}
	int at = (p->first + p->n++) % PACER_SAMPLES;
	p->samples[at].at_ns = now_ns;
	p->samples[at].rows = rows;
}

double pacer_rate(const struct pacer *p, uint64_t now_ns)
{
	if (p->n < 2)
		return 0;
	const int last = (p->first + p->n - 1) % PACER_SAMPLES;
	uint64_t from = p->samples[p->first].at_ns;
	if (now_ns <= from)
		return 0;
	return (double)(p->samples[last].rows - p->samples[p->first].rows) * 1e9 / (double)(now_ns - from);
}

int64_t pacer_eta(const struct pacer *p, uint64_t now_ns, int64_t rows_left)
{
	double rate = pacer_rate(p, now_ns);
	if (rate <= 0)
		return -1;
	double s = (double)(rows_left > 0 ? rows_left : 0) / rate;
	return s > 1e9 ? -1 : (int64_t)(s + 0.999);
}

uint64_t pacer_backoff(unsigned n)
{
	uint64_t ns = NS_PER_S / 4;
	for (unsigned i = 0; i < n && ns < 30 * NS_PER_S; i++)
		ns *= 2;
	return ns < 30 * NS_PER_S ? ns : 30 * NS_PER_S;
}
