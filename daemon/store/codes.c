/*
 * SQLite's result codes and messages, translated at the border: the names of extended codes, and what a constraint
 * message says in parts.
 */
#include "daemon/store/codes.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "proto/response.h"
#include "proto/value.h"

/* clang-format off */
#define CODES(X) \
	X(ERROR) X(INTERNAL) X(PERM) X(ABORT) X(BUSY) X(LOCKED) X(NOMEM) X(READONLY) X(INTERRUPT) X(IOERR) \
	X(CORRUPT) X(NOTFOUND) X(FULL) X(CANTOPEN) X(PROTOCOL) X(EMPTY) X(SCHEMA) X(TOOBIG) X(CONSTRAINT) \
	X(MISMATCH) X(MISUSE) X(NOLFS) X(AUTH) X(FORMAT) X(RANGE) X(NOTADB) X(ERROR_MISSING_COLLSEQ) \
	X(ERROR_RETRY) X(ERROR_SNAPSHOT) X(IOERR_READ) X(IOERR_SHORT_READ) X(IOERR_WRITE) X(IOERR_FSYNC) \
	X(IOERR_DIR_FSYNC) X(IOERR_TRUNCATE) X(IOERR_FSTAT) X(IOERR_UNLOCK) X(IOERR_RDLOCK) X(IOERR_DELETE) \
	X(IOERR_NOMEM) X(IOERR_ACCESS) X(IOERR_CHECKRESERVEDLOCK) X(IOERR_LOCK) X(IOERR_CLOSE) \
	X(IOERR_SHMOPEN) X(IOERR_SHMSIZE) X(IOERR_SHMLOCK) X(IOERR_SHMMAP) X(IOERR_SEEK) \
	X(IOERR_DELETE_NOENT) X(IOERR_MMAP) X(IOERR_GETTEMPPATH) X(IOERR_CORRUPTFS) X(LOCKED_SHAREDCACHE) \
	X(LOCKED_VTAB) X(BUSY_RECOVERY) X(BUSY_SNAPSHOT) X(BUSY_TIMEOUT) X(CANTOPEN_NOTEMPDIR) \
	X(CANTOPEN_ISDIR) X(CANTOPEN_FULLPATH) X(CORRUPT_VTAB) X(CORRUPT_SEQUENCE) X(CORRUPT_INDEX) \
	X(READONLY_RECOVERY) X(READONLY_CANTLOCK) X(READONLY_ROLLBACK) X(READONLY_DBMOVED) \
	X(READONLY_CANTINIT) X(READONLY_DIRECTORY) X(ABORT_ROLLBACK) X(CONSTRAINT_CHECK) \
	X(CONSTRAINT_COMMITHOOK) X(CONSTRAINT_FOREIGNKEY) X(CONSTRAINT_FUNCTION) X(CONSTRAINT_NOTNULL) \
	X(CONSTRAINT_PRIMARYKEY) X(CONSTRAINT_TRIGGER) X(CONSTRAINT_UNIQUE) X(CONSTRAINT_VTAB) \
	X(CONSTRAINT_ROWID) X(CONSTRAINT_PINNED) X(CONSTRAINT_DATATYPE) X(AUTH_USER)
/* clang-format on */

const char *sqlite_code_name(int code)
{
	switch (code) {
#define X(name)                                                                                                        \
	case SQLITE_##name:                                                                                            \
		return "SQLITE_" #name;
		CODES(X)
#undef X
	default:
		/* An extended code of a later SQLite: its base still says what kind it is. */
		return code > 255 ? sqlite_code_name(code & 255) : "SQLITE_UNKNOWN";
	}
}

static bool retryable(int code)
{
	switch (code & 255) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_SCHEMA:
		return true;
	default:
		return false;
	}
}

static const char *constraint_kind(int code)
{
	switch (code) {
	case SQLITE_CONSTRAINT_UNIQUE:
		return "unique";
	case SQLITE_CONSTRAINT_PRIMARYKEY:
		return "primary key";
	case SQLITE_CONSTRAINT_ROWID:
		return "rowid";
	case SQLITE_CONSTRAINT_NOTNULL:
		return "not null";
	case SQLITE_CONSTRAINT_CHECK:
		return "check";
	case SQLITE_CONSTRAINT_FOREIGNKEY:
		return "foreign key";
	case SQLITE_CONSTRAINT_TRIGGER:
		return "trigger";
	case SQLITE_CONSTRAINT_DATATYPE:
		return "type";
	default:
		return NULL;
	}
}

/* "UNIQUE constraint failed: t.a, t.b" -> table and columns. A name may hold a dot or a comma: best effort. */
static void add_columns(struct buf *out, const char *list)
{
	const char *dot = strchr(list, '.');

	if (!dot)
		return;
	size_t table = (size_t)(dot - list);
	jw_key(out, "table");
	json_write_string(out, list, table);
	jw_key(out, "columns");
	jw_open(out, '[');
	for (const char *at = list; at;) {
		const char *next = strstr(at, ", ");
		size_t n = next ? (size_t)(next - at) : strlen(at);
		if (n > table && strncmp(at, list, table) == 0 && at[table] == '.') {
			jw_key(out, NULL);
			json_write_string(out, at + table + 1, n - table - 1);
		}
		at = next ? next + 2 : NULL;
	}
	jw_close(out, ']');
}

static void add_constraint(struct error *err, int code, const char *message)
{
	const char *kind = constraint_kind(code);
	const char *what = strstr(message, " failed: ");
	struct buf out = {0};

	if (!kind)
		return;
	jw_open(&out, '{');
	jw_str(&out, "kind", kind);
	if (what && code == SQLITE_CONSTRAINT_CHECK) {
		jw_str(&out, "name", what + 9);
	} else if (what && strncmp(what + 9, "index '", 7) == 0) {
		size_t n = strlen(what + 16);
		jw_key(&out, "index");
		json_write_string(&out, what + 16, n ? n - 1 : 0);
	} else if (what) {
		add_columns(&out, what + 9);
	}
	jw_close(&out, '}');
	if (!out.failed)
		error_add_json(err, "constraint", buf_cstr(&out));
	buf_free(&out);
}

int error_from_sqlite(struct error *err, int code, int offset, const char *doing, const char *message)
{
	if (error_is_set(err))
		return -1;
	error_set_sqlite(err, code, sqlite_code_name(code), "%s%s%s", doing ? doing : "", doing ? ": " : "", message);
	err->retryable = retryable(code);
	if (offset >= 0)
		error_add_int(err, "offset", offset);
	if ((code & 255) == SQLITE_CONSTRAINT)
		add_constraint(err, code, message);
	return -1;
}

const char *stop_reason_word(enum stop_reason why)
{
	switch (why) {
	case STOP_CANCEL:
		return "cancel";
	case STOP_KILL:
		return "kill";
	case STOP_GONE:
		return "gone";
	case STOP_TIMEOUT:
		return "timeout";
	case STOP_EXPIRED:
		return "expired";
	case STOP_LONG:
		return "too long";
	case STOP_SHUTDOWN:
		return "shutdown";
	case STOP_NONE:
		break;
	}
	return "interrupt";
}

int error_stopped(struct error *err, enum stop_reason why)
{
	if (error_is_set(err))
		return -1;
	error_set_sqlite(err, SQLITE_INTERRUPT, "SQLITE_INTERRUPT", "interrupted");
	error_add_str(err, "reason", stop_reason_word(why));
	err->retryable = why == STOP_LONG || why == STOP_SHUTDOWN;
	return -1;
}
