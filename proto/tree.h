/*
 * A request's JSON as a flat array of nodes in the order of the text: a node, then its children, each with all of its
 * own behind it. Nothing is allocated per node, and a walk goes straight through memory. Inside proto only.
 */
#ifndef ALTERD_PROTO_TREE_H
#define ALTERD_PROTO_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/arena.h"

enum node_type { NODE_NULL, NODE_BOOL, NODE_INT, NODE_REAL, NODE_STRING, NODE_ARRAY, NODE_OBJECT };

struct node {
	enum node_type type;
	uint32_t nodes;   /* of this node and everything in it; the next sibling stands this far on */
	uint32_t count;   /* elements of an array, members of an object */
	uint32_t key_len; /* bytes of the key */
	const char *key;  /* NUL-terminated, no NUL inside; NULL unless a member of an object */
	union {
		bool b;
		int64_t i;
		double r;
		struct {
			char *p; /* NUL-terminated */
			size_t n;
		} s;
	};
};

/* Of an array or object that is not empty. */
static inline const struct node *node_first(const struct node *n) { return n + 1; }

static inline const struct node *node_next(const struct node *n) { return n + n->nodes; }

static inline bool node_is_text(const struct node *n, const char *text)
{
	return n->type == NODE_STRING && n->s.n == strlen(text) && memcmp(n->s.p, text, n->s.n) == 0;
}

/*
 * Reads a line into at most `cap` nodes, its strings and long numbers into the arena, which must have room for `len` +
 * 1 bytes. False where the line is not JSON, or memory is short. What it accepts jansson accepts, with duplicate keys
 * rejected, and nothing else, and reads in the same way; the fuzz target for requests holds it to that.
 */
bool tree_read(const char *line, size_t len, struct node *nodes, size_t cap, struct arena *arena);

#endif
