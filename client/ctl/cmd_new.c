/* new: an empty migration with the next number. Needs no daemon. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "proto/response.h"

#define DEFAULT_DIR "migrations"
#define NAME_CHARS_MAX 100
/* From here on a number is a time: 14 digits. */
#define FIRST_TIMESTAMP INT64_C(10000000000000)

static const char body[] = "-- migrate:up\n\n\n-- migrate:down\n\n";

/* "Add city" as add_city. 0 or EXIT_USAGE. */
static int clean_name(const char *arg, struct buf *name)
{
	for (const char *p = arg; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_') {
			buf_putc(name, *p);
		} else if (*p >= 'A' && *p <= 'Z') {
			buf_putc(name, (char)(*p - 'A' + 'a'));
		} else if (*p == ' ' || *p == '\t' || *p == '-') {
			buf_putc(name, '_');
		} else {
			say("a migration's name is made of a-z, 0-9 and _, as in add_city");
			return EXIT_USAGE;
		}
	}
	if (strspn(buf_cstr(name), "_") == name->len || name->len > NAME_CHARS_MAX) {
		say("a migration's name has 1 to %d characters, as in add_city", NAME_CHARS_MAX);
		return EXIT_USAGE;
	}
	return 0;
}

/* 20260301100000, in UTC. */
static int64_t now_number(void)
{
	time_t now = time(NULL);
	struct tm t;
	int64_t date, clock;

	gmtime_r(&now, &t);
	date = (t.tm_year + INT64_C(1900)) * 10000 + (t.tm_mon + 1) * 100 + t.tm_mday;
	clock = t.tm_hour * 10000 + t.tm_min * 100 + t.tm_sec;
	return date * 1000000 + clock;
}

/* The greatest number of a migration in the folder, 0 if there is none. -1: one is too large to be followed. */
static int64_t greatest_number(DIR *dir, const char *path)
{
	int64_t greatest = 0;
	struct dirent *e;

	while ((e = readdir(dir))) {
		size_t n = strlen(e->d_name), digits = strspn(e->d_name, "0123456789");
		int64_t v;

		if (digits == 0 || n < 4 || strcmp(e->d_name + n - 4, ".sql") != 0)
			continue;
		errno = 0;
		v = strtoll(e->d_name, NULL, 10);
		if (errno || v == INT64_MAX) {
			say("%s/%s: no number follows this one", path, e->d_name);
			return -1;
		}
		greatest = v > greatest ? v : greatest;
	}
	return greatest;
}

/* The folder, made if there is none. NULL with the reason told. */
static DIR *open_folder(const char *path)
{
	DIR *dir;

	if (mkdir(path, 0777) != 0 && errno != EEXIST) {
		say("%s: cannot make the folder: %s", path, strerror(errno));
		return NULL;
	}
	dir = opendir(path);
	if (!dir)
		say("%s: %s", path, strerror(errno));
	return dir;
}

static int write_new(DIR *dir, const char *file, const char *path)
{
	/* Never over a file that is there, not even one that came this moment. */
	int fd = openat(dirfd(dir), file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	ssize_t n;

	if (fd < 0) {
		say("%s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	errno = ENOSPC; /* what a write of fewer bytes means, which sets none */
	n = write(fd, body, sizeof(body) - 1);
	if (n != (ssize_t)sizeof(body) - 1 || close(fd) != 0) {
		say("%s: cannot be written: %s", path, strerror(errno));
		unlinkat(dirfd(dir), file, 0);
		return EXIT_FAILED;
	}
	return 0;
}

static void tell(const struct ctl *c, int64_t version, const char *path)
{
	struct buf out = {0};

	if (has(c, FLAG_JSON)) {
		jw_open(&out, '{');
		jw_int(&out, "version", version);
		jw_str(&out, "path", path);
		jw_close(&out, '}');
	} else if (c->out_tty) {
		text_safe(&out, path, strlen(path));
	} else {
		buf_puts(&out, path); /* for $(alterctl new ...), which wants these bytes */
	}
	buf_putc(&out, '\n');
	print_out(&out);
	buf_free(&out);
}

int cmd_new(struct ctl *c, int argc, char **argv)
{
	const char *folder = c->dir ? c->dir : DEFAULT_DIR;
	struct buf name = {0}, path = {0};
	int64_t greatest, version;
	DIR *dir = NULL;
	size_t at;
	int code = clean_name(argv[1], &name);

	(void)argc;
	if (code)
		goto out;
	code = EXIT_FAILED;
	dir = open_folder(folder);
	if (!dir)
		goto out;
	greatest = greatest_number(dir, folder);
	if (greatest < 0)
		goto out;
	version = greatest + 1;
	/* A folder numbered by time goes on so; two files of one second still get two numbers. */
	if ((has(c, FLAG_TIMESTAMP) || greatest >= FIRST_TIMESTAMP) && now_number() > greatest)
		version = now_number();
	buf_puts(&path, folder);
	if (path.len > 0 && path.data[path.len - 1] != '/')
		buf_putc(&path, '/');
	at = path.len;
	buf_printf(&path, "%04" PRId64 "_%s.sql", version, buf_cstr(&name));
	code = write_new(dir, buf_cstr(&path) + at, buf_cstr(&path));
	if (!code)
		tell(c, version, buf_cstr(&path));
out:
	if (dir)
		closedir(dir);
	buf_free(&name);
	buf_free(&path);
	return code;
}
