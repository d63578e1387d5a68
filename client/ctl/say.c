/* Messages, errors, and what every command needs of the connection. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

/* Longest word that is compared for a suggestion. */
#define WORD_MAX_CHARS 32

void say(const char *format, ...)
{
	struct buf b = {0};
	va_list args;

	buf_puts(&b, "alterctl: ");
	va_start(args, format);
	buf_vprintf(&b, format, args);
	va_end(args);
	fprintf(stderr, "%s\n", buf_cstr(&b));
	buf_free(&b);
}

void note(const struct ctl *c, const char *format, ...)
{
	va_list args;

	if (has(c, FLAG_QUIET) || has(c, FLAG_JSON))
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void *must(void *p)
{
	if (!p) {
		say("out of memory");
		exit(EXIT_FAILED);
	}
	return p;
}

bool print_out(struct buf *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(STDOUT_FILENO, b->data + done, b->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* A reader that has seen enough is no failure worth a word. */
			if (errno != EPIPE)
				say("cannot write the output: %s", strerror(errno));
			buf_reset(b, b->cap);
			return false;
		}
		done += (size_t)n;
	}
	buf_reset(b, 1 << 20);
	return true;
}

/* Why a statement was given up: the error's "reason", "" if it has none. */
static void reason_of(const char *data, char *out, size_t size)
{
	struct error err = {0};
	struct doc *d = NULL;

	if (*data && doc_parse(data, strlen(data), &d, &err) != 0)
		error_clear(&err);
	snprintf(out, size, "%s", d ? doc_str(doc_get(doc_root(d), "reason"), "") : "");
	doc_free(d);
}

static bool is_timeout(const char *name, const char *data)
{
	char reason[32];

	reason_of(data, reason, sizeof(reason));
	return strcmp(name, "SQLITE_INTERRUPT") == 0 && strcmp(reason, "timeout") == 0;
}

int exit_code_of(int code, const char *name, bool retryable, const char *data)
{
	if (code == ALTERD_E_UNREACHABLE || code == ALTERD_E_CLOSED)
		return EXIT_UNREACHABLE;
	if (code == ALTERD_E_REFUSED || strcmp(name, "DENIED") == 0)
		return EXIT_DENIED;
	if (code == ALTERD_E_MISUSE)
		return EXIT_USAGE;
	if (retryable || is_timeout(name, data))
		return EXIT_RETRY;
	return EXIT_FAILED;
}

int ctl_failed(const struct ctl *c, const struct alterd_conn *conn) { return ctl_failed_at(c, conn, ""); }

int ctl_failed_at(const struct ctl *c, const struct alterd_conn *conn, const char *where)
{
	const char *name = alterd_error_name(conn), *data = alterd_error_data(conn);
	const char *message = alterd_error_message(conn);
	char reason[32];
	struct buf b = {0};

	if (has(c, FLAG_JSON)) {
		jw_open(&b, '{');
		jw_int(&b, "code", alterd_error_code(conn));
		jw_str(&b, "message", message);
		if (*data)
			jw_json(&b, "data", data);
		else
			jw_json(&b, "data", "{}");
		jw_close(&b, '}');
		fprintf(stderr, "%s\n", buf_cstr(&b));
	} else {
		text_safe(&b, message, strlen(message));
		/* The library's own errors speak for themselves; the daemon's have a name to look up. */
		reason_of(data, reason, sizeof(reason));
		if (alterd_error_code(conn) < ALTERD_E_MISUSE || alterd_error_code(conn) > 0)
			buf_printf(&b, " (%s%s%s)", name, *reason ? ": " : "", reason);
		say("%s%s", where, buf_cstr(&b));
		if (alterd_error_code(conn) == ALTERD_E_UNREACHABLE)
			note(c, "Is alterd running? Another socket is named with --socket PATH or $ALTERD_SOCKET.");
	}
	buf_free(&b);
	return exit_code_of(alterd_error_code(conn), name, alterd_error_retryable(conn), data);
}

int ctl_open(struct ctl *c, struct alterd_conn **ret) { return ctl_open_as(c, 0, ret); }

int ctl_open_as(struct ctl *c, int flags, struct alterd_conn **ret)
{
	struct alterd_conn *conn;
	int code;

	patience_begin(c);
	code = alterd_connect(c->socket, &conn);
	if (code == 0 && c->timeout_ms > 0) {
		alterd_set_timeout(conn, c->timeout_ms);
		alterd_set_statement_timeout(conn, c->timeout_ms);
	}
	if (code == 0)
		code = alterd_hello(conn, "alterctl/" ALTERD_VERSION, flags, -1);
	patience_end();
	if (code != 0) {
		code = ctl_failed(c, conn);
		alterd_close(conn);
		return code;
	}
	*ret = conn;
	return 0;
}

int ctl_connect(struct ctl *c) { return c->conn ? 0 : ctl_open(c, &c->conn); }

int ctl_call(struct ctl *c, const char *method, const char *params, struct doc **ret)
{
	int code = ctl_call_keeping(c, method, params, ret);

	if (has(c, FLAG_JSON)) {
		doc_free(*ret);
		*ret = NULL;
	}
	return code;
}

int ctl_call_keeping(struct ctl *c, const char *method, const char *params, struct doc **ret)
{
	struct error err = {0};
	const char *text;
	struct buf line = {0};
	int code = ctl_connect(c);

	*ret = NULL;
	if (code)
		return code;
	patience_begin(c);
	int failed = alterd_call(c->conn, method, params, &text);
	patience_end();
	if (failed)
		return ctl_failed(c, c->conn);
	if (has(c, FLAG_JSON)) {
		buf_puts(&line, text);
		buf_putc(&line, '\n');
		print_out(&line);
		buf_free(&line);
	}
	if (doc_parse(text, strlen(text), ret, &err) != 0) {
		say("the daemon's answer cannot be read: %s", err.message);
		error_clear(&err);
		return EXIT_FAILED;
	}
	return 0;
}

bool ctl_may_ask(const struct ctl *c)
{
	return c->in_tty && c->err_tty && !has(c, FLAG_NO_INPUT) && !has(c, FLAG_JSON);
}

bool ctl_confirm(const struct ctl *c, const char *question)
{
	char answer[16];

	if (!ctl_may_ask(c))
		return false;
	fprintf(stderr, "%s [y/N] ", question);
	if (!fgets(answer, sizeof(answer), stdin)) {
		fputc('\n', stderr);
		return false;
	}
	return answer[0] == 'y' || answer[0] == 'Y';
}

/* Edit distance, a swap of neighbours counting one; both words short. */
static int distance(const char *a, const char *b)
{
	int d[WORD_MAX_CHARS + 1][WORD_MAX_CHARS + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX_CHARS || m > WORD_MAX_CHARS)
		return WORD_MAX_CHARS;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = (int)i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *nearest(const char *word, const char *const *words)
{
	const char *found = NULL;
	int best = (int)strlen(word) / 3 + 2;

	for (; *words; words++) {
		int d = distance(word, *words);

		/* A word that was only begun is as good as a small slip. */
		if (strlen(word) >= 2 && strncmp(word, *words, strlen(word)) == 0)
			d = 1;
		if (d < best) {
			best = d;
			found = *words;
		}
	}
	return found;
}
