/*
 * The fault sweep inside one process a run: a small change with clients writing, and in each run another thing goes
 * wrong: the n-th allocation, read, write or sync fails, the disk is full for a while, a write is torn, the power goes,
 * or the process dies at one of the points in a step. n goes up until a run meets no fault.
 *
 *     steps [--long] [--only TEXT] [--trace]
 *
 * A run is a forked process. When it is gone its file is looked at with plain SQLite: whole, in the old or the new
 * schema, with every acknowledged write and no other (the one that was under way may be in or not). If the job had not
 * ended, a second process without faults goes on with it to its end, and the file is looked at again. In the short form
 * n moves in steps, so that a kind takes a bounded number of runs; --long tries every n.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"

/* world.h is made for Check, whose own need a test of its that runs. */
#undef ck_assert_msg
#undef ck_assert_int_eq
#undef ck_assert_ptr_nonnull
#define ck_assert_msg(ok, ...) ((ok) ? (void)0 : (fprintf(stderr, __VA_ARGS__), (void)fputc('\n', stderr), _exit(3)))
#define ck_assert_int_eq(a, b) CHECK((a) == (b))
#define ck_assert_ptr_nonnull(p) CHECK((p) != NULL)
#include "tests/unit/migrate/world.h"

#define OPS_MAX 64
/* Runs of one kind in the short form. */
#define SHORT_RUNS 12

/*
 * A write that was answered by an I/O error is not there as long as the daemon lives. But SQLite has written it before
 * the sync that failed, so after a restart it may be, if nothing was written behind it.
 */
enum op_state { OP_OPEN, OP_SENT, OP_OK, OP_REFUSED, OP_DOUBTFUL };

/* What a run tells the process that started it, as it goes. */
struct shared {
	int ops[OPS_MAX]; /* enum op_state */
	int alter_code;   /* of the answer; 0 also while there is none */
	bool answered;
	unsigned long hits;
	char why[200];
};

/* A change and what clients do meanwhile. */
struct scenario {
	const char *name, *setup, *change;
	const char *end;                 /* state of the job, where nothing goes wrong but what the scenario wants */
	const char *is_new;              /* 1 in the new schema */
	const char *old_rows, *new_rows; /* of the file */
	const char *model_rows;          /* new_rows as the model, which keeps the old schema, can say it */
	const char *const *ops;          /* one that begins with '!' is another program's, on a connection of its own */
};

static const char *const rebuild_ops[] = {"UPDATE t SET amount=amount+1 WHERE id=3",
					  "INSERT INTO t VALUES(1001,'7','new','u1001')",
					  "DELETE FROM t WHERE id=20",
					  "INSERT OR REPLACE INTO t VALUES(2000,'8','rep','u5')",
					  "UPDATE t SET id=id+3000 WHERE id BETWEEN 30 AND 34",
					  "INSERT INTO t VALUES(1002,'9','dup','u1001')",
					  "UPDATE t SET u=CASE id WHEN 40 THEN 'u41' ELSE 'x40' END WHERE id=41",
					  "UPDATE t SET note=note||'!' WHERE id%10=0",
					  "DELETE FROM t WHERE id BETWEEN 60 AND 70",
					  "INSERT INTO t SELECT id+5000,amount,note,NULL FROM t WHERE id<10",
					  "UPDATE t SET amount='12.0' WHERE id=90",
					  "INSERT INTO t VALUES(1003,NULL,NULL,NULL)",
					  "UPDATE t SET note='late' WHERE id=100",
					  "DELETE FROM t WHERE id=1003",
					  "UPDATE t SET amount=5 WHERE id>110",
					  NULL};

static const char *const foreign_ops[] = {"UPDATE t SET amount=amount+1 WHERE id=3",
					  "INSERT INTO t VALUES(1001,'7','new','u1001')",
					  "!UPDATE t SET note='foreign' WHERE id=5",
					  "DELETE FROM t WHERE id=20",
					  "UPDATE t SET note=note||'!' WHERE id%10=0",
					  "!INSERT INTO t VALUES(-5,'3','foreign','u-5')",
					  "UPDATE t SET id=id+3000 WHERE id BETWEEN 30 AND 34",
					  NULL};

#define TABLE                                                                                                          \
	"CREATE TABLE t(id INTEGER PRIMARY KEY, amount TEXT, note TEXT, u TEXT);"                                      \
	"CREATE UNIQUE INDEX tu ON t(u); CREATE INDEX tn ON t(note, amount);"                                          \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<120)"                                    \
	"INSERT INTO t SELECT i, i*7%50, printf('note %.*c', i%40, 'x'), 'u'||i FROM n;"
