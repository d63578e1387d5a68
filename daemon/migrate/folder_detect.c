/*
 * Whose folder is it? Each file says by a mark, by its path or by its name what it must be; a file that says nothing
 * fits sqflite_migrate and sqlx, which have such files. The folder's format is the one that no file speaks against.
 */
#include "daemon/migrate/folder_internal.h"

#include <string.h>

static bool has_mark(enum folder_format format, const struct source *s)
{
	struct line l = {.text = s->text, .len = s->len};
	const char *rest;
	size_t n;

	while (line_next(&l)) {
		enum mark mark = folder_mark(format, &l, &rest, &n);
		/* dbmate's down alone is its mark as well: what is missing then is told by its reader. */
		if (mark != MARK_NONE)
			return true;
	}
	return false;
}

/* What the file must be; AUTO: nothing in particular. */
static enum folder_format claims(const struct source *s)
{
	if (strchr(s->name, '/') != NULL)
		return FOLDER_DIESEL;
	if (has_mark(FOLDER_DBMATE, s))
		return FOLDER_DBMATE;
	if (has_mark(FOLDER_GOOSE, s))
		return FOLDER_GOOSE;
	if (folder_name_is_pair(s->name))
		return FOLDER_GOLANG_MIGRATE;
	if (has_mark(FOLDER_SQFLITE, s))
		return FOLDER_SQFLITE;
	return folder_no_transaction(s) ? FOLDER_SQLX : FOLDER_AUTO;
}

/* Names that only a format has that must be named. */
static int no_version(const struct source *s, struct error *err)
{
	if (strchr("VUR", s->name[0]) != NULL && strstr(s->name, "__") != NULL)
		return folder_fault(err, s->name, 0,
				    "the file's name has no version; for a folder of flyway or refinery, whose U files "
				    "mean opposite things, say format=flyway or format=refinery");
	return folder_fault(err, s->name, 0, "the file's name has no version: NNNN_name.sql");
}

static const char *const claim_words[FOLDER_FORMAT_COUNT] = {
	[FOLDER_AUTO] = "has no mark of any tool",
	[FOLDER_DBMATE] = "has dbmate's marks",
	[FOLDER_GOOSE] = "has goose's marks",
	[FOLDER_GOLANG_MIGRATE] = "is named as golang-migrate's pairs are",
	[FOLDER_SQLX] = "has sqlx' mark",
	[FOLDER_DIESEL] = "lies in a folder, as diesel's do",
	[FOLDER_SQFLITE] = "has sqflite_migrate's marks",
};

static int mixed(const struct source *a, enum folder_format fa, const struct source *b, enum folder_format fb,
		 struct error *err)
{
	folder_fault(err, b->name, 0, "the file %s, but %s %s: a folder has one format", claim_words[fb], a->name,
		     claim_words[fa]);
	error_add_str(err, "other", a->name);
	return -1;
}

static bool takes_plain(enum folder_format f) { return f == FOLDER_SQFLITE || f == FOLDER_SQLX; }

int folder_detect(const struct source *sources, size_t n, enum folder_format *ret, struct error *err)
{
	const struct source *plain = NULL, *marked = NULL;
	enum folder_format format = FOLDER_AUTO;
	bool go = false;

	for (size_t i = 0; i < n; i++) {
		const struct source *s = &sources[i];
		if (!folder_name_ends(s->name, ".sql")) {
			go = go || folder_name_is_go(s->name);
			continue;
		}
		enum folder_format claim = claims(s);
		if (claim != FOLDER_DIESEL && !folder_name_is_pair(s->name) && !folder_name_has_version(s->name))
			return no_version(s, err);
		if (claim == FOLDER_AUTO) {
			plain = plain ? plain : s;
		} else if (!marked) {
			marked = s;
			format = claim;
		} else if (claim != format) {
			return mixed(marked, format, s, claim, err);
		}
	}
	if (plain && marked && !takes_plain(format))
		return mixed(marked, format, plain, FOLDER_AUTO, err);
	/* An empty folder is one to be filled, unless its migrations are programs. */
	if (!marked)
		format = plain ? FOLDER_SQFLITE : go ? FOLDER_GOOSE : FOLDER_DBMATE;
	*ret = format;
	return 0;
}
