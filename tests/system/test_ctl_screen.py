#!/usr/bin/env python3
"""alterctl status --watch in a real terminal: what is on its screen while a change runs, its keys, and every way out."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import re
import signal
import subprocess

from daemon import Daemon, program
from limits import until
from load import Load
from owner import seed
from suite import Suite
from terminal import Tmux

suite = Suite(limit=100)
BAR = r"^\[([█▌]*)·*\] +([\d.]+)%$"


def pid_of(d):
    """Of the one alterctl that watches this daemon."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/cmdline" % name, "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if words[0] == program("alterctl").encode() and d.socket.encode() in words:
                return int(name)
    return None


def watch(t, d, *more):
    t.line(" ".join(["clear; echo what was;", program("alterctl"), "--socket", d.socket, "status", "--watch", "--interval", "0.2", *more]))
    return t.until("the screen", r"(?s)^alterd .*q quit")


def closed(t, what, last="$"):
    """The shell has its screen and its cursor again."""
    until("the screen is given back: " + what, lambda: t.look("alternate_on") == "0", every=0.05)
    suite.same(what + ": the cursor is back", t.look("cursor_flag"), "1")
    until("a prompt", lambda: t.screen().rstrip().endswith("$"), every=0.05)
    t.line("stty -a | grep -o -e '-*icanon' -e ' -*echo '")
    seen = t.until(what + ": and the shell", r"(?m)^(\$ )?-*icanon\n -*echo")
    suite.check(what + ": keys are as they were", re.search(r"(?m)^(\$ )?icanon\n echo", seen), seen)


def slow(rows):
    """A daemon in which a change takes its time, a client that writes, and the change."""
    d = Daemon(settings={"migrate.duty": "1", "migrate.batch_rows": "10", "migrate.hold": "1ms"})
    c = d.client()
    seed(c, rows)
    load = Load(d, lambda k, i: k.exec("UPDATE big SET amount = amount WHERE id = 1"), pause=0.005).started()
    return d, c, load


def percent(seen):
    found = re.search(BAR, seen, re.M)
    return float(found[2]) if found else -1.0


@suite.section
def on_screen():
    d, c, load = slow(12_000)
    t = Tmux(80, 24)
    try:
        seen = watch(t, d)
        suite.check("before there was one", "no migration has run yet" in seen and t.look("alternate_on") == "1", seen)
        t.until("the clients", r"statements/s +\d+ +\d+ +[▁-█]")
        c("migrate.alter", sql="ALTER TABLE big ALTER amount TYPE REAL")
        seen = t.until("the bar", BAR.replace("^", "(?m)^") + r"\n[\d.]+k?/~?12k rows   [\d.]+k? rows/s   ETA \d+[smh].*   \d+[smh].* so far")
        suite.check("the job and what it does", "m1 alter  copying big" in seen, seen)
        suite.check("version and pending", re.search(r"^alterd  \S+   version 0   pending 0$", seen, re.M), seen)
        suite.check("the foot in the last row", seen.rstrip("\n").split("\n")[-1].startswith("q quit  p pause") and
                    len(seen.rstrip("\n").split("\n")) == 24, seen)
        t.until("why it waits", r"throttled: clients are writing")
        for label in ("statements/s", "errors/s", "wait p50", "wait p99", "wait longest"):
            suite.check("a graph of " + label, re.search(r"^%s .*[▁-█]{1,48}$" % label, seen, re.M), seen)
        suite.check("queue, log and size", re.search(r"^queue \d+   wal [\d.]+ [KM]iB   db ", seen, re.M), seen)
        before = percent(seen)
        until("the bar moves", lambda: percent(t.screen()) > before + 1, every=0.05)
        for columns, rows, needs in (
            (60, 15, ("m1 alter", "statements/s", "errors/s", "wait p50", "wait p99", "wait longest", "q quit")),
            (40, 10, ("m1 alter", "statements/s", "wait p99", "wait longest", "q quit")),
            (20, 4, ("m1 alter", "q quit")),
            (100, 30, ("m1 alter", "reads p99", "clients", "q quit")),
        ):
            t.resize(columns, rows)

            seen = [""]

            def fits():
                seen[0] = t.screen()
                lines, bar = seen[0].rstrip("\n").split("\n"), re.search(BAR, seen[0], re.M)
                return (len(lines) == rows and lines[-1].startswith("q quit") and max(map(len, lines)) <= columns and
                        bar and len(bar[0]) <= columns and all(x in seen[0] for x in needs))

            try:
                until("drawn anew", fits, every=0.05)
            except AssertionError:
                pass
            suite.check("%dx%d: the bar and what matters" % (columns, rows), fits(), seen[0])
        t.resize(80, 24)
        t.key("p")
        t.until("asks", r"Pause m1 alter\?  y/n")
        t.key("n")
        t.until("no: the keys again", r"q quit  p pause")
        suite.same("nothing was done", c("migrate.status")["job"]["state"], "running")
        t.key("p")
        t.until("asks again", r"y/n")
        t.key("y")
        seen = t.until("paused", r"(?m)^paused$")
        suite.same("in the daemon", c("migrate.status")["job"]["state"], "paused")
        t.until("r is offered", r"q quit  r resume")
        t.key("r")
        t.until("asks", r"Resume m1 alter\?  y/n")
        t.key("y")
        # In force at once, but only what was answered survives a kill.
        t.until("it goes on", r"goes on")
        suite.same("it does", c("migrate.status")["job"]["state"], "running")
        load.end()
        d.kill()
        t.until("the daemon is gone", r"(?m)^reconnecting \.\.\.  ")
        d.start()
        seen = t.until("and back", r"(?m)^running   up \d+s")
        suite.check("with its job", "m1 alter" in seen, seen)
        t.until("its end", r"m1 alter  done  big   took [\d.]+", 40)
        t.key("q")
        closed(t, "q")
        suite.check("and what stood there", t.screen().startswith("what was\n") and "statements/s" not in t.screen(), t.screen())
    finally:
        t.end()


