/* Memory that was freed, back to the system. */
#ifndef ALTERD_LIB_MEMORY_H
#define ALTERD_LIB_MEMORY_H

#include <stdint.h>

/*
 * What a thread frees in small pieces stays in its own part of the heap, where no other thread finds it: with each
 * thread that once needed much the process would be that much larger. Gives it back, if the process has much more than
 * `in_use` bytes; that may take some tens of milliseconds. Any thread; to be called after work that could have taken
 * much, with no lock held.
 */
void memory_settle(int64_t in_use);

#endif
