/*
 * alterctl: speaks to a running alterd from the command line.
 *
 * Options may stand anywhere. The first argument names the command; help is printed from their table, in commands.c.
 */
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

static int unknown_command(const char *name)
{
	const char *names[COMMAND_NAMES_MAX + 1], *near;
	struct buf safe = {0};

	command_names(names);
	near = nearest(name, names);
	text_safe(&safe, name, strlen(name));
	if (near)
		say("no command %s; did you mean %s?", buf_cstr(&safe), near);
	else
		say("no command %s; \"alterctl help\" lists them", buf_cstr(&safe));
	buf_free(&safe);
	return EXIT_USAGE;
}

static void help_command(const struct command *k)
{
	struct buf names = {0};

	args_names(FLAG_JSON | FLAG_QUIET | FLAG_NO_COLOR | FLAG_NO_INPUT, &names);
	printf("Examples\n%s\n", k->help);
	printf("alterctl %s%s%s\n  %s\n\n", k->name, *k->arguments ? " " : "", k->arguments, k->summary);
	printf("Everywhere: --socket PATH, --timeout SECONDS, %s, --help.\n", buf_cstr(&names));
	buf_free(&names);
}

static void help_all(void)
{
	printf("Examples\n"
	       "  alterctl status\n"
	       "  alterctl query 'SELECT * FROM user WHERE age > ?' 30\n"
	       "  alterctl alter 'ALTER TABLE expenses ALTER COLUMN amount TYPE REAL'\n"
	       "  alterctl up --dir migrations\n"
	       "\n"
	       "alterctl [--socket PATH] [--json] [--quiet] [--no-color] [--no-input] [--timeout SECONDS] COMMAND\n"
	       "  speaks to a running alterd\n"
	       "\n"
	       "Commands\n");
	for (const struct command *k = commands; k->name; k++)
		printf("  %-9s %s\n", k->name, k->summary);
	printf("\n"
	       "Exit codes: 0 ok, 1 failed, 2 usage, 66 files cannot be read, 69 daemon not reachable,\n"
	       "75 timed out or worth retrying, 77 not allowed, 130 detached by Ctrl-C.\n"
	       "\"alterctl help COMMAND\" tells more; see alterctl(1).\n");
}

/* For programs that complete or show commands. */
static void help_json(const struct command *only)
{
	struct buf out = {0};

	jw_open(&out, '{');
	jw_key(&out, "commands");
	jw_open(&out, '[');
	for (const struct command *k = commands; k->name; k++) {
		struct buf options = {0};

		if (only && k != only)
			continue;
		args_names(k->flags, &options);
		jw_key(&out, NULL);
		jw_open(&out, '{');
		jw_str(&out, "name", k->name);
		jw_str(&out, "arguments", k->arguments);
		jw_str(&out, "options", buf_cstr(&options));
		jw_str(&out, "summary", k->summary);
		jw_close(&out, '}');
		buf_free(&options);
	}
	jw_close(&out, ']');
	jw_close(&out, '}');
	buf_putc(&out, '\n');
	print_out(&out);
	buf_free(&out);
}

int cmd_help(struct ctl *c, int argc, char **argv)
{
	const struct command *k = argc > 1 ? command_find(argv[1]) : NULL;

	if (argc > 1 && !k)
		return unknown_command(argv[1]);
	if (has(c, FLAG_JSON))
		help_json(k);
	else if (k)
		help_command(k);
	else
		help_all();
	return EXIT_OK;
}

static void look_at_terminal(struct ctl *c)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	struct winsize size;

	c->dumb = !term || !*term || strcmp(term, "dumb") == 0;
	c->in_tty = isatty(STDIN_FILENO);
	c->out_tty = isatty(STDOUT_FILENO);
	c->err_tty = isatty(STDERR_FILENO);
	c->color = c->out_tty && !c->dumb && !(no_color && *no_color) && !has(c, FLAG_NO_COLOR);
	if (c->out_tty)
		c->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static int run(struct ctl *c, int argc, char **argv)
{
	const struct command *k;
	int code;

	if (argc > 1 && strcmp(argv[1], "--complete") == 0)
		return complete_words(c, argc - 2, argv + 2);
	code = args_take(c, argc - 1, argv + 1, &argc);
	if (code)
		return code;
	argv++;
	look_at_terminal(c);
	if (argc == 0) {
		if (has(c, FLAG_HELP))
			return cmd_help(c, 1, argv);
		say("no command given; \"alterctl help\" lists them");
		return EXIT_USAGE;
	}
	k = command_find(argv[0]);
	if (!k)
		return unknown_command(argv[0]);
	if (has(c, FLAG_HELP)) {
		if (has(c, FLAG_JSON))
			help_json(k);
		else
			help_command(k);
		return EXIT_OK;
	}
	code = args_check(c, k);
	if (code)
		return code;
	if (argc - 1 < k->min || (k->max >= 0 && argc - 1 > k->max)) {
		say("%s: alterctl %s %s", argc - 1 < k->min ? "something is missing" : "too many arguments", k->name,
		    k->arguments);
		return EXIT_USAGE;
	}
	return k->run(c, argc, argv);
}

int main(int argc, char **argv)
{
	struct ctl c = {.timeout_ms = -1};
	int code;

	/* Only the width of characters depends on the locale; numbers keep their point. */
	setlocale(LC_CTYPE, "");
	c.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (!c.utf8)
		setlocale(LC_CTYPE, "C.UTF-8");
	signal(SIGPIPE, SIG_IGN);
	code = run(&c, argc, argv);
	alterd_close(c.conn);
	if (fflush(stdout) != 0 && code == EXIT_OK)
		code = EXIT_FAILED;
	return code;
}
