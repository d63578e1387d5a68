#!/usr/bin/env python3
"""Dies at each fault point in turn, then starts again without the fault: nothing acknowledged may be lost.

Needs a build with -DALTERD_FAULTS=ON. The fault points are found by reading the sources, so that a new one is swept
without being listed here: each FAULT(".."), the beginning, commits and end of the steps of each phase, and what stands
between SQLite and the machine. Each point is tried at its first, second and fifth hit (a point that is hit less often
is passed over); where the daemon does not die it must live on, or end a job as failed.

    sweep.py [--source DIR] [--points a,b] [--actions kill,fail] [--rows N] [--seconds N [--seed N]]

With --seconds it takes cases by the toss of a coin for that long. steps.c does the same inside one process, with
every n; here it is the real daemon, with four processes' worth of load.
"""
import argparse
import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from kill9 import CHANGE, NEW, OLD
from limits import first_seed, pause, until
from owner import Owner, seed
from suite import Suite
from wire import RpcError

here = os.path.dirname(os.path.realpath(__file__))
options = argparse.ArgumentParser()
options.add_argument("--source", default=os.path.join(here, "..", ".."))
options.add_argument("--points", default="")
options.add_argument("--actions", default="kill,fail")
options.add_argument("--nth", default="1,2,5")
options.add_argument("--rows", type=int, default=6000)
options.add_argument("--seconds", type=float, default=0)
options.add_argument("--seed", type=int, default=first_seed())
options = options.parse_args()
sys.argv = sys.argv[:1]
suite = Suite(limit=1500)


def points():
    found = set()
    for top in ("daemon", "config"):
        for folder, _, files in os.walk(os.path.join(options.source, top)):
            for name in files:
                if name.endswith(".c"):
                    with open(os.path.join(folder, name), encoding="utf-8") as f:
                        found |= set(re.findall(r'FAULT\("([^"]+)"\)', f.read()))
    wanted = [p for p in options.points.split(",") if p]
    return sorted(p for p in found if not wanted or p in wanted)


def phase_points():
    """The steps of each phase: stepper.c makes the names."""
    with open(os.path.join(options.source, "daemon", "migrate", "record.h"), encoding="utf-8") as f:
        text = f.read()
    phases = re.findall(r'X\([A-Z_]+, "([a-z_]+)", "[a-z]+"\)', text)
    wanted = [p for p in options.points.split(",") if p]
    found = [p + "-" + place for p in phases if p != "end" for place in ("enter", "commit", "committed", "leave")]
    return [p for p in found if not wanted or p in wanted]


def machine_cases():
    """(point, action, range): a disk that is full or broken for a while, a torn write, a power cut, little memory."""
    wanted = [p for p in options.points.split(",") if p]
    for scope in ("step-", ""):
        for n in (1, 7, 60, 400, 1500):
            for point, actions in (
                ("write", ("full", "fail", "torn", "power")),
                ("sync", ("fail", "power")),
                ("read", ("fail",)),
                ("alloc", ("fail",)),
            ):
                for action in actions:
                    if not wanted or scope + point in wanted:
                        width = 3 if action in ("full", "fail") else 1
                        # Memory is asked for a hundred times as often.
                        first = n * 40 if point == "alloc" else n
                        yield scope + point, action, "%d-%d" % (first, first + width - 1)


def job_of(d):
    try:
        with d.client() as c:
            return c("migrate.status")["job"]
    except (OSError, RpcError):
        return None


def over(j):
    return j if j and j["state"] in ("done", "failed", "aborted") else None


def compare(what, d, owners):
    """The file of a daemon that is gone, in whichever schema it is."""
    suite.same(what + ": integrity", d.integrity(), "ok")
    with d.file() as f:
        swapped = "old" not in [r[1] for r in f.execute("PRAGMA table_info(big)")]
        for o in owners:
            rows = f.execute(
                "SELECT %s FROM big WHERE w = ? ORDER BY id" % ("id, w, amount, note, u, currency" if swapped else OLD),
                (o.w,),
            ).fetchall()
            wrong = o.settle(rows, NEW if swapped else OLD)
            suite.check("%s: owner %d" % (what, o.w), not wrong, wrong)
        left = [r[0] for r in f.execute("SELECT name FROM sqlite_schema WHERE name LIKE '%big%'")]
    f.close()
    return swapped, left


