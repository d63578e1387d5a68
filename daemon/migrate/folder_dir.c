/* Reading a folder; see folder_dir.h. */
#include "daemon/migrate/folder_dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct reading {
	struct pool *pool;
	const char *root;
	struct folder_file *files;
	size_t n, bytes;
	struct error *err;
};

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* goose's migrations written in Go; what stands beside them is the program's. */
static bool is_go_migration(const char *name)
{
	return *name >= '0' && *name <= '9' && ends_with(name, ".go") && !ends_with(name, "_test.go");
}

static int failed(struct reading *r, const char *name)
{
	return error_set(r->err, ERRC_NOT_FOUND, "%.200s%s%.100s: %s", r->root, *name ? "/" : "", name,
			 strerror(errno));
}

static int read_text(struct reading *r, const char *name, struct buf *text)
{
	FILE *f = fopen(pool_printf(r->pool, "%s/%s", r->root, name), "re");
	char piece[16384];
	size_t n;

	if (!f)
		return failed(r, name);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0 && r->bytes + text->len <= FOLDER_BYTES_MAX)
		buf_add(text, piece, n);
	int bad = ferror(f);
	fclose(f);
	if (bad)
		return failed(r, name);
	if (r->bytes + text->len > FOLDER_BYTES_MAX)
		return error_set(r->err, ERRC_TOO_MANY, "%.200s holds more than %zu MiB of migration files", r->root,
				 FOLDER_BYTES_MAX >> 20);
	return 0;
}

static int take(struct reading *r, const char *name)
{
	struct buf text = {0};

	if (r->n == FOLDER_FILES_MAX)
		return error_set(r->err, ERRC_TOO_MANY, "%.200s holds more than %d migration files", r->root,
				 FOLDER_FILES_MAX);
	if (!ends_with(name, ".go") && read_text(r, name, &text) != 0) {
		buf_free(&text);
		return -1;
	}
	r->files = pool_grow(r->pool, r->files, r->n, sizeof(*r->files));
	struct folder_file *f = &r->files[r->n++];
	f->name = pool_str(r->pool, name);
	f->len = text.len;
	f->text = pool_take(r->pool, &text);
	r->bytes += f->len;
	return 0;
}

static int walk(struct reading *r, const char *below);

static int entry(struct reading *r, const char *below, const char *name)
{
	const char *path = *below ? pool_printf(r->pool, "%s/%s", below, name) : name;
	struct stat st;

	if (stat(pool_printf(r->pool, "%s/%s", r->root, path), &st) != 0)
		return ends_with(name, ".sql") ? failed(r, path) : 0;
	if (S_ISDIR(st.st_mode))
		return *below ? 0 : walk(r, name);
	bool wanted = *below ? strcmp(name, "up.sql") == 0 || strcmp(name, "down.sql") == 0 ||
				       strcmp(name, "metadata.toml") == 0
			     : ends_with(name, ".sql") || is_go_migration(name);
	return wanted && S_ISREG(st.st_mode) ? take(r, path) : 0;
}

static int walk(struct reading *r, const char *below)
{
	DIR *d = opendir(pool_printf(r->pool, "%s/%s", r->root, below));
	int rc = 0;

	if (!d)
		return failed(r, below);
	for (struct dirent *e; rc == 0 && (e = readdir(d));)
		if (e->d_name[0] != '.')
			rc = entry(r, below, e->d_name);
	closedir(d);
	return rc;
}

int folder_dir_read(struct pool *pool, const char *path, struct folder_file **ret, size_t *ret_n, struct error *err)
{
	struct reading r = {.pool = pool, .root = path, .err = err};

	if (walk(&r, "") != 0)
		return -1;
	*ret = r.files;
	*ret_n = r.n;
	return 0;
}
