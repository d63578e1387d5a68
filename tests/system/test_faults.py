#!/usr/bin/env python3
"""What goes wrong around a change without being its fault: no room, a long log, another program, little memory."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import signal
import sqlite3
import subprocess
import tempfile

from daemon import Daemon
from kill9 import CHANGE, NEW, NEW_COLUMNS, OLD, judge
from limits import pause, until
from owner import Owner, seed
from suite import Suite
from wire import RpcError

suite = Suite(limit=150)


def job(c):
    return c("migrate.status")["job"]


def ended(c, limit=30):
    return until(
        "the change ends",
        lambda: (lambda j: j if j["state"] in ("done", "failed", "aborted") else None)(job(c)),
        limit,
        every=0.02,
    )


def throttled(c, part, limit=10):
    """Waits until the job's reason holds `part`; its status then."""
    return until(
        "the reason says " + part,
        lambda: (lambda j: j if part in (j["throttled"] or "") else None)(job(c)),
        limit,
        every=0.005,
    )


def finish(what, d, c):
    j = ended(c)
    suite.same(what + ": done", j["state"], "done")
    suite.same(what + ": the new type", c.value("SELECT typeof(amount) FROM big LIMIT 1"), "real")
    suite.same(what + ": exit", d.stop(), 0)
    suite.same(what + ": the file", d.integrity(), "ok")
    return j


@suite.section
def too_little_room():
    d = Daemon(config="[store]\ndisk_reserve = 64MiB\n[migrate]\nbatch_rows = 500\n")
    c = d.client()
    seed(c, 20_000)
    conf = os.path.join(d.folder, "alterd.conf")

    def reserve(text):
        with open(conf, "w", encoding="utf-8") as f:
            f.write("[store]\ndisk_reserve = %s\n[migrate]\nbatch_rows = 500\n" % text)
        d.process.send_signal(signal.SIGHUP)

    reserve("1000GiB")
    pause(0.5)
    c("migrate.alter", sql=CHANGE, allow_data_loss=True)
    j = throttled(c, "disk_reserve")
    suite.check("it waits, and is running all the same", j["state"] == "running" and j["percent"] < 100, j)
    done = j["rows_done"]
    # Longer than the store looks after things when nobody asks for anything.
    pause(2.5)
    suite.check("it still waits", job(c)["rows_done"] == done and job(c)["throttled"], job(c))
    c.exec("UPDATE big SET amount = 1 WHERE id = 7")
    reserve("1MiB")
    finish("room again", d, c)


@suite.section
def disk_full():
    if os.geteuid() != 0:
        suite.skip("a full disk", "only root can mount a small one")
        return
    mount = tempfile.mkdtemp(prefix="alterd-small-")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", mount], capture_output=True, check=False)
    if made.returncode != 0:
        suite.skip("a full disk", made.stderr.decode()[:200])
        os.rmdir(mount)
        return
    try:
        full_disk_at(mount)
    finally:
        subprocess.run(["umount", "-l", mount], check=False)
        os.rmdir(mount)


def full_disk_at(mount):
    d = Daemon(
        db=os.path.join(mount, "app.db"),
        settings={"store.disk_reserve": "0", "migrate.batch_rows": "500", "store.checkpoint_at": "1MiB"},
    )
    c = d.client()
    rows = 12_000
    seed(c, rows)
    ballast = os.path.join(mount, "ballast")
    with open(ballast, "wb") as f:
        free = os.statvfs(mount).f_bavail * os.statvfs(mount).f_frsize
        f.write(b"x" * (free - 300_000))
    owners = [Owner(d, w, rows, 5, every=0.02, patient=True) for w in range(2)]
    c("migrate.alter", sql=CHANGE, allow_data_loss=True)
    j = throttled(c, "full", 20)
    suite.check("a full disk: it says so and tries again", j["state"] == "running", j)
    suite.same("a full disk: reads go on", c.value("SELECT count(*) FROM big"), rows)
    try:
        c.exec("INSERT INTO big(id, w, note) VALUES(5000000, 3, printf('%.*c', 400000, 'x'))")
        suite.check("a write that does not fit", False)
    except RpcError as e:
        suite.check("a write that does not fit is told so", e.code & 0xFF in (13, 10), e)
    d.kill()
    suite.same("a full disk, and then a kill", d.integrity(), "ok")
    os.unlink(ballast)
    d.start()
    c = d.client()
    for o in owners:
        o.start()
    ended(c)
    for o in owners:
        o.end()
    suite.check("room again: no client failed", not [e for o in owners for e in o.errors], [o.errors for o in owners])
    finish("room again", d, c)
    judge(suite, "room again", d, owners, "id, w, amount, note, u, currency", NEW)


