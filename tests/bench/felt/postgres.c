/* felt.h for PostgreSQL: --where is a connection string. Built by run.sh, where libpq is installed. */
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/felt/felt.h"

/* The statement with $1, $2.. for its question marks, of which there are less than ten. */
static void number_marks(const char *sql, char *out, size_t size)
{
	char mark = '0';
	size_t n = 0;
	for (; *sql && n + 3 < size; sql++)
		if (*sql == '?') {
			out[n++] = '$';
			out[n++] = ++mark;
		} else {
			out[n++] = *sql;
		}
	out[n] = '\0';
}

static void *open_conn(const char *where)
{
	char name[8], sql[512];
	PGconn *c = PQconnectdb(where);
	bool good = PQstatus(c) == CONNECTION_OK;
	for (int i = 0; good && i < FELT_COUNT; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		number_marks(felt_sql[i], sql, sizeof(sql));
		PGresult *r = PQprepare(c, name, sql, 0, NULL);
		good = PQresultStatus(r) == PGRES_COMMAND_OK;
		PQclear(r);
	}
	if (good)
		return c;
	fprintf(stderr, "felt: %s", PQerrorMessage(c));
	PQfinish(c);
	return NULL;
}

static int run(void *conn, enum felt_statement s, const int64_t *binds, int64_t *ret_changed)
{
	char name[8], text[FELT_BINDS_MAX][24];
	const char *values[FELT_BINDS_MAX];
	snprintf(name, sizeof(name), "s%d", (int)s);
	for (int i = 0; i < felt_binds[s]; i++) {
		snprintf(text[i], sizeof(text[i]), "%" PRId64, binds[i]);
		values[i] = text[i];
	}
	PGresult *r = PQexecPrepared(conn, name, felt_binds[s], values, NULL, NULL, 0);
	ExecStatusType got = PQresultStatus(r);
	*ret_changed = strtoll(PQcmdTuples(r), NULL, 10);
	PQclear(r);
	return got == (felt_writes(s) ? PGRES_COMMAND_OK : PGRES_TUPLES_OK) ? 0 : -1;
}

static int books(void *conn, int64_t *ret_sum, int64_t *ret_rows)
{
	int rc = -1;
	PGresult *r = PQexec(conn, "SELECT CAST(sum(amount) AS bigint), count(*) FROM expenses");
	if (PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1) {
		*ret_sum = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
		*ret_rows = strtoll(PQgetvalue(r, 0, 1), NULL, 10);
		rc = 0;
	} else {
		fprintf(stderr, "felt: %s", PQerrorMessage(conn));
	}
	PQclear(r);
	return rc;
}

static const char *why(void *conn) { return PQerrorMessage(conn); }

static void close_conn(void *conn) { PQfinish(conn); }

int main(int argc, char **argv)
{
	static const struct felt_backend postgres = {
		.name = "postgres",
		.open = open_conn,
		.run = run,
		.books = books,
		.why = why,
		.close = close_conn,
	};
	return felt_main(argc, argv, &postgres);
}
