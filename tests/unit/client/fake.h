/*
 * A scripted daemon: a thread at the other end of a socketpair that expects given requests and answers canned lines.
 *
 * In a reply "$ID" stands for the request's id. Start it in the test itself: Check forks, and threads do not survive
 * that.
 */
#ifndef ALTERD_TESTS_UNIT_CLIENT_FAKE_H
#define ALTERD_TESTS_UNIT_CLIENT_FAKE_H

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/alterd.h"

struct exchange {
	const char *expect; /* must occur in the request; NULL: do not read one */
	const char *reply;  /* sent as it is; NULL: nothing. "" closes the connection */
};

struct fake {
	int fd;
	const struct exchange *script;
	size_t n;
	pthread_t thread;
	char failure[512]; /* what did not go as written; "" */
	size_t piece;      /* bytes written at once, 0 = all: short reads on the other side */
};

static void fake_write(struct fake *f, const char *reply, long id)
{
	char *text = malloc(strlen(reply) * 8 + 64), *to = text;

	for (const char *p = reply; *p;) {
		if (strncmp(p, "$ID", 3) == 0) {
			to += snprintf(to, 24, "%ld", id);
			p += 3;
		} else {
			*to++ = *p++;
		}
	}
	for (char *p = text; p < to;) {
		size_t n = f->piece && f->piece < (size_t)(to - p) ? f->piece : (size_t)(to - p);
		ssize_t sent = send(f->fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			break;
		p += sent;
	}
	free(text);
}

static void *fake_main(void *arg)
{
	struct fake *f = arg;
	FILE *in = fdopen(dup(f->fd), "r");
	char *line = NULL;
	size_t room = 0;
	long id = 0;

	for (size_t i = 0; i < f->n; i++) {
		const struct exchange *x = &f->script[i];

		if (x->expect) {
			const char *at;

			if (getline(&line, &room, in) <= 0) {
				snprintf(f->failure, sizeof(f->failure), "hung up before: %s", x->expect);
				break;
			}
			if (!strstr(line, x->expect))
				snprintf(f->failure, sizeof(f->failure), "wanted %s, got %.300s", x->expect, line);
			at = strstr(line, "\"id\":");
			id = at ? strtol(at + 5, NULL, 10) : 0;
		}
		if (x->reply && !*x->reply)
			break;
		if (x->reply)
			fake_write(f, x->reply, id);
	}
	shutdown(f->fd, SHUT_RDWR);
	fclose(in);
	free(line);
	return NULL;
}

static struct alterd_conn *fake_start(struct fake *f, const struct exchange *script, size_t n)
{
	struct alterd_conn *c;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	f->fd = fds[0];
	f->script = script;
	f->n = n;
	f->failure[0] = '\0';
	ck_assert_int_eq(pthread_create(&f->thread, NULL, fake_main, f), 0);
	ck_assert_int_eq(alterd_connect_fd(fds[1], &c), 0);
	return c;
}

static void fake_end(struct fake *f, struct alterd_conn *c)
{
	alterd_close(c);
	pthread_join(f->thread, NULL);
	close(f->fd);
	ck_assert_str_eq(f->failure, "");
}

#define START(fake, script) fake_start(fake, script, sizeof(script) / sizeof((script)[0]))
#define RESULT(text) "{\"jsonrpc\":\"2.0\",\"id\":$ID,\"result\":" text "}\n"
#define FAILURE(text) "{\"jsonrpc\":\"2.0\",\"id\":$ID,\"error\":" text "}\n"

#endif
