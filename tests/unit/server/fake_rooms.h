/*
 * A store and a migrator that do nothing by themselves, and a client on the other end of a socket pair: the server's
 * rooms without SQLite and without threads. Submitted jobs gather in `jobs`; a test answers them one by one.
 * Included once by each test program, which thereby links none of the real ones.
 */
#ifndef ALTERD_TESTS_FAKE_ROOMS_H
#define ALTERD_TESTS_FAKE_ROOMS_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/histogram.h"
#include "daemon/server/handlers.h"
#include "daemon/server/internal.h"
#include "daemon/server/line.h"
#include "daemon/server/session.h"

/* ---- the store ---- */

static struct sql_job *jobs[256];
static size_t njobs;
static size_t ends, sweeps; /* SQL_END and SQL_SWEEP that came */
static enum stop_reason stopped;
static bool fake_open, fake_due;
static struct migrator_wait *waiter;
static size_t forgotten;

void sql_session_init(struct sql_session *session, uint64_t id)
{
	*session = (struct sql_session){.id = id};
	list_init(&session->cursors);
}

void sql_submit(struct store *s, struct sql_job *job)
{
	(void)s;
	ck_assert_uint_lt(njobs, 256);
	ends += job->kind == SQL_END;
	sweeps += job->kind == SQL_SWEEP;
	jobs[njobs++] = job;
}

bool sql_session_due(const struct sql_session *session, uint64_t now_ns)
{
	(void)session;
	(void)now_ns;
	return fake_due;
}

bool sql_session_open(const struct sql_session *session)
{
	(void)session;
	return fake_open;
}

void sql_on_expired(struct store *s, void (*expired)(void *, uint64_t, const char *), void *arg)
{
	(void)s;
	(void)expired;
	(void)arg;
}

void sql_session_expire(struct sql_session *session, uint64_t tx_serial, const char *text)
{
	ck_assert_uint_eq(session->tx_serial, tx_serial);
	session->tx = TX_FAILED;
	session->tx_serial = 0;
	(void)snprintf(session->tx_gone, sizeof session->tx_gone, "%s", text);
}

void store_stop(struct store *s, struct job *job, enum stop_reason why)
{
	(void)s;
	job_stop(job, why);
	stopped = why;
}

int store_open(const struct store_config *c, uv_loop_t *loop, struct store **ret, int *ret_exit, struct error *err)
{
	(void)c;
	(void)loop;
	(void)ret;
	(void)ret_exit;
	(void)err;
	return -1;
}

static bool drained;
void store_drain(struct store *s)
{
	(void)s;
	drained = true;
}

void store_close(struct store *s) { (void)s; }

static int64_t reconfigured_pinned;
void store_reconfigure(struct store *s, const struct store_config *config)
{
	(void)s;
	reconfigured_pinned = config->pinned_max;
}

void store_stats(struct store *s, struct store_stats *ret)
{
	(void)s;
	*ret = (struct store_stats){.queries_total = 7};
}

uint64_t store_pulse(struct store *s)
{
	(void)s;
	return 1;
}

static struct histogram fake_times;
const struct histogram *store_wait_times(const struct store *s)
{
	(void)s;
	return &fake_times;
}

const struct histogram *store_query_times(const struct store *s)
{
	(void)s;
	return &fake_times;
}

uint64_t store_client_wait_ns(const struct store *s)
{
	(void)s;
	return 0;
}

const char *store_wal_problem(struct store *s)
{
	(void)s;
	return NULL;
}

static bool counts_asked, counts; /* changes are to be counted; are counted */
static void (*tell_committed)(void *arg, const struct changes *changes);
static void (*tell_counting)(void *arg);
static void *changes_arg;

void store_on_changes(struct store *s, void (*committed)(void *arg, const struct changes *changes),
		      void (*counting)(void *arg), void *arg)
{
	(void)s;
	tell_committed = committed;
	tell_counting = counting;
	changes_arg = arg;
}

void store_count_changes(struct store *s, bool on)
{
	(void)s;
	counts_asked = on;
	counts = counts && on;
}

bool store_counts_changes(struct store *s)
{
	(void)s;
	return counts;
}

static struct mail *posted[1024];
static size_t nposted;

void store_post(struct store *s, struct mail *mail)
{
	(void)s;
	ck_assert_uint_lt(nposted, 1024);
	posted[nposted++] = mail;
}

const char *store_sqlite_version(void) { return "3.0.0"; }

