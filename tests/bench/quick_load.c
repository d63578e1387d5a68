/*
 * What quickstart.sh shows: clients that read and write without a pause while columns change their type, and a table of
 * what they felt.
 *
 *     quick_load --socket PATH --alterctl PROGRAM --change TABLE.COLUMN=TYPE [--change ..]
 *                [--clients N] [--rate N] [--before SECONDS] [--wal FILE] [--plain]
 *
 * Each client is a thread with a connection of its own and sends --rate requests a second by the clock: an answer is
 * timed from the moment its request was due, so that a stall shows in every request it delayed. For each change there
 * is a quiet window first, then `alterctl alter` runs as a process of its own, its progress line visible, and all
 * answers until it returns belong to the second window.
 *
 * In the end the books are checked: the sum of expenses.amount and the number of rows are what the acknowledged writes
 * make of those at the start. Exit 0 only if no request failed, the columns have their new types and the books agree.
 * --plain prints key=value for run.sh instead of the table.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/alterd.h"
#include "tests/bench/job.h"
#include "tests/bench/latency.h"
#include "tests/bench/options.h"
#include "tests/bench/quick_report.h"

#define POLL_NS 20000000 /* how often the change's phase and the WAL are looked at */

static atomic_int window_now = WINDOWS - 1;
static atomic_bool stop;

/* ---- The requests ---- */

static int64_t pick(struct client *c, int64_t n) { return (int64_t)(random_next(&c->random) % (uint64_t)n); }

/* Runs a SELECT and reads all its rows. */
static int read_all(struct client *c, const char *sql, struct alterd_value bind)
{
	struct alterd_result *r;
	if (alterd_query(c->conn, sql, &bind, 1, &r) != 0)
		return -1;
	int more;
	while ((more = alterd_step(r)) == 1)
		;
	alterd_result_free(r);
	return more;
}

static int add_to_amount(struct client *c)
{
	struct alterd_value id = alterd_int(pick(c, c->first_rows) + 1);
	int64_t changed;
	if (alterd_exec(c->conn, "UPDATE expenses SET amount = amount + 1 WHERE id = ?", &id, 1, &changed, NULL) != 0)
		return -1;
	c->sum += changed;
	return 0;
}

static int insert_expense(struct client *c)
{
	int64_t amount = pick(c, 10000), id;
	const struct alterd_value binds[] = {alterd_int(pick(c, c->groups)), alterd_int(amount)};
	if (alterd_exec(
		    c->conn,
		    "INSERT INTO expenses(group_id, payer, amount, category, note, created_at) VALUES (?, 'quick', ?, "
		    "'food', 'added while the table was being changed, by a client', datetime('now'))",
		    binds, 2, NULL, &id) != 0)
		return -1;
	c->own_id = id;
	c->own_amount = amount;
	c->sum += amount;
	c->rows++;
	return 0;
}

static int delete_expense(struct client *c)
{
	struct alterd_value id = alterd_int(c->own_id);
	int64_t changed;
	if (alterd_exec(c->conn, "DELETE FROM expenses WHERE id = ?", &id, 1, &changed, NULL) != 0)
		return -1;
	c->sum -= changed * c->own_amount;
	c->rows -= changed;
	c->own_id = 0;
	return 0;
}

static int touch_usage(struct client *c)
{
	const struct alterd_value binds[] = {alterd_int(1024 + pick(c, 5)), alterd_int(pick(c, 22650) + 1)};
	return alterd_exec(c->conn, "UPDATE usage SET scope_auth_name = 'EPSG', scope_code = ? WHERE rowid = ?", binds,
			   2, NULL, NULL);
}

/* 80 % reads; of the writes most go to the tables that change. */
static int one_request(struct client *c)
{
	int64_t dice = pick(c, 100);
	if (dice < 55)
		return read_all(c, "SELECT id, payer, amount, category, note FROM expenses WHERE id = ?",
				alterd_int(pick(c, c->first_rows) + 1));
	if (dice < 70)
		return read_all(c,
				"SELECT id, payer, amount, created_at FROM expenses WHERE group_id = ? "
				"ORDER BY created_at DESC LIMIT 20",
				alterd_int(pick(c, c->groups)));
	if (dice < 80)
		return read_all(c,
				"SELECT object_code, extent_code FROM usage WHERE object_table_name = 'projected_crs' "
				"AND object_auth_name = 'EPSG' AND object_code = ?",
				alterd_int(2000 + pick(c, 5000)));
	if (dice < 90)
		return add_to_amount(c);
	if (dice < 95)
		return touch_usage(c);
	return c->own_id ? delete_expense(c) : insert_expense(c);
}

