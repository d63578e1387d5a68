/*
 * Folders: each folder of tests/golden/folder has files/, perhaps format.txt (else it is found out), and expect.txt or
 * refuse.txt, whose lines must all stand in the error's text or data. The files are read in both orders, and each
 * part's text must have the part's statements again.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/digest.h"
#include "daemon/migrate/folder.h"
#include "tests/unit/run_suite.h"

#define FOLDERS_MAX 200
#define FILES_MAX 50

static char folders[FOLDERS_MAX][256];
static int nfolders;

static char *slurp(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	char *text = calloc(1, 65536);
	ck_assert_ptr_nonnull(text);
	*ret_n = fread(text, 1, 65535, f);
	fclose(f);
	return text;
}

/* A text of the case without the line end behind it; NULL if there is no such file. */
static char *told(const char *folder, const char *name)
{
	char path[512];
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	char *text = slurp(path, &n);
	while (text && n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	return text;
}

/* Files below the folder, those of its folders too. */
static size_t load(struct pool *pool, const char *path, const char *prefix, struct folder_file *files, size_t n)
{
	DIR *d = opendir(path);

	ck_assert_msg(d != NULL, "%s", path);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		char *below = pool_printf(pool, "%s/%s", path, e->d_name);
		char *name = pool_printf(pool, "%s%s", prefix, e->d_name);
		if (e->d_type == DT_DIR) {
			n = load(pool, below, pool_printf(pool, "%s/", name), files, n);
			continue;
		}
		ck_assert_uint_lt(n, FILES_MAX);
		char *text = slurp(below, &files[n].len);
		ck_assert_ptr_nonnull(text);
		files[n].text = pool_dup(pool, text, files[n].len);
		files[n++].name = name;
		free(text);
	}
	closedir(d);
	return n;
}

static void describe_part(const struct version_part *p, const char *word, struct buf *out)
{
	if (!p->present)
		return;
	buf_printf(out, "\n  %s %s%s%s%s", word, p->file, p->no_transaction ? " no-transaction" : "",
		   p->mode == MODE_ONLINE  ? " online"
		   : p->mode == MODE_EXACT ? " exact"
					   : "",
		   p->allow_data_loss ? " data-loss" : "");
	if (p->batch_rows)
		buf_printf(out, " batch=%lld", (long long)p->batch_rows);
	for (size_t i = 0; i < p->script.n; i++) {
		buf_printf(out, "\n    @%lld ", (long long)p->script.at[i].line);
		for (const char *c = p->script.at[i].sql; *c; c++)
			buf_putc(out, *c == '\n' || *c == '\r' ? ' ' : *c);
	}
}

static void describe(const struct folder *f, struct buf *out)
{
	buf_puts(out, folder_format_name(f->format));
	for (size_t i = 0; i < f->n; i++) {
		const struct version *v = &f->at[i];
		buf_printf(out, "\n%lld \"%s\"", (long long)v->number, v->name);
		if (v->place)
			buf_printf(out, " in %s", v->place);
		describe_part(&v->up, "up", out);
		describe_part(&v->down, "down", out);
	}
	for (size_t i = 0; i < f->nwarnings; i++)
		buf_printf(out, "\nwarning: %s", f->warnings[i]);
}

static void check_text(struct pool *pool, const struct version_part *p)
{
	struct error err = {0};
	struct script again;

	if (!p->present) {
		ck_assert_uint_eq(p->script.n, 0);
		return;
	}
	ck_assert_int_eq(script_split(pool, p->text, strlen(p->text), 1, &again, &err), 0);
	ck_assert_uint_eq(again.n, p->script.n);
	for (size_t i = 0; i < again.n; i++)
		ck_assert_str_eq(again.at[i].sql, p->script.at[i].sql);
}

static void check_versions(struct pool *pool, const struct folder *f)
{
	bool sqlx = f->format == FOLDER_SQLX || f->format == FOLDER_SQFLITE || f->format == FOLDER_GOLANG_MIGRATE;

	for (size_t i = 0; i < f->n; i++) {
		const struct version *v = &f->at[i];
		ck_assert_ptr_eq(folder_find(f, v->number), v);
		ck_assert(v->up.present);
		ck_assert_uint_eq(strlen(v->checksum), 64);
		ck_assert_uint_eq(strlen(v->sqlx_checksum), sqlx ? 96 : 0);
		check_text(pool, &v->up);
		check_text(pool, &v->down);
	}
	ck_assert_ptr_null(folder_find(f, 987654321));
}

