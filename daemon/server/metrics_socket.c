/*
 * One request a connection: its head is read, answered, and what else the client sends is dropped until it hangs up (to
 * close at once would take the answer away from it).
 */
#include "daemon/server/metrics_socket.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/lib/check.h"
#include "daemon/lib/log.h"
#include "daemon/server/internal.h"
#include "daemon/server/metrics.h"

#define PATH "/metrics"

struct scrape {
	struct list_node node; /* in metrics_socket.scrapes */
	struct metrics_socket *m;
	uv_pipe_t pipe;
	uv_write_t write;
	uv_shutdown_t shutdown;
	uint64_t until_ms;
	bool answered, closing;
	struct buf reply;
	size_t n; /* of `head` */
	char head[SCRAPE_HEAD_BYTES];
};

/* ---- the request ---- */

/* The next word of the line, up to a single blank. NULL: there is none. */
static const char *next_word(const char **at, const char *end, size_t *ret_n)
{
	const char *begin = *at, *p = begin;

	while (p < end && p[0] > ' ' && p[0] < 0x7f)
		p++;
	*ret_n = (size_t)(p - begin);
	if (p < end && p[0] == ' ' && p > begin)
		p++;
	*at = p;
	return *ret_n > 0 ? begin : NULL;
}

static bool is(const char *p, size_t n, const char *text) { return n == strlen(text) && memcmp(p, text, n) == 0; }

int metrics_socket_status(const char *head, size_t n, bool *ret_body)
{
	const char *end = memchr(head, '\n', n), *at = head;
	size_t method_n, path_n, version_n;

	*ret_body = true;
	if (!end)
		return 400;
	if (end > head && end[-1] == '\r')
		end--;
	const char *method = next_word(&at, end, &method_n), *path = next_word(&at, end, &path_n),
		   *version = next_word(&at, end, &version_n);
	if (!method || !path || !version || at != end || path[0] != '/' || version_n != 8 ||
	    memcmp(version, "HTTP/1.", 7) != 0)
		return 400;
	for (size_t i = 0; i < method_n; i++)
		if (method[i] < 'A' || method[i] > 'Z')
			return 400;
	*ret_body = !is(method, method_n, "HEAD");
	const char *query = memchr(path, '?', path_n);
	if (!is(path, query ? (size_t)(query - path) : path_n, PATH))
		return 404;
	return !*ret_body || is(method, method_n, "GET") ? 200 : 405;
}

static bool head_ended(const struct scrape *s)
{
	return memmem(s->head, s->n, "\n\r\n", 3) || memmem(s->head, s->n, "\n\n", 2);
}

/* ---- its end ---- */

static void let_in(struct metrics_socket *m)
{
	listener_pause(&m->listener, m->left <= 0 || m->scrapes.count >= SCRAPES_MAX);
}

static void on_closed(uv_handle_t *handle)
{
	struct scrape *s = handle->data;

	buf_free(&s->reply);
	free(s);
}

static void end_scrape(struct scrape *s)
{
	struct metrics_socket *m = s->m;

	if (s->closing)
		return;
	s->closing = true;
	m->server->stats.scrapes_refused_total += !s->answered;
	list_remove(&m->scrapes, &s->node);
	uv_close((uv_handle_t *)&s->pipe, on_closed);
	if (m->open)
		let_in(m);
}

/* ---- the answer ---- */

static const char *fresh_text(struct metrics_socket *m, size_t *ret_n)
{
	uint64_t now = uv_now(m->server->loop);

	if (m->text.len == 0 || now - m->text_ms >= SCRAPE_FRESH_MS) {
		buf_reset(&m->text, OUTPUT_KEPT_BYTES);
		metrics_write(m->server, &m->text);
		m->text_ms = now;
	}
	*ret_n = m->text.len;
	return m->text.data;
}

static const char *status_text(int status)
{
	switch (status) {
	case 200:
		return "200 OK";
	case 404:
		return "404 Not Found";
	case 405:
		return "405 Method Not Allowed";
	case 408:
		return "408 Request Timeout";
	case 431:
		return "431 Request Header Fields Too Large";
	default:
		return "400 Bad Request";
	}
}

static void on_shut_down(uv_shutdown_t *shutdown, int status)
{
	struct scrape *s = shutdown->data;

	/* From here on only the client's own end is waited for. */
	if (status < 0)
		end_scrape(s);
}

static void on_written(uv_write_t *write, int status)
{
	struct scrape *s = write->data;

	if (s->closing)
		return;
	s->shutdown.data = s;
	if (status < 0 || uv_shutdown(&s->shutdown, (uv_stream_t *)&s->pipe, on_shut_down) != 0)
		end_scrape(s);
}

