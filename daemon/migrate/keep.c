/*
 * The affinity rules of SQLite 3.40 (applyAffinity and what it calls), with the question of loss answered beside.
 */
#include "daemon/migrate/keep.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/schema.h"

/* What becomes of a value. */
struct kept {
	enum { KEPT_SAME, KEPT_INT, KEPT_REAL, KEPT_TEXT, KEPT_NO_MEMORY } as;
	bool lost; /* it does not keep its value */
	sqlite3_int64 i;
	double r;
	char text[40];
};

/* Most significant digits that are compared with what a double holds. */
#define DIGITS_MAX 40

/* The significant digits of a well-formed number, without zeros at either end. -1: more than DIGITS_MAX of them. */
static int significant(const char *s, size_t n, char *digits)
{
	size_t d = 0, zeros = 0;
	for (size_t i = 0; i < n && s[i] != 'e' && s[i] != 'E'; i++) {
		if (s[i] < '0' || s[i] > '9')
			continue;
		if (s[i] == '0') {
			zeros += d > 0;
			continue;
		}
		if (d + zeros + 1 > DIGITS_MAX)
			return -1;
		memset(digits + d, '0', zeros);
		d += zeros;
		zeros = 0;
		digits[d++] = s[i];
	}
	return (int)d;
}

/* True if the double holds all the digits the text gives. */
static bool holds_digits(const char *s, size_t n, double r)
{
	char digits[DIGITS_MAX], printed[DIGITS_MAX + 16], again[DIGITS_MAX];
	int d = significant(s, n, digits);

	if (d < 0 || isinf(r))
		return false;
	if (d == 0 || r == 0)
		return d == 0 && r == 0;
	if (d <= 15)
		return true;
	snprintf(printed, sizeof(printed), "%.*e", d - 1, r);
	int m = significant(printed, strlen(printed), again);
	return m == d && memcmp(digits, again, (size_t)d) == 0;
}

