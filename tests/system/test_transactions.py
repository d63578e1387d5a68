#!/usr/bin/env python3
"""Transactions of a session: methods and SQL text, savepoints, waiting for a turn, expiry, disconnects, cancel."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import time

from daemon import Daemon
from limits import SCALE, pause, scaled, until
from suite import Suite
from wire import RpcError

suite = Suite(limit=75)
d = Daemon(settings={"limits.tx_idle": "1s", "limits.tx_time": "3s"})
o = d.client()  # the onlooker
o.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, k TEXT UNIQUE)")
o.exec("CREATE TABLE kid(id INTEGER PRIMARY KEY, t INT REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)")
o.exec("CREATE TABLE junk(x)")
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
ENDLESS_WRITE = "INSERT INTO junk(x) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"


def ids(c=None, where="1"):
    return [r[0] for r in (c or o).rows("SELECT id FROM t WHERE %s ORDER BY id" % where)]


def add(c, i):
    return c.exec("INSERT INTO t(id) VALUES(?)", i)


def took(call):
    t = time.monotonic()
    try:
        r = call()
    except RpcError as e:
        r = e
    return r, time.monotonic() - t


@suite.section
def by_method():
    with d.client() as c:
        r = c("begin", mode="immediate", wait_ms=1000, max_ms=2500)
        suite.check("begin answers expires_ms and waited_ms", r["expires_ms"] == 2500 and r["waited_ms"] >= 0, r)
        add(c, 1)
        suite.same("the session sees its row, others do not", (ids(c), ids()), ([1], []))
        e = suite.refused("begin inside", lambda: c("begin"), "IN_TRANSACTION")
        suite.same("its code", e.code, -32012)
        suite.check("commit answers", isinstance(c("commit"), dict))
        suite.same("committed", ids(), [1])
        c("begin")
        add(c, 2)
        c("rollback")
        suite.same("rolled back", ids(), [1])
        for method in ("commit", "rollback"):
            e = suite.refused(method + " without begin", lambda m=method: c(m), "NO_TRANSACTION")
            suite.same(method + ": its code", e.code, -32012)
        suite.refused("a mode nobody knows", lambda: c("begin", mode="deferred-ish"), -32602)
        r = c("begin", max_ms=99999999)
        suite.check("max_ms above the cap is clamped", r["expires_ms"] == 3000, r)
        c("rollback")
        c("begin")
        add(c, 3)
        suite.refused("a failing statement", lambda: add(c, 1), 1555)
        add(c, 4)
        c("commit")
        suite.same("undoes itself only", ids(), [1, 3, 4])
        c("begin")
        c.exec("INSERT INTO kid(t) VALUES(99)")
        e = suite.refused("a deferred foreign key at commit", lambda: c("commit"), 787)
        suite.same("nothing of it is kept, one way or another", o.value("SELECT count(*) FROM kid"), 0)
        try:
            c("rollback")
        except RpcError:
            pass
        suite.check("and the session goes on", add(c, 5)["changes"] == 1)


@suite.section
def read_mode():
    o.exec("DELETE FROM t")
    add(o, 1)
    with d.client() as c:
        c("begin", mode="read")
        suite.same("first read", ids(c), [1])
        add(o, 2)
        suite.same("the snapshot stays", ids(c), [1])
        suite.refused("a write in it", lambda: add(c, 3), "READ_ONLY")
        suite.refused(
            "a batch in it that writes",
            lambda: c("batch", statements=[{"sql": "INSERT INTO t(id) VALUES(3)"}]),
            "READ_ONLY",
        )
        suite.same("still the snapshot", ids(c), [1])
        add(o, 4)
        suite.same("others write all the while", ids(), [1, 2, 4])
        c("commit")
        suite.same("after it the present", ids(c), [1, 2, 4])


@suite.section
def by_sql_text():
    n = 100
    with d.client() as c:
        for begin, end, kept in [
            ("BEGIN", "COMMIT", True),
            ("begin transaction", "end transaction", True),
            ("BEGIN IMMEDIATE;", "COMMIT;", True),
            ("BEGIN EXCLUSIVE TRANSACTION", "END", True),
            ("  -- orm\n BEGIN DEFERRED", "/* x */ commit TRANSACTION", True),
            ("BEGIN", "ROLLBACK", False),
            ("BEGIN;", "rollback transaction;", False),
            ("SAVEPOINT one", "RELEASE one", True),
            ("SAVEPOINT 'two'", "RELEASE SAVEPOINT two", True),
            ("SAVEPOINT [x y]", "COMMIT", True),
        ]:
            n += 1
            c.exec(begin)
            add(c, n)
            hidden = ids(where="id = %d" % n)
            c.query(end)
            suite.check("%r .. %r" % (begin, end), hidden == [] and bool(ids(where="id = %d" % n)) == kept)
        suite.refused("COMMIT alone", lambda: c.exec("COMMIT"), "NO_TRANSACTION", 1)
        suite.refused("ROLLBACK alone", lambda: c.exec("ROLLBACK"), "NO_TRANSACTION", 1)
        suite.refused("RELEASE of nothing", lambda: c.exec("RELEASE nosuch"), "NO_TRANSACTION", 1)
        c.exec("BEGIN")
        suite.refused("BEGIN in BEGIN", lambda: c.exec("BEGIN"), "IN_TRANSACTION", 1)
        c("rollback")
        c("begin")
        add(c, 201)
        c.exec("SAVEPOINT a")
        add(c, 202)
        c.exec("SAVEPOINT b")
        add(c, 203)
        c.exec("ROLLBACK TO a")
        add(c, 204)
        suite.refused("a savepoint that is gone", lambda: c.exec("RELEASE b"), 1)
        c.exec("RELEASE a")
        c.exec("COMMIT")
        suite.same("savepoints inside a transaction", ids(where="id > 200"), [201, 204])
        c.exec("SAVEPOINT a")
        add(c, 205)
        c.exec("ROLLBACK TO SAVEPOINT a")
        add(c, 206)
        c.exec("RELEASE a")
        suite.same("a savepoint alone is a transaction", ids(where="id > 204"), [206])
        with d.client() as w:
            c.exec("SAVEPOINT a")
            add(c, 207)
            r, s = took(lambda: w("begin", wait_ms=200))
            suite.check("which holds the writer", getattr(r, "name", "") == "BUSY" and s > 0.15, r)
            c.exec("ROLLBACK")
            suite.check("and lets go", w("begin", wait_ms=1000))
            w("rollback")


@suite.section
def batch_inside():
    o.exec("DELETE FROM t")
    with d.client() as c:
        c("begin")
        add(c, 1)
        c("batch", statements=[{"sql": "INSERT INTO t(id) VALUES(2)"}, {"sql": "INSERT INTO t(id) VALUES(3)"}])
        suite.refused(
            "a batch that fails",
            lambda: c(
                "batch", statements=[{"sql": "INSERT INTO t(id) VALUES(4)"}, {"sql": "INSERT INTO t(id) VALUES(1)"}]
            ),
            1555,
        )
        suite.same("undoes itself, not the transaction", ids(c), [1, 2, 3])
        c("commit")
        suite.same("committed with it", ids(), [1, 2, 3])


@suite.section
def turns():
    o.exec("DELETE FROM t")
    with d.client() as a, d.client() as b, d.client() as w:
        name = a("hello", protocol=[1, 1])["session"]
        a("begin")
        add(a, 1)
        e, s = took(lambda: b("begin", wait_ms=300))
        suite.check(
            "BUSY after wait_ms, not before", getattr(e, "name", "") == "BUSY" and 0.28 < s < 0.3 + scaled(0.5), (s, e)
        )
        suite.check(
            "BUSY is -32010, retryable, tells waited_ms and who",
            e.code == -32010
            and e.data.get("retryable") is True
            and e.data.get("waited_ms", 0) >= 280
            and e.data.get("holder") == name,
            e,
        )
        n, m = b.send("begin", wait_ms=3000), w.send("exec", sql="INSERT INTO t(id) VALUES(50)")
        suite.same("reads go on and see nothing of it", ids(), [])
        pause(0.3)
        a("commit")
        r = b.answer(n)
        suite.check("a waiting begin has its turn", 250 <= r["waited_ms"] < 3000, r)
        add(b, 2)
        b("commit")
        w.answer(m)
        suite.same("the plain write too", ids(), [1, 2, 50])
        suite.refused(
            "wait_ms 0 while nobody writes",
            lambda: (a("begin", wait_ms=0), a("rollback"), b("rollback")),
            "NO_TRANSACTION",
        )


@suite.section
def expired_idle():
    o.exec("DELETE FROM t")
    before = o("stats")["tx_expired_total"]
    with d.client() as c:
        c("begin")
        add(c, 1)
        _, s = took(lambda: add(o, 2))
        suite.check("an idle transaction frees the writer after its second", 0.7 < s < 1 + scaled(1), s)
        for what, call in [
            ("exec", lambda: add(c, 3)),
            ("query", lambda: c.value("SELECT 1")),
            ("batch", lambda: c("batch", script="SELECT 1")),
            ("begin", lambda: c("begin")),
            ("commit", lambda: c("commit")),
            ("exec again", lambda: add(c, 4)),
            ("BEGIN", lambda: c.exec("BEGIN")),
            ("COMMIT", lambda: c.exec("COMMIT")),
            ("SAVEPOINT", lambda: c.exec("SAVEPOINT x")),
            ("a bad statement", lambda: c.exec("FROM FROM")),
            ("schema", lambda: c("schema")),
            ("describe", lambda: c("describe", sql="SELECT 1")),
        ]:
            e = suite.refused("expired: " + what, call, "TX_EXPIRED")
            suite.check(
                "expired: %s: code and retryable" % what,
                e.code == -32011 and e.data.get("retryable") is True and "rollback" in (e.message or ""),
                e,
            )
        suite.check("control methods answer", c("ping") == {} and "sessions" in c("stats"))
        suite.same("nothing is kept", ids(), [2])
        c("rollback")
        add(c, 5)
        suite.same("after rollback the session works", ids(c), [2, 5])
        c("begin")
        add(c, 6)
        pause(1.5)
        suite.refused("expired again", lambda: add(c, 7), "TX_EXPIRED")
        c.exec("ROLLBACK")
        suite.same("text ROLLBACK frees it", ids(c), [2, 5])
    suite.check("tx_expired_total counts", o("stats")["tx_expired_total"] >= before + 2, o("stats"))


@suite.section
def expired_in_whole():
    o.exec("DELETE FROM t")
    with d.client() as c:
        c("begin", max_ms=700)
        begun, error = time.monotonic(), None
        while error is None and time.monotonic() - begun < scaled(8):
            try:
                c.exec("INSERT INTO t(v) VALUES('busy')")
                pause(0.02)
            except RpcError as e:
                error = e
        s = time.monotonic() - begun
        suite.check(
            "max_ms ends a busy one",
            getattr(error, "name", "") == "TX_EXPIRED" and 0.65 < s < 0.7 + scaled(1),
            (s, error),
        )
        c("rollback")
        suite.same("nothing is kept", ids(), [])
        c("begin", max_ms=600)
        r, s = took(lambda: c.exec(ENDLESS_WRITE))
        suite.check(
            "it ends a running statement too",
            isinstance(r, RpcError) and (r.name == "TX_EXPIRED" or r.code == 9) and s < 0.6 + scaled(1),
            (s, r),
        )
        suite.refused("and the session is failed", lambda: c.value("SELECT 1"), "TX_EXPIRED")
        c("rollback")
        suite.same("nothing of it", o.value("SELECT count(*) FROM junk"), 0)
        c("begin")
        begun = time.monotonic()
        while time.monotonic() - begun < 1.6:
            c.exec("INSERT INTO t(v) VALUES('slow')")
            pause(0.4)
        c("commit")
        suite.check("idle time is counted between statements only", len(ids()) >= 4, ids())
        c("begin", mode="read")
        ids(c)
        pause(1.5)
        suite.refused("a read transaction expires too", lambda: ids(c), "TX_EXPIRED")
        c("rollback")
    if SCALE == 1:
        suite.check("and lets its snapshot go", until("no reader", lambda: o("stats")["oldest_reader_s"] == 0, 5))


@suite.section
def cursors_of_a_transaction():
    o.exec("DELETE FROM t")
    o.exec("INSERT INTO t(id) VALUES(1),(2),(3),(4)")
    with d.client() as c:
        c("begin")
        add(c, 5)
        r = c.query("SELECT id FROM t ORDER BY id", page_rows=2)
        suite.same("a cursor in it sees its rows", c("fetch", cursor=r["cursor"])["rows"], [[3], [4], [5]])
        r = c.query("SELECT id FROM t ORDER BY id", page_rows=2)
        c("commit")
        suite.refused("and ends with it", lambda: c("fetch", cursor=r["cursor"]), -32013, -32602)
        c("begin", mode="read")
        r = c.query("SELECT id FROM t ORDER BY id", page_rows=2)
        c("rollback")
        suite.refused("of a read transaction as well", lambda: c("fetch", cursor=r["cursor"]), -32013, -32602)


@suite.section
def gone_clients():
    o.exec("DELETE FROM t")
    c = d.client()
    c("begin")
    add(c, 1)
    c.close()
    _, s = took(lambda: add(o, 2))
    suite.check("a disconnect frees the writer at once", s < 0.3 + scaled(0.3), s)
    suite.same("and rolls back", ids(), [2])
    c = d.client()
    c("begin")
    add(c, 3)
    c.send("exec", sql=ENDLESS_WRITE)
    until("the statement runs", lambda: o("status")["writer"] is not None)
    c.close()
    _, s = took(lambda: add(o, 4))
    suite.check("so does one in the middle of a statement", s < 0.5 + scaled(0.5), s)
    suite.same("and rolls back", (ids(), o.value("SELECT count(*) FROM junk")), ([2, 4], 0))
    a, c = d.client(), d.client()
    a("begin")
    c.send("begin", wait_ms=3000)
    c.send("exec", sql="INSERT INTO t(id) VALUES(66)")
    until("both are connected", lambda: o("stats")["sessions"] >= 3)
    c.close()
    until("one is gone", lambda: o("stats")["sessions"] == 2, 3)
    a("commit")
    a.close()
    _, s = took(lambda: add(o, 5))
    suite.check("one that leaves while it waits takes nothing along", s < 0.5 + scaled(0.3), s)
    suite.same("and leaves nothing behind", ids(), [2, 4, 5])


@suite.section
def transactions_taken_away():
    """OR ROLLBACK, a timeout and a cancel end the transaction in SQLite: what follows must not run in autocommit."""
    o.exec("DELETE FROM t")
    add(o, 1)
    with d.client() as c:

        def spoil(what, call, *codes):
            c("begin")
            add(c, 10)
            suite.refused(what, call, *codes)
            suite.refused(what + ": the session is failed", lambda: add(c, 11), "TX_EXPIRED")
            suite.refused(what + ": commit too", lambda: c("commit"), "TX_EXPIRED")
            c("rollback")
            suite.same(what + ": nothing is kept", ids(), [1])

        spoil("OR ROLLBACK", lambda: c.exec("INSERT OR ROLLBACK INTO t(id) VALUES(1)"), 1555)
        spoil("timeout of a write", lambda: c.exec(ENDLESS_WRITE, timeout_ms=100), 9)

        def cancelled():
            n = c.send("exec", sql=ENDLESS_WRITE)
            pause(0.1)  # one that has not begun is taken out of the line, and the transaction stays
            c("cancel", id=n)
            c.answer(n)

        spoil("cancel of a write", cancelled, 9)
        c("begin")
        add(c, 20)
        try:
            c.query(ENDLESS, timeout_ms=100)
        except RpcError as e:
            suite.same("a read's timeout inside", e.code, 9)
        try:
            add(c, 21)
            c("commit")
        except RpcError:
            c("rollback")
        suite.check(
            "all of the transaction or nothing, after a read's timeout inside",
            ids(where="id >= 20") in ([], [20, 21]),
            ids(),
        )


@suite.section
def serial():
    o.exec("DELETE FROM t")
    o.exec("INSERT INTO t(id, v) VALUES(1, '0')")

    from load import together

    def adder():
        with d.client() as c:
            for _ in range(15):
                c("begin", wait_ms=int(scaled(20000)))
                v = int(c.value("SELECT v FROM t WHERE id = 1"))
                c.exec("UPDATE t SET v = ? WHERE id = 1", str(v + 1))
                c("commit")

    together(*[adder] * 6)
    suite.same("6 x 15 read-modify-write transactions, none lost", o.value("SELECT v FROM t WHERE id = 1"), "90")


suite.run()
