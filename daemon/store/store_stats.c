/*
 * What the store tells of itself: counters, sizes, waits.
 */
#include <sys/stat.h>

#include "daemon/store/internal.h"

int64_t store_wal_file_bytes(const struct store *s)
{
	struct buf path = {0};
	struct stat st;

	buf_printf(&path, "%s-wal", store_get_config(s)->path);
	int64_t n = stat(buf_cstr(&path), &st) == 0 ? st.st_size : 0;
	buf_free(&path);
	return n;
}

static void lane_stats(struct store *s, struct store_stats *ret)
{
	struct readers *r = &s->readers;

	pthread_mutex_lock(&r->lock);
	ret->reader_lanes = (int)r->lanes.count;
	ret->readers_busy = (int)r->lanes.count - r->waiting;
	ret->pinned = (int)r->pinned_dbs.count;
	pthread_mutex_unlock(&r->lock);
	pthread_mutex_lock(&s->writer.lock);
	ret->writer_queue = (int)s->writer.queue.count;
	pthread_mutex_unlock(&s->writer.lock);
}

uint64_t store_long_snapshot(const struct store *s)
{
	uint64_t copy = atomic_load(&s->copy_since_ns), look = atomic_load(&s->look_since_ns);

	return !copy || (look && look < copy) ? look : copy;
}

const struct histogram *store_times(const struct store *s, enum store_times which)
{
	switch (which) {
	case STORE_TIMES_QUERY:
		return &s->query;
	case STORE_TIMES_WAIT:
		return &s->wait;
	case STORE_TIMES_WRITE:
		return &s->write;
	case STORE_TIMES_COMMIT:
		return &s->commit;
	case STORE_TIMES_SYNC:
		return &s->sync;
	case STORE_TIMES_HOLD:
		break;
	}
	return &s->hold;
}

/* What is the loop's own. */
static void loop_stats(const struct store *s, struct store_stats *ret)
{
	for (size_t i = 0; i <= STOP_SHUTDOWN; i++)
		ret->stopped_total[i] = s->stopped[i];
	ret->statement_texts = (int64_t)s->statements.count;
	ret->statements_evicted_total = s->statements.evicted;
	ret->slow_total = s->slow_log.total;
	ret->slow_untold_total = s->slow_log.passed_over_total;
	ret->memory_bytes = sqlite3_memory_used();
	ret->memory_peak_bytes = sqlite3_memory_highwater(0);
}

void store_stats(struct store *s, struct store_stats *ret)
{
	struct stat st;
	uint64_t oldest = readers_oldest(s, false), copy = store_long_snapshot(s);

	if (copy && (!oldest || copy < oldest))
		oldest = copy;

	*ret = (struct store_stats){
		.queries_total = atomic_load(&s->queries),
		.quick_reads_total = atomic_load(&s->quick_reads),
		.writes_total = atomic_load(&s->writes),
		.groups_total = atomic_load(&s->groups),
		.tx_expired_total = atomic_load(&s->tx_expired),
		.cursor_expired_total = atomic_load(&s->cursor_expired),
		.busy_total = atomic_load(&s->busy),
		.checkpoints_total = atomic_load(&s->checkpoints),
		.checkpoint_blocked_total = atomic_load(&s->checkpoints_blocked),
		.db_bytes = stat(store_get_config(s)->path, &st) == 0 ? st.st_size : 0,
		.wal_bytes = store_wal_file_bytes(s),
		.freelist_pages = atomic_load(&s->freelist_pages),
		.oldest_reader_s = oldest ? (double)(clock_now_ns() - oldest) / 1e9 : 0,
		.wait_p50_ns = histogram_quantile(&s->wait, .5),
		.wait_p99_ns = histogram_quantile(&s->wait, .99),
		.wait_max_ns = histogram_max(&s->wait),
		.query_p50_ns = histogram_quantile(&s->query, .5),
		.query_p99_ns = histogram_quantile(&s->query, .99),
		.query_max_ns = histogram_max(&s->query),
		.hold_p50_ns = histogram_quantile(&s->hold, .5),
		.hold_p99_ns = histogram_quantile(&s->hold, .99),
		.hold_max_ns = histogram_max(&s->hold),
		.pinned_refused_total = atomic_load(&s->pinned_refused),
		.wal_expired_total = atomic_load(&s->readers_expired),
		.throttled = s->throttled,
	};
	lane_stats(s, ret);
	loop_stats(s, ret);
}

/* A woken lane looks once round and sleeps again: a turn, if it can take one. */
uint64_t store_pulse(struct store *s)
{
	uint64_t pulse = pulse_read(&s->pulse, clock_now_ns());

	writer_wake(s);
	return pulse;
}
