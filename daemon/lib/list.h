/*
 * An intrusive doubly linked list with a head. Embedding costs no allocation; removal needs no search.
 * A node is in one list at a time; list_node_init() or a zeroed node is "in none".
 */
#ifndef ALTERD_LIB_LIST_H
#define ALTERD_LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/lib/check.h"

struct list_node {
	struct list_node *next, *prev; /* NULL while in no list */
};

struct list {
	struct list_node head; /* a ring through the head */
	size_t count;
};

static inline void list_init(struct list *l)
{
	l->head.next = l->head.prev = &l->head;
	l->count = 0;
}

static inline bool list_empty(const struct list *l) { return l->count == 0; }
static inline bool list_linked(const struct list_node *n) { return n->next != NULL; }

static inline void list_insert_before(struct list *l, struct list_node *at, struct list_node *n)
{
	PRE(!list_linked(n));
	n->next = at;
	n->prev = at->prev;
	at->prev->next = n;
	at->prev = n;
	l->count++;
}

static inline void list_push(struct list *l, struct list_node *n) { list_insert_before(l, &l->head, n); }
static inline void list_push_front(struct list *l, struct list_node *n) { list_insert_before(l, l->head.next, n); }

static inline void list_remove(struct list *l, struct list_node *n)
{
	PRE(list_linked(n) && l->count > 0);
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
	l->count--;
}

/*
 * First node, NULL if empty. (clang-tidy does not follow that list_remove() has taken a node out, and takes the next
 * look at the list for one at the node that was freed.)
 */
/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
static inline struct list_node *list_first(const struct list *l) { return list_empty(l) ? NULL : l->head.next; }
/* The node behind `n`, NULL at the end. */
static inline struct list_node *list_next(const struct list *l, const struct list_node *n)
{
	return n->next == &l->head ? NULL : n->next;
}

static inline struct list_node *list_pop(struct list *l)
{
	struct list_node *n = list_first(l);
	if (n)
		list_remove(l, n);
	return n;
}

/* Moves all of `from` behind the end of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list that is not empty is linked all round */
	from->head.next->prev = to->head.prev;
	to->head.prev->next = from->head.next;
	from->head.prev->next = &to->head;
	to->head.prev = from->head.prev;
	to->count += from->count;
	list_init(from);
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

#endif
