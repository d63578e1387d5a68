/* Errors of the wire: the table's names and codes, and one error being put together. */
#include "proto/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/value.h"

struct errc_info {
	const char *name;
	int code;
	bool retryable;
};

static const struct errc_info errc_table[ERRC_COUNT] = {
#define X(name, code, retryable) [ERRC_##name] = {#name, code, retryable},
	ERRC_MAP(X)
#undef X
};

void error_init(struct error *err) { *err = (struct error){0}; }

void error_clear(struct error *err)
{
	buf_free(&err->data);
	*err = (struct error){0};
}

/* Formats the text; what does not fit is cut where a UTF-8 character begins, so that no half character goes out. */
static void set_message(struct error *err, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static void set_message(struct error *err, const char *format, va_list args)
{
	int n = vsnprintf(err->message, sizeof err->message, format, args);
	size_t end = sizeof err->message - 1;

	if (n < 0)
		err->message[0] = '\0';
	if (n < (int)sizeof err->message)
		return;
	while (end > 0 && !utf8_valid(err->message, end) && end > sizeof err->message - 5)
		end--;
	err->message[end] = '\0';
}

int error_set(struct error *err, enum errc which, const char *format, ...)
{
	va_list args;

	if (error_is_set(err))
		return -1;
	err->code = errc_table[which].code;
	err->name = errc_table[which].name;
	err->retryable = errc_table[which].retryable;
	va_start(args, format);
	set_message(err, format, args);
	va_end(args);
	return -1;
}

int error_set_sqlite(struct error *err, int code, const char *name, const char *format, ...)
{
	va_list args;

	if (error_is_set(err))
		return -1;
	err->code = code;
	err->name = name;
	err->retryable = false;
	va_start(args, format);
	set_message(err, format, args);
	va_end(args);
	return -1;
}

void error_move(struct error *to, struct error *from)
{
	*to = *from;
	*from = (struct error){0};
}

static void add_key(struct error *err, const char *key)
{
	if (err->data.len > 0)
		buf_putc(&err->data, ',');
	buf_putc(&err->data, '"');
	buf_puts(&err->data, key);
	buf_add(&err->data, "\":", 2);
}

void error_add_int(struct error *err, const char *key, long long value)
{
	add_key(err, key);
	value_write_int(&err->data, value, INT64_NUMBER);
}

void error_add_str(struct error *err, const char *key, const char *value)
{
	add_key(err, key);
	json_write_string(&err->data, value, strlen(value));
}

void error_add_json(struct error *err, const char *key, const char *json)
{
	add_key(err, key);
	buf_puts(&err->data, json);
}

int errc_code(enum errc which) { return errc_table[which].code; }

const char *errc_name(enum errc which) { return errc_table[which].name; }
