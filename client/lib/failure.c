/* The connection's last error: found here, or told by the daemon. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client/lib/conn.h"
#include "client/lib/jread.h"

static const char *code_name(enum alterd_code code)
{
	switch (code) {
	case ALTERD_E_NO_MEMORY:
		return "NO_MEMORY";
	case ALTERD_E_UNREACHABLE:
		return "UNREACHABLE";
	case ALTERD_E_REFUSED:
		return "REFUSED";
	case ALTERD_E_CLOSED:
		return "CLOSED";
	case ALTERD_E_TIMEOUT:
		return "TIMEOUT";
	case ALTERD_E_PROTOCOL:
		return "PROTOCOL";
	case ALTERD_E_MISUSE:
		return "MISUSE";
	}
	return "";
}

static void set(struct failure *f, int code, const char *name, bool retryable)
{
	f->code = code;
	f->retryable = retryable;
	f->statement = -1;
	snprintf(f->name, sizeof(f->name), "%s", name);
	buf_reset(&f->data, 4096);
}

static void set_own(struct alterd_conn *c, enum alterd_code code, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void set_own(struct alterd_conn *c, enum alterd_code code, const char *format, va_list args)
{
	bool retryable = code == ALTERD_E_UNREACHABLE || code == ALTERD_E_TIMEOUT || code == ALTERD_E_CLOSED;

	set(&c->failure, (int)code, code_name(code), retryable);
	vsnprintf(c->failure.message, sizeof(c->failure.message), format, args);
}

int conn_fail(struct alterd_conn *c, enum alterd_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_own(c, code, format, args);
	va_end(args);
	return -1;
}

int conn_broken(struct alterd_conn *c, enum alterd_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_own(c, code, format, args);
	va_end(args);
	/* The number stays taken until alterd_close(): another thread may be about to send a cancel on it. */
	c->dead = true;
	shutdown(c->fd, SHUT_RDWR);
	return -1;
}

/* Cuts a text to size without leaving half a character behind. */
static void copy_text(char *to, size_t size, const char *from, size_t n)
{
	if (n > size - 1) {
		n = size - 1;
		while (n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(to, from, n);
	to[n] = '\0';
}

int conn_fail_reply(struct alterd_conn *c, char *error)
{
	/* All places are found before anything is decoded: decoding changes the text. */
	char *code_at = jr_member(error, "code"), *text_at = jr_member(error, "message");
	char *data_at = jr_member(error, "data");
	char *name_at = data_at ? jr_member(data_at, "name") : NULL;
	char *retry_at = data_at ? jr_member(data_at, "retryable") : NULL;
	char *step_at = data_at ? jr_member(data_at, "statement") : NULL, *data_end = data_at ? jr_skip(data_at) : NULL;
	struct failure *f = &c->failure;
	int64_t code, step;
	char *text;
	size_t n;

	if (!code_at || !jr_int(code_at, &code) || code == 0 || code < INT32_MIN || code > INT32_MAX)
		return conn_broken(c, ALTERD_E_PROTOCOL, "the daemon sent an error without a code");
	set(f, (int)code, "", retry_at && *retry_at == 't');
	if (data_end)
		buf_add(&f->data, data_at, (size_t)(data_end - data_at));
	if (step_at && jr_int(step_at, &step) && step >= 0 && step <= INT32_MAX)
		f->statement = (int)step;
	if (name_at && jr_string(name_at, &text, &n))
		copy_text(f->name, sizeof(f->name), text, n);
	f->message[0] = '\0';
	if (text_at && jr_string(text_at, &text, &n))
		copy_text(f->message, sizeof(f->message), text, n);
	return -1;
}

int alterd_error_code(const struct alterd_conn *c) { return c ? c->failure.code : (int)ALTERD_E_NO_MEMORY; }

const char *alterd_error_name(const struct alterd_conn *c) { return c ? c->failure.name : "NO_MEMORY"; }

const char *alterd_error_message(const struct alterd_conn *c)
{
	if (!c)
		return "out of memory";
	return c->failure.code ? c->failure.message : "no error";
}

int alterd_error_retryable(const struct alterd_conn *c) { return c && c->failure.retryable; }

const char *alterd_error_data(const struct alterd_conn *c)
{
	/* Only the NUL behind the text is written. */
	return c ? buf_cstr((struct buf *)&c->failure.data) : "";
}

int alterd_error_statement(const struct alterd_conn *c) { return c && c->failure.code ? c->failure.statement : -1; }
