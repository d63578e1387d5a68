#!/usr/bin/env python3
"""An online change among clients at work, and its steering: pause, resume, abort, a postponed cut-over."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import sqlite3

from change import PHASES, ended, job, schema_of, shadows
from daemon import Daemon
from limits import fewer, pause, until
from load import Load
from owner import Owner, seed
from suite import Suite
from wire import RpcError

suite = Suite(limit=120)
CHANGE = "ALTER TABLE big ALTER amount TYPE REAL, DROP COLUMN old, ADD COLUMN currency TEXT NOT NULL DEFAULT 'eur'"
NEW = "id, w, CAST(amount AS REAL), note, u, 'eur'"


@suite.section
def under_writing_clients():
    d = Daemon()
    c = d.client()
    rows = fewer(120_000)
    seed(c, rows)
    base = shadows(c)
    c.exec("INSERT INTO big(id, w, amount, note) VALUES(-5, 9, 1, 'keep')")
    owners = [Owner(d, w, rows, 11, every=0.001) for w in range(4)]
    for o in owners:
        o.start()
    failed = []

    def read(k, i):
        try:
            n = k.rows(
                "SELECT id, amount, note FROM big WHERE id BETWEEN ? AND ?", 1 + (i * 37) % rows, 20 + (i * 37) % rows
            )
            if len(n) > 20:
                failed.append(len(n))
        except RpcError as e:
            failed.append(e)

    reader = Load(d, read, pause=0.002).started()
    snap = d.client()
    snap("begin", mode="read")
    old_rows = snap.value("SELECT count(old) FROM big")
    r = c("migrate.alter", sql=CHANGE, allow_data_loss=True)
    suite.check("wait is false on the wire: the job is answered at once", isinstance(r.get("job"), str), r)
    seen = []
    while (j := job(c))["state"] in ("queued", "running"):
        if j["phase"] not in seen:
            seen.append(j["phase"])
        pause(0.01)
        if len(seen) > 1:
            try:
                suite.same(
                    "an old snapshot goes on with the old columns", snap.value("SELECT count(old) FROM big"), old_rows
                ) if len(seen) == 2 and not getattr(snap, "told", 0) else None
                snap.told = 1
            except RpcError as e:
                suite.check("an old snapshot goes on", e.name == "TX_EXPIRED", e)
                snap.told = 1
    suite.check("it is done", j["state"] == "done", j)
    for key, kind in [
        ("id", str),
        ("table", str),
        ("state", str),
        ("phase", (str, type(None))),
        ("rows_done", int),
        ("rows_total", int),
        ("percent", (int, float)),
        ("longest_hold_ms", (int, float)),
        ("longest_wait_ms", (int, float)),
        ("swap_ms", (int, float)),
        ("verified_rows", int),
        ("changes_applied", int),
        ("started", str),
        ("elapsed_s", (int, float)),
        ("postponed_cutover", bool),
    ]:
        suite.check("job: " + key, isinstance(j.get(key), kind), j.get(key))
    suite.check("phases go forward", [p for p in PHASES if p in seen] == seen, seen)
    pause(0.2)
    for o in owners:
        o.end()
    reader.end()
    bad = [e for o in owners for e in o.errors] + failed + ([reader.error] if reader.error else [])
    suite.check("no request of a client failed", not bad, bad[:3])
    wrong = []
    for o in owners:
        got = [
            tuple(r) for r in c.rows("SELECT id, w, amount, note, u, currency FROM big WHERE w = ? ORDER BY id", o.w)
        ]
        wrong.append(o.settle(got, NEW))
    suite.check(
        "%d acknowledged operations: every row as the model says" % sum(o.acked for o in owners), not any(wrong), wrong
    )
    suite.same("every amount is REAL", c.rows("SELECT DISTINCT typeof(amount) FROM big"), [["real"]])
    suite.same("nothing of the job is left", shadows(c), base)
    suite.check("it verified as many rows as there were", j["verified_rows"] >= rows // 2, j["verified_rows"])
    suite.check(
        "the index is there and used",
        "big_w" in str(c.rows("EXPLAIN QUERY PLAN SELECT * FROM big WHERE w = 1 AND amount = 2")),
        c.rows("EXPLAIN QUERY PLAN SELECT * FROM big WHERE w = 1 AND amount = 2"),
    )
    suite.refused(
        "UNIQUE holds",
        lambda: c.exec("INSERT INTO big(u, currency) SELECT u, 'x' FROM big WHERE u IS NOT NULL LIMIT 1"),
        2067,
    )
    suite.refused("NOT NULL holds", lambda: c.exec("INSERT INTO big(currency) VALUES(NULL)"), 1299)
    suite.note(
        "hold %s ms, wait %s ms, swap %s ms, verified %s, applied %s"
        % tuple(j.get(k) for k in ("longest_hold_ms", "longest_wait_ms", "swap_ms", "verified_rows", "changes_applied"))
    )
    snap.close()
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")


@suite.section
def queued_jobs_and_transactions():
    d = Daemon()
    c = d.client()
    seed(c, 20_000)
    c.exec("CREATE TABLE two(id INTEGER PRIMARY KEY, v TEXT)")
    c.exec("INSERT INTO two VALUES(1, '1')")
    a = c("migrate.alter", sql="ALTER TABLE big ALTER amount TYPE REAL", postpone_cutover=True)["job"]
    b = c("migrate.alter", sql="ALTER TABLE two ALTER v TYPE INTEGER")["job"]
    suite.check("a second one queues", a != b)
    until("the first is ready", lambda: job(c)["phase"] == "ready", 20)
    suite.same("the second waits", (job(c)["id"], c.value("SELECT typeof(v) FROM two")), (a, "text"))
    with d.client() as w:
        w("begin")
        w.exec("UPDATE big SET amount = amount + 1 WHERE id < 100")
        c("migrate.cutover")
        pause(0.3)
        suite.check("a swap waits for an open transaction", job(c)["phase"] in ("ready", "swapping"), job(c))
        w.exec("UPDATE big SET amount = amount + 1 WHERE id < 100")
        w("commit")
    until("both end", lambda: job(c)["id"] == b and job(c)["state"] == "done", 20)
    suite.same("the second is done too", c.value("SELECT typeof(v) FROM two"), "integer")
    suite.same(
        "and the transaction is whole",
        c.value("SELECT count(*) FROM big WHERE id < 100 AND amount = id * 7 % 1000 + 2.0 AND typeof(amount) = 'real'"),
        99,
    )
    with d.client() as w:
        r = w.query("SELECT id, typeof(amount) FROM big ORDER BY id", page_rows=10)
        c("migrate.alter", sql="ALTER TABLE big ALTER amount TYPE TEXT", wait=True)
        rest, cursor, kinds, n = r["done"], r["cursor"], {x[1] for x in r["rows"]}, len(r["rows"])
        while not rest:
            r = w("fetch", cursor=cursor)
            kinds |= {x[1] for x in r["rows"]}
            n += len(r["rows"])
            rest = r["done"]
        suite.same("an open cursor finishes on its snapshot", (n, kinds), (20_000, {"real"}))
        suite.same("and the next query sees the new", w.value("SELECT typeof(amount) FROM big LIMIT 1"), "text")
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")
    with d.file() as f:
        try:
            suite.same("plain SQLite reads it", f.execute("SELECT count(*) FROM big").fetchone()[0], 20_000)
        except sqlite3.Error as e:
            suite.check("plain SQLite reads it", False, e)
    f.close()


@suite.section
def cutover_under_closed_loop():
    """Many small changes one after another while clients hammer the table: no request fails, none waits long."""
    d = Daemon()
    c = d.client()
    c.exec("CREATE TABLE hot(id INTEGER PRIMARY KEY, v INTEGER, n INTEGER)")
    c.exec(
        "INSERT INTO hot WITH RECURSIVE g(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM g LIMIT 2000) "
        "SELECT x, x, 0 FROM g"
    )
    loads = [
        Load(d, lambda k, i, w=w: k.exec("UPDATE hot SET n = n + 1 WHERE id = ?", 1 + (i * 7 + w) % 2000)).started()
        for w in range(3)
    ]
    loads += [Load(d, lambda k, i: k.rows("SELECT * FROM hot WHERE id = ?", 1 + i % 2000)).started() for w in range(2)]
    for i in range(10):
        r = c("migrate.alter", sql="ALTER TABLE hot ALTER v TYPE %s" % ("TEXT" if i % 2 == 0 else "INTEGER"), wait=True)
        if r["state"] != "done":
            suite.check("change %d" % i, False, r)
    for x in loads:
        x.end()
    suite.check(
        "ten changes, no client failed", not [x for x in loads if x.error or x.closed], [x.error for x in loads]
    )
    suite.same("no write is lost", c.value("SELECT sum(n) FROM hot"), sum(len(x.calls) for x in loads[:3]))
    suite.note(
        "slowest request %.1f ms of %d" % (1000 * max(x.slowest() for x in loads), sum(len(x.calls) for x in loads))
    )
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")


@suite.section
def keys_come_faster_than_they_go():
    """
    A UNIQUE index is built on what clients have left alone, so what they change has to go from the shadow first: once,
    however often they change it. At the end they bring more keys at each turn than a short step can apply: they are
    held back then, for else it would never end.
    """
    rows, span = fewer(30_000), fewer(300)
    d = Daemon(settings={"store.synchronous": "normal"})
    c = d.client()
    c.exec("CREATE TABLE hot(id INTEGER PRIMARY KEY, v INTEGER, n INTEGER UNIQUE)")
    c.exec(
        "INSERT INTO hot WITH RECURSIVE g(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM g LIMIT %d) SELECT x, 0, x FROM g"
        % rows
    )
    change = "UPDATE hot SET v = v + 1 WHERE id BETWEEN ? AND ? + %d" % (span - 1)
    loads = [
        Load(d, lambda k, i, w=w: k.exec(change, *[1 + (i * 2 + w) * 9973 % rows] * 2)).started() for w in range(2)
    ]
    c("migrate.alter", sql="ALTER TABLE hot ALTER v TYPE TEXT")
    until("the change ends beside them", lambda: job(c)["state"] == "done", 60)
    for x in loads:
        x.end()
    suite.check("no client failed", not [x for x in loads if x.error or x.closed], [x.error for x in loads])
    suite.same("every row has the new type", c.rows("SELECT DISTINCT typeof(v) FROM hot"), [["text"]])
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")


@suite.section
def clients_whose_turns_are_long():
    """
    With a slow disk, or a statement that computes, somebody has always waited longer for the writer than a step may
    last. The change gets its share of the time all the same.
    """
    d = Daemon()
    c = d.client()
    seed(c, fewer(20_000))
    c.exec("CREATE TABLE slow(id INTEGER PRIMARY KEY, n INTEGER)")
    c.exec("INSERT INTO slow VALUES(0, 0), (1, 0), (2, 0)")
    change = (
        "UPDATE slow SET n = (WITH RECURSIVE g(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM g LIMIT %d)"
        " SELECT count(*) FROM g) WHERE id = ?" % fewer(50_000)
    )
    loads = [Load(d, lambda k, i, w=w: k.exec(change, w)).started() for w in range(3)]
    c("migrate.alter", sql=CHANGE, allow_data_loss=True)
    until("the change ends beside them", lambda: job(c)["state"] == "done", 30)
    for x in loads:
        x.end()
    suite.check("no client failed", not [x for x in loads if x.error or x.closed], [x.error for x in loads])
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")


@suite.section
def steering():
    d = Daemon(settings={"migrate.batch_rows": "500", "migrate.duty": "10"})
    c = d.client()
    seed(c, 60_000)
    base = shadows(c)
    suite.refused("pause with nothing running", lambda: c("migrate.pause"), "NOT_FOUND", "WRONG_STATE")
    # Postponed, so that it is sure to be there when it is aborted.
    name = c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)["job"]
    r = c("migrate.pause", job=name)
    suite.same("pause", r["state"], "paused")
    j = until("it stands", lambda: (lambda j: j if j["state"] == "paused" else None)(job(c)), 5)
    pause(0.3)
    suite.check(
        "and does not move", job(c)["rows_done"] - j["rows_done"] <= 1000, (j["rows_done"], job(c)["rows_done"])
    )
    c.exec("UPDATE big SET amount = 5 WHERE id = 100")
    e = suite.refused("client DDL on the table", lambda: c.exec("CREATE INDEX big_x ON big(note)"), "MIGRATION_RUNNING")
    suite.check("names the job", e.code == -32020 and e.data.get("job") == name, e)
    for sql in (
        "DROP TABLE big",
        "ALTER TABLE big ADD COLUMN q",
        "ALTER TABLE big RENAME TO gib",
        "DROP INDEX big_w",
        "CREATE TRIGGER big_tr AFTER INSERT ON big BEGIN SELECT 1; END",
        'ALTER TABLE "BIG" ADD COLUMN q',
    ):
        suite.refused(sql, lambda s=sql: c.exec(s), "MIGRATION_RUNNING")
    c.exec("CREATE TABLE other(x)")
    c.exec("CREATE INDEX other_x ON other(x)")
    suite.check("DDL on other tables is allowed", c.value("SELECT count(*) FROM other") == 0)
    suite.refused("resume of another job", lambda: c("migrate.resume", job="m999"), "NOT_FOUND")
    d.stop()
    d.start()
    c = d.client()
    suite.check("paused stays paused over a restart", job(c)["state"] == "paused" and job(c)["id"] == name, job(c))
    suite.same("resume", c("migrate.resume")["state"], "running")
    suite.refused("resume of what is not paused", lambda: c("migrate.resume"), "WRONG_STATE")
    r = c("migrate.throttle", batch_rows=200, duty_percent=5)
    suite.same("throttle", r, {"batch_rows": 200, "duty_percent": 5})
    r = c("migrate.abort", job=name)
    suite.check(
        "abort answers once the shadow is gone",
        r["state"] == "aborted" and "version" in r and isinstance(r.get("dropped"), list),
        r,
    )
    suite.same("nothing is left", shadows(c), base)
    suite.check(
        "the old table serves",
        "old" in schema_of(c, "big")["big"] and c.value("SELECT amount FROM big WHERE id = 100") == 5,
    )
    suite.same("status", (job(c)["state"], job(c)["id"]), ("aborted", name))
    suite.refused("abort of nothing", lambda: c("migrate.abort"), "NOT_FOUND", "WRONG_STATE")
    with d.client() as w:
        n = w.send("migrate.alter", sql=CHANGE, allow_data_loss=True, wait=True, postpone_cutover=True)
        until("it runs", lambda: job(c)["state"] == "running", 5)
        suite.same("wait leaves the connection usable for what overtakes", w("ping"), {})
        c("migrate.abort")
        e = w.message(n, 20).get("error", {})
        suite.check(
            "one who waits is answered ABORTED",
            (e.get("code"), e.get("data", {}).get("name")) == (-32027, "ABORTED") and e["data"].get("job"),
            e,
        )
    name = c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)["job"]
    c("migrate.throttle", duty_percent=100, batch_rows=5000)
    j = until("ready, and waits", lambda: (lambda j: j if j["phase"] == "ready" else None)(job(c)), 30, every=0.05)
    suite.check("a postponed cut-over", j["state"] == "running" and j["postponed_cutover"] is True, j)
    for i in range(50):
        c.exec("UPDATE big SET amount = ? WHERE id = ?", i, 200 + i)
    c.exec("DELETE FROM big WHERE id = 300")
    pause(0.3)
    suite.check(
        "it still waits, with the old schema",
        job(c)["phase"] == "ready" and "old" in schema_of(c, "big")["big"],
        job(c),
    )
    d.kill()
    d.start()
    c = d.client()
    until("ready again after a crash", lambda: job(c)["phase"] == "ready", 30)
    suite.check("cutover", isinstance(c("migrate.cutover", job=name), dict))
    j = ended(c)
    suite.same("done", (j["state"], j["id"]), ("done", name))
    suite.same(
        "with the writes made meanwhile",
        c.rows("SELECT id, amount FROM big WHERE id IN (200, 249, 300)"),
        [[200, 0.0], [249, 49.0]],
    )
    suite.refused("cutover of what is over", lambda: c("migrate.cutover", job=name), "WRONG_STATE", "NOT_FOUND")
    suite.refused("abort after the swap", lambda: c("migrate.abort", job=name), "WRONG_STATE", "NOT_FOUND")
    h = c("migrate.history")["history"]
    suite.same("history", [x["state"] for x in h], ["aborted", "aborted", "done"])
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")


suite.run()
