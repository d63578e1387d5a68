/* Dot commands that say how things are shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/shell.h"

#define WRAP_MAX 100000

static void show_mode(struct shell *s)
{
	const struct render_look *l = &s->look;

	buf_printf(&s->out.b, "current output mode: %s", render_mode_name(l->mode));
	if (render_is_grid(l->mode))
		buf_printf(&s->out.b, " --wrap %d --%squote", l->wrap, l->quote ? "" : "no");
	if (l->mode == MODE_INSERT)
		buf_printf(&s->out.b, " %s", l->table);
	buf_putc(&s->out.b, '\n');
}

static int no_mode(const char *name)
{
	const char *names[MODES + 1] = {0}, *near;
	struct buf all = {0};

	for (int m = 0; m < MODES; m++) {
		names[m] = render_mode_name((enum render_mode)m);
		buf_printf(&all, "%s%s", m > 0 ? " " : "", names[m]);
	}
	near = nearest(name, names);
	if (near)
		say("no mode %s; did you mean %s?", name, near);
	else
		say("no mode %s; there are %s", name, buf_cstr(&all));
	buf_free(&all);
	return EXIT_USAGE;
}

/* A small whole number; -1: it is none. */
static int small_number(const char *arg)
{
	int64_t n = args_number(arg);

	return n >= 0 && n <= WRAP_MAX ? (int)n : -1;
}

/* Options behind the mode's name. 0 or EXIT_USAGE. */
static int mode_option(struct shell *s, struct render_look *l, char **argv, int argc, int *i)
{
	const char *arg = argv[*i];

	if (strcmp(arg, "--wrap") == 0 && *i + 1 < argc && small_number(argv[*i + 1]) >= 0)
		l->wrap = small_number(argv[++*i]);
	else if (strcmp(arg, "--quote") == 0 || strcmp(arg, "--noquote") == 0)
		l->quote = arg[2] == 'q';
	else if (*arg != '-' && l->mode == MODE_INSERT && strlen(arg) < sizeof(s->insert_table))
		snprintf(s->insert_table, sizeof(s->insert_table), "%s", arg);
	else {
		say("%s is no option of .mode %s; .help .mode tells them", arg, render_mode_name(l->mode));
		return EXIT_USAGE;
	}
	return 0;
}

int dot_mode(struct shell *s, int argc, char **argv)
{
	struct render_look look = s->look;
	enum render_mode mode;
	bool qbox = argc > 1 && strcmp(argv[1], "qbox") == 0;

	if (argc < 2) {
		show_mode(s);
		return 0;
	}
	mode = qbox ? MODE_BOX : render_mode_find(argv[1]);
	if (mode == MODES)
		return no_mode(argv[1]);
	render_set_mode(&look, mode);
	look.quote = qbox;
	if (mode == MODE_INSERT)
		snprintf(s->insert_table, sizeof(s->insert_table), "table");
	for (int i = 2; i < argc; i++) {
		int code = mode_option(s, &look, argv, argc, &i);

		if (code)
			return code;
	}
	s->look = look;
	return 0;
}

int dot_expanded(struct shell *s, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (s->look.mode == MODE_LINE) {
		render_set_mode(&s->look, s->mode_before == MODE_LINE ? MODE_TABLE : s->mode_before);
	} else {
		s->mode_before = s->look.mode;
		render_set_mode(&s->look, MODE_LINE);
	}
	note(s->ctl, "Expanded display is %s.", s->look.mode == MODE_LINE ? "on" : "off");
	return 0;
}

int dot_headers(struct shell *s, int argc, char **argv)
{
	int code = dot_switch(argv[1], &s->look.headers);

	(void)argc;
	if (!code)
		s->look.headers_set = true;
	return code;
}

