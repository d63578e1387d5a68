/*
 * SQLite's memory: one limit for all of it, and who is refused when it is reached. See heap.c.
 *
 * Any thread, but for heap_install().
 */
#ifndef ALTERD_STORE_HEAP_H
#define ALTERD_STORE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

/* Puts itself before SQLite's allocator. Before SQLite is used for the first time: after that, nothing is done. */
void heap_install(void);

/* Bytes that SQLite may hold in all; 0: no limit. */
void heap_set_limit(int64_t bytes);

/* This thread begins a piece of work: a client's statement, a step of a migration. It has taken nothing yet. */
void heap_begin(void);

/* What this thread takes from now on is refused to nobody: for what must not fail. */
void heap_unbounded(bool on);

#endif
