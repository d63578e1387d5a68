#!/usr/bin/env python3
"""The units' sandbox, carried out as they state it: it holds, and the daemon does in it all that it does."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import re
import shutil
import signal
import sqlite3
import subprocess

from daemon import Daemon, program
from limits import SANITIZER, scaled, until
from suite import Suite
from systemd import Systemd

suite = Suite(limit=120)
SOURCE = os.environ["ALTERD_SOURCE_DIR"]
LIB = os.path.join(SOURCE, "tests/lib")
UID = 61321


def why_not():
    if os.geteuid() != 0:
        return "it needs root"
    if SANITIZER:
        return "a sanitizer needs more than the unit lets through"
    if not shutil.which("systemd-analyze"):
        return "systemd-analyze is not there to tell what @system-service is"
    r = subprocess.run(
        [sys.executable, "-c", "from overlay import Overlay; Overlay()"], env=dict(os.environ, PYTHONPATH=LIB), check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    return r.stderr.strip().splitlines()[-1] if r.returncode else ""


class Boxed(Daemon):
    """A daemon as its unit starts it; its folders are seen from outside."""

    def __init__(self, unit, instance="", conf=""):
        super().__init__(start=False)
        self.unit, self.instance = os.path.join(SOURCE, "systemd", unit), instance
        for name in ("state", "run", "etc/alterd.conf.d", "bin"):
            os.makedirs(os.path.join(self.folder, name))
        os.chmod(self.folder, 0o755)
        shutil.copy(program("alterd"), self.folder + "/bin")
        self.socket = self.folder + "/run/alterd.sock"
        self.conf = "%s/etc/%s.conf" % (self.folder, instance or "alterd")
        self.write(conf)

    def write(self, conf):
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(conf)

    def sandbox(self, *command):
        return [sys.executable, LIB + "/sandbox.py", self.unit, self.instance, self.folder, *command]

    def command(self):
        return self.sandbox("%EXEC%")

    def probe(self):
        """The same rules, with a program in the daemon's place that tries what they forbid."""
        with open(LIB + "/probe.py", encoding="utf-8") as f:
            text = f.read()
        r = subprocess.run(
            self.sandbox("/usr/bin/python3", "-c", text),
            capture_output=True,
            text=True,
            timeout=scaled(60),
            check=False,
            env=dict(os.environ, PROBE="alterd" + ("/" + self.instance if self.instance else "")),
        )
        suite.check("the probe runs", r.returncode == 0, (r.returncode, r.stderr[-300:]))
        return json.loads(r.stdout or "{}")


REFUSED = {
    "EROFS": "write /etc|write /usr|write /var|write /run|write its settings|write /proc/sys",
    "EACCES": "read /home",
    "EAFNOSUPPORT": "a network socket|a netlink socket",
    "EPERM": "memory to write and run|memory made executable|a user namespace|another's namespace|a real-time thread|"
    "a set-uid file|another personality|the clock|the kernel's log|the host's name|tracing|a kernel program|mounting|"
    "a module|another user|a raw disk",
    "done": "a Unix socket|a lower priority|its own folder|its runtime folder|temporary files",
    "['lo']": "interfaces",
    "0": "other users' processes",
    "[]": "temporary files of others",
    "('0000000000000000', '0000000000000000')": "capabilities",
    "1": "no new privileges",
    "0o27": "umask",
    str(sorted(["full", "null", "random", "shm", "tty", "urandom", "zero"])): "devices",
}


@suite.section
def it_holds():
    for unit, instance in (("alterd.service", ""), ("alterd@.service", "shop")):
        d = Boxed(unit, instance)
        got = d.probe()
        for answer, names in REFUSED.items():
            for name in names.split("|"):
                suite.same("%s: %s" % (unit, name), got.get(name), answer)
        suite.check(unit + ": write /sys", got.get("write /sys") in ("EROFS", "EACCES"), got.get("write /sys"))


@suite.section
def a_rule_less():
    """Without one of its lines the unit would let something through, and the probe would see it."""
    with open(os.path.join(SOURCE, "systemd/alterd.service"), encoding="utf-8") as f:
        text = f.read()
    d = Boxed("alterd.service")
    d.unit = d.folder + "/alterd.service"
    lost = "ProtectSystem|ProtectHome|RestrictAddressFamilies|MemoryDenyWriteExecute|RestrictSUIDSGID|PrivateNetwork|UMask"
    text = re.sub(r"^(%s)=.*\n" % lost, "", text, flags=re.M)
    with open(d.unit, "w", encoding="utf-8") as f:
        f.write(text)
    got = d.probe()
    for name in ("read /home", "a network socket", "memory to write and run", "a set-uid file", "interfaces", "umask"):
        wanted = next(answer for answer, names in REFUSED.items() if name in names.split("|"))
        suite.check(name + " is seen", got.get(name) != wanted, (wanted, got.get(name)))
    suite.check("write /etc is seen", got.get("write /etc") != "EROFS", got.get("write /etc"))
    with open(d.unit, "w", encoding="utf-8") as f:
        f.write(text.replace("[Install]", "SomethingNew=yes\n[Install]"))
    r = subprocess.run(d.sandbox("%EXEC%"), capture_output=True, text=True, check=False)
    suite.check("a line that is not known is an error", r.returncode != 0 and "SomethingNew" in r.stderr, r)


