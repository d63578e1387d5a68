/*
 * Scripts and folders: any bytes are split or refused with a line, each statement stands in the text and alone is one
 * statement; each has a kind, and what is run as one change is made of them; and as a migration file under the names of
 * each format they are read or refused with the file's name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/migrate/folder.h"
#include "daemon/migrate/script_kind.h"
#include "proto/value.h"

#define EXPECT(expression)                                                                                             \
	do {                                                                                                           \
		if (!(expression))                                                                                     \
			abort();                                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_error(struct error *err, const char *key)
{
	EXPECT(err->code == errc_code(ERRC_MIGRATION_INVALID) && err->message[0] != '\0');
	EXPECT(utf8_valid(err->message, strlen(err->message)));
	EXPECT(strstr(buf_cstr(&err->data), key) != NULL);
	error_clear(err);
}

/* Lines are those of the file, and do not go back. */
static void check_statements(const struct script *s, const char *text, size_t n)
{
	struct pool pool = {0};
	struct error err = {0};
	struct script one;

	for (size_t i = 0; i < s->n; i++) {
		const char *sql = s->at[i].sql;
		EXPECT(s->at[i].line >= 1 && *sql != '\0' && memmem(text, n, sql, strlen(sql)) != NULL);
		EXPECT(script_split(&pool, sql, strlen(sql), 1, &one, &err) == 0);
		EXPECT(one.n == 1 && one.at[0].line == 1 && strcmp(one.at[0].sql, sql) == 0);
	}
	pool_free(&pool);
}

/* What a DROP leaves out is said of any columns; one that nobody names is left out, unless a star takes all along. */
static void check_left_out(struct pool *pool, const struct script *s, const struct script_kind *kinds)
{
	static const char *const columns[] = {"id", "v", "no such name"};
	struct error err = {0};
	bool out[3];

	for (size_t i = 0; i < s->n; i++) {
		if (kinds[i].what != SCRIPT_DROP_TABLE)
			continue;
		EXPECT(script_left_out(pool, s, kinds, i, columns, 3, out, &err) == 0);
		EXPECT(out[2] || (!out[0] && !out[1]));
	}
}

/* Statements have kinds, and what is one change holds those that are not passed over, and no others. */
static void check_kinds(const struct script *s)
{
	struct pool pool = {0};
	struct error err = {0};
	struct script_kind *kinds = NULL;
	struct script joined;
	size_t n = 0;
	int64_t line = 0;

	EXPECT(script_kinds(&pool, s, s->n % 2, &kinds, &err) == 0);
	check_left_out(&pool, s, kinds);
	const char *one = script_as_one(&pool, s, kinds, &line);
	EXPECT(!one || s->n > 1 || !script_is_several(s, kinds));
	if (one) {
		EXPECT(script_split(&pool, one, strlen(one), 1, &joined, &err) == 0);
		for (size_t i = 0; i < s->n; i++) {
			if (kinds[i].what == SCRIPT_PASSED_OVER)
				continue;
			EXPECT(n < joined.n && strcmp(joined.at[n].sql, s->at[i].sql) == 0);
			n++;
		}
		EXPECT(n == joined.n && n > 0 && line >= 1);
	}
	pool_free(&pool);
}

static void check_part(const struct version_part *p, const char *file, const char *text, size_t n)
{
	struct pool pool = {0};
	struct error err = {0};
	struct script again;

	EXPECT(p->present == (p->text != NULL) && p->batch_rows >= 0 && p->batch_rows <= 1000000);
	if (!p->present) {
		EXPECT(p->script.n == 0);
		return;
	}
	EXPECT(strcmp(p->file, file) == 0);
	check_statements(&p->script, text, n);
	EXPECT(script_split(&pool, p->text, strlen(p->text), 1, &again, &err) == 0);
	EXPECT(again.n == p->script.n);
	for (size_t i = 0; i < again.n; i++)
		EXPECT(strcmp(again.at[i].sql, p->script.at[i].sql) == 0);
	pool_free(&pool);
}

static void check_folder(const char *name, enum folder_format format, const char *text, size_t n)
{
	/* metadata.toml is of diesel's alone; it stands beside a file that has no fault. */
	bool metadata = strstr(name, "metadata") != NULL;
	struct folder_file files[] = {{.name = name, .text = text, .len = n},
				      {.name = "00000000000007_a/up.sql", .text = "SELECT 1", .len = 8}};
	struct pool pool = {0};
	struct error err = {0};
	struct folder f;

	if (folder_read(&pool, files, metadata ? 2 : 1, format, &f, &err) != 0) {
		expect_error(&err, name);
	} else {
		EXPECT(f.n == 1 && f.at[0].number == 7 && f.at[0].up.present && strlen(f.at[0].checksum) == 64);
		EXPECT(format == FOLDER_AUTO || f.format == format);
		if (!metadata) {
			check_part(&f.at[0].up, name, text, n);
			check_part(&f.at[0].down, name, text, n);
		}
	}
	pool_free(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const char *name;
		enum folder_format format;
	} tries[] = {{"0007_a.sql", FOLDER_AUTO},
		     {"7_a.up.sql", FOLDER_AUTO},
		     {"0007_a.sql", FOLDER_DBMATE},
		     {"0007_a.sql", FOLDER_GOOSE},
		     {"7.sql", FOLDER_SQFLITE},
		     {"7_a.sql", FOLDER_SQLX},
		     {"00000000000007_a/up.sql", FOLDER_DIESEL},
		     {"00000000000007_a/metadata.toml", FOLDER_DIESEL},
		     {"V7__a.sql", FOLDER_FLYWAY},
		     {"U7__a.sql", FOLDER_REFINERY}};
	const char *text = (const char *)data;
	struct pool pool = {0};
	struct error err = {0};
	struct script script;

	if (script_split(&pool, text, size, 1, &script, &err) == 0) {
		check_statements(&script, text, size);
		check_kinds(&script);
	} else {
		expect_error(&err, "\"line\":");
	}
	pool_free(&pool);
	for (size_t k = 0; k < sizeof(tries) / sizeof(tries[0]); k++)
		check_folder(tries[k].name, tries[k].format, text, size);
	return 0;
}
