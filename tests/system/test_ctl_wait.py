#!/usr/bin/env python3
"""alterctl events and alterctl wait: what is told, how they end, and who waits for what."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import atexit
import json
import signal
import subprocess

from daemon import Daemon, program
from limits import fewer, scaled, until
from suite import Suite

suite = Suite()
d = Daemon()
c = d.client()
c("batch", script="CREATE TABLE user(id INTEGER PRIMARY KEY, v); CREATE TABLE other(x)")
FILES = [
    {"name": "0001_a.sql", "sql": "-- migrate:up\nCREATE TABLE a(x);\n-- migrate:down\nDROP TABLE a;\n"},
    {"name": "0002_b.sql", "sql": "-- migrate:up\nCREATE TABLE b(x);\n-- migrate:down\nDROP TABLE b;\n"},
]


class Ctl:
    """alterctl beside the test; its stderr tells when it listens, but with --json, which says nothing but JSON."""

    def __init__(self, *args, socket=None):
        self.p = subprocess.Popen(
            [program("alterctl"), "--socket", socket or d.socket, *args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self.p.kill)  # none outlives a test that went wrong

    def listening(self):
        if "--json" in self.p.args:
            until("it listens", lambda: c("stats")["subscriptions"] == 1)
        else:
            suite.same("it listens", self.p.stderr.readline(), "listening; Ctrl-C ends it\n")
        return self

    def end(self, seconds=10):
        out, err = self.p.communicate(timeout=scaled(seconds))
        return self.p.returncode, out, err


@suite.section
def events():
    e = Ctl("events", "--count", "2", "changes").listening()
    c.exec("INSERT INTO user(v) VALUES(1), (2)")
    c.exec("REPLACE INTO user VALUES(1, 3)")
    code, out, _ = e.end()
    lines = out.splitlines()
    suite.same("ends after its number", (code, len(lines)), (0, 2))
    suite.check("a line each", [line.split("  ", 1)[1] for line in lines] == [
        "changes    commit    user +2 ~0 -0", "changes    commit    user +1 ~0 -1"], lines)
    e = Ctl("--json", "events", "--table", "other", "--count", "1").listening()
    c.exec("INSERT INTO user(v) VALUES(4)")
    c.exec("DELETE FROM other")
    c.exec("INSERT INTO other VALUES(1)")
    code, out, _ = e.end()
    got = json.loads(out)
    suite.same("the protocol's object", (code, sorted(got), got["topic"], got["type"], got["data"]),
               (0, ["data", "seq", "subscription", "time", "topic", "type"], "changes", "commit",
                {"tables": {"other": {"insert": 1, "update": 0, "delete": 0}}, "lost": 0}))
    e = Ctl("events").listening()
    c("migrate.alter", sql="CREATE TABLE made(x)", wait=True)
    c.exec("INSERT INTO made VALUES(1)")
    seen = []
    while not any("changes" in line for line in seen):
        seen.append(e.p.stdout.readline())
    e.p.send_signal(signal.SIGINT)
    suite.same("Ctrl-C ends it well", e.end()[0], 0)
    suite.check("without a topic: migration, schema, changes",
                any("migration  done" in line and "job=m" in line for line in seen)
                and any("schema     changed" in line and "tables=made" in line for line in seen), seen)
    r = d.ctl("events", "--count", "1", "--timeout", "0.3", "schema")
    suite.same("75 when the time is up before", (r.returncode, r.stdout), (75, ""))
    r = d.ctl("events", "--timeout", "0.2", "schema")
    suite.same("without a number it had its time", r.returncode, 0)
    for args, code, text in (
        (["events", "schemas"], 2, "did you mean schema"),
        (["events", "weather"], 2, "there are migration"),
        (["events", "--count", "0"], 2, "--count takes a number from 1"),
        (["events", "--table", "t", "schema"], 1, "INVALID_PARAMS"),
        (["status", "--table", "t"], 2, "does not take --table"),
        (["wait", "--for", "rain"], 2, "--for takes ready, idle or version=NUMBER"),
        (["wait", "--for", "version=x"], 2, "--for takes"),
        (["wait", "now"], 2, "too many arguments"),
    ):
        r = d.ctl(*args)
        suite.check(" ".join(args), r.returncode == code and text in r.stderr, (r.returncode, r.stderr))


@suite.section
def waiting():
    f = Daemon()
    c = f.client()
    suite.same("ready at once", f.ctl("wait").returncode, 0)
    r = f.ctl("--json", "wait", "--for", "version=0")
    suite.same("a version that is there", (r.returncode, json.loads(r.stdout)), (0, {"for": "version=0", "version": 0}))
    r = f.ctl("wait", "--for", "version=1", "--timeout", "0.3")
    suite.check("75 when the time is up", r.returncode == 75 and "not version=1 within 0.3 s" in r.stderr, r)
    w = Ctl("--json", "wait", "--for", "version=2", socket=f.socket)
    until("it is subscribed", lambda: c("stats")["subscriptions"] == 1)
    requests = c("stats")["requests_total"]
    c("migrate.up", files=FILES, steps=1, wait=True)
    suite.same("version 1 is not enough", w.p.poll(), None)
    suite.check("it does not ask again and again", c("stats")["requests_total"] - requests < 5)
    c("migrate.up", files=FILES, wait=True)
    code, out, _ = w.end()
    suite.same("told of version 2", (code, json.loads(out)["version"]), (0, 2))

    c.exec("CREATE TABLE big(id INTEGER PRIMARY KEY, v)")
    c.exec("INSERT INTO big(v) WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT %d) SELECT n FROM g"
           % fewer(20000))
    suite.same("idle", f.ctl("wait", "--for", "idle").returncode, 0)
    c("migrate.alter", sql="ALTER TABLE big ALTER v TYPE TEXT", postpone_cutover=True)
    c("migrate.alter", sql="CREATE TABLE behind_it(x)")
    w = Ctl("wait", "--for", "idle", socket=f.socket)
    until("it is subscribed", lambda: c("stats")["subscriptions"] == 1)
    r = f.ctl("wait", "--for", "idle", "--timeout", "0.2")
    suite.same("not while a job waits for its cutover", r.returncode, 75)
    c("migrate.cutover")
    suite.same("and not before the one behind it is done", w.end(20)[0], 0)
    suite.check("which it is", c.value("SELECT count(*) FROM sqlite_schema WHERE name = 'behind_it'") == 1)


@suite.section
def for_a_daemon_to_come():
    late = Daemon(start=False)
    r = subprocess.run([program("alterctl"), "--socket", late.socket, "wait", "--timeout", "0.2"],
                       capture_output=True, text=True, check=False)
    suite.check("75, not 69", r.returncode == 75 and "not ready within 0.2 s" in r.stderr, r)
    ready = Ctl("wait", socket=late.socket)
    version = Ctl("wait", "--for", "version=1", socket=late.socket)
    late.start()
    suite.same("ready once the socket is there", ready.end()[0], 0)
    w = late.client()
    until("the other is subscribed", lambda: w("stats")["subscriptions"] == 1)
    w.close()
    late.restart()
    w = late.client()
    until("and again after a restart", lambda: w("stats")["subscriptions"] == 1)
    w("migrate.up", files=FILES, steps=1, wait=True)
    suite.same("until the version comes", version.end()[0], 0)
    listener = Ctl("events", "schema", socket=late.socket)
    suite.same("who listens", listener.p.stderr.readline(), "listening; Ctrl-C ends it\n")
    late.stop()
    suite.same("is told when the daemon goes", listener.end()[0], 69)


suite.run()