#define CHANGE "ALTER TABLE t ALTER amount TYPE REAL, ADD c TEXT NOT NULL DEFAULT 'eur'"
#define HAS_C "SELECT count(*) FROM pragma_table_info('t') WHERE name='c'"
#define OLD_ROWS "SELECT id,amount,typeof(amount),note,u FROM t ORDER BY id"
#define NEW_ROWS "SELECT id,amount,typeof(amount),note,u,c FROM t ORDER BY id"
#define AS_REAL "SELECT id,CAST(amount AS REAL),typeof(CAST(amount AS REAL)),note,u,'eur' FROM t ORDER BY id"

static const struct scenario scenarios[] = {
	{"rebuild", TABLE, CHANGE, "done", HAS_C, OLD_ROWS, NEW_ROWS, AS_REAL, rebuild_ops},
	{"instant", TABLE, "ALTER TABLE t ADD c TEXT DEFAULT 'eur'", "done", HAS_C, OLD_ROWS, NEW_ROWS,
	 "SELECT id,amount,typeof(amount),note,u,'eur' FROM t ORDER BY id", rebuild_ops},
	/* Duplicates are found when part of the table is copied: the shadow has to go again. */
	{"refused", TABLE, "ALTER TABLE t ALTER amount TYPE REAL, ADD UNIQUE(amount)", "failed", "SELECT 0", OLD_ROWS,
	 OLD_ROWS, OLD_ROWS, rebuild_ops},
	{"foreign", TABLE, CHANGE, "done", HAS_C, OLD_ROWS, NEW_ROWS, AS_REAL, foreign_ops},
};

static bool is_long, trace;
static const char *only;
static struct shared *shared;
static char dir[64], seed_path[128], path[128];
static int runs, failures;

/* --- the process of a run --- */

static struct world run_world;

static void open_world(struct world *w)
{
	*w = (struct world){.batch_rows = 40};
	snprintf(w->path, sizeof(w->path), "%s", path);
	world_serve(w);
	w->m->config.retry_ms = 1;
}

/* Another program's write: the copy notices, and begins anew. */
static int foreign(const char *sql)
{
	sqlite3 *db;

	if (sqlite3_open(path, &db) != SQLITE_OK) {
		sqlite3_close(db);
		return SQLITE_IOERR;
	}
	sqlite3_busy_timeout(db, 10000);
	sqlite3_exec(db, sql, NULL, NULL, NULL);
	int code = sqlite3_errcode(db);
	sqlite3_close(db);
	return code;
}

static void run_ops(struct world *w, const struct scenario *sc, const struct world_wait *wait)
{
	for (int i = 0; sc->ops[i]; i++) {
		if (shared->ops[i] != OP_OPEN)
			continue;
		shared->ops[i] = OP_SENT;
		int code = sc->ops[i][0] == '!' ? foreign(sc->ops[i] + 1) : world_sql(w, sc->ops[i], NULL);
		shared->ops[i] = !code ? OP_OK : (code & 0xff) == SQLITE_IOERR ? OP_DOUBTFUL : OP_REFUSED;
		for (int turn = 0; turn < 3 && wait && !wait->done; turn++)
			world_turn(w);
	}
}

static _Noreturn void run_with_fault(const struct scenario *sc, const char *spec, const char *point)
{
	struct world *w = &run_world;
	struct world_wait wait;

	open_world(w);
	fault_set(spec);
	world_alter(w, &wait, sc->change, false, false);
	run_ops(w, sc, &wait);
	shared->alter_code = world_await(w, &wait);
	snprintf(shared->why, sizeof(shared->why), "%.190s", wait.w.err.message);
	shared->answered = true;
	world_wait_free(&wait);
	world_stop(w);
	shared->hits = fault_hits(point);
	_exit(0);
}

static _Noreturn void run_on(const struct scenario *sc)
{
	struct world *w = &run_world;

	fault_set(NULL);
	open_world(w);
	while (migrator_current(w->m))
		world_turn(w);
	run_ops(w, sc, NULL);
	world_stop(w);
	_exit(0);
}

/* --- what is left --- */

static void copy_file(const char *from, const char *to)
{
	char data[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, data, sizeof(data))) > 0)
		CHECK(write(out, data, (size_t)n) == n);
	close(in);
	close(out);
}

static void clean(void)
{
	static const char *const tails[] = {"", "-wal", "-shm", ".alterd-lock"};
	char name[160];

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, tails[i]);
		unlink(name);
	}
}

static void ask(sqlite3 *db, const char *sql, struct buf *out)
{
	char *message = NULL;

	if (sqlite3_exec(db, sql, world_append, out, &message) != SQLITE_OK)
		buf_printf(out, "%s: %s", sql, message);
	sqlite3_free(message);
}

static bool says(sqlite3 *db, const char *sql, const char *want)
{
	struct buf got = {0};

	ask(db, sql, &got);
	bool same = strcmp(buf_cstr(&got), want) == 0;
	buf_free(&got);
	return same;
}

