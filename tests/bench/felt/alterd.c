/* felt.h for alterd: --where is the daemon's socket. */
#include <stdio.h>

#include "client/alterd.h"
#include "tests/bench/felt/felt.h"
#include "tests/bench/job.h"

static void *open_conn(const char *where)
{
	struct alterd_conn *c = NULL;
	if (alterd_connect(where, &c) != 0 || alterd_hello(c, "felt", 0, -1) != 0) {
		fprintf(stderr, "%s: %s\n", where, alterd_error_message(c));
		alterd_close(c);
		return NULL;
	}
	return c;
}

static int run(void *conn, enum felt_statement s, const int64_t *binds, int64_t *ret_changed)
{
	struct alterd_value values[FELT_BINDS_MAX];
	struct alterd_result *r;
	int more;
	for (int i = 0; i < felt_binds[s]; i++)
		values[i] = alterd_int(binds[i]);
	if (felt_writes(s))
		return alterd_exec(conn, felt_sql[s], values, (size_t)felt_binds[s], ret_changed, NULL);
	if (alterd_query(conn, felt_sql[s], values, (size_t)felt_binds[s], &r) != 0)
		return -1;
	while ((more = alterd_step(r)) == 1)
		;
	alterd_result_free(r);
	return more;
}

static int books(void *conn, int64_t *ret_sum, int64_t *ret_rows)
{
	struct alterd_result *r;
	int rc = -1;
	if (alterd_query(conn, "SELECT CAST(total(amount) AS INTEGER), count(*) FROM expenses", NULL, 0, &r) != 0) {
		fprintf(stderr, "felt: %s\n", alterd_error_message(conn));
		return -1;
	}
	if (alterd_step(r) == 1) {
		*ret_sum = alterd_cell_int(r, 0);
		*ret_rows = alterd_cell_int(r, 1);
		rc = 0;
	}
	alterd_result_free(r);
	return rc;
}

static const char *why(void *conn) { return alterd_error_message(conn); }

static void close_conn(void *conn) { alterd_close(conn); }

static bool swapped(void *conn) { return !job_read(conn).before_swap; }

static void tell(void *conn)
{
	struct job_told job = job_read(conn);
	printf(" swap_ms=%.3f hold_ms=%.3f verified=%lld", job.swap_ms, job.hold_ms, (long long)job.verified);
	struct doc *d = job_call(conn, "stats", NULL);
	const struct doc_node *hold = d ? doc_get(doc_root(d), "writer_hold_ms") : NULL;
	const struct doc_node *sync = d ? doc_get(doc_root(d), "sync_ms") : NULL;
	printf(" hold_p50_ms=%.3f hold_p99_ms=%.3f hold_max_ms=%.3f", doc_real(doc_get(hold, "p50"), -1),
	       doc_real(doc_get(hold, "p99"), -1), doc_real(doc_get(hold, "max"), -1));
	printf(" sync_p50_ms=%.3f sync_p99_ms=%.3f sync_max_ms=%.3f", doc_real(doc_get(sync, "p50"), -1),
	       doc_real(doc_get(sync, "p99"), -1), doc_real(doc_get(sync, "max"), -1));
	doc_free(d);
}

int main(int argc, char **argv)
{
	static const struct felt_backend alterd = {
		.name = "alterd",
		.open = open_conn,
		.run = run,
		.books = books,
		.why = why,
		.close = close_conn,
		.swapped = swapped,
		.tell = tell,
	};
	return felt_main(argc, argv, &alterd);
}
