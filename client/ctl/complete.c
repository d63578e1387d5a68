/*
 * What a shell offers when TAB is pressed: `alterctl --complete INDEX WORD...`, called by the completion that is
 * installed for bash (client/alterctl.bash).
 *
 * Nothing is listed here that stands elsewhere: commands, their options and what they take come from the tables that
 * also make the help, names in the database from the daemon, if one answers at once. A line is a candidate; ":files"
 * or ":dirs" asks the shell for its own.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"

/* Who waits for a TAB does not wait for a daemon that is busy. */
#define PATIENCE_MS 500
#define TOKEN_MAX 32

/* The line as far as it was typed. */
struct typed {
	const char *prefix;            /* of the word to complete */
	const char *before;            /* the word before it, "" if there is none */
	const struct option_view *of;  /* the option whose value it is; NULL: of none */
	const struct command *command; /* NULL: none yet */
	int arguments;                 /* behind the command */
	struct option_view found;
};

static void offer(const struct typed *t, const char *word)
{
	if (strncmp(word, t->prefix, strlen(t->prefix)) != 0)
		return;
	for (const char *p = word; *p; p++)
		if (iscntrl((unsigned char)*p))
			return;
	puts(word);
}

static void offer_all(const struct typed *t, const char *const *words)
{
	for (; *words; words++)
		offer(t, *words);
}

/* ---- from the daemon ---- */

/* A member `key` of each element of the result's array `path` (of the elements themselves where key is NULL). */
static bool offer_from(struct ctl *c, const struct typed *t, const char *method, const char *params, const char *path,
		       const char *key)
{
	struct doc *d = NULL;

	c->timeout_ms = PATIENCE_MS;
	if (ctl_call(c, method, params, &d) != 0)
		return false;
	const struct doc_node *all = doc_get(doc_root(d), path);
	for (size_t i = 0; i < doc_count(all); i++) {
		const struct doc_node *n = doc_at(all, i);
		char number[24];

		n = key ? doc_get(n, key) : doc_at(n, 0);
		(void)snprintf(number, sizeof(number), "%lld", (long long)doc_int(n, 0));
		offer(t, doc_type(n) == DOC_INT ? number : doc_str(n, ""));
	}
	doc_free(d);
	return true;
}

static void offer_commands(struct ctl *c, const struct typed *t)
{
	(void)c;
	for (const struct command *k = commands; k->name; k++)
		offer(t, k->name);
}

static void offer_tables(struct ctl *c, const struct typed *t)
{
	offer_from(c, t, "query",
		   "{\"sql\":\"SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE "
		   "'sqlite\\\\_%' ESCAPE '\\\\' AND name NOT LIKE '\\\\_alterd\\\\_%' ESCAPE '\\\\' ORDER BY name\"}",
		   "rows", NULL);
}

static void offer_versions(struct ctl *c, const struct typed *t)
{
	/* Without a folder of its own the daemon lists nothing, but knows what was applied. */
	if (!offer_from(c, t, "migrate.list", NULL, "migrations", "version"))
		offer_from(c, t, "query", "{\"sql\":\"SELECT version FROM alterd_migrations ORDER BY 1\"}", "rows",
			   NULL);
}

static void offer_sessions(struct ctl *c, const struct typed *t)
{
	offer_from(c, t, "sessions", NULL, "sessions", "session");
}

static void offer_backups(struct ctl *c, const struct typed *t)
{
	/* The first word of `backup` is a new name, or one of its own words. */
	if (strcmp(t->before, "fetch") == 0 || strcmp(t->before, "delete") == 0)
		offer_from(c, t, "backup.list", NULL, "backups", "name");
}

static void offer_job(struct ctl *c, const struct typed *t)
{
	struct doc *d = NULL;

	c->timeout_ms = PATIENCE_MS;
	if (ctl_call(c, "migrate.status", NULL, &d) == 0)
		offer(t, doc_str(doc_get(doc_root(d), "job.id"), ""));
	doc_free(d);
}

static void offer_pace(struct ctl *c, const struct typed *t)
{
	(void)c;
	offer(t, "batch-rows=");
	offer(t, "duty-percent=");
}

static void ask_for_files(struct ctl *c, const struct typed *t)
{
	(void)c, (void)t;
	puts(":files");
}

