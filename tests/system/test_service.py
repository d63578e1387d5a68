#!/usr/bin/env python3
"""The daemon as a service: start and its exit codes, notify, socket activation, drain, reload, a full disk."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

from daemon import Daemon, program
from limits import SANITIZER, pause, scaled, until
from load import Load
from suite import Suite
from wire import Client, Closed, RpcError

suite = Suite(limit=110)
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
COUNT = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT %d) SELECT count(*) FROM g"


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


@suite.section
def drain():
    d = Daemon()
    c, long, tx, idle = d.client(), d.client(), d.client(), d.client()
    c.exec("CREATE TABLE t(x)")
    idle("ping")
    size = 2_000_000
    t = time.monotonic()
    long.query(COUNT % size)
    per = (time.monotonic() - t) / size
    n = long.send("query", sql=COUNT % int(max(1.2 / per, size)))
    tx("begin")
    tx.exec("INSERT INTO t VALUES('unfinished')")
    pause(0.1)
    d.terminate()
    until("it drains", lambda: drains(c), 5)
    suite.refused("a new statement", lambda: c.value("SELECT 1"), "SHUTTING_DOWN")
    suite.check("control methods still answer", c("ping") == {} and c("status")["state"] == "draining")
    e = suite.refused("a new write", lambda: c.exec("INSERT INTO t VALUES(1)"), "SHUTTING_DOWN")
    suite.check("code, retryable", e.code == -32004 and e.data.get("retryable") is True, e)
    m = long.message(n, 20)
    suite.check("the running statement finishes", "result" in m, m)
    suite.same("exit code 0", d.wait(20), 0)
    suite.check("connections end", idle.at_end())
    with d.file() as f:
        suite.same("an open transaction is not kept", f.execute("SELECT count(*) FROM t").fetchone()[0], 0)
    f.close()
    suite.check("the socket's name is gone", not os.path.exists(d.socket))


def drains(c):
    try:
        c.value("SELECT 1")
        return False
    except RpcError as e:
        return e.name == "SHUTTING_DOWN"


@suite.section
def drain_of_what_does_not_end():
    d = Daemon(settings={"server.drain": "700ms"})
    c = d.client()
    n = c.send("query", sql=ENDLESS)
    pause(0.2)
    t = time.monotonic()
    d.terminate()
    e = {}
    try:
        e = c.message(n, 10).get("error", {})
    except (Closed, ConnectionError):
        pass
    suite.same("exit code 0", d.wait(15), 0)
    s = time.monotonic() - t
    suite.check("past the drain time it is stopped", 0.6 < s < 0.7 + scaled(2), s)
    suite.check("and answered", e.get("code") in (9, -32004), e)
    d = Daemon()
    c = d.client()
    n = c.send("query", sql=ENDLESS)
    pause(0.2)
    t = time.monotonic()
    d.terminate()
    pause(0.2)
    d.terminate()
    suite.same("a second SIGTERM hurries: exit code 0", d.wait(9), 0)
    suite.check("at once", time.monotonic() - t < 1 + scaled(2), time.monotonic() - t)
    d = Daemon()
    d.process.send_signal(signal.SIGINT)
    suite.same("SIGINT is a clean stop as well", d.wait(10), 0)
    d = Daemon()
    d.process.send_signal(signal.SIGPIPE)
    with d.client() as c:
        suite.same("SIGPIPE is nothing", c("ping"), {})


@suite.section
def drain_under_load():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE t(w, i)")
    acked = [0] * 4

    def step(w):
        def one(c, i):
            c.exec("INSERT INTO t VALUES(?, ?)", w, i)
            acked[w] = i + 1

        return one

    loads = [Load(d, step(w)).started() for w in range(4)]
    pause(0.4)
    suite.same("exit code 0 under writing clients", d.stop(), 0)
    for x in loads:
        x.end()
    wrong = [x.error for x in loads if x.error and getattr(x.error, "name", "") != "SHUTTING_DOWN"]
    suite.check("each was told SHUTTING_DOWN or closed", not wrong, wrong)
    suite.same("the file", d.integrity(), "ok")
    with d.file() as f:
        have = [f.execute("SELECT count(*) FROM t WHERE w = ?", (w,)).fetchone()[0] for w in range(4)]
    f.close()
    suite.check("what was acknowledged is there", all(a <= h <= a + 1 for a, h in zip(acked, have)), (acked, have))
    d.start()


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


def page(c, sql):
    r = c.query(sql)
    if not r["done"]:
        c("close", cursor=r["cursor"])
    return len(r["rows"])


class Systemd:
    """Plays systemd's end of sd_notify."""

    def __init__(self, abstract=False):
        self.folder = tempfile.mkdtemp(prefix="alterd-n-")
        self.address = (
            "\0alterd-%d-%s" % (os.getpid(), os.path.basename(self.folder)) if abstract else self.folder + "/n"
        )
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.address)
        self.lines = []

    def env(self):
        return {"NOTIFY_SOCKET": self.address.replace("\0", "@")}

    def wait(self, prefix, limit=10):
        end = time.monotonic() + scaled(limit)
        while not any(x.startswith(prefix) for x in self.lines):
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                self.lines += self.sock.recv(65536).decode().splitlines()
            except TimeoutError:
                return False
        return True

    def close(self):
        self.sock.close()
        shutil.rmtree(self.folder)


