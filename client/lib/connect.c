/* Finding the socket, connecting, introducing oneself, hanging up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/lib/conn.h"
#include "client/lib/jread.h"
#include "proto/response.h"

#define SYSTEM_SOCKET "/run/alterd/alterd.sock"
/* A daemon whose queue of new connections stays full for so long is as good as not there. */
#define CONNECT_WAIT_S 10

_Static_assert(sizeof(((struct alterd_conn *)0)->path) == sizeof(((struct sockaddr_un *)0)->sun_path),
	       "a path that fits here fits the address");

/* Writes the path into c->path. -1: it does not fit. */
static int choose_path(struct alterd_conn *c, const char *path)
{
	const char *env = getenv("ALTERD_SOCKET"), *user = getenv("XDG_RUNTIME_DIR");
	int n;

	if (path && *path)
		n = snprintf(c->path, sizeof(c->path), "%s", path);
	else if (env && *env)
		n = snprintf(c->path, sizeof(c->path), "%s", env);
	else if (access(SYSTEM_SOCKET, F_OK) == 0 || errno == EACCES || !user || !*user)
		n = snprintf(c->path, sizeof(c->path), "%s", SYSTEM_SOCKET);
	else
		n = snprintf(c->path, sizeof(c->path), "%s/alterd/alterd.sock", user);
	if (n < 0 || (size_t)n >= sizeof(c->path))
		return conn_fail(c, ALTERD_E_MISUSE,
				 "the socket's path has %d bytes; a Unix socket's has at most %zu: %s", n,
				 sizeof(c->path) - 1, c->path);
	return 0;
}

static int connect_failed(struct alterd_conn *c, int error)
{
	const char *why = strerror(error);

	switch (error) {
	case EACCES:
	case EPERM:
		return conn_fail(c, ALTERD_E_REFUSED, "no permission to use %s", c->path);
	case ENOENT:
		why = "there is no such socket";
		break;
	case ECONNREFUSED:
		why = "nobody listens there";
		break;
	case EAGAIN:
		why = "the daemon does not take new connections";
		break;
	case EPROTOTYPE:
		why = "it is a socket of another type";
		break;
	}
	return conn_fail(c, ALTERD_E_UNREACHABLE, "no alterd at %s: %s", c->path, why);
}

static int connect_path(struct alterd_conn *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = CONNECT_WAIT_S}, none = {0};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), failed, error;

	if (fd < 0)
		return conn_fail(c, ALTERD_E_UNREACHABLE, "no socket: %s", strerror(errno));
	memcpy(address.sun_path, c->path, sizeof(address.sun_path));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	do
		failed = connect(fd, (struct sockaddr *)&address, sizeof(address));
	while (failed && errno == EINTR);
	if (failed) {
		error = errno;
		close(fd);
		return connect_failed(c, error);
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
	c->fd = fd;
	return 0;
}

static struct alterd_conn *conn_new(int fd)
{
	struct alterd_conn *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	/* The large chunk at the end needs no zeroes. */
	memset(c, 0, offsetof(struct alterd_conn, chunk));
	c->fd = fd;
	c->timeout_ms = -1;
	c->events_end = &c->events;
	pthread_mutex_init(&c->send_lock, NULL);
	frame_init(&c->in, REPLY_BYTES_MAX);
	return c;
}

int alterd_connect(const char *path, struct alterd_conn **ret)
{
	struct alterd_conn *c = *ret = conn_new(-1);

	if (!c || choose_path(c, path) != 0)
		return -1;
	return connect_path(c);
}

int alterd_connect_fd(int fd, struct alterd_conn **ret)
{
	*ret = conn_new(fd);
	if (!*ret) {
		close(fd);
		return -1;
	}
	return 0;
}

void alterd_close(struct alterd_conn *c)
{
	if (!c)
		return;
	results_detach(c);
	events_free(c);
	if (c->fd >= 0)
		close(c->fd);
	frame_free(&c->in);
	buf_free(&c->out);
	buf_free(&c->failure.data);
	pthread_mutex_destroy(&c->send_lock);
	free(c);
}

/* A string member of hello's answer; "" if it is missing. */
static void take(char *object, const char *key, char *to, size_t size)
{
	char *p = jr_member(object, key);
	const char *end;

	*to = '\0';
	/* Read without decoding: the members behind it are still to be found, and such words hold no escapes. */
	end = p && *p == '"' ? strchr(p + 1, '"') : NULL;
	if (end)
		snprintf(to, size, "%.*s", (int)(end - p - 1 < (long)size ? end - p - 1 : (long)size), p + 1);
}

int alterd_hello(struct alterd_conn *c, const char *client, int flags, int64_t expect_version)
{
	int64_t id = wire_begin(c, "hello");
	struct buf *out = &c->out;
	struct reply reply;

	if (id < 0)
		return -1;
	jw_key(out, "params");
	jw_open(out, '{');
	jw_key(out, "protocol");
	buf_puts(out, "[1,1]");
	if (client)
		jw_str(out, "client", client);
	if (flags & ALTERD_READONLY)
		jw_bool(out, "readonly", true);
	if (expect_version >= 0)
		jw_int(out, "expect_version", expect_version);
	jw_close(out, '}');
	if (wire_finish(c, id, c->timeout_ms, &reply) != 0)
		return -1;
	take(reply.line + reply.result.at, "server", c->server, sizeof(c->server));
	take(reply.line + reply.result.at, "session", c->session, sizeof(c->session));
	take(reply.line + reply.result.at, "role", c->role, sizeof(c->role));
	return 0;
}

int alterd_set_timeout(struct alterd_conn *c, int timeout_ms)
{
	if (timeout_ms == 0 || timeout_ms < -1)
		return conn_fail(c, ALTERD_E_MISUSE, "a timeout of %d ms", timeout_ms);
	c->timeout_ms = timeout_ms;
	return 0;
}

int alterd_set_statement_timeout(struct alterd_conn *c, int timeout_ms)
{
	if (timeout_ms < 0)
		return conn_fail(c, ALTERD_E_MISUSE, "a statement timeout of %d ms", timeout_ms);
	c->statement_timeout_ms = timeout_ms;
	return 0;
}

int alterd_fd(const struct alterd_conn *c) { return c->fd; }

const char *alterd_path(const struct alterd_conn *c) { return c->path; }

const char *alterd_server(const struct alterd_conn *c) { return c->server; }

const char *alterd_session(const struct alterd_conn *c) { return c->session; }

const char *alterd_role(const struct alterd_conn *c) { return c->role; }

const char *alterd_version(void) { return ALTERD_VERSION; }
