/*
 * What clients feel while somebody changes their table: one load program for every server that is compared.
 *
 *     felt_SERVER --where PLACE [--rows N] [--closed N] [--rate N] [--before SECONDS] [--wal FILE] [--pid N]
 *                 -- COMMAND [ARGUMENT..]
 *
 * --closed clients send one request after the other; beside them 16 clients together send --rate requests a second by
 * the clock, each timed from the moment it was due, so that a stall shows in every request it delayed. After a warm-up
 * and a window of --before seconds COMMAND is run, which makes the change; what is answered until it returns, or was
 * due before, belongs to the change. A thread that only sleeps and wakes tells what the machine does to everybody. The
 * report is one line of key=value.
 *
 * In the end the books must agree: the number of rows and the sum of expenses.amount are what the acknowledged writes
 * make of those at the start. Exit 0 only then, and if COMMAND ended well.
 *
 * felt.c has all of that; a backend speaks to one kind of server. All statements bind integers alone, and write to the
 * client's own rows or add to amounts, so that a backend is little more than its connection.
 */
#ifndef ALTERD_BENCH_FELT_H
#define ALTERD_BENCH_FELT_H

#include <stdbool.h>
#include <stdint.h>

/* X(ID, integers bound, statement) */
#define FELT_STATEMENTS(X)                                                                                             \
	X(GET, 1, "SELECT id, payer, amount, category, note FROM expenses WHERE id = ?")                               \
	X(LIST, 1,                                                                                                     \
	  "SELECT id, payer, amount, created_at FROM expenses WHERE group_id = ? ORDER BY created_at DESC LIMIT 20")   \
	X(ADD, 1, "UPDATE expenses SET amount = amount + 1 WHERE id = ?")                                              \
	X(INSERT, 3,                                                                                                   \
	  "INSERT INTO expenses(id, group_id, amount, payer, category, note, created_at) VALUES (?, ?, ?, 'bench', "   \
	  "'food', 'added while the table was being changed, by a client', '2026-01-01 00:00:00')")                    \
	X(DELETE, 1, "DELETE FROM expenses WHERE id = ?")

enum felt_statement {
#define X(id, binds, sql) FELT_##id,
	FELT_STATEMENTS(X)
#undef X
		FELT_COUNT
};

extern const char *const felt_sql[FELT_COUNT];
extern const int felt_binds[FELT_COUNT];
#define FELT_BINDS_MAX 3

/* True for the statements that change rows; the others answer rows, which the backend reads to the end. */
static inline bool felt_writes(enum felt_statement s) { return s != FELT_GET && s != FELT_LIST; }

struct felt_backend {
	const char *name;
	/* A connection with its statements prepared; NULL after having said why. */
	void *(*open)(const char *where);
	/* Runs one statement in a transaction of its own. *ret_changed: rows changed, of those that write. */
	int (*run)(void *conn, enum felt_statement s, const int64_t *binds, int64_t *ret_changed);
	/* Sum of the amounts and number of rows. */
	int (*books)(void *conn, int64_t *ret_sum, int64_t *ret_rows);
	const char *(*why)(void *conn); /* the last failure */
	void (*close)(void *conn);
	/* These two may be NULL. */
	bool (*swapped)(void *conn); /* the change can be seen by now; the command still tidies up */
	void (*tell)(void *conn);    /* prints more " key=value" about the change that has ended */
};

int felt_main(int argc, char **argv, const struct felt_backend *backend);

#endif
