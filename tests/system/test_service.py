#!/usr/bin/env python3
"""The daemon as a program: options, configuration, what it refuses to start on, reload, alterctl's exit codes."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import re
import signal
import sqlite3
import subprocess
import tempfile

from daemon import Daemon, program
from limits import scaled, until
from suite import Suite

suite = Suite(limit=90)
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


def run(*args, limit=20, **kw):
    return subprocess.run(
        [program("alterd"), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=scaled(limit),
        check=False,
        **kw,
    )


def leaves(d, limit=15):
    """Exit code of a daemon that should not stay."""
    d.forgiven = True
    return d.wait(limit)


@suite.section
def command_line():
    r = run("--version")
    suite.check(
        "--version",
        r.returncode == 0 and re.match(r"alterd \d+\.\d+\.\d+", r.stdout),
        (r.returncode, r.stdout, r.stderr),
    )
    r = run("--help")
    suite.check("--help", r.returncode == 0 and "--database" in r.stdout, (r.returncode, r.stdout[:200]))
    for what, args in [
        ("an unknown option", ["--frobnicate"]),
        ("an option without its value", ["--database"]),
        ("a stray word", ["word"]),
    ]:
        r = run(*args)
        suite.check(what + " is 64", r.returncode == 64 and r.stderr, (r.returncode, r.stderr))
    r = run("--socket", "/nonexistent/s")
    suite.check("no database is 64 or 78", r.returncode in (64, 78) and r.stderr, (r.returncode, r.stderr))
    with tempfile.TemporaryDirectory() as t:
        r = run("--database", t + "/a.db", "--socket", t + "/" + "x" * 120)
        suite.check(
            "a socket path above 108 bytes is said so",
            r.returncode in (64, 71, 78) and "108" in r.stderr + r.stdout or "long" in r.stderr,
            (r.returncode, r.stderr),
        )


@suite.section
def configuration():
    with tempfile.TemporaryDirectory() as t:
        path = t + "/alterd.conf"

        def conf(text, *more):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            return run("--config", path, "--check-config", *more)

        good = "[store]\ndatabase = %s/a.db\n" % t
        r = conf(good)
        suite.check(
            "--check-config of a good one",
            r.returncode == 0 and not os.path.exists(t + "/a.db"),
            (r.returncode, r.stderr),
        )
        for what, text, line in [
            ("an unknown key", good + "\ncash = 5MiB\n", 4),
            ("an unknown section", good + "[stroe]\n", 3),
            ("a bad value", "[store]\n# x\ncache = many\n", 3),
            ("out of range", "[store]\nreaders = 5000\n", 2),
            ("no section", "database = x\n", 1),
            ("no =", "[store]\ndatabase\n", 2),
        ]:
            r = conf(text)
            suite.check(
                "%s is 78, with file:line" % what,
                r.returncode == 78 and "alterd.conf:%d:" % line in r.stderr + r.stdout,
                (r.returncode, r.stderr),
            )
        r = conf(good, "--set", "store.cash=1")
        suite.check(
            "--set of an unknown key is 78",
            r.returncode == 78 and "store.cash" in r.stderr + r.stdout,
            (r.returncode, r.stderr),
        )
        r = conf(good + "[server]\noutput_low = 8MiB\n")
        suite.check(
            "what does not go together is 78",
            r.returncode == 78 and "output" in r.stderr + r.stdout,
            (r.returncode, r.stderr),
        )
        r = run("--config", t + "/none.conf", "--check-config")
        suite.check(
            "a missing file is 78",
            r.returncode in (66, 78) and "none.conf" in r.stderr + r.stdout,
            (r.returncode, r.stderr),
        )
        r = run("--config", path, "--database", t + "/a.db", "--socket", t + "/s")
        os.mkdir(path + ".d")
        with open(path + ".d/10-x.conf", "w", encoding="utf-8") as f:
            f.write("[limits]\nread_time = 1 fortnight\n")
        r = conf(good)
        suite.check(
            "a drop-in is read", r.returncode == 78 and "10-x.conf:2:" in r.stderr + r.stdout, (r.returncode, r.stderr)
        )
    d = Daemon(
        config="[server]\npage_rows = 7\n# a comment\n[limits]\nread_time = 300ms\n", settings={"server.page_rows": "5"}
    )
    with d.client() as c:
        suite.same("--set wins over the file", len(c.query("SELECT name FROM pragma_function_list")["rows"]), 5)
        e = suite.refused("read_time of the file", lambda: c.query(ENDLESS), 9)
        suite.same("timeout", e.data.get("reason"), "timeout")


@suite.section
def refusals_at_start():
    d = Daemon(start=False, db="/nonexistent-folder-of-alterd/a.db")
    d.spawn()
    suite.same("a missing folder is 66", leaves(d), 66)
    suite.check("and is named", "nonexistent-folder-of-alterd" in d.log(), d.log())
    d = Daemon(start=False)
    with open(d.db, "wb") as f:
        f.write(b"this is no database, but some text that is long enough to be looked at\n" * 100)
    d.spawn()
    suite.same("not a database is 65", leaves(d), 65)
    with open(d.db, "rb") as f:
        suite.check("and is left alone", f.read(4) == b"this")
    d = Daemon(start=False)
    os.mkdir(d.db)
    d.spawn()
    suite.check("a folder in its place", leaves(d) in (65, 66, 71, 74, 77), d.process.returncode)
    d = Daemon()
    for what, make in [
        ("by its own name", lambda: None),
        ("by a link", lambda: os.symlink(d.db, d.folder + "/link.db")),
    ]:
        make()
        e = Daemon(start=False, db=d.folder + "/link.db" if what == "by a link" else d.db)
        e.spawn()
        suite.same("a second daemon on the same file %s is 75" % what, leaves(e), 75)
    e = Daemon(start=False)
    e.socket = d.socket
    e.spawn()
    code = leaves(e)
    suite.check("a second daemon on a socket in use is refused", code in (71, 75), code)
    with d.client() as c:
        suite.same("the first is not disturbed", c.value("SELECT 1"), 1)
    d.kill()
    suite.check("the socket of one that was killed is there still", os.path.exists(d.socket))
    d.start()
    with d.client() as c:
        suite.same("and does not stop the next", c.value("SELECT 1"), 1)
    with open(d.folder + "/plain", "w", encoding="utf-8") as f:
        f.write("keep me")
    e = Daemon(start=False)
    e.socket = d.folder + "/plain"
    e.spawn()
    code = leaves(e)
    with open(d.folder + "/plain", encoding="utf-8") as f:
        suite.check(
            "a plain file where the socket should be is not removed",
            code not in (0, None) and f.read() == "keep me",
            code,
        )
    suite.same("the first leaves its socket's name free", (d.stop(), os.path.exists(d.socket)), (0, False))


@suite.section
def files_it_finds():
    d = Daemon(start=False)
    f = sqlite3.connect(d.db)
    f.executescript("PRAGMA journal_mode=DELETE; CREATE TABLE t(x); INSERT INTO t VALUES(1); PRAGMA user_version=42;")
    f.close()
    d.start()
    with d.client() as c:
        suite.same(
            "a rollback-journal file becomes WAL, its content stays",
            (c.value("PRAGMA journal_mode"), c.value("SELECT x FROM t")),
            ("wal", 1),
        )
        suite.same("version without history is user_version", c("status")["version"], 42)
        suite.check("the log says so", "WAL" in d.log() or "wal" in d.log(), d.log())
    d.stop()
    with d.file() as f:
        suite.same("user_version stays", f.execute("PRAGMA user_version").fetchone()[0], 42)
    f.close()
    suite.check(
        "no WAL is left behind",
        not os.path.exists(d.db + "-wal") or os.path.getsize(d.db + "-wal") == 0,
        os.listdir(d.folder),
    )
    d = Daemon()
    with d.client() as c:
        suite.same(
            "a missing file is created",
            (
                os.path.exists(d.db),
                c.value("SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '\\_alterd%' ESCAPE '\\'"),
            ),
            (True, 0),
        )
        mode = os.stat(d.socket).st_mode & 0o777
        suite.same("the socket's mode", oct(mode), oct(0o660))
    d = Daemon(start=False)
    open(d.db, "wb").close()
    d.start()
    with d.client() as c:
        c.exec("CREATE TABLE t(x)")
        suite.same("an empty file is a fresh database", c.value("SELECT count(*) FROM t"), 0)


def page(c, sql):
    r = c.query(sql)
    if not r["done"]:
        c("close", cursor=r["cursor"])
    return len(r["rows"])


@suite.section
def reload():
    d = Daemon(config="[server]\npage_rows = 10\n[store]\nreaders = 2\n")
    path = d.folder + "/alterd.conf"

    def write(text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    c = d.client()
    sql = "SELECT name FROM pragma_function_list"
    suite.same("before", len(c.query(sql)["rows"]), 10)
    write("[server]\npage_rows = 20\n[store]\nreaders = 2\n")
    d.process.send_signal(signal.SIGHUP)
    until("SIGHUP takes a new value", lambda: page(c, sql) == 20, 5)
    write("[server]\npage_rows = 30\n[store]\nreaders = 3\n")
    r = c("config.reload")
    suite.check(
        "config.reload tells what changed and what needs a restart",
        "server.page_rows" in str(r) and "store.readers" in str(r),
        r,
    )
    suite.same("and takes it", page(c, sql), 30)
    write("[server]\npage_rows = none\n")
    d.process.send_signal(signal.SIGHUP)
    e = suite.refused("a bad file", lambda: c("config.reload"))
    suite.check("is named with its line", "alterd.conf:2" in str(e), e)
    suite.same("and nothing changes", page(c, sql), 30)
    os.unlink(path)
    suite.refused("a missing file", lambda: c("config.reload"))
    suite.same("and the daemon serves", page(c, sql), 30)


@suite.section
def alterctl_codes():
    d = Daemon()
    for args, code, out in [
        (["ping"], 0, ""),
        (["status"], 0, "version"),
        (["query", "SELECT 1 AS one, 'x' AS two"], 0, "one"),
        (["exec", "CREATE TABLE t(x)"], 0, ""),
        (["exec", "INSERT INTO t VALUES(?)", "5"], 0, ""),
        (["query", "SELECT x FROM t WHERE x = ?", "5"], 0, "5"),
        (["schema"], 0, "CREATE TABLE t"),
        (["stats"], 0, "queries_total"),
        (["sessions"], 0, ""),
        (["version"], 0, ""),
        (["query", "SELEC"], 1, None),
        (["frobnicate"], 2, None),
        ([], 2, None),
        (["query"], 2, None),
        (["kill", "s99999"], 1, None),
    ]:
        r = d.ctl(*args)
        suite.check(
            "alterctl %s -> %d" % (" ".join(args), code),
            r.returncode == code and (out is None or out in r.stdout) and (code == 0 or r.stderr),
            (r.returncode, r.stdout[:200], r.stderr[:200]),
        )
    r = d.ctl("--json", "query", "SELECT 1 AS one, x'00ff' AS b")
    suite.check("--json", json.loads(r.stdout)["rows"] == [[1, {"blob": "AP8="}]], r.stdout)
    d.stop()
    suite.same("not reachable is 69", d.ctl("ping").returncode, 69)
    d.start()


suite.run()
