#!/usr/bin/env python3
"""What systemd is told: the watchdog and the writer it looks at, progress, patience while starting and stopping."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import ctypes
import re
import signal

from daemon import Daemon
from limits import pause, scaled, until
from load import Load
from suite import Suite
from systemd import Systemd

suite = Suite(limit=80)
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
FEED = "WATCHDOG=1"
COUNT = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT %d) %s"


def started(watchdog_ms, **daemon):
    s = Systemd()
    d = Daemon(start=False, env=dict(s.env(), WATCHDOG_USEC=str(watchdog_ms * 1000)), **daemon)
    d.spawn()
    suite.check("READY=1", s.wait("READY=1"), s.lines)
    return s, d


class Stopped:
    """One thread of a daemon is held still, the others run on."""

    def __init__(self, d, name):
        self.tid = next(
            int(t)
            for t in os.listdir("/proc/%d/task" % d.process.pid)
            if open("/proc/%d/task/%s/comm" % (d.process.pid, t), encoding="ascii").read().strip() == name
        )
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]

    def ptrace(self, request):
        if self.libc.ptrace(request, self.tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        self.ptrace(PTRACE_SEIZE)
        self.ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.tid, WALL)
        return self

    def __exit__(self, *_):
        self.ptrace(PTRACE_DETACH)


@suite.section
def a_stuck_writer():
    s, d = started(400)
    suite.check("an idle daemon feeds the watchdog", s.wait(FEED, 5), s.lines)
    before = s.count(FEED)
    until("again and again", lambda: s.count(FEED) >= before + 4, 10)
    with d.client() as c:
        c.exec("CREATE TABLE t(x)")
        try:
            stopped = Stopped(d, "alterd-writer")
            stopped.__enter__()
        except PermissionError:
            s.close()
            return suite.skip("a stuck writer", "a thread of another process may not be stopped here (ptrace)")
        pause(0.5)  # what was under way
        before = s.count(FEED)
        suite.check("the loop lives", c("ping") == {} and c.value("SELECT count(*) FROM t") == 0)
        pause(1.5)
        suite.same("a writer that stands still: the watchdog is not fed", s.count(FEED) - before, 0)
        suite.check("though the loop lives", c("ping") == {} and c.value("SELECT count(*) FROM t") == 0)
        stopped.__exit__()
        until("once it moves again it is fed", lambda: s.count(FEED) >= before + 2, 5)
    suite.same("exit", d.stop(), 0)
    s.close()


@suite.section
def a_busy_writer():
    s, d = started(400, settings={"limits.write_time": "60s", "limits.tx_time": "60s", "limits.tx_idle": "60s"})
    c = d.client()
    c.exec("CREATE TABLE t(x)")
    n = 100_000
    while True:
        before = s.count(FEED)
        r = c.exec(COUNT % (n, "INSERT INTO t SELECT n FROM g WHERE n < 0"))
        if r["ms"] > 1500:
            break
        n *= 3
    suite.check("a long statement is no stuck writer", s.count(FEED) - before >= 3, (s.count(FEED) - before, r))
    c("begin")
    c.exec("INSERT INTO t VALUES(1)")
    before = s.count(FEED)
    pause(1.5)
    suite.check("nor is one that a transaction holds", s.count(FEED) - before >= 2, s.count(FEED) - before)
    c("rollback")
    suite.same("exit", d.stop(), 0)
    s.close()


@suite.section
def progress():
    s, d = started(400, settings={"migrate.duty": "5", "migrate.hold": "1ms", "migrate.batch_rows": "100"})
    with d.client() as c:
        c.exec("CREATE TABLE big(id INTEGER PRIMARY KEY, a TEXT)")
        c.exec(COUNT % (40_000, "INSERT INTO big SELECT n, n FROM g"))
        load = Load(d, lambda o, i: o.exec("UPDATE big SET a = ? WHERE id = 1", i)).started()
        job = c("migrate.alter", sql="ALTER TABLE big ALTER a TYPE INTEGER")["job"]
        line = re.compile(r"STATUS=version 0, %s big backfilling [0-9.]+%%, [0-9]+ rows/s, ETA [0-9]+ s$" % job)
        until("STATUS= tells version, percent and ETA", lambda: any(line.match(x) for x in s.heard()), 20)
        load.end()
        until("it ends", lambda: c("migrate.status")["job"]["state"] == "done", 20)
    s.lines.clear()
    until("then the version alone", lambda: "STATUS=version 0" in s.heard(), 5)
    suite.same("exit", d.stop(), 0)
    s.close()


@suite.section
def patience():
    s = Systemd()
    d = Daemon(start=False, env=s.env())
    os.mkdir(d.folder + "/m")
    with open(d.folder + "/m/1_t.sql", "w", encoding="utf-8") as f:
        f.write("CREATE TABLE t(x); CREATE TABLE u(x);\n")
        f.write(COUNT % (600_000, "INSERT INTO t SELECT n FROM g;\n") * 3)
    d.args += ["--set", "migrate.folder=" + d.folder + "/m", "--set", "migrate.on_start=up", "--set", "server.drain=10min"]
    d.spawn()
    suite.check("READY=1", s.wait("READY=1", 40), s.lines)
    ready = s.lines.index("READY=1")
    told = s.lines[:ready]
    suite.check("a fresh database is served once its files have run", "STATUS=migrating" in told, told)
    suite.check("patience is asked for meanwhile", "EXTEND_TIMEOUT_USEC=60000000" in told, told)
    suite.check("READY=1 once", s.count("READY=1") == 1, s.lines)
    with d.client() as c:
        suite.same("version", c("status")["version"], 1)
        c("begin")
        d.terminate()
        suite.check("STOPPING=1", s.wait("STOPPING=1"), s.lines)
        suite.check("with as much time as it may take", s.wait("EXTEND_TIMEOUT_USEC=660000000"), s.lines)
        until("STATUS= says so", lambda: "STATUS=stopping, version 1" in s.heard(), 5)
        c("rollback")
    suite.same("exit", d.wait(20), 0)
    s.close()


@suite.section
def reload():
    s = Systemd()
    d = Daemon(config="[server]\npage_rows = 10\n[store]\nreaders = 2\n", start=False, env=s.env())
    d.spawn()
    suite.check("READY=1", s.wait("READY=1"), s.lines)
    with open(d.folder + "/alterd.conf", "w", encoding="utf-8") as f:
        f.write("[server]\npage_rows = 20\n[store]\nreaders = 3\n")
    s.lines.clear()
    d.process.send_signal(signal.SIGHUP)
    suite.check("READY=1 after a reload", s.wait("READY=1"), s.lines)
    told = " ".join(x for x in s.lines if not x.startswith("STATUS="))
    suite.check(
        "RELOADING=1 with its time before it", re.match(r"RELOADING=1 MONOTONIC_USEC=[1-9][0-9]* READY=1", told), s.lines
    )
    suite.check(
        "what needs a restart is in the log by then",
        re.search(r"reload: taken \[\"server.page_rows\"\], waiting for a restart \[\"store.readers\"\]", d.log()),
        d.log(),
    )
    with d.client() as c:
        r = c.query("SELECT name FROM pragma_function_list")
        suite.same("and what does not is in force", len(r["rows"]), 20)
    s.lines.clear()
    with open(d.folder + "/alterd.conf", "w", encoding="utf-8") as f:
        f.write("[server]\npage_rows = none\n")
    d.process.send_signal(signal.SIGHUP)
    suite.check("READY=1 after one that failed, too", s.wait("READY=1") and "RELOADING=1" in s.lines, s.lines)
    suite.check("with its reason in the log", "alterd.conf:2" in d.log(), d.log())
    suite.same("exit", d.stop(), 0)
    s.close()


suite.run()
