/* The folder of backups; see backup_folder.h. */
#include "daemon/migrate/backup_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/clock.h"
#include "daemon/lib/log.h"
#include "proto/response.h"
#include "proto/value.h"

#define PART_SUFFIX ".part"

static int failed(struct error *err, const char *doing, const char *what)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	return error_set_sqlite(err, full ? SQLITE_FULL : SQLITE_CANTOPEN, full ? "SQLITE_FULL" : "SQLITE_CANTOPEN",
				"%s %.300s: %s", doing, what, strerror(errno));
}

/* --- names --- */

/* What SQLite and the daemon put beside a database: such a name would be taken for another file's. */
static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n >= m && strcmp(name + n - m, suffix) == 0;
}

int backup_name_check(const char *name, struct error *err)
{
	static const char *const suffixes[] = {"-wal", "-shm", "-journal", ".alterd-lock"};

	if (!*name || strlen(name) > BACKUP_NAME_MAX)
		return error_set(err, ERRC_INVALID_PARAMS, "a backup's name has 1 to %d bytes", BACKUP_NAME_MAX);
	if (name[0] == '.' || strchr(name, '/'))
		return error_set(err, ERRC_INVALID_PARAMS,
				 "a backup's name is a plain one: no '/' in it, no '.' at its beginning");
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return error_set(err, ERRC_INVALID_PARAMS, "a backup's name has no control characters");
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (has_suffix(name, suffixes[i]))
			return error_set(err, ERRC_INVALID_PARAMS, "a backup's name does not end with %s", suffixes[i]);
	return 0;
}

static const char *skip_digits(const char *p, size_t least, size_t most)
{
	size_t n = strspn(p, "0123456789");

	return n >= least && n <= most ? p + n : NULL;
}

void backup_owner(const char *path, char ret[BACKUP_OWNER_MAX + 1])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t n = strlen(name);

	if (n > BACKUP_OWNER_MAX)
		name += n - BACKUP_OWNER_MAX;
	for (; *name; name++)
		*ret++ = *name > ' ' && *name < 127 ? *name : '_';
	*ret = '\0';
}

const char *backup_name_owner(const char *name)
{
	if (strncmp(name, "before-", 7) != 0)
		return NULL;
	const char *p = skip_digits(name + 7, 1, 19);
	if (p)
		p = *p == '-' ? skip_digits(p + 1, 8, 8) : NULL;
	if (p)
		p = *p == 'T' ? skip_digits(p + 1, 6, 6) : NULL;
	if (p && *p == 'Z')
		p++;
	else
		return NULL;
	if (*p == '-')
		p = skip_digits(p + 1, 1, 4);
	return p && *p == '.' && p[1] ? p + 1 : NULL;
}

void backup_name_make(const char *owner, int64_t version, int64_t wall_ms, int nth, char ret[BACKUP_NAME_MAX + 1])
{
	char time[32], compact[32], prefix[40] = "backup", more[16] = "";
	size_t n = 0;

	clock_format(wall_ms, 0, time);
	for (const char *p = time; *p; p++)
		if (*p != '-' && *p != ':')
			compact[n++] = *p;
	compact[n] = '\0';
	if (owner)
		snprintf(prefix, sizeof(prefix), "before-%lld", (long long)version);
	if (nth > 0)
		snprintf(more, sizeof(more), "-%d", nth + 1);
	snprintf(ret, BACKUP_NAME_MAX + 1, "%s-%s%s.%s", prefix, compact, more, owner ? owner : "db");
}

void backup_path(const char *folder, const char *name, struct buf *out) { buf_printf(out, "%s/%s", folder, name); }

void backup_part_path(const char *folder, const char *name, struct buf *out)
{
	buf_printf(out, "%s/.%s%s", folder, name, PART_SUFFIX);
}

/* --- making one --- */

static int sync_folder(const char *folder, struct error *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd >= 0 ? fsync(fd) : -1;

	if (rc != 0)
		failed(err, "syncing the folder", folder);
	if (fd >= 0)
		close(fd);
	return rc;
}

int backup_folder_make(const char *folder, struct error *err)
{
	if (mkdir(folder, 0750) == 0 || errno == EEXIST)
		return 0;
	return failed(err, "making the folder", folder);
}

