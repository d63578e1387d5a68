#!/usr/bin/env python3
"""The daemon as a service: drain, notify, watchdog, socket activation, a full disk."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from daemon import Daemon
from limits import SANITIZER, pause, scaled, until
from load import Load
from suite import Suite
from systemd import Systemd
from wire import Client, Closed, RpcError

suite = Suite(limit=110)
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"
COUNT = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT %d) SELECT count(*) FROM g"


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


suite.run()
