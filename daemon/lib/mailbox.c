/*
 * A list under a mutex, and a uv_async that wakes the loop. The first mail into an empty list sends; sends that come
 * together are one callback, which takes the whole list. Mail posted while it delivers waits for the next round of the
 * loop, so that two parties answering each other cannot keep the loop from its other work.
 */
#include "daemon/lib/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct mailbox {
	uv_async_t wake;      /* unreferenced; only uv_async_send is called from other threads */
	pthread_mutex_t lock; /* guards `in` */
	struct list in;       /* of struct mail, posted and not yet taken */
	bool listening;       /* the loop thread looks by itself: no wake-up. Under the lock */
	atomic_int waiting;   /* there is mail; readable without the lock */
	bool closing;         /* loop thread: mailbox_close was called */
};

static void on_wake(uv_async_t *handle)
{
	struct mailbox *m = CONTAINER_OF(handle, struct mailbox, wake);
	if (!m->closing)
		mailbox_drain(m);
}

int mailbox_open(uv_loop_t *loop, struct mailbox **ret)
{
	struct mailbox *m = xcalloc(1, sizeof(*m));
	if (uv_async_init(loop, &m->wake, on_wake) != 0) {
		free(m);
		return -1;
	}
	uv_unref((uv_handle_t *)&m->wake);
	CHECK(pthread_mutex_init(&m->lock, NULL) == 0);
	list_init(&m->in);
	*ret = m;
	return 0;
}

/* Under the lock, with mail just put in; `first`: there was none before. */
static void ring(struct mailbox *m, bool first)
{
	atomic_store_explicit(&m->waiting, 1, memory_order_release);
	if (first && !m->listening)
		CHECK(uv_async_send(&m->wake) == 0);
}

/*
 * The send stays inside the lock: outside it, a receiver could have drained this mail already (woken by an earlier
 * send), found the last of its work done, and closed the handle that is about to be used here.
 */
void mailbox_post(struct mailbox *m, struct mail *mail)
{
	CHECK(pthread_mutex_lock(&m->lock) == 0);
	bool first = list_empty(&m->in);
	list_push(&m->in, &mail->node);
	ring(m, first);
	CHECK(pthread_mutex_unlock(&m->lock) == 0);
}

void mailbox_post_list(struct mailbox *m, struct list *mails)
{
	if (list_empty(mails))
		return;
	CHECK(pthread_mutex_lock(&m->lock) == 0);
	bool first = list_empty(&m->in);
	list_splice(&m->in, mails);
	ring(m, first);
	CHECK(pthread_mutex_unlock(&m->lock) == 0);
}

void mailbox_listen(struct mailbox *m)
{
	CHECK(pthread_mutex_lock(&m->lock) == 0);
	m->listening = true;
	CHECK(pthread_mutex_unlock(&m->lock) == 0);
}

bool mailbox_has_mail(const struct mailbox *m) { return atomic_load_explicit(&m->waiting, memory_order_acquire) != 0; }

bool mailbox_stop_listening(struct mailbox *m)
{
	CHECK(pthread_mutex_lock(&m->lock) == 0);
	m->listening = false;
	bool mail = !list_empty(&m->in);
	CHECK(pthread_mutex_unlock(&m->lock) == 0);
	return mail;
}

void mailbox_drain(struct mailbox *m)
{
	struct list round;
	struct list_node *n;

	list_init(&round);
	CHECK(pthread_mutex_lock(&m->lock) == 0);
	list_splice(&round, &m->in);
	atomic_store_explicit(&m->waiting, 0, memory_order_relaxed);
	CHECK(pthread_mutex_unlock(&m->lock) == 0);
	while ((n = list_pop(&round)) != NULL) {
		struct mail *mail = LIST_ENTRY(n, struct mail, node);
		mail->deliver(mail);
	}
}

static void on_closed(uv_handle_t *handle)
{
	struct mailbox *m = CONTAINER_OF((uv_async_t *)handle, struct mailbox, wake);
	INVARIANT(list_empty(&m->in));
	CHECK(pthread_mutex_destroy(&m->lock) == 0);
	free(m);
}

void mailbox_close(struct mailbox *m)
{
	if (!m || m->closing)
		return;
	/* What is delivered may post again, from this thread: until nothing is left. */
	do {
		mailbox_drain(m);
	} while (!list_empty(&m->in));
	m->closing = true;
	uv_close((uv_handle_t *)&m->wake, on_closed);
}
