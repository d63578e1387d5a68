/*
 * The history's file: one entry a line, the newest last, so that two shells at once only append.
 *
 * Kept to itself: mode 0600, and statements that begin with a blank are not remembered at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/shell.h"

/* Entries that are kept. The file is made short again when it has twice as many, or is larger than its limit. */
#define ENTRIES 1000
#define ENTRY_BYTES_MAX ((size_t)16 << 10)
#define FILE_BYTES_MAX ((size_t)4 << 20)

void history_encode(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			buf_puts(out, "\\n");
		else if (p[i] == '\\')
			buf_puts(out, "\\\\");
		else
			buf_putc(out, p[i]);
	}
}

void history_decode(struct buf *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool escape = p[i] == '\\' && i + 1 < n;

		if (escape)
			i++;
		buf_putc(out, escape && p[i] == 'n' ? '\n' : p[i]);
	}
}

bool history_path(struct buf *out)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	/* A path that is not absolute is to be passed over, says the standard it comes from. */
	if (state && *state == '/')
		buf_puts(out, state);
	else if (home && *home == '/')
		buf_printf(out, "%s/.local/state", home);
	else
		return false;
	buf_puts(out, "/alterd/history");
	(void)buf_cstr(out);
	for (char *p = out->failed ? NULL : strchr(out->data + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		/* What is wrong with a folder shows when the file cannot be opened. */
		(void)mkdir(out->data, 0700);
		*p = '/';
	}
	return !out->failed;
}

static bool read_all(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 1;

	if (fd < 0)
		return false;
	/* A device or a pipe of that name is not for us; of a file that somebody made huge the end counts. */
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (st.st_size > (off_t)FILE_BYTES_MAX && lseek(fd, -(off_t)FILE_BYTES_MAX, SEEK_END) < 0))
		n = -1;
	while (n > 0 && ret->len < 2 * FILE_BYTES_MAX) {
		n = read(fd, must(buf_reserve(ret, 65536)), 65536);
		ret->len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return n >= 0 && ret->len > 0;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return false;
		p += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return true;
}

/* The same file with its last entries alone. */
static void shorten(const char *path, const char *p, size_t n)
{
	struct buf other = {0};
	int fd;

	buf_printf(&other, "%s.XXXXXX", path);
	(void)buf_cstr(&other);
	fd = other.failed ? -1 : mkostemp(other.data, O_CLOEXEC);
	if (fd >= 0) {
		bool whole = write_all(fd, p, n);

		close(fd);
		if (!whole || rename(other.data, path) != 0)
			(void)unlink(other.data);
	}
	buf_free(&other);
}

/* Where the last `entries` lines begin; *ret_lines: how many there are. */
static size_t last_lines(const struct buf *b, size_t entries, size_t *ret_lines)
{
	size_t lines = 0, at = b->len, found = 0;

	while (at > 0) {
		const char *end = at > 1 ? memrchr(b->data, '\n', at - 1) : NULL;

		at = end ? (size_t)(end - b->data) + 1 : 0;
		if (++lines == entries)
			found = at;
	}
	*ret_lines = lines;
	return found;
}

void history_load(const char *path, void (*take)(void *to, const char *entry), void *to)
{
	struct buf file = {0}, entry = {0};
	size_t lines, at;

	if (!read_all(path, &file)) {
		buf_free(&file);
		return;
	}
	at = last_lines(&file, ENTRIES, &lines);
	if (lines > 2 * ENTRIES || file.len >= FILE_BYTES_MAX)
		shorten(path, file.data + at, file.len - at);
	while (at < file.len) {
		const char *line = file.data + at, *end = memchr(line, '\n', file.len - at);
		size_t n = end ? (size_t)(end - line) : file.len - at;

		buf_reset(&entry, ENTRY_BYTES_MAX);
		history_decode(&entry, line, n);
		if (entry.len > 0 && entry.len <= ENTRY_BYTES_MAX)
			take(to, buf_cstr(&entry));
		at += n + 1;
	}
	buf_free(&file);
	buf_free(&entry);
}

void history_append(const char *path, const char *entry, size_t n)
{
	int fd;
	struct buf line = {0};

	if (n == 0 || n > ENTRY_BYTES_MAX)
		return;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	/* Made by an editor, or under another mask: nobody else's business all the same. */
	(void)fchmod(fd, 0600);
	history_encode(&line, entry, n);
	buf_putc(&line, '\n');
	if (!line.failed)
		(void)write_all(fd, line.data, line.len);
	close(fd);
	buf_free(&line);
}
