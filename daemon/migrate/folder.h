/*
 * A folder of migration files, in alterd's own form or in that of another tool, read into versions.
 *
 * Pure: names and contents come from the caller (the daemon's folder, or what a client sent).
 *
 * alterd's own form is dbmate's, with whole numbers: `0013_split_name.sql`, `-- migrate:up` and `-- migrate:down`, and
 * its own directives in comments of their own line: `-- alterd: mode=online|exact batch=N allow=data-loss`.
 */
#ifndef ALTERD_MIGRATE_FOLDER_H
#define ALTERD_MIGRATE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/migrate/pool.h"
#include "daemon/migrate/script.h"
#include "proto/error.h"

/* X(ID, "name in the configuration and on the wire") */
#define FOLDER_FORMAT_MAP(X)                                                                                           \
	X(AUTO, "auto")                                                                                                \
	X(DBMATE, "dbmate") /* and alterd's own */                                                                     \
	X(GOOSE, "goose")                                                                                              \
	X(GOLANG_MIGRATE, "golang-migrate")                                                                            \
	X(SQLX, "sqlx")                                                                                                \
	X(DIESEL, "diesel")                                                                                            \
	X(SQFLITE, "sqflite")   /* and plain NNNN_name.sql without any mark */                                         \
	X(FLYWAY, "flyway")     /* only when named */                                                                  \
	X(REFINERY, "refinery") /* only when named */

enum folder_format {
#define X(id, name) FOLDER_##id,
	FOLDER_FORMAT_MAP(X)
#undef X
		FOLDER_FORMAT_COUNT
};

/* A file as it was found. Names of diesel's are paths below the folder: "00000000000001_x/up.sql". */
struct folder_file {
	const char *name;
	const char *text;
	size_t len;
};

enum version_mode { MODE_BEST, MODE_ONLINE, MODE_EXACT };

/* One direction of a version. */
struct version_part {
	bool present;        /* a section or file for it exists, even if nothing is in it */
	bool no_transaction; /* the file asks not to be one transaction */
	const char *file;    /* name of the file it stands in */
	const char *text;    /* as it stands there */
	int64_t line;        /* of the file, from 1: where `text` begins */
	struct script script;
	enum version_mode mode; /* the directives before its statements */
	int64_t batch_rows;     /* 0: not said */
	bool allow_data_loss;
};

struct version {
	int64_t number;
	const char *name; /* "split_name"; "" where the file has none */
	const char
		*place; /* what the folder is sorted by where that is not the number (diesel's directory); else NULL */
	char checksum[65]; /* SHA-256 of the file's up side, hex; CRLF is LF, blanks at ends of lines do not count */
	char sqlx_checksum[97]; /* SHA-384 of the file as it is, hex: sqlx' own; "" in other formats */
	struct version_part up, down;
};

struct folder {
	enum folder_format format;
	size_t n;
	struct version *at; /* in the order they are applied in */
	size_t nwarnings;
	const char **warnings; /* one line each */
};

/*
 * Reads the files, in any order. `format` AUTO: the first format whose rules all *.sql files fit. Everything of *ret is
 * the pool's. Errors are MIGRATION_INVALID with data.file, and data.line where there is one: a name without a version,
 * a version twice, files of two formats (both named), what the format can do and alterd cannot.
 */
int folder_read(struct pool *pool, const struct folder_file *files, size_t n, enum folder_format format,
		struct folder *ret, struct error *err);

/*
 * The directives of a part that was kept when its version was applied: mode, batch_rows and allow_data_loss of *ret.
 * What was taken then is taken now; a line that this program does not know says nothing.
 */
void folder_kept(struct pool *pool, const char *file, const char *text, struct version_part *ret);

/* FOLDER_FORMAT_COUNT if unknown. */
enum folder_format folder_format_by_name(const char *name);
const char *folder_format_name(enum folder_format f);

/* One error of a file, MIGRATION_INVALID; line 0: none. The text gets both in front, data has them too. Returns -1. */
int folder_fault(struct error *err, const char *file, int64_t line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The version by its number; NULL if the folder has none. */
const struct version *folder_find(const struct folder *f, int64_t number);

#endif
