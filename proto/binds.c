/* Values to bind, out of JSON: themselves, or the escapes {"int"|"real"|"text"|"blob": ..}. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"

/* What an error calls one value: its place in the array, or its name in the object. */
struct place {
	long step;        /* of a batch, -1 if none */
	size_t index;     /* in an array */
	const char *name; /* in an object; NULL in an array */
};

static int refuse(struct decoder *d, const struct place *at, const char *why)
{
	char name[96];

	if (at->name != NULL)
		(void)snprintf(name, sizeof name, "bind.%.80s", at->name);
	else
		(void)snprintf(name, sizeof name, "bind[%zu]", at->index);
	return decode_refuse(d, at->step, name, "%s", why);
}

static int out_of_memory(struct decoder *d) { return error_set(d->err, ERRC_INTERNAL, "out of memory"); }

/* {"int": "123"}: digits with an optional '-', within 64 bits. A plain integer inside is taken as well. */
static int decode_int(struct decoder *d, const struct place *at, const struct node *v, struct value *ret)
{
	const char *digits;
	long long i;

	if (v->type == NODE_INT) {
		*ret = (struct value){.type = VALUE_INT, .i = v->i};
		return 0;
	}
	if (v->type != NODE_STRING)
		return refuse(d, at, "{\"int\": ..} holds the digits as a string");
	digits = v->s.p + (v->s.p[0] == '-');
	if (*digits == '\0' || digits + strspn(digits, "0123456789") != v->s.p + v->s.n)
		return refuse(d, at, "{\"int\": ..} holds nothing but an optional '-' and digits");
	errno = 0;
	i = strtoll(v->s.p, NULL, 10);
	if (errno != 0)
		return refuse(d, at, "{\"int\": ..} does not fit in 64 bits");
	*ret = (struct value){.type = VALUE_INT, .i = i};
	return 0;
}

static int decode_real(struct decoder *d, const struct place *at, const struct node *v, struct value *ret)
{
	double r;

	if (v->type == NODE_REAL)
		r = v->r;
	else if (v->type == NODE_INT)
		r = (double)v->i;
	else if (node_is_text(v, "inf"))
		r = (double)INFINITY;
	else if (node_is_text(v, "-inf"))
		r = (double)-INFINITY;
	else
		return refuse(d, at, "{\"real\": ..} holds a number, \"inf\" or \"-inf\"");
	*ret = (struct value){.type = VALUE_REAL, .r = r};
	return 0;
}

static int decode_bytes(struct decoder *d, const struct place *at, const struct node *v, enum value_type type,
			struct value *ret)
{
	char *bytes;
	long got;

	if (v->type != NODE_STRING)
		return refuse(d, at, "{\"text\": ..} and {\"blob\": ..} hold a string of base64");
	/* A string that is the arena's own is decoded where it lies: a large BLOB needs no second place. */
	bytes = d->borrowed ? arena_bytes(&d->arena, v->s.n / 4 * 3 + 1) : v->s.p;
	if (bytes == NULL)
		return out_of_memory(d);
	got = base64_decode(v->s.p, v->s.n, bytes);
	if (got < 0)
		return refuse(d, at, "is not base64 (padded, without line breaks)");
	bytes[got] = '\0';
	ret->type = type;
	ret->s.p = bytes;
	ret->s.n = (size_t)got;
	return 0;
}

static int decode_escape(struct decoder *d, const struct place *at, const struct node *v, struct value *ret)
{
	const struct node *only = node_first(v);

	if (v->count == 1) {
		if (strcmp(only->key, "int") == 0)
			return decode_int(d, at, only, ret);
		if (strcmp(only->key, "real") == 0)
			return decode_real(d, at, only, ret);
		if (strcmp(only->key, "text") == 0)
			return decode_bytes(d, at, only, VALUE_TEXT, ret);
		if (strcmp(only->key, "blob") == 0)
			return decode_bytes(d, at, only, VALUE_BLOB, ret);
	}
	return refuse(d, at, "is an object, which holds one of \"int\", \"real\", \"text\", \"blob\" and nothing else");
}

static int decode_value(struct decoder *d, const struct place *at, const struct node *v, struct value *ret)
{
	switch (v->type) {
	case NODE_NULL:
		*ret = (struct value){.type = VALUE_NULL};
		return 0;
	case NODE_BOOL:
		*ret = (struct value){.type = VALUE_INT, .i = v->b};
		return 0;
	case NODE_INT:
		*ret = (struct value){.type = VALUE_INT, .i = v->i};
		return 0;
	case NODE_REAL:
		*ret = (struct value){.type = VALUE_REAL, .r = v->r};
		return 0;
	case NODE_STRING:
		ret->type = VALUE_TEXT;
		ret->s.n = v->s.n;
		return decode_keep(d, v->s.p, v->s.n, &ret->s.p);
	case NODE_OBJECT:
		return decode_escape(d, at, v, ret);
	case NODE_ARRAY:
		break;
	}
	return refuse(d, at, "is an array; SQLite has no such value");
}

int decode_binds(struct decoder *d, const struct node *bind, long step, struct binds *ret)
{
	struct place at = {.step = step};
	const struct node *element = node_first(bind);
	struct value *values;
	const char **names = NULL;

	if (bind->type != NODE_ARRAY && bind->type != NODE_OBJECT)
		return decode_refuse(d, step, "bind", "must be an array or an object");
	values = arena_struct(&d->arena, bind->count * sizeof *values);
	if (values == NULL)
		return out_of_memory(d);
	if (bind->type == NODE_OBJECT) {
		names = arena_struct(&d->arena, bind->count * sizeof *names);
		if (names == NULL)
			return out_of_memory(d);
	}
	for (; at.index < bind->count; at.index++, element = node_next(element)) {
		at.name = element->key;
		if (names != NULL && decode_keep(d, element->key, element->key_len, &names[at.index]) < 0)
			return -1;
		if (decode_value(d, &at, element, &values[at.index]) < 0)
			return -1;
	}
	*ret = (struct binds){.n = bind->count, .values = values, .names = names};
	return 0;
}
