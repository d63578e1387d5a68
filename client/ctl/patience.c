/* A word on the terminal while an answer is awaited, and what Ctrl-C says before it ends the program. */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "client/ctl/ctl.h"

/* Somebody who sees nothing for longer begins to wonder. */
#define PATIENCE_MS 100

static volatile sig_atomic_t told;
static const char *volatile last_words;
static bool clears; /* the terminal can take a line back */

static void put(const char *text)
{
	ssize_t ignored = write(STDERR_FILENO, text, strlen(text));

	(void)ignored;
}

static void on_time(int signo)
{
	(void)signo;
	told = 1;
	put(clears ? "waiting for the daemon ..." : "waiting for the daemon ...\n");
}

static void arm(int ms)
{
	struct itimerval t = {.it_value = {.tv_usec = ms * 1000}};

	setitimer(ITIMER_REAL, &t, NULL);
}

void patience_begin(const struct ctl *c)
{
	/* The calls go on where they were. */
	struct sigaction sa = {.sa_handler = on_time, .sa_flags = SA_RESTART};

	if (!c->err_tty || has(c, FLAG_QUIET) || has(c, FLAG_JSON))
		return;
	clears = !c->dumb;
	told = 0;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGALRM, &sa, NULL);
	arm(PATIENCE_MS);
}

void patience_end(void)
{
	arm(0);
	if (told && clears)
		put("\r\033[K");
	told = 0;
}

static void on_interrupt(int signo)
{
	(void)signo;
	if (last_words)
		put(last_words);
	_exit(EXIT_DETACHED);
}

void patience_last_words(const char *text)
{
	struct sigaction sa = {.sa_handler = text ? on_interrupt : SIG_DFL};

	last_words = text;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
}
