/* The reader's part of a request about migration files: folder and history, compared. */
#include <string.h>

#include "daemon/migrate/adopt.h"
#include "daemon/migrate/consent.h"
#include "daemon/migrate/file_task.h"
#include "daemon/migrate/folder_dir.h"
#include "daemon/migrate/mirror.h"
#include "daemon/migrate/who.h"

static int read_files(struct file_task *t)
{
	const char *path = t->path;

	t->has_folder = t->sent || *path;
	return t->sent || !*path ? 0 : folder_dir_read(&t->pool, path, &t->files, &t->nfiles, &t->err);
}

static int read_folder(struct file_task *t)
{
	if (read_files(t) != 0)
		return -1;
	return t->has_folder ? folder_read(&t->pool, t->files, t->nfiles, t->format, &t->folder, &t->err) : 0;
}

static int need_folder(struct file_task *t)
{
	return t->has_folder ? 0
			     : error_set(&t->err, ERRC_INVALID_PARAMS,
					 "no migration files: neither sent nor in a folder (migrate.folder)");
}

/* What the named tool has applied, up to the version named. */
static int look_tool(struct file_task *t, struct db *db)
{
	struct history other = t->history;

	if (adopt(&t->pool, db_handle(db), t->has_folder ? &t->folder : NULL, &other, &t->err) != 0)
		return -1;
	bool any = strcmp(t->from_tool, "auto") == 0;
	for (size_t i = 0; i < other.n; i++)
		if (other.at[i].version <= t->version && (any || strcmp(other.at[i].tool, t->from_tool) == 0)) {
			t->record = pool_grow(&t->pool, t->record, t->nrecord, sizeof(*t->record));
			t->record[t->nrecord++] = other.at[i];
		}
	if (t->nrecord == 0)
		return error_set(&t->err, ERRC_NOT_FOUND, "the database has no history of %.60s up to version %lld",
				 any ? "a tool that is known" : t->from_tool, (long long)t->version);
	return 0;
}

/* The number that the program itself has kept in the database. */
static int look_user_version(struct file_task *t)
{
	int64_t found = t->history.version;

	if (found < 1)
		return error_set(&t->err, ERRC_NOT_FOUND, "PRAGMA user_version is %lld: it tells no version",
				 (long long)found);
	if (t->version && t->version != found)
		return error_set(&t->err, ERRC_WRONG_STATE, "PRAGMA user_version is %lld, not %lld", (long long)found,
				 (long long)t->version);
	t->version = found;
	return 0;
}

/* Versions up to the one named are taken for applied: those of the folder, else that one alone. */
static int look_baseline(struct file_task *t, struct db *db)
{
	bool found = false, counts = t->from_tool && strcmp(t->from_tool, FROM_USER_VERSION) == 0;
	const char *tool = counts ? FROM_USER_VERSION : "baseline";

	if (t->partial.version)
		return error_set(&t->err, ERRC_WRONG_STATE,
				 "version %lld is partial: say with resolve what it counts as",
				 (long long)t->partial.version);
	if (t->history.n > 0)
		return error_set(&t->err, ERRC_WRONG_STATE, "the database has a history already, at version %lld",
				 (long long)t->history.version);
	if (t->from_tool && !counts)
		return look_tool(t, db);
	if (counts && look_user_version(t) != 0)
		return -1;
	for (size_t i = 0; t->has_folder && i < t->folder.n; i++) {
		const struct version *v = &t->folder.at[i];
		if (v->number > t->version)
			continue;
		found = found || v->number == t->version;
		t->record = pool_grow(&t->pool, t->record, t->nrecord, sizeof(*t->record));
		t->record[t->nrecord++] = (struct applied){.version = v->number,
							   .name = v->name,
							   .checksum = v->checksum,
							   .tool = tool,
							   .down_sql = v->down.present ? v->down.text : NULL};
	}
	if (t->has_folder && !found)
		return error_set(&t->err, ERRC_NOT_FOUND, "there is no version %lld in the folder",
				 (long long)t->version);
	if (!t->has_folder) {
		t->record = pool_grow(&t->pool, t->record, 0, sizeof(*t->record));
		t->record[t->nrecord++] = (struct applied){.version = t->version, .name = "", .tool = tool};
	}
	return 0;
}

static int look_repair(struct file_task *t, struct db *db)
{
	if (need_folder(t) != 0)
		return -1;
	const struct version *v = folder_find(&t->folder, t->version);
	if (!v)
		return error_set(&t->err, ERRC_NOT_FOUND, "there is no version %lld in the folder",
				 (long long)t->version);
	if (!history_find(&t->history, t->version))
		return error_set(&t->err, ERRC_WRONG_STATE, "version %lld is not applied", (long long)t->version);
	t->repaired = v;
	t->checksum = v->checksum;
	if (!t->mirror)
		return 0;
	return mirror_may_follow(db, &t->folder, false, &t->err);
}

/* Another tool's history; it is recorded as alterd's own with the first run. */
static int take_over(struct file_task *t, struct db *db)
{
	if (adopt(&t->pool, db_handle(db), t->has_folder ? &t->folder : NULL, &t->history, &t->err) != 0)
		return -1;
	t->record = t->history.at;
	t->nrecord = t->history.n;
	return 0;
}

int file_look(struct file_task *t, struct db *db)
{
	const struct folder *folder = &t->folder;

	if (t->op == OP_MIGRATE_VALIDATE)
		return read_files(t) != 0 || need_folder(t) != 0 ? -1 : file_validate(t, db);
	if (read_folder(t) != 0 || history_read(&t->pool, db_handle(db), &t->history, &t->err) != 0 ||
	    partial_read(&t->pool, db_handle(db), true, &t->partial, &t->err) != 0)
		return -1;
	t->options.user = who_is(&t->pool, t->uid);
	if (t->history.n == 0 && t->op != OP_MIGRATE_BASELINE && take_over(t, db) != 0)
		return -1;
	if (!t->has_folder)
		folder = NULL;
	switch (t->op) {
	case OP_MIGRATE_LIST:
		file_list(t);
		return 0;
	case OP_MIGRATE_BASELINE:
		return look_baseline(t, db);
	case OP_MIGRATE_REPAIR:
		return look_repair(t, db);
	case OP_MIGRATE_RESOLVE:
		return resolve_look(t);
	default:
		break;
	}
	if (t->schema.name && file_schema(t) != 0)
		return -1;
	if (run_make(&t->pool, folder, &t->history, &t->partial, &t->options, &t->run, &t->err) != 0)
		return -1;
	if (t->schema.name)
		file_schema_step(t);
	if (t->mirror && t->run.n > 0 && mirror_may_follow(db, folder, t->schema.name != NULL, &t->err) != 0)
		return -1;
	if (t->op == OP_MIGRATE_PLAN)
		return file_plan(t, db, &t->err);
	for (size_t i = 0; i < t->run.n; i++)
		if (consent_ahead(db, &t->pool, &t->run.at[i], &t->err) != 0)
			return -1;
	return 0;
}
