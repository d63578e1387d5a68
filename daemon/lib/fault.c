/*
 * The registry behind FAULT(): the environment is read once, the counters are atomic. Compiled to nothing in a build
 * without ALTERD_FAULTS, so that no client and no environment can reach it there.
 */
#include "daemon/lib/fault.h"

#ifdef ALTERD_FAULTS

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lib/check.h"

#define FAULTS_MAX 128

struct fault {
	const char *name; /* points into `spec` */
	bool kill;        /* die on the spot; else `kind` is the call site's to do */
	enum fault_kind kind;
	unsigned long first, last;
	atomic_ulong hits;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fault faults[FAULTS_MAX];
static size_t fault_count;
/* A copy of the environment's text, cut up in place; lives as long as the process. */
static char *spec;
static _Thread_local bool in_step;

/* Only a test sets this, and one with a slip in it must not pass for a run without faults. */
static _Noreturn void bad_spec(const char *entry)
{
	fprintf(stderr, "alterd: ALTERD_FAULT: cannot read \"%s\": it is name:kill|fail|full|torn|power[:n[-m]]\n",
		entry);
	abort();
}

static void parse_action(struct fault *f, const char *action)
{
	static const struct {
		const char *word;
		enum fault_kind kind;
	} actions[] = {{"kill", FAULT_NONE},
		       {"fail", FAULT_FAIL},
		       {"full", FAULT_FULL},
		       {"torn", FAULT_TORN},
		       {"power", FAULT_POWER}};

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(action, actions[i].word) == 0) {
			f->kind = actions[i].kind;
			f->kill = f->kind == FAULT_NONE;
			return;
		}
	}
	bad_spec(action);
}

static void parse_range(struct fault *f, const char *range)
{
	char *end;

	f->first = f->last = strtoul(range, &end, 10);
	if (end == range || f->first == 0)
		bad_spec(range);
	if (*end == '-') {
		const char *last = end + 1;
		f->last = *last ? strtoul(last, &end, 10) : ULONG_MAX;
		if (*last && end == last)
			bad_spec(range);
		end = *last ? end : end + 1;
	}
	if (*end != '\0' || f->last < f->first)
		bad_spec(range);
}

static void parse_entry(char *entry)
{
	struct fault *f = &faults[fault_count];
	char *action, *range;

	if (fault_count == FAULTS_MAX)
		bad_spec(entry);
	f->name = entry;
	f->first = f->last = 1;
	atomic_store(&f->hits, 0);
	action = strchr(entry, ':');
	if (!action || action == entry)
		bad_spec(entry);
	*action++ = '\0';
	range = strchr(action, ':');
	if (range) {
		*range++ = '\0';
		parse_range(f, range);
	}
	parse_action(f, action);
	fault_count++;
}

static void parse_text(const char *text)
{
	char *entry, *rest;

	if (!text || *text == '\0')
		return;
	spec = xstrdup(text);
	rest = spec;
	while ((entry = strsep(&rest, ",")) != NULL)
		parse_entry(entry);
}

static void parse(void) { parse_text(getenv("ALTERD_FAULT")); }

_Noreturn void fault_die(void)
{
	CHECK(kill(getpid(), SIGKILL) == 0);
	abort();
}

enum fault_kind fault_ask(const char *name)
{
	enum fault_kind kind = FAULT_NONE;

	CHECK(pthread_once(&once, parse) == 0);
	for (size_t i = 0; i < fault_count; i++) {
		struct fault *f = &faults[i];
		if (strcmp(f->name, name) != 0)
			continue;
		unsigned long n = atomic_fetch_add_explicit(&f->hits, 1, memory_order_relaxed) + 1;
		if (n < f->first || n > f->last)
			continue;
		if (f->kill)
			fault_die();
		kind = f->kind;
	}
	return kind;
}

bool fault_hit(const char *name)
{
	enum fault_kind kind = fault_ask(name);

	if (kind == FAULT_TORN || kind == FAULT_POWER)
		fault_die();
	return kind != FAULT_NONE;
}

bool fault_hit_in(const char *where, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%s", where, what);
	return fault_hit(name);
}

void fault_scope(bool step) { in_step = step; }
bool fault_in_step(void) { return in_step; }

void fault_set(const char *text)
{
	CHECK(pthread_once(&once, parse) == 0);
	free(spec);
	spec = NULL;
	fault_count = 0;
	parse_text(text);
}

unsigned long fault_hits(const char *name)
{
	unsigned long n = 0;

	for (size_t i = 0; i < fault_count; i++)
		if (strcmp(faults[i].name, name) == 0)
			n = atomic_load_explicit(&faults[i].hits, memory_order_relaxed);
	return n;
}

#else

/* ISO C wants at least one declaration in a file. */
typedef int fault_points_are_compiled_out;

#endif
