/*
 * Reading, cutting, gathering, writing.
 *
 * Replies of one turn of the loop are gathered in `out` and go out with one write when the turn ends, so that a client
 * that sends ten requests at once costs one system call and not ten. What the socket does not take is handed to libuv;
 * meanwhile new replies gather in `out` again.
 */
#include "daemon/server/connection.h"

#include <unistd.h>

#include "daemon/lib/check.h"
#include "daemon/server/internal.h"
#include "daemon/server/session.h"

static void account(struct connection *c)
{
	size_t now = c->closing ? 0 : connection_output(c);

	INVARIANT(c->server->output_bytes >= c->counted);
	c->server->output_bytes += now - c->counted;
	c->counted = now;
}

static void charge(struct connection *c, size_t bytes)
{
	INVARIANT(c->server->input_charged >= c->charged);
	c->server->input_charged += bytes - c->charged;
	c->charged = bytes;
}

int connection_open(struct connection *c, struct server *server, int fd)
{
	*c = (struct connection){.server = server, .fd = fd};
	frame_init(&c->frame, (size_t)server->config.server_line_limit);
	CHECK(uv_pipe_init(server->loop, &c->pipe, 0) == 0);
	c->pipe.data = c;
	if (uv_pipe_open(&c->pipe, fd) != 0) {
		(void)close(fd);
		return -1;
	}
	return 0;
}

static void on_closed(uv_handle_t *handle) { session_of_connection_closed(handle->data); }

void connection_close(struct connection *c)
{
	if (c->closing)
		return;
	c->closing = true;
	if (list_linked(&c->dirty))
		list_remove(&c->server->dirty, &c->dirty);
	charge(c, 0);
	account(c);
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

void connection_release(struct connection *c)
{
	frame_free(&c->frame);
	buf_free(&c->out);
	buf_free(&c->sending);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct connection *c = handle->data;

	(void)suggested;
	ret->base = c->server->read_buffer;
	ret->len = READ_BYTES;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct connection *c = stream->data;

	if (n == 0)
		return;
	if (n > 0) {
		frame_push(&c->frame, b->base, (size_t)n);
		c->more = true;
		session_of_connection_turn(c);
		return;
	}
	c->reading = false;
	if (n != UV_EOF || peer_state(c->fd) == PEER_GONE) {
		session_of_connection_gone(c);
		return;
	}
	/* Half-closed: nothing will follow, so a last line without its end is a line. */
	c->eof = true;
	if (frame_held(&c->frame) > 0)
		frame_push(&c->frame, "\n", 1);
	c->more = true;
	session_of_connection_turn(c);
}

void connection_reading(struct connection *c, bool wanted)
{
	if (c->closing || c->eof || wanted == c->reading)
		return;
	c->reading = wanted;
	if (!wanted) {
		(void)uv_read_stop((uv_stream_t *)&c->pipe);
		return;
	}
	/* While reading rested, the half line's lateness was not the client's. */
	if (c->half_since_ms != 0)
		c->half_since_ms = uv_now(c->server->loop);
	if (uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read) != 0)
		session_of_connection_gone(c);
}

/* What the half line in hand costs; gives it up where the budget is spent. */
static enum connection_take take_half(struct connection *c)
{
	struct server *server = c->server;
	size_t held = frame_held(&c->frame), bytes = held > LONG_LINE_BYTES ? held : 0;

	c->more = false;
	if (held == 0)
		c->half_since_ms = 0;
	else if (c->half_since_ms == 0)
		c->half_since_ms = uv_now(server->loop);
	if (server->input_charged - c->charged + bytes > (size_t)server->config.server_input_budget) {
		frame_skip(&c->frame);
		c->half_since_ms = 0;
		charge(c, 0);
		return TAKE_BUSY;
	}
	charge(c, bytes);
	return TAKE_NONE;
}

