/*
 * Reading a reply on the client's side without jansson in sight: a parsed line and a read-only view into it.
 *
 * Nodes are borrowed from their document and valid until doc_free(). A missing member, a wrong index or a NULL node
 * yields NULL; the readers of a NULL node yield the fallback. So a path can be read without a check at each step.
 */
#ifndef ALTERD_PROTO_DOC_H
#define ALTERD_PROTO_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"

struct doc;
struct doc_node;

enum doc_type { DOC_NULL, DOC_BOOL, DOC_INT, DOC_REAL, DOC_STRING, DOC_ARRAY, DOC_OBJECT };

int doc_parse(const char *text, size_t n, struct doc **ret, struct error *err);
void doc_free(struct doc *d);

const struct doc_node *doc_root(const struct doc *d);
enum doc_type doc_type(const struct doc_node *n); /* DOC_NULL for NULL */
/* A member by path: "result.job.phase". Names with a dot cannot be reached; none of the protocol's has one. */
const struct doc_node *doc_get(const struct doc_node *n, const char *path);
size_t doc_count(const struct doc_node *n); /* elements of an array, members of an object, else 0 */
const struct doc_node *doc_at(const struct doc_node *n, size_t i); /* i-th element of an array */
/* Walks an object in the order of the text: pass NULL to begin; NULL at the end. The iterator is opaque. */
void *doc_each(const struct doc_node *n, void *iterator, const char **ret_key, const struct doc_node **ret_value);

int64_t doc_int(const struct doc_node *n, int64_t fallback);
double doc_real(const struct doc_node *n, double fallback);
bool doc_bool(const struct doc_node *n, bool fallback);
const char *doc_str(const struct doc_node *n, const char *fallback); /* NUL-terminated */
size_t doc_strlen(const struct doc_node *n);                         /* bytes, NULs counted */

/* The node as compact JSON text. */
void doc_dump(struct buf *out, const struct doc_node *n);

#endif