@suite.section
def a_long_log():
    """A reader that holds the log: the change waits at the cap, says so, and goes on when the reader is done."""
    d = Daemon(
        settings={
            "store.wal_cap": "2MiB",
            "store.checkpoint_at": "256KiB",
            "store.wal_hard_cap": "64MiB",
            "migrate.batch_rows": "500",
        }
    )
    c = d.client()
    seed(c, 60_000)
    until("the log of the seed is copied back", lambda: c.exec("UPDATE big SET w = w WHERE id = 1") and False or c("stats")["checkpoints_total"], 10)
    with d.client() as reader:
        held = reader.query("SELECT * FROM big", page_rows=5)["cursor"]
        c.exec("UPDATE big SET note = note || '.' WHERE id < 100")
        c("migrate.alter", sql=CHANGE, allow_data_loss=True)
        before = c("stats")["wal_bytes"]
        throttled(c, "wal_cap", 20)
        pause(0.5)
        grown = c("stats")["wal_bytes"] - before
        suite.check("at the cap the log grows no more", grown < 4 << 20, grown)
        c.exec("UPDATE big SET amount = 1 WHERE id = 7")
        reader("close", cursor=held)
    finish("the reader is gone", d, c)


def other_program(d, sql):
    f = sqlite3.connect(d.db, isolation_level=None, timeout=10)
    f.execute(sql)
    f.close()


@suite.section
def another_program_writes():
    """In each phase: the copy begins anew, says so, and what was written is in the new table."""
    for phase, where in (
        ("backfilling", lambda j: j["rows_done"] > 1000),
        ("indexing", lambda j: True),
        ("verifying", lambda j: True),
        ("ready", lambda j: True),
    ):
        d = Daemon(settings={"migrate.batch_rows": "300", "migrate.duty": "100"})
        c = d.client()
        seed(c, 20_000)
        other_program(d, "UPDATE big SET note = 'before' WHERE id = 1")
        c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)
        c("migrate.throttle", batch_rows=200)
        # A phase may be over before it is seen: then the write comes in the next one.
        order = ["preparing", "backfilling", "indexing", "verifying", "ready"]
        until(
            "it is " + phase,
            lambda: (
                lambda j: order.index(j["phase"]) > order.index(phase) or (j["phase"] == phase and where(j))
            )(job(c)),
            20,
            every=0.001,
        )
        other_program(d, "UPDATE big SET amount = 777 WHERE id = 5")
        j = until(phase + ": it starts over", lambda: (lambda j: j if j["restarts"] else None)(job(c)), 20)
        suite.check(phase + ": one restart", j["restarts"] == 1, j)
        until(phase + ": ready again", lambda: job(c)["phase"] == "ready", 30)
        suite.check(phase + ": the log says so", "another process wrote" in d.log())
        c("migrate.cutover")
        finish(phase, d, c)
        with d.file() as f:
            suite.same(
                phase + ": its write is there", f.execute("SELECT amount FROM big WHERE id = 5").fetchall(), [(777.0,)]
            )
        f.close()


@suite.section
def another_program_does_not_stop():
    d = Daemon(settings={"migrate.batch_rows": "300"})
    c = d.client()
    seed(c, 20_000)
    c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)
    for n in (1, 2, 3):
        until("ready or copying", lambda: job(c)["phase"] in ("backfilling", "ready"), 20, every=0.002)
        other_program(d, "UPDATE big SET amount = amount + 1 WHERE id = 6")
        until("restart %d" % n, lambda: job(c)["restarts"] >= n, 20, every=0.002)
    j = until("it pauses", lambda: (lambda j: j if j["state"] == "paused" else None)(job(c)), 10)
    suite.check("the third time it pauses with the reason", "another process" in (j["throttled"] or ""), j)
    text = d.ctl("status").stdout
    suite.check("alterctl shows the reason", "paused: another process" in text, text)
    d.stop()
    d.start()
    c = d.client()
    suite.check("the reason survives a restart", "another process" in (job(c)["throttled"] or ""), job(c))
    c("migrate.resume")
    until("ready", lambda: job(c)["phase"] == "ready", 30)
    c("migrate.cutover")
    finish("resumed", d, c)


suite.run()
