#!/usr/bin/env python3
"""migrate.alter beyond ALTER TABLE: CREATE INDEX beside live writes, DROP in slices, UPDATE and DELETE of whole tables,
and what is done at once; each against what plain SQLite makes of the same statements."""
import os
import sqlite3
import sys
import threading
import time
from contextlib import closing

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from change import ended, job, schema_of, shadows
from daemon import Daemon
from limits import fewer, until
from suite import Suite
from wire import RpcError

suite = Suite(limit=120)
OWN = ["_alterd_dirty", "_alterd_job", "_alterd_meta", "_alterd_partial", "_alterd_ran", "_alterd_step"]
MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "


def filled(rows, settings=None):
    """A daemon with a table t of so many rows, two indexes, one of them with NULLs, and a trigger that counts."""
    d = Daemon(settings={"limits.write_time": "60s", **(settings or {})})
    with d.client() as c:
        c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, g INT, name TEXT, v REAL, note TEXT)")
        c.exec(
            MANY % rows
            + "INSERT INTO t SELECT i, i * 7919 % 1000, 'n' || i * 31 % 977, i / 4.0,"
            + " CASE WHEN i % 5 THEN 'note ' || i END FROM n",
            timeout_ms=60000,
        )
        # Rows from before have no such column: what is not there is the default.
        c.exec("ALTER TABLE t ADD COLUMN late INT DEFAULT 77")
    return d


def known(c, name):
    """How many objects of that name there are."""
    return c.rows("SELECT count(*) FROM sqlite_schema WHERE name = ?", name)[0][0]


def alter(c, sql, **params):
    return c("migrate.alter", sql=sql, wait=True, **params)


@suite.section
def drops_an_index():
    d = filled(3000)
    with d.client() as c:
        c.exec("CREATE INDEX t_note ON t(note)")
        c.exec("CREATE UNIQUE INDEX t_u ON t(id, g)")
        j = alter(c, "DROP INDEX t_note")
        suite.same("done", [j["state"], j["strategy"], j["table"]], ["done", "drop", "t"])
        suite.same("gone for clients", sorted(schema_of(c, "t")), ["t", "t_u"])
        suite.same("nothing of it is left", shadows(c), OWN)
        alter(c, "DROP INDEX IF EXISTS main.t_u;")
        suite.same("IF EXISTS of one that is there", sorted(schema_of(c, "t")), ["t"])
        suite.same("IF EXISTS of none", alter(c, "DROP INDEX IF EXISTS nosuch")["strategy"], "none")
        suite.refused("none", lambda: alter(c, "DROP INDEX nosuch"), "NOT_FOUND")
        c.exec("CREATE TABLE k(a TEXT PRIMARY KEY, b UNIQUE)")
        e = suite.refused("of a constraint", lambda: alter(c, "DROP INDEX sqlite_autoindex_k_1"), "MIGRATION_INVALID")
        suite.check("says what to do", "drop the constraint" in e.message, e.message)
        h = c("migrate.history")["history"][-2]
        suite.same("history", [h["sql"], h["state"]], ["DROP INDEX IF EXISTS main.t_u;", "done"])
    d.stop()
    suite.same("whole", d.integrity(), "ok")


