#!/usr/bin/env python3
"""Batches: one immediate transaction in one round trip, steps and scripts, all or nothing, compare and set."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import threading

from daemon import Daemon
from load import together
from suite import Suite
from wire import RpcError

suite = Suite()
d = Daemon()
c = d.client()
c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, k TEXT UNIQUE)")
c.exec("CREATE TABLE kid(id INTEGER PRIMARY KEY, t INT REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)")


def step(sql, *bind, **more):
    return dict({"sql": sql, "bind": list(bind)}, **more)


def batch(*steps, **more):
    return c("batch", statements=list(steps), **more)


def ids():
    return [r[0] for r in c.rows("SELECT id FROM t ORDER BY id")]


@suite.section
def steps():
    r = batch(
        step("INSERT INTO t(id, k) VALUES(?, ?)", 1, "a"),
        step("INSERT INTO t(id, k) VALUES(2, 'b'), (3, 'c')"),
        step("UPDATE t SET v = 'x'", expect_changes=3),
        step("SELECT count(*) AS n FROM t"),
        {"sql": "UPDATE t SET v = 'y' WHERE id = :i", "bind": {"i": 2}},
    )
    suite.same("changes of each", [x.get("changes") or 0 for x in r["results"]], [1, 2, 3, 0, 1])
    suite.same(
        "a step that reads answers its rows",
        (r["results"][3].get("columns"), r["results"][3].get("rows")),
        (["n"], [[3]]),
    )
    suite.check("ms", isinstance(r.get("ms"), (int, float)), r)
    r = batch(step("INSERT INTO t(id) VALUES(4) RETURNING id, typeof(v)"))
    suite.same("RETURNING", r["results"][0]["rows"], [[4, "null"]])
    r = batch(
        step("INSERT INTO t(v) VALUES('auto')"),
        step("UPDATE t SET k = 'id' || last_insert_rowid() WHERE id = last_insert_rowid()", expect_changes=1),
    )
    suite.same("last_insert_rowid() of the step before", c.value("SELECT k FROM t WHERE v = 'auto'"), "id5")
    suite.same("no steps", c("batch", statements=[])["results"], [])
    c.exec("DELETE FROM t WHERE id > 3")


@suite.section
def all_or_nothing():
    before = c.rows("SELECT * FROM t ORDER BY id")
    for what, steps, at, *codes in [
        (
            "UNIQUE",
            [
                step("INSERT INTO t(id) VALUES(4)"),
                step("INSERT INTO t(k) VALUES('a')"),
                step("INSERT INTO t(id) VALUES(5)"),
            ],
            1,
            2067,
        ),
        ("PRIMARY KEY", [step("INSERT INTO t(id) VALUES(1)")], 0, 1555),
        ("syntax", [step("DELETE FROM t"), step("DELET FROM t")], 1, 1),
        ("no such table", [step("DELETE FROM t"), step("DELETE FROM nosuch")], 1, 1),
        (
            "OR ROLLBACK",
            [
                step("INSERT INTO t(id) VALUES(4)"),
                step("INSERT OR ROLLBACK INTO t(id) VALUES(1)"),
                step("INSERT INTO t(id) VALUES(6)"),
            ],
            1,
            1555,
        ),
        ("OR FAIL", [step("INSERT INTO t(id) VALUES(4)"), step("INSERT OR FAIL INTO t(id) VALUES(7), (1)")], 1, 1555),
        (
            "expect_changes",
            [
                step("UPDATE t SET v = 'q' WHERE id = 1", expect_changes=1),
                step("UPDATE t SET v = 'q' WHERE id = 99", expect_changes=1),
            ],
            1,
            "EXPECTATION_FAILED",
        ),
        ("expect_changes 0", [step("UPDATE t SET v = 'q' WHERE id = 1", expect_changes=0)], 0, -32014),
        ("too many values", [step("DELETE FROM t"), step("SELECT 1", 5)], 1, -32602, 25),
        ("guarded SQL", [step("DELETE FROM t"), step("ATTACH ':memory:' AS m")], 1, "DENIED"),
        ("a row above the page limit", [step("DELETE FROM t"), step("SELECT hex(zeroblob(900000))")], 1, 18),
    ]:
        e = suite.refused(what, lambda s=steps: batch(*s), *codes)
        suite.same(what + ": data.statement", e.data.get("statement"), at)
        suite.same(what + ": nothing is kept", c.rows("SELECT * FROM t ORDER BY id"), before)
    suite.refused(
        "a deferred foreign key",
        lambda: batch(step("INSERT INTO t(id) VALUES(4)"), step("INSERT INTO kid(t) VALUES(77)")),
        787,
    )
    suite.same(
        "nothing is kept of it",
        (c.rows("SELECT * FROM t ORDER BY id"), c.value("SELECT count(*) FROM kid")),
        (before, 0),
    )
    batch(step("INSERT INTO kid(t) VALUES(4)"), step("INSERT INTO t(id) VALUES(4)"))
    suite.same(
        "a deferred foreign key that holds in the end", c.value("SELECT count(*) FROM kid JOIN t ON t.id = kid.t"), 1
    )
    e = suite.refused(
        "constraint data", lambda: batch(step("INSERT INTO t(k) VALUES('a')")), "SQLITE_CONSTRAINT_UNIQUE"
    )
    suite.same("as with exec", e.data.get("constraint"), {"kind": "unique", "table": "t", "columns": ["k"]})
    e = suite.refused(
        "a timeout takes all of it",
        lambda: batch(
            step("DELETE FROM kid"),
            step("INSERT INTO t(v) WITH RECURSIVE g(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM g) SELECT x FROM g"),
            timeout_ms=200,
        ),
        9,
    )
    suite.same("nothing is kept", (ids(), c.value("SELECT count(*) FROM kid")), ([1, 2, 3, 4], 1))


@suite.section
def transaction_words():
    for sql in ("BEGIN", "COMMIT", "ROLLBACK"):
        suite.refused(
            sql + " in a batch", lambda s=sql: batch(step("DELETE FROM kid"), step(s), step("DELETE FROM nosuch"))
        )
        suite.same(sql + ": nothing is kept", c.value("SELECT count(*) FROM kid"), 1)
    suite.same(
        "and the session is not in a transaction", (c("begin") is not None, c("rollback") is not None), (True, True)
    )


@suite.section
def scripts():
    c.exec("DELETE FROM kid")
    r = c(
        "batch",
        script="INSERT INTO t(id) VALUES(7); -- a;b\n"
        "INSERT INTO t(id, v) VALUES(8, ';');\n/* ; */ UPDATE t SET v = 's' WHERE id > 6;\n",
    )
    suite.same("one entry per statement", [x.get("changes") for x in r["results"]], [1, 1, 2])
    r = c(
        "batch",
        script="CREATE TABLE log(x); CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.id); "
        "INSERT INTO log VALUES(';'); END; INSERT INTO t(id) VALUES(9)",
    )
    suite.same(
        "a trigger's semicolons do not end it", (len(r["results"]), c.rows("SELECT x FROM log")), (3, [[9], [";"]])
    )
    e = suite.refused(
        "a script that fails",
        lambda: c("batch", script="DELETE FROM t; INSERT INTO t(id) VALUES(1); INSERT INTO t(id) VALUES(1);"),
        1555,
    )
    suite.same("its statement", e.data.get("statement"), 2)
    suite.same("nothing is kept", ids(), [1, 2, 3, 4, 7, 8, 9])
    suite.same("an empty script", c("batch", script=" ; -- nothing\n")["results"], [])
    suite.refused("a script that ends in the middle", lambda: c("batch", script="DELETE FROM t; INSERT INTO t("), 1)
    suite.same("nothing is kept of it", len(ids()), 7)


@suite.section
def parameters():
    for what, params in [
        ("neither", {}),
        ("both", {"statements": [], "script": ""}),
        ("statements no array", {"statements": {}}),
        ("a step no object", {"statements": ["SELECT 1"]}),
        ("a step without sql", {"statements": [{"bind": []}]}),
        ("an unknown key", {"statements": [{"sql": "DELETE FROM t", "expct_changes": 1}]}),
        ("expect_changes below 0", {"statements": [{"sql": "SELECT 1", "expect_changes": -1}]}),
        ("a bad value", {"statements": [step("DELETE FROM t"), step("SELECT ?", {"x": 1})]}),
        ("script no text", {"script": 5}),
        ("NUL in a step", {"statements": [step("SELECT 1\0")]}),
    ]:
        suite.refused(what, lambda p=params: c("batch", **p), -32602)
    e = suite.refused(
        "the unknown key is named", lambda: c("batch", statements=[{"sql": "SELECT 1", "wat": 1}]), -32602
    )
    suite.check("in words", "wat" in e.message, e)
    suite.same("nothing happened", len(ids()), 7)


@suite.section
def compare_and_set():
    c.exec("INSERT INTO t(id, v) VALUES(100, '0')")
    wins, lock = [], threading.Lock()

    def racer():
        with d.client() as x:
            for _ in range(40):
                v = x.value("SELECT v FROM t WHERE id = 100")
                try:
                    x(
                        "batch",
                        statements=[
                            step("UPDATE t SET v = ? WHERE id = 100 AND v = ?", str(int(v) + 1), v, expect_changes=1)
                        ],
                    )
                    with lock:
                        wins.append(int(v))
                except RpcError as e:
                    if e.name != "EXPECTATION_FAILED":
                        raise

    together(*[racer] * 5)
    suite.check(
        "each value is taken once", sorted(wins) == list(range(len(wins))) and len(wins) >= 40, sorted(wins)[-3:]
    )
    suite.same("none lost", c.value("SELECT v FROM t WHERE id = 100"), str(len(wins)))


@suite.section
def large():
    c.exec("DELETE FROM log")
    steps = [step("INSERT INTO log VALUES(?)", i) for i in range(20000)]
    suite.same("20,000 steps", sum(x["changes"] for x in batch(*steps)["results"]), 20000)
    suite.same(
        "all there", c.value("SELECT count(*) FROM log WHERE typeof(x) = 'integer' AND x BETWEEN 0 AND 19999"), 20000
    )


suite.run()
