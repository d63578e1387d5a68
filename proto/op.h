/*
 * The methods of protocol 1, once. Dispatch, parameter checks, rpc.discover and the clients' help come from this table.
 *
 * OP_MAP:    X(ID, "wire.name", flags, role, required parameters, optional parameters, "one line")
 * PARAM_MAP: X(ID, "wire name", TYPE, "one line"). A parameter has one type wherever it appears.
 * `timeout_ms` may come with every method and is not repeated here.
 */
#ifndef ALTERD_PROTO_OP_H
#define ALTERD_PROTO_OP_H

#include <stddef.h>
#include <stdint.h>

/* OP_CONTROL: answered at once, ahead of the statements in line. OP_STATEMENT: takes its turn in the session's line. */
enum { OP_STATEMENT = 0, OP_CONTROL = 1 };

enum role { ROLE_NONE, ROLE_RO, ROLE_RW, ROLE_MIGRATE, ROLE_ADMIN };
#define ROLE_COUNT (ROLE_ADMIN + 1)

#define PARAM_MAP(X)                                                                                                   \
	X(SQL, "sql", STRING, "one SQL statement")                                                                     \
	X(BIND, "bind", BIND, "values: an array for ?, an object for :a @a $a")                                        \
	X(PAGE_ROWS, "page_rows", COUNT, "rows a page at most, from 1; above the cap it is clamped")                   \
	X(TIMEOUT_MS, "timeout_ms", COUNT, "milliseconds after which the request is given up")                         \
	X(WANT, "want", WANT, "array of extras; \"types\" adds the declared types")                                    \
	X(STATEMENTS, "statements", STEPS, "array of {sql, bind?, expect_changes?}")                                   \
	X(SCRIPT, "script", STRING, "several SQL statements")                                                          \
	X(MODE, "mode", STRING, "\"immediate\" or \"read\"")                                                           \
	X(WAIT_MS, "wait_ms", NUMBER0, "milliseconds to wait for a turn to write")                                     \
	X(MAX_MS, "max_ms", COUNT, "milliseconds the transaction may last; above the cap it is clamped")               \
	X(CURSOR, "cursor", STRING, "a cursor a query answered")                                                       \
	X(ID, "id", REQID, "id of a request in flight on this connection")                                             \
	X(SESSION, "session", STRING, "a session, as hello and sessions name it")                                      \
	X(PROTOCOL, "protocol", RANGE, "[lowest, highest] protocol the client speaks")                                 \
	X(CLIENT, "client", STRING, "name and version of the client, for sessions and the log")                        \
	X(INT64, "int64", INT64, "\"auto\", \"number\" or \"string\"")                                                 \
	X(READONLY, "readonly", BOOL, "true: refuse every write of this session")                                      \
	X(EXPECT_VERSION, "expect_version", NUMBER0, "schema version the client needs")                                \
	X(TABLE, "table", STRING, "name of a table")                                                                   \
	X(JOB, "job", STRING, "a migration job; the running one where it is left out")                                 \
	X(WAIT, "wait", BOOL, "true: answer when the job has ended")                                                   \
	X(ALLOW_DATA_LOSS, "allow_data_loss", BOOL, "consent to lose data the new schema cannot hold")                 \
	X(POSTPONE_CUTOVER, "postpone_cutover", BOOL, "stop before the swap until migrate.cutover")                    \
	X(BATCH_ROWS, "batch_rows", COUNT, "rows a batch at most")                                                     \
	X(DUTY_PERCENT, "duty_percent", COUNT, "share of the writer's time the migration may take, 1 to 100")          \
	X(TO, "to", NUMBER0, "the version to end at")                                                                  \
	X(STEPS, "steps", COUNT, "how many versions")                                                                  \
	X(FILES, "files", FILES, "array of {name, sql}: migration files, in place of the daemon's folder")             \
	X(SCHEMA, "schema", FILE, "{name, sql}: a dump that a fresh database is made from first")                      \
	X(FORMAT, "format", STRING, "whose form the files have; \"auto\" looks at them")                               \
	X(ALLOW_OUT_OF_ORDER, "allow_out_of_order", BOOL, "run files below the present version, too")                  \
	X(VERSION, "version", NUMBER0, "a version")                                                                    \
	X(FROM, "from", STRING, "the tool whose history is taken over, \"auto\" or \"user_version\"")                  \
	X(DRY_RUN, "dry_run", BOOL, "true: tell, and write nothing")                                                   \
	X(APPLIED, "applied", BOOL, "true: the version counts as applied; false: as never begun")                      \
	X(TRY, "try", BOOL, "true: rehearse the run on a copy of the database; needs the role migrate")                \
	X(NAME, "name", STRING, "a backup: a plain file name")                                                         \
	X(CHECK, "check", BOOL, "true: look at all of the copy, rows and indexes too, and tell")                       \
	X(OFFSET, "offset", NUMBER0, "the first byte")                                                                 \
	X(SIZE, "size", COUNT, "bytes at most")                                                                        \
	X(QUICK, "quick", BOOL, "true: neither compare indexes with their tables nor look at foreign keys")            \
	X(WHOLE, "whole", BOOL, "true: the file as a whole in one snapshot, however large it is")                      \
	X(TOPICS, "topics", TOPICS, "array of names: migration, schema, changes, log, session")                        \
	X(TABLES, "tables", NAMES, "array of tables: of the topic changes, these alone")                               \
	X(SUBSCRIPTION, "subscription", STRING, "a subscription, as subscribe named it")                               \
	X(BY, "by", STRING, "what to sort by: time, calls, scans, mean, max, rows, sorts, work or errors")             \
	X(LIMIT, "limit", COUNT, "entries at most; above the cap it is clamped")

