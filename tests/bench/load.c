/*
 * A load generator for alterd, as lean as pgbench: a closed loop over N connections, driven by one or more threads.
 *
 *     load --socket PATH [--mode select|update|ping] [--clients N] [--threads N] [--seconds S] [--warm S]
 *          [--rows N] [--table NAME]
 *
 * Each thread holds its share of the connections in one epoll set; each connection has one request in flight. A request
 * is two fixed pieces of text with two numbers between them. Of every reply it is checked that it is the result of the
 * request it should answer; of every 16th, that the value is right (select: the balance that run.sh stored; update: one
 * row changed). The report is one line of key=value.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/latency.h"
#include "tests/bench/options.h"

#define CHECK_EVERY 16
#define REPLY_MAX 4096
#define REQUEST_MAX 512

enum mode { MODE_SELECT, MODE_UPDATE, MODE_PING };
/* The phase of the run: a reply counts for what it is when it arrives. */
enum phase { PHASE_WARM, PHASE_MEASURE, PHASE_STOP };

struct options {
	const char *socket; /* path */
	const char *table;  /* aid INTEGER PRIMARY KEY, abalance INTEGER */
	enum mode mode;
	const char *mode_name;
	long clients, threads, seconds, warm_seconds, rows;
};

struct conn {
	int fd;
	uint64_t id; /* of the request in flight */
	uint64_t sent_ns;
	int64_t key; /* row asked for */
	size_t have; /* bytes of the reply so far */
	char in[REPLY_MAX];
};

struct worker {
	pthread_t thread;
	const struct options *options;
	struct conn *conns; /* its own; nconns of them */
	int nconns;
	int epoll_fd;
	uint64_t random;
	uint64_t done;   /* replies within the measured time */
	uint64_t acked;  /* results at any time: what the table must show afterwards */
	uint64_t errors; /* error replies, broken connections */
	uint64_t wrong;  /* replies that do not fit their request */
	char first_error[256];
	struct latency latency;
};

static atomic_int phase;

static char head[REQUEST_MAX], tail[] = "]}}\n";
static size_t head_len; /* bytes of `head`, which stands between the id and the key */
static const char start[] = "{\"jsonrpc\":\"2.0\",\"id\":";

static void worker_fail(struct worker *w, const char *what, size_t n)
{
	w->errors++;
	if (!w->first_error[0])
		snprintf(w->first_error, sizeof(w->first_error), "%.*s", (int)n, what);
}

static void make_head(const struct options *o)
{
	int n = 0;
	if (o->mode == MODE_PING)
		n = snprintf(head, sizeof(head), ",\"method\":\"ping\"}\n");
	else if (o->mode == MODE_SELECT)
		n = snprintf(
			head, sizeof(head),
			",\"method\":\"query\",\"params\":{\"sql\":\"SELECT abalance FROM %s WHERE aid=?\",\"bind\":[",
			o->table);
	else
		n = snprintf(
			head, sizeof(head),
			",\"method\":\"exec\",\"params\":{\"sql\":\"UPDATE %s SET abalance=abalance+1 WHERE aid=?\","
			"\"bind\":[",
			o->table);
	if (n < 0 || (size_t)n > sizeof(head) - 64) {
		fprintf(stderr, "--table is too long\n");
		exit(64);
	}
	head_len = (size_t)n;
}

