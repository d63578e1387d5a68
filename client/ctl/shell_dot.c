/* The dot commands: their table, their arguments, help, and alterctl's own commands under a dot. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/shell.h"

#define ARGUMENTS_MAX 100

const struct dot_command dot_commands[] = {
	{".backup", dot_backup, 1, 1, "FILE", "copy the database into a file of yours", NULL},
	{".bail", dot_bail, 1, 1, "on|off", "stop at the first error (on for scripts)", NULL},
	{".cd", dot_cd, 1, 1, "FOLDER", "change the folder that file names begin in", NULL},
	{".changes", dot_changes, 1, 1, "on|off", "tell how many rows a statement changed", NULL},
	{".databases", dot_databases, 0, 0, "", "the file that is served", NULL},
	{".dump", dot_dump, 0, 1, "[PATTERN]", "schema and rows as SQL",
	 "PATTERN is one of LIKE. All is read in one transaction, which may last as long as the daemon lets\n"
	 "one (5 s unless configured); a larger database is copied whole by .backup.\n"},
	{".echo", dot_echo, 1, 1, "on|off", "print each statement before it runs", NULL},
	{".exit", dot_quit, 0, 1, "[CODE]", "leave", NULL},
	{".headers", dot_headers, 1, 1, "on|off", "names of columns above the rows", NULL},
	{".help", dot_help, 0, 1, "[COMMAND]", "this, or more about a command", NULL},
	{".import", dot_import, 2, -1, "[--csv] [--skip N] FILE TABLE", "rows of a file into a table",
	 "Columns end with the column separator of .separator, unless --csv or mode csv says that the file is\n"
	 "CSV (quotes, line breaks in them). A table that is not there is made, its columns named by the first\n"
	 "row. --skip N passes over N rows. Rows go in batches of some hundred, each a transaction, so that\n"
	 "others write in between; inside BEGIN .. COMMIT it is one. A row that is refused is told by its line;\n"
	 "with .bail on that ends it, else up to 100 are passed over.\n"},
	{".indexes", dot_indexes, 0, 1, "[TABLE]", "names of indexes", NULL},
	{".mode", dot_mode, 0, -1, "[MODE [TABLE] [--wrap N] [--quote]]", "how rows are shown",
	 "table, box, column, markdown: columns of one width. --wrap N breaks cells behind N columns (60, 0: never),\n"
	 "--quote shows them as SQL literals, qbox is box --quote. list, csv, tabs, ascii: with separators.\n"
	 "line: a column a line. json: one array, jsonl: an object a row. insert TABLE, quote, html, tcl.\n"},
	{".nullvalue", dot_nullvalue, 1, 1, "TEXT", "what stands for NULL", NULL},
	{".once", dot_once, 1, 1, "FILE", "the next statement's output goes to FILE", NULL},
	{".output", dot_output, 0, 1, "[FILE]", "output goes to FILE, or back to the terminal", NULL},
	{".parameter", dot_parameter, 1, 3, "set NAME VALUE | unset NAME | list | clear", "values of :a, @a, $a and ?1",
	 "A number as one writes it is bound as a number, NULL as NULL, anything else as text.\n"},
	{".print", dot_print, 0, -1, "[TEXT...]", "print a text", NULL},
	{".quit", dot_quit, 0, 1, "[CODE]", "leave", NULL},
	{".read", dot_read, 1, 1, "FILE", "run the statements and commands of a file", NULL},
	{".schema", dot_schema, 0, 1, "[PATTERN]", "the CREATE statements", NULL},
	{".separator", dot_separator, 1, 2, "COLUMN [ROW]", "what stands between columns, and behind a row", NULL},
	{".show", dot_show, 0, 0, "", "how all this is set", NULL},
	{".tables", dot_tables, 0, 1, "[PATTERN]", "names of tables and views", NULL},
	{".timer", dot_timer, 1, 1, "on|off", "tell how long each statement took", NULL},
	{".watch", dot_watch, 0, 2, "[SECONDS [TIMES]]", "run the last statement again and again, until Ctrl-C", NULL},
	{".width", dot_width, 0, -1, "[N...]", "least widths of columns; negative: to the right", NULL},
	{"\\d", dot_describe, 0, 1, "[TABLE]", "tables, or all about one", NULL},
	{"\\q", dot_quit, 0, 0, "", "leave", NULL},
	{"\\x", dot_expanded, 0, 0, "", "a column a line, and back", NULL},
	{0},
};

/* alterctl's commands that make sense here, under their names with a dot. */
const char *const dot_ctl_words[] = {
	".abort",   ".alter",    ".cutover", ".down", ".events",  ".history", ".kill",     ".list",
	".metrics", ".pause",    ".ping",    ".plan", ".resume",  ".revert",  ".sessions", ".stats",
	".status",  ".throttle", ".to",      ".up",   ".version", ".wait",    NULL,
};

/* ---- finding ---- */

const struct command *dot_ctl_command(const char *word)
{
	for (size_t i = 0; dot_ctl_words[i]; i++)
		if (strcmp(dot_ctl_words[i], word) == 0)
			return command_find(word + 1);
	return NULL;
}

