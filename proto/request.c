/*
 * A request: the envelope around method and parameters. The order of the checks is the order in which a mistake can be
 * answered well: first what tells the id, then the rest under that id.
 *
 * All memory of a request is one block, made before the line is read and large enough by the line's own size: each byte
 * of a string comes from the line, each structure from a value that was counted. The nodes are needed only here; a
 * usual request's fit on the stack.
 */
#include "proto/request.h"

#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/load.h"
#include "proto/scan.h"

/* Structures an accepted JSON value can turn into: a step, or a value to bind and its name. */
#define BYTES_PER_VALUE (sizeof(struct step))
_Static_assert(BYTES_PER_VALUE >= sizeof(struct value) + sizeof(char *), "the arena would be too small");

/* Values of a request whose nodes are kept on the stack. */
#define STACK_NODES 64

/* Values of a line that jansson is asked about: its tree of more would take hundreds of megabytes. */
#define LOADED_VALUES_MAX 65536

/* The top level of the object; NULL if absent. */
struct envelope {
	const struct node *jsonrpc;
	const struct node *id;
	const struct node *method;
	const struct node *params;
	const char *unknown; /* first key that is none of these */
};

bool reqid_equal(const struct reqid *a, const struct reqid *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case REQID_NONE:
		return true;
	case REQID_INT:
		return a->i == b->i;
	case REQID_STRING:
		return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
	}
	return false;
}

static struct envelope open_envelope(const struct node *root)
{
	struct envelope e = {0};
	const struct node *member = node_first(root);
	uint32_t i;

	for (i = 0; i < root->count; i++, member = node_next(member)) {
		if (strcmp(member->key, "jsonrpc") == 0)
			e.jsonrpc = member;
		else if (strcmp(member->key, "id") == 0)
			e.id = member;
		else if (strcmp(member->key, "method") == 0)
			e.method = member;
		else if (strcmp(member->key, "params") == 0)
			e.params = member;
		else if (e.unknown == NULL)
			e.unknown = member->key;
	}
	return e;
}

/* The id as it stands in the tree; its string is the tree's. */
static int read_id(const struct node *v, struct reqid *ret, struct error *err)
{
	if (v == NULL)
		return 0;
	if (v->type == NODE_INT) {
		*ret = (struct reqid){.kind = REQID_INT, .i = v->i};
		return 0;
	}
	if (v->type != NODE_STRING)
		return error_set(err, ERRC_INVALID_REQUEST, "id must be an integer or a string");
	if (v->s.n > REQUEST_ID_MAX)
		return error_set(err, ERRC_INVALID_REQUEST, "id is longer than %d bytes", REQUEST_ID_MAX);
	*ret = (struct reqid){.kind = REQID_STRING, .s = v->s.p, .len = v->s.n};
	return 0;
}

static int check_envelope(const struct envelope *e, struct error *err)
{
	if (e->unknown != NULL)
		return error_set(err, ERRC_INVALID_REQUEST, "unknown key \"%.64s\" beside method and params",
				 e->unknown);
	if (e->jsonrpc != NULL && !node_is_text(e->jsonrpc, "2.0"))
		return error_set(err, ERRC_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
	if (e->method == NULL || e->method->type != NODE_STRING)
		return error_set(err, ERRC_INVALID_REQUEST, "method must be a string");
	return 0;
}

static int find_op(const struct node *method, enum op *ret, struct error *err)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): check_envelope() has refused a missing method */
	const char *name = method->s.p, *near;
	enum op op = op_by_name(name, method->s.n);

	if (op != OP_COUNT) {
		*ret = op;
		return 0;
	}
	near = op_suggest(name);
	if (near == NULL)
		return error_set(err, ERRC_METHOD_NOT_FOUND, "no method %.64s", name);
	return error_set(err, ERRC_METHOD_NOT_FOUND, "no method %.64s (did you mean %s?)", name, near);
}