enum param {
#define X(id, name, type, doc) PARAM_##id,
	PARAM_MAP(X)
#undef X
		PARAM_COUNT
};

#define P(id) (UINT64_C(1) << PARAM_##id)

#define OP_MAP(X)                                                                                                      \
	X(HELLO, "hello", OP_STATEMENT, ROLE_RO, 0,                                                                    \
	  P(PROTOCOL) | P(CLIENT) | P(INT64) | P(READONLY) | P(EXPECT_VERSION),                                        \
	  "agree on the protocol; optional, the first request if there is one")                                        \
	X(PING, "ping", OP_CONTROL, ROLE_RO, 0, 0, "answer {}")                                                        \
	X(QUERY, "query", OP_STATEMENT, ROLE_RO, P(SQL), P(BIND) | P(PAGE_ROWS) | P(WANT),                             \
	  "run one statement, answer a page of rows")                                                                  \
	X(EXEC, "exec", OP_STATEMENT, ROLE_RO, P(SQL), P(BIND) | P(PAGE_ROWS) | P(WANT),                               \
	  "run one statement, answer what it changed")                                                                 \
	X(BATCH, "batch", OP_STATEMENT, ROLE_RW, 0, P(STATEMENTS) | P(SCRIPT),                                         \
	  "run statements as one transaction, all or nothing")                                                         \
	X(BEGIN, "begin", OP_STATEMENT, ROLE_RO, 0, P(MODE) | P(WAIT_MS) | P(MAX_MS), "open a transaction")            \
	X(COMMIT, "commit", OP_STATEMENT, ROLE_RO, 0, 0, "keep the transaction")                                       \
	X(ROLLBACK, "rollback", OP_STATEMENT, ROLE_RO, 0, 0, "undo the transaction; ends the failed state too")        \
	X(FETCH, "fetch", OP_STATEMENT, ROLE_RO, P(CURSOR), P(PAGE_ROWS), "the next page of a cursor")                 \
	X(CLOSE, "close", OP_STATEMENT, ROLE_RO, P(CURSOR), 0, "close a cursor")                                       \
	X(CANCEL, "cancel", OP_CONTROL, ROLE_RO, P(ID), 0, "give up a request of this connection")                     \
	X(KILL, "kill", OP_CONTROL, ROLE_ADMIN, P(SESSION), 0, "end another session")                                  \
	X(SESSIONS, "sessions", OP_CONTROL, ROLE_RO, 0, 0, "who is connected, and what each is doing")                 \
	X(DESCRIBE, "describe", OP_STATEMENT, ROLE_RO, P(SQL), 0, "columns and parameters of a statement")             \
	X(SCHEMA, "schema", OP_STATEMENT, ROLE_RO, 0, P(TABLE), "the CREATE statements")                               \
	X(STATUS, "status", OP_CONTROL, ROLE_RO, 0, 0, "the daemon at a glance")                                       \
	X(STATS, "stats", OP_CONTROL, ROLE_RO, 0, 0, "counters since the start")                                       \
	X(STATS_STATEMENTS, "stats.statements", OP_CONTROL, ROLE_ADMIN, 0, P(BY) | P(LIMIT),                           \
	  "statistics of statements, by their text without values")                                                    \
	X(STATS_RESET, "stats.reset", OP_CONTROL, ROLE_ADMIN, 0, 0, "forget the statistics of statements")             \
	X(METRICS, "metrics", OP_CONTROL, ROLE_RO, 0, 0, "counters and gauges as Prometheus text")                     \
	X(ADVISE, "advise", OP_STATEMENT, ROLE_ADMIN, 0, P(LIMIT), "indexes that would help the statements seen")      \
	X(DISCOVER, "rpc.discover", OP_CONTROL, ROLE_RO, 0, 0, "this protocol as an OpenRPC document")                 \
	X(STATS_RECENT, "stats.recent", OP_CONTROL, ROLE_RO, 0, 0, "the last minute, second by second")                \
	X(CONFIG_SHOW, "config.show", OP_CONTROL, ROLE_RO, 0, 0, "the settings in force, and where they came from")    \
	X(CONFIG_RELOAD, "config.reload", OP_CONTROL, ROLE_ADMIN, 0, 0, "read the configuration again")                \
	X(MIGRATE_ALTER, "migrate.alter", OP_STATEMENT, ROLE_MIGRATE, P(SQL),                                          \
	  P(WAIT) | P(ALLOW_DATA_LOSS) | P(POSTPONE_CUTOVER), "change a table online")                                 \
	X(MIGRATE_PLAN, "migrate.plan", OP_STATEMENT, ROLE_RO, 0,                                                      \
	  P(TO) | P(STEPS) | P(FILES) | P(FORMAT) | P(ALLOW_DATA_LOSS) | P(ALLOW_OUT_OF_ORDER) | P(SCHEMA) | P(TRY),   \
	  "what up or to would do; writes nothing")                                                                    \
	X(MIGRATE_UP, "migrate.up", OP_STATEMENT, ROLE_MIGRATE, 0,                                                     \
	  P(TO) | P(STEPS) | P(FILES) | P(FORMAT) | P(WAIT) | P(ALLOW_DATA_LOSS) | P(ALLOW_OUT_OF_ORDER) |             \
		  P(POSTPONE_CUTOVER) | P(SCHEMA),                                                                     \
	  "run the migration files that are pending")                                                                  \
	X(MIGRATE_DOWN, "migrate.down", OP_STATEMENT, ROLE_MIGRATE, 0,                                                 \
	  P(TO) | P(STEPS) | P(FILES) | P(FORMAT) | P(WAIT) | P(ALLOW_DATA_LOSS) | P(POSTPONE_CUTOVER),                \
	  "undo versions, the last one first")                                                                         \
	X(MIGRATE_TO, "migrate.to", OP_STATEMENT, ROLE_MIGRATE, P(VERSION),                                            \
	  P(FILES) | P(FORMAT) | P(WAIT) | P(ALLOW_DATA_LOSS) | P(ALLOW_OUT_OF_ORDER) | P(POSTPONE_CUTOVER),           \
	  "go to a version, up or down")                                                                               \
	X(MIGRATE_LIST, "migrate.list", OP_STATEMENT, ROLE_RO, 0, P(FILES) | P(FORMAT),                                \
	  "the versions, applied and pending")                                                                         \
	X(MIGRATE_VALIDATE, "migrate.validate", OP_STATEMENT, ROLE_RO, 0, P(FILES) | P(FORMAT),                        \
	  "what is wrong with the migration files; writes nothing")                                                    \
	X(MIGRATE_BASELINE, "migrate.baseline", OP_STATEMENT, ROLE_MIGRATE, 0,                                         \
	  P(VERSION) | P(FROM) | P(DRY_RUN) | P(FILES) | P(FORMAT), "record versions as applied without running them") \
	X(MIGRATE_REPAIR, "migrate.repair", OP_STATEMENT, ROLE_MIGRATE, P(VERSION), P(FILES) | P(FORMAT),              \
	  "accept an applied file as it is now")                                                                       \
	X(MIGRATE_RESOLVE, "migrate.resolve", OP_STATEMENT, ROLE_MIGRATE, P(VERSION) | P(APPLIED),                     \
	  P(FILES) | P(FORMAT), "say what a partial version counts as")                                                \
	X(MIGRATE_STATUS, "migrate.status", OP_CONTROL, ROLE_RO, 0, 0, "the running migration, else the last one")     \
	X(MIGRATE_HISTORY, "migrate.history", OP_CONTROL, ROLE_RO, 0, 0, "migrations that ended, newest last")         \
	X(MIGRATE_PAUSE, "migrate.pause", OP_CONTROL, ROLE_MIGRATE, 0, P(JOB), "stop the migration where it stands")   \
	X(MIGRATE_RESUME, "migrate.resume", OP_CONTROL, ROLE_MIGRATE, 0, P(JOB), "go on with a paused migration")      \
	X(MIGRATE_ABORT, "migrate.abort", OP_CONTROL, ROLE_MIGRATE, 0, P(JOB),                                         \
	  "give the migration up, before its swap")                                                                    \
	X(MIGRATE_THROTTLE, "migrate.throttle", OP_CONTROL, ROLE_MIGRATE, 0, P(JOB) | P(BATCH_ROWS) | P(DUTY_PERCENT), \
	  "change the migration's pace")                                                                               \
	X(MIGRATE_CUTOVER, "migrate.cutover", OP_CONTROL, ROLE_MIGRATE, 0, P(JOB), "let a postponed swap happen")      \
	X(BACKUP, "backup", OP_STATEMENT, ROLE_MIGRATE, 0, P(NAME) | P(CHECK), "copy the database while it is in use") \
	X(BACKUP_LIST, "backup.list", OP_STATEMENT, ROLE_MIGRATE, 0, 0, "the backups there are")                       \
	X(BACKUP_READ, "backup.read", OP_STATEMENT, ROLE_MIGRATE, P(NAME), P(OFFSET) | P(SIZE),                        \
	  "a part of a backup, as base64")                                                                             \
	X(BACKUP_DELETE, "backup.delete", OP_STATEMENT, ROLE_MIGRATE, P(NAME), 0, "delete a backup")                   \
	X(CHECK, "check", OP_STATEMENT, ROLE_MIGRATE, 0, P(TABLE) | P(QUICK) | P(WHOLE),                               \
	  "look the database through while it is in use")                                                              \
	X(ANALYZE, "analyze", OP_STATEMENT, ROLE_MIGRATE, 0, P(TABLE), "SQLite's statistics, from samples")            \
	X(SHRINK, "shrink", OP_STATEMENT, ROLE_MIGRATE, 0, 0, "give free pages of the file back")                      \
	X(SUBSCRIBE, "subscribe", OP_STATEMENT, ROLE_RO, P(TOPICS), P(TABLES), "be told of what happens, as it does")  \
	X(UNSUBSCRIBE, "unsubscribe", OP_STATEMENT, ROLE_RO, P(SUBSCRIPTION), 0, "end a subscription")

enum op {
#define X(id, name, flags, role, required, optional, doc) OP_##id,
	OP_MAP(X)
#undef X
		OP_COUNT
};

struct op_info {
	const char *name;  /* on the wire */
	int flags;         /* OP_STATEMENT or OP_CONTROL */
	enum role role;    /* the least role that may call it */
	uint64_t required; /* mask of P(..) */
	uint64_t optional; /* mask of P(..), timeout_ms included */
	const char *doc;   /* one line */
};

/* "none", "ro", "rw", "migrate", "admin". */
const char *role_name(enum role role);
/* The role by its name of n bytes; -1 if there is none. */
int role_by_name(const char *name, size_t n, enum role *ret);

/* The table's entry; `op` is below OP_COUNT. */
const struct op_info *op_info(enum op op);
/* The method by its name of n bytes; OP_COUNT if there is none. */
enum op op_by_name(const char *name, size_t n);
/* The method whose name is nearest to `name`, for "did you mean"; NULL if none is near. */
const char *op_suggest(const char *name);

#endif
