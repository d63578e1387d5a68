/*
 * Naming a row whose key a UNIQUE index would refuse, from the key alone.
 */
#include "daemon/migrate/index_state.h"
#include "proto/response.h"
#include "proto/value.h"

/* Longest text or BLOB shown of a value. */
#define VALUE_SHOWN 200

static size_t shown(const struct key_value *v)
{
	const unsigned char *bytes = v->data;
	size_t n = v->n;

	if (n <= VALUE_SHOWN)
		return n;
	n = VALUE_SHOWN;
	/* Text is cut where a character begins. */
	while (v->type == SQLITE_TEXT && n > VALUE_SHOWN - 4 && (bytes[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void write_value(struct buf *out, const struct key_value *v)
{
	switch (v->type) {
	case SQLITE_INTEGER:
		value_write_int(out, v->integer, INT64_AUTO);
		break;
	case SQLITE_FLOAT:
		value_write_real(out, v->real);
		break;
	case SQLITE_TEXT:
		value_write_text(out, v->data, shown(v));
		break;
	case SQLITE_BLOB:
		value_write_blob(out, v->data, shown(v));
		break;
	default:
		value_write_null(out);
		break;
	}
}

void index_offender(struct index_build *b, const struct index_target *t, const struct key_ref *key)
{
	struct buf *out = &b->offenders;

	if (key_parse(key, t->columns, t->count, &b->scratch, b->values) != 0)
		return;
	if (out->len > 0)
		buf_putc(out, ',');
	jw_open(out, '{');
	if (!b->spec.without_rowid) {
		jw_key(out, "rowid");
		value_write_int(out, b->values[t->count - 1].integer, INT64_AUTO);
	}
	jw_str(out, "column", t->column_names[0]);
	jw_key(out, "value");
	write_value(out, &b->values[0]);
	jw_str(out, "reason", "UNIQUE");
	jw_close(out, '}');
}

const char *index_build_repeated(struct index_build *b, struct buf *columns)
{
	/* While the table changes, its one index is asked after all keys have gone by. */
	size_t at = b->emitting < b->spec.count ? b->emitting : b->spec.count - 1;
	const struct index_target *t = &b->spec.targets[at];

	for (size_t i = 0; i < t->key_count; i++)
		buf_printf(columns, "%s%s", i ? ", " : "", t->column_names[i]);
	return t->sql ? t->name : NULL;
}