/* What the files say, or what is wrong with them. */
static void read_files(struct pool *pool, const char *folder, bool backwards, struct buf *got, bool *ret_refused)
{
	struct folder_file files[FILES_MAX], swapped;
	struct error err = {0};
	struct folder f;
	char *format = told(folder, "format.txt");
	size_t n = load(pool, pool_printf(pool, "%s/files", folder), "", files, 0);

	for (size_t i = 0; backwards && i < n / 2; i++) {
		swapped = files[i];
		files[i] = files[n - 1 - i];
		files[n - 1 - i] = swapped;
	}
	*ret_refused = folder_read(pool, files, n, format ? folder_format_by_name(format) : FOLDER_AUTO, &f, &err) != 0;
	if (*ret_refused) {
		ck_assert_int_eq(err.code, errc_code(ERRC_MIGRATION_INVALID));
		buf_printf(got, "%s\n%s", err.message, buf_cstr(&err.data));
	} else {
		check_versions(pool, &f);
		describe(&f, got);
	}
	error_clear(&err);
	free(format);
}

static void check_refusal(const char *folder, const char *got, char *refusal)
{
	for (char *part; (part = strsep(&refusal, "\n"));)
		ck_assert_msg(strstr(got, part) != NULL, "%s: refused with: %s\n-- without: %s", folder, got, part);
}

START_TEST(test_folder_is_read_as_expected)
{
	for (int backwards = 0; backwards < 2; backwards++) {
		const char *folder = folders[_i];
		char *expect = told(folder, "expect.txt"), *refusal = told(folder, "refuse.txt");
		struct pool pool = {0};
		struct buf got = {0};
		bool refused;

		ck_assert_msg((expect != NULL) != (refusal != NULL), "%s", folder);
		read_files(&pool, folder, backwards, &got, &refused);
		if (refusal)
			check_refusal(folder, buf_cstr(&got), refusal);
		else
			ck_assert_msg(strcmp(buf_cstr(&got), expect) == 0, "%s:\n%s\n-- wanted:\n%s", folder,
				      buf_cstr(&got), expect);
		ck_assert_int_eq(refused, refusal != NULL);
		buf_free(&got);
		pool_free(&pool);
		free(expect);
		free(refusal);
	}
}
END_TEST

/* Reads one file; the error's text, or NULL. */
static const char *read_one(struct pool *pool, const char *name, const char *text, size_t len,
			    enum folder_format format, struct folder *ret)
{
	struct folder_file file = {.name = name, .text = text, .len = len};
	struct error err = {0};

	*ret = (struct folder){0};
	if (folder_read(pool, &file, 1, format, ret, &err) == 0)
		return NULL;
	char *message = pool_printf(pool, "%s %s", err.message, buf_cstr(&err.data));
	error_clear(&err);
	return message;
}

START_TEST(test_folder_refuses_nul_bytes)
{
	static const char text[] = "-- migrate:up\nSELECT '\0';\n";
	struct pool pool = {0};
	struct folder f;
	const char *message = read_one(&pool, "1_a.sql", text, sizeof(text) - 1, FOLDER_AUTO, &f);

	ck_assert_ptr_nonnull(message);
	ck_assert_ptr_nonnull(strstr(message, "line 2: a NUL byte"));
	ck_assert_ptr_nonnull(strstr(message, "\"file\":\"1_a.sql\",\"line\":2"));
	pool_free(&pool);
}
END_TEST

START_TEST(test_folder_refuses_names_that_are_not_utf8)
{
	struct pool pool = {0};
	struct folder f;

	ck_assert_ptr_nonnull(read_one(&pool, "1_\xff.sql", "", 0, FOLDER_AUTO, &f));
	ck_assert_ptr_null(read_one(&pool, "1_\xc3\xa4.sql", "", 0, FOLDER_AUTO, &f));
	ck_assert_str_eq(f.at[0].name, "\xc3\xa4");
	pool_free(&pool);
}
END_TEST

START_TEST(test_folder_without_files_is_alterds_own)
{
	struct pool pool = {0};
	struct error err = {0};
	struct folder f;

	ck_assert_int_eq(folder_read(&pool, NULL, 0, FOLDER_AUTO, &f, &err), 0);
	ck_assert_int_eq(f.format, FOLDER_DBMATE);
	ck_assert_uint_eq(f.n, 0);
	ck_assert_int_eq(folder_read(&pool, NULL, 0, FOLDER_DIESEL, &f, &err), 0);
	ck_assert_int_eq(f.format, FOLDER_DIESEL);
	pool_free(&pool);
}
END_TEST

START_TEST(test_folder_versions_have_an_end)
{
	struct pool pool = {0};
	struct folder f;

	ck_assert_ptr_null(read_one(&pool, "9223372036854775807_a.sql", "", 0, FOLDER_AUTO, &f));
	ck_assert_int_eq(f.at[0].number, INT64_MAX);
	ck_assert_ptr_nonnull(read_one(&pool, "9223372036854775808_a.sql", "", 0, FOLDER_AUTO, &f));
	ck_assert_ptr_null(read_one(&pool, "0000000000000000000000000001_a.sql", "", 0, FOLDER_AUTO, &f));
	ck_assert_int_eq(f.at[0].number, 1);
	ck_assert_ptr_nonnull(read_one(&pool, "000_a.sql", "", 0, FOLDER_AUTO, &f));
	pool_free(&pool);
}
END_TEST