const struct dot_command *dot_find(const char *word)
{
	static const char *const aliases[][2] = {
		{".header", ".headers"}, {".q", ".quit"},     {".param", ".parameter"}, {".indices", ".indexes"},
		{"\\watch", ".watch"},   {"\\dt", ".tables"}, {"\\di", ".indexes"},     {"\\?", ".help"},
		{"\\i", ".read"},        {"\\o", ".output"},
	};
	const struct dot_command *found = NULL;
	size_t n = strlen(word), several = 0;

	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(aliases[i][0], word) == 0)
			word = aliases[i][1];
	for (const struct dot_command *k = dot_commands; k->name; k++) {
		if (strcmp(k->name, word) == 0)
			return k;
		/* A beginning will do, as in sqlite3's shell, if there is one such command. */
		if (n >= 3 && strncmp(k->name, word, n) == 0) {
			found = k;
			several++;
		}
	}
	return several == 1 ? found : NULL;
}

static int unknown(const struct shell *s, const char *word, const char *name, int64_t line)
{
	const char *names[sizeof(dot_commands) / sizeof(dot_commands[0]) +
			  sizeof(dot_ctl_words) / sizeof(dot_ctl_words[0])] = {0};
	const char *near;
	struct buf safe = {0};
	size_t n = 0;

	for (const struct dot_command *k = dot_commands; k->name; k++)
		names[n++] = k->name;
	for (size_t i = 0; dot_ctl_words[i]; i++)
		if (dot_ctl_command(dot_ctl_words[i]))
			names[n++] = dot_ctl_words[i];
	near = nearest(word, names);
	text_safe(&safe, word, strlen(word));
	if (near)
		shell_complain(s, name, line, "no command %s; did you mean %s?", buf_cstr(&safe), near);
	else
		shell_complain(s, name, line, "no command %s; .help lists them", buf_cstr(&safe));
	buf_free(&safe);
	return EXIT_USAGE;
}

/* ---- arguments ---- */

/* What stands behind a backslash in double quotes. */
static char unescape(const char **p)
{
	static const char named[] = "abfnrtv0", means[] = "\a\b\f\n\r\t\v";
	const char *at;
	char c = **p;

	if (c >= '0' && c <= '7') {
		int v = 0;

		for (int i = 0; i < 3 && **p >= '0' && **p <= '7'; i++, ++*p)
			v = v * 8 + (**p - '0');
		return (char)v;
	}
	++*p;
	at = strchr(named, c);
	return at ? means[at - named] : c;
}

/* Cuts a line in place: blanks part, '..' and ".." keep them, the latter knows \n and the like. -1: too many. */
static int split_arguments(char *line, char **argv)
{
	int argc = 0;
	const char *p = line;
	char *to = line;

	for (;;) {
		char quote;

		p += strspn(p, " \t");
		if (!*p)
			return argc;
		if (argc == ARGUMENTS_MAX)
			return -1;
		argv[argc++] = to;
		quote = *p == '\'' || *p == '"' ? *p++ : '\0';
		while (*p && (quote ? *p != quote || (quote == '\'' && p[1] == '\'') : *p != ' ' && *p != '\t')) {
			char c = *p++;

			if (quote == '\'' && c == '\'')
				p++;
			else if (quote == '"' && c == '\\' && *p)
				c = unescape(&p);
			*to++ = c;
		}
		if (*p)
			p++;
		*to++ = '\0';
	}
}

int dot_switch(const char *arg, bool *ret)
{
	if (strcmp(arg, "on") == 0 || strcmp(arg, "yes") == 0 || strcmp(arg, "1") == 0)
		*ret = true;
	else if (strcmp(arg, "off") == 0 || strcmp(arg, "no") == 0 || strcmp(arg, "0") == 0)
		*ret = false;
	else {
		say("\"%s\" is neither on nor off", arg);
		return EXIT_USAGE;
	}
	return 0;
}

/* ---- running ---- */

/* What alterctl's commands print goes where the shell's output goes. */
static int redirect(const struct shell *s)
{
	int kept = -1;

	fflush(stdout);
	if (s->out.fd != STDOUT_FILENO) {
		kept = dup(STDOUT_FILENO);
		if (kept >= 0 && dup2(s->out.fd, STDOUT_FILENO) < 0)
			say("the output stays on the terminal");
	}
	return kept;
}

static void redirect_end(int kept)
{
	fflush(stdout);
	if (kept >= 0) {
		(void)dup2(kept, STDOUT_FILENO);
		close(kept);
	}
}

static bool follows_job(const struct command *k)
{
	static const char *const names[] = {"alter", "down", "events", "revert", "status", "to", "up", "wait", NULL};

	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], k->name) == 0)
			return true;
	return false;
}

