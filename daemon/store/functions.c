/*
 * SQL functions put in the place of SQLite's own.
 *
 * printf, format, trim: a single call can run for seconds and neither the progress handler nor sqlite3_interrupt() gets
 * a word in; the arguments are checked, then SQLite's own function does the work on a scratch connection. instr and
 * replace are quadratic in SQLite; here they are linear. changes, total_changes, last_insert_rowid answer for the
 * session, whatever other sessions did on this connection.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/store/guard.h"
#include "daemon/store/internal.h"

/* Widths and precisions of one printf together: 16 M steps of 2 ns. */
#define PRINTF_STEPS_MAX (INT64_C(1) << 24)
/* Characters that trim may look for: it compares each of them with each character of the text. */
#define TRIM_SET_BYTES_MAX 1000

/* --- delegation to the built-in on a connection that has not been overridden --- */

static int scratch_open(struct db *db)
{
	if (db->scratch)
		return SQLITE_OK;
	int rc = sqlite3_open_v2(":memory:", &db->scratch, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		sqlite3_limit(db->scratch, SQLITE_LIMIT_LENGTH, sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, -1));
	return rc;
}

/* Calls the built-in `name` with the arguments and answers what it answers. */
static void delegate(sqlite3_context *ctx, const char *name, int argc, sqlite3_value **argv)
{
	struct db *db = sqlite3_user_data(ctx);
	struct buf sql = {0};
	sqlite3_stmt *stmt = NULL;
	int rc = scratch_open(db);

	buf_printf(&sql, "SELECT %s(", name);
	for (int i = 0; i < argc; i++)
		buf_puts(&sql, i ? ",?" : "?");
	buf_putc(&sql, ')');
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(db->scratch, buf_cstr(&sql), -1, &stmt, NULL);
	for (int i = 0; rc == SQLITE_OK && i < argc; i++)
		rc = sqlite3_bind_value(stmt, i + 1, argv[i]);
	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		sqlite3_result_value(ctx, sqlite3_column_value(stmt, 0));
	else
		sqlite3_result_error_code(ctx, db->scratch ? sqlite3_errcode(db->scratch) : SQLITE_NOMEM);
	sqlite3_finalize(stmt);
	buf_free(&sql);
}

/* --- printf, format --- */

/* The widths and precisions a format asks for, '*' taken from the arguments; too large values saturate. */
static int64_t printf_steps(const char *format, int argc, sqlite3_value **argv)
{
	int64_t total = 0;
	int arg = 1;

	for (const char *p = format; *p && total <= PRINTF_STEPS_MAX; p++) {
		if (*p != '%')
			continue;
		for (p++; *p && strchr("-+ 0#!,.123456789*l", *p); p++) {
			int64_t n = 0;
			if (*p == '*' && arg < argc)
				n = sqlite3_value_int64(argv[arg++]);
			else if (*p >= '1' && *p <= '9')
				n = strtoll(p, (char **)(uintptr_t)&p, 10), p--;
			if (n == INT64_MIN || llabs(n) > PRINTF_STEPS_MAX)
				return PRINTF_STEPS_MAX + 1;
			total += llabs(n);
		}
		if (!*p)
			break;
		if (*p != '%')
			arg++;
	}
	return total;
}

static void fn_printf(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const char *format = argc ? (const char *)sqlite3_value_text(argv[0]) : NULL;

	if (!format)
		return;
	if (printf_steps(format, argc, argv) > PRINTF_STEPS_MAX) {
		sqlite3_result_error_toobig(ctx);
		return;
	}
	delegate(ctx, "printf", argc, argv);
}

/* --- trim --- */

static void trim_checked(sqlite3_context *ctx, const char *name, int argc, sqlite3_value **argv)
{
	if (sqlite3_value_bytes(argv[1]) > TRIM_SET_BYTES_MAX)
		sqlite3_result_error(ctx, "trim: more than 1000 bytes of characters to look for", -1);
	else
		delegate(ctx, name, argc, argv);
}

static void fn_trim(sqlite3_context *ctx, int argc, sqlite3_value **argv) { trim_checked(ctx, "trim", argc, argv); }
static void fn_ltrim(sqlite3_context *ctx, int argc, sqlite3_value **argv) { trim_checked(ctx, "ltrim", argc, argv); }
static void fn_rtrim(sqlite3_context *ctx, int argc, sqlite3_value **argv) { trim_checked(ctx, "rtrim", argc, argv); }

/* --- instr, replace --- */

/* Linear, whatever the two hold. */
static const char *search(const char *hay, size_t n, const char *needle, size_t m)
{
	return m == 1 ? memchr(hay, needle[0], n) : memmem(hay, n, needle, m);
}