static const char *sum(struct pool *pool, const char *text)
{
	struct folder f;

	ck_assert_ptr_null(read_one(pool, "1_a.sql", text, strlen(text), FOLDER_AUTO, &f));
	return f.at[0].checksum;
}

START_TEST(test_folder_checksum_does_not_see_blanks_at_ends)
{
	struct pool pool = {0};
	const char *plain = sum(&pool, "SELECT 1;\n\n-- a\n");

	/* printf 'SELECT 1;\n\n-- a\n' | sha256sum */
	ck_assert_str_eq(plain, "c3181ce4a2a7f092d330e8d62540185f33afb51943a97b331ce52bf986c83e28");
	ck_assert_str_eq(sum(&pool, "SELECT 1;\r\n\r\n-- a\r\n"), plain);
	ck_assert_str_eq(sum(&pool, "SELECT 1; \t\n  \n-- a"), plain);
	ck_assert_str_eq(sum(&pool, "\xef\xbb\xbfSELECT 1;\n\n-- a\n\n \n"), plain);
	ck_assert_str_ne(sum(&pool, "SELECT 1;\n-- a\n"), plain);
	ck_assert_str_ne(sum(&pool, "SELECT 1;\n\n-- b\n"), plain);
	ck_assert_str_ne(sum(&pool, " SELECT 1;\n\n-- a\n"), plain);
	pool_free(&pool);
}
END_TEST

START_TEST(test_folder_sqlx_checksum_is_of_the_bytes)
{
	static const char text[] = "\xef\xbb\xbf-- no-transaction\r\nSELECT 1; \n";
	char want[DIGEST_SHA384_TEXT];
	struct pool pool = {0};
	struct folder f;

	digest_sha384(text, strlen(text), want);
	ck_assert_ptr_null(read_one(&pool, "1_a.sql", text, strlen(text), FOLDER_AUTO, &f));
	ck_assert_int_eq(f.format, FOLDER_SQLX);
	ck_assert(f.at[0].up.no_transaction);
	ck_assert_str_eq(f.at[0].sqlx_checksum, want);
	pool_free(&pool);
}
END_TEST

START_TEST(test_folder_sections_keep_their_text)
{
	static const char text[] = "-- migrate:up\nA;\n-- migrate:down\nB\n-- migrate:up\nC;\n-- migrate:down\nD -- d";
	struct pool pool = {0};
	struct folder f;

	ck_assert_ptr_null(read_one(&pool, "1_a.sql", text, strlen(text), FOLDER_AUTO, &f));
	ck_assert_str_eq(f.at[0].up.text, "A;\n;\n\n\nC;\n");
	ck_assert_str_eq(f.at[0].down.text, "D -- d\n;\nB\n");
	check_text(&pool, &f.at[0].down);
	pool_free(&pool);
}
END_TEST

/* Of FIPS 180-4's examples. */
START_TEST(test_digests_are_the_standards)
{
	char sha256[DIGEST_SHA256_TEXT], sha384[DIGEST_SHA384_TEXT];

	digest_sha256("abc", 3, sha256);
	ck_assert_str_eq(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256(NULL, 0, sha256);
	ck_assert_str_eq(sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_sha384("abc", 3, sha384);
	ck_assert_str_eq(sha384, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
				 "8086072ba1e7cc2358baeca134c825a7");
}
END_TEST

START_TEST(test_folder_formats_have_names)
{
	for (int i = 0; i < FOLDER_FORMAT_COUNT; i++)
		ck_assert_int_eq(folder_format_by_name(folder_format_name((enum folder_format)i)), i);
	ck_assert_int_eq(folder_format_by_name("rails"), FOLDER_FORMAT_COUNT);
}
END_TEST

static void find_folders(void)
{
	const char *path = ALTERD_SOURCE_DIR "/tests/golden/folder";
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d)) && nfolders < FOLDERS_MAX;)
		if (e->d_name[0] != '.')
			snprintf(folders[nfolders++], sizeof(folders[0]), "%.150s/%.100s", path, e->d_name);
	if (d)
		closedir(d);
}

int main(void)
{
	find_folders();
	if (nfolders == 0) {
		fprintf(stderr, "no folders in tests/golden/folder\n");
		return 1;
	}
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("folder");
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, test_folder_is_read_as_expected, 0, nfolders);
	tcase_add_test(c, test_folder_refuses_nul_bytes);
	tcase_add_test(c, test_folder_refuses_names_that_are_not_utf8);
	tcase_add_test(c, test_folder_without_files_is_alterds_own);
	tcase_add_test(c, test_folder_versions_have_an_end);
	tcase_add_test(c, test_folder_checksum_does_not_see_blanks_at_ends);
	tcase_add_test(c, test_folder_sqlx_checksum_is_of_the_bytes);
	tcase_add_test(c, test_folder_sections_keep_their_text);
	tcase_add_test(c, test_digests_are_the_standards);
	tcase_add_test(c, test_folder_formats_have_names);
	suite_add_tcase(s, c);
	return run_suite(s);
}
