/*
 * How many rows of which tables a client's transaction has changed, told to the loop once it is committed.
 *
 * Counted by the preupdate hook: WITHOUT ROWID tables, rows that REPLACE takes away, cascades and triggers included.
 * What a failing statement or ROLLBACK TO takes back is not counted, and of a transaction that is rolled back nothing
 * is told. In a group commit each client's job is told for itself. The daemon's own work (copies, swaps, migration
 * files that run in one transaction) is not counted, and nothing is while nobody wants to know.
 *
 * A virtual table's changes come under the names of the tables that it keeps its content in.
 */
#ifndef ALTERD_STORE_CHANGES_H
#define ALTERD_STORE_CHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Tables told of one transaction, at most; and bytes of a name. What is beyond is told by `more`. */
#define CHANGES_TABLES_MAX 256
#define CHANGES_NAME_MAX 255

struct change {
	const char *table; /* as the schema spells it */
	int64_t inserted, updated, deleted;
};

/* One committed transaction, or one client's part of a group's. At least one of `n` and `more`. */
struct changes {
	size_t n;
	bool more; /* other tables may have been changed, too */
	const struct change *at;
};

/*
 * Loop. `committed` is called on the loop with each transaction, in the order of the commits; what it is given is void
 * afterwards. `counting` is called when counting has begun.
 */
void store_on_changes(struct store *s, void (*committed)(void *arg, const struct changes *changes),
		      void (*counting)(void *arg), void *arg);
/*
 * Loop. Counting begins between two transactions, at the latest when the one that is open ends; from then on
 * store_counts_changes() is true, and every transaction that is committed is told. Ends likewise.
 */
void store_count_changes(struct store *s, bool on);
bool store_counts_changes(struct store *s);

/* Loop. `touched` is called on the loop after commits that may have changed the schema; several may be one call. */
void store_on_schema(struct store *s, void (*touched)(void *arg), void *arg);

#endif
