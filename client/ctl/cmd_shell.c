/*
 * shell: where its input comes from, and the conversation on a terminal.
 *
 * With SQL or a file on the command line, or where stdin is no terminal, it runs what there is, stops at the first
 * error, and never asks or prompts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/shell.h"

static int set_up(struct shell *s)
{
	struct ctl *c = s->ctl;
	enum render_mode mode = c->out_tty ? MODE_TABLE : MODE_LIST;

	s->readonly = has(c, FLAG_READONLY);
	s->out = (struct sink){.fd = STDOUT_FILENO, .tty = c->out_tty, .width = c->out_tty ? c->width : 0};
	if (has(c, FLAG_JSON))
		mode = MODE_JSON;
	render_set_mode(&s->look, MODE_LIST);
	render_set_mode(&s->look, mode);
	s->mode_before = mode;
	s->look.table = s->insert_table;
	/* A person wants to tell NULL from an empty text; a pipe gets what sqlite3 gives. */
	snprintf(s->look.null_value, sizeof(s->look.null_value), "%s", c->out_tty ? "NULL" : "");
	if (c->mode) {
		char word[] = ".mode", *name = must(strdup(c->mode)), *argv[] = {word, name, NULL};
		int code = dot_mode(s, 2, argv);

		free(name);
		return code;
	}
	return 0;
}

static void tear_down(struct shell *s)
{
	shell_output(s, NULL);
	while (s->nparameters > 0) {
		s->nparameters--;
		free(s->parameters[s->nparameters].name);
		free(s->parameters[s->nparameters].text);
	}
	names_free(s->names);
	buf_free(&s->last);
	buf_free(&s->out.b);
}

/* ---- a person ---- */

static void make_prompt(const struct shell *s, const struct feed *f, char *out, size_t size)
{
	const char *mark = s->tx == SHELL_TX_OPEN ? "*" : s->tx == SHELL_TX_FAILED ? "!" : "";

	if (feed_is_empty(f))
		snprintf(out, size, "alterd%s%s> ", s->readonly ? "(ro)" : "", mark);
	else
		snprintf(out, size, "   ...> ");
}

static void greet(const struct shell *s)
{
	const struct ctl *c = s->ctl;

	note(c, "%s, %s. .help for help; SQL ends with a semicolon.", alterd_server(c->conn), alterd_path(c->conn));
}

/* What the arrow keys bring back: a statement with all of its lines, or a command. */
struct typed {
	struct buf text;
};

static void keep_typed(struct typed *t, const struct buf *line)
{
	if (t->text.len > 0)
		buf_putc(&t->text, '\n');
	buf_add(&t->text, line->data ? line->data : "", line->len);
}

/* Returns true where Ctrl-C, pressed again on an empty line, means to leave. */
static bool on_interrupt(struct shell *s, struct feed *f, struct typed *t, bool no_line, int *presses)
{
	bool was_empty = no_line && feed_is_empty(f);

	feed_drop(f);
	buf_reset(&t->text, 4096);
	*presses = was_empty ? *presses + 1 : 0;
	if (*presses == 1)
		note(s->ctl, "Ctrl-C once more, Ctrl-D or .quit leaves");
	return *presses > 1;
}

static void converse(struct shell *s)
{
	struct feed f = {.shell = s};
	struct editor *e = editor_new(s);
	struct typed typed = {0};
	struct buf line = {0};
	int presses = 0;
	char prompt[64];

	for (bool leave = false; !leave && !s->quit;) {
		enum edit_result got;

		make_prompt(s, &f, prompt, sizeof(prompt));
		buf_reset(&line, 65536);
		got = editor_read(e, prompt, feed_is_empty(&f) ? "" : buf_cstr(&f.pending), &line);
		if (got == EDIT_END)
			break;
		if (got != EDIT_LINE) {
			leave = on_interrupt(s, &f, &typed, got == EDIT_INTERRUPTED_EMPTY, &presses);
			continue;
		}
		presses = 0;
		keep_typed(&typed, &line);
		/* A line that comes back from the history may be several. */
		feed_lines_of(&f, &line);
		if (feed_is_empty(&f)) {
			editor_remember(e, typed.text.data ? typed.text.data : "", typed.text.len);
			buf_reset(&typed.text, 65536);
		}
	}
	if (!s->quit)
		fputc('\n', s->ctl->out_tty ? stdout : stderr);
	editor_free(e);
	feed_free(&f);
	buf_free(&typed.text);
	buf_free(&line);
}

static int run_interactive(struct shell *s)
{
	int code;

	s->interactive = true;
	code = shell_connect(s);
	if (code)
		return code;
	cancel_start();
	greet(s);
	converse(s);
	cancel_stop();
	return s->quit_code;
}

/* ---- scripts ---- */

static int run_file(struct shell *s, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), code;

	if (fd < 0) {
		say("%s: %s", path, strerror(errno));
		return EXIT_NO_INPUT;
	}
	code = feed_descriptor(s, fd, standard ? "stdin" : path);
	if (!standard)
		close(fd);
	return code;
}

static int run_script(struct shell *s, int argc, char **argv)
{
	int code = 0;

	s->bail = true;
	/* -f is also --force; here it names the file. */
	if (has(s->ctl, FLAG_FORCE) && argc != 2) {
		say("-f takes one file, and no SQL beside it");
		return EXIT_USAGE;
	}
	if (has(s->ctl, FLAG_FORCE)) {
		code = run_file(s, argv[1]);
	} else if (argc == 1) {
		code = run_file(s, "-");
	} else {
		for (int i = 1; i < argc && !s->quit && !(code && s->bail); i++) {
			int one = feed_text(s, argv[i], argc > 2 || strchr(argv[i], '\n') ? "argument" : NULL);

			code = one ? one : code;
		}
	}
	return code ? code : s->quit_code;
}

int cmd_shell(struct ctl *c, int argc, char **argv)
{
	struct shell *s = must(calloc(1, sizeof(*s)));
	int code;

	s->ctl = c;
	code = set_up(s);
	if (!code && argc == 1 && !has(c, FLAG_FORCE) && c->in_tty && !has(c, FLAG_NO_INPUT))
		code = run_interactive(s);
	else if (!code)
		code = run_script(s, argc, argv);
	tear_down(s);
	free(s);
	return code;
}
