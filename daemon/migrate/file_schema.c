/*
 * A fresh database made from a dump (`alterctl dump`) instead of from every version since the first.
 *
 * The dump's statements are the first step of the run, exact: one transaction, and with it the lines of
 * alterd_migrations that the dump brings along. Those lines say which versions the folder's files are compared with,
 * and what is left to run; so they are looked at beforehand, in a scratch database where nothing else of the dump runs.
 */
#include <string.h>
#include <strings.h>

#include "daemon/migrate/file_task.h"
#include "daemon/migrate/plan_internal.h"
#include "daemon/migrate/script_kind.h"
#include "daemon/migrate/tokenize.h"

/* A dump's line is a row of constants; SQLite's steps for one are few. */
#define LINE_STEPS_MAX 1000000

struct dump {
	struct file_task *t;
	sqlite3 *scratch;
	int64_t line; /* of the statement at hand */
};

static int too_long(void *arg)
{
	(void)arg;
	return 1;
}

static bool is_history(const char *name) { return name && strcasecmp(name, HISTORY_TABLE) == 0; }

/* INSERT INTO [main.]alterd_migrations. */
static int is_line(struct file_task *t, const char *sql, bool *ret)
{
	struct tokens tokens;
	size_t i = 2;

	*ret = false;
	if (strncasecmp(sql, "INSERT", 6) != 0)
		return 0;
	if (tokenize(&t->pool, sql, strlen(sql), &tokens, &t->err) != 0)
		return -1;
	if (!token_is(&tokens, 1, "INTO"))
		return 0;
	if (token_punct(&tokens, 3, '.'))
		i = 4;
	*ret = token_name(&tokens, i) && is_history(token_unquote(&t->pool, &tokens, i));
	return 0;
}

static int look_at(struct dump *d, const struct script_kind *k, const char *sql)
{
	struct file_task *t = d->t;
	bool line = false;

	if (k->what == SCRIPT_REFUSED)
		return folder_fault(&t->err, t->schema.name, d->line, "%s", k->why);
	if (is_line(t, sql, &line) != 0)
		return -1;
	if (!line && !(k->what == SCRIPT_CREATE_TABLE && is_history(k->name)))
		return 0;
	sqlite3_progress_handler(d->scratch, LINE_STEPS_MAX, too_long, NULL);
	if (sqlite3_exec(d->scratch, sql, NULL, NULL, NULL) != SQLITE_OK)
		return folder_fault(&t->err, t->schema.name, d->line, "%s", sqlite3_errmsg(d->scratch));
	return 0;
}

static int read_lines(struct dump *d)
{
	struct file_task *t = d->t;
	struct script script;
	struct script_kind *kinds = NULL;
	struct history h;

	if (script_split(&t->pool, t->schema.text, t->schema.len, 1, &script, &t->err) != 0 ||
	    script_kinds(&t->pool, &script, false, &kinds, &t->err) != 0)
		return -1;
	for (size_t i = 0; i < script.n; i++) {
		d->line = script.at[i].line;
		if (look_at(d, &kinds[i], script.at[i].sql) != 0)
			return -1;
	}
	if (history_read(&t->pool, d->scratch, &h, &t->err) != 0)
		return -1;
	if (h.n == 0)
		return folder_fault(&t->err, t->schema.name, 0,
				    "it tells no version: no INSERT INTO " HISTORY_TABLE " as alterctl dump writes it");
	if (h.at[0].version < 1)
		return folder_fault(&t->err, t->schema.name, 0, "versions begin with 1");
	t->history.n = h.n;
	t->history.at = h.at;
	t->history.version = h.version;
	return 0;
}

int file_schema(struct file_task *t)
{
	struct dump d = {.t = t};

	if (history_must_be_fresh(&t->history, &t->err) != 0 || scratch_open(&d.scratch, true, &t->err) != 0)
		return -1;
	int rc = read_lines(&d);
	sqlite3_close(d.scratch);
	return rc;
}

void file_schema_step(struct file_task *t)
{
	struct run *r = &t->run;
	struct run_step *steps = pool_alloc(&t->pool, (r->n + 1) * sizeof(*steps));

	steps[0] = (struct run_step){.version = t->history.version,
				     .after = t->history.version,
				     .name = "schema",
				     .file = t->schema.name,
				     .line = 1,
				     .sql = t->schema.text,
				     .exact = true,
				     .schema = true};
	if (r->n > 0)
		memcpy(&steps[1], r->at, r->n * sizeof(*steps));
	r->at = steps;
	r->n++;
	r->from = 0;
}