@suite.section
def notify():
    for abstract in (False, True):
        s = Systemd(abstract)
        d = Daemon(start=False, env=dict(s.env(), WATCHDOG_USEC="400000"))
        p = d.spawn()
        what = "abstract" if abstract else "path"
        suite.check(what + ": READY=1", s.wait("READY=1"), s.lines)
        with d.client() as c:
            suite.same(what + ": it serves when it says so", c.value("SELECT 1"), 1)
        s.lines = []
        suite.check(what + ": WATCHDOG=1", s.wait("WATCHDOG=1", 5), s.lines)
        s.lines = [x for x in s.lines if not x.startswith("WATCHDOG")]
        suite.check(what + ": again and again", s.wait("WATCHDOG=1", 5), s.lines)
        p.send_signal(signal.SIGHUP)
        suite.check(
            what + ": RELOADING=1 with its time, READY=1 after it",
            s.wait("RELOADING=1", 5) and s.wait("MONOTONIC_USEC=", 5),
            s.lines,
        )
        s.lines = s.lines[s.lines.index("RELOADING=1") :] if "RELOADING=1" in s.lines else []
        suite.check(what + ": READY=1 after it", s.wait("READY=1", 5), s.lines)
        d.terminate()
        suite.check(what + ": STOPPING=1", s.wait("STOPPING=1", 10), s.lines)
        suite.same(what + ": exit", d.wait(15), 0)
        s.close()
    s = Systemd()
    d = Daemon(start=False, env=dict(s.env(), WATCHDOG_USEC="400000", WATCHDOG_PID="1"))
    d.spawn()
    suite.check("a watchdog meant for another process", s.wait("READY=1"), s.lines)
    s.lines = []
    suite.check("is not fed", not s.wait("WATCHDOG=1", 1.2 / scaled(1)), s.lines)
    d.stop()
    s.close()
    d = Daemon(env={"NOTIFY_SOCKET": "/nonexistent/notify"})
    with d.client() as c:
        suite.same("a notify socket that is not there does not matter", c("ping"), {})


