/*
 * From any thread to the loop: a queue and a uv_async. Sends coalesce, so the receiver drains all there is.
 */
#ifndef ALTERD_LIB_MAILBOX_H
#define ALTERD_LIB_MAILBOX_H

#include <stdbool.h>
#include <uv.h>

#include "daemon/lib/list.h"

struct mail {
	struct list_node node;
	void (*deliver)(struct mail *); /* runs on the loop thread; takes the mail back, may free it */
};

struct mailbox;

/* Loop thread. The mailbox does not keep the loop alive by itself. */
int mailbox_open(uv_loop_t *loop, struct mailbox **ret);
/* Any thread. Mail is delivered in the order it was posted, and never from inside this call. */
void mailbox_post(struct mailbox *m, struct mail *mail);
/* The same for a whole list of `struct mail` nodes, with one wake-up; `mails` is empty afterwards. */
void mailbox_post_list(struct mailbox *m, struct list *mails);
/*
 * Loop thread: while it listens, mail does not wake the loop: the thread looks by itself with mailbox_has_mail(). When
 * it stops listening it must drain what is there, if anything is (true).
 */
void mailbox_listen(struct mailbox *m);
bool mailbox_has_mail(const struct mailbox *m);
bool mailbox_stop_listening(struct mailbox *m);
/* Loop thread: delivers what is there now. For tests and for the drain at shutdown. */
void mailbox_drain(struct mailbox *m);
/* Loop thread, when no other thread can post any more; delivers what is left, frees when the handle has closed. */
void mailbox_close(struct mailbox *m);

#endif
