/*
 * The command line: options wherever they stand.
 *
 * Own parser instead of getopt_long(): options may stand before and behind the command, `-5` is an argument, and a slip
 * is answered with the option that was probably meant.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

#define TIMEOUT_MAX_S 86400.0
#define INTERVAL_MAX_S 3600.0

enum takes {
	NOTHING,
	SOCKET,
	TIMEOUT,
	NULL_WORD,
	DIR_PATH,
	TO_VERSION,
	FORMAT,
	FROM_TOOL,
	CHECK_FILE,
	DUMP_FILE,
	SCHEMA_FILE,
	OUTPUT,
	INTERVAL,
	TABLE_NAME,
	COUNT,
	WAIT_FOR,
	MODE,
	BY_WORD,
	LIMIT
};

static const struct option {
	const char *name;
	char letter; /* 0: none */
	uint64_t flag;
	enum takes takes;
} options[] = {
	{"--help", 'h', FLAG_HELP, NOTHING},
	{"--socket", 0, 0, SOCKET},
	{"--timeout", 0, 0, TIMEOUT},
	{"--json", 0, FLAG_JSON, NOTHING},
	{"--quiet", 'q', FLAG_QUIET, NOTHING},
	{"--no-color", 0, FLAG_NO_COLOR, NOTHING},
	{"--no-input", 0, FLAG_NO_INPUT, NOTHING},
	{"--watch", 'w', FLAG_WATCH, NOTHING},
	{"--exit-code", 0, FLAG_EXIT_CODE, NOTHING},
	{"--detach", 'd', FLAG_DETACH, NOTHING},
	{"--allow-data-loss", 0, FLAG_FORCE, NOTHING},
	{"--force", 'f', FLAG_FORCE, NOTHING},
	{"--postpone-cutover", 0, FLAG_POSTPONE, NOTHING},
	{"--text", 0, FLAG_TEXT, NOTHING},
	{"--null", 0, FLAG_TEXT, NULL_WORD},
	{"--dir", 0, FLAG_DIR, DIR_PATH},
	{"--to", 0, FLAG_TO, TO_VERSION},
	{"--format", 0, FLAG_FORMAT, FORMAT},
	{"--from", 0, FLAG_FROM, FROM_TOOL},
	{"--allow-out-of-order", 0, FLAG_OUT_OF_ORDER, NOTHING},
	{"--dry-run", 'n', FLAG_DRY_RUN, NOTHING},
	{"--timestamp", 0, FLAG_TIMESTAMP, NOTHING},
	{"--user-version", 0, FLAG_USER_VERSION, NOTHING},
	{"--check", 0, FLAG_CHECK, CHECK_FILE},
	{"--dump", 0, FLAG_DUMP, DUMP_FILE},
	{"--schema", 0, FLAG_SCHEMA, SCHEMA_FILE},
	{"--applied", 0, FLAG_APPLIED, NOTHING},
	{"--not-applied", 0, FLAG_NOT_APPLIED, NOTHING},
	{"--try", 0, FLAG_TRY, NOTHING},
	{"--output", 'o', FLAG_OUTPUT, OUTPUT},
	{"--verify", 0, FLAG_VERIFY, NOTHING},
	{"--interval", 0, FLAG_INTERVAL, INTERVAL},
	{"--quick", 0, FLAG_QUICK, NOTHING},
	{"--whole", 0, FLAG_WHOLE, NOTHING},
	{"--table", 0, FLAG_EVENTS, TABLE_NAME},
	{"--count", 0, FLAG_EVENTS, COUNT},
	{"--for", 0, FLAG_FOR, WAIT_FOR},
	{"--mode", 0, FLAG_MODE, MODE},
	{"--readonly", 0, FLAG_READONLY, NOTHING},
	{"--statements", 0, FLAG_STATEMENTS, NOTHING},
	{"--by", 0, FLAG_STATEMENTS, BY_WORD},
	{"--limit", 0, FLAG_STATEMENTS, LIMIT},
};

