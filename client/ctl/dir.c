/*
 * The folder of --dir, as a request carries it: "files":[{"name":"0013_split_name.sql","sql":"..."},...].
 *
 * What belongs to migrations: *.sql, and of a subfolder that holds up.sql or down.sql (diesel's form) these and
 * metadata.toml. Of 0013_name.go only the name is sent, for the daemon to refuse it by. Hidden files are nobody's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"
#include "proto/utf8.h"
#include "proto/value.h"

#define FILES_MAX 10000
/* The daemon takes lines of 16 MiB; escaped, text grows. */
#define BYTES_MAX ((size_t)8 << 20)

struct folder {
	const char *path;
	int fd;
	char **names;
	size_t n, room;
};

/* "DIR/NAME: WHY" on stderr. Returns the code. */
static int complain(const struct folder *f, const char *name, int code, const char *why)
{
	struct buf text = {0};

	text_safe(&text, f->path, strlen(f->path));
	if (name) {
		if (text.len > 0 && f->path[strlen(f->path) - 1] != '/')
			buf_putc(&text, '/');
		text_safe(&text, name, strlen(name));
	}
	say("%s: %s", buf_cstr(&text), why);
	buf_free(&text);
	return code;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* Of Go files only those with a number in front are migrations; embed.go and tests stand in many such folders. */
static bool is_go(const char *name)
{
	return ends_with(name, ".go") && !ends_with(name, "_test.go") && *name >= '0' && *name <= '9';
}

static int add(struct folder *f, const char *prefix, const char *name)
{
	struct buf path = {0};

	if (f->n == FILES_MAX) {
		say("%s: more than %d migration files", f->path, FILES_MAX);
		return EXIT_FAILED;
	}
	if (f->n == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->names = must(realloc(f->names, f->room * sizeof(*f->names)));
	}
	if (*prefix)
		buf_printf(&path, "%s/", prefix);
	buf_puts(&path, name);
	if (!utf8_valid(buf_cstr(&path), path.len)) {
		int code = complain(f, buf_cstr(&path), EXIT_FAILED, "the name is not UTF-8");

		buf_free(&path);
		return code;
	}
	f->names[f->n++] = must(strdup(buf_cstr(&path)));
	buf_free(&path);
	return 0;
}

static int add_subfolder(struct folder *f, const char *name)
{
	static const char *const parts[] = {"up.sql", "down.sql", "metadata.toml"};
	int fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), code = 0;
	bool any = false;

	if (fd < 0) {
		/* No folder at all, or a link to nowhere. */
		if (errno == ENOTDIR || errno == ENOENT || errno == ELOOP)
			return 0;
		return complain(f, name, EXIT_NO_INPUT, strerror(errno));
	}
	for (size_t i = 0; i < 3 && !code; i++) {
		if ((i < 2 || any) && faccessat(fd, parts[i], F_OK, 0) == 0) {
			any = true;
			code = add(f, name, parts[i]);
		}
	}
	close(fd);
	return code;
}

static int collect(struct folder *f)
{
	int fd = dup(f->fd), code = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		code = complain(f, NULL, EXIT_NO_INPUT, strerror(errno));
		if (fd >= 0)
			close(fd);
		return code;
	}
	while (!code && (errno = 0, e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		if (ends_with(e->d_name, ".sql") || is_go(e->d_name))
			code = add(f, "", e->d_name);
		else if (e->d_type != DT_REG)
			code = add_subfolder(f, e->d_name);
	}
	if (!code && errno)
		code = complain(f, NULL, EXIT_NO_INPUT, strerror(errno));
	closedir(dir);
	return code;
}

/* The whole file into `text`, at most `limit` bytes and one. 0 or errno. */
static int read_all(int fd, size_t limit, struct buf *text)
{
	while (text->len <= limit) {
		size_t room = limit + 1 - text->len < 65536 ? limit + 1 - text->len : 65536;
		char *at = must(buf_reserve(text, room));
		ssize_t n = read(fd, at, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return 0;
		text->len += (size_t)n;
	}
	return 0;
}

/* JSON has no other bytes than UTF-8, and SQL ends at a NUL. */
static int check_text(const struct folder *f, const char *name, const struct buf *text)
{
	const uint8_t *p = (const uint8_t *)text->data;
	int64_t line = 1;
	struct buf why = {0};
	int code = 0;

	for (size_t i = 0; i < text->len && !code;) {
		size_t n = p[i] < 0x80 ? p[i] != 0 : utf8_sequence(p + i, text->len - i);

		if (n == 0) {
			buf_printf(&why, "line %lld %s", (long long)line, p[i] ? "is not UTF-8" : "holds a NUL byte");
			code = complain(f, name, EXIT_FAILED, buf_cstr(&why));
		}
		line += p[i] == '\n';
		i += n;
	}
	buf_free(&why);
	return code;
}

/* A file of the folder; at most `left` bytes of it may be there. */
static int read_file(const struct folder *f, const char *name, size_t left, struct buf *text)
{
	/* Without O_NONBLOCK a named pipe would hold us up for ever. */
	int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error, code = 0;
	struct stat st;

	if (fd < 0)
		return complain(f, name, EXIT_NO_INPUT, strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return complain(f, name, EXIT_FAILED, "this is no ordinary file");
	}
	error = read_all(fd, left, text);
	close(fd);
	if (error)
		return complain(f, name, EXIT_NO_INPUT, strerror(error));
	if (text->len > left) {
		say("%s: more than %zu MiB of migration files", f->path, BYTES_MAX >> 20);
		code = EXIT_FAILED;
	}
	return code ? code : check_text(f, name, text);
}

static int write_files(const struct folder *f, struct buf *params)
{
	struct buf text = {0};
	size_t left = BYTES_MAX;
	int code = 0;

	jw_key(params, "files");
	jw_open(params, '[');
	for (size_t i = 0; i < f->n && !code; i++) {
		buf_reset(&text, 1 << 20);
		if (!is_go(f->names[i]))
			code = read_file(f, f->names[i], left, &text);
		left -= code ? 0 : text.len;
		jw_open(params, '{');
		jw_str(params, "name", f->names[i]);
		jw_key(params, "sql");
		json_write_string(params, text.len ? text.data : "", text.len);
		jw_close(params, '}');
	}
	jw_close(params, ']');
	buf_free(&text);
	return code;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int dir_files(const struct ctl *c, struct buf *params)
{
	struct folder f = {.path = c->dir};
	int code;

	if (!c->dir)
		return 0;
	f.fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f.fd < 0)
		return complain(&f, NULL, EXIT_NO_INPUT, strerror(errno));
	code = collect(&f);
	if (!code && f.n > 0)
		qsort(f.names, f.n, sizeof(*f.names), by_name);
	if (!code)
		code = write_files(&f, params);
	if (!code && f.n == 0)
		note(c, "%s holds no migration files", c->dir);
	for (size_t i = 0; i < f.n; i++)
		free(f.names[i]);
	free(f.names);
	close(f.fd);
	return code;
}
