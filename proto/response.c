/* Replies and the small JSON writer. The head and the tail of a reply are constant text around the id. */
#include "proto/response.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "proto/digits.h"
#include "proto/value.h"

#define ADD_LITERAL(out, text) buf_add(out, text, sizeof(text) - 1)
/* A double written with %f needs at most 309 digits, sign, point and the decimals. */
#define FIXED_CHARS 352
#define DECIMALS_MAX 17

/* {"jsonrpc":"2.0","id":7, */
static void write_head(struct buf *out, const struct reqid *id)
{
	ADD_LITERAL(out, "{\"jsonrpc\":\"2.0\",\"id\":");
	switch (id->kind) {
	case REQID_NONE:
		value_write_null(out);
		break;
	case REQID_INT:
		value_write_int(out, id->i, INT64_NUMBER);
		break;
	case REQID_STRING:
		json_write_string(out, id->s, id->len);
		break;
	}
}

void response_begin(struct buf *out, const struct reqid *id)
{
	write_head(out, id);
	ADD_LITERAL(out, ",\"result\":");
}

void response_end(struct buf *out) { ADD_LITERAL(out, "}\n"); }

void response_empty(struct buf *out, const struct reqid *id)
{
	response_begin(out, id);
	ADD_LITERAL(out, "{}}\n");
}

void response_error(struct buf *out, const struct reqid *id, const struct error *err)
{
	/* An error nobody set is a slip of ours; the client still gets an answer it can read. */
	static const struct error unknown = {.code = -32603, .name = "INTERNAL", .message = "unknown error"};

	if (!error_is_set(err))
		err = &unknown;
	write_head(out, id);
	ADD_LITERAL(out, ",\"error\":{\"code\":");
	value_write_int(out, err->code, INT64_NUMBER);
	ADD_LITERAL(out, ",\"message\":");
	json_write_string(out, err->message, strlen(err->message));
	ADD_LITERAL(out, ",\"data\":{\"name\":");
	json_write_string(out, err->name, strlen(err->name));
	if (err->data.len > 0 && !err->data.failed) {
		buf_putc(out, ',');
		buf_add(out, err->data.data, err->data.len);
	}
	/* What is wrong with the envelope never gets better by sending it again; its errors do not say so each time. */
	if (err->code > -32600) {
		ADD_LITERAL(out, ",\"retryable\":");
		buf_puts(out, err->retryable ? "true" : "false");
	}
	ADD_LITERAL(out, "}}}\n");
}

/* A comma if the byte before ends a value; none where one stands already, for callers that place their own. */
static void separate(struct buf *out)
{
	char last;

	if (out->len == 0)
		return;
	last = out->data[out->len - 1];
	if (last != '{' && last != '[' && last != ':' && last != ',' && last != '\n')
		buf_putc(out, ',');
}

void jw_key(struct buf *out, const char *key)
{
	separate(out);
	if (key == NULL)
		return;
	json_write_string(out, key, strlen(key));
	buf_putc(out, ':');
}

void jw_open(struct buf *out, char bracket)
{
	separate(out);
	buf_putc(out, bracket);
}

void jw_close(struct buf *out, char bracket) { buf_putc(out, bracket); }

void jw_int(struct buf *out, const char *key, int64_t v)
{
	jw_key(out, key);
	value_write_int(out, v, INT64_NUMBER);
}

void jw_bool(struct buf *out, const char *key, bool v)
{
	jw_key(out, key);
	buf_puts(out, v ? "true" : "false");
}

void jw_null(struct buf *out, const char *key)
{
	jw_key(out, key);
	value_write_null(out);
}

void jw_str(struct buf *out, const char *key, const char *v)
{
	jw_key(out, key);
	if (v == NULL)
		value_write_null(out);
	else
		json_write_string(out, v, strlen(v));
}

void jw_real(struct buf *out, const char *key, double v, int decimals)
{
	char text[FIXED_CHARS];
	char *c;
	uint64_t m;

	jw_key(out, key);
	if (!isfinite(v)) {
		value_write_null(out);
		return;
	}
	decimals = decimals < 0 ? 0 : decimals > DECIMALS_MAX ? DECIMALS_MAX : decimals;
	/* Times and percentages, in every reply: no printf. A number that rounds to 0 loses its sign. */
	if (decimals <= DIGITS_FRACTION_MAX && fabs(v) < 1e9) {
		m = (uint64_t)(fabs(v) * digits_power(decimals) + 0.5);
		digits_write_fixed(out, v < 0 && m > 0, m, decimals);
		return;
	}
	(void)snprintf(text, sizeof text, "%.*f", decimals, v);
	for (c = text; *c != '\0'; c++) {
		if ((*c < '0' || *c > '9') && *c != '-')
			*c = '.'; /* a host program's locale may have put a comma */
	}
	buf_puts(out, text);
}

void jw_json(struct buf *out, const char *key, const char *json)
{
	jw_key(out, key);
	buf_puts(out, json);
}