@suite.section
def ways_out():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE t(x)")
    t = Tmux(80, 24)
    try:
        watch(t, d)
        t.key("C-c")
        closed(t, "Ctrl-C")
        for name in ("TERM", "HUP"):
            watch(t, d)
            os.kill(pid_of(d), getattr(signal, "SIG" + name))
            closed(t, "SIG" + name)
        watch(t, d)
        t.key("C-z")
        closed(t, "Ctrl-Z")
        t.line("fg")
        t.until("it is there again", r"(?s)^alterd .*q quit")
        suite.same("as a screen", t.look("alternate_on"), "1")
        t.key("q")
        closed(t, "q after Ctrl-Z")
        t.line("clear; TERM=dumb %s --socket %s status --watch --interval 0.2" % (program("alterctl"), d.socket))
        seen = t.until("TERM=dumb: lines", r"(?m)^\d\d:\d\d:\d\d  version 0(.|\n)*\n\d\d:\d\d:\d\d  version 0")
        suite.same("no screen", t.look("alternate_on"), "0")
        t.key("C-c")
        t.until("ends", r"(?m)^\$ *$|\^C")
    finally:
        t.end()


@suite.section
def plain():
    """A locale that is not UTF-8, and no colours."""
    d, c, load = slow(10_000)
    t = Tmux(80, 24, env={"LC_ALL": "C", "NO_COLOR": "1"})
    try:
        c("migrate.alter", sql="ALTER TABLE big ALTER amount TYPE REAL")
        t.line("export NO_COLOR=1")
        watch(t, d)
        seen = t.until("the bar in ASCII", r"(?m)^\[#+-*\] +[\d.]+%$")
        suite.check("all of it", seen.isascii(), seen)
        t.until("the graph", r"(?m)^statements/s +\d+ +\d+ +[_.:=+*#-]+$")
        raw = t.tmux("capture-pane", "-p", "-e", "-t", "t")
        suite.check("no colours", "\x1b[3" not in raw and "\x1b[1m" not in raw, raw)
        d.stop()
        t.until("gone", r"(?m)^reconnecting")
        t.key("q")
        closed(t, "q while it is gone")
    finally:
        load.end()
        t.end()


@suite.section
def refused():
    r = subprocess.run([program("alterctl"), "--socket", "/nowhere", "status", "--watch"], stdin=subprocess.DEVNULL,
                       capture_output=True, text=True, timeout=30, check=False)
    suite.check("nobody there from the beginning: 69, and no screen", r.returncode == 69 and "\x1b" not in r.stdout, r)


if shutil.which("tmux"):
    suite.run()
else:
    print("tmux is not installed")
    sys.exit(1)