static void answer(struct scrape *s, int status, bool body)
{
	const char *text = "see GET " PATH "\n", *type = "text/plain; charset=utf-8";
	size_t n = strlen(text);

	s->answered = true;
	if (status == 200) {
		text = fresh_text(s->m, &n);
		type = METRICS_CONTENT_TYPE;
	} else {
		s->m->server->stats.scrapes_refused_total++;
	}
	buf_printf(&s->reply, "HTTP/1.0 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
		   status_text(status), type, n, status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (body)
		buf_add(&s->reply, text, n);
	uv_buf_t out = uv_buf_init(s->reply.data, (unsigned)s->reply.len);
	s->write.data = s;
	if (s->reply.failed || uv_write(&s->write, (uv_stream_t *)&s->pipe, &out, 1, on_written) != 0)
		end_scrape(s);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct scrape *s = handle->data;

	(void)suggested;
	if (s->answered)
		*ret = uv_buf_init(s->m->server->read_buffer, READ_BYTES);
	else
		*ret = uv_buf_init(s->head + s->n, (unsigned)(sizeof s->head - s->n));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
	struct scrape *s = stream->data;
	bool body;

	(void)b;
	if (n == 0)
		return;
	if (n < 0 && (s->answered || s->n == 0 || n != UV_EOF)) {
		end_scrape(s);
		return;
	}
	if (s->answered)
		return; /* dropped */
	s->n += n > 0 ? (size_t)n : 0;
	if (n == UV_EOF || head_ended(s)) {
		int status = metrics_socket_status(s->head, s->n, &body);
		answer(s, status, body);
	} else if (s->n == sizeof s->head) {
		answer(s, 431, true);
	}
}

/* ---- connections ---- */

static void on_accepted(void *arg, int fd)
{
	struct metrics_socket *m = arg;
	struct scrape *s = malloc(sizeof *s);

	m->left--;
	m->server->stats.scrapes_total++;
	if (!s) {
		(void)close(fd);
		m->server->stats.scrapes_refused_total++;
		return;
	}
	memset(s, 0, offsetof(struct scrape, head));
	s->m = m;
	s->until_ms = uv_now(m->server->loop) + SCRAPE_MS;
	CHECK(uv_pipe_init(m->server->loop, &s->pipe, 0) == 0);
	s->pipe.data = s;
	list_push(&m->scrapes, &s->node);
	if (uv_pipe_open(&s->pipe, fd) != 0) {
		(void)close(fd);
		end_scrape(s);
	} else if (uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read) != 0) {
		end_scrape(s);
	}
	let_in(m);
}

static void on_refused(void *arg, int fd)
{
	struct metrics_socket *m = arg;

	m->server->stats.scrapes_total++;
	m->server->stats.scrapes_refused_total++;
	(void)close(fd);
}

int metrics_socket_open(struct server *server, int *ret_exit, struct error *err)
{
	struct metrics_socket *m = &server->metrics;
	const struct config *c = &server->config;

	if (c->server_metrics_socket[0] == '\0')
		return 0;
	*m = (struct metrics_socket){.server = server, .left = SCRAPES_A_SWEEP};
	list_init(&m->scrapes);
	m->listener = (struct listener){.fd = -1, .reserve = -1};
	m->listener.accepted = on_accepted;
	m->listener.refused = on_refused;
	m->listener.arg = m;
	if (listener_bind(&m->listener, c->server_metrics_socket, (mode_t)c->server_metrics_mode, SCRAPES_MAX, ret_exit,
			  err) != 0)
		return -1;
	if (listener_start(&m->listener, server->loop) != 0) {
		listener_stop(&m->listener);
		*ret_exit = EX_OSERR;
		return error_set(err, ERRC_INTERNAL, "the metrics socket cannot be watched");
	}
	m->open = true;
	log_info("server", "metrics are on %s", c->server_metrics_socket);
	return 0;
}

void metrics_socket_sweep(struct metrics_socket *m)
{
	if (!m->open)
		return;
	uint64_t now = uv_now(m->server->loop);
	m->left = SCRAPES_A_SWEEP;
	for (struct list_node *n = list_first(&m->scrapes), *next; n; n = next) {
		struct scrape *s = LIST_ENTRY(n, struct scrape, node);

		next = list_next(&m->scrapes, n);
		if (now < s->until_ms)
			continue;
		/* Half a request is told so, and has a moment to take that. */
		if (!s->answered && s->n > 0) {
			s->until_ms = now + LAST_ANSWER_MS;
			answer(s, 408, true);
		} else {
			end_scrape(s);
		}
	}
	let_in(m);
}

void metrics_socket_close(struct metrics_socket *m)
{
	if (!m->open)
		return;
	m->open = false;
	listener_stop(&m->listener);
	for (struct list_node *n; (n = list_first(&m->scrapes));)
		end_scrape(LIST_ENTRY(n, struct scrape, node));
	buf_free(&m->text);
}