bool backup_exists(const char *folder, const char *name)
{
	struct buf path = {0};
	struct stat st;

	backup_path(folder, name, &path);
	bool there = lstat(buf_cstr(&path), &st) == 0;
	buf_free(&path);
	return there;
}

int backup_part_make(const char *folder, const char *name, int *ret_fd, struct error *err)
{
	struct buf path = {0};

	backup_part_path(folder, name, &path);
	int fd = open(buf_cstr(&path), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0 && errno == EEXIST)
		error_set(err, ERRC_BUSY, "a backup %.128s is just being made", name);
	else if (fd < 0)
		failed(err, "making", buf_cstr(&path));
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		failed(err, "locking", buf_cstr(&path));
	if (fd >= 0 && error_is_set(err)) {
		close(fd);
		fd = -1;
	}
	buf_free(&path);
	*ret_fd = fd;
	return fd >= 0 ? 0 : -1;
}

int backup_part_publish(const char *folder, const char *name, struct error *err)
{
	struct buf part = {0}, path = {0};

	backup_part_path(folder, name, &part);
	backup_path(folder, name, &path);
	int rc = renameat2(AT_FDCWD, buf_cstr(&part), AT_FDCWD, buf_cstr(&path), RENAME_NOREPLACE);
	/* A file system that cannot: nobody but alterd writes here, so the look before was enough. */
	if (rc != 0 && (errno == EINVAL || errno == ENOSYS) && !backup_exists(folder, name))
		rc = rename(buf_cstr(&part), buf_cstr(&path));
	if (rc != 0 && errno == EEXIST)
		error_set(err, ERRC_INVALID_PARAMS, "there is a backup %.128s already", name);
	else if (rc != 0)
		failed(err, "naming", buf_cstr(&path));
	else
		rc = sync_folder(folder, err);
	buf_free(&part);
	buf_free(&path);
	return rc;
}

void backup_part_remove(const char *folder, const char *name)
{
	struct buf path = {0};

	backup_part_path(folder, name, &path);
	(void)unlink(buf_cstr(&path));
	buf_free(&path);
}

/* --- what is there --- */

struct found {
	char name[BACKUP_NAME_MAX + 1];
	int64_t bytes, made_ms;
};

struct listing {
	struct found *at;
	size_t n, room;
};

static bool is_backup(const char *name)
{
	struct error err = {0};
	bool is = backup_name_check(name, &err) == 0;

	error_clear(&err);
	return is;
}

static void add(struct listing *l, const char *name, const struct stat *st)
{
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 16;
		l->at = realloc(l->at, l->room * sizeof(*l->at));
		CHECK(l->at);
	}
	struct found *f = &l->at[l->n++];
	snprintf(f->name, sizeof(f->name), "%.*s", BACKUP_NAME_MAX, name);
	f->bytes = st->st_size;
	f->made_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static int by_age(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->made_ms != y->made_ms)
		return x->made_ms < y->made_ms ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The oldest first. The caller frees ret->at. */