def one(point, action, nth):
    """True if the point was hit."""
    what = "%s:%s:%s" % (point, action, nth)
    deadly = action in ("kill", "torn", "power")
    d = Daemon(settings={"migrate.batch_rows": "1000"})
    with d.client() as c:
        seed(c, options.rows)
    d.stop()
    d.env = dict(os.environ, ALTERD_FAULT=what)
    owners = [Owner(d, w, options.rows, options.seed % 1000, every=0.003, patient=True) for w in range(3)]
    d.forgiven = True
    d.spawn()
    try:
        until("it starts or dies", lambda: not d.alive() or d.answers(), 20)
    except RuntimeError:
        pass
    if d.alive():
        for o in owners:
            o.start()
        try:
            with d.client() as c:
                c("migrate.alter", sql=CHANGE, allow_data_loss=True)
                held = c.query("SELECT id FROM big", page_rows=5)
                c("fetch", cursor=held["cursor"])
        except (OSError, RpcError) as e:
            suite.note("%s: alter: %s" % (what, e))
        try:
            until("the change ends or the daemon dies", lambda: not d.alive() or over(job_of(d)), 20, every=0.02)
        except AssertionError as e:
            suite.note("%s: %s" % (what, e))
    if d.alive():
        d.terminate()  # there are points on the way out as well
        d.wait(20)
    died = d.process.returncode == -signal.SIGKILL
    for o in owners:
        if o.is_alive() or o.ident:
            o.end()
    hit = died if deadly else "fault" in d.log().lower() or d.process.returncode != 0
    if deadly and not died:
        suite.check(what + ": not hit, left in good order", d.process.returncode == 0, d.process.returncode)
        return False
    if not deadly:
        suite.check(
            what + ": a failure does not kill it", d.process.returncode in (0, 70, 71, 74), d.process.returncode
        )
        bad = [e for o in owners for e in o.errors]
        if bad:
            suite.note("%s: clients saw %s" % (what, bad[:1]))
        for o in owners:
            # An answer that was an error means the operation did not happen; the file must say so too. But a commit
            # whose sync failed may be found after a restart.
            if o.errors and "-" not in str(nth):
                o.unsure = []
    compare(what, d, owners)
    d.env = dict(os.environ)
    d.start()
    owners = [o.again() for o in owners]
    for o in owners:
        o.errors = []
        o.start()
    job = job_of(d)
    if job:
        job = until("the change ends", lambda: over(job_of(d)), 40, every=0.05)
        suite.check(what + ": the change is over: %s" % job["state"], job["state"] == "done" or not deadly, job)
    pause(0.05)
    for o in owners:
        o.end()
    bad = [e for o in owners for e in o.errors]
    suite.check(what + ": no client failed afterwards", not bad, bad[:2])
    d.forgiven = False
    suite.same(what + ": exit", d.stop(), 0)
    swapped, left = compare(what + ", in the end", d, owners)
    suite.same(what + ": no shadow is left", [n for n in left if not n.startswith("sqlite_")], ["big", "big_w"])
    if job:
        suite.same(what + ": schema and job agree", swapped, job["state"] == "done")
    return hit


def some(names):
    """Cases by chance, for a while. A kill at a phase's point comes up as often as all that the machine does."""
    suite.note("--seed %d" % options.seed)
    rng = random.Random(options.seed)
    end, machine = time.monotonic() + options.seconds, list(machine_cases())
    while time.monotonic() < end:
        if rng.random() < 0.5:
            one(*rng.choice(machine))
        else:
            one(rng.choice(names), rng.choice(["kill", "kill", "fail"]), rng.choice([1, 2, 5]))


@suite.section
def sweep():
    names = points() + phase_points()
    suite.check("there are fault points", names, options.source)
    if options.seconds:
        some(names)
        return
    never = []
    for action in options.actions.split(","):
        for point in names:
            hit = False
            for nth in (int(n) for n in options.nth.split(",")):
                t = time.monotonic()
                if not one(point, action, nth):
                    break
                hit = True
                suite.note("%s:%s:%d took %.1f s" % (point, action, nth, time.monotonic() - t))
            if not hit and action == "kill":
                never.append(point)
    suite.note("%d points, never hit: %s" % (len(names), never))
    if "fail" in options.actions and "kill" in options.actions:
        for case in machine_cases():
            one(*case)


suite.run()
