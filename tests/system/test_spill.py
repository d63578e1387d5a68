#!/usr/bin/env python3
"""A transaction larger than the page cache, part of it undone, then kill -9: it and all that came after it is there.

SQLite 3.40 leaves frames without a checksum in the log here, at which a start after a crash stops reading it; see
daemon/store/wal_vfs.c.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from suite import Suite
from wire import RpcError

suite = Suite(limit=100)
ROWS = 20_000
# Takes the pages of two indexes in no order, most of them more than once; the last row fails.
BROKEN = "UPDATE t SET k = (k * 7919 + 13) % 100003, u = CASE WHEN id < {0} THEN u + 1000000 ELSE 1007919 END".format(
    ROWS
)
WHOLE = "UPDATE t SET k = (k * 7919 + 13) % 100003"


def fail(c):
    try:
        c.exec(BROKEN)
    except RpcError as e:
        assert "UNIQUE" in str(e), e
    else:
        raise AssertionError("the UPDATE should have failed")


def statement_fails(c, note):
    c("begin")
    note()
    fail(c)
    note()
    c("commit")


def savepoint_is_undone(c, note):
    c("begin")
    note()
    c.exec("SAVEPOINT s")
    c.exec(WHOLE)
    c.exec("ROLLBACK TO s")
    note()
    c.exec("RELEASE s")
    c("commit")


def both_and_then_more(c, note):
    c("begin")
    c.exec(WHOLE)
    note()
    c.exec("SAVEPOINT s")
    fail(c)
    c.exec(WHOLE)
    c.exec("ROLLBACK TO s")
    note()
    c.exec(WHOLE)
    fail(c)
    c("commit")


def round_of(name, work):
    d = Daemon(settings={"store.cache": "256KiB", "store.checkpoint_at": "64MiB"})
    with d.client() as c:
        c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, u INT UNIQUE)")
        c.exec("CREATE TABLE note(n INTEGER PRIMARY KEY)")
        c.exec(
            "INSERT INTO t WITH RECURSIVE x(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM x LIMIT ?1) "
            "SELECT i, i * 31 % 100003, i * 7919 % 200003 FROM x",
            ROWS,
        )
        c.exec("CREATE INDEX t_k ON t(k)")
        written = []

        def note():
            written.append(len(written) + 1)
            c.exec("INSERT INTO note VALUES(?)", written[-1])

        work(c, note)
        for _ in range(20):
            note()
        total = c.value("SELECT sum(k) + sum(u) FROM t")
    d.kill()
    suite.same(name + ": integrity", d.integrity(), "ok")
    with d.file() as f:
        suite.same(name + ": every note is there", [r[0] for r in f.execute("SELECT n FROM note ORDER BY n")], written)
        suite.same(name + ": the table is what it was", f.execute("SELECT sum(k) + sum(u) FROM t").fetchone()[0], total)
    f.close()
    d.start()
    with d.client() as c:
        suite.same(name + ": and is served", c.value("SELECT count(*) FROM note"), len(written))


@suite.section
def after_a_statement_that_failed():
    round_of("statement", statement_fails)


@suite.section
def after_a_savepoint():
    round_of("savepoint", savepoint_is_undone)


@suite.section
def after_both():
    round_of("both", both_and_then_more)


suite.run()
