/*
 * From lines to statements and dot commands.
 *
 * A dot command is a line of its own, and only where no statement is begun. A statement ends with its `;`, wherever in
 * a line that is; what is behind it on the line is the next one. Whole files and the lines of a terminal come the same
 * way.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/shell.h"
#include "proto/utf8.h"
#include "proto/value.h"

#define READ_BYTES 65536

bool feed_is_empty(const struct feed *f) { return split_is_blank(&f->split); }

void feed_drop(struct feed *f)
{
	buf_reset(&f->pending, 1 << 20);
	f->split = (struct split){0};
}

void feed_free(struct feed *f) { buf_free(&f->pending); }

/* What the daemon could not be sent as it stands is refused: nothing is bent silently. */
static int check_text(const struct feed *f, const char *p, size_t n)
{
	if (memchr(p, '\0', n)) {
		shell_complain(f->shell, f->name, f->line, "a NUL byte in the text");
		return EXIT_FAILED;
	}
	if (!utf8_valid(p, n)) {
		shell_complain(f->shell, f->name, f->line, "the text is not UTF-8");
		return EXIT_FAILED;
	}
	return 0;
}

static int run_pending(struct feed *f)
{
	struct shell *s = f->shell;
	struct buf sql = f->pending;
	int64_t begun = f->begun;
	int code;

	/* It may read other files, which feed this shell too. */
	f->pending = (struct buf){0};
	code = shell_run(s, buf_cstr(&sql), f->name, begun);
	buf_free(&f->pending);
	f->pending = sql;
	buf_reset(&f->pending, 1 << 20);
	return code;
}

static int too_long(struct feed *f)
{
	shell_complain(f->shell, f->name, f->begun, "a statement of more than %zu MiB", SHELL_TEXT_MAX >> 20);
	feed_drop(f);
	return EXIT_FAILED;
}

/* One byte into the pending statement; runs it where that ends it. */
static int take(struct feed *f, char c)
{
	bool ended;

	if (f->pending.len == 0) {
		/* What stands before a statement is no part of it. */
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			return 0;
		f->begun = f->line;
	}
	buf_putc(&f->pending, c);
	ended = split_take(&f->split, c);
	if (f->pending.failed || f->pending.len > SHELL_TEXT_MAX)
		return too_long(f);
	if (!ended)
		return 0;
	if (f->split.blank) {
		buf_reset(&f->pending, 1 << 20);
		return 0;
	}
	return run_pending(f);
}

static int take_line(struct feed *f, const char *line, size_t n)
{
	int code = 0;

	for (size_t i = 0; i < n && !code && !f->shell->quit; i++)
		code = take(f, line[i]);
	if (code)
		feed_drop(f);
	else if (!f->shell->quit)
		code = take(f, '\n');
	/* Comments alone are no beginning. */
	if (!code && feed_is_empty(f))
		buf_reset(&f->pending, 1 << 20);
	return code;
}

int feed_line(struct feed *f, const char *line, size_t n)
{
	const char *p = line;
	int code;

	f->line++;
	code = check_text(f, line, n);
	if (code) {
		feed_drop(f);
		return code;
	}
	if (!feed_is_empty(f))
		return take_line(f, line, n);
	while (p < line + n && (*p == ' ' || *p == '\t'))
		p++;
	if (p < line + n && (*p == '.' || *p == '\\')) {
		struct buf command = {0};

		buf_add(&command, p, (size_t)(line + n - p));
		if (f->shell->echo)
			buf_printf(&f->shell->out.b, "%s\n", buf_cstr(&command));
		code = dot_run(f->shell, buf_cstr(&command), f->name, f->line);
		buf_free(&command);
		return code;
	}
	/* A comment of a shell's kind, as in a script's first line. */
	if (n > 0 && *line == '#')
		return 0;
	return take_line(f, line, n);
}

int feed_end(struct feed *f)
{
	int code = 0;

	if (!f->shell->quit && !feed_is_empty(f) && f->pending.len > 0)
		code = run_pending(f);
	feed_drop(f);
	return code;
}

void feed_lines_of(struct feed *f, const struct buf *lines)
{
	const char *p = lines->data ? lines->data : "", *end = p + lines->len;

	for (;;) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		if (feed_line(f, p, (size_t)((lf ? lf : end) - p)) != 0 || !lf || f->shell->quit)
			return;
		p = lf + 1;
	}
}

/* True where no more is to be read. Keeps the last error. */
static bool ended(struct shell *s, int code, int *worst)
{
	if (code)
		*worst = code;
	return s->quit || (code && s->bail) || cancel_asked();
}

int feed_text(struct shell *s, const char *text, const char *name)
{
	struct feed f = {.shell = s, .name = name};
	int worst = 0;
	bool stop = false;

	while (*text && !stop) {
		size_t n = strcspn(text, "\n");

		stop = ended(s, feed_line(&f, text, n - (n > 0 && text[n - 1] == '\r')), &worst);
		text += n + (text[n] == '\n');
	}
	if (!stop)
		ended(s, feed_end(&f), &worst);
	feed_free(&f);
	return worst;
}

/* Feeds the whole lines in `in`, and with `last` what is behind them. True: no more is to be read. */
static bool feed_lines(struct feed *f, struct buf *in, bool last, int *worst)
{
	size_t at = 0;
	bool stop = false;

	while (!stop && at < in->len) {
		const char *line = in->data + at, *end = memchr(line, '\n', in->len - at);
		size_t n = end ? (size_t)(end - line) : in->len - at;

		if (!end && !last)
			break;
		at += n + (end != NULL);
		stop = ended(f->shell, feed_line(f, line, n - (n > 0 && line[n - 1] == '\r')), worst);
	}
	buf_consume(in, at);
	return stop;
}

int feed_descriptor(struct shell *s, int fd, const char *name)
{
	struct feed f = {.shell = s, .name = name};
	struct buf in = {0};
	int worst = 0;
	bool stop = false;

	while (!stop) {
		char *to = must(buf_reserve(&in, READ_BYTES));
		ssize_t n = read(fd, to, READ_BYTES);

		if (n < 0 && errno == EINTR && !cancel_asked())
			continue;
		if (n < 0) {
			shell_complain(s, name, f.line + 1, "cannot read: %s", strerror(errno));
			worst = EXIT_FAILED;
			break;
		}
		in.len += (size_t)n;
		stop = feed_lines(&f, &in, n == 0, &worst);
		if (!stop && in.len > SHELL_TEXT_MAX) {
			shell_complain(s, name, f.line + 1, "a line of more than %zu MiB", SHELL_TEXT_MAX >> 20);
			worst = EXIT_FAILED;
			break;
		}
		if (n == 0)
			break;
	}
	if (!stop && worst != EXIT_FAILED)
		ended(s, feed_end(&f), &worst);
	buf_free(&in);
	feed_free(&f);
	return worst;
}
