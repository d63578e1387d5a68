/*
 * Plans: each folder of tests/golden/plan is a schema, a change, and the plan or the refusal. The same again with
 * memory that is short for a moment: the plan is then none at all, never another one.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/plan.h"
#include "tests/unit/run_suite.h"

#define FOLDERS_MAX 200
/* Allocations of each plan that are tried. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHORT_TRIES 6
#else
#define SHORT_TRIES 60
#endif

static char folders[FOLDERS_MAX][256];
static int nfolders;

/* The allocation that fails is the one that `until_short` comes to zero at. */
static sqlite3_mem_methods memory;
static long until_short = -1;

static void *short_malloc(int n) { return until_short >= 0 && until_short-- == 0 ? NULL : memory.xMalloc(n); }

static void *short_realloc(void *p, int n)
{
	return until_short >= 0 && until_short-- == 0 ? NULL : memory.xRealloc(p, n);
}

static void install_memory(void)
{
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) != SQLITE_OK)
		abort();
	sqlite3_mem_methods mine = memory;
	mine.xMalloc = short_malloc;
	mine.xRealloc = short_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &mine) != SQLITE_OK)
		abort();
}

static char *slurp(const char *folder, const char *name)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	char *text = calloc(1, 65536);
	ck_assert_ptr_nonnull(text);
	size_t n = fread(text, 1, 65535, f);
	fclose(f);
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	return text;
}

/* What a rebuild written by hand does besides. */
static void describe_rest(const struct plan *p, struct buf *out)
{
	for (size_t i = 0; i < p->nindexes; i++)
		if (p->indexes[i].fresh)
			buf_printf(out, "\nfresh %s", p->indexes[i].sql);
	for (size_t i = 0; i < p->nobjects; i++)
		buf_printf(out, "\nthen %s", p->objects[i]);
	for (size_t i = 0; i < p->nconsent; i++)
		buf_printf(out, "\nconsent %s", p->consent[i]);
	for (size_t i = 0; i < p->nwarnings; i++)
		buf_printf(out, "\nwarning %s", p->warnings[i]);
}

/* The plan as text, one fact a line; line breaks inside parentheses are the mapping's own. */
static void describe(const struct plan *p, struct buf *out)
{
	if (p->strategy == STRATEGY_NONE)
		buf_puts(out, "none");
	if (p->strategy == STRATEGY_INSTANT)
		buf_printf(out, "instant\n%s", p->instant_sql ? p->instant_sql : p->target_sql);
	if (p->strategy == STRATEGY_CHECK) {
		buf_printf(out, "check\n%s", p->target_sql);
		for (size_t i = 0; i < p->ncolumns; i++)
			buf_printf(out, "%s%s", p->columns[i].check_null ? "\nnot null " : "",
				   p->columns[i].check_null ? p->columns[i].name : "");
	}
	for (size_t i = 0; i < p->nrules; i++) {
		buf_printf(out, "%s%s ", out->len ? "\n" : "", p->rules[i].reason);
		for (const char *c = p->rules[i].bad; *c; c++)
			if (*c != '\n')
				buf_putc(out, *c);
	}
	if (p->nrules && p->strategy == STRATEGY_REBUILD)
		buf_putc(out, '\n');
	if (p->strategy != STRATEGY_REBUILD)
		return;
	buf_printf(out, "%s\n%s", p->target_sql, p->shadow_sql);
	if (p->bare_sql)
		buf_printf(out, "\nbare %s", p->bare_sql);
	for (size_t i = 0; i < p->ndropped; i++)
		buf_printf(out, "\ndropped %s", p->dropped[i]);
	for (size_t i = 0; i < p->nindexes; i++)
		buf_printf(out, "\n%s", p->indexes[i].shadow_sql);
	for (size_t i = 0; i < p->ncolumns; i++) {
		buf_printf(out, "\n%s = ", p->columns[i].name);
		for (const char *c = p->columns[i].expr; *c; c++)
			if (*c != '\n')
				buf_putc(out, *c);
	}
	struct pool pool = {0};
	buf_printf(out, "\nkey %s %s %s", rowkey_list(&pool, &p->source_key, ""), p->key_map ? "->" : "=",
		   rowkey_list(&pool, &p->shadow_key, ""));
	pool_free(&pool);
}

