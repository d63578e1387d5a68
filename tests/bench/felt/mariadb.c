/* felt.h for MariaDB: --where is the server's socket; user and database are both "bench". Built by run.sh, where
 * libmariadb is installed. */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/felt/felt.h"

struct conn {
	MYSQL *db;
	MYSQL_STMT *stmt[FELT_COUNT];
	char why[512];
};

static void close_conn(void *conn)
{
	struct conn *c = conn;
	for (int i = 0; i < FELT_COUNT; i++)
		if (c->stmt[i])
			mysql_stmt_close(c->stmt[i]);
	mysql_close(c->db);
	free(c);
}

static void *open_conn(const char *where)
{
	struct conn *c = calloc(1, sizeof(*c));
	if (!c || !(c->db = mysql_init(NULL)))
		return NULL;
	bool good = mysql_real_connect(c->db, NULL, "bench", NULL, "bench", 0, where, 0);
	for (int i = 0; good && i < FELT_COUNT; i++) {
		c->stmt[i] = mysql_stmt_init(c->db);
		good = c->stmt[i] && mysql_stmt_prepare(c->stmt[i], felt_sql[i], strlen(felt_sql[i])) == 0;
	}
	if (good)
		return c;
	fprintf(stderr, "%s: %s\n", where, mysql_error(c->db));
	close_conn(c);
	return NULL;
}

static int run(void *conn, enum felt_statement s, const int64_t *binds, int64_t *ret_changed)
{
	struct conn *c = conn;
	MYSQL_BIND values[FELT_BINDS_MAX];
	memset(values, 0, sizeof(values));
	for (int i = 0; i < felt_binds[s]; i++) {
		values[i].buffer_type = MYSQL_TYPE_LONGLONG;
		values[i].buffer = (void *)&binds[i];
	}
	/* Rows are read off the wire in full and dropped. */
	if (mysql_stmt_bind_param(c->stmt[s], values) != 0 || mysql_stmt_execute(c->stmt[s]) != 0 ||
	    (!felt_writes(s) && mysql_stmt_store_result(c->stmt[s]) != 0)) {
		snprintf(c->why, sizeof(c->why), "%s", mysql_stmt_error(c->stmt[s]));
		return -1;
	}
	*ret_changed = felt_writes(s) ? (int64_t)mysql_stmt_affected_rows(c->stmt[s]) : 0;
	return mysql_stmt_free_result(c->stmt[s]) ? -1 : 0;
}

static int books(void *conn, int64_t *ret_sum, int64_t *ret_rows)
{
	struct conn *c = conn;
	MYSQL_RES *r = NULL;
	MYSQL_ROW row = NULL;
	if (mysql_query(c->db, "SELECT CAST(sum(amount) AS SIGNED), count(*) FROM expenses") == 0 &&
	    (r = mysql_store_result(c->db)) && (row = mysql_fetch_row(r))) {
		*ret_sum = strtoll(row[0], NULL, 10);
		*ret_rows = strtoll(row[1], NULL, 10);
	} else {
		fprintf(stderr, "felt: %s\n", mysql_error(c->db));
	}
	mysql_free_result(r);
	return row ? 0 : -1;
}

static const char *why(void *conn) { return ((struct conn *)conn)->why; }

int main(int argc, char **argv)
{
	static const struct felt_backend mariadb = {
		.name = "mariadb",
		.open = open_conn,
		.run = run,
		.books = books,
		.why = why,
		.close = close_conn,
	};
	return felt_main(argc, argv, &mariadb);
}
