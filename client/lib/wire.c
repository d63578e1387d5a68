/*
 * One request out, its reply in.
 *
 * A connection waits for one reply at a time. Of what else comes meanwhile events are kept; the rest - the answers to
 * cancels, late answers to requests that were given up - is passed over. Without a timeout a round trip is two system
 * calls: send and recv.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "client/lib/conn.h"
#include "proto/response.h"

/* How long a cancel may wait for room in the socket before it is given up. */
#define CANCEL_WAIT_MS 1000
#define NO_DEADLINE INT64_MAX

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t deadline_in(int timeout_ms) { return timeout_ms < 0 ? NO_DEADLINE : now_ms() + timeout_ms; }

int64_t wire_deadline(int timeout_ms) { return deadline_in(timeout_ms); }

int wire_left_ms(int64_t deadline)
{
	int64_t left = deadline == NO_DEADLINE ? -1 : deadline - now_ms();

	if (deadline != NO_DEADLINE && left < 0)
		left = 0;
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Waits for the events; 1 they came, 0 the deadline did, -1 poll failed. */
static int wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		int left = wire_left_ms(deadline);
		int n = poll(&p, 1, left);

		if (n > 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0 && left >= 0 && now_ms() >= deadline)
			return 0;
	}
}

static int closed(struct alterd_conn *c, const char *doing, int error)
{
	if (error == 0 || error == ECONNRESET || error == EPIPE)
		return conn_broken(c, ALTERD_E_CLOSED, "the daemon closed the connection while %s", doing);
	return conn_broken(c, ALTERD_E_CLOSED, "the connection failed while %s: %s", doing, strerror(error));
}

/* Takes what the socket has. 1: something came, 0: nothing there now, -1: failed. */
static int read_some(struct alterd_conn *c, int flags)
{
	ssize_t n;

	do
		n = recv(c->fd, c->chunk, sizeof(c->chunk), flags);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return closed(c, "waiting for its answer", n < 0 ? errno : 0);
	frame_push(&c->in, c->chunk, (size_t)n);
	return 1;
}

/*
 * Sends the whole of c->out. While the socket is full it reads too: the daemon may be waiting for room to send a late
 * answer before it reads on, and two sides that both only write would wait for each other for ever.
 */
