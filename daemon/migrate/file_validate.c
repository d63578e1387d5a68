/*
 * migrate.validate: everything that is wrong with the files, each with file and line, where a run would stop at the
 * first.
 *
 * Reading a folder ends with its first error as well. So the file it names is put aside, and the rest read again.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/adopt.h"
#include "daemon/migrate/file_task.h"
#include "daemon/migrate/script_kind.h"
#include "proto/doc.h"
#include "proto/response.h"

/* More of them help nobody, and each costs a reading. */
#define PROBLEMS_MAX 100

struct findings {
	struct file_task *t;
	struct buf problems; /* JSON, without brackets */
	size_t n;
	const char **warnings;
	size_t nwarnings;
};

static void warn(struct findings *f, const char *text)
{
	f->warnings = pool_grow(&f->t->pool, f->warnings, f->nwarnings, sizeof(*f->warnings));
	f->warnings[f->nwarnings++] = text;
}

/* What the error's data says of a place. The texts are the pool's. */
static const char *place_of(struct findings *f, struct error *e, int64_t *ret_line, bool *ret_other)
{
	struct pool *pool = &f->t->pool;
	const char *text = pool_printf(pool, "{%s}", e->data.len ? buf_cstr(&e->data) : ""), *file = NULL;
	struct error ignored = {0};
	struct doc *d = NULL;

	*ret_line = 0;
	*ret_other = false;
	if (doc_parse(text, strlen(text), &d, &ignored) == 0) {
		file = pool_str(pool, doc_str(doc_get(doc_root(d), "file"), NULL));
		*ret_line = doc_int(doc_get(doc_root(d), "line"), 0);
		*ret_other = doc_get(doc_root(d), "other") != NULL;
	}
	doc_free(d);
	error_clear(&ignored);
	return file;
}

/* Takes the error. `version` 0: it is not known. Returns the file it names; NULL: none. */
static const char *add(struct findings *f, const char *state, int64_t version, struct error *e, bool *ret_other)
{
	struct buf *out = &f->problems;
	int64_t line;
	const char *file = place_of(f, e, &line, ret_other);

	if (f->n++ > 0)
		buf_putc(out, ',');
	buf_putc(out, '{');
	if (version > 0)
		jw_int(out, "version", version);
	jw_str(out, "state", state);
	if (file)
		jw_str(out, "file", file);
	if (line > 0)
		jw_int(out, "line", line);
	jw_str(out, "message", e->message);
	jw_close(out, '}');
	error_clear(e);
	return file;
}

/* Bytes of the name that a version's files have in common: diesel's folder, else the number with what stands before. */
static size_t stem(const char *name)
{
	const char *slash = strchr(name, '/');
	size_t letter = strchr("VU", *name) != NULL && *name ? 1 : 0;

	return slash ? (size_t)(slash - name) + 1 : letter + strspn(name + letter, "0123456789");
}

static bool goes_with(const char *name, const char *file)
{
	size_t n = stem(file);

	return strcmp(name, file) == 0 || (n > 0 && stem(name) == n && strncmp(name, file, n) == 0);
}

/* Without its other half a file would be wrong for another reason. A second file of a number goes alone. */
static bool put_aside(struct file_task *t, const char *file, bool alone)
{
	size_t kept = 0, before = t->nfiles;

	for (size_t i = 0; i < t->nfiles; i++)
		if (alone ? strcmp(t->files[i].name, file) != 0 : !goes_with(t->files[i].name, file))
			t->files[kept++] = t->files[i];
	t->nfiles = kept;
	return kept < before;
}

static int read_files(struct findings *f)
{
	struct file_task *t = f->t;

	for (;;) {
		struct error e = {0};
		bool alone = false;
		if (folder_read(&t->pool, t->files, t->nfiles, t->format, &t->folder, &e) == 0)
			return 0;
		/* Memory, or the machine: no fault of the files. */
		if (e.code != errc_code(ERRC_MIGRATION_INVALID)) {
			error_move(&t->err, &e);
			return -1;
		}
		bool twice = strstr(e.message, "is that of") != NULL;
		const char *file = add(f, twice ? "duplicate" : "invalid", 0, &e, &alone);
		if (!file || f->n >= PROBLEMS_MAX || !put_aside(t, file, alone)) {
			t->folder = (struct folder){.format = t->format};
			return 0;
		}
	}
}