int dot_ctl(struct shell *s, const struct command *k, int argc, char **argv)
{
	struct ctl c = *s->ctl;
	int code, kept;

	c.flags &= FLAG_QUIET | FLAG_NO_COLOR | FLAG_NO_INPUT;
	c.dir = c.format = c.from = c.check = c.dump = c.schema = c.output = NULL;
	code = args_take(&c, argc - 1, argv + 1, &argc);
	if (code)
		return code;
	if (!code && has(&c, FLAG_HELP)) {
		fputs(k->help, stdout);
		return 0;
	}
	code = args_check(&c, k);
	if (code)
		return code;
	if (argc < k->min || (k->max >= 0 && argc > k->max)) {
		say("%s: .%s %s", argc < k->min ? "something is missing" : "too many arguments", k->name, k->arguments);
		return EXIT_USAGE;
	}
	code = shell_connect(s);
	if (code)
		return code;
	c.conn = s->ctl->conn;
	kept = redirect(s);
	interrupt_forget();
	/* Those that follow a job have Ctrl-C for themselves, and may make the connection anew. */
	if (!follows_job(k))
		cancel_watch(c.conn);
	argv[0] = (char *)(uintptr_t)k->name;
	code = k->run(&c, argc + 1, argv);
	cancel_unwatch();
	cancel_resume();
	redirect_end(kept);
	/* A command that found the daemon again has another connection. */
	s->ctl->conn = c.conn;
	shell_look_at_link(s);
	return code == EXIT_DETACHED ? 0 : code;
}

static int run_own(struct shell *s, const struct dot_command *k, int argc, char **argv)
{
	if (argc - 1 < k->min || (k->max >= 0 && argc - 1 > k->max)) {
		say("%s: %s %s", argc - 1 < k->min ? "something is missing" : "too many arguments", k->name,
		    k->arguments);
		return EXIT_USAGE;
	}
	return k->run(s, argc, argv);
}

int dot_run(struct shell *s, const char *line, const char *name, int64_t number)
{
	char *text = must(strdup(line)), *argv[ARGUMENTS_MAX + 1] = {0};
	int argc = split_arguments(text, argv), code;
	const struct command *ctl = argc > 0 ? dot_ctl_command(argv[0]) : NULL;
	const struct dot_command *own = argc > 0 && !ctl ? dot_find(argv[0]) : NULL;
	bool once = s->once;

	if (argc < 0) {
		shell_complain(s, name, number, "more than %d arguments", ARGUMENTS_MAX);
		code = EXIT_USAGE;
	} else if (ctl) {
		sink_flush(&s->out);
		code = dot_ctl(s, ctl, argc, argv);
	} else if (own) {
		code = run_own(s, own, argc, argv);
	} else {
		code = unknown(s, argv[0] ? argv[0] : "", name, number);
	}
	shell_flush(s);
	if (code && name && argv[0] && (ctl || own))
		note(s->ctl, "  at %s:%" PRId64, name, number);
	if (once && s->once && !(own && own->run == dot_once))
		shell_output(s, NULL);
	free(text);
	return code;
}

/* ---- help ---- */

static void help_line(struct buf *out, const char *name, const char *arguments, const char *summary)
{
	int width = (int)(strlen(name) + strlen(arguments)) + 1;

	buf_printf(out, "%s %s", name, arguments);
	if (width > 30)
		buf_printf(out, "\n%*s", 31, "");
	else
		buf_printf(out, "%*s", 31 - width, "");
	buf_printf(out, "%s\n", summary);
}

static int help_one(struct shell *s, const char *word)
{
	struct buf *out = &s->out.b, dotted = {0};
	const struct dot_command *d;
	const struct command *k;
	int code = 0;

	/* ".help mode" is as good as ".help .mode". */
	buf_printf(&dotted, "%s%s", *word == '.' || *word == '\\' ? "" : ".", word);
	k = dot_ctl_command(buf_cstr(&dotted));
	d = k ? NULL : dot_find(buf_cstr(&dotted));
	if (k)
		buf_printf(out, ".%s %s\n  %s\n\nExamples, for a command line\n%s", k->name, k->arguments, k->summary,
			   k->help);
	else if (d)
		buf_printf(out, "%s %s\n  %s\n%s%s", d->name, d->arguments, d->summary, d->help ? "\n" : "",
			   d->help ? d->help : "");
	else
		code = unknown(s, buf_cstr(&dotted), NULL, 0);
	buf_free(&dotted);
	return code;
}

int dot_help(struct shell *s, int argc, char **argv)
{
	struct buf *out = &s->out.b;

	if (argc > 1)
		return help_one(s, argv[1]);
	for (const struct dot_command *k = dot_commands; k->name; k++)
		help_line(out, k->name, k->arguments, k->summary);
	buf_puts(out, "\nalterctl's own, with the same options (.help .up tells more)\n");
	for (size_t i = 0; dot_ctl_words[i]; i++) {
		const struct command *k = dot_ctl_command(dot_ctl_words[i]);

		if (k)
			help_line(out, dot_ctl_words[i], "", k->summary);
	}
	buf_puts(out, "\nSQL ends with a semicolon. Ctrl-C cancels a statement, or drops the line; Ctrl-D leaves.\n");
	return 0;
}
