#!/usr/bin/env python3
"""Steering a job: each control in each state, what is kept over a restart, and what alterctl says of it."""
import contextlib
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from kill9 import CHANGE
from limits import pause, until
from load import Load
from owner import seed
from suite import Suite

suite = Suite(limit=120)


def job(c):
    return c("migrate.status")["job"]


def until_job(c, what, test, limit=20):
    return until(what, lambda: (lambda j: j if j and test(j) else None)(job(c)), limit, every=0.005)


@suite.section
def queued():
    """A job that waits: paused, throttled, postponed and aborted; what was set is there after kill -9."""
    d = Daemon()
    c = d.client()
    seed(c, 5_000)
    c.exec("CREATE TABLE two(id INTEGER PRIMARY KEY, v TEXT)")
    first = c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)["job"]
    second = c("migrate.alter", sql="ALTER TABLE two ALTER v TYPE INTEGER")["job"]
    third = c("migrate.alter", sql="ALTER TABLE two ADD w TEXT")["job"]
    suite.same("pause of a queued one", c("migrate.pause", job=second)["state"], "paused")
    suite.same(
        "throttle of a queued one",
        c("migrate.throttle", job=second, batch_rows=7, duty_percent=9),
        {"batch_rows": 7, "duty_percent": 9},
    )
    suite.refused("cutover of what is not postponed", lambda: c("migrate.cutover", job=second), "WRONG_STATE")
    suite.same("abort of a queued one", c("migrate.abort", job=third)["state"], "aborted")
    suite.refused("a second time", lambda: c("migrate.abort", job=third), "WRONG_STATE")
    suite.refused("pause of what has ended", lambda: c("migrate.pause", job=third), "WRONG_STATE")
    suite.refused("pause of no job", lambda: c("migrate.pause", job="m77"), "NOT_FOUND")
    suite.refused("throttle out of bounds", lambda: c("migrate.throttle", job=second, duty_percent=101), -32602)
    # Written in the writer's order: behind this write they are in the file.
    c.exec("INSERT INTO two VALUES(1, '1')")
    d.kill()
    d.start()
    c = d.client()
    h = c("migrate.history")["history"]
    suite.same("the aborted one stays so", [(x["job"], x["state"]) for x in h], [(third, "aborted")])
    suite.check("with rows and count", h[0]["rows"] == [] and h[0]["count"] == 0 and h[0]["error"], h)
    suite.same("abort of the one that runs", c("migrate.abort", job=first)["state"], "aborted")
    j = until_job(c, "the second has its turn", lambda j: j["id"] == second)
    suite.same("and is paused as it was", (j["state"], j["batch_rows"], j["duty_percent"]), ("paused", 7, 9))
    pause(0.2)
    suite.same("it does nothing", (job(c)["state"], job(c)["rows_done"]), ("paused", 0))
    suite.same("resume", c("migrate.resume", job=second)["state"], "running")
    until_job(c, "done", lambda j: j["id"] == second and j["state"] == "done")
    suite.same("its change is made", c.value("SELECT typeof(v) FROM two"), "integer")


@suite.section
def beside_a_long_statement():
    """Who steers is answered though the writer does not get to it; and it is written once it does."""
    d = Daemon(settings={"limits.write_time": "60s"})
    c, other = d.client(), d.client()
    seed(c, 5_000)
    c.exec("CREATE TABLE n(i)")
    c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)
    until_job(c, "it waits", lambda j: j["phase"] == "ready")
    endless = other.send("exec", sql="INSERT INTO n WITH g(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g) SELECT i FROM g")
    until("it is at work", lambda: any((s["statement"] or "").startswith("INSERT INTO n") for s in c("sessions")["sessions"]))
    suite.same("pause", c("migrate.pause"), {"state": "paused", "phase": "ready"})
    throttle = c.send("migrate.throttle", duty_percent=33)
    suite.same("what is in force cannot be cancelled", c("cancel", id=throttle)["cancelled"], False)
    suite.same("throttle", c.message(throttle)["result"]["duty_percent"], 33)
    suite.same("the statement goes on", other("cancel", id=endless)["cancelled"], True)
    suite.same("until now", other.message(endless)["error"]["data"]["reason"], "cancel")
    with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % d.db, uri=True)) as plain:
        until("it is written", lambda: plain.execute("SELECT paused, duty_percent FROM _alterd_job").fetchone() == (1, 33))
    d.kill()
    d.start()
    c = d.client()
    suite.same("and there after kill -9", (job(c)["state"], job(c)["duty_percent"]), ("paused", 33))
    c("migrate.abort")