@suite.section
def drops_a_table():
    d = filled(5000)
    with d.client() as c:
        c.exec("CREATE INDEX t_note ON t(note)")
        c.exec("CREATE TABLE log(n)")
        c.exec("CREATE TRIGGER t_i AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.id); END")
        c.exec("ANALYZE")
        c.exec("CREATE TABLE w(a TEXT, b INT, c BLOB, d AS (b + 1), PRIMARY KEY(b DESC, a)) WITHOUT ROWID")
        c.exec(MANY % 2000 + "INSERT INTO w SELECT 'a' || i % 3, i, randomblob(10) FROM n")
        c.exec("CREATE INDEX w_c ON w(c)")
        e = suite.refused("with rows", lambda: alter(c, "DROP TABLE t"), "NEEDS_FORCE")
        suite.check("says what is lost", "loses its rows" in e.message, e.message)
        for table in ("t", "w"):
            j = alter(c, "DROP TABLE IF EXISTS " + table, allow_data_loss=True)
            suite.same(table + ": done", [j["state"], j["strategy"]], ["done", "drop"])
            suite.same(table + ": gone", known(c, table), 0)
        suite.same("nothing is left", shadows(c), OWN)
        suite.same("no trigger", c.rows("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"), [[0]])
        suite.same("no statistics", c.rows("SELECT count(*) FROM sqlite_stat1"), [[0]])
        suite.same("no high-water mark", c.rows("SELECT count(*) FROM sqlite_sequence"), [[0]])
        c.exec("CREATE TABLE t(x)")
        c.exec("INSERT INTO t VALUES(1)")
        suite.same("the name is free", c.rows("SELECT * FROM t"), [[1]])
        suite.same("IF EXISTS of none", alter(c, "DROP TABLE IF EXISTS nosuch")["strategy"], "none")
    d.stop()
    suite.same("whole", d.integrity(), "ok")


@suite.section
def refuses_to_drop_what_is_needed():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT, up REFERENCES p)")
        c.exec("CREATE UNIQUE INDEX p_code ON p(code)")
        c.exec("CREATE TABLE kid(p REFERENCES p(code))")
        c.exec("CREATE TABLE q(a)")
        c.exec("CREATE VIEW qv AS SELECT a FROM q")
        c.exec("CREATE TABLE r(a)")
        c.exec("CREATE TRIGGER q_t AFTER INSERT ON q BEGIN INSERT INTO r VALUES(new.a); END")
        c.exec("CREATE TABLE self(id INTEGER PRIMARY KEY, up REFERENCES self)")
        for sql, name in (
            ("DROP TABLE p", "kid"),
            ("DROP INDEX p_code", "p_code"),
            ("DROP TABLE q", "qv"),
            ("DROP TABLE r", "q_t"),
            ("DROP TABLE _alterd_job", "_alterd_job"),
        ):
            e = suite.refused(sql, lambda sql=sql: alter(c, sql), "MIGRATION_INVALID")
            suite.check(sql + ": names it", name in e.message, e.message)
        suite.same("refers to itself", alter(c, "DROP TABLE self")["state"], "done")
        alter(c, "DROP VIEW qv")
        suite.same("once nothing needs it", alter(c, "DROP TABLE q")["state"], "done")


@suite.section
def drops_beside_writers_and_over_kill_9():
    d = filled(60000)
    with d.client() as c:
        c.exec("CREATE INDEX t_note ON t(note)")
        c.exec("CREATE INDEX t_g ON t(g, name)")
        c.exec("CREATE TABLE live(id INTEGER PRIMARY KEY, n INT)")
        c("migrate.alter", sql="DROP TABLE t", allow_data_loss=True)
        until("it is being emptied", lambda: job(c)["phase"] == "retiring")
        c.exec("INSERT INTO live VALUES(1, 1)")
        c("migrate.pause")
        until("it pauses", lambda: job(c)["state"] == "paused")
        suite.same("status says so", d.ctl("status", "--exit-code").returncode, 12)
        suite.refused("too late to abort", lambda: c("migrate.abort"), "WRONG_STATE")
    for n in range(3):
        d.kill()
        suite.same("whole after kill -9", d.integrity(), "ok")
        d.start()
        with d.client() as c:
            suite.same("gone", known(c, "t"), 0)
            if n == 0:
                suite.same("paused stays paused", job(c)["state"], "paused")
                c("migrate.resume")
            c.exec("INSERT INTO live VALUES(NULL, 2)")
    with d.client() as c:
        suite.same("ends by itself", ended(c)["state"], "done")
        suite.same("nothing is left", shadows(c), OWN)
        suite.same("what was written", c.rows("SELECT count(*) FROM live"), [[4]])
    d.stop()
    suite.same("whole", d.integrity(), "ok")