static struct histogram fake_times;
const struct histogram *store_times(const struct store *s, enum store_times which)
{
	(void)s;
	(void)which;
	return &fake_times;
}

int store_statements(const struct store *s, const char *by, int64_t limit, struct buf *out, struct error *err)
{
	(void)s;
	(void)err;
	buf_printf(out, "{\"by\":\"%s\",\"limit\":%lld}", by, (long long)limit);
	return 0;
}

void store_statements_reset(struct store *s) { (void)s; }

/* ---- the migrator ---- */

int migrator_open(struct store *s, uv_loop_t *loop, const struct migrator_config *config, struct migrator **ret,
		  struct error *err)
{
	(void)s;
	(void)loop;
	(void)config;
	(void)ret;
	(void)err;
	return -1;
}

void migrator_close(struct migrator *m, void (*closed)(void *arg), void *arg)
{
	(void)m;
	closed(arg);
}

void migrator_reconfigure(struct migrator *m, const struct migrator_config *config)
{
	(void)m;
	(void)config;
}

void migrator_alter(struct migrator *m, const struct params *params, uint32_t uid, struct migrator_wait *w)
{
	(void)m;
	(void)uid;
	if (params_has(params, PARAM_WAIT) && params->wait) {
		waiter = w;
		return;
	}
	buf_puts(w->out, "{\"job\":\"m1\"}");
	w->done(w);
}

void migrator_files(struct migrator *m, const struct request *request, uint32_t uid, struct migrator_wait *w)
{
	(void)m;
	(void)uid;
	buf_printf(w->out, "{\"files\":%zu}", request->params.nfiles);
	w->done(w);
}

void migrator_upkeep(struct migrator *m, const struct request *request, struct migrator_wait *w)
{
	(void)m;
	(void)request;
	buf_puts(w->out, "{}");
	w->done(w);
}

void migrator_upkeep_state(const struct migrator *m, struct buf *out)
{
	(void)m;
	buf_puts(out, "null");
}

void migrator_backup(struct migrator *m, const struct request *request, struct migrator_wait *w)
{
	(void)m;
	(void)request;
	buf_puts(w->out, "{}");
	w->done(w);
}

void migrator_advise(struct migrator *m, int64_t limit, struct migrator_wait *w)
{
	(void)m;
	buf_printf(w->out, "{\"limit\":%lld}", (long long)limit);
	w->done(w);
}

bool migrator_fresh(const struct migrator *m)
{
	(void)m;
	return false;
}

void migrator_start_up(struct migrator *m, void (*ended)(void *arg), void *arg)
{
	(void)m;
	ended(arg);
}

void migrator_forget(struct migrator *m, struct migrator_wait *w)
{
	(void)m;
	ck_assert_ptr_eq(w, waiter);
	waiter = NULL;
	forgotten++;
}

void migrator_abort(struct migrator *m, const struct params *params, struct migrator_wait *w)
{
	(void)m;
	(void)params;
	waiter = w;
}

void migrator_control(struct migrator *m, const struct request *request, struct migrator_wait *w)
{
	(void)m;
	if (request->op == OP_MIGRATE_PAUSE)
		error_set(&w->err, ERRC_NOT_FOUND, "no job runs");
	else
		buf_puts(w->out, "{}");
	w->done(w);
}

void migrator_status(const struct migrator *m, struct buf *out)
{
	(void)m;
	buf_puts(out, "{}");
}

void migrator_history(const struct migrator *m, struct buf *out)
{
	(void)m;
	buf_puts(out, "{}");
}

void migrator_job(const struct migrator *m, struct buf *out)
{
	(void)m;
	buf_puts(out, "null");
}

void migrator_problems(const struct migrator *m, struct buf *out)
{
	(void)m;
	buf_puts(out, "[]");
}

const char *migrator_pending(const struct migrator *m)
{
	(void)m;
	return "[]";
}

void migrator_line(const struct migrator *m, char *out, size_t size)
{
	(void)m;
	(void)snprintf(out, size, "idle");
}

static const struct migrator_listener *listener;
static bool listens_jobs, listens_schema, schema_seen;

void migrator_listen(struct migrator *m, const struct migrator_listener *l, bool job_events, bool schema)
{
	(void)m;
	listener = l;
	listens_jobs = job_events;
	listens_schema = schema;
	schema_seen = schema_seen && schema;
}

bool migrator_sees_schema(const struct migrator *m)
{
	(void)m;
	return schema_seen;
}

