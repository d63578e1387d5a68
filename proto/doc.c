/* A reply as a client reads it. A doc_node is jansson's json_t under another name; nobody outside this file knows. */
#include "proto/doc.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "proto/value.h"

struct doc {
	json_t *root; /* owned */
};

static const json_t *to_json(const struct doc_node *n) { return (const json_t *)(const void *)n; }

/* jansson's iterators take a json_t that is not const, though they do not change it. */
static json_t *to_mutable(const struct doc_node *n) { return (json_t *)(uintptr_t)n; }

static const struct doc_node *to_node(const json_t *v) { return (const struct doc_node *)(const void *)v; }

int doc_parse(const char *text, size_t n, struct doc **ret, struct error *err)
{
	json_error_t fault;
	struct doc *d = malloc(sizeof *d);

	if (d == NULL)
		return error_set(err, ERRC_INTERNAL, "out of memory");
	d->root = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &fault);
	if (d->root == NULL) {
		free(d);
		if (json_error_code(&fault) == json_error_out_of_memory)
			return error_set(err, ERRC_INTERNAL, "out of memory");
		return error_set(err, ERRC_PARSE_ERROR, "not JSON: %s (line %d, column %d)", fault.text, fault.line,
				 fault.column);
	}
	*ret = d;
	return 0;
}

void doc_free(struct doc *d)
{
	if (d == NULL)
		return;
	json_decref(d->root);
	free(d);
}

const struct doc_node *doc_root(const struct doc *d) { return to_node(d->root); }

enum doc_type doc_type(const struct doc_node *n)
{
	if (n == NULL)
		return DOC_NULL;
	switch (json_typeof(to_json(n))) {
	case JSON_NULL:
		return DOC_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return DOC_BOOL;
	case JSON_INTEGER:
		return DOC_INT;
	case JSON_REAL:
		return DOC_REAL;
	case JSON_STRING:
		return DOC_STRING;
	case JSON_ARRAY:
		return DOC_ARRAY;
	case JSON_OBJECT:
		return DOC_OBJECT;
	}
	return DOC_NULL;
}

const struct doc_node *doc_get(const struct doc_node *n, const char *path)
{
	const json_t *v = to_json(n);
	size_t len;

	while (v != NULL) {
		len = strcspn(path, ".");
		v = json_object_getn(v, path, len);
		if (path[len] == '\0')
			break;
		path += len + 1;
	}
	return to_node(v);
}

size_t doc_count(const struct doc_node *n)
{
	const json_t *v = to_json(n);

	return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

const struct doc_node *doc_at(const struct doc_node *n, size_t i) { return to_node(json_array_get(to_json(n), i)); }

void *doc_each(const struct doc_node *n, void *iterator, const char **ret_key, const struct doc_node **ret_value)
{
	json_t *v = to_mutable(n);

	if (!json_is_object(v))
		return NULL;
	iterator = iterator == NULL ? json_object_iter(v) : json_object_iter_next(v, iterator);
	if (iterator == NULL)
		return NULL;
	*ret_key = json_object_iter_key(iterator);
	*ret_value = to_node(json_object_iter_value(iterator));
	return iterator;
}

int64_t doc_int(const struct doc_node *n, int64_t fallback)
{
	return json_is_integer(to_json(n)) ? json_integer_value(to_json(n)) : fallback;
}

double doc_real(const struct doc_node *n, double fallback)
{
	return json_is_number(to_json(n)) ? json_number_value(to_json(n)) : fallback;
}

bool doc_bool(const struct doc_node *n, bool fallback)
{
	return json_is_boolean(to_json(n)) ? json_is_true(to_json(n)) : fallback;
}

const char *doc_str(const struct doc_node *n, const char *fallback)
{
	return json_is_string(to_json(n)) ? json_string_value(to_json(n)) : fallback;
}

size_t doc_strlen(const struct doc_node *n) { return json_string_length(to_json(n)); }

/* The parser refuses nesting beyond 2048, so the recursion here is bounded by it. */
void doc_dump(struct buf *out, const struct doc_node *n)
{
	const struct doc_node *value = NULL;
	const char *key = NULL;
	void *member = NULL;
	size_t i;

	switch (doc_type(n)) {
	case DOC_NULL:
		value_write_null(out);
		break;
	case DOC_BOOL:
		buf_puts(out, doc_bool(n, false) ? "true" : "false");
		break;
	case DOC_INT:
		value_write_int(out, doc_int(n, 0), INT64_NUMBER);
		break;
	case DOC_REAL:
		value_write_real(out, doc_real(n, 0));
		break;
	case DOC_STRING:
		json_write_string(out, doc_str(n, ""), doc_strlen(n));
		break;
	case DOC_ARRAY:
		buf_putc(out, '[');
		for (i = 0; i < doc_count(n); i++) {
			if (i > 0)
				buf_putc(out, ',');
			doc_dump(out, doc_at(n, i));
		}
		buf_putc(out, ']');
		break;
	case DOC_OBJECT:
		buf_putc(out, '{');
		while ((member = doc_each(n, member, &key, &value)) != NULL) {
			if (out->len > 0 && !out->failed && out->data[out->len - 1] != '{')
				buf_putc(out, ',');
			json_write_string(out, key, strlen(key));
			buf_putc(out, ':');
			doc_dump(out, value);
		}
		buf_putc(out, '}');
		break;
	}
}
