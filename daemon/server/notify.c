/*
 * sd_notify(3) and sd_listen_fds(3) by hand: environment variables and one datagram, both under systemd's stability
 * promise. The variables are removed once read, so that nothing this process may ever start speaks in its name.
 */
#include "daemon/server/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/lib/clock.h"

#define LISTEN_FD_FIRST 3

/* A positive decimal number; 0 if the text is none. */
static uint64_t parse_number(const char *text)
{
	char *end;
	unsigned long long v;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	return errno || *end ? 0 : v;
}

static bool is_for_us(const char *pid) { return pid && parse_number(pid) == (uint64_t)getpid(); }

void notify_open(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET"), *pid = getenv("WATCHDOG_PID");
	size_t len = path ? strlen(path) : 0;

	*n = (struct notify){.fd = -1};
	if ((!pid || is_for_us(pid)) && path)
		n->watchdog_ms = parse_number(getenv("WATCHDOG_USEC")) / 1000 / 2;
	if (len > 1 && len < sizeof n->address.sun_path && (path[0] == '/' || path[0] == '@')) {
		n->address.sun_family = AF_UNIX;
		memcpy(n->address.sun_path, path, len);
		/* An abstract name begins with a NUL and has no end but its length. */
		if (path[0] == '@')
			n->address.sun_path[0] = '\0';
		n->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
		n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	}
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		(void)close(n->fd);
	n->fd = -1;
}

void notify_send(struct notify *n, const char *format, ...)
{
	char text[512];
	va_list args;
	int len;

	if (n->fd < 0)
		return;
	va_start(args, format);
	len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (len <= 0 || (size_t)len >= sizeof text)
		return;
	(void)sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL, (const struct sockaddr *)&n->address, n->address_len);
}

void notify_reloading(struct notify *n)
{
	notify_send(n, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_ns() / NS_PER_US);
}

void notify_status(struct notify *n, const char *line)
{
	char cut[sizeof n->status];

	(void)snprintf(cut, sizeof cut, "%s", line);
	if (n->fd < 0 || strcmp(cut, n->status) == 0)
		return;
	memcpy(n->status, cut, sizeof cut);
	notify_send(n, "STATUS=%s", n->status);
}

void notify_watchdog(struct notify *n, uint64_t now_ms, uint64_t beat)
{
	if (n->watchdog_ms == 0 || now_ms - n->fed_ms < n->watchdog_ms)
		return;
	/* A loop that turns while the writer is stuck is the failure that matters, so the writer must have moved. */
	if (beat == n->beat)
		return;
	n->beat = beat;
	n->fed_ms = now_ms;
	notify_send(n, "WATCHDOG=1");
}

uint64_t notify_every(const struct notify *n, uint64_t most)
{
	uint64_t often = n->watchdog_ms / 2;

	if (n->watchdog_ms == 0 || often > most)
		return most;
	return often > 0 ? often : 1;
}

void notify_patience(struct notify *n, uint64_t now_ms, uint64_t work)
{
	if (n->fd < 0 || work == n->work || now_ms + NOTIFY_PATIENCE_MS / 2 < n->patient_ms)
		return;
	n->work = work;
	n->patient_ms = now_ms + NOTIFY_PATIENCE_MS;
	notify_send(n, "EXTEND_TIMEOUT_USEC=%" PRIu64, NOTIFY_PATIENCE_MS * 1000);
}

static bool is_listening_stream(int fd)
{
	int family = 0, type = 0, listening = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

int notify_listen_fd(void)
{
	bool ours = is_for_us(getenv("LISTEN_PID"));
	uint64_t count = ours ? parse_number(getenv("LISTEN_FDS")) : 0;
	int fd = LISTEN_FD_FIRST;

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	if (count == 0)
		return -1;
	if (count != 1 || !is_listening_stream(fd))
		return -2;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
		return -2;
	return fd;
}
