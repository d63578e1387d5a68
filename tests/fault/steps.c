/*
 * The fault sweep inside one process a run: a small change with clients writing, and in each run another thing goes
 * wrong: the n-th allocation, read, write or sync fails, the disk is full for a while, a write is torn, the power goes,
 * or the process dies at one of the points in a step. n goes up until a run meets no fault.
 *
 *     steps [--long] [--part K/N] [--only TEXT] [--from N [--to N]] [--trace]
 *
 * A run is a forked process. When it is gone its file is looked at with plain SQLite: whole, in the old or the new
 * schema, with every acknowledged write and no other (the one that was under way may be in or not). If the job had not
 * ended, a second process without faults goes on with it to its end, and the file is looked at again. In the short form
 * n moves in steps, so that a kind takes a bounded number of runs; --long tries every n, up to some hundreds of them.
 * --part K/N takes each N-th scenario, from the K-th. A run that fails is named by its specification: --from N --only
 * TEXT begins there, and with --to N each n of the range is tried.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/store/fault_vfs.h"

/* world.h is made for Check, whose own need a test of its that runs. */
#undef ck_assert_msg
#undef ck_assert_int_eq
#undef ck_assert_ptr_nonnull
#define ck_assert_msg(ok, ...) ((ok) ? (void)0 : (fprintf(stderr, __VA_ARGS__), (void)fputc('\n', stderr), _exit(3)))
#define ck_assert_int_eq(a, b) CHECK((a) == (b))
#define ck_assert_ptr_nonnull(p) CHECK((p) != NULL)
#include "tests/unit/migrate/world.h"

#define OPS_MAX 64
/* Runs of one kind in the short form, of the first scenario and of the others. */
#define SHORT_RUNS 6
#define SHORT_RUNS_OTHERS 2
/* In the long form, of what is hit ten thousands of times: another part of it each time. */
#define LONG_RUNS 200
#define POINTS_MAX 120

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
	unsigned long hits[POINTS_MAX];
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
#define BY_HAND                                                                                                        \
	"ALTER TABLE t RENAME TO _t_old;"                                                                              \
	"CREATE TABLE t(id INTEGER PRIMARY KEY, amount REAL, note TEXT, u TEXT, c TEXT NOT NULL DEFAULT 'eur');"       \
	"INSERT INTO t(id,amount,note,u) SELECT id,amount,note,u FROM _t_old; DROP TABLE _t_old;"                      \
	"CREATE UNIQUE INDEX tu ON t(u); CREATE INDEX tn ON t(note, amount DESC);"                                     \
	"CREATE TRIGGER tt AFTER DELETE ON t BEGIN SELECT 1; END"
#define HAS_C "SELECT count(*) FROM pragma_table_info('t') WHERE name='c'"
#define HAS_TA "SELECT count(*) FROM sqlite_schema WHERE name='ta'"
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
	{"by hand", TABLE, BY_HAND, "done", HAS_C " AND EXISTS(SELECT 1 FROM sqlite_schema WHERE name='tt')", OLD_ROWS,
	 NEW_ROWS, AS_REAL, rebuild_ops},
	{"drop table", TABLE, "DROP TABLE t", "done", "SELECT count(*)=0 FROM sqlite_schema WHERE name='t'", OLD_ROWS,
	 "SELECT 'gone'", "SELECT 'gone'", rebuild_ops},
	{"drop index", TABLE, "DROP INDEX tn", "done", "SELECT count(*)=0 FROM sqlite_schema WHERE name='tn'", OLD_ROWS,
	 OLD_ROWS, OLD_ROWS, rebuild_ops},
	{"create index", TABLE, "CREATE INDEX ta ON t(note,u)", "done", HAS_TA, OLD_ROWS, OLD_ROWS, OLD_ROWS,
	 rebuild_ops},
	{"create unique index", TABLE, "CREATE UNIQUE INDEX ta ON t(note,id)", "done", HAS_TA, OLD_ROWS, OLD_ROWS,
	 OLD_ROWS, rebuild_ops},
	{"refused index", TABLE, "CREATE UNIQUE INDEX ta ON t(amount)", "failed", HAS_TA, OLD_ROWS, OLD_ROWS, OLD_ROWS,
	 rebuild_ops},
	{"foreign index", TABLE, "CREATE INDEX ta ON t(note,u)", "done", HAS_TA, OLD_ROWS, OLD_ROWS, OLD_ROWS,
	 foreign_ops},
};