/* True for '007', '-00.5': such text is a code, not a number. */
static bool leading_zeros(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && (s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r')))
		i++;
	if (i < n && (s[i] == '-' || s[i] == '+'))
		i++;
	return i + 1 < n && s[i] == '0' && s[i + 1] >= '0' && s[i + 1] <= '9';
}

/* sqlite3VdbeIntegerAffinity: a real that is a whole number becomes an integer. */
static void whole_to_int(struct kept *k)
{
	if (k->as != KEPT_REAL || !(k->r > -9223372036854775808.0 && k->r < 9223372036854775808.0))
		return;
	sqlite3_int64 i = (sqlite3_int64)k->r;
	if ((double)i == k->r && i > INT64_MIN && i < INT64_MAX) {
		k->as = KEPT_INT;
		k->i = i;
	}
}

/* An integer in a REAL column. */
static void int_to_real(struct kept *k, sqlite3_int64 i)
{
	k->as = KEPT_REAL;
	k->r = (double)i;
	/* 2^63 is what INT64_MAX rounds to: it does not come back. */
	k->lost = k->lost || k->r >= 9223372036854775808.0 || (sqlite3_int64)k->r != i;
}

static void text_to_number(struct kept *k, sqlite3_value *v, enum affinity a)
{
	sqlite3_value *copy = sqlite3_value_dup(v);
	const char *s = (const char *)sqlite3_value_text(v);
	if (!copy || !s) {
		k->as = KEPT_NO_MEMORY;
		sqlite3_value_free(copy);
		return;
	}
	size_t n = (size_t)sqlite3_value_bytes(v);
	int type = sqlite3_value_numeric_type(copy);

	k->lost = type == SQLITE_TEXT || leading_zeros(s, n);
	if (type == SQLITE_INTEGER && a == AFFINITY_REAL) {
		int_to_real(k, sqlite3_value_int64(copy));
	} else if (type == SQLITE_INTEGER) {
		k->as = KEPT_INT;
		k->i = sqlite3_value_int64(copy);
	} else if (type == SQLITE_FLOAT) {
		k->as = KEPT_REAL;
		k->r = sqlite3_value_double(copy);
		k->lost = k->lost || !holds_digits(s, n, k->r);
		if (a != AFFINITY_REAL)
			whole_to_int(k);
	}
	sqlite3_value_free(copy);
}

static void number_to_text(struct kept *k, sqlite3_value *v)
{
	k->as = KEPT_TEXT;
	if (sqlite3_value_type(v) == SQLITE_INTEGER) {
		sqlite3_snprintf(sizeof(k->text), k->text, "%lld", sqlite3_value_int64(v));
		return;
	}
	double r = sqlite3_value_double(v);
	sqlite3_snprintf(sizeof(k->text), k->text, "%!.15g", r);
	k->lost = isinf(r) || strtod(k->text, NULL) != r;
}

static struct kept keep(sqlite3_value *v, enum affinity a)
{
	struct kept k = {.as = KEPT_SAME};
	int type = sqlite3_value_type(v);

	if (type == SQLITE_NULL || a == AFFINITY_BLOB)
		return k;
	if (a == AFFINITY_TEXT) {
		if (type == SQLITE_INTEGER || type == SQLITE_FLOAT)
			number_to_text(&k, v);
		return k;
	}
	switch (type) {
	case SQLITE_BLOB:
		k.lost = true;
		break;
	case SQLITE_TEXT:
		text_to_number(&k, v, a);
		break;
	case SQLITE_INTEGER:
		if (a == AFFINITY_REAL)
			int_to_real(&k, sqlite3_value_int64(v));
		break;
	case SQLITE_FLOAT:
		k.as = KEPT_REAL;
		k.r = sqlite3_value_double(v);
		if (a != AFFINITY_REAL)
			whole_to_int(&k);
		break;
	}
	return k;
}

static enum affinity affinity_arg(sqlite3_value *v)
{
	int a = sqlite3_value_int(v);
	return a < AFFINITY_BLOB || a > AFFINITY_REAL ? AFFINITY_BLOB : (enum affinity)a;
}

static void fn_keep(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	struct kept k = keep(argv[0], affinity_arg(argv[1]));
	if (k.lost && sqlite3_value_int(argv[2]) != 0) {
		sqlite3_result_error(ctx, "a value would not keep its value in the column's new type", -1);
		sqlite3_result_error_code(ctx, SQLITE_MISMATCH);
		return;
	}
	switch (k.as) {
	case KEPT_NO_MEMORY:
		sqlite3_result_error_nomem(ctx);
		break;
	case KEPT_SAME:
		sqlite3_result_value(ctx, argv[0]);
		break;
	case KEPT_INT:
		sqlite3_result_int64(ctx, k.i);
		break;
	case KEPT_REAL:
		sqlite3_result_double(ctx, k.r);
		break;
	case KEPT_TEXT:
		sqlite3_result_text(ctx, k.text, -1, SQLITE_TRANSIENT);
		break;
	}
}

static void fn_lossy(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	(void)argc;
	struct kept k = keep(argv[0], affinity_arg(argv[1]));
	if (k.as == KEPT_NO_MEMORY)
		sqlite3_result_error_nomem(ctx);
	else
		sqlite3_result_int(ctx, k.lost);
}

int keep_register(sqlite3 *db, struct error *err)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
	sqlite3_stmt *stmt = NULL;

	/* Registering again would expire every prepared statement of the connection. */
	bool known = sqlite3_prepare_v2(db, "SELECT _alterd_lossy(1,1),_alterd_keep(1,1,1)", -1, &stmt, NULL) ==
		     SQLITE_OK;
	sqlite3_finalize(stmt);
	if (known)
		return 0;
	if (sqlite3_create_function_v2(db, "_alterd_lossy", 2, flags, NULL, fn_lossy, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_create_function_v2(db, "_alterd_keep", 3, flags, NULL, fn_keep, NULL, NULL, NULL) != SQLITE_OK)
		return error_set(err, ERRC_INTERNAL, "cannot add a function: %s", sqlite3_errmsg(db));
	return 0;
}
