/*
 * The measures that the ratios stand on: SQLite used directly in one process, and how long this disk takes to sync.
 *
 *     sqlite select|update FILE [SECONDS [ROWS]]   the statements of load.c, prepared once; WAL, synchronous=FULL
 *     sqlite sync FOLDER [COUNT]                   append 4 KiB and fdatasync, COUNT times
 *
 * The report is one line of key=value.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/latency.h"
#include "tests/bench/options.h"

#define CACHE_PRAGMA "PRAGMA cache_size=-16384" /* the daemon's default for its writer: 16 MiB */

static struct latency latency;

static void report(const char *mode, double seconds)
{
	printf("mode=%s seconds=%.2f ops=%llu tps=%.0f p50_us=%.1f p99_us=%.1f max_us=%.1f\n", mode, seconds,
	       (unsigned long long)latency.count, (double)latency.count / seconds,
	       (double)latency_quantile(&latency, 0.5) / 1e3, (double)latency_quantile(&latency, 0.99) / 1e3,
	       (double)latency.max_ns / 1e3);
}

static int sync_main(const char *folder, long count)
{
	char path[4096], block[4096] = {0};
	int n = snprintf(path, sizeof(path), "%s/sync.tmp", folder);
	if (n < 0 || (size_t)n >= sizeof(path))
		return 64;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	unlink(path);
	uint64_t from_ns = now_ns();
	for (long i = 0; i < count; i++) {
		uint64_t t = now_ns();
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fdatasync(fd) < 0) {
			perror("sync");
			close(fd);
			return 1;
		}
		latency_add(&latency, now_ns() - t);
	}
	report("sync", (double)(now_ns() - from_ns) / 1e9);
	close(fd);
	return 0;
}

/* Runs one statement; true if it did what it should. */
static bool step_once(sqlite3 *db, sqlite3_stmt *stmt, bool update, int64_t key)
{
	bool good;
	sqlite3_bind_int64(stmt, 1, key);
	int rc = sqlite3_step(stmt);
	if (update)
		good = rc == SQLITE_DONE && sqlite3_changes(db) == 1;
	else
		good = rc == SQLITE_ROW && sqlite3_column_int64(stmt, 0) >= 0 && sqlite3_step(stmt) == SQLITE_DONE;
	return sqlite3_reset(stmt) == SQLITE_OK && good;
}

static int run(sqlite3 *db, bool update, long seconds, long rows)
{
	const char *sql = update ? "UPDATE pgbench_accounts SET abalance=abalance+1 WHERE aid=?"
				 : "SELECT abalance FROM pgbench_accounts WHERE aid=?";
	sqlite3_stmt *stmt = NULL;
	if (sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; " CACHE_PRAGMA, NULL, NULL, NULL) ||
	    sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL)) {
		fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
		return 1;
	}
	uint64_t random = 88172645463325252u + (uint64_t)getpid();
	uint64_t from_ns = now_ns(), warm_ns = from_ns + 1000000000u;
	uint64_t end_ns = warm_ns + (uint64_t)seconds * 1000000000u, t = from_ns;
	int rc = 0;
	while (t < end_ns) {
		if (!step_once(db, stmt, update, (int64_t)(random_next(&random) % (uint64_t)rows) + 1)) {
			fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
			rc = 1;
			break;
		}
		uint64_t after = now_ns();
		if (t >= warm_ns)
			latency_add(&latency, after - t);
		t = after;
	}
	report(update ? "update" : "select", (double)(t - warm_ns) / 1e9);
	sqlite3_finalize(stmt);
	return rc;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr,
			"usage: sqlite select|update FILE [SECONDS [ROWS]]\n       sqlite sync FOLDER [COUNT]\n");
		return 64;
	}
	if (strcmp(argv[1], "sync") == 0)
		return sync_main(argv[2], argc > 3 ? option_number("COUNT", argv[3], 1, 1000000) : 500);
	bool update = strcmp(argv[1], "update") == 0;
	if (!update && strcmp(argv[1], "select") != 0) {
		fprintf(stderr, "sqlite: select, update or sync\n");
		return 64;
	}
	long seconds = argc > 3 ? option_number("SECONDS", argv[3], 1, 3600) : 5;
	long rows = argc > 4 ? option_number("ROWS", argv[4], 1, 1000000000) : 1000000;
	sqlite3 *db = NULL;
	int rc = 1;
	if (sqlite3_open_v2(argv[2], &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
		rc = run(db, update, seconds, rows);
	else
		fprintf(stderr, "%s: %s\n", argv[2], sqlite3_errmsg(db));
	sqlite3_close(db);
	return rc;
}