@suite.section
def does_at_once_what_is_done_at_once():
    d = Daemon()
    with d.client() as c:
        for sql in (
            "CREATE TABLE IF NOT EXISTS a(id INTEGER PRIMARY KEY, b TEXT)",
            "CREATE TABLE log(n)",
            "CREATE VIEW main.av AS SELECT b FROM a",
            "CREATE TRIGGER at AFTER INSERT ON a BEGIN INSERT INTO log VALUES(1); INSERT INTO log VALUES(2); END;",
        ):
            j = alter(c, sql)
            suite.same(sql[:20], [j["state"], j["strategy"]], ["done", "instant"])
        c.exec("INSERT INTO a(b) VALUES('x')")
        suite.same("they work", c.rows("SELECT b, (SELECT count(*) FROM log) FROM av"), [["x", 2]])
        suite.same("there already", alter(c, "CREATE TABLE IF NOT EXISTS a(z)")["strategy"], "none")
        suite.same("there already", alter(c, "CREATE VIEW IF NOT EXISTS av AS SELECT 1")["strategy"], "none")
        for sql in ("DROP TRIGGER at", "DROP VIEW IF EXISTS av"):
            suite.same(sql, alter(c, sql)["state"], "done")
        suite.same("gone", c.rows("SELECT count(*) FROM sqlite_schema WHERE type IN ('view', 'trigger')"), [[0]])
        suite.same("IF EXISTS of none", alter(c, "DROP TRIGGER IF EXISTS at")["strategy"], "none")
        for sql, why in (
            ("CREATE TABLE a(x)", "already exists"),
            ("CREATE TABLE b AS SELECT * FROM a", "fill it with exec"),
            ("CREATE TEMP TABLE b(x)", "TEMP"),
            ("CREATE VIRTUAL TABLE b USING fts5(x)", "virtual"),
            ("CREATE TABLE _alterd_b(x)", "reserved"),
            ("CREATE TRIGGER x AFTER INSERT ON nosuch BEGIN SELECT 1; END", "no such table"),
            ("CREATE TABLE b(x); CREATE TABLE c(x)", "one statement"),
            ("CREATE TRIGGER x AFTER INSERT ON a BEGIN SELECT 1; END; DROP TABLE a", "one statement"),
            ("CREATE TABLE b(x", "incomplete"),
            ("CREATE TABLE b(x,)", "syntax"),
            ("DROP VIEW a", "no such view"),
            ("INSERT INTO a VALUES(1)", "a migration is"),
            ("DROP TABLE a b", "syntax"),
            ("DROP TABLE temp.a", "main"),
            ("DROP", "incomplete"),
        ):
            e = suite.refused(sql, lambda sql=sql: alter(c, sql), "MIGRATION_INVALID", "NOT_FOUND")
            suite.check(sql + ": says why", why in str(e.message), e.message)


INDEXES = (
    "CREATE INDEX i_plain ON t(g, name)",
    "CREATE INDEX i_null ON t(note)",
    "CREATE INDEX main.i_desc ON t(v DESC, name COLLATE NOCASE)",
    "CREATE INDEX i_part ON t(name) WHERE g > 500 AND note IS NOT NULL",
    "CREATE INDEX i_expr ON t(upper(name), g + v DESC, length(note));",
    "CREATE UNIQUE INDEX i_uniq ON t(id, g)",
    'CREATE INDEX IF NOT EXISTS [i odd "] ON t(late, id)',
)
# ? is a rowid somewhere in the table.
WRITES = (
    "INSERT INTO t(g, name, v, note) VALUES(?1 % 1000, 'w' || ?1, ?1 / 3.0, 'w')",
    "INSERT OR REPLACE INTO t(id, g, name) SELECT id, 999, 'R' FROM t WHERE id > ?1 LIMIT 3",
    "UPDATE t SET name = upper(name), note = NULL WHERE id BETWEEN ?1 AND ?1 + 20",
    "UPDATE t SET name = lower(name), note = 'again' WHERE id BETWEEN ?1 AND ?1 + 20",
    "UPDATE t SET g = 1000 - g, late = id WHERE id BETWEEN ?1 AND ?1 + 10",
    "UPDATE OR IGNORE t SET id = id + 100000 WHERE id BETWEEN ?1 AND ?1 + 2",
    "DELETE FROM t WHERE id BETWEEN ?1 AND ?1 + 2",
    "UPDATE t SET v = CASE WHEN id % 2 THEN v ELSE CAST(v AS INTEGER) END WHERE id BETWEEN ?1 AND ?1 + 30",
)


