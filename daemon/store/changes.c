/* From the writer to the loop: what was committed, that counting has begun, that the schema may have changed. */
#include "daemon/store/changes.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/internal.h"

/* A transaction on its way; one block of memory with its names. */
struct commit_mail {
	struct mail mail; /* first */
	struct store *store;
	struct changes changes;
	struct change at[];
};

static void deliver_commit(struct mail *mail)
{
	struct commit_mail *c = (struct commit_mail *)(void *)mail;
	struct watchers *w = &c->store->watchers;

	if (w->committed)
		w->committed(w->changes_arg, &c->changes);
	free(c);
}

struct mail *changes_mail(const struct tally *t)
{
	size_t n = t->ncounts, bytes = 0;

	if (n == 0 && !t->more)
		return NULL;
	for (size_t i = 0; i < n; i++)
		bytes += strlen(t->names[t->counts[i].table]) + 1;
	struct commit_mail *c = xmalloc(sizeof *c + n * sizeof *c->at + bytes);
	char *name = (char *)(c->at + n);

	*c = (struct commit_mail){.mail.deliver = deliver_commit, .store = t->store};
	for (size_t i = 0; i < n; i++) {
		const struct tally_count *from = &t->counts[i];
		size_t size = strlen(t->names[from->table]) + 1;

		memcpy(name, t->names[from->table], size);
		c->at[i] = (struct change){name, from->inserted, from->updated, from->deleted};
		name += size;
	}
	c->changes = (struct changes){.n = n, .more = t->more, .at = c->at};
	return &c->mail;
}

void changes_post(struct tally *t) { mailbox_post_list(t->store->mailbox, &t->parts); }

/* --- counting, on and off --- */

static void deliver_counting(struct mail *mail)
{
	struct watchers *w = CONTAINER_OF(mail, struct watchers, counting_mail);
	struct store *s = CONTAINER_OF(w, struct store, watchers);

	pthread_mutex_lock(&s->writer.lock);
	w->counting_out = false;
	pthread_mutex_unlock(&s->writer.lock);
	if (w->counting && store_counts_changes(s))
		w->counting(w->changes_arg);
}

void changes_switch(struct store *s)
{
	struct watchers *w = &s->watchers;
	struct tally *t = &s->writer.db->tally;

	if (t->wanted == w->asked)
		return;
	t->wanted = w->counts = w->asked;
	if (!t->wanted || w->counting_out)
		return;
	w->counting_out = true;
	w->counting_mail.deliver = deliver_counting;
	mailbox_post(s->mailbox, &w->counting_mail);
}

void store_count_changes(struct store *s, bool on)
{
	struct writer *w = &s->writer;

	pthread_mutex_lock(&w->lock);
	s->watchers.asked = on;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

bool store_counts_changes(struct store *s)
{
	pthread_mutex_lock(&s->writer.lock);
	bool counts = s->watchers.counts && s->watchers.asked;
	pthread_mutex_unlock(&s->writer.lock);
	return counts;
}

void store_on_changes(struct store *s, void (*committed)(void *arg, const struct changes *changes),
		      void (*counting)(void *arg), void *arg)
{
	struct watchers *w = &s->watchers;

	w->committed = committed;
	w->counting = counting;
	w->changes_arg = arg;
}

/* --- the schema --- */

static void deliver_touched(struct mail *mail)
{
	struct watchers *w = CONTAINER_OF(mail, struct watchers, schema_mail);

	/* Before it is told: a commit from here on is told again. */
	atomic_store(&w->schema_out, false);
	if (w->touched)
		w->touched(w->schema_arg);
}

void changes_schema_touched(struct store *s)
{
	struct watchers *w = &s->watchers;

	if (atomic_exchange(&w->schema_out, true))
		return;
	w->schema_mail.deliver = deliver_touched;
	mailbox_post(s->mailbox, &w->schema_mail);
}

void store_on_schema(struct store *s, void (*touched)(void *arg), void *arg)
{
	s->watchers.touched = touched;
	s->watchers.schema_arg = arg;
}