/* Every point there is, and how often a run without faults hits it. */
static char points[POINTS_MAX][40];
static unsigned long usual[POINTS_MAX];
static size_t npoints;

static bool is_long, trace;
static unsigned long first_n, last_n; /* 0: not said */
static unsigned long part = 1, parts = 1;
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

/* A job that began anew too often waits for an operator. With another program's writes a fault may be one too many. */
static void turn_as_operator(struct world *w)
{
	world_turn(w);
	if (w->m->paused_why[0] != '\0')
		(void)world_control(w, OP_MIGRATE_RESUME, NULL);
}

static _Noreturn void run_with_fault(const struct scenario *sc, const char *spec)
{
	struct world *w = &run_world;
	struct world_wait wait;

	open_world(w);
	fault_set(spec);
	world_alter(w, &wait, sc->change, strncmp(sc->change, "DROP TABLE", 10) == 0, false);
	run_ops(w, sc, &wait);
	while (!wait.done)
		turn_as_operator(w);
	shared->alter_code = world_await(w, &wait);
	snprintf(shared->why, sizeof(shared->why), "%.190s", wait.w.err.message);
	shared->answered = true;
	world_wait_free(&wait);
	world_stop(w);
	for (size_t i = 0; i < npoints; i++)
		shared->hits[i] = fault_hits(points[i]);
	_exit(0);
}