START_TEST(test_plan_is_as_expected)
{
	const char *folder = folders[_i];
	char *schema = slurp(folder, "schema.sql"), *change = slurp(folder, "change.sql");
	char *expect = slurp(folder, "expect.sql"), *refusal = slurp(folder, "refuse.txt");
	struct pool pool = {0};
	struct error err = {0};
	struct plan *plan = NULL;
	struct plan_options options = {0};
	struct buf got = {0};
	sqlite3 *db;

	ck_assert(schema && change && (expect || refusal));
	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, schema, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", folder, sqlite3_errmsg(db));
	int rc = plan_statement(&pool, db, change, &options, &plan, &err);
	if (refusal) {
		ck_assert_msg(rc != 0, "%s: not refused", folder);
		ck_assert_msg(strstr(err.message, refusal) != NULL, "%s: refused with: %s", folder, err.message);
	} else {
		ck_assert_msg(rc == 0, "%s: %s", folder, err.message);
		describe(plan, &got);
		describe_rest(plan, &got);
		while (got.len && got.data[got.len - 1] == '\n')
			buf_truncate(&got, got.len - 1);
		ck_assert_msg(strcmp(buf_cstr(&got), expect) == 0, "%s:\n%s\n-- wanted:\n%s", folder, buf_cstr(&got),
			      expect);
	}
	sqlite3_close(db);
	error_clear(&err);
	buf_free(&got);
	pool_free(&pool);
	free(schema);
	free(change);
	free(expect);
	free(refusal);
}
END_TEST

/* What comes out where allocation `at` fails: the plan, a refusal, or no memory. Returns false once there is no such.
 */
static bool plan_short(const char *schema, const char *change, long at, struct buf *got)
{
	struct pool pool = {0};
	struct error err = {0};
	struct plan_options options = {0};
	struct plan *plan = NULL;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
	/* Else what is small is hidden from what runs short. */
	ck_assert_int_eq(sqlite3_db_config(db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, schema, NULL, NULL, NULL), SQLITE_OK);
	until_short = at;
	if (plan_statement(&pool, db, change, &options, &plan, &err) == 0)
		describe(plan, got);
	else if (strstr(err.message, "out of memory") || (err.code > 0 && (err.code & 0xff) == SQLITE_NOMEM))
		buf_puts(got, "no memory");
	else
		buf_puts(got, err.message);
	bool met = until_short < 0;
	until_short = -1;
	sqlite3_close(db);
	error_clear(&err);
	pool_free(&pool);
	return met;
}

START_TEST(test_plan_is_none_where_memory_is_short)
{
	const char *folder = folders[_i];
	char *schema = slurp(folder, "schema.sql"), *change = slurp(folder, "change.sql");
	struct buf want = {0}, got = {0};
	long all = 1L << 40, stride;

	ck_assert(!plan_short(schema, change, all, &want));
	for (stride = 1; plan_short(schema, change, stride * SHORT_TRIES, &got); stride *= 2)
		buf_truncate(&got, 0);
	for (long at = _i % stride; at < 2 * stride * SHORT_TRIES; at += stride) {
		buf_truncate(&got, 0);
		if (!plan_short(schema, change, at, &got))
			break;
		ck_assert_msg(strcmp(buf_cstr(&got), "no memory") == 0 || strcmp(buf_cstr(&got), buf_cstr(&want)) == 0,
			      "%s, allocation %ld:\n%s\n-- wanted:\n%s", folder, at, buf_cstr(&got), buf_cstr(&want));
	}
	buf_free(&want);
	buf_free(&got);
	free(schema);
	free(change);
}
END_TEST

static void find_folders(void)
{
	const char *path = ALTERD_SOURCE_DIR "/tests/golden/plan";
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d)) && nfolders < FOLDERS_MAX;)
		if (e->d_name[0] != '.')
			snprintf(folders[nfolders++], sizeof(folders[0]), "%.150s/%.100s", path, e->d_name);
	if (d)
		closedir(d);
}

int main(void)
{
	install_memory();
	find_folders();
	if (nfolders == 0) {
		fprintf(stderr, "no folders in tests/golden/plan\n");
		return 1;
	}
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("plan");
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, test_plan_is_as_expected, 0, nfolders);
	tcase_add_loop_test(c, test_plan_is_none_where_memory_is_short, 0, nfolders);
	suite_add_tcase(s, c);
	return run_suite(s);
}