void migrator_figures(const struct migrator *m, struct migrator_figures *ret)
{
	(void)m;
	*ret = (struct migrator_figures){.version = 12};
}

int64_t migrator_version(const struct migrator *m)
{
	(void)m;
	return 12;
}

/* ---- the server and its client ---- */

static struct server server;
static uv_loop_t loop;
static struct session *session;
static int client = -1;
static char heard_text[1 << 20];
static size_t heard_len;

static void on_test_timer(uv_timer_t *timer) { (void)timer; }

static struct session *add_client(int *ret_fd)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	session_open(&server, pair[0]);
	*ret_fd = pair[1];
	return LIST_ENTRY(server.sessions.head.prev, struct session, node);
}

static void fake_set_up(void)
{
	static const struct server_options none;

	server = (struct server){.options = &none, .loop = &loop, .on_sweep = on_test_timer};
	config_init(&server.config);
	ck_assert_int_eq(uv_loop_init(&loop), 0);
	ck_assert_int_eq(uv_timer_init(&loop, &server.sweep), 0);
	server.notify.fd = server.listener.fd = server.listener.reserve = -1;
	list_init(&server.sessions);
	list_init(&server.dirty);
	list_init(&server.spare);
	beside_init(&server.beside, &server);
	events_init(&server);
	server.read_buffer = malloc(READ_BYTES);
	njobs = ends = sweeps = forgotten = heard_len = 0;
	waiter = NULL;
	stopped = STOP_NONE;
	fake_open = fake_due = drained = false;
	counts_asked = counts = schema_seen = false;
	nposted = 0;
	session = add_client(&client);
}

/* Lets the loop do what it can do now. */
static void turn(void)
{
	for (int i = 0; i < 8; i++) {
		(void)uv_run(&loop, UV_RUN_NOWAIT);
		connection_flush_all(&server);
	}
}

/* Lets what is being decoded beside the loop come back. */
static inline void let_decode(void)
{
	while (server.beside.busy)
		(void)uv_run(&loop, UV_RUN_ONCE);
	turn();
}

/* What the client has received since the last call. */
static const char *heard(void)
{
	ssize_t n;

	turn();
	heard_len = 0;
	while ((n = recv(client, heard_text + heard_len, sizeof heard_text - heard_len - 1, 0)) > 0) {
		heard_len += (size_t)n;
		turn();
	}
	heard_text[heard_len] = '\0';
	return heard_text;
}

static void say(const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t sent = send(client, text, n, MSG_NOSIGNAL);

		ck_assert(sent > 0 || errno == EAGAIN);
		if (sent > 0) {
			text += sent;
			n -= (size_t)sent;
		}
		turn();
	}
}

/* n queries with the ids from..from+n-1. */
static inline void say_queries(int from, int n)
{
	char text[128];

	for (int i = from; i < from + n; i++) {
		(void)snprintf(text, sizeof text,
			       "{\"id\":%d,\"method\":\"query\",\"params\":{\"sql\":\"SELECT %d\"}}\n", i, i);
		say(text);
	}
}

/* Answers the oldest job. */
static void answer(const char *result)
{
	struct sql_job *job = jobs[0];

	ck_assert_uint_gt(njobs, 0);
	memmove(jobs, jobs + 1, --njobs * sizeof *jobs);
	if (result && job->out)
		buf_puts(job->out, result);
	job->done(job);
}

static void answer_all(void)
{
	while (njobs > 0) {
		answer("{}");
		turn();
	}
}

static void fake_tear_down(void)
{
	struct list_node *n;

	while ((n = list_first(&server.sessions)) != NULL &&
	       LIST_ENTRY(n, struct session, node)->state != SESSION_CLOSED) {
		session_close(LIST_ENTRY(n, struct session, node), STOP_GONE);
		answer_all();
		turn();
	}
	answer_all();
	turn();
	ck_assert(list_empty(&server.sessions));
	ck_assert_uint_eq(server.input_charged, 0);
	ck_assert_uint_eq(server.output_bytes, 0);
	uv_close((uv_handle_t *)&server.sweep, NULL);
	turn();
	ck_assert_int_eq(uv_loop_close(&loop), 0);
	slots_free_spare(&server);
	free(server.read_buffer);
	users_free(&server.users);
	buf_free(&server.settings);
	config_free(&server.config);
	config_free(&server.wanted);
	(void)close(client);
}

#endif
