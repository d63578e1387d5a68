#!/usr/bin/env python3
"""Statistics of statements: exact against a scripted workload, without values, bounded; and the log of slow ones."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import re

from daemon import Daemon
from limits import until
from suite import Suite
from wire import RpcError

suite = Suite()
d = Daemon()
c = d.client()
c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT UNIQUE)")
c.exec("CREATE TABLE u(x)")
c("batch", statements=[{"sql": "INSERT INTO t(a, b) VALUES(?, ?)", "bind": [i % 10, "b%d" % i]} for i in range(500)])
c("batch", statements=[{"sql": "INSERT INTO u VALUES(?)", "bind": [i]} for i in range(200)])


def texts(client=c, **more):
    return client("stats.statements", limit=500, **more)


def by_text(client=c):
    return {e["sql"]: e for e in texts(client)["statements"]}


def figures(e, *keys):
    return tuple(e[k] for k in keys)


@suite.section
def exact():
    c("stats.reset")
    for i in range(30):
        c.rows("SELECT b FROM t WHERE id = ?", i + 1)  # from the fifth on the loop's own
    for i in range(7):
        c.rows("SELECT b FROM t WHERE a = %d" % i)  # a scan, 50 rows each
    for _ in range(3):
        c.rows("SELECT a, b FROM t ORDER BY a LIMIT 5")
    for i in range(4):
        c.exec("UPDATE t SET a = a + 1 WHERE id <= ?", 5)
    for i in range(6):
        try:
            c.exec("INSERT INTO t(a, b) VALUES(?, 'b%d')" % i, i)
        except RpcError as e:
            suite.same("it is there already", e.code, 2067)
    c.exec("INSERT INTO u VALUES(1) RETURNING x")
    got = by_text()
    e = got["SELECT b FROM t WHERE id = ?"]
    suite.same(
        "a read by key",
        figures(e, "kind", "calls", "errors", "rows", "changes", "scans", "scan_steps", "sorts"),
        ("read", 30, 0, 30, 0, 0, 0, 0),
    )
    e = got["SELECT b FROM t WHERE a = ?"]
    suite.same("literals are one text, and what it scans", figures(e, "calls", "rows", "scans"), (7, 350, 7))
    suite.check("rows gone over", 7 * 499 <= e["scan_steps"] <= 7 * 500, e)
    e = got["SELECT a, b FROM t ORDER BY a LIMIT ?"]
    suite.same("a sort", figures(e, "calls", "rows", "sorts", "scans"), (3, 15, 3, 3))
    e = got["UPDATE t SET a = a + ? WHERE id <= ?"]
    suite.same("a write", figures(e, "kind", "calls", "changes", "rows", "errors"), ("write", 4, 20, 0, 0))
    e = got["INSERT INTO t(a, b) VALUES(?, ...)"]
    suite.same("one that fails", figures(e, "calls", "errors", "changes"), (6, 6, 0))
    e = got["INSERT INTO u VALUES(?) RETURNING x"]
    suite.same("RETURNING", figures(e, "calls", "rows", "changes"), (1, 1, 1))
    for e in got.values():
        ok = e["max_ms"] <= e["total_ms"] + 0.001 and abs(e["mean_ms"] * e["calls"] - e["total_ms"]) <= 0.001 * e["calls"]
        suite.check("its times: " + e["sql"], ok and e["vm_steps"] > 0, e)
    suite.same("nothing else was counted", len(got), 6)


@suite.section
def batches_pages_and_transactions():
    c("stats.reset")
    steps = [{"sql": "INSERT INTO u VALUES(?)", "bind": [i]} for i in range(20)]
    c("batch", statements=steps + [{"sql": "UPDATE u SET x = x WHERE x = ?", "bind": [3]}])
    c("batch", script="INSERT INTO u VALUES(7); INSERT INTO u VALUES('x;y'); DELETE FROM u WHERE x = 'x;y';")
    suite.refused("a batch that fails", lambda: c("batch", statements=[steps[0], {"sql": "INSERT INTO t(b) VALUES('b1')"}]))
    rows = c.rows("SELECT x FROM u UNION ALL SELECT id FROM t", page_rows=100)
    c("begin")
    c.exec("INSERT INTO u VALUES(?)", 1)
    c.rows("SELECT count(*) FROM u")
    c("rollback")
    got = by_text()
    # 20 of the batch, 2 of the script, 1 of the one that failed, 1 in the transaction
    suite.same("what a batch has run", figures(got["INSERT INTO u VALUES(?)"], "calls", "changes"), (24, 24))
    suite.same("and its update", got["UPDATE u SET x = x WHERE x = ?"]["calls"], 1)
    suite.same("a script", figures(got["DELETE FROM u WHERE x = ?"], "calls", "changes"), (1, 1))
    suite.same("the failing step", figures(got["INSERT INTO t(b) VALUES(?)"], "calls", "errors"), (1, 1))
    e = got["SELECT x FROM u UNION ALL SELECT id FROM t"]
    suite.same("pages are one run", figures(e, "calls", "rows", "scans"), (1, len(rows), 1))
    suite.check("all they went over", e["scan_steps"] >= len(rows) - 2, e)
    suite.same("in a transaction", got["SELECT count(*) FROM u"]["calls"], 1)


@suite.section
def no_values():
    c("stats.reset")
    secret = "hunter2"
    for sql in (
        "SELECT '%s'" % secret,
        "SELECT b FROM t WHERE b = \"%s\"" % secret,
        "SELECT b FROM t WHERE b IN ('%s', 'x', 'y')" % secret,
        "SELECT x'%s' /* %s */ -- %s" % (secret.encode().hex(), secret, secret),
        "SELECT \"b\" FROM \"t\" WHERE \"a\" = 7 AND b = 'it''s %s'" % secret,
        "INSERT INTO u VALUES ('%s'), ('%s')" % (secret, secret),
        "SELECT -5, 1.5e3, 0x1f",
    ):
        c.query(sql)
    c("batch", script="UPDATE u SET x = \"%s\"; DELETE FROM u WHERE x = '%s';" % (secret, secret))
    told = json.dumps(texts())
    suite.check("none is told", secret not in told and secret.encode().hex() not in told, told)
    got = by_text()
    for text in (
        "SELECT ?",
        "SELECT b FROM t WHERE b = ?",
        "SELECT b FROM t WHERE b IN(?, ...)",
        'SELECT "b" FROM "t" WHERE "a" = ? AND b = ?',
        "INSERT INTO u VALUES(?), ...",
        "SELECT - ?, ...",
        "UPDATE u SET x = ?",
    ):
        suite.check("as text: " + text, text in got, sorted(got))


@suite.section
def order_and_refusals():
    c("stats.reset")
    for _ in range(9):
        c.value("SELECT 1 + 1")
    c.rows("SELECT a FROM t WHERE b > ''")
    suite.same("by calls", texts(by="calls")["statements"][0]["sql"], "SELECT ? + ?")
    suite.same("by rows", texts(by="rows")["statements"][0]["sql"], "SELECT a FROM t WHERE b > ?")
    suite.same("a limit", len(c("stats.statements", limit=1)["statements"]), 1)
    e = suite.refused("an unknown order", lambda: texts(by="beauty"), "INVALID_PARAMS")
    suite.check("names the words", "time, calls" in e.message, e.message)
    suite.refused("limit 0", lambda: c("stats.statements", limit=0), "INVALID_PARAMS")
    r = d.ctl("stats", "--by", "calls")
    suite.check("alterctl stats --by", r.returncode == 0 and "SELECT ? + ?" in r.stdout and "scanned" in r.stdout, r)
    r = d.ctl("--json", "stats", "--statements", "--limit", "1")
    suite.same("--json", len(json.loads(r.stdout)["statements"]), 1)
    r = d.ctl("stats", "reset")
    suite.check("stats reset", r.returncode == 0 and texts()["statements"] == [], r)
    suite.same("another word", d.ctl("stats", "rest").returncode, 2)


@suite.section
def bounded():
    small = Daemon(settings={"store.statements": 20})
    with small.client() as o:
        for i in range(200):
            o.query("SELECT 1 AS n%d" % i)
            o.query("SELECT 'often'")
        got = texts(o)
        suite.same("no more texts than that", (got["texts"], got["texts_max"], len(got["statements"])), (20, 20, 20))
        suite.check("those that went are counted", got["evicted_total"] == 181, got["evicted_total"])
        suite.same("what comes again and again stays", by_text(o)["SELECT ?"]["calls"], 200)
        suite.same("in stats too", o("stats")["statements_evicted_total"], 181)
        long = "SELECT " + ", ".join("id AS name_%d" % i for i in range(900)) + " FROM sqlite_schema"
        suite.refused("no such column", lambda: o.query(long))
        long = "SELECT " + " + ".join("rowid" for i in range(900)) + " FROM sqlite_schema"
        o.query(long)
        cut = [e for e in texts(o)["statements"] if e.get("cut")]
        suite.check("a long one is cut", len(cut) == 1 and len(cut[0]["sql"]) <= 4096, cut)
    off = Daemon(settings={"store.statements": 0})
    with off.client() as o:
        o.query("SELECT 1")
        suite.same("switched off", figures(texts(o), "texts", "texts_max", "statements"), (0, 0, []))


@suite.section
def slow_ones():
    s = Daemon(settings={"log.slow": "20ms"})
    slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 400000) SELECT count(*), ? FROM c"
    with s.client() as o:
        o.exec("CREATE TABLE t(x)")
        o.query("SELECT 'quick one'")
        o.query(slow, "hunter2")
        o.query(slow.replace("?", "'hunter2'"))
        log = s.log()
        lines = [l for l in log.splitlines() if "slow statement" in l]
        suite.check("a slow statement is logged", len(lines) == 2, log)
        suite.check("with session, times, rows and text", re.search(
            r"warning store: slow statement of s\d+: \d+\.\d ms, waited \d+\.\d ms, 1 runs, 1 rows, 0 changed, "
            r".*: WITH RECURSIVE c\(x\) AS\(SELECT \?", lines[0]), lines)
        suite.check("without values", "hunter2" not in log and "quick" not in log, log)
        o("batch", statements=[{"sql": "INSERT INTO t " + slow.split(" SELECT count")[0] + " SELECT x FROM c"}])
        suite.check("of a batch too", "INSERT INTO t WITH RECURSIVE" in s.log(), s.log()[-300:])
        suite.same("counted", o("stats")["slow_statements_total"], 3)
    quick = Daemon(settings={"log.slow": "1ms"})
    few = slow.replace("400000", "8000")
    with quick.client() as o:
        for _ in range(60):
            o.query(few, 1)
        st = o("stats")
        lines = [l for l in quick.log().splitlines() if "slow statement" in l]
        suite.check("some are not told", 0 < st["slow_statements_untold_total"] < st["slow_statements_total"] <= 60, st)
        suite.same(
            "and told, or counted as untold", len(lines) + st["slow_statements_untold_total"], st["slow_statements_total"]
        )


suite.run()
