/*
 * Reading lines from a terminal: with libedit where alterctl was built with it and the terminal can be drawn on, else
 * as the terminal gives them.
 *
 * Ctrl-C is a key here, not a signal: while a line is edited the terminal does not make one of it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#ifdef ALTERD_EDITLINE
#include <histedit.h>
#endif

#include "client/ctl/shell.h"

/* A list of candidates longer than this is not shown. */
#define SHOWN_MAX 200

struct editor {
	struct shell *shell;
	const char *prompt, *pending; /* of the line that is read */
	struct buf path;              /* of the history */
	struct buf in;                /* without libedit: bytes that belong to later lines */
	bool interrupted, was_empty;
#ifdef ALTERD_EDITLINE
	EditLine *el; /* NULL: plain lines */
	History *history;
#endif
};

/* ---- without editing ---- */

/* A line is in, or the input has ended. */
static enum edit_result read_more(struct editor *e, bool *ret_end)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, -1) < 0)
		return cancel_asked() ? EDIT_INTERRUPTED : EDIT_LINE;
	n = read(STDIN_FILENO, must(buf_reserve(&e->in, 4096)), 4096);
	if (n < 0)
		return errno == EINTR && cancel_asked() ? EDIT_INTERRUPTED : errno == EINTR ? EDIT_LINE : EDIT_END;
	e->in.len += (size_t)n;
	*ret_end = n == 0;
	return EDIT_LINE;
}

static enum edit_result read_plain(struct editor *e, struct buf *line)
{
	bool last = false;
	char *end;

	/* Not into a result: stdout may be a file. */
	fputs(e->prompt, e->shell->ctl->out_tty ? stdout : stderr);
	fflush(e->shell->ctl->out_tty ? stdout : stderr);
	while (!(end = e->in.len ? memchr(e->in.data, '\n', e->in.len) : NULL) && !last) {
		enum edit_result got = e->in.len > SHELL_TEXT_MAX ? EDIT_END : read_more(e, &last);

		/* What was typed before it is gone, as the terminal has it. */
		if (got == EDIT_INTERRUPTED)
			buf_reset(&e->in, 4096);
		if (got != EDIT_LINE)
			return got == EDIT_INTERRUPTED ? EDIT_INTERRUPTED_EMPTY : got;
	}
	if (!end && e->in.len == 0)
		return EDIT_END;
	buf_add(line, e->in.data, end ? (size_t)(end - e->in.data) : e->in.len);
	buf_consume(&e->in, end ? (size_t)(end - e->in.data) + 1 : e->in.len);
	return EDIT_LINE;
}

#ifdef ALTERD_EDITLINE

/* ---- completion ---- */

static struct editor *editor_of(EditLine *el)
{
	void *data = NULL;

	el_get(el, EL_CLIENTDATA, &data);
	return data;
}

static int screen_width(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* The candidates below the line, in columns. */
static void show_words(const struct completion *c)
{
	int widest = 0, columns;
	struct buf out = {0};
	size_t rows;

	for (size_t i = 0; i < c->n; i++) {
		int width = text_width(c->words[i], strlen(c->words[i]));

		widest = width > widest ? width : widest;
	}
	columns = screen_width() / (widest + 2);
	columns = columns > 0 ? columns : 1;
	rows = (c->n + (size_t)columns - 1) / (size_t)columns;
	buf_putc(&out, '\n');
	for (size_t row = 0; row < rows && c->n <= SHOWN_MAX; row++) {
		for (size_t i = row; i < c->n; i += rows) {
			size_t n = strlen(c->words[i]);

			text_safe(&out, c->words[i], n);
			for (int w = text_width(c->words[i], n); w < widest + 2 && i + rows < c->n; w++)
				buf_putc(&out, ' ');
		}
		buf_putc(&out, '\n');
	}
	if (c->n > SHOWN_MAX || c->more)
		buf_printf(&out, "%zu%s words begin so\n", c->n, c->more ? " and more" : "");
	fwrite(buf_cstr(&out), 1, out.len, stdout);
	fflush(stdout);
	buf_free(&out);
}

/* Replaces what stands before the cursor from `from` on. */
static void put_word(EditLine *el, size_t typed_chars, const char *word, size_t n, bool whole)
{
	struct buf text = {0};

	buf_add(&text, word, n);
	if (whole)
		buf_putc(&text, ' ');
	el_deletestr(el, (int)typed_chars);
	el_insertstr(el, buf_cstr(&text));
	buf_free(&text);
}

/* Characters, as the editor counts them. */
static size_t characters(const char *p, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)p[i] & 0xc0) != 0x80;
	return count;
}

static unsigned char on_tab(EditLine *el, wint_t key)
{
	struct editor *e = editor_of(el);
	const LineInfo *l = el_line(el);
	struct buf line = {0};
	struct completion c;
	unsigned char answer = CC_REFRESH;
	size_t typed, common;

	(void)key;
	buf_add(&line, l->buffer, (size_t)(l->cursor - l->buffer));
	names_refresh(e->shell);
	complete(e->shell->names, e->pending, buf_cstr(&line), &c);
	typed = line.len - c.from;
	common = completion_common(&c);
	if (c.n == 0) {
		answer = CC_REFRESH_BEEP;
	} else if (c.n == 1 || common > typed) {
		put_word(el, characters(line.data + c.from, typed), c.words[0], common, c.n == 1);
	} else {
		show_words(&c);
		answer = CC_REDISPLAY;
	}
	completion_free(&c);
	buf_free(&line);
	return answer;
}