/* The one write that may be in or not, -1: none. */
static int open_op(const struct scenario *sc)
{
	int at = -1;

	for (int i = 0; sc->ops[i]; i++) {
		if (shared->ops[i] == OP_SENT || shared->ops[i] == OP_DOUBTFUL)
			at = i;
		else if (shared->ops[i] == OP_OK)
			at = -1;
	}
	return at;
}

/* The seed with the acknowledged writes, and the open one where `with_open`. */
static void expected(const struct scenario *sc, bool is_new, bool with_open, struct buf *out)
{
	sqlite3 *db;

	CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
	ask(db, sc->setup, out);
	for (int i = 0; sc->ops[i]; i++)
		if (shared->ops[i] == OP_OK || (with_open && i == open_op(sc)))
			ask(db, sc->ops[i] + (sc->ops[i][0] == '!'), out);
	ask(db, is_new ? sc->model_rows : sc->old_rows, out);
	sqlite3_close(db);
}

static int complain(const char *what, const char *spec, const char *text)
{
	printf("FAIL %s: %s: %.300s\n", spec, what, text);
	failures++;
	return -1;
}

/* integrity_check, but for the one thing it may say of an index b-tree that stands as a work table. */
static bool is_whole(sqlite3 *db, struct buf *said)
{
	struct buf work = {0};

	ask(db, "SELECT 1 FROM sqlite_schema WHERE name GLOB '_alterd_*_new*' LIMIT 1", &work);
	ask(db,
	    work.len ? "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check NOT LIKE 'NULL value "
		       "in "
		       "\\_alterd%' ESCAPE '\\'"
		     : "SELECT integrity_check FROM pragma_integrity_check",
	    said);
	bool ok = strcmp(buf_cstr(said), "ok|\n") == 0 || (work.len && said->len == 0);
	buf_free(&work);
	return ok;
}

/* Looks at the file; *ret_new: in the new schema. */
static int look(const struct scenario *sc, const char *spec, bool *ret_new)
{
	struct buf said = {0}, got = {0}, without = {0}, with = {0};
	sqlite3 *db;
	int rc = 0;

	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	if (!is_whole(db, &said))
		rc = complain("integrity", spec, buf_cstr(&said));
	*ret_new = says(db, sc->is_new, "1|\n");
	ask(db, *ret_new ? sc->new_rows : sc->old_rows, &got);
	expected(sc, *ret_new, false, &without);
	expected(sc, *ret_new, true, &with);
	if (strcmp(buf_cstr(&got), buf_cstr(&without)) == 0) {
		if (open_op(sc) >= 0)
			shared->ops[open_op(sc)] = OP_OPEN;
	} else if (strcmp(buf_cstr(&got), buf_cstr(&with)) == 0) {
		shared->ops[open_op(sc)] = OP_OK;
	} else {
		rc = complain(*ret_new ? "rows of the new schema" : "rows of the old schema", spec, buf_cstr(&got));
	}
	sqlite3_close(db);
	buf_free(&said);
	buf_free(&got);
	buf_free(&without);
	buf_free(&with);
	return rc;
}

static int look_at_end(const struct scenario *sc, const char *spec, bool may_fail)
{
	bool is_new = false;
	sqlite3 *db;
	int rc = look(sc, spec, &is_new);
	struct buf jobs = {0}, left = {0};

	CHECK(sqlite3_open(path, &db) == SQLITE_OK);
	ask(db, "SELECT state,error_text FROM _alterd_job", &jobs);
	ask(db,
	    "SELECT name FROM sqlite_schema WHERE name GLOB '_alterd_*' AND name NOT IN "
	    "('_alterd_meta','_alterd_job','_alterd_dirty') UNION ALL SELECT key FROM _alterd_dirty",
	    &left);
	const char *state = buf_cstr(&jobs);
	size_t n = strlen(sc->end);
	bool as_meant = strncmp(state, sc->end, n) == 0 && state[n] == '|';
	if (left.len)
		rc = complain("left behind", spec, buf_cstr(&left));
	else if (is_new != (strncmp(state, "done|", 5) == 0))
		rc = complain("schema and job disagree", spec, state);
	else if (state[0] && !as_meant && !(may_fail && strncmp(state, "failed|", 7) == 0))
		rc = complain("the job's end", spec, state);
	if (trace && !as_meant)
		printf("     %s: %s %s\n", spec, state, shared->why);
	sqlite3_close(db);
	buf_free(&jobs);
	buf_free(&left);
	return rc;
}

/* --- a run --- */

