#!/usr/bin/env python3
"""Group commit: writers that fail in the worst ways, among others whose writes must neither fail nor be lost."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import time

from daemon import Daemon
from limits import lasting, pause
from load import together
from suite import Suite
from wire import RpcError

suite = Suite(limit=60)
d = Daemon()
o = d.client()
o.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, k TEXT UNIQUE)")
o.exec("CREATE TABLE junk(x)")
o.exec("CREATE TABLE kid(id INTEGER PRIMARY KEY, t INT REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)")
o.exec("CREATE TABLE guarded(a)")
o.exec(
    "CREATE TRIGGER guarded_no BEFORE INSERT ON guarded WHEN new.a < 0 "
    "BEGIN SELECT RAISE(ROLLBACK, 'never below zero'); END"
)
o.exec("INSERT INTO t(id, k) VALUES(1, 'taken')")
ENDLESS_WRITE = "INSERT INTO junk(x) WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c"
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


class Round:
    """Four good writers and some bad ones for a while; afterwards the file must hold exactly what was acknowledged."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.acked = [set() for _ in range(4)]
        self.wrong, self.spoiled = [], {}

    def good(self, w, base):
        with d.client() as c:
            i = 0
            while time.monotonic() < self.end:
                i += 1
                key = base + w * 1_000_000 + i
                try:
                    r = c.exec("INSERT INTO t(id, v) VALUES(?, 'good')", key)
                    if (r["changes"], r["last_insert_rowid"]) != (1, key):
                        self.wrong.append(r)
                    self.acked[w].add(key)
                except RpcError as e:
                    self.wrong.append(str(e))

    def bad(self, name, spoil, codes, every):
        """spoil(client) must raise an error of `codes`, each time."""
        n = 0
        with d.client() as c:
            while time.monotonic() < self.end:
                try:
                    spoil(c)
                    self.wrong.append(name + ": no error")
                except RpcError as e:
                    n += 1
                    if e.code not in codes:
                        self.wrong.append("%s: %s" % (name, e))
                pause(every)
        self.spoiled[name] = n

    def verdict(self, what, base, least=5):
        have = {r[0] for r in o.rows("SELECT id FROM t WHERE v = 'good' AND id >= ?", base)}
        want = set().union(*self.acked)
        suite.check(what + ": nobody got another's error, each bad one its own", not self.wrong, self.wrong[:3])
        suite.check(
            what + ": what was acknowledged is there, and nothing else",
            have == want,
            "%d missing, %d too many of %d" % (len(want - have), len(have - want), len(want)),
        )
        suite.same(
            what + ": nothing of the bad ones",
            o.rows("SELECT (SELECT count(*) FROM junk), (SELECT count(*) FROM kid), (SELECT count(*) FROM guarded)"),
            [[0, 0, 0]],
        )
        suite.check(
            what + ": there was traffic",
            len(want) > 40 and min(self.spoiled.values(), default=0) >= least,
            (len(want), self.spoiled),
        )
        suite.note("%d writes kept among %s" % (len(want), self.spoiled))


def or_rollback(c):
    c.exec("INSERT OR ROLLBACK INTO t(k) VALUES('taken')")


def raise_rollback(c):
    c.exec("INSERT INTO guarded VALUES(-1)")


def deferred(c):
    c.exec("INSERT INTO kid(t) VALUES(-5)")


def timeout(c):
    c.exec(ENDLESS_WRITE, timeout_ms=20)


def cancelled(c):
    n = c.send("exec", sql=ENDLESS_WRITE)
    pause(0.02)
    c("cancel", id=n)
    c.answer(n)


def bad_batch(c):
    c("batch", statements=[{"sql": "INSERT INTO kid(t) VALUES(1)"}, {"sql": "INSERT OR ROLLBACK INTO t(id) VALUES(1)"}])


BAD = {
    "or rollback": (or_rollback, (2067,), 0.002),
    "raise rollback": (raise_rollback, (1811,), 0.002),
    "deferred key": (deferred, (787,), 0.002),
    "timeout": (timeout, (9, -32010), 0.03),
    "cancel": (cancelled, (9, -32010), 0.05),
    "batch": (bad_batch, (1555,), 0.005),
}


@suite.section
def each_alone():
    for i, (name, (spoil, codes, every)) in enumerate(BAD.items()):
        base = (i + 1) * 100_000_000
        r = Round(lasting(0.8))
        together(*[lambda w=w: r.good(w, base) for w in range(4)], lambda: r.bad(name, spoil, codes, every))
        r.verdict(name, base)


@suite.section
def all_at_once():
    base = 2_000_000_000
    r = Round(lasting(3))
    together(
        *[lambda w=w: r.good(w, base) for w in range(4)],
        *[lambda n=n, b=b: r.bad(n, *b) for n, b in BAD.items()],
        limit=40,
    )
    r.verdict("all", base)


