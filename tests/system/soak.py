#!/usr/bin/env python3
"""The daemon as it lives: clients, migrations up and down without end, kill -9 now and then, backups and checks.

In the end nothing acknowledged is lost, no job is lost, the file is sound, and neither memory nor descriptors nor the
log have grown. For an hour: soak.py --minutes 60. The first part has the kills; in the second one nobody dies, so that
what grows is seen to grow: its last third is compared with its first.

    soak.py [--minutes N] [--seed N]
"""
import argparse
import os
import random
import re
import sqlite3
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from keeper import SCHEMA, Keeper
from limits import first_seed, pause, until
from suite import Suite
from wire import RpcError

args = argparse.ArgumentParser()
args.add_argument("--minutes", type=float, default=1.0)
args.add_argument("--seed", type=int, default=first_seed())
args = args.parse_args()
sys.argv = sys.argv[:1]
print("     --seed %d --minutes %g" % (args.seed, args.minutes), flush=True)
suite = Suite(limit=args.minutes * 60 + 120)
check, same = suite.check, suite.same

KEEPERS, STILL = 4, 15_000
KILLS = 0.4  # of the time
FILES = [
    ("0001_item.sql", "-- migrate:up\n%s;\nCREATE INDEX item_w ON item(w);\n" % SCHEMA),
    (
        "0002_amount.sql",
        "-- migrate:up\nALTER TABLE item ALTER amount TYPE REAL, ADD COLUMN currency TEXT NOT NULL DEFAULT 'eur';\n"
        "-- migrate:down\n-- alterd: allow=data-loss\n"
        "ALTER TABLE item ALTER amount TYPE INTEGER, DROP COLUMN currency;\n",
    ),
    ("0003_note.sql", "-- migrate:up\nCREATE INDEX item_note ON item(note, amount);\n-- migrate:down\nDROP INDEX item_note;\n"),
    (
        "0004_exact.sql",
        "-- migrate:up\nCREATE TABLE tally(n INTEGER PRIMARY KEY, t TEXT);\nINSERT INTO tally SELECT id % 97, max(note) "
        "FROM item GROUP BY 1;\nCREATE VIEW known AS SELECT n FROM tally;\n"
        "-- migrate:down\n-- alterd: allow=data-loss\nDROP VIEW known;\nDROP TABLE tally;\n",
    ),
    (
        "0005_hand.sql",
        "-- migrate:up\nCREATE TABLE new_item(id INTEGER PRIMARY KEY, w INTEGER NOT NULL, amount REAL, note TEXT, u TEXT "
        "UNIQUE, currency TEXT NOT NULL DEFAULT 'eur');\nINSERT INTO new_item SELECT id, w, amount, note, u, currency "
        "FROM item;\nDROP TABLE item;\nALTER TABLE new_item RENAME TO item;\nCREATE INDEX item_w ON item(w);\n"
        "CREATE INDEX item_note ON item(note, amount);\n"
        "-- migrate:down\nALTER TABLE item ALTER w DROP NOT NULL;\n",
    ),
]
FOLDER = {"files": [{"name": n, "sql": s} for n, s in FILES]}