/* What stands for their values in a synopsis; for completion. */
static const char *const value_names[] = {
	[SOCKET] = "PATH",        [TIMEOUT] = "SECONDS", [NULL_WORD] = "WORD", [DIR_PATH] = "DIR",
	[TO_VERSION] = "VERSION", [FORMAT] = "FORMAT",   [FROM_TOOL] = "TOOL",
};
static const char *const formats[] = {"auto",   "dbmate",  "goose",  "golang-migrate", "sqlx",
				      "diesel", "sqflite", "flyway", "refinery",       NULL};

#define NOPTIONS (sizeof(options) / sizeof(options[0]))
#define GLOBAL_FLAGS (FLAG_HELP | FLAG_JSON | FLAG_QUIET | FLAG_NO_COLOR | FLAG_NO_INPUT)

/* True for what is no option although it begins with '-'. */
static bool is_argument(const char *arg)
{
	return arg[0] != '-' || arg[1] == '\0' || is_digit(arg[1]) || (arg[1] == '.' && is_digit(arg[2]));
}

static const struct option *find(const char *arg, size_t n)
{
	for (size_t i = 0; i < NOPTIONS; i++) {
		if (strlen(options[i].name) == n && memcmp(options[i].name, arg, n) == 0)
			return &options[i];
		if (n == 2 && arg[1] == options[i].letter && options[i].letter)
			return &options[i];
	}
	return NULL;
}

static int unknown(const char *arg)
{
	const char *names[NOPTIONS + 1] = {0}, *near;

	for (size_t i = 0; i < NOPTIONS; i++)
		names[i] = options[i].name;
	near = nearest(arg, names);
	if (near)
		say("no option %s; did you mean %s?", arg, near);
	else
		say("no option %s; an argument that begins with '-' goes behind \"--\"", arg);
	return EXIT_USAGE;
}

static int take_seconds(const char *option, const char *value, double least, double greatest, int *ret_ms)
{
	char *end;
	double s = strtod(value, &end);

	if (end == value || *end || !isfinite(s) || s < least || s > greatest) {
		say("%s takes seconds, %g to %.0f, not \"%s\"", option, least, greatest, value);
		return EXIT_USAGE;
	}
	*ret_ms = (int)(s * 1000);
	return 0;
}

static int take_to(struct ctl *c, const char *value)
{
	c->to = args_number(value);
	if (c->to >= 0)
		return 0;
	say("--to takes a version, not \"%s\"", value);
	return EXIT_USAGE;
}

static int take_limit(struct ctl *c, const char *value)
{
	c->limit = args_number(value);
	if (c->limit > 0)
		return 0;
	say("--limit takes a number from 1, not \"%s\"", value);
	return EXIT_USAGE;
}

static int take_format(struct ctl *c, const char *value)
{
	const char *near = nearest(value, formats);

	for (size_t i = 0; formats[i]; i++) {
		if (strcmp(formats[i], value) == 0) {
			c->format = value;
			return 0;
		}
	}
	if (near)
		say("no format %s; did you mean %s?", value, near);
	else
		say("no format %s; there are auto, dbmate, goose, golang-migrate, sqlx, diesel, sqflite, flyway and "
		    "refinery",
		    value);
	return EXIT_USAGE;
}

static int take_table(struct ctl *c, const char *value)
{
	if (c->ntables == CTL_TABLES_MAX) {
		say("at most %d times --table", CTL_TABLES_MAX);
		return EXIT_USAGE;
	}
	c->tables[c->ntables++] = value;
	return 0;
}

static int take_count(struct ctl *c, const char *value)
{
	c->count = args_number(value);
	if (c->count > 0)
		return 0;
	say("--count takes a number from 1, not \"%s\"", value);
	return EXIT_USAGE;
}