enum connection_take connection_take(struct connection *c, char **ret_line, size_t *ret_len)
{
	switch (frame_next(&c->frame, ret_line, ret_len)) {
	case FRAME_LINE:
		c->half_since_ms = 0;
		charge(c, 0);
		return TAKE_LINE;
	case FRAME_TOO_LONG:
		c->half_since_ms = 0;
		charge(c, 0);
		return TAKE_TOO_LONG;
	case FRAME_NO_MEMORY:
		return TAKE_FAILED;
	case FRAME_MORE:
		break;
	}
	return take_half(c);
}

size_t connection_output(const struct connection *c)
{
	return c->out.len + uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe);
}

void connection_send(struct connection *c, struct buf *reply)
{
	connection_tell(c, reply);
	c->answered = c->put;
}

void connection_tell(struct connection *c, struct buf *reply)
{
	struct buf empty;

	if (c->closing)
		return;
	c->put += reply->len;
	if (c->out.len == 0 && !c->out.failed && reply->len > REPLY_KEPT_BYTES) {
		empty = c->out;
		c->out = *reply;
		*reply = empty;
	} else {
		buf_add(&c->out, reply->data, reply->len);
	}
	account(c);
	if (!list_linked(&c->dirty))
		list_push(&c->server->dirty, &c->dirty);
}

static void flush(struct connection *c);

static void on_written(uv_write_t *request, int status)
{
	struct connection *c = request->data;

	c->writing = false;
	buf_reset(&c->sending, OUTPUT_KEPT_BYTES);
	if (c->closing)
		return;
	if (status < 0) {
		session_of_connection_gone(c);
		return;
	}
	account(c);
	flush(c);
}

/* Hands the rest, from `sent` on, to libuv. */
static int write_rest(struct connection *c, size_t sent)
{
	struct buf empty = c->sending;
	uv_buf_t rest;

	c->sending = c->out;
	c->out = empty;
	rest.base = c->sending.data + sent;
	rest.len = c->sending.len - sent;
	c->write.data = c;
	c->writing = true;
	if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &rest, 1, on_written) != 0) {
		c->writing = false;
		return -1;
	}
	return 0;
}

/* May close the connection; the session is turned in any case, since there may be room again. */
static void flush(struct connection *c)
{
	uv_buf_t all = {.base = c->out.data, .len = c->out.len};
	int sent = 0;

	if (c->closing)
		return;
	if (c->out.failed) {
		session_of_connection_gone(c);
		return;
	}
	if (!c->writing && c->out.len > 0) {
		sent = uv_try_write((uv_stream_t *)&c->pipe, &all, 1);
		if (sent == UV_EAGAIN)
			sent = 0;
		if (sent < 0) {
			session_of_connection_gone(c);
			return;
		}
		if ((size_t)sent == c->out.len) {
			buf_reset(&c->out, OUTPUT_KEPT_BYTES);
		} else if (write_rest(c, (size_t)sent) != 0) {
			session_of_connection_gone(c);
			return;
		}
	}
	account(c);
	session_of_connection_turn(c);
}

void connection_flush_all(struct server *server)
{
	struct list_node *n;

	while ((n = list_pop(&server->dirty)) != NULL)
		flush(LIST_ENTRY(n, struct connection, dirty));
}

bool connection_half_overdue(const struct connection *c, uint64_t now_ms, uint64_t limit_ms)
{
	return c->reading && c->half_since_ms != 0 && now_ms - c->half_since_ms > limit_ms;
}

bool connection_send_overdue(struct connection *c, uint64_t now_ms, uint64_t limit_ms)
{
	size_t output = connection_output(c), waiting = c->put - output < c->answered ? output : 0;

	account(c);
	/* Less than before: the client took some. (More may have come since, which only makes this lenient.) */
	if (waiting == 0 || waiting != c->send_seen || c->send_since_ms == 0) {
		c->send_since_ms = waiting == 0 ? 0 : now_ms;
		c->send_seen = waiting;
		return false;
	}
	return now_ms - c->send_since_ms > limit_ms;
}
