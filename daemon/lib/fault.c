/*
 * The registry behind FAULT(): the environment is read once, the counters are atomic. Compiled to nothing in a build
 * without ALTERD_FAULTS, so that no client and no environment can reach it there.
 */
#include "daemon/lib/fault.h"

#ifdef ALTERD_FAULTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lib/check.h"

#define FAULTS_MAX 32

struct fault {
	const char *name; /* points into `spec` */
	bool kill;        /* die on the spot; else the call site takes its error path */
	unsigned long nth;
	atomic_ulong hits;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault faults[FAULTS_MAX];
static size_t fault_count;
/* A copy of the environment's text, cut up in place; lives as long as the process. */
static char *spec;

/* Only a test sets this, and one with a slip in it must not pass for a run without faults. */
static _Noreturn void bad_spec(const char *entry)
{
	fprintf(stderr, "alterd: ALTERD_FAULT: cannot read \"%s\": it is name:kill|fail[:nth]\n", entry);
	abort();
}

static void parse_entry(char *entry)
{
	struct fault *f = &faults[fault_count];
	char *action, *nth, *end;

	if (fault_count == FAULTS_MAX)
		bad_spec(entry);
	f->name = entry;
	f->nth = 1;
	action = strchr(entry, ':');
	if (!action || action == entry)
		bad_spec(entry);
	*action++ = '\0';
	nth = strchr(action, ':');
	if (nth) {
		*nth++ = '\0';
		f->nth = strtoul(nth, &end, 10);
		if (end == nth || *end != '\0' || f->nth == 0)
			bad_spec(nth);
	}
	if (strcmp(action, "kill") != 0 && strcmp(action, "fail") != 0)
		bad_spec(action);
	f->kill = action[0] == 'k';
	fault_count++;
}

static void parse(void)
{
	const char *text = getenv("ALTERD_FAULT");
	char *entry, *rest;

	if (!text || *text == '\0')
		return;
	spec = xstrdup(text);
	rest = spec;
	while ((entry = strsep(&rest, ",")) != NULL)
		parse_entry(entry);
}

bool fault_hit(const char *name)
{
	bool hit = false;

	CHECK(pthread_once(&once, parse) == 0);
	for (size_t i = 0; i < fault_count; i++) {
		struct fault *f = &faults[i];
		if (strcmp(f->name, name) != 0)
			continue;
		if (atomic_fetch_add_explicit(&f->hits, 1, memory_order_relaxed) + 1 != f->nth)
			continue;
		if (f->kill)
			CHECK(kill(getpid(), SIGKILL) == 0);
		hit = true;
	}
	return hit;
}

#else

/* ISO C wants at least one declaration in a file. */
typedef int fault_points_are_compiled_out;

#endif
