#!/usr/bin/env python3
"""Pages and cursors: sizes, snapshots, expiry, the limit a connection, and a client that reads slowly."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import time

from daemon import Daemon, memory_counts
from limits import pause, scaled, until
from suite import Suite

suite = Suite()
d = Daemon(settings={"limits.cursor_idle": "700ms", "limits.cursor_time": "2500ms", "store.wal_hard_cap": "64MiB"})
c = d.client()
SERIES = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT %d) "
c.exec("CREATE TABLE num(id INTEGER PRIMARY KEY, s TEXT)")
c.exec("INSERT INTO num " + SERIES % 3500 + "SELECT n, 'r' || n FROM g")
c.exec("CREATE TABLE wide(id INTEGER PRIMARY KEY, s TEXT)")
c.exec("INSERT INTO wide " + SERIES % 60 + "SELECT n, hex(zeroblob(30000)) || n FROM g")


def follow(first, **more):
    rows, sizes, cursor = list(first["rows"]), [len(first["rows"])], first.get("cursor")
    while not first["done"]:
        first = c("fetch", cursor=cursor, **more)
        rows += first["rows"]
        sizes.append(len(first["rows"]))
    return rows, sizes


@suite.section
def sizes():
    want = [[i, "r%d" % i] for i in range(1, 3501)]
    r = c.query("SELECT * FROM num ORDER BY id")
    suite.check(
        "a page of 1000 and a cursor",
        len(r["rows"]) == 1000 and r["done"] is False and isinstance(r["cursor"], str),
        r["done"],
    )
    rows, got = follow(r)
    suite.check("pages of 1000 to the end", rows == want and got == [1000, 1000, 1000, 500], got)
    rows, got = follow(c.query("SELECT * FROM num ORDER BY id", page_rows=3), page_rows=999)
    suite.check("page_rows of each call", rows == want and got[:4] == [3, 999, 999, 999], got)
    rows, got = follow(c.query("SELECT * FROM num ORDER BY id", page_rows=5000000))
    suite.check("page_rows above the cap is clamped", rows == want and got[0] == 1000, got)
    r = c.query("SELECT * FROM num ORDER BY id LIMIT 1000")
    suite.check("exactly one page", len(r["rows"]) == 1000 and (r["done"] or follow(r)[1][1:] == [0]), r["done"])
    r = c.query("SELECT * FROM num LIMIT 1", page_rows=1)
    suite.check("exactly one row", len(r["rows"]) == 1 and (r["done"] or follow(r)[1][1:] == [0]), r["done"])
    for bad in (0, -1, 1.5, "7", None):
        suite.refused("page_rows %r" % (bad,), lambda bad=bad: c.query("SELECT 1", page_rows=bad), -32602)


@suite.section
def bytes_bound_a_page_too():
    n = c.send("query", sql="SELECT id, s FROM wide ORDER BY id")
    longest, ids, cursor = 0, [], None
    while True:
        line = c.line()
        m = json.loads(line)
        longest = max(longest, len(line))
        res = m["result"]
        ids += [row[0] for row in res["rows"]]
        cursor = res.get("cursor", cursor)
        if res["done"]:
            break
        n = c.send("fetch", cursor=cursor)
    suite.check("no page much above 1 MiB", 500_000 < longest < 1_250_000 and n, longest)
    suite.same("all rows", ids, list(range(1, 61)))
    e = suite.refused("a row above the page limit", lambda: c.query("SELECT 1, hex(zeroblob(700000)) AS fat"), 18)
    suite.check(
        "SQLITE_TOOBIG names column and bytes",
        e.name == "SQLITE_TOOBIG" and "fat" in e.message and "1400000" in e.message.replace(",", ""),
        e,
    )
    e = suite.refused(
        "the same on a later page",
        lambda: follow(
            c.query(
                "SELECT id, CASE id WHEN 7 THEN hex(zeroblob(700000)) ELSE 'x' END AS s FROM num LIMIT 20", page_rows=5
            )
        ),
        18,
    )
    suite.same("and the connection goes on", c.value("SELECT 1"), 1)


@suite.section
def snapshots():
    r = c.query("SELECT id, s FROM num ORDER BY id", page_rows=10)
    with d.client() as o:
        o.exec("UPDATE num SET s = 'changed'")
        o.exec("DELETE FROM num WHERE id > 100")
        suite.same("others see the change", o.value("SELECT count(*) FROM num WHERE s = 'changed'"), 100)
        c.exec("INSERT INTO num VALUES(9000, 'mine')")
        suite.same("the session itself sees its own write", c.value("SELECT s FROM num WHERE id = 9000"), "mine")
        rows, _ = follow(r)
        suite.same("the cursor keeps its snapshot", rows, [[i, "r%d" % i] for i in range(1, 3501)])
        r = o.query("SELECT id FROM wide ORDER BY id", page_rows=1)
        suite.refused("another connection's cursor is not mine", lambda: c("fetch", cursor=r["cursor"]), -32013, -32602)
        suite.same("and goes on for its owner", o("fetch", cursor=r["cursor"], page_rows=2)["rows"], [[2], [3]])


@suite.section
def closing():
    r = c.query("SELECT id FROM wide", page_rows=1)
    suite.same("close answers {}", c("close", cursor=r["cursor"]), {})
    suite.refused("fetch after close", lambda: c("fetch", cursor=r["cursor"]), -32013, -32602)
    suite.refused("close twice", lambda: c("close", cursor=r["cursor"]), -32013, -32602)
    suite.refused("a name nobody gave", lambda: c("fetch", cursor="no such"), -32013, -32602)
    suite.refused("a cursor of another type", lambda: c("fetch", cursor=5), -32602)
    r = c.query("SELECT id FROM wide", page_rows=50)
    last = c("fetch", cursor=r["cursor"])
    suite.check("the last page says done", last["done"] is True and len(last["rows"]) == 10, last["done"])
    suite.refused("after the end there is nothing to fetch", lambda: c("fetch", cursor=r["cursor"]), -32013, -32602)


@suite.section
def sixteen():
    with d.client() as o:
        held = [o.query("SELECT id FROM wide", page_rows=1)["cursor"] for _ in range(16)]
        suite.same("16 cursors", len(set(held)), 16)
        e = suite.refused("the 17th", lambda: o.query("SELECT id FROM wide", page_rows=1), "TOO_MANY")
        suite.same("its code", e.code, -32006)
        suite.same("a query of one page needs no cursor", o.value("SELECT count(*) FROM wide"), 60)
        o("close", cursor=held[5])
        suite.check("after a close there is room", o.query("SELECT id FROM wide", page_rows=1).get("cursor"))
        suite.check("oldest_reader_s tells of them", c("stats")["oldest_reader_s"] > 0, c("stats"))
    until("a closed connection gives its cursors back", lambda: c("stats")["oldest_reader_s"] == 0, 5)


@suite.section
def expiry():
    before = c("stats")
    r = c.query("SELECT id FROM wide", page_rows=1)
    pause(1.2)
    e = suite.refused("idle too long", lambda: c("fetch", cursor=r["cursor"]), "CURSOR_EXPIRED")
    suite.same("its code", e.code, -32013)
    r = c.query("SELECT id FROM wide", page_rows=1)
    begun = time.monotonic()
    error = None
    while error is None and time.monotonic() - begun < scaled(10):
        try:
            c("fetch", cursor=r["cursor"], page_rows=1)
            pause(0.1)
        except Exception as e:
            error = e
    lived = time.monotonic() - begun
    suite.check(
        "its whole life is bounded, however busy",
        getattr(error, "name", "") == "CURSOR_EXPIRED" and 2.2 < lived < 2.5 + scaled(1.5),
        (lived, error),
    )
    r = c.query("SELECT id FROM wide", page_rows=1)
    until("an expired cursor lets go of its snapshot by itself", lambda: c("stats")["oldest_reader_s"] == 0, 5)
    after = c("stats")
    counted = [
        k for k in after if isinstance(after[k], int) and k in before and "cursor" in k and after[k] >= before[k] + 2
    ]
    suite.check("stats counts expired cursors", counted, sorted(after))


@suite.section
def checkpoints_go_on():
    """A cursor pins the WAL; once it is gone the WAL is used from its beginning again."""
    with d.client() as o:
        o.exec("CREATE TABLE churn(id INTEGER PRIMARY KEY, x)")
        r = c.query("SELECT id FROM wide", page_rows=1)
        for i in range(12):
            o.exec("INSERT INTO churn(x) VALUES(zeroblob(400000))")
        pinned = c("stats")["wal_bytes"]
        try:
            c("close", cursor=r["cursor"])
        except Exception as e:
            suite.note("the cursor had expired: %s" % e)
        for i in range(60):
            o.exec("UPDATE churn SET x = zeroblob(400000) WHERE id = ?", 1 + i % 12)
        after = c("stats")["wal_bytes"]
        suite.check("48 MB of writes leave a WAL of a few MB", after < 20 << 20, (pinned, after))


@suite.section
def answers_in_order_under_pipelining():
    with d.client() as o:
        ids = [o.send("query", sql="SELECT %d, (SELECT count(*) FROM wide)" % i) for i in range(200)]
        got = [o.read() for _ in ids]
        suite.same("200 requests at once: answered in their order", [m["id"] for m in got], ids)
        suite.same("each with its own answer", [m["result"]["rows"][0][0] for m in got], list(range(200)))


@suite.section
def a_slow_reader():
    """About 120 MB of answers are asked for before the first byte is read: the daemon must not pile them up."""
    with d.client() as o:
        o.sock.setblocking(False)
        request = b"".join(
            b'{"id":%d,"method":"query","params":{"sql":"SELECT id, s FROM wide LIMIT 16"}}\n' % i
            for i in range(1, 121)
        )
        sent = 0
        while sent < len(request):
            try:
                sent += o.sock.send(request[sent:])
            except BlockingIOError:
                break
        o.sock.setblocking(True)
        o.sock.settimeout(scaled(30))
        with d.client() as other:

            def served():
                t = time.monotonic()
                other.value("SELECT 1")
                return time.monotonic() - t < 0.2 + scaled(0.1), time.monotonic() - t

            suite.timely("another client is served meanwhile", served)
            pause(0.5)
        if memory_counts():
            suite.check("memory stays bounded", d.peak_bytes() < 200 << 20, d.peak_bytes() >> 20)
        o.raw(request[sent:])
        whole = True
        for i in range(1, 121):
            m = o.read()
            whole = whole and m["id"] == i and len(m["result"]["rows"]) == 16
        suite.check("and in the end every answer is there, whole and in order", whole)
        if memory_counts():
            suite.check("memory was bounded all along", d.peak_bytes() < 200 << 20, d.peak_bytes() >> 20)


@suite.section
def cancel_behind_64():
    with d.client() as o:
        first = o.send(
            "query", sql="WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
        )
        rest = [o.send("query", sql="SELECT %d" % i) for i in range(63)]
        cancel = o.send("cancel", id=first)
        m = o.message(cancel, 5)
        suite.same("a cancel behind 64 statements is read", m.get("result"), {"cancelled": True})
        e = o.message(first)["error"]
        suite.check("the first is given up", e["code"] == 9 and e["data"]["reason"] == "cancel", e)
        suite.same("the others run", [o.answer(i)["rows"] for i in rest], [[[i]] for i in range(63)])
        late = [o.send("query", sql="SELECT %d" % i) for i in range(300)]
        suite.same(
            "300 at once: reading stops and goes on", [o.answer(i)["rows"][0][0] for i in late], list(range(300))
        )


suite.run()
