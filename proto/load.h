/* jansson's reading of a line, for request.c: the parser whose word counts. Inside proto only. */
#ifndef ALTERD_PROTO_LOAD_H
#define ALTERD_PROTO_LOAD_H

#include <stddef.h>

#include "proto/error.h"
#include "proto/tree.h"

/* What jansson holds of a line; the nodes' strings are borrowed from it. */
struct loaded;

/* Reads a line into `cap` nodes, as many as scan_line() counted. Caller frees with load_free() once done with the
 * nodes. */
int load_tree(const char *line, size_t len, struct node *nodes, size_t cap, struct loaded **ret, struct error *err);
void load_free(struct loaded *l);

#endif