/* Statements that no run would take, and what its directives ask for in vain. */
static int look_at_part(struct findings *f, const struct version *v, const struct version_part *part)
{
	struct pool *pool = &f->t->pool;
	struct script_kind *kinds = NULL;
	struct error e = {0};
	bool other;
	int64_t line;

	if (!part->present || part->script.n == 0)
		return 0;
	if (script_kinds(pool, &part->script, part->no_transaction, &kinds, &f->t->err) != 0)
		return -1;
	for (size_t i = 0; i < part->script.n; i++) {
		if (kinds[i].what != SCRIPT_REFUSED)
			continue;
		folder_fault(&e, part->file, part->script.at[i].line, "%s", kinds[i].why);
		(void)add(f, "refused", v->number, &e, &other);
	}
	if (part->mode == MODE_ONLINE && !part->no_transaction && !script_as_one(pool, &part->script, kinds, &line)) {
		folder_fault(&e, part->file, part->script.at[0].line, "it says mode=online, and can only be run exact");
		(void)add(f, "refused", v->number, &e, &other);
	}
	return 0;
}

static const char *file_of(const struct version *v) { return v->up.file ? v->up.file : v->name; }

static void look_at_history(struct findings *f)
{
	struct file_task *t = f->t;
	bool whole = f->n == 0; /* else the file may be one that was put aside */
	struct error e = {0};
	bool other;

	for (size_t i = 0; i < t->history.n; i++) {
		const struct applied *a = &t->history.at[i];
		const struct version *v = folder_find(&t->folder, a->version);
		if (!v && whole) {
			warn(f, pool_printf(&t->pool, "version %lld %s is applied and has no file",
					    (long long)a->version, a->name));
		} else if (v && run_changed(v, a)) {
			folder_fault(&e, file_of(v), 0, "changed after version %lld was applied: it was %s, it is %s",
				     (long long)v->number, a->checksum, v->checksum);
			(void)add(f, "changed", v->number, &e, &other);
		}
	}
	for (size_t i = 0; i < t->folder.n; i++) {
		const struct version *v = &t->folder.at[i];
		if (history_find(&t->history, v->number) || !run_out_of_order(&t->folder, &t->history, v))
			continue;
		folder_fault(&e, file_of(v), 0, "it comes before version %lld, which is applied",
			     (long long)t->history.version);
		(void)add(f, "out of order", v->number, &e, &other);
	}
}

/* The history as it is, or another tool's. One that cannot be read is a finding like others. */
static int read_history(struct findings *f, struct db *db)
{
	struct file_task *t = f->t;
	struct error e = {0};
	bool other;

	if (history_read(&t->pool, db_handle(db), &t->history, &t->err) != 0)
		return -1;
	if (t->history.n > 0 || adopt(&t->pool, db_handle(db), &t->folder, &t->history, &e) == 0)
		return 0;
	if (e.code > 0) {
		error_move(&t->err, &e);
		return -1;
	}
	(void)add(f, "history", 0, &e, &other);
	return 0;
}

static void answer(struct findings *f)
{
	struct file_task *t = f->t;
	struct buf *out = &t->answer;
	int64_t latest = t->history.version;

	for (size_t i = 0; i < t->folder.n; i++)
		latest = t->folder.at[i].number > latest ? t->folder.at[i].number : latest;
	jw_open(out, '{');
	jw_bool(out, "valid", f->n == 0);
	jw_int(out, "version", t->history.version);
	jw_int(out, "latest", latest);
	jw_str(out, "format", folder_format_name(t->folder.format));
	buf_printf(out, ",\"problems\":[%s],\"warnings\":[", buf_cstr(&f->problems));
	for (size_t i = 0; i < f->nwarnings; i++) {
		buf_puts(out, i ? "," : "");
		json_write_string(out, f->warnings[i], strlen(f->warnings[i]));
	}
	buf_putc(out, ']');
	jw_key(out, "versions");
	jw_open(out, '[');
	for (size_t i = 0; i < t->folder.n; i++) {
		const struct version *v = &t->folder.at[i];
		jw_open(out, '{');
		jw_int(out, "version", v->number);
		jw_str(out, "name", v->name);
		jw_str(out, "file", file_of(v));
		jw_str(out, "checksum", v->checksum);
		jw_bool(out, "reversible", v->down.present);
		jw_close(out, '}');
	}
	jw_close(out, ']');
	jw_close(out, '}');
}

int file_validate(struct file_task *t, struct db *db)
{
	struct findings f = {.t = t};
	int rc = read_files(&f);

	for (size_t i = 0; rc == 0 && i < t->folder.nwarnings; i++)
		warn(&f, t->folder.warnings[i]);
	for (size_t i = 0; rc == 0 && i < t->folder.n; i++) {
		const struct version *v = &t->folder.at[i];
		rc = look_at_part(&f, v, &v->up) != 0 || look_at_part(&f, v, &v->down) != 0 ? -1 : 0;
	}
	if (rc == 0)
		rc = read_history(&f, db);
	if (rc == 0) {
		look_at_history(&f);
		answer(&f);
	}
	buf_free(&f.problems);
	return rc;
}
