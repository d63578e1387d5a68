"""Starts, watches and ends one alterd on a scratch folder of its own.

Every daemon of a test is known here, so that none outlives it; what a sanitizer or a failed assertion printed is found
in the log when the test ends.
"""
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

from limits import SANITIZER, scaled, until
from wire import Client, RpcError

BAD_LOG = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehavior|runtime error:|CHECK failed|"
    r"PRE failed|INVARIANT failed|[Aa]ssertion"
)


def program(name):
    folder = os.environ.get("ALTERD_BIN")
    if not folder:
        sys.exit("ALTERD_BIN must name the folder that holds alterd and alterctl")
    return os.path.join(os.path.abspath(folder), name)


class Daemon:
    all = []

    def __init__(self, db=None, settings=None, args=(), env=None, config=None, start=True, folder=None, under=None):
        self.folder = folder or tempfile.mkdtemp(prefix="alterd-t-", dir=under)
        self.db = db or os.path.join(self.folder, "app.db")
        self.socket = os.path.join(self.folder, "s")
        self.log_path = os.path.join(self.folder, "log")
        self.args = list(args)
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        self.ended_badly = []  # exits that no test asked for
        if config is not None:
            path = os.path.join(self.folder, "alterd.conf")
            with open(path, "w", encoding="utf-8") as f:
                f.write(config)
            self.args += ["--config", path]
        for key, value in (settings or {}).items():
            self.args += ["--set", "%s=%s" % (key, value)]
        Daemon.all.append(self)
        if start:
            self.start()

    def command(self):
        return [program("alterd"), "--database", self.db, "--socket", self.socket] + self.args

    def spawn(self, **popen):
        """Starts without waiting for an answer."""
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=popen.pop("env", self.env),
            cwd=self.folder,
            **popen
        )
        log.close()
        return self.process

    def start(self, limit=30.0):
        self.spawn()
        self.wait_ready(limit)

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("alterd left with %s: %s" % (self.process.returncode, self.log()[-600:]))
        try:
            with Client(self.socket) as c:
                c("ping")
            return True
        except (OSError, RpcError):
            return False

    def wait_ready(self, limit=30.0):
        until("alterd answers ping", self.answers, limit)

    def client(self, **kw):
        return Client(self.socket, **kw)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL: what a crash leaves."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, limit=20.0):
        """Exit code; None (and killed) if it does not leave."""
        try:
            return self.process.wait(scaled(limit))
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def stop(self, limit=20.0):
        self.terminate()
        return self.wait(limit)

    def restart(self):
        code = self.stop()
        self.start()
        return code

    def ctl(self, *args, limit=60.0, **kw):
        return subprocess.run(
            [program("alterctl"), "--socket", self.socket, *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=scaled(limit),
            check=False,
            **kw
        )

    def peak_bytes(self):
        """The greatest resident size so far."""
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) * 1024

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def open_files(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def file(self):
        """Plain sqlite3 on the file. Only while no daemon has it: a second opener's close would take its locks away."""
        assert not self.alive(), "the daemon still owns the file"
        return sqlite3.connect(self.db)

    def integrity(self):
        """
        "ok", or what is wrong, of the file of a daemon that is gone.

        In the middle of a change an index b-tree may stand in the file as a work table of its own. One that holds NULLs
        is named by integrity_check for just that, NULLs in a key: its pages are whole, so that alone is no fault.
        """
        with self.file() as plain:
            rows = [r[0] for r in plain.execute("PRAGMA integrity_check(1000000)")]
            changing = plain.execute(
                "SELECT 1 FROM sqlite_schema WHERE name LIKE '\\_alterd\\_%\\_new%' ESCAPE '\\'"
                " OR name LIKE '\\_alterd\\_index\\_%' ESCAPE '\\'"
            ).fetchone()
            if changing:
                rows = [r for r in rows if not r.startswith("NULL value in _alterd_")] or ["ok"]
            broken = plain.execute("PRAGMA foreign_key_check").fetchall()
        plain.close()
        return "ok" if rows == ["ok"] and not broken else "%s %s" % (rows[:3], broken[:3])

    def complaints(self):
        """Lines of the log that no run may hold, and exits nobody asked for."""
        out = [line for line in self.log().splitlines() if BAD_LOG.search(line)]
        return out[:5] + self.ended_badly

    def finish(self):
        """Ends it in good order where it still runs; returns complaints."""
        if self.alive():
            code = self.stop(30.0)
            if code != 0:
                self.ended_badly.append("left with %s after SIGTERM" % code)
        elif (
            self.process
            and self.process.returncode not in (0, -signal.SIGKILL)
            and not getattr(self, "forgiven", False)
        ):
            self.ended_badly.append("had left with %s" % self.process.returncode)
        bad = self.complaints()
        if os.environ.get("ALTERD_TEST_KEEP"):
            print("     kept: " + self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        return bad

    @staticmethod
    def end_all():
        """Hard end, for a test that ran out of time."""
        for d in Daemon.all:
            if d.process and d.process.poll() is None:
                d.process.kill()


def memory_counts():
    """Whether figures of memory mean anything in this build."""
    return not SANITIZER
