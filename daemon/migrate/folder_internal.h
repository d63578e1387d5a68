/*
 * What the files of folder.c share: a file on its way to becoming part of a version.
 *
 * folder.c loads and puts together, folder_detect.c says whose folder it is, folder_name.c reads names, folder_body.c
 * finds sections, folder_directive.c reads alterd's own comments and diesel's metadata.toml, folder_text.c has lines,
 * words and errors.
 */
#ifndef ALTERD_MIGRATE_FOLDER_INTERNAL_H
#define ALTERD_MIGRATE_FOLDER_INTERNAL_H

#include "daemon/migrate/folder.h"

/* Files of a folder at most. */
#define FOLDER_SOURCES_MAX 100000
#define FOLDER_BATCH_MAX 1000000

/* What a file is to its version; in this order the files of one version are sorted. */
enum source_role {
	ROLE_BOTH, /* its marks say what is up and what is down */
	ROLE_UP,
	ROLE_DOWN,
	ROLE_METADATA, /* diesel's metadata.toml */
	ROLE_NONE,     /* of no meaning in this format */
};

struct source {
	const struct folder_file *given; /* the caller's, with its bytes as they are */
	const char *name;
	const char *text; /* without a byte order mark */
	size_t len;

	/* From here on: what the name says. */
	enum source_role role;
	int64_t number;
	const char *title;  /* the version's name */
	const char *place;  /* diesel's directory; else NULL */
	const char *digits; /* where the version begins in `name` */
};

/* folder_text.c. */
/* Up to 60 bytes of a file's text for a message: anything but printable ASCII becomes '?'. */
const char *folder_excerpt(struct pool *pool, const char *text, size_t n);

/* Lines of a text. `(struct line){.text = t, .len = n}` is before the first. */
struct line {
	const char *text;
	size_t len;
	size_t next; /* byte behind the line and its end */

	const char *at; /* the line without its end, be it LF or CRLF */
	size_t n;
	size_t start; /* byte of the text it begins with */
	int64_t number;
};

bool line_next(struct line *l);
/* What stands behind `--` of a line that is nothing but a comment, blanks around it removed; NULL if it is no such. */
const char *line_comment(const struct line *l, size_t *ret_n);
/* Takes the next word, which blanks end, from [*text, *text + *n). False if there is none. */
bool word_next(const char **text, size_t *n, const char **ret_word, size_t *ret_n);
/* True if [word, word + n) is `text`. */
bool word_is(const char *word, size_t n, const char *text);

/* folder_detect.c: the format of all *.sql among the sources. */
int folder_detect(const struct source *sources, size_t n, enum folder_format *ret, struct error *err);

/* folder_name.c: what a file is by its name: role, number, title, place and digits. */
int folder_name(struct pool *pool, enum folder_format format, struct source *s, struct error *err);
/* True for NNN_name.up.sql and NNN_name.down.sql, V in front or not. */
bool folder_name_is_pair(const char *name);
/* True for goose's migrations that are programs: NNN_name.go. Go code beside them has no version, and tests do not
 * count.
 */
bool folder_name_is_go(const char *name);
/* True if digits lead. */
bool folder_name_has_version(const char *name);
/* True if the name has this ending. */
bool folder_name_ends(const char *name, const char *end);

/* folder_body.c: which mark a line is. */
enum mark {
	MARK_NONE,
	MARK_UP,
	MARK_DOWN,
	MARK_NO_TRANSACTION, /* for the whole file */
	MARK_NOTHING,        /* one that means nothing here */
	MARK_ENVSUB,         /* what alterd cannot do */
	MARK_UNKNOWN,
};

/* Marks of DBMATE, GOOSE and SQFLITE; ret_n bytes at *ret are what stands behind it on its line. */
enum mark folder_mark(enum folder_format format, const struct line *l, const char **ret, size_t *ret_n);
/* sqlx' mark, which must be the first bytes. */
bool folder_no_transaction(const struct source *s);
/* Reads what stands in the file into the version's parts. */
int folder_body(struct pool *pool, enum folder_format format, const struct source *s, struct version *v,
		struct error *err);

/* folder_directive.c: takes the line's directives, if it has some. */
int folder_directive(struct pool *pool, const struct source *s, const struct line *l, struct version_part *part,
		     struct error *err);
/* metadata.toml: its one key, for both parts. */
int folder_metadata(struct pool *pool, const struct source *s, struct version *v, struct error *err);

#endif
