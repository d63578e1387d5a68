/*
 * The load, the windows and the report of felt.h.
 */
#include "tests/bench/felt/felt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/latency.h"
#include "tests/bench/options.h"

#define LOOK_NS 10000000 /* how often the change is looked at */
#define IDLE_NS 2000000  /* how often the idle one wakes */
#define OPEN_CLIENTS 16  /* share --rate: so many that a request seldom stands behind one of its own kind */
#define CLIENTS_MAX 64
#define FAILED_MAX 1000      /* a client with so many failures gives up */
#define GROUPS 20000         /* of expenses, see common.sh */
#define OWN_IDS 1000000000LL /* first id of the first client's own rows */
#define OWN_RANGE 10000000LL

const char *const felt_sql[FELT_COUNT] = {
#define X(id, binds, sql) sql,
	FELT_STATEMENTS(X)
#undef X
};
const int felt_binds[FELT_COUNT] = {
#define X(id, binds, sql) binds,
	FELT_STATEMENTS(X)
#undef X
};

/* IDLE sends nothing: it sleeps by the clock, and how late it wakes is what the machine itself does to everybody. */
enum kind { CLOSED, OPEN, IDLE };
/* The course of a run. DURING ends at the swap where the backend can tell, else with the command. */
enum window { WARM, BEFORE, DURING, RETIRE, AFTER, WINDOWS };

struct client {
	pthread_t thread;
	enum kind kind;
	void *conn;
	uint64_t random;
	int64_t next_id; /* of its own rows */
	int64_t own_id;  /* the one that is there, 0 = none */
	int64_t own_amount;
	int64_t sum, rows; /* what its acknowledged writes added */
	uint64_t failed;
	struct latency latency[WINDOWS];
};

static struct {
	const char *where, *wal;
	long rows, closed, rate, before_s, pid;
	char **command;
} options = {.rows = 1000000, .before_s = 4};

static const struct felt_backend *backend;
static struct client *clients[CLIENTS_MAX];
static int nclients;
static atomic_bool stop;
static atomic_int window_now;
static atomic_uint_fast64_t swapped_ns = UINT64_MAX, ended_ns = UINT64_MAX;
static int64_t wal_peak_bytes;

/* ---- The requests ---- */

static int64_t pick(struct client *c, int64_t n) { return (int64_t)(random_next(&c->random) % (uint64_t)n); }

static int run1(struct client *c, enum felt_statement s, int64_t bind, int64_t *ret_changed)
{
	return backend->run(c->conn, s, &bind, ret_changed);
}

static int add(struct client *c)
{
	int64_t changed = 0;
	int rc = run1(c, FELT_ADD, pick(c, options.rows) + 1, &changed);
	if (rc == 0)
		c->sum += changed;
	return rc;
}

static int insert(struct client *c)
{
	const int64_t binds[] = {c->next_id++, pick(c, GROUPS), pick(c, 10000)};
	int64_t changed = 0;
	if (backend->run(c->conn, FELT_INSERT, binds, &changed) != 0)
		return -1;
	c->own_id = binds[0];
	c->own_amount = binds[2];
	c->sum += binds[2];
	c->rows += changed;
	return 0;
}

static int delete (struct client *c)
{
	int64_t changed = 0;
	if (run1(c, FELT_DELETE, c->own_id, &changed) != 0)
		return -1;
	c->sum -= changed * c->own_amount;
	c->rows -= changed;
	c->own_id = 0;
	return 0;
}

/* Seven reads to three writes. */
static int one_request(struct client *c)
{
	int64_t dice = pick(c, 100), changed;
	if (dice < 50)
		return run1(c, FELT_GET, pick(c, options.rows) + 1, &changed);
	if (dice < 70)
		return run1(c, FELT_LIST, pick(c, GROUPS), &changed);
	if (dice < 90)
		return add(c);
	return c->own_id ? delete (c) : insert(c);
}

/* A request that was under way when the change began, was swapped or ended counts for what came first of the change:
 * else the very stall that is looked for would be counted as calm. */
static enum window window_of(uint64_t due_ns)
{
	enum window w = (enum window)atomic_load(&window_now);
	if (w > DURING && due_ns < atomic_load(&swapped_ns))
		return DURING;
	return w == AFTER && due_ns < atomic_load(&ended_ns) ? RETIRE : w;
}

