/* A folder's files into versions: loaded, named, sorted, and put together two or three to a version. */
#include "daemon/migrate/folder.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/lib/check.h"
#include "daemon/migrate/digest.h"
#include "daemon/migrate/folder_internal.h"
#include "proto/value.h"

static const char *const format_names[FOLDER_FORMAT_COUNT] = {
#define X(id, name) [FOLDER_##id] = (name),
	FOLDER_FORMAT_MAP(X)
#undef X
};

struct reading {
	struct pool *pool;
	struct source *at;
	size_t n;
	struct folder out;
	struct error *err;
};

const char *folder_format_name(enum folder_format f) { return format_names[f]; }

enum folder_format folder_format_by_name(const char *name)
{
	int f = 0;

	while (f < FOLDER_FORMAT_COUNT && strcmp(format_names[f], name) != 0)
		f++;
	return (enum folder_format)f;
}

const struct version *folder_find(const struct folder *f, int64_t number)
{
	/* diesel's are not in the order of their numbers. */
	for (size_t i = 0; i < f->n; i++)
		if (f->at[i].number == number)
			return &f->at[i];
	return NULL;
}

static int by_name(const void *left, const void *right)
{
	const struct source *a = left, *b = right;

	return strcmp(a->name, b->name);
}

/* The files that could mean something, with their text ready to be read. In one order, so that errors are the same. */
static int load(struct reading *r, const struct folder_file *files, size_t n)
{
	if (n > FOLDER_SOURCES_MAX)
		return error_set(r->err, ERRC_MIGRATION_INVALID, "more than %d files", FOLDER_SOURCES_MAX);
	r->at = pool_alloc(r->pool, (n + 1) * sizeof(*r->at));
	for (size_t i = 0; i < n; i++) {
		const struct folder_file *f = &files[i];
		struct source *s = &r->at[r->n];
		bool sql = folder_name_ends(f->name, ".sql");
		if (!sql && !folder_name_ends(f->name, "metadata.toml") && !folder_name_is_go(f->name))
			continue;
		if (!utf8_valid(f->name, strlen(f->name)))
			return error_set(r->err, ERRC_MIGRATION_INVALID, "a file's name is not UTF-8");
		*s = (struct source){
			.given = f, .name = pool_str(r->pool, f->name), .text = f->text ? f->text : "", .len = f->len};
		if (s->len >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0) {
			s->text += 3;
			s->len -= 3;
		}
		struct line l = {.text = s->text, .len = s->len};
		while (sql && line_next(&l))
			if (memchr(l.at, '\0', l.n) != NULL)
				return folder_fault(r->err, s->name, l.number, "a NUL byte");
		r->n++;
	}
	if (r->n > 0)
		qsort(r->at, r->n, sizeof(*r->at), by_name);
	return 0;
}

static int by_version(const void *left, const void *right)
{
	const struct source *a = left, *b = right;

	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	int order = a->place && b->place ? strcmp(a->place, b->place) : 0;
	if (order == 0 && a->role != b->role)
		order = a->role < b->role ? -1 : 1;
	return order != 0 ? order : strcmp(a->name, b->name);
}

/* Names, and only those that mean something in this format, by version. */
static int name_and_sort(struct reading *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (folder_name(r->pool, r->out.format, &r->at[i], r->err) != 0)
			return -1;
		if (r->at[i].role != ROLE_NONE)
			r->at[kept++] = r->at[i];
	}
	r->n = kept;
	if (r->n > 0)
		qsort(r->at, r->n, sizeof(*r->at), by_version);
	return 0;
}

static void warn(struct reading *r, const char *text)
{
	struct folder *f = &r->out;

	f->warnings = pool_grow(r->pool, f->warnings, f->nwarnings, sizeof(*f->warnings));
	f->warnings[f->nwarnings++] = text;
}