static int send_out(struct alterd_conn *c, int64_t deadline)
{
	size_t sent = 0;

	while (sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + sent, c->out.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		int ready;

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		/* An answer may lie in the socket that says why the daemon hung up: it is read before giving up. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return closed(c, "sending", errno);
		ready = wait_for(c->fd, POLLIN | POLLOUT, deadline);
		if (ready < 0)
			return closed(c, "sending", errno);
		if (ready == 0)
			return conn_broken(c, ALTERD_E_TIMEOUT, "the daemon did not take the request in time");
		if (read_some(c, MSG_DONTWAIT) < 0)
			return -1;
	}
	return 0;
}

/*
 * Looks through the lines that are here, keeping events. 1: *ret is the reply to `id`, 0: it is not among them, -1:
 * failed. With the id 0 it stops at the first event.
 */
static int find_reply(struct alterd_conn *c, int64_t id, struct reply *ret)
{
	for (;;) {
		char *line;
		size_t len;

		switch (frame_next(&c->in, &line, &len)) {
		case FRAME_MORE:
			return 0;
		case FRAME_TOO_LONG:
			return conn_broken(c, ALTERD_E_PROTOCOL, "the daemon sent a line of more than %zu bytes",
					   c->in.limit);
		case FRAME_NO_MEMORY:
			return conn_broken(c, ALTERD_E_NO_MEMORY, "out of memory for the daemon's answer");
		case FRAME_LINE:
			break;
		}
		if (reply_parse(line, len, ret) != 0)
			return conn_broken(c, ALTERD_E_PROTOCOL, "the daemon sent a line that is no reply: %.60s",
					   line);
		if (ret->id_kind == REPLY_NO_ID && ret->params.at && events_keep(c, ret) != 0)
			return -1;
		if (id == 0 && c->events)
			return 1;
		if (ret->id_kind == REPLY_INT_ID && ret->id == id)
			return 1;
		/* A request the daemon could not even read is answered without its id. Only ours can be meant. */
		if (id != 0 && ret->id_kind == REPLY_NULL_ID && ret->error.at)
			return 1;
	}
}

static int send_cancel(struct alterd_conn *c, int64_t id);

/* The waiting is over, the request is not: the daemon is told, and its late answer will be passed over. */
static int gave_up(struct alterd_conn *c, int64_t id, int timeout_ms)
{
	send_cancel(c, id);
	return conn_fail(c, ALTERD_E_TIMEOUT, "no answer from the daemon within %d ms", timeout_ms);
}

static int receive(struct alterd_conn *c, int64_t id, int timeout_ms, int64_t deadline, struct reply *ret)
{
	for (;;) {
		int found = find_reply(c, id, ret);

		if (found != 0)
			return found < 0 ? -1 : 0;
		if (deadline != NO_DEADLINE) {
			int ready = wait_for(c->fd, POLLIN, deadline);

			if (ready < 0)
				return closed(c, "waiting for its answer", errno);
			if (ready == 0)
				return gave_up(c, id, timeout_ms);
		}
		if (read_some(c, deadline == NO_DEADLINE ? 0 : MSG_DONTWAIT) < 0)
			return -1;
	}
}

int wire_listen(struct alterd_conn *c, int timeout_ms)
{
	int64_t deadline = deadline_in(timeout_ms);
	struct reply passed;

	if (c->fd < 0 || c->dead)
		return wire_begin(c, "") < 0 ? -1 : 0;
	for (;;) {
		int found = find_reply(c, 0, &passed);

		if (found != 0)
			return found;
		int ready = wait_for(c->fd, POLLIN, deadline);

		if (ready < 0)
			return closed(c, "waiting for an event", errno);
		if (ready == 0)
			return 0;
		if (read_some(c, MSG_DONTWAIT) < 0)
			return -1;
	}
}

int64_t wire_begin(struct alterd_conn *c, const char *method)
{
	int64_t id;

	if (c->fd < 0 || c->dead) {
		/* Why it broke was told by the call that found it, and stays readable. */
		if (c->failure.code == 0 || c->fd < 0)
			conn_fail(c, ALTERD_E_CLOSED, "not connected to the daemon");
		return -1;
	}
	id = atomic_fetch_add(&c->last_id, 1) + 1;
	buf_reset(&c->out, KEEP_BYTES);
	jw_open(&c->out, '{');
	jw_str(&c->out, "jsonrpc", "2.0");
	jw_int(&c->out, "id", id);
	jw_str(&c->out, "method", method);
	return id;
}

int wire_finish(struct alterd_conn *c, int64_t id, int timeout_ms, struct reply *ret)
{
	int64_t deadline = deadline_in(timeout_ms);
	int failed;

	jw_close(&c->out, '}');
	buf_putc(&c->out, '\n');
	if (c->out.failed)
		return conn_fail(c, ALTERD_E_NO_MEMORY, "out of memory for the request");
	pthread_mutex_lock(&c->send_lock);
	c->in_flight = id;
	failed = send_out(c, deadline);
	pthread_mutex_unlock(&c->send_lock);
	if (failed == 0)
		failed = receive(c, id, timeout_ms, deadline, ret);
	c->in_flight = 0;
	if (failed)
		return -1;
	if (ret->error.at)
		return conn_fail_reply(c, ret->line + ret->error.at);
	if (!ret->result.at)
		return conn_broken(c, ALTERD_E_PROTOCOL, "the daemon sent a reply without a result");
	return 0;
}

/* Caller holds the send lock. Half a line would garble all that follows, so that failing midway ends the connection. */
static int send_whole(struct alterd_conn *c, const struct buf *line)
{
	int64_t deadline = deadline_in(CANCEL_WAIT_MS);
	size_t sent = 0;

	while (sent < line->len) {
		ssize_t n = send(c->fd, line->data + sent, line->len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if ((errno == EAGAIN || errno == EWOULDBLOCK) && wait_for(c->fd, POLLOUT, deadline) == 1)
			continue;
		if (sent > 0) {
			c->dead = true;
			shutdown(c->fd, SHUT_RDWR);
		}
		return -1;
	}
	return 0;
}

static int send_cancel(struct alterd_conn *c, int64_t id)
{
	struct buf line = {0};
	int failed = -1;

	jw_open(&line, '{');
	jw_str(&line, "jsonrpc", "2.0");
	jw_int(&line, "id", atomic_fetch_add(&c->last_id, 1) + 1);
	jw_str(&line, "method", "cancel");
	jw_key(&line, "params");
	jw_open(&line, '{');
	jw_int(&line, "id", id);
	jw_close(&line, '}');
	jw_close(&line, '}');
	buf_putc(&line, '\n');
	pthread_mutex_lock(&c->send_lock);
	if (!line.failed && !c->dead)
		failed = send_whole(c, &line);
	pthread_mutex_unlock(&c->send_lock);
	buf_free(&line);
	return failed;
}

int alterd_cancel(struct alterd_conn *c)
{
	int64_t id = c->fd < 0 ? 0 : (int64_t)c->in_flight;

	return id ? send_cancel(c, id) : 0;
}