static void ask_for_folders(struct ctl *c, const struct typed *t)
{
	(void)c, (void)t;
	puts(":dirs");
}

/* What a synopsis calls it, and what can be offered for it. Words that stand for anything are not here. */
static const struct kind {
	const char *word;
	void (*offer)(struct ctl *c, const struct typed *t);
} kinds[] = {
	{"COMMAND", offer_commands}, {"TABLE", offer_tables},     {"VERSION", offer_versions},
	{"SESSION", offer_sessions}, {"JOB", offer_job},          {"NAME", offer_backups},
	{"KEY", offer_pace},         {"FILE", ask_for_files},     {"PATH", ask_for_files},
	{"BACKUP", ask_for_files},   {"DATABASE", ask_for_files}, {"DIR", ask_for_folders},
};

/* Each kind once, however often a synopsis names it: `done` has a bit for each. */
static void offer_kind(struct ctl *c, const struct typed *t, const char *word, unsigned *done)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].word, word) != 0 || (*done & 1u << i))
			continue;
		*done |= 1u << i;
		kinds[i].offer(c, t);
	}
}

/* ---- what may stand here ---- */

static void offer_options(const struct typed *t)
{
	struct option_view o;

	for (size_t i = 0; args_option(i, &o); i++)
		if (o.global || (t->command && (o.flag & t->command->flags)))
			offer(t, o.name);
}

/* The next word of a synopsis, without the brackets and bars around it; false at the end. */
static bool next_token(const char **at, char *ret, size_t size)
{
	*at += strspn(*at, " []|.");
	size_t n = strcspn(*at, " []|.=");
	if (n == 0 || n >= size)
		return false;
	memcpy(ret, *at, n);
	ret[n] = '\0';
	*at += n + strcspn(*at + n, " ]|");
	return true;
}

/* The arguments of the synopsis: "schema [TABLE]", "backup [NAME] | list | fetch NAME [-o FILE]". */
static void offer_arguments(struct ctl *c, const struct typed *t)
{
	const char *at = t->command->arguments;
	char token[TOKEN_MAX];
	struct option_view o;
	unsigned done = 0;

	while (next_token(&at, token, sizeof(token))) {
		if (token[0] == '-') {
			/* The word behind it is its value, not an argument. */
			if (args_find(token, &o) && o.takes)
				(void)next_token(&at, token, sizeof(token));
			continue;
		}
		if (!islower((unsigned char)token[0]))
			offer_kind(c, t, token, &done);
		else if (t->arguments == 0)
			offer(t, token);
	}
}

/* bash makes three words of --dir=x. */
static bool is_equals(const char *word) { return strcmp(word, "=") == 0; }

static void read_line(struct typed *t, int index, int argc, char **argv)
{
	t->prefix = index < argc ? argv[index] : "";
	t->before = "";
	for (int i = 0; i < index && i < argc; i++) {
		t->before = argv[i];
		t->of = NULL;
		if (argv[i][0] == '-' && args_find(argv[i], &t->found)) {
			bool behind_equals = i + 1 < argc && is_equals(argv[i + 1]);

			if (!t->found.takes)
				continue;
			i += behind_equals;
			if (i + 1 >= index)
				t->of = &t->found;
			i++;
		} else if (argv[i][0] != '-') {
			t->arguments += t->command != NULL;
			if (!t->command)
				t->command = command_find(argv[i]);
		}
	}
	if (is_equals(t->prefix))
		t->prefix = "";
}

int complete_words(struct ctl *c, int argc, char **argv)
{
	struct typed t = {0};
	int64_t index = argc > 0 ? args_number(argv[0]) : -1;
	unsigned done = 0;

	if (index < 1 || index > argc) {
		say("--complete is for the shell: the place of a word, and the words behind alterctl");
		return EXIT_USAGE;
	}
	c->flags |= FLAG_QUIET;
	/* The shell counts alterctl itself. */
	read_line(&t, (int)index - 1, argc - 1, argv + 1);
	if (t.of && t.of->words)
		offer_all(&t, t.of->words);
	else if (t.of)
		offer_kind(c, &t, t.of->takes, &done);
	else if (t.prefix[0] == '-')
		offer_options(&t);
	else if (t.command)
		offer_arguments(c, &t);
	else
		offer_commands(c, &t);
	return EXIT_OK;
}