class Changer(threading.Thread):
    """Goes from version to version; a job that was acknowledged must end, whoever dies meanwhile."""

    def __init__(self, d, rng):
        super().__init__(daemon=True)
        self.d, self.rng = d, rng
        self.stopping = threading.Event()
        self.jobs, self.resumed, self.bad = 0, 0, []

    def job_ended(self, c, name):
        for j in [c("migrate.status")["job"]] + c("migrate.history")["history"]:
            if j and j.get("job", j.get("id")) == name and j["state"] in ("done", "failed", "aborted"):
                return j
        return None

    def follow(self, name, to):
        """Over restarts, to its end."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with self.d.client() as c:
                    while time.monotonic() < end:
                        j = self.job_ended(c, name)
                        if j:
                            version = c("migrate.status")["version"]
                            if j["state"] != "done" or version != to:
                                self.bad.append("job %s to %d: %.400s, version %d" % (name, to, j, version))
                            self.jobs += 1
                            return
                        pause(0.02)
            except OSError:
                self.resumed += 1
                pause(0.02)
        self.bad.append("job %s was acknowledged, and has not ended in a minute" % name)

    def turn(self):
        with self.d.client() as c:
            status = c("migrate.status")
            if status["job"] and status["job"]["state"] in ("queued", "running", "paused"):
                # Of one whose answer was lost.
                name, to = status["job"]["id"], status["job"].get("to")
            else:
                to = self.rng.choice([v for v in range(1, len(FILES) + 1) if v != status["version"]])
                name = c("migrate.to", version=to, allow_data_loss=True, **FOLDER)["job"]
        self.follow(name, to)

    def run(self):
        while not self.stopping.is_set() and not self.bad:
            try:
                self.turn()
            except RpcError as e:
                if e.name not in ("SHUTTING_DOWN", "MIGRATION_RUNNING"):
                    self.bad.append(str(e))
            except OSError:
                pause(0.02)
            pause(0.05)

    def end(self):
        self.stopping.set()
        self.join(90)
        assert not self.is_alive(), "the changes do not end"


class Samples(threading.Thread):
    """Every quarter of a second: resident bytes, descriptors, bytes of the log."""

    def __init__(self, d):
        super().__init__(daemon=True)
        self.d, self.stopping, self.seen = d, threading.Event(), []

    def run(self):
        while not self.stopping.wait(0.25):
            try:
                with open("/proc/%d/status" % self.d.process.pid, encoding="ascii") as f:
                    rss = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024
                wal = os.stat(self.d.db + "-wal").st_size
                self.seen.append((rss, self.d.open_files(), wal))
            except (OSError, TypeError):
                pass

    def end(self):
        self.stopping.set()
        self.join(5)
        n = len(self.seen) // 3
        return self.seen[:n], self.seen[-n:]


def sound(path):
    db = sqlite3.connect("file:%s?immutable=1" % path, uri=True)
    rows = db.execute("PRAGMA integrity_check").fetchall()
    db.close()
    return [r for r in rows if r != ("ok",) and not r[0].startswith("NULL value in _alterd_")]


def back_up(d, seen):
    """One more backup, which goes again; and a look at all of the live file."""
    with d.client() as c:
        looked = c("check", quick=len(seen) % 2 == 0)
        path = c("backup", name="soak-%d.db" % len(seen))["path"]
        bad = sound(path) + looked["findings"]
        c("backup.delete", name=os.path.basename(path))
    seen.append(bad)
    return bad


def grown(what, first, last, spare, bound=None):
    """Judged by what they mostly are, and by what they are at most: with more room, or by what bounds that."""
    for how, of, times in (("mostly", statistics.median, 1), ("at most", max, 3)):
        a, b = of(first), of(last)
        most = bound if bound and of is max else a * 1.15 + times * spare
        check("%s, %s: does not grow" % (what, how), b <= most, "%d at first, %d at last" % (a, b))


def open_cursors_end(d):
    with d.client() as c:
        return c("stats")["pinned"] == 0


@suite.section
def soak():
    rng = random.Random(args.seed)
    begun, seconds = time.monotonic(), args.minutes * 60
    d = Daemon(settings={
        "store.checkpoint_at": "1MiB", "store.wal_cap": "4MiB", "store.wal_hard_cap": "64MiB",
        "store.synchronous": "normal",  # what kill -9 leaves is the same, and the machine's disk is no part of this
        "limits.cursor_idle": "2s", "limits.cursor_time": "10s",
    })
    with d.client() as c:
        c("migrate.up", to=1, wait=True, **FOLDER)
        c.exec("INSERT INTO item(id, w, amount, note, u) WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g "
               "LIMIT %d) SELECT 10000000 + n, 99, n, 'still ' || n, 's' || n FROM g" % STILL)
    keepers = [Keeper(d, w, args.seed) for w in range(KEEPERS)]
    changer, backups = Changer(d, rng), []
    for t in keepers + [changer]:
        t.start()

    def fine():
        return not changer.bad and not any(k.bad for k in keepers)

    kills, integrity = 0, []
    while time.monotonic() < begun + KILLS * seconds and fine():
        pause(rng.uniform(0.2, 4.0))
        d.kill()
        kills += 1
        if kills % 3 == 0:
            integrity.append(d.integrity())
        d.start()
        if kills % 4 == 0:
            back_up(d, backups)
    same("each time it is looked at the file is sound (%d of %d kills)" % (len(integrity), kills), set(integrity), {"ok"})
    check("clients have lost their connections", all(k.lost for k in keepers), [k.lost for k in keepers])
    # Caches are full, and threads are there, before anything is compared.
    jobs = changer.jobs
    pause(min(seconds * 0.1, 60))
    samples = Samples(d)
    samples.start()
    due = time.monotonic()
    while time.monotonic() < begun + seconds and fine():
        if time.monotonic() >= due:
            back_up(d, backups)
            due = time.monotonic() + max(4.0, seconds / 60)
        pause(0.2)
    first, last = samples.end()
    changer.end()
    for k in keepers:
        k.end()
    same("keepers met nothing wrong", [(k.w, k.bad) for k in keepers if k.bad], [])
    same("no job was lost or failed", changer.bad[:2], [])
    check("changes ran all the time", changer.jobs - jobs > 3, (jobs, changer.jobs))
    same("all backups were sound, and so was the file (%d)" % len(backups), [b for b in backups if b], [])
    check("there is something to compare", len(first) > 20, len(first))
    grown("resident memory", [s[0] for s in first], [s[0] for s in last], 8 << 20)
    grown("descriptors", [s[1] for s in first], [s[1] for s in last], 6)
    # While a backup or a check reads it cannot begin anew and passes its cap, but not by much the hard one; the file
    # stays as long as it was. The daemon lets it be 8 MiB too long before anybody waits for it.
    grown("the log", [s[2] for s in first], [s[2] for s in last], 8 << 20, 80 << 20)
    until("cursors that were left open have ended", lambda: open_cursors_end(d), 30)
    with d.client() as c:
        stats = c("stats")
        same("the rows nobody touched are there", c.value("SELECT count(*) FROM item WHERE w = 99"), STILL)
    same("it ends in good order", d.stop(), 0)
    same("the file is sound", d.integrity(), "ok")
    for k in keepers:
        same("keeper %d: its %d writes are there" % (k.w, k.acked), k.judge(d.db), "")
    suite.note("%d kills, %d jobs (%d followed over a restart), %d writes, %d reads, %d backups, %d checkpoints" % (
        kills, changer.jobs, changer.resumed, sum(k.acked for k in keepers), sum(k.reads for k in keepers),
        len(backups), stats["checkpoints_total"]))
    suite.note("resident %.1f MiB, %d descriptors, log %.1f MiB" % (
        statistics.median(s[0] for s in last) / 1048576, statistics.median(s[1] for s in last),
        statistics.median(s[2] for s in last) / 1048576))


suite.run()
