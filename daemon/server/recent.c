/* A second is as long as the loop lets it be: rates are by the time that really went by. */
#include "daemon/server/recent.h"

#include "proto/response.h"

#define SECOND_MS 1000

static double per_s(uint64_t more, uint64_t ms) { return ms ? (double)more * 1000 / (double)ms : 0; }

void recent_look(struct recent *r, const struct store *store, uint64_t now_ms, uint64_t statements, uint64_t errors)
{
	size_t at = r->wait.ticks % WINDOW_SECONDS;

	if (!r->due_ms) {
		r->last_ms = now_ms;
		r->due_ms = now_ms + SECOND_MS;
		return;
	}
	if (now_ms < r->due_ms)
		return;
	r->statements_per_s[at] = per_s(statements - r->statements, now_ms - r->last_ms);
	r->errors_per_s[at] = per_s(errors - r->errors, now_ms - r->last_ms);
	r->statements = statements;
	r->errors = errors;
	r->last_ms = now_ms;
	/* In step with the clock, but not behind it: a loop that stood still makes one long second, not many at once.
	 */
	r->due_ms += SECOND_MS;
	if (r->due_ms <= now_ms)
		r->due_ms = now_ms + SECOND_MS;
	window_tick(&r->wait, store_times(store, STORE_TIMES_WAIT));
	window_tick(&r->query, store_times(store, STORE_TIMES_QUERY));
}

static size_t seconds(const struct recent *r)
{
	return r->wait.ticks < WINDOW_SECONDS ? (size_t)r->wait.ticks : WINDOW_SECONDS;
}

/* The oldest first, as all that follows. */
static void write_rates(const struct recent *r, const char *key, const double *ring, struct buf *out)
{
	jw_key(out, key);
	jw_open(out, '[');
	for (size_t n = seconds(r); n > 0; n--)
		jw_real(out, NULL, ring[(r->wait.ticks - n) % WINDOW_SECONDS], 1);
	jw_close(out, ']');
}

static uint64_t p50(struct window_times t) { return t.p50_ns; }
static uint64_t p99(struct window_times t) { return t.p99_ns; }
static uint64_t longest(struct window_times t) { return t.max_ns; }

static void write_column(const struct recent *r, const struct window *w, const char *key,
			 uint64_t (*value)(struct window_times), struct buf *out)
{
	jw_key(out, key);
	jw_open(out, '[');
	for (size_t n = seconds(r); n > 0; n--)
		jw_real(out, NULL, (double)value(window_second(w, n - 1)) / 1e6, 3);
	jw_close(out, ']');
}

static void write_times(const struct recent *r, const struct window *w, const char *key, struct buf *out)
{
	jw_key(out, key);
	jw_open(out, '{');
	write_column(r, w, "p50", p50, out);
	write_column(r, w, "p99", p99, out);
	write_column(r, w, "max", longest, out);
	jw_close(out, '}');
}

void recent_write(const struct recent *r, uint64_t waiting_ns, struct buf *out)
{
	jw_open(out, '{');
	jw_int(out, "seconds", (int64_t)seconds(r));
	write_rates(r, "statements_per_s", r->statements_per_s, out);
	write_rates(r, "errors_per_s", r->errors_per_s, out);
	write_times(r, &r->wait, "writer_wait_ms", out);
	write_times(r, &r->query, "query_ms", out);
	jw_real(out, "waiting_ms", (double)waiting_ns / 1e6, 3);
	jw_close(out, '}');
}