static void *client_main(void *arg)
{
	struct client *c = arg;
	const uint64_t every_ns = 1000000000u / (uint64_t)c->options->rate;
	uint64_t due_ns = now_ns() + (uint64_t)pick(c, (int64_t)every_ns);
	while (!atomic_load(&stop)) {
		struct timespec at = {.tv_sec = (time_t)(due_ns / 1000000000u),
				      .tv_nsec = (long)(due_ns % 1000000000u)};
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
		int rc = one_request(c);
		struct window *w = &c->windows[atomic_load(&window_now)];
		if (rc == 0) {
			latency_add(&w->latency, now_ns() - due_ns);
		} else {
			w->failed++;
			if (!c->first_error[0])
				snprintf(c->first_error, sizeof(c->first_error), "%s", alterd_error_message(c->conn));
			if (alterd_error_code(c->conn) == ALTERD_E_CLOSED)
				break;
		}
		due_ns += every_ns;
	}
	return NULL;
}

/* ---- The change ---- */

static void pause_ns(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

static pid_t start_alter(const struct options *o, const struct change *c)
{
	char sql[256];
	snprintf(sql, sizeof(sql), "ALTER TABLE %s ALTER COLUMN %s TYPE %s", c->table, c->column, c->type);
	if (!o->plain) {
		printf("\n$ alterctl alter \"%s\"\n", sql);
		fflush(stdout);
	}
	pid_t child = fork();
	if (child == 0) {
		if (o->plain && !freopen("/dev/null", "w", stdout))
			_exit(127);
		execl(o->alterctl, "alterctl", "--socket", o->socket, "alter", sql, (char *)NULL);
		perror(o->alterctl);
		_exit(127);
	}
	return child;
}

static int64_t file_bytes(const char *path)
{
	struct stat st;
	return path && stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* Asks for the declared type of the column, as clients see it now. */
static bool has_type(struct alterd_conn *control, const struct change *c)
{
	char params[256];
	snprintf(params, sizeof(params), "{\"sql\":\"SELECT %s FROM %s LIMIT 1\",\"want\":[\"types\"]}", c->column,
		 c->table);
	struct doc *d = job_call(control, "query", params);
	if (!d)
		return false;
	const struct doc_node *types = doc_get(doc_root(d), "types");
	bool same = strcasecmp(doc_str(doc_at(types, 0), ""), c->type) == 0;
	doc_free(d);
	return same;
}

static void run_change(const struct options *o, struct change *c, struct alterd_conn *control)
{
	uint64_t from_ns = now_ns(), swapped_ns = 0;
	int status = 0;
	pid_t child = start_alter(o, c);
	/* The job before this one shows as done until this one is there; half a second of doubt is too much, so wait
	 * for a phase before the swap first. */
	bool seen = false;
	while (child > 0 && waitpid(child, &status, WNOHANG) == 0) {
		int64_t wal = file_bytes(o->wal);
		if (wal > c->wal_peak_bytes)
			c->wal_peak_bytes = wal;
		if (job_read(control).before_swap)
			seen = true;
		else if (seen && !swapped_ns)
			swapped_ns = now_ns();
		pause_ns(POLL_NS);
	}
	uint64_t end_ns = now_ns();
	if (!swapped_ns)
		swapped_ns = end_ns;
	c->took_s = (double)(swapped_ns - from_ns) / 1e9;
	c->retire_s = (double)(end_ns - swapped_ns) / 1e9;
	c->told = job_read(control);
	c->done = child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && has_type(control, c);
}

/* ---- The run ---- */

/* Sum of amounts, number of rows, number of groups. */
static int read_books(struct alterd_conn *c, int64_t *ret_sum, int64_t *ret_rows, int64_t *ret_groups)
{
	struct alterd_result *r;
	int rc = -1;
	if (alterd_query(c, "SELECT CAST(total(amount) AS INTEGER), count(*), max(group_id) + 1 FROM expenses", NULL, 0,
			 &r))
		return -1;
	if (alterd_step(r) == 1) {
		*ret_sum = alterd_cell_int(r, 0);
		*ret_rows = alterd_cell_int(r, 1);
		*ret_groups = alterd_cell_int(r, 2);
		rc = 0;
	}
	alterd_result_free(r);
	return rc;
}

static int start_clients(const struct options *o, struct client *clients, int64_t rows, int64_t groups)
{
	for (long i = 0; i < o->clients; i++) {
		struct client *c = &clients[i];
		c->options = o;
		c->random = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1);
		c->first_rows = rows;
		c->groups = groups;
		if (alterd_connect(o->socket, &c->conn) != 0 || alterd_hello(c->conn, "quick_load", 0, -1) != 0) {
			fprintf(stderr, "%s: %s\n", o->socket, alterd_error_message(c->conn));
			return -1;
		}
		if (pthread_create(&c->thread, NULL, client_main, c) != 0)
			return -1;
	}
	return 0;
}

/* Runs all windows, ends the clients. Returns 0 if everything is as it should be. */
static int run(struct options *o, struct client *clients, struct alterd_conn *control)
{
	int64_t sum, rows, groups, sum_after, rows_after;
	if (read_books(control, &sum, &rows, &groups) != 0 || start_clients(o, clients, rows, groups) != 0) {
		fprintf(stderr, "quick_load: %s\n", alterd_error_message(control));
		return -1;
	}
	pause_ns(1000000000u);
	for (int i = 0; i < o->nchanges; i++) {
		atomic_store(&window_now, 2 * i);
		pause_ns((uint64_t)o->before_seconds * 1000000000u);
		atomic_store(&window_now, 2 * i + 1);
		run_change(o, &o->changes[i], control);
		atomic_store(&window_now, WINDOWS - 1);
		if (!o->changes[i].done)
			break;
	}
	atomic_store(&stop, true);
	uint64_t failed = 0;
	for (long i = 0; i < o->clients; i++) {
		pthread_join(clients[i].thread, NULL);
		for (int k = 0; k < WINDOWS; k++)
			failed += clients[i].windows[k].failed;
		if (clients[i].first_error[0])
			fprintf(stderr, "quick_load: a request failed: %s\n", clients[i].first_error);
		sum += clients[i].sum;
		rows += clients[i].rows;
	}
	if (read_books(control, &sum_after, &rows_after, &groups) != 0) {
		fprintf(stderr, "quick_load: %s\n", alterd_error_message(control));
		return -1;
	}
	bool agree = sum == sum_after && rows == rows_after;
	if (o->plain)
		print_plain(o, clients);
	else
		print_table(o, clients);
	if (agree && !o->plain)
		printf("\nThe books agree: %s rows, and the sum of all amounts is what the acknowledged writes make "
		       "it.\n",
		       grouped((uint64_t)rows));
	if (!agree)
		fprintf(stderr, "quick_load: %lld rows and a sum of %lld were expected, %lld and %lld are there\n",
			(long long)rows, (long long)sum, (long long)rows_after, (long long)sum_after);
	for (int i = 0; i < o->nchanges; i++)
		agree = agree && o->changes[i].done;
	return agree && !failed ? 0 : -1;
}

static struct options options = {.clients = 4, .rate = 250, .before_seconds = 5};

static void parse_change(const char *text)
{
	struct options *o = &options;
	struct change *c = &o->changes[o->nchanges];
	if (o->nchanges == CHANGES_MAX || sscanf(text, "%63[^.].%63[^=]=%31s", c->table, c->column, c->type) != 3) {
		fprintf(stderr, "--change: TABLE.COLUMN=TYPE, at most %d times\n", CHANGES_MAX);
		exit(64);
	}
	o->nchanges++;
}

static void parse(int argc, char **argv)
{
	static const char usage[] =
		"usage: quick_load --socket PATH --alterctl PROGRAM --change TABLE.COLUMN=TYPE [--change ..]\n"
		"                  [--clients N] [--rate N] [--before SECONDS] [--wal FILE] [--plain]\n";
	static const struct bench_option table[] = {
		{"--socket", OPTION_TEXT, {.text = &options.socket}, 0, 0},
		{"--alterctl", OPTION_TEXT, {.text = &options.alterctl}, 0, 0},
		{"--change", OPTION_CALL, {.call = parse_change}, 0, 0},
		{"--clients", OPTION_NUMBER, {.number = &options.clients}, 1, CLIENTS_MAX},
		{"--rate", OPTION_NUMBER, {.number = &options.rate}, 1, 100000},
		{"--before", OPTION_NUMBER, {.number = &options.before_seconds}, 1, 3600},
		{"--wal", OPTION_TEXT, {.text = &options.wal}, 0, 0},
		{"--plain", OPTION_FLAG, {.flag = &options.plain}, 0, 0},
		{NULL, OPTION_FLAG, {NULL}, 0, 0},
	};
	int rest = options_parse(argc, argv, table, usage);
	if (!options.socket || !options.alterctl || !options.nchanges || rest != argc) {
		fputs(usage, stderr);
		exit(64);
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	struct options *o = &options;
	struct client *clients = calloc((size_t)o->clients, sizeof(*clients));
	struct alterd_conn *control = NULL;
	if (!clients) {
		perror("quick_load");
		return 1;
	}
	int rc = -1;
	if (alterd_connect(o->socket, &control) != 0)
		fprintf(stderr, "%s: %s\n", o->socket, alterd_error_message(control));
	else
		rc = run(o, clients, control);
	for (long i = 0; i < o->clients; i++)
		alterd_close(clients[i].conn);
	alterd_close(control);
	free(clients);
	return rc == 0 ? 0 : 1;
}