/* ---- editing ---- */

static unsigned char on_interrupt_key(EditLine *el, wint_t key)
{
	struct editor *e = editor_of(el);
	const LineInfo *l = el_line(el);

	(void)key;
	e->interrupted = true;
	e->was_empty = l->lastchar == l->buffer;
	return CC_NEWLINE;
}

/* The library's own handler gives the terminal back, and takes it again when we go on. */
static unsigned char on_suspend_key(EditLine *el, wint_t key)
{
	(void)el;
	(void)key;
	(void)raise(SIGTSTP);
	return CC_REFRESH;
}

static char *prompt_of(EditLine *el)
{
	struct editor *e = editor_of(el);

	/* The library wants it writable, and does not write it. */
	return (char *)(uintptr_t)e->prompt;
}

static void remember_old(void *to, const char *entry)
{
	struct editor *e = to;
	HistEvent event;

	history(e->history, &event, H_ENTER, entry);
}

static void bind_keys(EditLine *el)
{
	static const char *const keys[][2] = {
		{"^I", "shell-complete"},     {"^Z", "shell-suspend"},           {"^C", "shell-interrupt"},
		{"^R", "em-inc-search-prev"}, {"^W", "ed-delete-prev-word"},     {"\\e[1~", "ed-move-to-beg"},
		{"\\e[4~", "ed-move-to-end"}, {"\\e[3~", "ed-delete-next-char"}, {"\\e[1;5C", "em-next-word"},
		{"\\e[1;5D", "ed-prev-word"},
	};

	/* The wide call, since the other one keeps copies that nobody frees. */
	el_wset(el, EL_ADDFN, L"shell-complete", L"complete the word", on_tab);
	el_wset(el, EL_ADDFN, L"shell-interrupt", L"drop the line", on_interrupt_key);
	el_wset(el, EL_ADDFN, L"shell-suspend", L"stop the program", on_suspend_key);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		el_set(el, EL_BIND, keys[i][0], keys[i][1], NULL);
}

static void start_editing(struct editor *e)
{
	HistEvent event;

	e->el = el_init("alterctl", stdin, stdout, stderr);
	e->history = history_init();
	if (!e->el || !e->history)
		return;
	history(e->history, &event, H_SETSIZE, 1000);
	history(e->history, &event, H_SETUNIQUE, 1);
	el_set(e->el, EL_CLIENTDATA, e);
	el_set(e->el, EL_SIGNAL, 1);
	el_set(e->el, EL_PROMPT, prompt_of);
	el_set(e->el, EL_EDITOR, "emacs");
	el_set(e->el, EL_HIST, history, e->history);
	bind_keys(e->el);
	el_set(e->el, EL_SETTY, "-d", "-isig", NULL);
	/* The person's own ~/.editrc has the last word. */
	(void)el_source(e->el, NULL);
	if (e->path.len > 0)
		history_load(buf_cstr(&e->path), remember_old, e);
}

static enum edit_result read_edited(struct editor *e, struct buf *line)
{
	const char *text;
	int n = 0;

	errno = 0;
	text = el_gets(e->el, &n);
	if (e->interrupted) {
		e->interrupted = false;
		fputs("^C\n", stdout);
		return e->was_empty ? EDIT_INTERRUPTED_EMPTY : EDIT_INTERRUPTED;
	}
	if (!text || n <= 0)
		return n < 0 && errno == EINTR ? EDIT_INTERRUPTED : EDIT_END;
	/* n counts characters. */
	buf_puts(line, text);
	if (line->len > 0 && line->data[line->len - 1] == '\n')
		buf_truncate(line, line->len - 1);
	return EDIT_LINE;
}

#endif

/* ---- both ---- */

struct editor *editor_new(struct shell *s)
{
	struct editor *e = must(calloc(1, sizeof(*e)));

	e->shell = s;
	if (!history_path(&e->path))
		buf_reset(&e->path, 0);
#ifdef ALTERD_EDITLINE
	const char *term = getenv("TERM");

	if (s->ctl->in_tty && s->ctl->out_tty && term && *term && strcmp(term, "dumb") != 0)
		start_editing(e);
#endif
	return e;
}

void editor_free(struct editor *e)
{
	if (!e)
		return;
#ifdef ALTERD_EDITLINE
	if (e->el)
		el_end(e->el);
	if (e->history)
		history_end(e->history);
#endif
	buf_free(&e->path);
	buf_free(&e->in);
	free(e);
}

enum edit_result editor_read(struct editor *e, const char *prompt, const char *pending, struct buf *line)
{
	e->prompt = prompt;
	e->pending = pending;
	cancel_forget();
#ifdef ALTERD_EDITLINE
	if (e->el)
		return read_edited(e, line);
#endif
	return read_plain(e, line);
}

void editor_remember(struct editor *e, const char *text, size_t n)
{
#ifdef ALTERD_EDITLINE
	struct buf entry = {0};
	HistEvent event;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	/* What begins with a blank is meant to be forgotten. */
	if (!e->el || n == 0 || *text == ' ' || *text == '\t')
		return;
	buf_add(&entry, text, n);
	history(e->history, &event, H_ENTER, buf_cstr(&entry));
	if (e->path.len > 0)
		history_append(buf_cstr(&e->path), text, n);
	buf_free(&entry);
#else
	(void)e;
	(void)text;
	(void)n;
#endif
}
