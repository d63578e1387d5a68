/*
 * felt.h for SQLite without a server: --where is the database; every client opens it for itself, in WAL mode, durable
 * as alterd is, and waits for the others' locks as long as it takes.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/felt/felt.h"

struct conn {
	sqlite3 *db;
	sqlite3_stmt *stmt[FELT_COUNT];
};

static void close_conn(void *conn)
{
	struct conn *c = conn;
	for (int i = 0; i < FELT_COUNT; i++)
		sqlite3_finalize(c->stmt[i]);
	sqlite3_close(c->db);
	free(c);
}

static void *open_conn(const char *where)
{
	struct conn *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	bool good = sqlite3_open_v2(where, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
		    sqlite3_busy_timeout(c->db, 600000) == SQLITE_OK &&
		    sqlite3_exec(c->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384",
				 NULL, NULL, NULL) == SQLITE_OK;
	for (int i = 0; good && i < FELT_COUNT; i++)
		good = sqlite3_prepare_v3(c->db, felt_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &c->stmt[i], NULL) ==
		       SQLITE_OK;
	if (good)
		return c;
	fprintf(stderr, "%s: %s\n", where, sqlite3_errmsg(c->db));
	close_conn(c);
	return NULL;
}

static int run(void *conn, enum felt_statement s, const int64_t *binds, int64_t *ret_changed)
{
	struct conn *c = conn;
	sqlite3_stmt *stmt = c->stmt[s];
	for (int i = 0; i < felt_binds[s]; i++)
		sqlite3_bind_int64(stmt, i + 1, binds[i]);
	while (sqlite3_step(stmt) == SQLITE_ROW)
		for (int i = 0; i < sqlite3_column_count(stmt); i++)
			sqlite3_column_text(stmt, i);
	if (sqlite3_reset(stmt) != SQLITE_OK)
		return -1;
	*ret_changed = sqlite3_changes64(c->db);
	return 0;
}

static int books(void *conn, int64_t *ret_sum, int64_t *ret_rows)
{
	struct conn *c = conn;
	sqlite3_stmt *stmt = NULL;
	int rc = -1;
	if (sqlite3_prepare_v2(c->db, "SELECT CAST(total(amount) AS INTEGER), count(*) FROM expenses", -1, &stmt,
			       NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW) {
		*ret_sum = sqlite3_column_int64(stmt, 0);
		*ret_rows = sqlite3_column_int64(stmt, 1);
		rc = 0;
	} else {
		fprintf(stderr, "felt: %s\n", sqlite3_errmsg(c->db));
	}
	sqlite3_finalize(stmt);
	return rc;
}

static const char *why(void *conn) { return sqlite3_errmsg(((struct conn *)conn)->db); }

int main(int argc, char **argv)
{
	static const struct felt_backend sqlite = {
		.name = "sqlite",
		.open = open_conn,
		.run = run,
		.books = books,
		.why = why,
		.close = close_conn,
	};
	return felt_main(argc, argv, &sqlite);
}