static int wait_for(pid_t pid)
{
	int status = 0;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static pid_t start(const struct scenario *sc, const char *spec, const char *point)
{
	fflush(NULL);
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	alarm(60);
	if (spec)
		run_with_fault(sc, spec, point);
	run_on(sc);
}

/* One run with point:action:range. *ret_hit: there was something to go wrong. */
static void run(const struct scenario *sc, const char *point, const char *action, const char *range, bool *ret_hit)
{
	char spec[128];
	bool is_new = false, deadly = strcmp(action, "fail") != 0 && strcmp(action, "full") != 0;

	snprintf(spec, sizeof(spec), "%s:%s:%s", point, action, range);
	runs++;
	clean();
	copy_file(seed_path, path);
	memset(shared, 0, sizeof(*shared));
	int status = wait_for(start(sc, spec, point));
	bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && deadly;
	*ret_hit = died || shared->hits >= strtoul(range, NULL, 10);
	if (!died && status != 0) {
		char text[64];
		snprintf(text, sizeof(text), "%s %d", WIFSIGNALED(status) ? "signal" : "exit",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		complain("the process", spec, text);
		return;
	}
	if (look(sc, spec, &is_new) != 0)
		return;
	if (died) {
		status = wait_for(start(sc, NULL, NULL));
		if (status != 0) {
			complain("the process that went on", spec, WIFSIGNALED(status) ? "a signal" : "an exit code");
			return;
		}
	}
	look_at_end(sc, spec, !deadly);
}

/* All n of one kind; `width` faults in a row. */
static void sweep(const struct scenario *sc, const char *point, const char *action, unsigned long width)
{
	char name[160], range[64];
	bool hit = false;
	unsigned long stride = 1;

	snprintf(name, sizeof(name), "%s %s:%s:%lu", sc->name, point, action, width);
	if (only && !strstr(name, only))
		return;
	uint64_t begun = clock_now_ns();
	int runs_before = runs, failures_before = failures;
	/* How often is it hit at all? */
	run(sc, point, "fail", "1000000000", &hit);
	unsigned long total = shared->hits;
	if (!is_long && total > SHORT_RUNS)
		stride = total / SHORT_RUNS + 1;
	hit = true;
	for (unsigned long n = 1; hit; n += stride) {
		snprintf(range, sizeof(range), "%lu-%lu", n, n + width - 1);
		run(sc, point, action, range, &hit);
	}
	printf("%s %s: %lu hits, %d runs, %.1f s\n", failures == failures_before ? "ok  " : "    ", name, total,
	       runs - runs_before, (double)(clock_now_ns() - begun) / 1e9);
	fflush(stdout);
}

static void sweep_machine(const struct scenario *sc)
{
	static const char *const points[] = {"step-alloc", "step-write", "step-sync", "step-read",
					     "alloc",      "write",      "sync",      "read"};

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		bool writes = strstr(points[i], "write") != NULL;
		sweep(sc, points[i], "fail", 1);
		sweep(sc, points[i], writes ? "full" : "fail", 5);
		if (writes)
			sweep(sc, points[i], "torn", 1);
		if (writes || strstr(points[i], "sync"))
			sweep(sc, points[i], "power", 1);
	}
}

static void sweep_points(const struct scenario *sc)
{
	static const char *const places[] = {"enter", "commit", "committed", "leave"};
	static const char *const others[] = {"save-commit",         "save-committed",     "alter-committed",
					     "group-before-commit", "group-after-commit", "catalog-progress",
					     "backfill-commit",     "swap-commit"};
	char point[64];

	for (int p = 0; p < PHASE_COUNT; p++) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(point, sizeof(point), "%s-%s", phase_name((enum phase)p), places[i]);
			sweep(sc, point, "kill", 1);
			if (i < 2)
				sweep(sc, point, "fail", 1);
		}
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		sweep(sc, others[i], "kill", 1);
		sweep(sc, others[i], "fail", 1);
	}
}

static void seed(const struct scenario *sc)
{
	sqlite3 *db;
	struct buf out = {0};

	unlink(seed_path);
	CHECK(sqlite3_open(seed_path, &db) == SQLITE_OK);
	ask(db, "PRAGMA journal_mode=WAL", &out);
	ask(db, sc->setup, &out);
	sqlite3_close(db);
	buf_free(&out);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		is_long = is_long || strcmp(argv[i], "--long") == 0;
		trace = trace || strcmp(argv[i], "--trace") == 0;
		if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = argv[++i];
	}
	log_set_level(getenv("LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	/* Memory for a disk, where there is some: what counts here is what SQLite is told of it. */
	snprintf(dir, sizeof(dir), "%s/alterd-faults-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(dir));
	snprintf(seed_path, sizeof(seed_path), "%s/seed.db", dir);
	snprintf(path, sizeof(path), "%s/t.db", dir);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		seed(&scenarios[i]);
		sweep_points(&scenarios[i]);
		sweep_machine(&scenarios[i]);
	}
	clean();
	unlink(seed_path);
	rmdir(dir);
	printf("%d runs\n%d passed, %d failed\n", runs, runs - failures, failures);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
