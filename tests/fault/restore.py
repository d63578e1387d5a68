#!/usr/bin/env python3
"""kill -9 at the places where a backup or a restore could leave something half done. Needs a build with fault points."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import signal
import sqlite3
import subprocess

from daemon import Daemon, program
from limits import scaled, until
from suite import Suite
from wire import Closed

suite = Suite(limit=120)
check, same = suite.check, suite.same


def restore(d, backup, fault=None):
    return subprocess.run(
        [program("alterd"), "--restore", backup, "--database", d.db],
        env=dict(os.environ, ALTERD_FAULT=fault or ""),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=scaled(60),
        check=False,
    ).returncode


def rows(path):
    plain = sqlite3.connect(path)
    got = [r[0] for r in plain.execute("SELECT a FROM t ORDER BY a")]
    sound = plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    plain.close()
    return got if sound else "not sound"


def cut_short(point, meanwhile):
    """A restore that dies there, over a database whose last commit is in its log alone."""
    d = Daemon()
    c = d.client()
    c.exec("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    c.exec("INSERT INTO t VALUES(1)")
    backup = c("backup", name="b.db")["path"]
    d.restart()
    d.client().exec("INSERT INTO t VALUES(2)")
    d.kill()
    same("%s: it dies there" % point, restore(d, backup, point + ":kill"), -signal.SIGKILL)
    kept = [f for f in os.listdir(d.folder) if ".before-restore-" in f and not f.endswith(("-wal", "-shm"))]
    same("%s: one file is kept" % point, len(kept), 1)
    check("%s: its log is kept with it" % point, os.path.exists(os.path.join(d.folder, kept[0] + "-wal")))
    d.start()
    same("%s: what a daemon finds" % point, [r[0] for r in d.client().rows("SELECT a FROM t ORDER BY a")], meanwhile)
    d.stop()
    same("%s: run again it is done" % point, restore(d, backup), 0)
    d.start()
    same("%s: and serves the backup" % point, d.client().rows("SELECT a FROM t"), [[1]])
    check("%s: no copy is left" % point, not os.path.exists(d.db + ".alterd-restore"))
    d.stop()
    return d, os.path.join(d.folder, kept[0])


@suite.section
def restoring():
    cut_short("restore-kept", [1, 2])
    d, kept = cut_short("restore-bare", [1])
    check("what was acknowledged is in what was kept", 2 in rows(kept), rows(kept))
    d.finish()


@suite.section
def making():
    for point in ("backup-slice", "backup-made"):
        d = Daemon(env={"ALTERD_FAULT": point + ":kill"})
        c = d.client()
        c.exec("CREATE TABLE t(a)")
        for _ in range(40):
            c.exec("INSERT INTO t VALUES(randomblob(20000))")
        try:
            c("backup", name="b.db")
            check("%s: it dies there" % point, False)
        except (Closed, ConnectionResetError):
            until("%s: it dies there" % point, lambda: not d.alive())
        folder = os.path.join(d.folder, "backups")
        same("%s: a part is left" % point, os.listdir(folder), [".b.db.part"])
        d.env.pop("ALTERD_FAULT")
        d.start()
        same("%s: until the next start" % point, os.listdir(folder), [])
        path = d.client()("backup", name="b.db")["path"]
        check("%s: which makes it" % point, len(rows(path)) == 40)


# The time that others are given is no matter here.
sys.argv = [a for a in sys.argv if not a.startswith("--") and not a.isdigit()]
suite.run()
