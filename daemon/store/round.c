/*
 * One round of the loop: what its requests have asked for is done or handed over once for all of them, and before it
 * sleeps the loop looks out for more, for to sleep and be woken costs more than a small request does.
 */
#include <poll.h>
#include <sched.h>

#include "daemon/store/internal.h"

void store_flush(struct store *s)
{
	quick_pass_on(s);
	readers_push_list(s, &s->to_readers);
	writer_push_list(s, &s->to_writer);
}

/* What one round of the loop has asked for: what is short is done at once, the rest goes to the lanes. */
static void hand_over(struct store *s)
{
	quick_run(s);
	store_flush(s);
}

/* How long the loop looks out before it sleeps, and for how long after the last answer it does so at all. */
#define LINGER_NS (50 * NS_PER_US)
#define BRISK_NS (100 * NS_PER_US)

static void on_no_wait(uv_idle_t *handle) { (void)handle; }

bool store_linger(struct store *s, bool *ret_again)
{
	struct pollfd sockets = {.fd = uv_backend_fd(s->loop), .events = POLLIN};
	uint64_t now = clock_now_ns(), until = now + LINGER_NS;

	*ret_again = false;
	/* Where requests came in this round, more may be there already: the next poll does not wait. */
	if (s->asked && !s->closing) {
		s->asked = false;
		uv_idle_start(&s->no_wait, on_no_wait);
		return false;
	}
	uv_idle_stop(&s->no_wait);
	if (s->closing || now - atomic_load_explicit(&s->answered_ns, memory_order_relaxed) > BRISK_NS)
		return false;
	mailbox_listen(s->mailbox);
	while (!mailbox_has_mail(s->mailbox) && clock_now_ns() < until) {
		if (poll(&sockets, 1, 0) != 0)
			break;
		sched_yield();
	}
	if (!mailbox_stop_listening(s->mailbox))
		return false;
	mailbox_drain(s->mailbox);
	hand_over(s);
	*ret_again = !s->closing && poll(&sockets, 1, 0) == 0;
	return true;
}

static void on_check(uv_check_t *handle) { hand_over(handle->data); }

/* Here the loop is about to sleep: answers given now would wait for its next waking. */
static void on_prepare(uv_prepare_t *handle) { store_flush(handle->data); }

void store_on_answers(struct store *s, void (*answers)(void *arg), void *arg)
{
	s->answers = answers;
	s->answers_arg = arg;
}

void round_start(struct store *s)
{
	uv_check_init(s->loop, &s->check);
	uv_prepare_init(s->loop, &s->prepare);
	uv_idle_init(s->loop, &s->no_wait);
	uv_check_start(&s->check, on_check);
	uv_prepare_start(&s->prepare, on_prepare);
}