class Writers:
    """Clients that change t all the time; transactions are rolled back now and then."""

    def __init__(self, d, count=3):
        self.stop, self.writes, self.failures, self.longest = threading.Event(), 0, [], 0.0
        self.threads = [threading.Thread(target=self.work, args=(d, n)) for n in range(count)]

    def work(self, d, n):
        try:
            with d.client() as c:
                k = n
                while not self.stop.is_set():
                    begun = time.monotonic()
                    k += 1
                    at = k * 7919 % 20000
                    if k % 7 == 0:
                        c("begin")
                        c.exec("SAVEPOINT a")
                        c.exec(WRITES[k % len(WRITES)], at)
                        c.exec("ROLLBACK TO a")
                        c.exec(WRITES[(k + 1) % len(WRITES)], at)
                        c("rollback" if k % 2 else "commit")
                    else:
                        c.exec(WRITES[k % len(WRITES)], at)
                    self.longest = max(self.longest, time.monotonic() - begun)
                    self.writes += 1
        except (OSError, RpcError) as e:
            self.failures.append(str(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()


@suite.section
def builds_indexes_beside_writers():
    d = filled(fewer(20000))
    with d.client() as c:
        with Writers(d) as w:
            for sql in INDEXES:
                before = w.writes
                j = alter(c, sql)
                suite.same(sql, [j["state"], j["strategy"], j["phase"]], ["done", "index", "retiring"])
                suite.note("%d writes meanwhile, %d applied" % (w.writes - before, j["changes_applied"]))
                suite.check("in the middle of them", j["verified_rows"] > 0 and j["longest_hold_ms"] < 500, j)
        suite.same("no write failed", w.failures, [])
        suite.same("nothing else is left", shadows(c), OWN)
        suite.same("there already", alter(c, "CREATE INDEX IF NOT EXISTS i_null ON t(v)")["strategy"], "none")
        plan = str(c.rows("EXPLAIN QUERY PLAN SELECT * FROM t WHERE note = 'again'"))
        suite.check("it is used", "i_null" in plan, plan)
        plan = str(c.rows("EXPLAIN QUERY PLAN SELECT * FROM t WHERE upper(name) = 'R' AND g + v > 1"))
        suite.check("it is used", "i_expr" in plan, plan)
        stored = schema_of(c, "t")
        with sqlite3.connect(":memory:") as plain:
            plain.execute(stored["t"])
            for sql in INDEXES:
                plain.execute(sql)
            wanted = dict(plain.execute("SELECT name, sql FROM sqlite_schema WHERE tbl_name = 't'"))
        suite.same("the schema is SQLite's own", stored, wanted)
    d.stop()
    suite.same("whole", d.integrity(), "ok")


@suite.section
def names_rows_that_repeat_a_key():
    d = filled(5000)
    with d.client() as c:
        c.exec("UPDATE t SET note = 'same' WHERE id IN (17, 4000, 4711)")
        e = suite.refused("duplicates", lambda: alter(c, "CREATE UNIQUE INDEX u ON t(note)"), "FAILED_MIGRATION")
        suite.same(
            "named",
            [e.data["count"], e.data["rows"]],
            [2, [{"rowid": n, "column": "note", "value": "same", "reason": "UNIQUE"} for n in (4000, 4711)]],
        )
        suite.same("nothing is left", [shadows(c), sorted(schema_of(c, "t"))], [OWN, ["t"]])
        c.exec("DELETE FROM t WHERE id IN (4000, 4711)")
        suite.same("NULLs do not repeat", alter(c, "CREATE UNIQUE INDEX u ON t(note)")["state"], "done")
        suite.refused("held from now on", lambda: c.exec("INSERT INTO t(note) VALUES('same')"), 2067)
        # The offender comes, and goes, and comes, while it waits for the cut-over.
        sql = "CREATE UNIQUE INDEX u2 ON t(v) WHERE g >= 0"
        for last, state in (("UPDATE t SET v = -1 WHERE id = 9", "done"), ("SELECT 1", "failed")):
            c("migrate.alter", sql=sql, postpone_cutover=True)
            until("it waits", lambda: job(c)["phase"] == "ready")
            c.exec("INSERT INTO t(id, g, v) VALUES(6000, -1, 3.25), (6001, -1, 3.25)")
            c.exec("UPDATE t SET v = (SELECT v FROM t WHERE id = 8) WHERE id = 9")
            c.exec(last)
            if job(c)["state"] == "running":
                c("migrate.cutover")
            until("it ends", lambda: job(c)["state"] in ("done", "failed"))
            j = job(c)
            if j["state"] == "failed":
                suite.check("it was there when it was looked at", j["count"] == 1 and j["rows"][0]["rowid"] == 9, j)
            if state == "failed":
                suite.same("an offender that came during the run", j["state"], "failed")
            if j["state"] == "done":
                alter(c, "DROP INDEX u2")
            c.exec("UPDATE t SET v = 1e9 WHERE id = 9")
            c.exec("DELETE FROM t WHERE id >= 6000")
        suite.same("nothing is left", shadows(c), OWN)
    d.stop()
    suite.same("whole", d.integrity(), "ok")


@suite.section
def index_is_steered_and_survives_kill_9():
    d = filled(fewer(40000))
    with d.client() as c:
        c("migrate.alter", sql="CREATE INDEX i ON t(note, name)", postpone_cutover=True)
        until("it waits", lambda: job(c)["phase"] == "ready" and job(c)["postponed_cutover"])
        suite.refused("DDL on the table", lambda: c.exec("ALTER TABLE t ADD COLUMN x"), "MIGRATION_RUNNING")
        applied = job(c)["changes_applied"]
        c.exec("UPDATE t SET v = v + 1, late = 3", timeout_ms=60000)
        c.exec("UPDATE t SET name = 'applied' WHERE id = 5")
        until("it is applied", lambda: job(c)["changes_applied"] > applied)
        suite.same("what the index does not hold is no matter", job(c)["changes_applied"], applied + 1)
        a = c("migrate.abort")
        suite.same("aborted", [a["state"], shadows(c), known(c, "i")], ["aborted", OWN, 0])
        c("migrate.alter", sql="CREATE INDEX i ON t(note, name)", postpone_cutover=True)
        until("it waits", lambda: job(c)["phase"] == "ready")
        c.exec("UPDATE t SET note = 'late' WHERE id % 100 = 3", timeout_ms=60000)
    for n in range(4):
        d.kill()
        suite.same("whole after kill -9", d.integrity(), "ok")
        d.start()
        with d.client() as c:
            c.exec("UPDATE t SET name = 'k%d' WHERE id %% 50 = 7" % n, timeout_ms=60000)
            if n == 2:
                until("it waits", lambda: job(c)["phase"] == "ready")
                c.exec("UPDATE t SET name = 'k' WHERE id % 51 = 7", timeout_ms=60000)
    with d.client() as c, Writers(d) as w:
        until("it waits again", lambda: job(c)["phase"] == "ready", 60)
        c("migrate.cutover")
        suite.same("ends", ended(c)["state"], "done")
    suite.same("no write failed", w.failures, [])
    with d.client() as c:
        suite.same("nothing else is left", [shadows(c), known(c, "i")], [OWN, 1])
    d.stop()
    suite.same("whole", d.integrity(), "ok")


@suite.section
def index_outlives_statements_of_any_size():
    d = filled(fewer(30000))
    with d.client() as c, d.client() as b:
        for sql in ("UPDATE t SET name = name || '!', note = 'all'", "DELETE FROM t"):
            b("migrate.alter", sql="CREATE INDEX i ON t(name, note)", postpone_cutover=True)
            until("it reads", lambda: job(c)["phase"] in ("indexing", "ready", "verifying"))
            c.exec(sql, timeout_ms=60000)
            if job(c)["postponed_cutover"]:
                c("migrate.cutover")
            suite.same(sql, ended(c)["state"], "done")
            alter(c, "DROP INDEX i")
            c.exec("INSERT INTO t(name, note) VALUES('a', NULL)")
    d.stop()
    suite.same("whole", d.integrity(), "ok")


@suite.section
def index_of_what_cannot_be_watched():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE w(a TEXT PRIMARY KEY, b INT) WITHOUT ROWID")
        c.exec("CREATE TABLE gen(id INTEGER PRIMARY KEY, a INT, s INT AS (a * 2) STORED, v INT AS (a + 1) VIRTUAL)")
        c.exec(MANY % 900 + "INSERT INTO w SELECT 'a' || i, i FROM n")
        c.exec(MANY % 3000 + "INSERT INTO gen(a) SELECT i % 77 FROM n")
        j = alter(c, "CREATE INDEX w_b ON w(b)")
        suite.same("few rows: at once", [j["state"], j["strategy"]], ["done", "instant"])
        c.exec(MANY % 2000 + "INSERT INTO w SELECT 'b' || i, i FROM n")
        j = alter(c, "CREATE INDEX IF NOT EXISTS main.w_c ON w(b, a)")
        suite.same("many: on a copy", [j["state"], j["strategy"], j["rows_done"]], ["done", "rebuild", 2900])
        sql = c.rows("SELECT sql FROM sqlite_schema WHERE name = 'w_c'")
        suite.same("the index is as plain SQLite has it", sql, [["CREATE INDEX w_c ON w(b, a)"]])
        plan = c.rows("EXPLAIN QUERY PLAN SELECT a FROM w WHERE b = 7")[0][3]
        suite.check("and is used", "w_c" in plan or "w_b" in plan, plan)
        e = suite.refused("rows that repeat", lambda: alter(c, "CREATE UNIQUE INDEX w_u ON w(b)"), "FAILED_MIGRATION")
        suite.check("their number, and the index", "900 rows" in e.message and "w_u" in e.message, e.message)
        c.exec("CREATE TABLE twice(a TEXT, b INT, PRIMARY KEY(a, a COLLATE NOCASE)) WITHOUT ROWID")
        c.exec(MANY % 1001 + "INSERT INTO twice SELECT 'a' || i, i FROM n")
        e = suite.refused("a column twice", lambda: alter(c, "CREATE INDEX t_b ON twice(b)"), "MIGRATION_INVALID")
        suite.check("says why", "names a column twice" in e.message, e.message)
        # SQLite reads 2 where such a column was added, and would write 2.0.
        c.exec("ALTER TABLE gen ADD COLUMN late BLOB DEFAULT 2.0")
        c("migrate.alter", sql="CREATE INDEX g_i ON gen(v, s, late)", postpone_cutover=True)
        until("it waits", lambda: job(c)["phase"] == "ready")
        c.exec("UPDATE gen SET a = a + 1 WHERE id % 3 = 0")
        c.exec("DELETE FROM gen WHERE id % 7 = 0")
        c("migrate.cutover")
        suite.same("generated columns", ended(c)["state"], "done")
        for sql, why in (
            ("CREATE INDEX x ON nosuch(a)", "no such table"),
            ("CREATE INDEX x ON gen(nosuch)", "no such column"),
            ("CREATE INDEX x ON gen(random())", "non-deterministic"),
            ("CREATE INDEX g_i ON gen(a)", "already exists"),
            ("CREATE INDEX _alterd_x ON gen(a)", "reserved"),
            ("CREATE INDEX x ON _alterd_job(id)", "system"),
        ):
            e = suite.refused(sql, lambda sql=sql: alter(c, sql), "MIGRATION_INVALID", "NOT_FOUND")
            suite.check(sql + ": says why", why in str(e.message), e.message)
    d.stop()
    suite.same("whole", d.integrity(), "ok")


CHANGES = (
    # What runs through migrate.alter, and in plain SQLite.
    ("all rows", "UPDATE t SET g = g * 2 + 1"),
    (
        "some rows",
        "UPDATE t SET name = upper(name) || '-' || g, v = NULL WHERE g BETWEEN 100 AND 300 AND note IS NOT NULL",
    ),
    ("swaps columns", "UPDATE t SET g = v, v = g, note = typeof(g) || typeof(v)"),
    ("as a type stores it", "UPDATE t SET v = id, g = '12abc', note = 5 WHERE id % 2"),
    ("NULL is not true", "UPDATE t SET name = 'x' WHERE note > 'note 5'"),
    (
        "a CASE, a quoted name",
        "UPDATE main.t SET \"name\" = CASE g WHEN 1 THEN 'one, two' ELSE (name) END WHERE t.g < 9",
    ),
    ("deletes some", "DELETE FROM t WHERE g % 3 = 0 OR note IS NULL"),
    ("deletes nearly all", "DELETE FROM t WHERE id NOT IN (5, 2500, 3000)"),
    ("deletes all", "DELETE FROM t"),
)
ROWS = "SELECT id, g, typeof(g), name, v, typeof(v), note, typeof(note) FROM t ORDER BY id"


@suite.section
def changes_all_rows_as_sqlite_would():
    for what, sql in CHANGES:
        d = filled(3000)
        with d.client() as c:
            c.exec("CREATE INDEX t_n ON t(name, g)")
            c.exec("INSERT INTO t(id, g) VALUES(-5, 1), (100000, 7)")
            with sqlite3.connect(":memory:", isolation_level=None) as plain:
                for text in schema_of(c, "t").values():
                    plain.execute(text)
                plain.executemany("INSERT INTO t VALUES(?, ?, ?, ?, ?, ?)", c.rows("SELECT * FROM t"))
                plain.execute(sql.replace("t.g", "g"))
                wanted = [list(r) for r in plain.execute(ROWS)]
                stored = dict(plain.execute("SELECT name, sql FROM sqlite_schema WHERE tbl_name = 't'"))
            if "t.g" in sql:
                suite.refused(what + ": t. has no meaning", lambda sql=sql: alter(c, sql), "MIGRATION_INVALID")
                sql = sql.replace("t.g", "g")
            j = alter(c, sql)
            suite.same(what + ": done", [j["state"], j["strategy"]], ["done", "data"])
            suite.same(what + ": rows", c.rows(ROWS), wanted)
            suite.same(what + ": schema", [schema_of(c, "t"), shadows(c)], [stored, OWN])
            c.exec("INSERT INTO t(g) VALUES(1)")
            suite.same(what + ": AUTOINCREMENT", c.rows("SELECT max(id) FROM t"), [[100001]])
        d.stop()
        suite.same(what + ": whole", d.integrity(), "ok")


@suite.section
def changes_rows_that_come_meanwhile():
    d = filled(fewer(30000))
    with d.client() as c:
        c.exec("CREATE TABLE p(id INTEGER PRIMARY KEY, n INT, done INT NOT NULL DEFAULT 0)")
        c.exec(MANY % 20000 + "INSERT INTO p(id, n) SELECT i, i % 10 FROM n")
        c("migrate.alter", sql="UPDATE p SET done = done + 1, n = n + 100 WHERE n < 5", postpone_cutover=True)
        until("it waits", lambda: job(c)["phase"] == "ready")
        seen = c.rows("SELECT count(*) FROM p WHERE done > 0 OR n >= 100")
        suite.same("nothing of it is seen", seen, [[0]])
        c.exec("INSERT INTO p VALUES(50000, 3, 0), (50001, 7, 0)")
        c.exec("UPDATE p SET n = 1 WHERE id = 9")
        c.exec("UPDATE p SET n = 9 WHERE id = 1")
    d.kill()
    d.start()
    with d.client() as c:
        until("it waits again", lambda: job(c)["phase"] == "ready")
        c("migrate.cutover")
        suite.same("ends", ended(c)["state"], "done")
        suite.same(
            "as if it had run at the swap",
            c.rows("SELECT id, n, done FROM p WHERE id IN (1, 2, 9, 50000, 50001) ORDER BY id"),
            [[1, 9, 0], [2, 102, 1], [9, 101, 1], [50000, 103, 1], [50001, 7, 0]],
        )
        with Writers(d) as w:
            j = alter(c, "DELETE FROM t WHERE name < 'n5' AND id > 10")
        suite.same("beside writers", [j["state"], w.failures], ["done", []])
        c.exec("CREATE TABLE u(id INTEGER PRIMARY KEY, k INT UNIQUE, m INT NOT NULL CHECK(m < 10), f)")
        c.exec("INSERT INTO u VALUES(1, 1, 1, 'a'), (2, 2, 2, NULL), (3, 3, 9, 'b')")
        for sql, reason, rowid in (
            ("UPDATE u SET k = 7 WHERE id > 1", "UNIQUE", 3),
            ("UPDATE u SET m = f", "NOT NULL", 2),
            ("UPDATE u SET m = m + 5", "CHECK", 3),
        ):
            e = suite.refused(sql, lambda sql=sql: alter(c, sql), "FAILED_MIGRATION")
            row = (e.data.get("rows") or [{}])[-1]
            suite.same(sql + ": named", [row.get("reason"), row.get("rowid")], [reason, rowid])
        suite.same("keys exchanged", alter(c, "UPDATE u SET k = 4 - k")["state"], "done")
        suite.same("rows", c.rows("SELECT id, k FROM u ORDER BY id"), [[1, 3], [2, 2], [3, 1]])
    d.stop()
    suite.same("whole", d.integrity(), "ok")


@suite.section
def refuses_what_a_rebuild_does_not_do():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE p(id INTEGER PRIMARY KEY, a INT UNIQUE, b INT, g INT AS (b + 1))")
        c.exec("CREATE TABLE k(id INTEGER PRIMARY KEY, p REFERENCES p(a), x)")
        c.exec("CREATE TRIGGER k_u AFTER UPDATE OF x ON k BEGIN SELECT 1; END")
        c.exec("CREATE TRIGGER k_d BEFORE DELETE ON k BEGIN SELECT 1; END")
        c.exec("CREATE TABLE l(update_on TEXT, x)")
        c.exec('CREATE TRIGGER "DELETE" AFTER INSERT ON l BEGIN UPDATE l SET x = 1; DELETE FROM k; END')
        c.exec("CREATE TABLE w(a TEXT PRIMARY KEY, b) WITHOUT ROWID")
        for sql, why in (
            ("UPDATE p SET id = id + 1", "told apart"),
            ("UPDATE p SET a = a + 1", "foreign key"),
            ("UPDATE p SET g = 1", "generated"),
            ("UPDATE p SET nosuch = 1", "no such column"),
            ("UPDATE p SET b = nosuch", "no such column"),
            ("UPDATE p SET b = 1, b = 2", "twice"),
            ("UPDATE p SET b = random()", "non-deterministic"),
            ("UPDATE p SET b = 1 WHERE b < datetime('now')", "non-deterministic"),
            ("UPDATE p SET b = CASE WHEN b THEN datetime('now') END", "non-deterministic"),
            ("UPDATE p SET b = (SELECT max(id) FROM k)", "subquer"),
            ("UPDATE p SET b = count(b)", "aggregate"),
            ("UPDATE p SET b = ?1", "parameters"),
            ("UPDATE k SET p = 1", "foreign key"),
            ("UPDATE k SET x = 1", "k_u"),
            ("UPDATE p SET b = 1 FROM k", "UPDATE .. FROM"),
            ("DELETE FROM p", "refers to p"),
            ("DELETE FROM k WHERE x", "k_d"),
            ("UPDATE nosuch SET a = 1", "no such table"),
            ("DELETE FROM _alterd_job", "system"),
            ("UPDATE w SET a = 1", ""),
        ):
            e = suite.refused(sql, lambda sql=sql: alter(c, sql), "MIGRATION_INVALID", "NOT_FOUND")
            suite.check(sql + ": says why", why in str(e.message), e.message)
        suite.same("a trigger for another event", alter(c, "UPDATE l SET x = 2")["state"], "done")
        suite.same("and another", alter(c, "DELETE FROM l WHERE x")["state"], "done")


suite.run()