static void sleep_until(uint64_t ns)
{
	struct timespec at = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	uint64_t every_ns = c->kind == OPEN ? (uint64_t)OPEN_CLIENTS * 1000000000u / (uint64_t)options.rate : 0;
	uint64_t due_ns = now_ns();
	if (every_ns)
		due_ns += (uint64_t)pick(c, (int64_t)every_ns);
	while (!atomic_load(&stop) && c->failed < FAILED_MAX) {
		if (every_ns)
			sleep_until(due_ns);
		if (one_request(c) == 0)
			latency_add(&c->latency[window_of(due_ns)], now_ns() - due_ns);
		else if (c->failed++ == 0)
			fprintf(stderr, "felt: a request failed: %s\n", backend->why(c->conn));
		due_ns = every_ns ? due_ns + every_ns : now_ns();
	}
	return NULL;
}

static void *idle_main(void *arg)
{
	struct client *c = arg;
	for (uint64_t due_ns = now_ns(); !atomic_load(&stop); due_ns = now_ns() + IDLE_NS) {
		sleep_until(due_ns);
		latency_add(&c->latency[window_of(due_ns)], now_ns() - due_ns);
	}
	return NULL;
}

static void start_client(enum kind kind)
{
	struct client *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->kind = kind;
	c->random = 0x9e3779b97f4a7c15u * (uint64_t)(nclients + 1);
	c->next_id = OWN_IDS + nclients * OWN_RANGE;
	c->conn = kind == IDLE ? NULL : backend->open(options.where);
	if ((!c->conn && kind != IDLE) ||
	    pthread_create(&c->thread, NULL, kind == IDLE ? idle_main : client_main, c) != 0) {
		fprintf(stderr, "felt: cannot start client %d\n", nclients);
		exit(1);
	}
	clients[nclients++] = c;
}

/* ---- The change ---- */