@suite.section
def socket_activation():
    d = Daemon(start=False)
    s = socket.socket(socket.AF_UNIX)
    s.bind(d.socket)
    s.listen(16)
    early = Client(d.socket)
    n = early.send("query", sql="SELECT 'queued before the start'")

    def become():
        os.environ["LISTEN_PID"] = str(os.getpid())
        if s.fileno() == 3:
            os.set_inheritable(3, True)
        else:
            os.dup2(s.fileno(), 3)

    # The variables must name the process itself, so a shell that becomes the daemon sets them.
    env = dict(d.env, LISTEN_FDS="1", LISTEN_FDNAMES="alterd.socket")
    command = d.command()
    log = open(d.log_path, "ab")
    d.process = subprocess.Popen(
        ["sh", "-c", 'LISTEN_PID=$$ exec "$@" 3<&%d' % s.fileno(), "sh", *command]
        if s.fileno() < 10
        else ["bash", "-c", 'LISTEN_PID=$$ exec "$@" 3<&%d' % s.fileno(), "bash", *command],
        env=env,
        pass_fds=[s.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    log.close()
    suite.same("a client that was early is served", early.answer(n, 20)["rows"], [["queued before the start"]])
    with d.client() as c:
        suite.same("and later ones", c.value("SELECT 1"), 1)
    suite.same("exit", d.stop(), 0)
    suite.check("the socket's name stays: it is systemd's", os.path.exists(d.socket))
    late = Client(d.socket)
    n = late.send("query", sql="SELECT 'between two starts'")
    log = open(d.log_path, "ab")
    d.process = subprocess.Popen(
        ["bash", "-c", 'LISTEN_PID=$$ exec "$@" 3<&%d' % s.fileno(), "bash", *command],
        env=env,
        pass_fds=[s.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    log.close()
    suite.same("requests queue during a restart", late.answer(n, 20)["rows"], [["between two starts"]])
    suite.same("exit again", d.stop(), 0)
    s.close()
    os.unlink(d.socket)
    d.env = dict(d.env, LISTEN_FDS="1", LISTEN_PID="1")
    d.start()
    with d.client() as c:
        suite.same("descriptors meant for another process are not taken", c("ping"), {})


@suite.section
def a_full_disk():
    if os.getuid() != 0:
        return suite.skip("a full disk", "mounting a small file system needs root")
    t = tempfile.mkdtemp(prefix="alterd-full-")
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", t], capture_output=True, check=False
    ).returncode:
        os.rmdir(t)
        return suite.skip("a full disk", "no tmpfs may be mounted here")
    try:
        full_disk_on(t)
    finally:
        Daemon.all[-1].kill()
        subprocess.run(["umount", "-l", t], check=False)
        os.rmdir(t)


def full_disk_on(t):
    d = Daemon(db=t + "/app.db", settings={"store.disk_reserve": "1MiB"})
    c = d.client()
    c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
    c.exec("INSERT INTO t VALUES(1, 'first')")
    with open(t + "/ballast", "wb") as f:
        f.write(b"\0" * (2 << 20))
    acked, error = 1, None
    for i in range(2, 400):
        try:
            c.exec("INSERT INTO t VALUES(?, randomblob(50000))", i)
            acked = i
        except RpcError as e:
            error = e
            break
    suite.check(
        "writes on a full disk answer SQLITE_FULL", error and error.code == 13 and error.name == "SQLITE_FULL", error
    )
    suite.same(
        "reads go on", (c.value("SELECT x FROM t WHERE id = 1"), c.value("SELECT count(*) FROM t")), ("first", acked)
    )
    e = suite.refused(
        "a second write too", lambda: c.exec("INSERT INTO t VALUES(1000, randomblob(900000))"), 13, 10, 778
    )
    with d.client() as o:
        suite.same("on a new connection as well", o.value("SELECT count(*) FROM t"), acked)
    os.unlink(t + "/ballast")
    until("after space is freed writes go on", lambda: writes(c), 10, every=0.1)
    suite.same("everything acknowledged is there", c.value("SELECT count(*) FROM t WHERE id <= 999"), acked)
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")
    with d.file() as f:
        suite.same("its rows", f.execute("SELECT count(*) FROM t WHERE id <= 999").fetchone()[0], acked)
    f.close()


def writes(c):
    try:
        c.exec("INSERT INTO t(id, x) VALUES((SELECT max(id) FROM t) + 1000, 'after')")
        return True
    except RpcError:
        return False


@suite.section
def a_limit_on_the_file():
    """RLIMIT_FSIZE plays a disk that fills without root: the daemon must live through SIGXFSZ and the failed write."""
    import resource

    if SANITIZER:
        return suite.skip("a file size limit", "the sanitizer's own files would meet it")
    d = Daemon(start=False)
    d.spawn(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20)))
    d.wait_ready()
    c = d.client()
    c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, x)")
    error, acked = None, 0
    for i in range(1, 300):
        try:
            c.exec("INSERT INTO t VALUES(?, randomblob(60000))", i)
            acked = i
        except (RpcError, ConnectionError) as e:
            error = e
            break
    suite.check(
        "a write that the system refuses answers its error",
        isinstance(error, RpcError) and 0 < error.code and (error.code & 255) in (10, 13),
        error,
    )
    suite.same("reads go on", c.value("SELECT count(*) FROM t"), acked)
    d.stop()
    suite.same("the file", d.integrity(), "ok")
    with d.file() as f:
        suite.same("its rows", f.execute("SELECT count(*) FROM t").fetchone()[0], acked)
    f.close()
    d.forgiven = True


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
    import json

    r = d.ctl("--json", "query", "SELECT 1 AS one, x'00ff' AS b")
    suite.check("--json", json.loads(r.stdout)["rows"] == [[1, {"blob": "AP8="}]], r.stdout)
    d.stop()
    suite.same("not reachable is 69", d.ctl("ping").returncode, 69)
    d.start()


suite.run()
