#!/usr/bin/env python3
"""Control methods: they overtake, cancel and kill what runs, and tell what the daemon is doing."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import os
import time

from daemon import Daemon
from limits import pause, scaled, until
from load import Load
from suite import Suite
from wire import Closed, RpcError

suite = Suite()
d = Daemon()
c = d.client()
c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL UNIQUE CHECK(v <> ''))")
c.exec("CREATE TABLE junk(x)")
c.exec("CREATE INDEX junk_x ON junk(x)")
c.exec("CREATE VIEW v AS SELECT v FROM t")
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
ENDLESS_WRITE = "INSERT INTO junk(x) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
CROSS = "SELECT count(*) FROM num a, num b, num c, num d"
SORT = (
    "SELECT x FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 30000000) SELECT x FROM c) "
    "ORDER BY -x LIMIT 1"
)
c.exec("CREATE TABLE num(n)")
c.exec("INSERT INTO num WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 2000) SELECT n FROM g")


@suite.section
def overtaking():
    with d.client() as o:
        long = o.send("query", sql=ENDLESS)
        behind = o.send("query", sql="SELECT 'behind'")
        for method in ("ping", "status", "stats", "sessions", "migrate.status", "migrate.history", "rpc.discover"):
            t = time.monotonic()
            n = o.send(method)
            m = o.message(n, 5)
            suite.check(
                method + " is answered ahead of the line",
                "result" in m and time.monotonic() - t < 0.2 + scaled(0.3),
                (time.monotonic() - t, str(m)[:200]),
            )
        n = o.send("cancel", id=long)
        suite.same("cancel", o.answer(n), {"cancelled": True})
        suite.same("then the line goes on", o.answer(behind)["rows"], [["behind"]])
        suite.same("the cancelled one is answered", o.message(long)["error"]["code"], 9)


def cancel_case(what, sql, method="query"):
    with d.client() as o:
        n = o.send(method, sql=sql)
        pause(0.15)
        t = time.monotonic()
        k = o.send("cancel", id=n)
        m = o.message(n, 10)
        s = time.monotonic() - t
        e = m.get("error", {})
        suite.check(
            what + ": 9, reason cancel, not retryable",
            (
                e.get("code"),
                e.get("data", {}).get("name"),
                e.get("data", {}).get("reason"),
                e.get("data", {}).get("retryable"),
            )
            == (9, "SQLITE_INTERRUPT", "cancel", False),
            m,
        )
        suite.check(what + ": soon", s < 0.3 + scaled(0.7), s)
        suite.same(what + ": cancel's answer", o.answer(k), {"cancelled": True})
        suite.same(what + ": the next is not hit", o.value("SELECT 1"), 1)


@suite.section
def cancelling():
    cancel_case("an endless query", ENDLESS)
    cancel_case("a cross join", CROSS)
    cancel_case("a sort", SORT)
    cancel_case("a write", ENDLESS_WRITE, "exec")
    suite.same("nothing of the write", c.value("SELECT count(*) FROM junk"), 0)
    with d.client() as o:
        first, second = o.send("query", sql=ENDLESS), o.send("exec", sql="INSERT INTO junk VALUES('never')")
        suite.same("one that waits in line", o("cancel", id=second), {"cancelled": True})
        o("cancel", id=first)
        suite.same("both are answered", (o.message(first)["error"]["code"], o.message(second)["error"]["code"]), (9, 9))
        suite.same("and it never ran", o.value("SELECT count(*) FROM junk"), 0)
        for missing in (999999, "no such"):
            try:
                got = o("cancel", id=missing)
            except RpcError as e:
                got = e.code
            suite.check("cancel of what is not there: %r" % missing, got in ({"cancelled": False}, -32007), got)
        suite.refused("cancel without id", lambda: o("cancel"), -32602)
        suite.refused("cancel of a fraction", lambda: o("cancel", id=1.5), -32602)
        n = o.send("query", sql=ENDLESS)
        with d.client() as p:
            try:
                got = p("cancel", id=n)
            except RpcError as e:
                got = e.code
            suite.check("another connection's id is not mine to cancel", got in ({"cancelled": False}, -32007), got)
        o("cancel", id=n)
        o.message(n)


@suite.section
def cancel_of_a_waiting_write():
    with d.client() as holder, d.client() as o:
        holder("begin")
        n = o.send("exec", sql="INSERT INTO junk VALUES('never')")
        b = None
        suite.same("a write that waits for its turn", o("cancel", id=n), {"cancelled": True})
        t = time.monotonic()
        m = o.message(n, 5)
        suite.check("is answered at once", m["error"]["code"] == 9 and time.monotonic() - t < 0.3 + scaled(0.3), m)
        b = o.send("begin")
        suite.same("a begin that waits", o("cancel", id=b), {"cancelled": True})
        m = o.message(b, 5)
        suite.check("likewise", m["error"]["code"] == 9, m)
        holder("rollback")
        suite.same("neither happened", o.value("SELECT count(*) FROM junk"), 0)
        suite.refused("no transaction either", lambda: o("commit"), "NO_TRANSACTION")


@suite.section
def cancel_races():
    """The cancelled statement may have ended already: the next one must never be the one hit."""
    with d.client() as o:
        wrong = []
        for i in range(300):
            a, k, b = (
                o.send("query", sql="SELECT 1"),
                o.send("cancel", id=o.last_id),
                o.send("exec", sql="INSERT INTO junk VALUES(%d)" % i),
            )
            o.message(a)
            o.message(k)
            m = o.message(b)
            if "error" in m:
                wrong.append(m)
        suite.check("300 races", not wrong, wrong[:1])
        suite.same("every write is there", o.value("SELECT count(*) FROM junk"), 300)
        o.exec("DELETE FROM junk")


@suite.section
def timeouts():
    for what, method, sql in [
        ("a query", "query", ENDLESS),
        ("a cross join", "query", CROSS),
        ("a sort", "query", SORT),
        ("a write", "exec", ENDLESS_WRITE),
    ]:
        t = time.monotonic()
        e = suite.refused(what, lambda m=method, s=sql: c(m, sql=s, timeout_ms=250), 9)
        s = time.monotonic() - t
        suite.check(
            what + ": in time, with its reason",
            0.24 < s < 0.25 + scaled(0.6) and e.data.get("reason") == "timeout",
            (s, e),
        )
    suite.check("a generous one does not matter", c.query("SELECT 1", timeout_ms=86400000)["rows"] == [[1]])
    with d.client() as holder:
        holder("begin")
        t = time.monotonic()
        e = suite.refused(
            "a write that waits", lambda: c("exec", sql="INSERT INTO junk VALUES(1)", timeout_ms=300), "BUSY", 9
        )
        suite.check(
            "does not wait longer than its timeout",
            0.25 < time.monotonic() - t < 0.3 + scaled(0.6),
            time.monotonic() - t,
        )
        holder("rollback")
    suite.same("nothing is left of them", c.value("SELECT count(*) FROM junk"), 0)


@suite.section
def killing():
    for what, sql in [("idle", None), ("in a query", ENDLESS), ("in a write", ENDLESS_WRITE)]:
        o = d.client()
        name = o("hello", protocol=[1, 1], client="victim/1")["session"]
        if sql:
            o("begin")
            n = o.send("exec", sql=sql)
            pause(0.1)
        suite.check(what + ": kill answers", isinstance(c("kill", session=name), dict))
        reason = None
        try:
            while True:
                m = o.read(5)
                reason = m.get("error", {}).get("data", {}).get("reason") or reason
        except (Closed, ConnectionResetError):
            suite.check(what + ": the connection ends", True)
        except TimeoutError:
            suite.check(what + ": the connection ends", False, "still open")
        suite.check(what + ": its statement was given up as killed", not sql or reason in ("kill", None), reason)
        until("it is gone from sessions", lambda: name not in json.dumps(c("sessions")), 5)
        o.close()
    t = time.monotonic()
    c.exec("INSERT INTO junk VALUES(1)")
    suite.check("the writer is free at once", time.monotonic() - t < 0.5 + scaled(0.5), time.monotonic() - t)
    suite.same("and nothing of the killed", c.value("SELECT count(*) FROM junk"), 1)
    suite.refused("a session nobody has", lambda: c("kill", session="s999999"), "NOT_FOUND")
    suite.refused("no session", lambda: c("kill"), -32602)
    c.exec("DELETE FROM junk")


@suite.section
def sessions():
    with d.client() as o:
        name = o("hello", protocol=[1, 1], client="billing/2.3")["session"]
        n = o.send("query", sql=ENDLESS)
        all = until("both are listed", lambda: (lambda r: r if len(r) >= 2 else None)(c("sessions")["sessions"]), 5)
        mine = [s for s in all if "billing/2.3" in json.dumps(s)]
        suite.check("a session tells its client and its name", len(mine) == 1 and name in json.dumps(mine), all)
        suite.check(
            "and its role and process",
            mine and str(os.getpid()) in json.dumps(mine[0]) and "admin" in json.dumps(mine[0]),
            mine,
        )
        o("cancel", id=n)
        o.message(n)


@suite.section
def status_and_stats():
    s = c("status")
    for key, kind in [
        ("server", str),
        ("uptime_s", (int, float)),
        ("database", str),
        ("state", str),
        ("version", int),
        ("writer", dict),
        ("sessions", int),
        ("wal_bytes", int),
        ("db_bytes", int),
    ]:
        suite.check("status: " + key, isinstance(s.get(key), kind), s)
    suite.check(
        "status: pending, job", "pending" in s and "job" in s and s["job"] is None and s["state"] == "running", s
    )
    suite.check(
        "status: writer",
        isinstance(s["writer"].get("queue"), int) and {"p50", "p99", "max"} <= set(s["writer"]["wait_ms"]),
        s["writer"],
    )
    suite.same("status: database", os.path.realpath(s["database"]), os.path.realpath(d.db))
    try:
        c.exec("INSERT INTO t(v) VALUES('')")
    except RpcError:
        pass
    a = c("stats")
    for i in range(10):
        c.exec("INSERT INTO t(v) VALUES(?)", "v%d" % i)
        c.value("SELECT count(*) FROM t")
    for _ in range(3):
        try:
            c.exec("INSERT INTO t(v) VALUES('v1')")
        except RpcError:
            pass
    b = c("stats")
    for key, kind in [
        ("uptime_s", (int, float)),
        ("sessions", int),
        ("queries_total", int),
        ("quick_reads_total", int),
        ("writes_total", int),
        ("errors_total", dict),
        ("writer_queue", int),
        ("writer_wait_ms", dict),
        ("writer_hold_ms", dict),
        ("sync_ms", dict),
        ("query_ms", dict),
        ("db_bytes", int),
        ("wal_bytes", int),
        ("freelist_pages", int),
        ("oldest_reader_s", (int, float)),
        ("checkpoints_total", int),
        ("tx_expired_total", int),
    ]:
        suite.check("stats: " + key, isinstance(b.get(key), kind), b.get(key))
    suite.check(
        "stats count",
        b["queries_total"] - a["queries_total"] >= 10 and b["writes_total"] - a["writes_total"] >= 10,
        (a, b),
    )
    suite.same(
        "errors by name",
        b["errors_total"].get("SQLITE_CONSTRAINT_UNIQUE", 0) - a["errors_total"].get("SQLITE_CONSTRAINT_UNIQUE", 0),
        3,
    )
    suite.same(
        "percentiles",
        (sorted(b["writer_wait_ms"]), sorted(b["query_ms"])[:2]),
        (["max", "p50", "p99"], sorted(b["query_ms"])[:2]),
    )
    suite.check("db_bytes", b["db_bytes"] > 0 and b["db_bytes"] % 4096 == 0, b["db_bytes"])


@suite.section
def describe_and_schema():
    r = c("describe", sql="SELECT v, id + 1 AS n FROM t WHERE id > :low AND v <> ?")
    suite.same("describe: keys", sorted(r)[:3], ["columns", "parameters", "readonly"])
    suite.check(
        "describe: columns and parameters",
        "v" in json.dumps(r["columns"])
        and "n" in json.dumps(r["columns"])
        and "low" in json.dumps(r["parameters"])
        and r["readonly"] is True,
        r,
    )
    suite.same("describe: a write", c("describe", sql="DELETE FROM t")["readonly"], False)
    suite.check("describe does nothing", c.value("SELECT count(*) FROM t") > 5)
    suite.refused("describe: a syntax error", lambda: c("describe", sql="FROM"), 1)
    suite.refused("describe: guarded", lambda: c("describe", sql="ATTACH 'x' AS y"), "DENIED")
    rows = c("schema")["schema"]
    suite.same(
        "schema: each object with its four keys",
        [sorted(r) for r in rows],
        [["name", "sql", "table", "type"]] * len(rows),
    )
    names = {(r["type"], r["name"]) for r in rows}
    suite.check(
        "schema: what there is, and nothing of alterd's own",
        {("table", "t"), ("table", "junk"), ("index", "junk_x"), ("view", "v")} <= names
        and not any("_alterd_" in (r["name"] + (r["sql"] or "")) for r in rows),
        names,
    )
    suite.same("schema of one table", {r["name"] for r in c("schema", table="junk")["schema"]}, {"junk", "junk_x"})
    try:
        got = c("schema", table="nosuch")["schema"]
    except RpcError as e:
        got = e.name
    suite.check("schema of no table", got in ([], "NOT_FOUND"), got)


@suite.section
def discover():
    doc = c("rpc.discover")
    suite.check(
        "an OpenRPC document",
        doc.get("openrpc", "").startswith("1.") and doc["info"]["title"] and doc["info"]["version"],
        doc.get("info"),
    )
    methods = {m["name"]: m for m in doc["methods"]}
    need = {
        "hello",
        "ping",
        "query",
        "exec",
        "batch",
        "begin",
        "commit",
        "rollback",
        "fetch",
        "close",
        "cancel",
        "kill",
        "sessions",
        "describe",
        "schema",
        "status",
        "stats",
        "rpc.discover",
        "migrate.alter",
        "migrate.status",
        "migrate.pause",
        "migrate.resume",
        "migrate.abort",
        "config.reload",
        "config.show",
        "stats.recent",
    }
    suite.check("names every method", need <= set(methods), need - set(methods))
    suite.check(
        "query's parameters",
        {p["name"] for p in methods["query"]["params"]} >= {"sql", "bind", "page_rows"},
        methods["query"],
    )
    suite.check(
        "sql is required", [p for p in methods["query"]["params"] if p["name"] == "sql"][0].get("required") is True
    )
    dead = []
    for name in methods:
        if name in ("config.reload",):
            continue
        try:
            c(name, nobody_knows_this=1)
            dead.append(name)
        except RpcError as e:
            if e.code != -32602:
                dead.append((name, e.code))
    suite.check("each named method is there and checks its parameters", not dead, dead)
    names = set(methods) | {"subscribe"}
    missing = [n for n in ("nosuch", "migrate", "rpc") if n in names]
    suite.same("nothing else is named", missing, [])
    suite.check("config.reload", isinstance(c("config.reload"), dict))


def name_of_answer(k):
    """What a connection is told: one too many has been told and closed before it could ask."""
    try:
        k.send("ping")
    except ConnectionError:
        pass
    try:
        return k.read(10).get("error", {}).get("data", {}).get("name", "ok")
    except (ConnectionError, TimeoutError):
        return "closed"


@suite.section
def many_sessions_limit():
    with d.client() as o:
        o("ping")
    held = []
    try:
        for _ in range(300):
            k = d.client()
            held.append(k)
        answers = [name_of_answer(k) for k in held]
        suite.check(
            "300 connections: about 256 are served, the rest told TOO_MANY",
            250 <= answers.count("ok") <= 256 and answers.count("TOO_MANY") >= 44,
            {a: answers.count(a) for a in set(answers)},
        )
        suite.same("those who were here are served", c.value("SELECT 1"), 1)
    finally:
        for k in held:
            k.close()
    until("their places are free again", lambda: c("stats")["sessions"] <= 2, 10)
    with d.client() as o:
        suite.same("and the next is served", o("ping"), {})


@suite.section
def control_is_quick_under_load():
    loads = [Load(d, lambda k, i: k.exec("INSERT INTO junk VALUES(?)", i)).started() for _ in range(3)]
    loads += [
        Load(d, lambda k, i: k.value("SELECT sum(a.n * b.n) FROM num a, num b WHERE a.n < 200")).started()
        for _ in range(3)
    ]

    def twenty():
        worst = 0
        for _ in range(20):
            t = time.monotonic()
            c("status")
            c("stats")
            worst = max(worst, time.monotonic() - t)
        return worst < 0.2 + scaled(0.2), worst

    suite.timely("status and stats under load", twenty)
    for x in loads:
        x.end()
    suite.check("nobody failed", not [x.error for x in loads if x.error or x.closed], [x.error for x in loads])


suite.run()
