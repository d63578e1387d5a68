#include "daemon/server/beside.h"

#include "daemon/lib/check.h"
#include "daemon/server/internal.h"
#include "daemon/server/line.h"

void beside_init(struct beside *b, struct server *server)
{
	*b = (struct beside){.server = server};
	list_init(&b->waiting);
}

static void on_work(uv_work_t *work)
{
	struct beside *b = work->data;

	if (!b->busy->unwanted)
		slot_decode(b->busy);
}

static void begin_next(struct beside *b);

static void on_worked(uv_work_t *work, int status)
{
	struct beside *b = work->data;
	struct slot *slot = b->busy;

	(void)status; /* nobody cancels it */
	b->busy = NULL;
	begin_next(b);
	line_decoded(slot);
}

static void begin_next(struct beside *b)
{
	struct list_node *n = b->busy ? NULL : list_pop(&b->waiting);

	if (!n)
		return;
	b->busy = LIST_ENTRY(n, struct slot, node);
	b->busy->unwanted = b->busy->session->state == SESSION_CLOSED;
	b->work.data = b;
	CHECK(uv_queue_work(b->server->loop, &b->work, on_work, on_worked) == 0);
}

void beside_decode(struct beside *b, struct slot *slot)
{
	list_push(&b->waiting, &slot->node);
	begin_next(b);
}
