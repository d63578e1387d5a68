/*
 * A request: the envelope around method and parameters. The order of the checks is the order in which a mistake can be
 * answered well: first what tells the id, then the rest under that id.
 */
#include "proto/request.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/scan.h"

/* Structures an accepted JSON value can turn into: a step, or a value to bind and its name. */
#define BYTES_PER_VALUE (sizeof(struct step))
_Static_assert(BYTES_PER_VALUE >= sizeof(struct value) + sizeof(char *), "the arena would be too small");

/* The top level of the object, members borrowed from the tree; NULL if absent. */
struct envelope {
	json_t *jsonrpc;
	json_t *id;
	json_t *method;
	json_t *params;
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

static json_t *parse(const char *line, size_t len, struct error *err)
{
	json_error_t fault;
	json_t *root = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &fault);

	if (root != NULL)
		return root;
	if (json_error_code(&fault) == json_error_out_of_memory)
		error_set(err, ERRC_INTERNAL, "out of memory");
	else
		error_set(err, ERRC_PARSE_ERROR, "not JSON: %s (line %d, column %d)", fault.text, fault.line,
			  fault.column);
	return NULL;
}

static struct envelope open_envelope(json_t *root)
{
	struct envelope e = {0};
	void *member = json_object_iter(root);
	const char *key;
	json_t *v;

	for (; member != NULL; member = json_object_iter_next(root, member)) {
		key = json_object_iter_key(member);
		v = json_object_iter_value(member);
		if (strcmp(key, "jsonrpc") == 0)
			e.jsonrpc = v;
		else if (strcmp(key, "id") == 0)
			e.id = v;
		else if (strcmp(key, "method") == 0)
			e.method = v;
		else if (strcmp(key, "params") == 0)
			e.params = v;
		else if (e.unknown == NULL)
			e.unknown = key;
	}
	return e;
}

/* The id as it stands in the tree; borrowed from there. */
static int read_id(json_t *v, struct reqid *ret, struct error *err)
{
	if (v == NULL)
		return 0;
	if (json_is_integer(v)) {
		*ret = (struct reqid){.kind = REQID_INT, .i = json_integer_value(v)};
		return 0;
	}
	if (!json_is_string(v))
		return error_set(err, ERRC_INVALID_REQUEST, "id must be an integer or a string");
	if (json_string_length(v) > REQUEST_ID_MAX)
		return error_set(err, ERRC_INVALID_REQUEST, "id is longer than %d bytes", REQUEST_ID_MAX);
	*ret = (struct reqid){.kind = REQID_STRING, .s = json_string_value(v), .len = json_string_length(v)};
	return 0;
}

static int check_envelope(const struct envelope *e, struct error *err)
{
	if (e->unknown != NULL)
		return error_set(err, ERRC_INVALID_REQUEST, "unknown key \"%.64s\" beside method and params", e->unknown);
	if (e->jsonrpc != NULL && (!json_is_string(e->jsonrpc) || strcmp(json_string_value(e->jsonrpc), "2.0") != 0))
		return error_set(err, ERRC_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
	if (!json_is_string(e->method))
		return error_set(err, ERRC_INVALID_REQUEST, "method must be a string");
	return 0;
}

static int find_op(json_t *method, enum op *ret, struct error *err)
{
	const char *name = json_string_value(method), *near;
	enum op op = op_by_name(name, json_string_length(method));

	if (op != OP_COUNT) {
		*ret = op;
		return 0;
	}
	near = op_suggest(name);
	if (near == NULL)
		return error_set(err, ERRC_METHOD_NOT_FOUND, "no method %.64s", name);
	return error_set(err, ERRC_METHOD_NOT_FOUND, "no method %.64s (did you mean %s?)", name, near);
}

/* Builds the request in one block. No allocation can be missing room: each byte and structure comes from the line. */
static int build(const struct envelope *e, const struct reqid *id, size_t len, size_t values, struct request **ret,
		 struct error *err)
{
	size_t size = sizeof(struct request) + values * BYTES_PER_VALUE + len + 1;
	struct decoder d = {.err = err};
	struct request *r;
	enum op op = OP_COUNT;

	if (find_op(e->method, &op, err) < 0)
		return -1;
	if (e->params != NULL && !json_is_object(e->params))
		return error_set(err, ERRC_INVALID_PARAMS, "params must be an object");
	r = malloc(size);
	if (r == NULL)
		return error_set(err, ERRC_INTERNAL, "out of memory");
	*r = (struct request){.op = op, .id = *id, .bytes = len, .arena = r};
	d.arena = (struct arena){.front = (char *)(r + 1), .back = (char *)r + size};
	d.params = &r->params;
	if ((id->kind == REQID_STRING && decode_copy(&d, id->s, id->len, &r->id.s) < 0) ||
	    decode_params(&d, op, e->params) < 0) {
		request_free(r);
		return -1;
	}
	*ret = r;
	return 0;
}

/* Gives the id to the caller, who answers the error under it when the tree is gone. */
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

/* The tree's part of the decoding: everything between a line that looks harmless and the request. */
static int decode_tree(json_t *root, size_t len, size_t values, struct request **ret_request, struct reqid *ret_id,
		       char **ret_id_text, bool *ret_notification, struct error *err)
{
	struct envelope e;
	struct reqid id = {.kind = REQID_NONE};
	int rc;

	if (!json_is_object(root))
		return error_set(err, ERRC_INVALID_REQUEST, "send one object per line");
	e = open_envelope(root);
	rc = read_id(e.id, &id, err);
	if (rc == 0)
		rc = check_envelope(&e, err);
	if (rc == 0) {
		*ret_notification = e.id == NULL;
		rc = build(&e, &id, len, values, ret_request, err);
	}
	if (rc < 0)
		export_id(&id, ret_id, ret_id_text);
	return rc;
}

int request_decode(const char *line, size_t len, struct request **ret_request, struct reqid *ret_id, char **ret_id_text,
		   bool *ret_notification, struct error *err)
{
	size_t values = 0, blank = 0;
	json_t *root;
	int rc = -1;

	*ret_id = (struct reqid){.kind = REQID_NONE};
	*ret_id_text = NULL;
	*ret_notification = false;
	while (blank < len && (line[blank] == ' ' || line[blank] == '\t'))
		blank++;
	if (blank < len && line[blank] == '[')
		return error_set(err, ERRC_INVALID_REQUEST, "send one object per line");
	if (scan_line(line, len, &values, err) < 0)
		return -1;
	root = parse(line, len, err);
	if (root != NULL)
		rc = decode_tree(root, len, values, ret_request, ret_id, ret_id_text, ret_notification, err);
	json_decref(root);
	return rc;
}

void request_free(struct request *r)
{
	/* The request lies at the front of its own block. */
	free(r);
}
