#!/usr/bin/env python3
"""A version that runs without a transaction, killed at each commit of its pieces: none runs twice, none is left out.

Needs a build with -DALTERD_FAULTS=ON. Every point is tried at its first hit, its second, and so on, until it is hit no
more; with --seconds N it stops after that time.
"""
import argparse
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from limits import scaled, until
from suite import Suite
from wire import RpcError

options = argparse.ArgumentParser()
options.add_argument("--seconds", type=float, default=600)
options = options.parse_args()
sys.argv = sys.argv[:1]
suite = Suite(limit=900)

POINTS = (
    "exact-commit exact-committed exact-leave instant-committed swap-committed retire-committed adopt-committed plan-leave"
    " save-committed"
).split()
SQL = [
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER)",
    "INSERT INTO t(v) VALUES(0),(0),(0)",
    "UPDATE t SET v=v+1",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "INSERT INTO t(v) VALUES(5)",
    "BEGIN",
    "INSERT INTO t(v) VALUES(6)",
    "CREATE TEMP TABLE q(x)",
    "COMMIT",
    "CREATE INDEX i ON t(v)",
    "ALTER TABLE t ADD c",
    "BEGIN",
    "CREATE TABLE u(x TEXT)",
    "ALTER TABLE u ALTER x SET COLLATE NOCASE",
    "ALTER TABLE t ALTER c TYPE TEXT",
    "COMMIT",
    "INSERT INTO t(v) VALUES(7)",
]
FILES = [{"name": "1_a.sql", "sql": "-- migrate:up transaction:false\n%s;\n" % ";\n".join(SQL)}]


def run_into(d):
    """True if the daemon dies of it."""
    try:
        with d.client() as c:
            c("migrate.up", files=FILES, wait=True)
        return False
    except (OSError, RpcError):
        pass
    try:
        d.process.wait(scaled(5))
        return True
    except subprocess.TimeoutExpired:
        return False


@suite.section
def each_commit():
    end, cases = time.monotonic() + options.seconds, 0
    for point in POINTS:
        for n in range(1, 30):
            if time.monotonic() > end:
                return
            d = Daemon(env={"ALTERD_FAULT": "%s:kill:%d" % (point, n)})
            if not run_into(d):
                d.finish()
                break
            cases += 1
            del d.env["ALTERD_FAULT"]
            d.start()
            with d.client() as c:
                if c("migrate.status")["job"] is None:
                    c("migrate.up", files=FILES)
                until("the end", lambda: c("migrate.status")["job"]["state"] not in ("running", "queued"))
                status = c("migrate.status")
                suite.same("%s:%d: it ends" % (point, n), (status["version"], status["job"]["state"], status["problems"]),
                           (1, "done", []))
                suite.same("each statement once", c.rows("SELECT id, v FROM t"),
                           [[1, "1"], [2, "1"], [3, "1"], [4, "5"], [5, "6"], [6, "7"]])
                suite.same("one line in the history", c.value("SELECT count(*) FROM alterd_migrations"), 1)
                suite.same("the job tells of it", c("migrate.history")["history"][-1]["version"], 1)
            suite.same("it ends well", d.stop(), 0)
            suite.same("integrity", d.integrity(), "ok")
            d.finish()
    suite.check("there were some", cases > 20, cases)


suite.run()