@suite.section
def or_fail_keeps_its_part():
    """Autocommit OR FAIL keeps the rows before the failing one, as in SQLite, whoever else is in the group."""
    end = time.monotonic() + lasting(1.5)
    wrong, rounds = [], [0]

    def failing():
        with d.client() as c:
            while time.monotonic() < end:
                try:
                    c.exec("INSERT OR FAIL INTO t(v, k) VALUES('half', 'h1'), ('half', 'taken'), ('half', 'h3')")
                    wrong.append("no error")
                except RpcError as e:
                    if e.code != 2067:
                        wrong.append(str(e))
                if c.rows("SELECT k FROM t WHERE v = 'half'") != [["h1"]]:
                    wrong.append(c.rows("SELECT k FROM t WHERE v = 'half'"))
                c.exec("DELETE FROM t WHERE v = 'half'")
                rounds[0] += 1

    def other(w):
        with d.client() as c:
            i = 0
            while time.monotonic() < end:
                i += 1
                c.exec("INSERT INTO t(v) VALUES('other')")

    together(failing, *[lambda w=w: other(w) for w in range(3)])
    suite.check(
        "the part before the failing row stays, the rest does not", not wrong and rounds[0] > 3, (rounds, wrong[:2])
    )
    o.exec("DELETE FROM t WHERE v = 'other'")


@suite.section
def counters_stay_the_sessions_own():
    o.exec("CREATE TABLE cnt(id INTEGER PRIMARY KEY, who INT)")

    def counter(w):
        with d.client() as c:
            total = 0
            for i in range(1, 60):
                k = 1 + (i + w) % 3
                ids = [w * 100000 + i * 10 + j for j in range(k)]
                r = c.exec("INSERT INTO cnt VALUES " + ",".join("(%d, %d)" % (x, w) for x in ids))
                total += k
                seen = c.rows("SELECT last_insert_rowid(), changes(), total_changes()")[0]
                assert (r["changes"], r["last_insert_rowid"]) == (k, ids[-1]), r
                assert seen == [ids[-1], k, total], (seen, ids[-1], k, total)
                r = c.exec("UPDATE cnt SET who = who WHERE id = ?", ids[0])
                total += 1
                assert (r["changes"], r["last_insert_rowid"]) == (1, 0), r
            r = c.exec("UPDATE cnt SET id = id WHERE id = last_insert_rowid() AND who = ?", w)
            assert r["changes"] == 1, r

    together(*[lambda w=w: counter(w) for w in range(6)])
    suite.check("changes, total_changes and last_insert_rowid of 6 sessions at once", True)


@suite.section
def what_failed_at_its_commit_has_changed_nothing():
    c = d.client()
    before = c.rows("SELECT total_changes()")[0][0]
    suite.refused("a deferred foreign key", lambda: deferred(c), 787)
    suite.same("counts nothing", c.rows("SELECT changes(), total_changes()")[0], [0, before])
    c.close()


@suite.section
def constraint_errors_among_others():
    """Ordinary failures are the commonest poison: each writer must get its own answer."""
    end = time.monotonic() + lasting(1.5)
    o.exec("CREATE TABLE c(id INTEGER PRIMARY KEY, n INT NOT NULL CHECK(n > 0), p INT REFERENCES t(id))")

    def one(w):
        with d.client() as c:
            i = 0
            while time.monotonic() < end:
                i += 1
                key = w * 1_000_000 + i
                for sql, code in [
                    ("INSERT INTO c VALUES(%d, 1, 1)" % key, 0),
                    ("INSERT INTO c VALUES(%d, 1, 1)" % key, 1555),
                    ("INSERT INTO c VALUES(NULL, NULL, 1)", 1299),
                    ("INSERT INTO c VALUES(NULL, 0, 1)", 275),
                    ("INSERT INTO c VALUES(NULL, 5, -9)", 787),
                    ("INSERT INTO nosuch VALUES(1)", 1),
                ]:
                    try:
                        c.exec(sql)
                        got = 0
                    except RpcError as e:
                        got = e.code
                    assert got == code, (sql, got, code)

    together(*[lambda w=w: one(w) for w in range(1, 6)])
    suite.same("only the good rows are there", o.value("SELECT count(*) FROM c WHERE n <> 1 OR p <> 1"), 0)


@suite.section
def durable_together():
    """Everything acknowledged up to a SIGKILL is there, the failures among it notwithstanding."""
    base = 3_000_000_000
    r = Round(60)

    def good(w):
        try:
            r.good(w, base)
        except ConnectionError:
            pass

    def bad(n):
        try:
            r.bad(n, *BAD[n])
        except ConnectionError:
            pass

    def killer():
        pause(lasting(1))
        d.kill()

    together(*[lambda w=w: good(w) for w in range(4)], lambda: bad("or rollback"), lambda: bad("deferred key"), killer)
    suite.same("the file", d.integrity(), "ok")
    with d.file() as f:
        have = {x[0] for x in f.execute("SELECT id FROM t WHERE v = 'good' AND id >= ?", (base,))}
    f.close()
    want = set().union(*r.acked)
    suite.check("acknowledged rows", not want - have and len(want) > 20, (len(want - have), len(want)))
    suite.check("at most one unacknowledged row a writer", len(have - want) <= 4, len(have - want))
    suite.check("no wrong answers", not r.wrong, r.wrong[:2])
    d.start()


suite.run()