/* Method and parameters, once the envelope is good. */
static int decode_call(struct decoder *d, const struct envelope *e, struct request *r)
{
	if (find_op(e->method, &r->op, d->err) < 0)
		return -1;
	if (e->params != NULL && e->params->type != NODE_OBJECT)
		return error_set(d->err, ERRC_INVALID_PARAMS, "params must be an object");
	if (r->id.kind == REQID_STRING && decode_keep(d, r->id.s, r->id.len, &r->id.s) < 0)
		return -1;
	return decode_params(d, r->op, e->params);
}

/* Gives the id to the caller, who answers the error under it when all else is gone. */
static void export_id(const struct reqid *id, struct reqid *ret_id, char **ret_id_text)
{
	char *copy;

	if (id->kind != REQID_STRING) {
		*ret_id = *id;
		return;
	}
	copy = malloc(id->len + 1);
	if (copy == NULL)
		return;
	memcpy(copy, id->s, id->len);
	copy[id->len] = '\0';
	*ret_id_text = copy;
	*ret_id = (struct reqid){.kind = REQID_STRING, .s = copy, .len = id->len};
}

static int decode_root(struct decoder *d, const struct node *root, struct request *r, struct reqid *ret_id,
		       char **ret_id_text, bool *ret_notification)
{
	struct envelope e;
	int rc;

	if (root->type != NODE_OBJECT)
		return error_set(d->err, ERRC_INVALID_REQUEST, "send one object per line");
	e = open_envelope(root);
	rc = read_id(e.id, &r->id, d->err);
	if (rc == 0)
		rc = check_envelope(&e, d->err);
	if (rc == 0) {
		*ret_notification = e.id == NULL;
		rc = decode_call(d, &e, r);
	}
	if (rc < 0)
		export_id(&r->id, ret_id, ret_id_text);
	return rc;
}

/* A request of `values` values, its block with room for everything that can come of the line. */
static struct request *new_request(size_t len, size_t values, struct arena *ret)
{
	size_t size = sizeof(struct request) + values * BYTES_PER_VALUE + len + 1;
	struct request *r = malloc(size);

	if (r == NULL)
		return NULL;
	*r = (struct request){.bytes = len, .arena = r};
	*ret = (struct arena){.front = (char *)(r + 1), .back = (char *)r + size};
	return r;
}

static bool begins_array(const char *line, size_t len)
{
	size_t blank = 0;

	while (blank < len && (line[blank] == ' ' || line[blank] == '\t'))
		blank++;
	return blank < len && line[blank] == '[';
}

int request_decode(const char *line, size_t len, struct request **ret_request, struct reqid *ret_id, char **ret_id_text,
		   bool *ret_notification, struct error *err)
{
	struct node stack[STACK_NODES], *nodes = stack;
	struct decoder d = {.err = err};
	struct arena fresh = {0};
	struct loaded *loaded = NULL;
	struct request *r;
	size_t values = 0;
	int rc = 0;

	*ret_id = (struct reqid){.kind = REQID_NONE};
	*ret_id_text = NULL;
	*ret_notification = false;
	if (begins_array(line, len))
		return error_set(err, ERRC_INVALID_REQUEST, "send one object per line");
	if (scan_line(line, len, &values, err) < 0)
		return -1;
	r = new_request(len, values, &fresh);
	if (values > STACK_NODES)
		nodes = malloc(values * sizeof *nodes);
	if (r == NULL || nodes == NULL) {
		rc = error_set(err, ERRC_INTERNAL, "out of memory");
		goto out;
	}
	d.params = &r->params;
	d.arena = fresh;
	if (!tree_read(line, len, nodes, values, &d.arena)) {
		d.arena = fresh;
		d.borrowed = true;
		if (values <= LOADED_VALUES_MAX)
			rc = load_tree(line, len, nodes, values, &loaded, err);
		else
			rc = error_set(err, ERRC_PARSE_ERROR, "not JSON, and it is too long to say where");
	}
	if (rc == 0)
		rc = decode_root(&d, nodes, r, ret_id, ret_id_text, ret_notification);
	if (rc == 0) {
		*ret_request = r;
		r = NULL;
	}
out:
	load_free(loaded);
	if (nodes != stack)
		free(nodes);
	request_free(r);
	return rc;
}

void request_free(struct request *r)
{
	/* The request lies at the front of its own block. */
	free(r);
}
