/*
 * Decoding beside the loop: a long line is read by a thread of libuv's pool, so that a request of a million values
 * costs nobody but its own client. One line at a time and in the order they came, so that together they hold no more
 * memory than one does.
 *
 * Everything here is called by the loop's thread.
 */
#ifndef ALTERD_SERVER_BESIDE_H
#define ALTERD_SERVER_BESIDE_H

#include <stdbool.h>
#include <uv.h>

#include "daemon/lib/list.h"

struct server;
struct slot;

struct beside {
	uv_work_t work;
	struct slot *busy;   /* the pool's; NULL: none */
	struct list waiting; /* slots, oldest first */
	struct server *server;
};

void beside_init(struct beside *b, struct server *server);
/*
 * Decodes the slot's text, which must stay where it is; line_decoded() follows from the loop, never from inside. A
 * slot whose session is closed before its turn is not decoded.
 */
void beside_decode(struct beside *b, struct slot *slot);

#endif