static pid_t start_command(void)
{
	pid_t child = fork();
	if (child == 0) {
		/* Not left behind when the bench is stopped. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execvp(options.command[0], options.command);
		perror(options.command[0]);
		_exit(127);
	}
	return child;
}

static void look_at_wal(void)
{
	struct stat st;
	if (options.wal && stat(options.wal, &st) == 0 && st.st_size > wal_peak_bytes)
		wal_peak_bytes = st.st_size;
}

/* Runs the command to its end. Returns its exit code. */
static int run_change(void *control, double *ret_took_s, double *ret_retire_s)
{
	uint64_t from_ns = now_ns();
	int status = 0;
	atomic_store(&window_now, DURING);
	pid_t child = start_command();
	while (child > 0 && waitpid(child, &status, WNOHANG) == 0) {
		look_at_wal();
		if (atomic_load(&swapped_ns) == UINT64_MAX && backend->swapped && backend->swapped(control)) {
			atomic_store(&swapped_ns, now_ns());
			atomic_store(&window_now, RETIRE);
		}
		sleep_until(now_ns() + LOOK_NS);
	}
	uint64_t end_ns = now_ns();
	if (atomic_load(&swapped_ns) == UINT64_MAX)
		atomic_store(&swapped_ns, end_ns);
	atomic_store(&ended_ns, end_ns);
	atomic_store(&window_now, AFTER);
	*ret_took_s = (double)(atomic_load(&swapped_ns) - from_ns) / 1e9;
	*ret_retire_s = (double)(end_ns - atomic_load(&swapped_ns)) / 1e9;
	return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

/* ---- The report ---- */

/* Peak of the resident memory of --pid since its start, in kB; -1: unknown. */
static long rss_peak_kb(void)
{
	char path[64], line[256];
	long kb = -1;
	snprintf(path, sizeof(path), "/proc/%ld/status", options.pid);
	FILE *f = options.pid ? fopen(path, "re") : NULL;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static double ms(uint64_t ns) { return (double)ns / 1e6; }

static void report_kind(enum kind kind, const char *name, uint64_t *longest_before_ns, uint64_t *longest_ns)
{
	static const char *const windows[] = {[BEFORE] = "before", [DURING] = "during", [RETIRE] = "retire"};
	static struct latency all;
	for (enum window w = BEFORE; w <= RETIRE; w++) {
		memset(&all, 0, sizeof(all));
		for (int i = 0; i < nclients; i++)
			if (clients[i]->kind == kind)
				latency_merge(&all, &clients[i]->latency[w]);
		uint64_t *longest = w == BEFORE ? longest_before_ns : longest_ns;
		if (all.max_ns > *longest)
			*longest = all.max_ns;
		printf(" %s_%s_ops=%llu %s_%s_p50_ms=%.3f %s_%s_p99_ms=%.3f %s_%s_max_ms=%.3f", name, windows[w],
		       (unsigned long long)all.count, name, windows[w], ms(latency_quantile(&all, 0.5)), name,
		       windows[w], ms(latency_quantile(&all, 0.99)), name, windows[w], ms(all.max_ns));
	}
}

static int run(void *control)
{
	int64_t sum, rows, sum_after, rows_after;
	double took_s, retire_s;
	if (backend->books(control, &sum, &rows) != 0)
		return -1;
	if (rows != options.rows) {
		fprintf(stderr, "felt: expenses has %lld rows, not %ld\n", (long long)rows, options.rows);
		return -1;
	}
	for (long i = 0; i < options.closed + (options.rate ? OPEN_CLIENTS : 0); i++)
		start_client(i < options.closed ? CLOSED : OPEN);
	if (nclients) {
		start_client(IDLE);
		sleep_until(now_ns() + 1000000000u);
		atomic_store(&window_now, BEFORE);
		sleep_until(now_ns() + (uint64_t)options.before_s * 1000000000u);
	}
	int status = run_change(control, &took_s, &retire_s);
	if (nclients)
		sleep_until(now_ns() + 200000000u);
	atomic_store(&stop, true);
	uint64_t failed = 0, before_ns = 0, longest_ns = 0;
	for (int i = 0; i < nclients; i++) {
		pthread_join(clients[i]->thread, NULL);
		sum += clients[i]->sum;
		rows += clients[i]->rows;
		failed += clients[i]->failed;
	}
	if (backend->books(control, &sum_after, &rows_after) != 0)
		return -1;
	bool agree = sum == sum_after && rows == rows_after;
	printf("server=%s status=%d books=%s took_s=%.3f retire_s=%.3f failed=%llu wal_peak_bytes=%lld rss_peak_kb=%ld",
	       backend->name, status, agree ? "agree" : "differ", took_s, retire_s, (unsigned long long)failed,
	       (long long)wal_peak_bytes, rss_peak_kb());
	report_kind(CLOSED, "closed", &before_ns, &longest_ns);
	report_kind(OPEN, "open", &before_ns, &longest_ns);
	uint64_t ignored_ns = 0;
	report_kind(IDLE, "idle", &ignored_ns, &ignored_ns);
	printf(" longest_before_ms=%.3f longest_ms=%.3f", ms(before_ns), ms(longest_ns));
	if (backend->tell)
		backend->tell(control);
	printf("\n");
	if (!agree)
		fprintf(stderr, "felt: %lld rows and a sum of %lld were expected, %lld and %lld are there\n",
			(long long)rows, (long long)sum, (long long)rows_after, (long long)sum_after);
	return agree && status == 0 ? 0 : -1;
}

static void parse(int argc, char **argv)
{
	static const char usage[] =
		"usage: felt_SERVER --where PLACE [--rows N] [--closed N] [--rate N] [--before SECONDS]\n"
		"                   [--wal FILE] [--pid N] -- COMMAND [ARGUMENT..]\n";
	static const struct bench_option table[] = {
		{"--where", OPTION_TEXT, {.text = &options.where}, 0, 0},
		{"--wal", OPTION_TEXT, {.text = &options.wal}, 0, 0},
		{"--rows", OPTION_NUMBER, {.number = &options.rows}, 1, OWN_IDS},
		{"--closed", OPTION_NUMBER, {.number = &options.closed}, 0, CLIENTS_MAX - OPEN_CLIENTS - 1},
		{"--rate", OPTION_NUMBER, {.number = &options.rate}, 0, 100000},
		{"--before", OPTION_NUMBER, {.number = &options.before_s}, 1, 3600},
		{"--pid", OPTION_NUMBER, {.number = &options.pid}, 1, 1L << 30},
		{NULL, OPTION_FLAG, {NULL}, 0, 0},
	};
	int rest = options_parse(argc, argv, table, usage);
	options.command = argv + rest;
	if (!options.where || rest == argc) {
		fputs(usage, stderr);
		exit(64);
	}
}

int felt_main(int argc, char **argv, const struct felt_backend *b)
{
	backend = b;
	parse(argc, argv);
	void *control = b->open(options.where);
	if (!control)
		return 1;
	int rc = run(control);
	for (int i = 0; i < nclients; i++) {
		if (clients[i]->conn)
			b->close(clients[i]->conn);
		free(clients[i]);
	}
	b->close(control);
	return rc == 0 ? 0 : 1;
}
