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

static int out_of_memory(struct decoder *d)
{
	return error_set(d->err, ERRC_INTERNAL, "out of memory");
}

/* {"int": "123"}: digits with an optional '-', within 64 bits. A plain integer inside is taken as well. */
static int decode_int(struct decoder *d, const struct place *at, json_t *v, struct value *ret)
{
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);
	long long i;

	if (json_is_integer(v)) {
		*ret = (struct value){.type = VALUE_INT, .i = json_integer_value(v)};
		return 0;
	}
	if (text == NULL)
		return refuse(d, at, "{\"int\": ..} holds the digits as a string");
	if (n == 0 || strspn(text, "0123456789-") != n || strrchr(text + 1, '-') != NULL || text[n - 1] == '-')
		return refuse(d, at, "{\"int\": ..} holds nothing but an optional '-' and digits");
	errno = 0;
	i = strtoll(text, NULL, 10);
	if (errno != 0)
		return refuse(d, at, "{\"int\": ..} does not fit in 64 bits");
	*ret = (struct value){.type = VALUE_INT, .i = i};
	return 0;
}

static int decode_real(struct decoder *d, const struct place *at, json_t *v, struct value *ret)
{
	const char *text = json_string_value(v);
	double r;

	if (json_is_number(v))
		r = json_number_value(v);
	else if (text != NULL && json_string_length(v) == 3 && memcmp(text, "inf", 3) == 0)
		r = (double)INFINITY;
	else if (text != NULL && json_string_length(v) == 4 && memcmp(text, "-inf", 4) == 0)
		r = (double)-INFINITY;
	else
		return refuse(d, at, "{\"real\": ..} holds a number, \"inf\" or \"-inf\"");
	*ret = (struct value){.type = VALUE_REAL, .r = r};
	return 0;
}

static int decode_bytes(struct decoder *d, const struct place *at, json_t *v, enum value_type type, struct value *ret)
{
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);
	char *bytes;
	long got;

	if (text == NULL)
		return refuse(d, at, "{\"text\": ..} and {\"blob\": ..} hold a string of base64");
	bytes = arena_bytes(&d->arena, n / 4 * 3 + 1);
	if (bytes == NULL)
		return out_of_memory(d);
	got = base64_decode(text, n, bytes);
	if (got < 0)
		return refuse(d, at, "is not base64 (padded, without line breaks)");
	bytes[got] = '\0';
	ret->type = type;
	ret->s.p = bytes;
	ret->s.n = (size_t)got;
	return 0;
}

static int decode_escape(struct decoder *d, const struct place *at, json_t *v, struct value *ret)
{
	void *only = json_object_iter(v);
	const char *key;

	if (json_object_size(v) != 1)
		return refuse(d, at, "is an object, which holds one of \"int\", \"real\", \"text\", \"blob\" and nothing else");
	key = json_object_iter_key(only);
	v = json_object_iter_value(only);
	if (strcmp(key, "int") == 0)
		return decode_int(d, at, v, ret);
	if (strcmp(key, "real") == 0)
		return decode_real(d, at, v, ret);
	if (strcmp(key, "text") == 0)
		return decode_bytes(d, at, v, VALUE_TEXT, ret);
	if (strcmp(key, "blob") == 0)
		return decode_bytes(d, at, v, VALUE_BLOB, ret);
	return refuse(d, at, "is an object, which holds one of \"int\", \"real\", \"text\", \"blob\" and nothing else");
}

static int decode_value(struct decoder *d, const struct place *at, json_t *v, struct value *ret)
{
	const char *text;

	switch (json_typeof(v)) {
	case JSON_NULL:
		*ret = (struct value){.type = VALUE_NULL};
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		*ret = (struct value){.type = VALUE_INT, .i = json_is_true(v)};
		return 0;
	case JSON_INTEGER:
		*ret = (struct value){.type = VALUE_INT, .i = json_integer_value(v)};
		return 0;
	case JSON_REAL:
		*ret = (struct value){.type = VALUE_REAL, .r = json_real_value(v)};
		return 0;
	case JSON_STRING:
		ret->type = VALUE_TEXT;
		ret->s.n = json_string_length(v);
		if (decode_copy(d, json_string_value(v), ret->s.n, &text) < 0)
			return -1;
		ret->s.p = text;
		return 0;
	case JSON_OBJECT:
		return decode_escape(d, at, v, ret);
	case JSON_ARRAY:
		break;
	}
	return refuse(d, at, "is an array; SQLite has no such value");
}

int decode_binds(struct decoder *d, json_t *bind, long step, struct binds *ret)
{
	struct place at = {.step = step};
	size_t n = json_is_array(bind) ? json_array_size(bind) : json_object_size(bind);
	struct value *values;
	const char **names = NULL;
	void *member;

	if (!json_is_array(bind) && !json_is_object(bind))
		return decode_refuse(d, step, "bind", "must be an array or an object");
	values = arena_struct(&d->arena, n * sizeof *values);
	if (values == NULL)
		return out_of_memory(d);
	if (json_is_array(bind)) {
		for (at.index = 0; at.index < n; at.index++) {
			if (decode_value(d, &at, json_array_get(bind, at.index), &values[at.index]) < 0)
				return -1;
		}
	} else {
		names = arena_struct(&d->arena, n * sizeof *names);
		if (names == NULL)
			return out_of_memory(d);
		member = json_object_iter(bind);
		for (; member != NULL; member = json_object_iter_next(bind, member), at.index++) {
			at.name = json_object_iter_key(member);
			if (decode_copy(d, at.name, strlen(at.name), &names[at.index]) < 0 ||
			    decode_value(d, &at, json_object_iter_value(member), &values[at.index]) < 0)
				return -1;
		}
	}
	*ret = (struct binds){.n = n, .values = values, .names = names};
	return 0;
}
