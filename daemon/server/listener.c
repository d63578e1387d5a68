/*
 * Binding a Unix socket so that two daemons never fight over one name, and accepting.
 *
 * A socket file outlives its daemon, so a name that exists is tried: one that answers is in use, one that refuses is
 * stale. Between that and listen() a second daemon could do the same; a lock on the folder, held for that moment and
 * gone with the descriptor, keeps them apart and leaves no file behind.
 */
#include "daemon/server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"

/* Connections taken in one turn of the loop, so that a crowd at the door does not keep those inside waiting. */
#define ACCEPT_BURST 64
/* How long another daemon's start in the same folder is waited for: tries of 10 ms. */
#define FOLDER_LOCK_TRIES 100
#define FOLDER_LOCK_PAUSE_MS 10

static int fail(struct error *err, int *ret_exit, int exit_code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(struct error *err, int *ret_exit, int exit_code, const char *format, ...)
{
	char text[400];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	*ret_exit = exit_code;
	return error_set(err, ERRC_INTERNAL, "%s", text);
}

static int fail_errno(struct error *err, int *ret_exit, const char *path, const char *doing)
{
	int code = errno == EACCES || errno == EPERM ? EX_NOPERM : EX_OSERR;

	return fail(err, ret_exit, code, "socket %s: %s: %s", path, doing, strerror(errno));
}

static int make_address(const char *path, struct sockaddr_un *ret, int *ret_exit, struct error *err)
{
	size_t len = strlen(path);

	if (len == 0)
		return fail(err, ret_exit, EX_CONFIG, "the socket has no name: give --socket PATH");
	if (len >= sizeof ret->sun_path)
		return fail(err, ret_exit, EX_CONFIG,
			    "socket name too long: %zu bytes, a Unix socket's may have %zu: %.120s...", len,
			    sizeof ret->sun_path - 1, path);
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, path, len);
	return 0;
}

