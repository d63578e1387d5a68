/* A thread's pulse, see pulse.h. */
#include "daemon/store/pulse.h"

#include <stddef.h>

#include "daemon/lib/clock.h"

_Thread_local struct pulse *pulse_mine = NULL;

void pulse_sync_begins(void)
{
	if (pulse_mine)
		atomic_store_explicit(&pulse_mine->sync_since_ns, clock_now_ns(), memory_order_relaxed);
}

void pulse_sync_ends(void)
{
	if (!pulse_mine)
		return;
	uint64_t since = atomic_load_explicit(&pulse_mine->sync_since_ns, memory_order_relaxed);
	if (pulse_mine->syncs)
		histogram_add(pulse_mine->syncs, clock_now_ns() - since);
	atomic_store_explicit(&pulse_mine->sync_since_ns, 0, memory_order_relaxed);
	pulse_beat();
}

uint64_t pulse_read(const struct pulse *p, uint64_t now_ns)
{
	uint64_t beats = atomic_load_explicit(&p->beats, memory_order_relaxed);
	uint64_t since = atomic_load_explicit(&p->sync_since_ns, memory_order_relaxed);

	/* The clock's nanoseconds are no number that beats come to. */
	return since && now_ns - since < PULSE_SYNC_NS ? now_ns : beats;
}
