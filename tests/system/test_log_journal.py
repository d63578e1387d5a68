#!/usr/bin/env python3
"""The log: the journal's native protocol against a journal of the test's own, JSON lines, and standard error where there is none."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import atexit
import json
import re
import shutil
import socket
import struct
import tempfile
import threading

from daemon import Daemon, program
from limits import scaled, until
from suite import Suite

suite = Suite()
ROOT = os.environ.get("ALTERD_SOURCE_DIR", os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))


def parsed(data):
    """An entry of the native protocol as a dict; what does not hold to it is an error."""
    out = {}
    while data:
        name, sign, rest = re.match(rb"([A-Z_][A-Z0-9_]*)([=\n])", data), None, None
        assert name, data
        key, sign, data = name[1].decode(), name[2], data[name.end() :]
        if sign == b"=":
            value, end, data = data.partition(b"\n")
            assert end, "no end of " + key
        else:
            (n,) = struct.unpack("<Q", data[:8])
            value, end, data = data[8 : 8 + n], data[8 + n : 9 + n], data[9 + n :]
            assert len(value) == n and end == b"\n", "length of " + key
        assert key not in out, key + " twice"
        out[key] = value.decode()
    return out


class Journal(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        folder = tempfile.mkdtemp(prefix="alterd-t-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.path = os.path.join(folder, "journal")
        self.entries, self.bad, self.files = [], [], 0
        self.open()
        self.start()

    def open(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)

    def run(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.sock, 1 << 20, 1)
            try:
                for fd in fds:
                    self.files += 1
                    data = os.pread(fd, os.fstat(fd).st_size, 0)
                    os.close(fd)
                if data == b"end":
                    return
                self.entries.append(parsed(data))
            except AssertionError as e:
                self.bad.append(e)

    def end(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b"end", self.path)
        self.join(scaled(10))
        self.sock.close()
        os.unlink(self.path)

    def find(self, text):
        return until("the journal has %r" % text, lambda: [e for e in self.entries if text in e["MESSAGE"]], 10)[0]


def ids():
    """MESSAGE_IDs by their event, out of the table."""
    with open(os.path.join(ROOT, "daemon", "lib", "log_events.h"), encoding="ascii") as f:
        return dict(re.findall(r'X\((\w+), "([0-9a-f]{32})"', f.read()))


ID = ids()


@suite.section
def entries():
    j = Journal()
    d = Daemon(settings={"log.format": "journal", "log.journal": j.path, "log.slow": "10ms"})
    e = j.find("serves")
    suite.same("of the start", (e["PRIORITY"], e["MESSAGE_ID"], e["ALTERD_ROOM"]), ("6", ID["STARTED"], "server"))
    suite.same("who speaks", e["SYSLOG_IDENTIFIER"], "alterd")
    suite.check(
        "where in the code",
        e["CODE_FILE"] == "daemon/server/server.c" and int(e["CODE_LINE"]) > 0 and "ALTERD_JOB" not in e,
        e,
    )
    with d.client() as c, d.client() as o:
        session = c("hello")["session"]
        c.exec('CREATE TABLE "two\nlines"(x)')
        c("migrate.alter", sql='ALTER TABLE "two\nlines" ALTER x TYPE TEXT', wait=True)
        e = j.find("swapped in")
        suite.same(
            "of a job",
            (e["MESSAGE_ID"], e["ALTERD_JOB"], e["ALTERD_TABLE"]),
            (ID["SWAPPED"], "m1", "two\nlines"),
        )
        suite.check("its text has the line end as well", "m1 two\nlines: swapped" in e["MESSAGE"], e)
        suite.same("of its end", j.find(": done")["MESSAGE_ID"], ID["JOB_ENDED"])
        c("migrate.baseline", version=6)
        c("migrate.up", files=[{"name": "0007_seven.sql", "sql": "-- migrate:up\nCREATE TABLE seven(x);\n"}], wait=True)
        until("a version is named", lambda: [e for e in j.entries if e.get("ALTERD_VERSION") == "7"])
        c.query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000) SELECT count(*) FROM c")
        e = j.find("slow statement")
        suite.same(
            "of a slow statement", (e["PRIORITY"], e["MESSAGE_ID"], e["ALTERD_SESSION"]), ("4", ID["SLOW_STATEMENT"], session)
        )
        victim = o("hello")["session"]
        c("kill", session=victim)
        e = j.find("killed")
        suite.same("of a kill", (e["MESSAGE_ID"], e["ALTERD_SESSION"]), (ID["SESSION_KILLED"], victim))
        c("config.reload")
        suite.same("of a reload", j.find("reload: taken")["MESSAGE_ID"], ID["RELOADED"])
        suite.same("nothing on standard error", d.log(), "")
        suite.same("all went well", (j.bad, c("stats")["log_fallbacks_total"]), ([], 0))
        # The journal goes: the log does not.
        j.end()
        c("config.reload")
        until("standard error has it", lambda: "reload: taken" in d.log())
        suite.check("counted", c("stats")["log_fallbacks_total"] > 0, "")
        suite.check("as a line of text", re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z info    server: reload", d.log()), d.log())
        # And comes again.
        j.open()
        threading.Thread(target=j.run, daemon=True).start()
        n = len(j.entries)
        c("config.reload")
        until("the journal has it again", lambda: len(j.entries) > n)
    d.stop()
    suite.same("of the end", j.find("stopped")["MESSAGE_ID"], ID["STOPPED"])


@suite.section
def no_journal():
    d = Daemon(settings={"log.format": "journal", "log.journal": "/nonexistent/socket"})
    suite.check("it says so, and goes on", "cannot be used" in d.log() and "serves" in d.log(), d.log())
    d = Daemon(settings={"log.format": "auto"})
    suite.check("auto without a journal is text", re.match(r"\d{4}-.*Z info    server: alterd", d.log()), d.log())


@suite.section
def auto_with_a_journal():
    j = Journal()
    d = Daemon(settings={"log.journal": j.path}, start=False)
    # What systemd does: it names device and inode of what fd 2 is.
    open(d.log_path, "ab").close()
    st = os.stat(d.log_path)
    d.env["JOURNAL_STREAM"] = "%d:%d" % (st.st_dev, st.st_ino)
    d.start()
    suite.same("native", j.find("serves")["MESSAGE_ID"], ID["STARTED"])
    d.stop()
    j.end()
    d.start()
    suite.check("without its socket: priorities on the stream", re.match("<6>server: alterd", d.log()), d.log())


@suite.section
def json_lines():
    d = Daemon(settings={"log.format": "json", "log.slow": "1ms"})
    name = "a\"b\\c\n\t\x01é\u2028"
    with d.client() as c:
        quoted = '"' + name.replace('"', '""') + '"'
        c.exec("CREATE TABLE %s(x)" % quoted)
        c("migrate.alter", sql="ALTER TABLE %s ALTER x TYPE TEXT" % quoted, wait=True)
        slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 50000) SELECT count(*) AS %s FROM c"
        c.query(slow % quoted)
        c.query(slow % ('"' + "é" * 3000 + '"'))
    d.stop()
    lines = [json.loads(l) for l in d.log().split("\n")[:-1]]
    suite.check("each line is an object", all({"time", "level", "room", "message"} <= set(l) for l in lines), lines)
    swapped = [l for l in lines if l.get("event") == "SWAPPED"]
    suite.check("whatever is in it", swapped and swapped[0]["table"] == name and swapped[0]["job"] == "m1", lines)
    slow = [l for l in lines if l.get("event") == "SLOW_STATEMENT"]
    suite.check("statements too", any(quoted in l["message"] for l in slow) and slow[0]["session"].startswith("s"), slow)
    suite.check("a long one is cut", any(l["message"].endswith("...") for l in slow), slow)


@suite.section
def refusals():
    d = Daemon(settings={"log.format": "xml"}, start=False)
    d.spawn()
    suite.same("an unknown form", d.wait(), 78)
    suite.check("is named", "auto, text, json or journal" in d.log(), d.log())
    d.forgiven = True


suite.run()