/* 1: a stale socket file is there; 0: nothing is; -1: in use, or not ours to touch. */
static int probe(const char *path, int *ret_exit, struct error *err)
{
	struct sockaddr_un address;
	struct stat st;
	int fd, rc, saved;

	if (make_address(path, &address, ret_exit, err) != 0)
		return -1;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : fail_errno(err, ret_exit, path, "looking for it");
	if (!S_ISSOCK(st.st_mode))
		return fail(err, ret_exit, EX_CONFIG, "socket %s: something that is no socket is there", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_errno(err, ret_exit, path, "making a socket");
	rc = connect(fd, (const struct sockaddr *)&address, sizeof address);
	saved = errno;
	(void)close(fd);
	if (rc != 0 && saved == ECONNREFUSED)
		return 1;
	if (rc != 0 && saved == ENOENT)
		return 0;
	errno = saved;
	/* EAGAIN: somebody listens whose queue of connections is full. */
	if (rc != 0 && saved != EAGAIN)
		return fail_errno(err, ret_exit, path, "trying it");
	return fail(err, ret_exit, EX_TEMPFAIL, "socket %s: in use by a running daemon", path);
}

int listener_probe(const char *path, int *ret_exit, struct error *err)
{
	return probe(path, ret_exit, err) < 0 ? -1 : 0;
}

/* Opens the socket's folder and locks it. Returns the descriptor, or -1. */
static int lock_folder(const char *path, int *ret_exit, struct error *err)
{
	char folder[sizeof((struct sockaddr_un *)0)->sun_path];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	int fd;

	PRE(len < sizeof folder);
	memcpy(folder, path, len);
	folder[len] = '\0';
	fd = open(!slash ? "." : len == 0 ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail(err, ret_exit, EX_NOINPUT, "socket %s: its folder does not exist", path);
	if (fd < 0)
		return fail_errno(err, ret_exit, path, "opening its folder");
	for (int i = 0; i < FOLDER_LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		(void)poll(NULL, 0, FOLDER_LOCK_PAUSE_MS);
	}
	if (errno == EWOULDBLOCK)
		(void)fail(err, ret_exit, EX_TEMPFAIL, "socket %s: another daemon is starting in its folder", path);
	else
		(void)fail_errno(err, ret_exit, path, "locking its folder");
	(void)close(fd);
	return -1;
}

static int bind_and_listen(struct listener *l, const char *path, mode_t mode, int backlog, int *ret_exit,
			   struct error *err)
{
	struct sockaddr_un address;
	struct stat st;

	if (make_address(path, &address, ret_exit, err) != 0)
		return -1;
	/* The file takes over the socket's own mode (less the umask): it is never wider open than asked for. */
	if (fchmod(l->fd, mode) != 0)
		return fail_errno(err, ret_exit, path, "setting its mode");
	if (bind(l->fd, (const struct sockaddr *)&address, sizeof address) != 0)
		return fail_errno(err, ret_exit, path, "binding");
	if (lstat(path, &st) == 0) {
		l->bound = true;
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	if (chmod(path, mode) != 0)
		return fail_errno(err, ret_exit, path, "setting its mode");
	if (listen(l->fd, backlog) != 0)
		return fail_errno(err, ret_exit, path, "listening");
	return 0;
}

int listener_bind(struct listener *l, const char *path, mode_t mode, int backlog, int *ret_exit, struct error *err)
{
	int folder, stale, rc = -1;

	l->path = path;
	l->fd = -1;
	l->reserve = -1;
	if (listener_probe(path, ret_exit, err) != 0)
		return -1;
	folder = lock_folder(path, ret_exit, err);
	if (folder < 0)
		return -1;
	stale = probe(path, ret_exit, err);
	if (stale < 0)
		goto out_folder;
	if (stale && unlink(path) != 0 && errno != ENOENT) {
		(void)fail_errno(err, ret_exit, path, "removing the file of a daemon that is gone");
		goto out_folder;
	}
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0) {
		(void)fail_errno(err, ret_exit, path, "making a socket");
		goto out_folder;
	}
	rc = bind_and_listen(l, path, mode, backlog, ret_exit, err);
	if (rc != 0)
		listener_stop(l);
out_folder:
	(void)close(folder);
	return rc;
}

void listener_adopt(struct listener *l, int fd)
{
	l->path = NULL;
	l->fd = fd;
	l->reserve = -1;
}

/* The process has no descriptor left. The reserve is given up for a moment, so that the client hears why. */
static void accept_without(struct listener *l)
{
	int fd;

	if (!l->short_of_fds)
		log_warning("server",
			    "no file descriptor left for a new client; new clients are turned away until there is one");
	l->short_of_fds = true;
	if (l->reserve >= 0)
		(void)close(l->reserve);
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		l->refused(l->arg, fd);
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
	struct listener *l = handle->data;
	int fd;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_BURST && l->polling && !l->paused; i++) {
		fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			l->short_of_fds = false;
			l->accepted(l->arg, fd);
		} else if (errno == EMFILE || errno == ENFILE) {
			accept_without(l);
			return;
		} else if (errno != ECONNABORTED && errno != EINTR) {
			return;
		}
	}
}

int listener_start(struct listener *l, uv_loop_t *loop)
{
	PRE(l->fd >= 0 && l->accepted && l->refused);
	if (uv_poll_init(loop, &l->poll, l->fd) != 0)
		return -1;
	l->polling = true;
	l->poll.data = l;
	l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return uv_poll_start(&l->poll, UV_READABLE, on_ready) == 0 ? 0 : -1;
}

void listener_pause(struct listener *l, bool paused)
{
	if (!l->polling || l->paused == paused)
		return;
	l->paused = paused;
	if (paused)
		(void)uv_poll_stop(&l->poll);
	else
		(void)uv_poll_start(&l->poll, UV_READABLE, on_ready);
}

void listener_stop(struct listener *l)
{
	struct stat st;

	if (l->polling) {
		(void)uv_poll_stop(&l->poll);
		uv_close((uv_handle_t *)&l->poll, NULL);
		l->polling = false;
	}
	/* The file first: whoever finds it gone knows there is no use in connecting. */
	if (l->bound && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		(void)unlink(l->path);
	l->bound = false;
	if (l->fd >= 0)
		(void)close(l->fd);
	if (l->reserve >= 0)
		(void)close(l->reserve);
	l->fd = l->reserve = -1;
}