static int take_value(struct ctl *c, const struct option *o, const char *value)
{
	/* --null shares its flag with --text, which says more. */
	if (o->takes != NULL_WORD)
		c->flags |= o->flag;
	switch (o->takes) {
	case SOCKET:
		c->socket = value;
		return 0;
	case TIMEOUT:
		return take_seconds("--timeout", value, 0.001, TIMEOUT_MAX_S, &c->timeout_ms);
	case NULL_WORD:
		c->null_word = value;
		return 0;
	case DIR_PATH:
		c->dir = value;
		return 0;
	case TO_VERSION:
		return take_to(c, value);
	case FORMAT:
		return take_format(c, value);
	case FROM_TOOL:
		c->from = value;
		return 0;
	case CHECK_FILE:
		c->check = value;
		return 0;
	case DUMP_FILE:
		c->dump = value;
		return 0;
	case SCHEMA_FILE:
		c->schema = value;
		return 0;
	case OUTPUT:
		c->output = value;
		return 0;
	case INTERVAL:
		return take_seconds("--interval", value, 0.1, INTERVAL_MAX_S, &c->interval_ms);
	case TABLE_NAME:
		return take_table(c, value);
	case COUNT:
		return take_count(c, value);
	case WAIT_FOR:
		c->wait_for = value;
		return 0;
	case MODE:
		c->mode = value;
		return 0;
	case BY_WORD:
		c->by = value;
		return 0;
	case LIMIT:
		return take_limit(c, value);
	case NOTHING:
		break;
	}
	return 0;
}

/* One option at argv[*i]; moves *i over a value that stands behind it. */
static int take_option(struct ctl *c, int argc, char **argv, int *i)
{
	const char *arg = argv[*i], *equals = strchr(arg, '=');
	size_t n = equals ? (size_t)(equals - arg) : strlen(arg);
	const struct option *o = find(arg, n);

	if (!o)
		return unknown(arg);
	if (o->takes == NOTHING) {
		if (equals) {
			say("%s takes no value", o->name);
			return EXIT_USAGE;
		}
		c->flags |= o->flag;
		return 0;
	}
	if (equals)
		return take_value(c, o, equals + 1);
	if (*i + 1 >= argc) {
		say("%s needs a value", o->name);
		return EXIT_USAGE;
	}
	return take_value(c, o, argv[++*i]);
}

int args_take(struct ctl *c, int argc, char **argv, int *ret_argc)
{
	int kept = 0, i;

	for (i = 0; i < argc; i++) {
		int code;

		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (is_argument(argv[i])) {
			argv[kept++] = argv[i];
			continue;
		}
		code = take_option(c, argc, argv, &i);
		if (code)
			return code;
	}
	for (; i < argc; i++)
		argv[kept++] = argv[i];
	*ret_argc = kept;
	return 0;
}

void args_names(uint64_t flags, struct buf *out)
{
	bool first = true;

	for (size_t i = 0; i < NOPTIONS; i++) {
		if (!(options[i].flag & flags))
			continue;
		buf_printf(out, "%s%s", first ? "" : ", ", options[i].name);
		first = false;
	}
}

static void view(const struct option *o, struct option_view *ret)
{
	size_t named = sizeof(value_names) / sizeof(value_names[0]);

	*ret = (struct option_view){.name = o->name, .flag = o->flag};
	ret->global = o->flag == 0 || (o->flag & GLOBAL_FLAGS);
	if (o->takes != NOTHING)
		ret->takes = (size_t)o->takes < named && value_names[o->takes] ? value_names[o->takes] : "FILE";
	if (o->takes == FORMAT || o->takes == FROM_TOOL)
		ret->words = formats;
}

bool args_option(size_t i, struct option_view *ret)
{
	if (i >= NOPTIONS)
		return false;
	view(&options[i], ret);
	return true;
}

bool args_find(const char *arg, struct option_view *ret)
{
	const struct option *o = find(arg, strlen(arg));

	if (o)
		view(o, ret);
	return o;
}

int args_check(const struct ctl *c, const struct command *command)
{
	uint64_t extra = c->flags & ~(command->flags | GLOBAL_FLAGS);
	struct buf names = {0};

	if (c->null_word && !(command->flags & FLAG_TEXT))
		extra |= FLAG_TEXT;
	if (!extra)
		return 0;
	args_names(extra, &names);
	say("\"alterctl %s\" does not take %s", command->name, buf_cstr(&names));
	buf_free(&names);
	return EXIT_USAGE;
}
