/* What request.c and its helpers share while one line is being decoded. Inside proto only. */
#ifndef ALTERD_PROTO_DECODE_H
#define ALTERD_PROTO_DECODE_H

#include "proto/request.h"
#include "proto/tree.h"

struct decoder {
	struct arena arena;
	bool borrowed;         /* the tree's strings are not the arena's: they have to be copied */
	struct params *params; /* where the parameters go */
	struct error *err;
};

/* Decodes the members of `params` into d->params, checked against the method's row of op.h. `members` may be NULL. */
int decode_params(struct decoder *d, enum op op, const struct node *members);

/*
 * Decodes values to bind: an array for positions, an object for names. `where` is what an error calls it, formatted
 * with `step`, the statement of a batch it belongs to (-1: none).
 */
int decode_binds(struct decoder *d, const struct node *bind, long step, struct binds *ret);

/* A string without NUL inside, NUL behind it. `name` is what an error calls it; `step` as above. */
int decode_string(struct decoder *d, const struct node *v, const char *name, long step, const char **ret,
		  size_t *ret_len);

/* Text of the tree with a NUL behind it, which lives as long as the request. */
int decode_keep(struct decoder *d, const char *p, size_t n, const char **ret);

/* Sets INVALID_PARAMS with a text that begins "name " or "statements[step].name ". Returns -1. */
int decode_refuse(struct decoder *d, long step, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* topics.c: the parameters of subscribe. */
int decode_topics(struct decoder *d, const struct node *v);
int decode_tables(struct decoder *d, const struct node *v);

#endif