/* Sends the next request of a connection. The socket's buffer is empty then, so waiting for room is the exception. */
static int conn_send(struct worker *w, struct conn *c)
{
	char line[REQUEST_MAX + 128];
	char *p = line;
	memcpy(p, start, sizeof(start) - 1);
	p = put_number(p + sizeof(start) - 1, ++c->id);
	memcpy(p, head, head_len);
	p += head_len;
	if (w->options->mode != MODE_PING) {
		c->key = (int64_t)(random_next(&w->random) % (uint64_t)w->options->rows) + 1;
		p = put_number(p, (uint64_t)c->key);
		memcpy(p, tail, sizeof(tail) - 1);
		p += sizeof(tail) - 1;
	}
	c->have = 0;
	c->sent_ns = now_ns();
	for (const char *q = line; q < p;) {
		ssize_t n = send(c->fd, q, (size_t)(p - q), MSG_NOSIGNAL);
		if (n > 0) {
			q += n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -1;
		struct pollfd wait = {.fd = c->fd, .events = POLLOUT};
		poll(&wait, 1, 1000);
	}
	return 0;
}

/* True if the reply is a result of the request in flight. */
static bool reply_is_result(const struct conn *c)
{
	char expect[64];
	char *p = expect;
	memcpy(p, start, sizeof(start) - 1);
	p = put_number(p + sizeof(start) - 1, c->id);
	memcpy(p, ",\"result\":", 10);
	p += 10;
	size_t n = (size_t)(p - expect);
	return c->have > n && memcmp(c->in, expect, n) == 0;
}

static bool reply_is_right(const struct worker *w, const struct conn *c)
{
	char expect[64];
	if (w->options->mode == MODE_PING)
		return true;
	if (w->options->mode == MODE_UPDATE)
		snprintf(expect, sizeof(expect), "\"changes\":1,");
	else
		snprintf(expect, sizeof(expect), "\"rows\":[[%lld]]", (long long)first_balance(c->key));
	return memmem(c->in, c->have, expect, strlen(expect)) != NULL;
}

static void take_reply(struct worker *w, struct conn *c, uint64_t at_ns)
{
	if (!reply_is_result(c)) {
		worker_fail(w, c->in, c->have - 1);
		return;
	}
	w->acked++;
	if (c->id % CHECK_EVERY == 0 && !reply_is_right(w, c)) {
		w->wrong++;
		if (!w->first_error[0])
			snprintf(w->first_error, sizeof(w->first_error), "row %lld: %.*s", (long long)c->key,
				 (int)(c->have - 1), c->in);
	}
	if (atomic_load_explicit(&phase, memory_order_relaxed) == PHASE_MEASURE) {
		w->done++;
		latency_add(&w->latency, at_ns - c->sent_ns);
	}
}

/* Reads what has come. Returns 1 when the reply is whole, 0 when more must come, -1 when the connection is lost. */
static int conn_read(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->have, sizeof(c->in) - c->have, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	c->have += (size_t)n;
	if (c->in[c->have - 1] == '\n')
		return 1;
	return c->have < sizeof(c->in) ? 0 : -1;
}

static void worker_round(struct worker *w, int *live)
{
	struct epoll_event events[64];
	int n = epoll_wait(w->epoll_fd, events, 64, 1000);
	for (int i = 0; i < n; i++) {
		struct conn *c = events[i].data.ptr;
		int got = conn_read(c);
		if (got > 0) {
			take_reply(w, c, now_ns());
			if (atomic_load_explicit(&phase, memory_order_relaxed) == PHASE_STOP) {
				(*live)--;
				continue;
			}
			got = conn_send(w, c);
		}
		if (got < 0) {
			const char *text = strerror(errno);
			worker_fail(w, text, strlen(text));
			epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
			(*live)--;
		}
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	int live = w->nconns;
	for (int i = 0; i < w->nconns; i++)
		if (conn_send(w, &w->conns[i]) < 0) {
			worker_fail(w, "send failed", 11);
			live--;
		}
	/* An answer that never comes must not hang the bench: the round's own time-out and this limit end it. */
	uint64_t give_up_ns = 0;
	while (live > 0) {
		worker_round(w, &live);
		if (atomic_load_explicit(&phase, memory_order_relaxed) != PHASE_STOP)
			continue;
		if (!give_up_ns)
			give_up_ns = now_ns() + 10000000000u;
		if (now_ns() > give_up_ns) {
			worker_fail(w, "no answer within 10 s", 21);
			break;
		}
	}
	return NULL;
}

static int open_socket(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(a.sun_path)) {
		fprintf(stderr, "%s: socket path is too long\n", path);
		exit(64);
	}
	memcpy(a.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static void worker_open(struct worker *w, const struct options *o, long index)
{
	w->options = o;
	w->random = 88172645463325252u + (uint64_t)index * 7919u + (uint64_t)getpid();
	w->nconns = (int)(o->clients / o->threads + (index < o->clients % o->threads));
	w->conns = calloc((size_t)w->nconns, sizeof(*w->conns));
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!w->conns || w->epoll_fd < 0) {
		perror("load");
		exit(1);
	}
	for (int i = 0; i < w->nconns; i++) {
		struct conn *c = &w->conns[i];
		c->fd = open_socket(o->socket);
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
		/* Non-blocking from here on; the connect above waits. */
		if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0) {
			perror("load");
			exit(1);
		}
	}
}

static void pause_for(long seconds)
{
	struct timespec t = {.tv_sec = seconds};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

static int report(const struct options *o, const struct worker *workers, double seconds)
{
	static struct latency all;
	uint64_t done = 0, acked = 0, errors = 0, wrong = 0;
	const char *first = "";
	for (long i = 0; i < o->threads; i++) {
		const struct worker *w = &workers[i];
		latency_merge(&all, &w->latency);
		done += w->done;
		acked += w->acked;
		errors += w->errors;
		wrong += w->wrong;
		if (!first[0])
			first = w->first_error;
	}
	printf("mode=%s clients=%ld threads=%ld seconds=%.2f ops=%llu acked=%llu errors=%llu wrong=%llu tps=%.0f "
	       "p50_us=%.1f p99_us=%.1f max_us=%.1f\n",
	       o->mode_name, o->clients, o->threads, seconds, (unsigned long long)done, (unsigned long long)acked,
	       (unsigned long long)errors, (unsigned long long)wrong, (double)done / seconds,
	       (double)latency_quantile(&all, 0.5) / 1e3, (double)latency_quantile(&all, 0.99) / 1e3,
	       (double)all.max_ns / 1e3);
	if (first[0])
		fprintf(stderr, "load: %s\n", first);
	return errors || wrong || !done;
}

static struct options options = {
	.table = "pgbench_accounts",
	.clients = 8,
	.threads = 1,
	.seconds = 5,
	.warm_seconds = 1,
	.rows = 1000000,
	.mode = MODE_SELECT,
	.mode_name = "select",
};

static void parse_mode(const char *text)
{
	static const char *const names[] = {[MODE_SELECT] = "select", [MODE_UPDATE] = "update", [MODE_PING] = "ping"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			options.mode = (enum mode)i;
			options.mode_name = names[i];
			return;
		}
	fprintf(stderr, "--mode: select, update or ping\n");
	exit(64);
}

static void parse(int argc, char **argv)
{
	static const char usage[] =
		"usage: load --socket PATH [--mode select|update|ping] [--clients N] [--threads N]\n"
		"            [--seconds S] [--warm S] [--rows N] [--table NAME]\n";
	static const struct bench_option table[] = {
		{"--socket", OPTION_TEXT, {.text = &options.socket}, 0, 0},
		{"--mode", OPTION_CALL, {.call = parse_mode}, 0, 0},
		{"--clients", OPTION_NUMBER, {.number = &options.clients}, 1, 10000},
		{"--threads", OPTION_NUMBER, {.number = &options.threads}, 1, 64},
		{"--seconds", OPTION_NUMBER, {.number = &options.seconds}, 1, 86400},
		{"--warm", OPTION_NUMBER, {.number = &options.warm_seconds}, 0, 3600},
		{"--rows", OPTION_NUMBER, {.number = &options.rows}, 1, 1000000000},
		{"--table", OPTION_TEXT, {.text = &options.table}, 0, 0},
		{NULL, OPTION_FLAG, {NULL}, 0, 0},
	};
	int rest = options_parse(argc, argv, table, usage);
	if (!options.socket || rest != argc || options.threads > options.clients) {
		fputs(usage, stderr);
		exit(64);
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	const struct options *o = &options;
	make_head(o);
	struct worker *workers = calloc((size_t)o->threads, sizeof(*workers));
	if (!workers) {
		perror("load");
		return 1;
	}
	for (long i = 0; i < o->threads; i++)
		worker_open(&workers[i], o, i);
	for (long i = 0; i < o->threads; i++)
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0) {
			fprintf(stderr, "load: no thread\n");
			return 1;
		}
	pause_for(o->warm_seconds);
	uint64_t from_ns = now_ns();
	atomic_store(&phase, PHASE_MEASURE);
	pause_for(o->seconds);
	atomic_store(&phase, PHASE_STOP);
	double seconds = (double)(now_ns() - from_ns) / 1e9;
	for (long i = 0; i < o->threads; i++)
		pthread_join(workers[i].thread, NULL);
	int bad = report(o, workers, seconds);
	for (long i = 0; i < o->threads; i++) {
		for (int k = 0; k < workers[i].nconns; k++)
			close(workers[i].conns[k].fd);
		close(workers[i].epoll_fd);
		free(workers[i].conns);
	}
	free(workers);
	return bad;
}
