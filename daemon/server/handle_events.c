/* subscribe and unsubscribe. */
#include "daemon/server/handlers.h"
#include "daemon/server/line.h"

static int may_subscribe(const struct session *s, unsigned topics, struct error *err)
{
	for (unsigned t = 0; t < TOPIC_COUNT; t++)
		if ((topics & TOPIC_BIT(t)) && s->role < topic_role((enum topic)t))
			return error_set(err, ERRC_DENIED, "the topic %s needs the role %s; this session has %s",
					 topic_name((enum topic)t), peer_role_name(topic_role((enum topic)t)),
					 peer_role_name(s->role));
	if (s->sql.tx == TX_FAILED)
		return error_set(err, ERRC_TX_EXPIRED, "%s", s->sql.tx_gone);
	/* Counting begins between two transactions: it would wait for the end of this session's own. */
	if (s->sql.tx == TX_WRITE && (topics & TOPIC_BIT(TOPIC_CHANGES)))
		return error_set(err, ERRC_IN_TRANSACTION,
				 "the topic changes cannot be subscribed to inside a transaction");
	if (s->events.subscriptions.count >= SUBSCRIPTIONS_MAX)
		return error_set(err, ERRC_TOO_MANY, "a session has %d subscriptions at most", SUBSCRIPTIONS_MAX);
	return 0;
}

void handle_subscribe(struct slot *slot)
{
	if (may_subscribe(slot->session, slot->request->params.topics, &slot->sql.err) != 0) {
		slot_finish(slot);
		return;
	}
	slot_begin_wait(slot);
	events_subscribe(slot);
}

void handle_unsubscribe(struct slot *slot)
{
	const char *name = slot->request->params.subscription;

	if (events_unsubscribe(slot->session, name))
		buf_puts(&slot->reply, "{}");
	else
		(void)error_set(&slot->sql.err, ERRC_NOT_FOUND, "no subscription %.40s on this connection", name);
	slot_finish(slot);
}
