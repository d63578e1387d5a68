/*
 * Time. Inside the daemon: monotonic nanoseconds. Tests put a fake clock in its place.
 */
#ifndef ALTERD_LIB_CLOCK_H
#define ALTERD_LIB_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
/* "never" as a deadline. */
#define CLOCK_NEVER UINT64_MAX

/* Monotonic nanoseconds; any thread. */
uint64_t clock_now_ns(void);
/* Nanoseconds the calling thread has computed: what time is not counted when the machine is busy with others. */
uint64_t clock_cpu_ns(void);
/* Wall clock as milliseconds since 1970; any thread. */
int64_t clock_wall_ms(void);
/* "2026-03-01T10:00:00.123Z" (decimals = 3) or "2026-03-01T10:00:00Z" (0). `out` has room for 32 bytes. */
void clock_format(int64_t wall_ms, int decimals, char *out);

/* Replaces both sources; NULL puts the real ones back. Tests only, before threads are started. */
void clock_fake(uint64_t (*now_ns)(void), int64_t (*wall_ms)(void));

#endif