static int look(const char *folder, struct listing *ret, struct error *err)
{
	DIR *dir = opendir(folder);
	struct stat st;

	*ret = (struct listing){0};
	if (!dir)
		return errno == ENOENT ? 0 : failed(err, "reading the folder", folder);
	for (struct dirent *e; (e = readdir(dir));)
		if (is_backup(e->d_name) && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			add(ret, e->d_name, &st);
	closedir(dir);
	if (ret->n > 1)
		qsort(ret->at, ret->n, sizeof(*ret->at), by_age);
	return 0;
}

int backup_list(const char *folder, struct buf *out, struct error *err)
{
	struct listing l;
	char time[32];

	if (look(folder, &l, err) != 0)
		return -1;
	jw_open(out, '{');
	jw_str(out, "folder", folder);
	jw_key(out, "backups");
	jw_open(out, '[');
	for (size_t i = 0; i < l.n; i++) {
		clock_format(l.at[i].made_ms, 0, time);
		jw_key(out, NULL);
		jw_open(out, '{');
		jw_str(out, "name", l.at[i].name);
		jw_int(out, "bytes", l.at[i].bytes);
		jw_str(out, "created", time);
		jw_bool(out, "automatic", backup_name_owner(l.at[i].name) != NULL);
		jw_close(out, '}');
	}
	jw_close(out, ']');
	jw_close(out, '}');
	free(l.at);
	return 0;
}

static int not_found(const char *name, struct error *err)
{
	return error_set(err, ERRC_NOT_FOUND, "no backup %.128s", name);
}

static int open_backup(const char *folder, const char *name, int64_t *ret_bytes, struct error *err)
{
	struct buf path = {0};
	struct stat st;

	if (backup_name_check(name, err) != 0)
		return -1;
	backup_path(folder, name, &path);
	int fd = open(buf_cstr(&path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT && errno != ELOOP)
		failed(err, "opening", buf_cstr(&path));
	else if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		not_found(name, err);
	else
		*ret_bytes = st.st_size;
	if (fd >= 0 && error_is_set(err)) {
		close(fd);
		fd = -1;
	}
	buf_free(&path);
	return fd;
}

/* All of `n` bytes, which are there. */
static int read_all(int fd, char *data, size_t n, int64_t offset)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = pread(fd, data + got, n - got, offset + (int64_t)got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -1;
		got += (size_t)r;
	}
	return 0;
}

int backup_read(const char *folder, const char *name, int64_t offset, int64_t size, struct buf *out, struct error *err)
{
	int64_t total = 0;
	int fd = open_backup(folder, name, &total, err);

	if (fd < 0)
		return -1;
	int64_t left = offset < total ? total - offset : 0;
	size_t n = (size_t)(size < left ? size : left);
	char *data = malloc(n + 1);
	if (!data)
		error_set_sqlite(err, SQLITE_NOMEM, "SQLITE_NOMEM", "out of memory");
	else if (read_all(fd, data, n, offset) != 0)
		error_set_sqlite(err, SQLITE_IOERR_READ, "SQLITE_IOERR_READ", "reading the backup %.128s: %s", name,
				 strerror(errno));
	close(fd);
	if (!error_is_set(err)) {
		jw_open(out, '{');
		jw_int(out, "offset", offset);
		jw_int(out, "total", total);
		jw_key(out, "data");
		buf_putc(out, '"');
		base64_write(out, data, n);
		buf_putc(out, '"');
		jw_close(out, '}');
	}
	free(data);
	return error_is_set(err) ? -1 : 0;
}

/* --- taking away --- */

int backup_delete(const char *folder, const char *name, struct error *err)
{
	struct buf path = {0};
	struct stat st;

	if (backup_name_check(name, err) != 0)
		return -1;
	backup_path(folder, name, &path);
	if (lstat(buf_cstr(&path), &st) != 0 || !S_ISREG(st.st_mode))
		not_found(name, err);
	else if (unlink(buf_cstr(&path)) != 0)
		failed(err, "deleting", buf_cstr(&path));
	else
		sync_folder(folder, err);
	buf_free(&path);
	return error_is_set(err) ? -1 : 0;
}

static bool is_of(const char *name, const char *owner)
{
	const char *whose = backup_name_owner(name);

	return whose && strcmp(whose, owner) == 0;
}

void backup_prune(const char *folder, const char *owner, int64_t keep)
{
	struct listing l;
	struct error err = {0};
	int64_t more = -keep;

	if (look(folder, &l, &err) != 0) {
		log_warning("backup", "%s", err.message);
		error_clear(&err);
		return;
	}
	for (size_t i = 0; i < l.n; i++)
		more += is_of(l.at[i].name, owner);
	for (size_t i = 0; i < l.n && more > 0; i++) {
		if (!is_of(l.at[i].name, owner))
			continue;
		more--;
		if (backup_delete(folder, l.at[i].name, &err) == 0)
			log_info("backup", "%s is deleted: the newest %lld are kept", l.at[i].name, (long long)keep);
		else
			log_warning("backup", "%s", err.message);
		error_clear(&err);
	}
	free(l.at);
}

void backup_sweep(const char *folder)
{
	DIR *dir = opendir(folder);

	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] != '.' || !has_suffix(e->d_name, PART_SUFFIX))
			continue;
		int fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		/* Nobody is at it any more. */
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(dirfd(dir), e->d_name, 0) == 0)
			log_info("backup", "%s/%s is deleted: it was not finished", folder, e->d_name);
		close(fd);
	}
	closedir(dir);
}