static _Noreturn void run_on(const struct scenario *sc)
{
	struct world *w = &run_world;

	fault_set(NULL);
	open_world(w);
	while (migrator_current(w->m))
		turn_as_operator(w);
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

/* Past what stands between SQLite and the machine. */
static sqlite3 *plain_open(const char *name)
{
	sqlite3 *db;

	CHECK(sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix") == SQLITE_OK);
	return db;
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

	db = plain_open(":memory:");
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

	db = plain_open(path);
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

	db = plain_open(path);
	ask(db, "SELECT state,error_text FROM _alterd_job", &jobs);
	ask(db,
	    "SELECT name FROM sqlite_schema WHERE name GLOB '_alterd_*' AND name NOT IN "
	    "('_alterd_meta','_alterd_job','_alterd_dirty','_alterd_step','_alterd_partial','_alterd_ran') UNION ALL "
	    "SELECT key FROM _alterd_dirty",
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

static pid_t start(const struct scenario *sc, const char *spec)
{
	fflush(NULL);
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	alarm(60);
	if (spec)
		run_with_fault(sc, spec);
	run_on(sc);
}

/* One run. *ret_died: as it was meant to. False: something was wrong. */
static bool run(const struct scenario *sc, const char *spec, bool deadly, bool *ret_died)
{
	bool is_new = false;

	runs++;
	clean();
	copy_file(seed_path, path);
	memset(shared, 0, sizeof(*shared));
	int status = wait_for(start(sc, spec));
	*ret_died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && deadly;
	if (!*ret_died && status != 0) {
		char text[64];
		snprintf(text, sizeof(text), "%s %d", WIFSIGNALED(status) ? "signal" : "exit",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		return complain("the process", spec, text) == 0;
	}
	if (look(sc, spec, &is_new) != 0)
		return false;
	if (*ret_died && wait_for(start(sc, NULL)) != 0)
		return complain("the process that went on", spec, "it left badly") == 0;
	return look_at_end(sc, spec, !deadly) == 0;
}

/* All n of one kind; `width` faults in a row. */
static void sweep(const struct scenario *sc, size_t point, const char *action, unsigned long width)
{
	char name[160], spec[128];
	bool deadly = strcmp(action, "fail") != 0 && strcmp(action, "full") != 0;
	unsigned long most = is_long ? LONG_RUNS : sc == scenarios ? SHORT_RUNS : SHORT_RUNS_OTHERS;
	unsigned long stride = usual[point] > most && !last_n ? usual[point] / most + 1 : 1;
	unsigned long first = first_n ? first_n : is_long ? 1 + (unsigned long)clock_wall_ms() % stride : 1;

	snprintf(name, sizeof(name), "%s %s:%s:%lu", sc->name, points[point], action, width);
	if ((only && !strstr(name, only)) || usual[point] == 0)
		return;
	uint64_t begun = clock_now_ns();
	int runs_before = runs, failures_before = failures;
	bool hit = true;
	/* Until a run is clean. Runs differ a little: where not all are tried the usual number bounds it. */
	for (unsigned long n = first;
	     hit && (!last_n || n <= last_n) && ((is_long && stride == 1) || n <= usual[point]); n += stride) {
		bool died = false;
		snprintf(spec, sizeof(spec), "%s:%s:%lu-%lu", points[point], action, n, n + width - 1);
		bool ok = run(sc, spec, deadly, &died);
		hit = died || !ok || shared->hits[point] >= n;
	}
	printf("%s %s: %lu hits, %d runs, %.1f s\n", failures == failures_before ? "ok  " : "    ", name, usual[point],
	       runs - runs_before, (double)(clock_now_ns() - begun) / 1e9);
	fflush(stdout);
}

static void add_point(const char *name) { snprintf(points[npoints++], sizeof(points[0]), "%s", name); }

static void name_points(void)
{
	static const char *const places[] = {"enter", "commit", "committed", "leave"};
	static const char *const others[] = {"save-commit",         "save-committed",     "alter-committed",
					     "group-before-commit", "group-after-commit", "catalog-progress",
					     "swap-commit"};
	static const char *const machine[] = {"step-alloc", "step-write", "step-sync", "step-read",
					      "alloc",      "write",      "sync",      "read"};
	char name[40];

	for (size_t i = 0; i < sizeof(machine) / sizeof(machine[0]); i++)
		add_point(machine[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		add_point(others[i]);
	for (int p = 0; p < PHASE_END; p++) {
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(name, sizeof(name), "%s-%s", phase_name((enum phase)p), places[i]);
			add_point(name);
		}
	}
	CHECK(npoints <= POINTS_MAX);
}

/* A run in which nothing goes wrong, counting. */
static void count(const struct scenario *sc)
{
	struct buf spec = {0};
	bool died = false;

	for (size_t i = 0; i < npoints; i++)
		buf_printf(&spec, "%s%s:fail:1000000000", i ? "," : "", points[i]);
	bool ok = run(sc, buf_cstr(&spec), true, &died);
	memcpy(usual, shared->hits, sizeof(usual));
	printf("%s %s: without faults\n", ok ? "ok  " : "    ", sc->name);
	buf_free(&spec);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

static void sweep_all(const struct scenario *sc)
{
	count(sc);
	for (size_t i = 0; i < npoints; i++) {
		bool writes = ends_with(points[i], "write"), syncs = ends_with(points[i], "sync");
		bool machine = writes || syncs || ends_with(points[i], "read") || ends_with(points[i], "alloc");
		if (!machine)
			sweep(sc, i, "kill", 1);
		if (!ends_with(points[i], "ed") && !ends_with(points[i], "leave"))
			sweep(sc, i, "fail", 1);
		if (machine && (is_long || sc == scenarios))
			sweep(sc, i, writes ? "full" : "fail", 5);
		if (writes)
			sweep(sc, i, "torn", 1);
		if (writes || syncs)
			sweep(sc, i, "power", 1);
	}
}

static void seed(const struct scenario *sc)
{
	sqlite3 *db;
	struct buf out = {0};

	unlink(seed_path);
	db = plain_open(seed_path);
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
		if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
			first_n = strtoul(argv[++i], NULL, 10);
		if (strcmp(argv[i], "--to") == 0 && i + 1 < argc)
			last_n = strtoul(argv[++i], NULL, 10);
		if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = argv[++i];
		if (strcmp(argv[i], "--part") == 0 && i + 1 < argc)
			CHECK(sscanf(argv[++i], "%lu/%lu", &part, &parts) == 2 && part >= 1 && parts >= 1);
	}
	name_points();
	fault_vfs_install(); /* before SQLite is used for the first time: so the allocator is in the game */
	log_set_level(getenv("LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR);
	/* Memory for a disk, where there is some: what counts here is what SQLite is told of it. */
	snprintf(dir, sizeof(dir), "%s/alterd-faults-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	CHECK(mkdtemp(dir));
	snprintf(seed_path, sizeof(seed_path), "%s/seed.db", dir);
	snprintf(path, sizeof(path), "%s/t.db", dir);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (size_t i = part - 1; i < sizeof(scenarios) / sizeof(scenarios[0]); i += parts) {
		seed(&scenarios[i]);
		sweep_all(&scenarios[i]);
	}
	clean();
	unlink(seed_path);
	rmdir(dir);
	printf("%d runs\n%d passed, %d failed\n", runs, runs - failures, failures);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