@suite.section
def retiring():
    d = Daemon(settings={"migrate.retire_pause": "20ms", "migrate.hold": "1ms"})
    c = d.client()
    seed(c, 60_000)
    c("migrate.alter", sql=CHANGE, allow_data_loss=True)
    j = until_job(c, "it retires", lambda j: j["phase"] == "retiring")
    suite.check("swapped: figures, and 100 %", j["percent"] == 100 and j["swap_ms"] > 0 and j["verified_rows"], j)
    suite.same("pause", c("migrate.pause"), {"state": "paused", "phase": "retiring"})
    suite.refused("abort", lambda: c("migrate.abort"), "WRONG_STATE")
    out = d.ctl("status").stdout
    suite.check("alterctl does not offer abort", "alterctl resume" in out and "abort" not in out, out)
    r = d.ctl("status", "--exit-code")
    suite.same("its exit code: paused", r.returncode, 12)
    r = d.ctl("pause")
    suite.check("nor does pause", r.returncode == 0 and "abort" not in r.stderr, r.stderr)
    suite.same("throttle", c("migrate.throttle", duty_percent=80)["duty_percent"], 80)
    d.stop()
    d.start()
    c = d.client()
    suite.same("paused over a restart", (job(c)["state"], job(c)["phase"]), ("paused", "retiring"))
    c("migrate.resume")
    until_job(c, "done", lambda j: j["state"] == "done", 60)


@suite.section
def postponed_under_writes():
    """Dirty keys are applied while it waits; the percentage stays below 100; then the swap is quick."""
    d = Daemon()
    c = d.client()
    seed(c, 20_000)
    c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)
    until_job(c, "ready", lambda j: j["phase"] == "ready")
    load = Load(d, lambda k, i: k.exec("UPDATE big SET amount = ? WHERE id = ?", i, 1 + i % 20_000)).started()
    j = until_job(c, "changes are applied meanwhile", lambda j: j["changes_applied"] > 200)
    suite.check("ready, not swapped", j["phase"] == "ready" and j["percent"] <= 99.9 and j["postponed_cutover"], j)
    r = d.ctl("status", "--exit-code")
    suite.check("counts as running", r.returncode == 11 and "alterctl cutover" in r.stdout, (r.returncode, r.stdout))
    c("migrate.cutover")
    j = until_job(c, "done", lambda j: j["state"] == "done", 30)
    load.end()
    suite.check("nobody failed", load.error is None, load.error)
    suite.same("all types are new", c.rows("SELECT DISTINCT typeof(amount) FROM big"), [["real"]])


@suite.section
def reasons():
    """Why it waits is told, and a row that comes while it copies and does not fit is named."""
    d = Daemon(settings={"migrate.duty": "5", "migrate.batch_rows": "200"})
    c = d.client()
    seed(c, 30_000)
    loads = [
        Load(d, lambda k, i: k.exec("UPDATE big SET old = 'y' WHERE id = ?", 1 + i % 30_000)).started()
        for _ in range(2)
    ]
    c("migrate.alter", sql="ALTER TABLE big ALTER note SET NOT NULL, ALTER amount TYPE REAL", postpone_cutover=True)
    j = until_job(c, "held back by clients", lambda j: j["throttled"] and j["phase"] == "backfilling")
    suite.check("the reason names them", "clients" in j["throttled"], j["throttled"])
    until_job(c, "it knows its pace", lambda j: j["rows_per_s"] > 0 and j["eta_s"] is not None)
    c.exec("UPDATE big SET note = NULL WHERE id = 3")
    c("migrate.throttle", duty_percent=100, batch_rows=5000)
    for x in loads:
        x.end()
    j = until_job(c, "the change fails", lambda j: j["state"] == "failed", 30)
    suite.check(
        "the late row is named",
        [(r["rowid"], r["column"], r["reason"]) for r in j["rows"]] == [(3, "note", "NOT NULL")] and j["count"] == 1,
        j,
    )
    suite.same("no client failed", [x.error for x in loads if x.error], [])
    text = d.ctl("alter", "ALTER TABLE big ALTER note\nTYPE TEXT USING\n nosuch(\n note)").stderr
    suite.check("a refusal is one line", text.count("\n") == 1 and "\\n" not in text, text)


suite.run()
