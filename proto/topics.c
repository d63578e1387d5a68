/* The parameters of subscribe: topics by their names, and names of tables. */
#include "proto/topic.h"

#include <string.h>

#include "proto/decode.h"

static const struct {
	const char *name;
	enum role role;
} topics[TOPIC_COUNT] = {
#define X(id, wire, least, doc) [TOPIC_##id] = {wire, least},
	TOPIC_MAP(X)
#undef X
};

const char *topic_name(enum topic topic) { return topics[topic].name; }
enum role topic_role(enum topic topic) { return topics[topic].role; }

int decode_topics(struct decoder *d, const struct node *v)
{
	const struct node *element = node_first(v);

	if (v->type != NODE_ARRAY || v->count == 0)
		return decode_refuse(d, -1, "topics", "must be an array of at least one name");
	for (uint32_t i = 0; i < v->count; i++, element = node_next(element)) {
		unsigned t = 0;

		if (element->type != NODE_STRING)
			return decode_refuse(d, -1, "topics", "must hold strings");
		while (t < TOPIC_COUNT && !node_is_text(element, topics[t].name))
			t++;
		if (t == TOPIC_COUNT)
			return decode_refuse(d, -1, "topics",
					     "knows migration, schema, changes, log and session, not \"%.64s\"",
					     element->s.p);
		d->params->topics |= TOPIC_BIT(t);
	}
	return 0;
}

int decode_tables(struct decoder *d, const struct node *v)
{
	const struct node *element = node_first(v);
	const char **names;
	size_t len;

	if (v->type != NODE_ARRAY || v->count == 0 || v->count > SUBSCRIBE_TABLES_MAX)
		return decode_refuse(d, -1, "tables", "must be an array of 1 to %d names", SUBSCRIBE_TABLES_MAX);
	names = arena_struct(&d->arena, v->count * sizeof *names);
	if (names == NULL)
		return error_set(d->err, ERRC_INTERNAL, "out of memory");
	for (uint32_t i = 0; i < v->count; i++, element = node_next(element)) {
		if (decode_string(d, element, "tables", -1, &names[i], &len) < 0)
			return -1;
		if (len > SUBSCRIBE_NAME_MAX)
			return decode_refuse(d, -1, "tables", "has a name of more than %d bytes", SUBSCRIBE_NAME_MAX);
	}
	d->params->tables = names;
	d->params->ntables = v->count;
	return 0;
}
