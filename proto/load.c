/* jansson's tree copied into nodes. */
#include "proto/load.h"

#include <jansson.h>

/* A loaded line is jansson's root under another name. */
static json_t *to_json(struct loaded *l) { return (json_t *)(void *)l; }

static bool add_value(json_t *v, struct node **next, const struct node *limit, const char *key);

static bool add_members(json_t *v, struct node **next, const struct node *limit)
{
	void *member = json_object_iter(v);

	for (; member != NULL; member = json_object_iter_next(v, member)) {
		if (!add_value(json_object_iter_value(member), next, limit, json_object_iter_key(member)))
			return false;
	}
	return true;
}

static bool add_elements(json_t *v, struct node **next, const struct node *limit)
{
	json_t *element;
	size_t i;

	json_array_foreach(v, i, element)
	{
		if (!add_value(element, next, limit, NULL))
			return false;
	}
	return true;
}

/* The recursion is as deep as the text is nested, which scan_line() has bounded. */
static bool add_value(json_t *v, struct node **next, const struct node *limit, const char *key)
{
	struct node *n = *next;
	bool good = true;

	if (n == limit)
		return false;
	*next = n + 1;
	*n = (struct node){.type = NODE_NULL, .key = key, .key_len = key == NULL ? 0 : (uint32_t)strlen(key)};
	switch (json_typeof(v)) {
	case JSON_NULL:
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		n->type = NODE_BOOL;
		n->b = json_is_true(v);
		break;
	case JSON_INTEGER:
		n->type = NODE_INT;
		n->i = json_integer_value(v);
		break;
	case JSON_REAL:
		n->type = NODE_REAL;
		n->r = json_real_value(v);
		break;
	case JSON_STRING:
		n->type = NODE_STRING;
		n->s.p = (char *)(uintptr_t)json_string_value(v); /* not written to: the decoder knows it is borrowed */
		n->s.n = json_string_length(v);
		break;
	case JSON_ARRAY:
		n->type = NODE_ARRAY;
		n->count = (uint32_t)json_array_size(v);
		good = add_elements(v, next, limit);
		break;
	case JSON_OBJECT:
		n->type = NODE_OBJECT;
		n->count = (uint32_t)json_object_size(v);
		good = add_members(v, next, limit);
		break;
	}
	n->nodes = (uint32_t)(*next - n);
	return good;
}

int load_tree(const char *line, size_t len, struct node *nodes, size_t cap, struct loaded **ret, struct error *err)
{
	json_error_t fault;
	json_t *root;
	struct node *next = nodes;

	/* jansson takes a NUL byte for the end of the text, whatever follows. */
	if (memchr(line, '\0', len) != NULL)
		return error_set(err, ERRC_PARSE_ERROR, "not JSON: a NUL byte");
	root = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &fault);
	if (root == NULL) {
		if (json_error_code(&fault) == json_error_out_of_memory)
			return error_set(err, ERRC_INTERNAL, "out of memory");
		return error_set(err, ERRC_PARSE_ERROR, "not JSON: %s (line %d, column %d)", fault.text, fault.line,
				 fault.column);
	}
	if (!add_value(root, &next, nodes + cap, NULL)) {
		json_decref(root);
		return error_set(err, ERRC_INTERNAL, "more values than were counted");
	}
	*ret = (struct loaded *)(void *)root;
	return 0;
}

void load_free(struct loaded *l) { json_decref(to_json(l)); }
