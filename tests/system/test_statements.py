#!/usr/bin/env python3
"""migrate.alter beyond ALTER TABLE: CREATE INDEX beside live writes, DROP in slices, UPDATE and DELETE of whole tables,
and what is done at once; each against what plain SQLite makes of the same statements."""
import os
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from change import ended, job, schema_of, shadows
from daemon import Daemon
from limits import until
from suite import Suite
from wire import RpcError

suite = Suite(limit=120)
OWN = ["_alterd_dirty", "_alterd_job", "_alterd_meta"]
MANY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "


def filled(rows, settings=None):
    """A daemon with a table t of so many rows, two indexes, one of them with NULLs, and a trigger that counts."""
    d = Daemon(settings=settings)
    with d.client() as c:
        c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, g INT, name TEXT, v REAL, note TEXT)")
        c.exec(
            MANY % rows
            + "INSERT INTO t SELECT i, i * 7919 % 1000, 'n' || i * 31 % 977, i / 4.0,"
            + " CASE WHEN i % 5 THEN 'note ' || i END FROM n",
            timeout_ms=60000,
        )
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
        until("that is written down", lambda: d.ctl("status", "--exit-code").returncode == 12)
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
            suite.check(sql + ": says why", why in e.message, e.message)


suite.run()