/* Tools that sort by text would do it in another order: one example is enough. */
static void warn_of_order(struct reading *r)
{
	const struct source *before = NULL;

	for (size_t i = 0; i < r->n; i++) {
		const struct source *s = &r->at[i];
		if (s->role == ROLE_DOWN)
			continue;
		if (before && strcmp(before->digits, s->digits) > 0) {
			warn(r, pool_printf(r->pool,
					    "%s sorts before %s as text, but is applied behind it: its version "
					    "is larger",
					    s->name, before->name));
			return;
		}
		before = s;
	}
}

/* The checksum of a text as it looks: line ends are LF, blanks in front of them do not count. */
static void checksum(const struct source *s, char ret[DIGEST_SHA256_TEXT])
{
	struct line l = {.text = s->text, .len = s->len};
	struct buf text = {0};
	size_t len = 0; /* up to the last line with something in it */

	while (line_next(&l)) {
		size_t n = l.n;
		while (n > 0 && strchr(" \t\r\f", l.at[n - 1]) != NULL)
			n--;
		buf_add(&text, l.at, n);
		buf_putc(&text, '\n');
		if (n > 0)
			len = text.len;
	}
	CHECK(!text.failed);
	digest_sha256(text.data, len, ret);
	buf_free(&text);
}

static int twice(struct reading *r, const struct source *a, const struct source *b)
{
	folder_fault(r->err, b->name, 0, "version %lld is that of %s already", (long long)b->number, a->name);
	error_add_str(r->err, "other", a->name);
	return -1;
}

static bool sqlx_like(enum folder_format f)
{
	return f == FOLDER_SQLX || f == FOLDER_SQFLITE || f == FOLDER_GOLANG_MIGRATE;
}

/* n files of one number, the up file first. */
static int put_together(struct reading *r, const struct source *files, size_t n)
{
	const struct source *up = &files[0];
	struct version v = {.number = up->number, .name = up->title, .place = up->place};

	for (size_t i = 1; i < n; i++)
		if (files[i].role == files[i - 1].role || files[i - 1].role == ROLE_BOTH ||
		    (up->place && strcmp(up->place, files[i].place) != 0))
			return twice(r, &files[i - 1], &files[i]);
	if (up->role == ROLE_METADATA)
		return 0;
	if (up->role == ROLE_DOWN)
		return folder_fault(r->err, up->name, 0, "version %lld has no up file", (long long)up->number);
	for (size_t i = 0; i < n; i++) {
		int rc = files[i].role == ROLE_METADATA ? folder_metadata(r->pool, &files[i], &v, r->err)
							: folder_body(r->pool, r->out.format, &files[i], &v, r->err);
		if (rc != 0)
			return -1;
		if (files[i].role == ROLE_DOWN && strcmp(files[i].title, up->title) != 0)
			warn(r,
			     pool_printf(r->pool, "%s takes back %s, whose name is another", files[i].name, up->name));
	}
	checksum(up, v.checksum);
	if (sqlx_like(r->out.format))
		digest_sha384(up->given->text, up->given->len, v.sqlx_checksum);
	r->out.at = pool_grow(r->pool, r->out.at, r->out.n, sizeof(*r->out.at));
	r->out.at[r->out.n++] = v;
	return 0;
}

static int by_place(const void *left, const void *right)
{
	const struct version *a = left, *b = right;

	return strcmp(a->place, b->place);
}

int folder_read(struct pool *pool, const struct folder_file *files, size_t n, enum folder_format format,
		struct folder *ret, struct error *err)
{
	struct reading r = {.pool = pool, .err = err};

	if (load(&r, files, n) != 0)
		return -1;
	r.out.format = format;
	if (format == FOLDER_AUTO && folder_detect(r.at, r.n, &r.out.format, err) != 0)
		return -1;
	if (name_and_sort(&r) != 0)
		return -1;
	for (size_t i = 0, end; i < r.n; i = end) {
		for (end = i + 1; end < r.n && r.at[end].number == r.at[i].number;)
			end++;
		if (put_together(&r, &r.at[i], end - i) != 0)
			return -1;
	}
	if (r.out.format != FOLDER_DIESEL)
		warn_of_order(&r);
	else if (r.out.n > 0)
		qsort(r.out.at, r.out.n, sizeof(*r.out.at), by_place);
	*ret = r.out;
	return 0;
}
