/* .parameter, .watch, .quit. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/shell.h"

#define WATCH_S_MAX 86400.0
#define TIMES_MAX 1000000

/* ---- .parameter ---- */

static struct shell_parameter *find(struct shell *s, const char *name)
{
	for (size_t i = 0; i < s->nparameters; i++)
		if (strcmp(s->parameters[i].name, name) == 0)
			return &s->parameters[i];
	return NULL;
}

static int set(struct shell *s, const char *name, const char *text)
{
	struct shell_parameter *p = find(s, name);

	if (!strchr(":@$?", *name) || !name[1]) {
		say("a parameter is called :a, @a, $a or ?1, not %s", name);
		return EXIT_USAGE;
	}
	if (!p && s->nparameters == SHELL_PARAMETERS_MAX) {
		say("more than %d parameters", SHELL_PARAMETERS_MAX);
		return EXIT_USAGE;
	}
	if (!p) {
		p = &s->parameters[s->nparameters++];
		*p = (struct shell_parameter){.name = must(strdup(name))};
	}
	free(p->text);
	p->text = must(strdup(text));
	return 0;
}

static void forget(struct shell *s, struct shell_parameter *p)
{
	free(p->name);
	free(p->text);
	*p = s->parameters[--s->nparameters];
}

int dot_parameter(struct shell *s, int argc, char **argv)
{
	const char *word = argv[1];

	if (strcmp(word, "set") == 0 && argc == 4)
		return set(s, argv[2], argv[3]);
	if (strcmp(word, "unset") == 0 && argc == 3) {
		struct shell_parameter *p = find(s, argv[2]);

		if (p)
			forget(s, p);
		return 0;
	}
	if (strcmp(word, "clear") == 0 && argc == 2) {
		while (s->nparameters > 0)
			forget(s, &s->parameters[0]);
		return 0;
	}
	if (strcmp(word, "list") != 0 || argc != 2) {
		say(".parameter set NAME VALUE | unset NAME | list | clear");
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < s->nparameters; i++) {
		buf_printf(&s->out.b, "%s ", s->parameters[i].name);
		text_plain(&s->out.b, s->parameters[i].text, strlen(s->parameters[i].text), s->out.tty);
		buf_putc(&s->out.b, '\n');
	}
	return 0;
}

/* ---- .watch ---- */

/* Waits; false: Ctrl-C. */
static bool wait_s(double seconds)
{
	struct timespec now;
	double end;

	clock_gettime(CLOCK_MONOTONIC, &now);
	end = (double)now.tv_sec + (double)now.tv_nsec / 1e9 + seconds;
	for (;;) {
		double left;

		clock_gettime(CLOCK_MONOTONIC, &now);
		left = end - (double)now.tv_sec - (double)now.tv_nsec / 1e9;
		if (cancel_asked())
			return false;
		if (left <= 0)
			return true;
		(void)poll(NULL, 0, left < 3600 ? (int)(left * 1000) + 1 : 3600 * 1000);
	}
}

static void watch_heading(struct shell *s, double seconds)
{
	char when[32];
	time_t now = time(NULL);
	struct tm tm;

	if (!s->out.tty)
		return;
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
	buf_printf(&s->out.b, "%s (every %gs)\n", when, seconds);
}

int dot_watch(struct shell *s, int argc, char **argv)
{
	char *end = NULL, *sql;
	double seconds = argc > 1 ? strtod(argv[1], &end) : 2.0;
	int64_t times = argc > 2 ? args_number(argv[2]) : 0;
	int code = 0;

	if ((end && *end) || !(seconds >= 0.01 && seconds <= WATCH_S_MAX)) {
		say(".watch takes seconds, 0.01 to %.0f", WATCH_S_MAX);
		return EXIT_USAGE;
	}
	if (times < 0 || times > TIMES_MAX) {
		say(".watch takes a number of times, up to %d", TIMES_MAX);
		return EXIT_USAGE;
	}
	if (s->last.len == 0) {
		say("there is no statement yet to watch");
		return EXIT_FAILED;
	}
	sql = must(strdup(buf_cstr(&s->last)));
	cancel_forget();
	for (int64_t i = 0; !code && !s->quit; i++) {
		watch_heading(s, seconds);
		code = shell_run(s, sql, NULL, 0);
		if (cancel_asked() || (times > 0 && i + 1 == times) || !wait_s(seconds))
			break;
	}
	free(sql);
	/* Ctrl-C is how one leaves it; the terminal has shown it. */
	if (cancel_asked())
		fputc('\n', stderr);
	return cancel_asked() ? 0 : code;
}

/* ---- leaving ---- */

int dot_quit(struct shell *s, int argc, char **argv)
{
	int64_t code = argc > 1 ? args_number(argv[1]) : 0;

	if (code < 0 || code > 255) {
		say("an exit code is 0 to 255");
		return EXIT_USAGE;
	}
	s->quit = true;
	s->quit_code = (int)code;
	return 0;
}