def migrations(d):
    os.mkdir(d.folder + "/m")
    for name, sql in (
        ("1_t.sql", "CREATE TABLE t(id INTEGER PRIMARY KEY, b TEXT, c TEXT);"),
        ("2_index.sql", "CREATE INDEX t_b ON t(b);"),
        ("3_type.sql", "ALTER TABLE t ALTER COLUMN c TYPE INTEGER;"),
        ("4_exact.sql", "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT); UPDATE t SET b = b || '!'; INSERT INTO note(body) SELECT b FROM t WHERE id < 9;"),
    ):
        with open(os.path.join(d.folder, "m", name), "w", encoding="utf-8") as f:
            f.write("-- migrate:up\n%s\n" % sql)
    return d.folder + "/m"


def work(d):
    c = d.client()
    suite.same("root is admin, as outside", c("hello", client="test")["role"], "admin")
    folder = migrations(d)
    suite.same("a first migration", d.ctl("up", "1", "--dir", folder).returncode, 0)
    c.exec(
        "INSERT INTO t SELECT * FROM (WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 20000)"
        " SELECT n, 'b' || n, n FROM g)"
    )
    suite.same("a sort that takes temporary files", len(c.query("SELECT b FROM t ORDER BY b, c DESC")["rows"]), 1000)
    r = d.ctl("plan", "--try", "--dir", folder)
    suite.check("a rehearsal, in a process of its own", r.returncode == 0, r.stdout + r.stderr)
    suite.same("it leaves nothing", [x for x in os.listdir(d.folder + "/state") if "try" in x], [])
    r = d.ctl("up", "--dir", folder)
    suite.check("migrations", r.returncode == 0 and c("status")["version"] == 4, r.stdout + r.stderr)
    suite.same("their work", c.query("SELECT typeof(c), b FROM t WHERE id = 7")["rows"], [["integer", "b7!"]])
    r = d.ctl("alter", "ALTER TABLE t ADD CHECK(c > 0)")
    suite.check("a change", r.returncode == 0, r.stdout + r.stderr)
    back = c("backup", name="one.db", check=True)
    suite.same("a backup", back["check"], "ok")
    r = d.ctl("backup", "fetch", "one.db", "-o", d.folder + "/fetched.db")
    suite.check("fetched", r.returncode == 0 and os.path.getsize(d.folder + "/fetched.db") > 4096, r.stderr)
    st = os.stat(d.folder + "/state/backups/one.db")
    suite.same("it is the daemon's, for its group to read", (st.st_uid, oct(st.st_mode & 0o777)), (UID, "0o640"))
    return c


@suite.section
def everything_it_does():
    conf = "[store]\ndatabase = /var/lib/alterd/app.db\n[server]\npage_rows = %s\n"
    d = Boxed("alterd.service", conf=conf % 1000)
    s = Systemd()
    os.chmod(s.folder, 0o755)
    # An address that a network namespace of its own still sees.
    os.rename(s.address, d.folder + "/run/notify")
    os.chmod(d.folder + "/run/notify", 0o777)
    d.env.update(NOTIFY_SOCKET="/run/alterd/notify", WATCHDOG_USEC="1000000")
    d.start(60)
    suite.check("READY=1", s.wait("READY=1"), s.lines)
    mode = os.stat(d.socket)
    suite.same("its socket", (mode.st_uid, oct(mode.st_mode & 0o777)), (UID, "0o660"))
    c = work(d)
    suite.check("the watchdog is fed", s.wait("WATCHDOG=1"), s.lines)
    d.write(conf % 5)
    s.lines.clear()
    d.process.send_signal(signal.SIGHUP)
    suite.check("reload", s.wait("RELOADING=1") and s.wait("READY=1"), s.lines)
    suite.same("what it took", len(c.query("SELECT id FROM t")["rows"]), 5)
    n = c.send("query", sql="SELECT count(*) FROM t a, t b WHERE a.id < 100")
    d.terminate()
    suite.check("it drains", "result" in c.message(n, 30), "")
    suite.same("exit", d.wait(30), 0)
    suite.check("STOPPING=1", s.wait("STOPPING=1"), s.lines)
    wrong = [x for x in d.log().splitlines() if " error " in x or " warning " in x]
    suite.same("nothing was kept from it", wrong, [])
    suite.same("what is left", sorted(os.listdir(d.folder + "/state")), ["app.db", "app.db.alterd-lock", "backups"])
    with sqlite3.connect(d.folder + "/state/app.db") as f:
        suite.same("the file", f.execute("PRAGMA integrity_check").fetchone()[0], "ok")
    f.close()
    d.write(conf % 5 + "[store]\nbackup_folder = /etc/backups\n")
    d.start(60)
    e = suite.refused("a folder that is not its own", lambda: d.client()("backup"))
    suite.check("is named", "/etc/backups" in e.message, e)
    s.close()


@suite.section
def an_instance():
    d = Boxed("alterd@.service", "shop")
    d.start(60)
    c = d.client()
    suite.same("its database is that of its name", c("status")["database"], "/var/lib/alterd/shop/shop.db")
    suite.check("in its folder", os.path.exists(d.folder + "/state/shop.db"), os.listdir(d.folder + "/state"))
    c.exec("CREATE TABLE t(x)")
    c("backup", name="x.db")
    suite.check("and so are its backups", os.path.exists(d.folder + "/state/backups/x.db"))
    suite.same("exit", d.stop(), 0)
    d.write("[store]\ndatabase = /var/lib/alterd/other.db\n")
    d.forgiven = True
    d.spawn()
    suite.check("another's folder is not for it to write", d.wait(30) in (66, 71, 74, 77), d.log()[-300:])


reason = why_not()
if reason:
    suite.sections.clear()

    @suite.section
    def sandbox():
        suite.skip("the units' sandbox", reason)


suite.run()
