/*
 * The bench programs' options: a table of `--name VALUE` and `--flag`, one parser for all.
 *
 * What is wrong on the command line ends the program with 64 (usage) and the reason.
 */
#ifndef ALTERD_BENCH_OPTIONS_H
#define ALTERD_BENCH_OPTIONS_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_kind { OPTION_TEXT, OPTION_NUMBER, OPTION_FLAG, OPTION_CALL };

struct bench_option {
	const char *name; /* with its two dashes */
	enum option_kind kind;
	union {
		const char **text;
		long *number;
		bool *flag;
		void (*call)(const char *text); /* takes the value by itself */
	} to;
	long least, greatest; /* OPTION_NUMBER */
};

/* A whole number of an option or argument. */
static inline long option_number(const char *name, const char *text, long least, long greatest)
{
	char *end;
	errno = 0;
	long v = strtol(text, &end, 10);
	if (errno || end == text || *end || v < least || v > greatest) {
		fprintf(stderr, "%s: \"%s\" is not a number from %ld to %ld\n", name, text, least, greatest);
		exit(64);
	}
	return v;
}

/* Takes the option of argv[at]; returns how many words that were. */
static inline int option_take(const struct bench_option *o, const char *value)
{
	if (o->kind == OPTION_FLAG) {
		*o->to.flag = true;
		return 1;
	}
	if (!value) {
		fprintf(stderr, "%s needs a value\n", o->name);
		exit(64);
	}
	if (o->kind == OPTION_TEXT)
		*o->to.text = value;
	else if (o->kind == OPTION_NUMBER)
		*o->to.number = option_number(o->name, value, o->least, o->greatest);
	else
		o->to.call(value);
	return 2;
}

/* Reads options up to "--" or the first word that is none; returns the index of what follows. The table ends with a
 * NULL name. */
static inline int options_parse(int argc, char **argv, const struct bench_option *table, const char *usage)
{
	int i = 1;
	while (i < argc && strncmp(argv[i], "--", 2) == 0) {
		if (!argv[i][2])
			return i + 1;
		const struct bench_option *o = table;
		while (o->name && strcmp(o->name, argv[i]) != 0)
			o++;
		if (!o->name) {
			fprintf(stderr, "no option %s\n%s", argv[i], usage);
			exit(64);
		}
		i += option_take(o, argv[i + 1]);
	}
	return i;
}

#endif