static bool is_continuation(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

/* Where `needle` begins in `hay`, NULL if nowhere; in text only at the start of a character, as SQLite has it. */
static const char *find(const char *hay, size_t n, const char *needle, size_t m, bool text)
{
	if (m == 0 || m > n)
		return m == 0 ? hay : NULL;
	/* Only the very first byte may be a stray continuation byte and still start a character for SQLite. */
	if (text && is_continuation(needle[0]))
		return memcmp(hay, needle, m) == 0 ? hay : NULL;
	return search(hay, n, needle, m);
}

static void fn_instr(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL || sqlite3_value_type(argv[1]) == SQLITE_NULL)
		return;
	bool text = sqlite3_value_type(argv[0]) != SQLITE_BLOB || sqlite3_value_type(argv[1]) != SQLITE_BLOB;
	const char *hay = text ? (const char *)sqlite3_value_text(argv[0]) : sqlite3_value_blob(argv[0]);
	const char *needle = text ? (const char *)sqlite3_value_text(argv[1]) : sqlite3_value_blob(argv[1]);
	size_t n = (size_t)sqlite3_value_bytes(argv[0]), m = (size_t)sqlite3_value_bytes(argv[1]);
	if ((n && !hay) || (m && !needle)) {
		sqlite3_result_error_nomem(ctx);
		return;
	}
	const char *at = find(hay, n, needle, m, text);
	if (!at && m) {
		sqlite3_result_int(ctx, 0);
		return;
	}
	int64_t position = 1;
	for (const char *p = hay; p < at; p++)
		position += !text || p + 1 == at || !is_continuation(p[1]);
	sqlite3_result_int64(ctx, position);
}

static void fn_replace(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct db *db = sqlite3_user_data(ctx);
	size_t most = (size_t)sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, -1);
	struct buf out = {0};

	(void)argc;
	for (int i = 0; i < 3; i++)
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			return;
	const char *s = (const char *)sqlite3_value_text(argv[0]);
	const char *pattern = (const char *)sqlite3_value_text(argv[1]);
	const char *by = (const char *)sqlite3_value_text(argv[2]);
	if (!s || !pattern || !by) {
		sqlite3_result_error_nomem(ctx);
		return;
	}
	size_t n = (size_t)sqlite3_value_bytes(argv[0]), m = (size_t)sqlite3_value_bytes(argv[1]);
	size_t k = (size_t)sqlite3_value_bytes(argv[2]);
	/* A first NUL ends the search in SQLite: an empty pattern answers the text as it is. */
	if (pattern[0] == 0) {
		sqlite3_result_value(ctx, argv[0]);
		return;
	}
	for (const char *end = s + n, *hit; s < end && out.len <= most && !out.failed; s = hit + m) {
		hit = m <= (size_t)(end - s) ? search(s, (size_t)(end - s), pattern, m) : NULL;
		buf_add(&out, s, (size_t)((hit ? hit : end) - s));
		if (!hit)
			break;
		buf_add(&out, by, k);
	}
	if (out.failed)
		sqlite3_result_error_nomem(ctx);
	else if (out.len > most)
		sqlite3_result_error_toobig(ctx);
	else
		sqlite3_result_text64(ctx, out.data ? out.data : "", out.len, SQLITE_TRANSIENT, SQLITE_UTF8);
	buf_free(&out);
}

/* --- the session's counters --- */

static void fn_last_insert_rowid(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct db *db = sqlite3_user_data(ctx);
	int64_t v = sqlite3_last_insert_rowid(db->handle);

	(void)argc, (void)argv;
	if (db->session && (!db->writer || v == ROWID_UNSET))
		v = db->session->last_insert_rowid;
	sqlite3_result_int64(ctx, v);
}

/*
 * In a trigger program changes() means the trigger's own last step. It has counted if the total moved, or if the count
 * became 0; changes_before is never 0 when a statement that calls this function begins (exec.c sees to that).
 */
static void fn_changes(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct db *db = sqlite3_user_data(ctx);
	int64_t now = sqlite3_changes64(db->handle);

	(void)argc, (void)argv;
	bool counted = db->writer &&
		       (sqlite3_total_changes64(db->handle) != db->total_before || now != db->changes_before);
	sqlite3_result_int64(ctx, db->session && !counted ? db->session->changes : now);
}

static void fn_total_changes(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct db *db = sqlite3_user_data(ctx);
	int64_t v = sqlite3_total_changes64(db->handle);

	(void)argc, (void)argv;
	if (db->session)
		v = db->session->total_changes + (db->writer ? v - db->total_before : 0);
	sqlite3_result_int64(ctx, v);
}

int functions_install(struct db *db)
{
	static const int pure = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
	static const struct {
		const char *name;
		int argc, flags;
		void (*call)(sqlite3_context *, int, sqlite3_value **);
	} functions[] = {
		{"printf", -1, pure, fn_printf},
		{"format", -1, pure, fn_printf},
		{"trim", 2, pure, fn_trim},
		{"ltrim", 2, pure, fn_ltrim},
		{"rtrim", 2, pure, fn_rtrim},
		{"instr", 2, pure, fn_instr},
		{"replace", 3, pure, fn_replace},
		{"last_insert_rowid", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, fn_last_insert_rowid},
		{"changes", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, fn_changes},
		{"total_changes", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, fn_total_changes},
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof *functions; i++)
		rc = sqlite3_create_function(db->handle, functions[i].name, functions[i].argc, functions[i].flags, db,
					     functions[i].call, NULL, NULL);
	return rc;
}