/* Into a fixed place. */
static int put(const char *what, const char *arg, char *to, size_t size)
{
	if (strlen(arg) >= size) {
		say("%s of more than %zu bytes", what, size - 1);
		return EXIT_USAGE;
	}
	snprintf(to, size, "%s", arg);
	return 0;
}

int dot_nullvalue(struct shell *s, int argc, char **argv)
{
	(void)argc;
	return put("a text for NULL", argv[1], s->look.null_value, sizeof(s->look.null_value));
}

int dot_separator(struct shell *s, int argc, char **argv)
{
	int code = put("a separator", argv[1], s->look.column_end, sizeof(s->look.column_end));

	if (!code && argc > 2)
		code = put("a separator", argv[2], s->look.row_end, sizeof(s->look.row_end));
	return code;
}

int dot_width(struct shell *s, int argc, char **argv)
{
	int widths[RENDER_WIDTHS_MAX] = {0};

	if (argc - 1 > RENDER_WIDTHS_MAX) {
		say("widths of at most %d columns", RENDER_WIDTHS_MAX);
		return EXIT_USAGE;
	}
	for (int i = 1; i < argc; i++) {
		int width = small_number(argv[i] + (*argv[i] == '-'));

		if (width < 0) {
			say("\"%s\" is no width", argv[i]);
			return EXIT_USAGE;
		}
		widths[i - 1] = *argv[i] == '-' ? -width : width;
	}
	memcpy(s->look.widths, widths, sizeof(widths));
	return 0;
}

int dot_timer(struct shell *s, int argc, char **argv)
{
	(void)argc;
	return dot_switch(argv[1], &s->timer);
}

int dot_changes(struct shell *s, int argc, char **argv)
{
	(void)argc;
	return dot_switch(argv[1], &s->changes);
}

int dot_echo(struct shell *s, int argc, char **argv)
{
	(void)argc;
	return dot_switch(argv[1], &s->echo);
}

int dot_bail(struct shell *s, int argc, char **argv)
{
	(void)argc;
	return dot_switch(argv[1], &s->bail);
}

static void show_text(struct buf *out, const char *label, const char *text)
{
	buf_printf(out, "%12s: \"", label);
	for (const char *p = text; *p; p++) {
		if (*p == '\n')
			buf_puts(out, "\\n");
		else if (*p == '\t')
			buf_puts(out, "\\t");
		else if (*p == '\r')
			buf_puts(out, "\\r");
		else if ((unsigned char)*p < ' ' || *p == 0x7f)
			buf_printf(out, "\\%03o", (unsigned)(unsigned char)*p);
		else
			buf_putc(out, *p);
	}
	buf_puts(out, "\"\n");
}

int dot_show(struct shell *s, int argc, char **argv)
{
	const struct {
		const char *label;
		bool on;
	} switches[] = {{"bail", s->bail},
			{"changes", s->changes},
			{"echo", s->echo},
			{"headers", s->look.headers},
			{"timer", s->timer}};
	struct buf *out = &s->out.b;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		buf_printf(out, "%12s: %s\n", switches[i].label, switches[i].on ? "on" : "off");
	buf_printf(out, "%12s: %s\n", "mode", render_mode_name(s->look.mode));
	show_text(out, "nullvalue", s->look.null_value);
	buf_printf(out, "%12s: %s\n", "output", s->out.fd == 1 ? "stdout" : "a file");
	show_text(out, "colseparator", s->look.column_end);
	show_text(out, "rowseparator", s->look.row_end);
	buf_printf(out, "%12s:", "width");
	for (int i = 0, last = -1; i < RENDER_WIDTHS_MAX; i++) {
		if (s->look.widths[i] == 0)
			continue;
		for (last++; last < i; last++)
			buf_puts(out, " 0");
		buf_printf(out, " %d", s->look.widths[i]);
	}
	buf_putc(out, '\n');
	buf_printf(out, "%12s: %s\n", "socket", s->ctl->conn ? alterd_path(s->ctl->conn) : "not connected");
	return 0;
}
