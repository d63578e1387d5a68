#!/usr/bin/env python3
"""Backups: consistent while clients write, while a migration runs, before a run of files; what is left when one cannot
be made or is cut short; and the way back, alterctl restore.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import base64
import hashlib
import json
import re
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import threading

from daemon import Daemon, program
from limits import scaled, until
from suite import Suite
from wire import RpcError

suite = Suite(limit=170)
check, same, refused = suite.check, suite.same, suite.refused

ACCOUNTS, EACH = 200, 1000


def folder(d):
    return os.path.join(d.folder, "backups")


def left(d):
    """What is in the folder, parts too."""
    try:
        return sorted(os.listdir(folder(d)))
    except FileNotFoundError:
        return []


def names(c):
    return [b["name"] for b in c("backup.list")["backups"]]


def copy_rows(path, sql):
    plain = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    try:
        return plain.execute(sql).fetchall()
    finally:
        plain.close()


def sound(path):
    return copy_rows(path, "PRAGMA integrity_check") == [("ok",)] and not copy_rows(path, "PRAGMA foreign_key_check")


def fill(c, megabytes):
    """A table that takes a copy some time."""
    c.exec("CREATE TABLE IF NOT EXISTS bulk(id INTEGER PRIMARY KEY, v TEXT, b BLOB)")
    for _ in range(megabytes):
        c.exec(
            "INSERT INTO bulk(v, b) WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)"
            " SELECT i, randomblob(2000) FROM n"
        )


def drained(client, want):
    """Whether the answer is there by now."""
    if want not in client.kept:
        try:
            client.kept[want] = client.read(0.001)
        except TimeoutError:
            return False
    return True


def caught(d, send, state):
    """A copy seen at work: `send` begins one, until `state` of what is in the folder is seen before it has ended."""
    for i in range(50):
        running = send(i)
        while running():
            if state(left(d)):
                return True
    return False


def is_part(files):
    return any(f.endswith(".part") for f in files)


@suite.section
def answers():
    d = Daemon()
    c = d.client()
    c.exec("CREATE TABLE t(a)")
    c.exec("INSERT INTO t VALUES(1)")
    c.exec("PRAGMA foreign_keys")
    r = c("backup", name="pre-15.db", check=True)
    same("all keys of the answer", sorted(r), ["bytes", "check", "ms", "path", "version"])
    same("the path", r["path"], os.path.join(folder(d), "pre-15.db"))
    same("the bytes are the file's", r["bytes"], os.path.getsize(r["path"]))
    check("version, check and ms", r["version"] == 0 and r["check"] == "ok" and isinstance(r["ms"], int), r)
    check("it is the database", copy_rows(r["path"], "SELECT a FROM t") == [(1,)] and sound(r["path"]))
    same("one file, whoever opens it", left(d), ["pre-15.db"])
    with open(r["path"], "rb") as f:
        same("in rollback mode", f.read(20)[18:], b"\1\1")
    r = c("backup")
    same("check is told only when asked for", sorted(r), ["bytes", "ms", "path", "version"])
    check("a name of the time", re.search(r"/backup-\d{8}T\d{6}Z\.db$", r["path"]), r)
    r2 = c("backup", check=False)
    check("another name, and no check told", r2["path"] != r["path"] and "check" not in r2, r2)
    listed = c("backup.list")
    same("the list's keys", sorted(listed), ["backups", "folder"])
    same("an entry's keys", sorted(listed["backups"][0]), ["automatic", "bytes", "created", "name"])
    same("the oldest first", listed["backups"][0]["name"], "pre-15.db")
    same("deleted", c("backup.delete", name="pre-15.db"), {})
    check("and gone", "pre-15.db" not in names(c) and "pre-15.db" not in left(d))
    refused("deleted again", lambda: c("backup.delete", name="pre-15.db"), "NOT_FOUND", -32007)
    refused("read of what is gone", lambda: c("backup.read", name="pre-15.db", offset=0, size=1), "NOT_FOUND")
    for name in ("", ".x", "a/b", "../x", "x-wal", "x-journal", "a\nb", "x" * 129, "before-3-20260301T100000Z.db"):
        refused("a name: %.20r" % name, lambda n=name: c("backup", name=n), "INVALID_PARAMS")
    for method in ("backup.read", "backup.delete"):
        refused("%s outside of the folder" % method, lambda m=method: c(m, name="../app.db"), "INVALID_PARAMS")
    c("backup", name="x" * 128)
    refused("a name that is taken", lambda: c("backup", name="x" * 128), "INVALID_PARAMS")
    os.symlink(d.db, os.path.join(folder(d), "link"))
    refused("a link is no backup", lambda: c("backup.read", name="link"), "NOT_FOUND")
    c("begin")
    refused("inside a transaction", lambda: c("backup"), "IN_TRANSACTION")
    c("rollback")
    with d.client() as ro:
        ro("hello", readonly=True)
        refused("a read-only session makes none", lambda: ro("backup"), "READ_ONLY")
        refused("nor deletes", lambda: ro("backup.delete", name="x" * 128), "READ_ONLY")
        check("but lists", len(ro("backup.list")["backups"]) == 3)
    check("no part is left", not is_part(left(d)), left(d))


@suite.section
def chunks():
    d = Daemon(settings={"server.line_limit": "64KiB"})
    c = d.client()
    c.exec("CREATE TABLE t(a)")
    for _ in range(8):
        c.exec("INSERT INTO t VALUES(randomblob(40000))")
    path = c("backup", name="b.db")["path"]
    with open(path, "rb") as f:
        want = f.read()

    def read(size):
        got, longest = b"", 0
        while True:
            line = c.message(c.send("backup.read", name="b.db", offset=len(got), size=size))
            longest = max(longest, len(json.dumps(line)))
            r = line["result"]
            assert r["offset"] == len(got) and r["total"] == len(want) and sorted(r) == ["data", "offset", "total"], r
            if not r["data"]:
                return got, longest
            got += base64.b64decode(r["data"])

    for size in (1 << 30, 4097, len(want) // 2 + 1):
        got, longest = read(size)
        check("chunks of %d make the file" % size, got == want, len(got))
        check("no answer passes the line limit", longest <= 65536, longest)
    r = c("backup.read", name="b.db")
    check("offset and size may be left out", r["offset"] == 0 and len(r["data"]) > 40000, r["offset"])
    same("behind the end is nothing", c("backup.read", name="b.db", offset=10**12)["data"], "")
    refused("a size of 0", lambda: c("backup.read", name="b.db", size=0), "INVALID_PARAMS")


class Writer(threading.Thread):
    """
    Moves money between accounts of two tables, and in the same transaction counts, and puts a line in a journal. A
    copy is of one moment if the sum is what it was, and count and journal agree; and whole, if it has what was
    acknowledged before it began.
    """

    def __init__(self, d, who, stop):
        super().__init__()
        self.c, self.who, self.stop, self.acked, self.sent, self.error = d.client(), who, stop, 0, 0, None
        self.longest = 0

    def run(self):
        try:
            while not self.stop.is_set():
                n = self.sent + 1
                self.sent = n
                a, b = (n * 7 + self.who) % ACCOUNTS, (n * 13 + self.who * 5) % ACCOUNTS
                self.c(
                    "batch",
                    statements=[
                        {"sql": "UPDATE a SET m=m-? WHERE id=?", "bind": [n % 17, a]},
                        {"sql": "UPDATE b SET m=m+? WHERE id=?", "bind": [n % 17, b]},
                        {"sql": "UPDATE tally SET n=? WHERE who=?", "bind": [n, self.who]},
                        {"sql": "INSERT INTO journal(who, n, pad) VALUES(?,?,randomblob(300))", "bind": [self.who, n]},
                        {"sql": "UPDATE bulk SET v=? WHERE id=?", "bind": [n, 1 + n * 37 % 2000]},
                    ],
                )
                self.acked = n
        except Exception as e:  # pylint: disable=broad-except
            self.error = e


def bank(c):
    c("batch", script="CREATE TABLE a(id INTEGER PRIMARY KEY, m INTEGER); CREATE TABLE b(id INTEGER PRIMARY KEY, m INTEGER);"
      "CREATE TABLE tally(who INTEGER PRIMARY KEY, n INTEGER);"
      "CREATE TABLE journal(id INTEGER PRIMARY KEY, who INTEGER, n INTEGER, pad BLOB);"
      "CREATE UNIQUE INDEX journal_n ON journal(who, n); INSERT INTO tally VALUES(0,0),(1,0),(2,0),(3,0);")
    for t in "ab":
        c.exec("INSERT INTO %s WITH n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<%d) SELECT i, %d FROM n"
               % (t, ACCOUNTS - 1, EACH))


def faults(path, before, after):
    """What is wrong with a copy, given what each writer had acknowledged before and had sent after."""
    out = []
    total = copy_rows(path, "SELECT (SELECT sum(m) FROM a)+(SELECT sum(m) FROM b)")[0][0]
    if total != 2 * ACCOUNTS * EACH:
        out.append("the sum is %s" % total)
    tally = dict(copy_rows(path, "SELECT who, n FROM tally"))
    lines = {w: (n, least, most) for w, n, least, most in
             copy_rows(path, "SELECT who, count(*), min(n), max(n) FROM journal GROUP BY who")}
    for who in range(4):
        n, least, most = lines.get(who, (0, 1, 0))
        if not (tally[who] == most == n and least == 1):
            out.append("writer %d: %s lines, %s to %s, and a tally of %s" % (who, n, least, most, tally[who]))
        if not before[who] <= tally[who] <= after[who]:
            out.append("writer %d: %s, not %s to %s" % (who, tally[who], before[who], after[who]))
    if not sound(path):
        out.append("not sound: %s" % copy_rows(path, "PRAGMA integrity_check")[:3])
    return out


def under_load(d, c, during):
    """Four writers, `during(writers)` beside them; their errors."""
    stop = threading.Event()
    writers = [Writer(d, i, stop) for i in range(4)]
    for w in writers:
        w.start()
    try:
        until("all of them write", lambda: all(w.acked > 5 or w.error for w in writers))
        return during(writers)
    finally:
        stop.set()
        for w in writers:
            w.join()
        same("no writer met an error", [str(w.error) for w in writers if w.error], [])


@suite.section
def writers():
    d = Daemon(settings={"store.checkpoint_at": "1MiB", "store.wal_cap": "4MiB", "store.wal_hard_cap": "256MiB"})
    c = d.client()
    bank(c)
    fill(c, 24)

    def during(ws):
        for i in range(4):
            before = [w.acked for w in ws]
            r = c("backup", check=i % 2 == 0)
            after = [w.sent for w in ws]
            same("copy %d is of one moment, and whole" % i, faults(r["path"], before, after), [])
            check("clients went on beside it", sum(after) - sum(before) > 20, sum(after) - sum(before))
        return c("stats")

    st = under_load(d, c, during)
    check("the log has not run away", st["wal_bytes"] < (256 << 20), st["wal_bytes"])
    c("backup.delete", name=names(c)[0])
    until("the log begins anew", lambda: c("stats")["oldest_reader_s"] == 0)
    before = c("stats")["checkpoints_total"]
    fill(c, 8)
    until("checkpoints go on afterwards", lambda: c("stats")["checkpoints_total"] > before)
    same("no part is left", is_part(left(d)), False)


@suite.section
def log_full():
    """Clients that fill the log while the copy keeps it from beginning anew: the copy gives way, not they."""
    d = Daemon(settings={"store.checkpoint_at": "1MiB", "store.wal_cap": "1MiB", "store.wal_hard_cap": "2MiB"})
    c = d.client()
    fill(c, 30)
    k, seen, met = d.client(), [], None
    for i in range(30):
        want = k.send("backup", name="b%d.db" % i)
        while not drained(k, want):
            fill(c, 1)
            c.exec("DELETE FROM bulk WHERE id > 15000")
        try:
            k.answer(want)
        except RpcError as e:
            met = e
            break
        seen.append("b%d.db" % i)
    check("it is given up with BUSY, to be tried again", met and met.name == "BUSY" and met.data.get("retryable"), met)
    check("saying why", met and "store.wal_hard_cap" in met.message, met)
    same("nothing is left of it", left(d), sorted(seen))
    check("and then it is made", sound(c("backup", name="after.db")["path"]))


def served(path):
    """A daemon on a copy of the copy."""
    home = tempfile.mkdtemp(prefix="alterd-t-")
    shutil.copyfile(path, os.path.join(home, "app.db"))
    return Daemon(folder=home)


def internal(d):
    """Tables of jobs that are in the file of a daemon that has stopped."""
    with d.file() as plain:
        found = [r[0] for r in plain.execute("SELECT name FROM sqlite_schema WHERE name GLOB '_alterd_*'")]
    plain.close()
    own = {"_alterd_meta", "_alterd_job", "_alterd_dirty", "_alterd_step", "_alterd_partial", "_alterd_ran"}
    return sorted(set(found) - own)


def comes_up(what, path, state, table_type):
    """A daemon started on the copy serves it, ends the job, and the same change can be made there again."""
    d = served(path)
    c = d.client()
    job = until("%s: the copy's job has ended" % what,
                lambda: (j := c("migrate.status")["job"])["state"] in ("aborted", "done", "failed") and j, 30)
    same("%s: how" % what, job["state"], state)
    same("%s: nothing is running or queued" % what, c("migrate.status")["queued"], 0)
    schema = c("schema", table="bulk")["schema"][0]["sql"]
    check("%s: the table is the one it was" % what, table_type in schema, schema)
    same("%s: with its rows" % what, c.value("SELECT count(*) FROM bulk"), 4000)
    if state == "aborted":
        c("migrate.alter", sql="ALTER TABLE bulk ALTER v TYPE INTEGER", wait=True)
        check("%s: and can be changed" % what, "v INTEGER" in c("schema", table="bulk")["schema"][0]["sql"])
    same("%s: it stops" % what, d.stop(), 0)
    same("%s: and is sound" % what, d.integrity(), "ok")
    same("%s: with nothing of the job" % what, internal(d), [])


@suite.section
def migration():
    d = Daemon(settings={"migrate.retire_pause": "200ms", "migrate.batch_rows": "50"})
    c = d.client()
    fill(c, 8)
    c.exec("CREATE INDEX bulk_v ON bulk(v)")
    job = c("migrate.alter", sql="ALTER TABLE bulk ALTER v TYPE INTEGER", postpone_cutover=True)["job"]
    queued = c("migrate.alter", sql="ALTER TABLE bulk ADD later TEXT")["job"]
    c("migrate.throttle", duty_percent=1, batch_rows=1)

    def phase(*wanted):
        return until("phase %s" % (wanted,), lambda: c("migrate.status")["job"]["phase"] in wanted, 60)

    taken = {}
    until("some rows are copied", lambda: c("migrate.status")["job"]["rows_done"] > 0)
    c("migrate.pause", job=job)
    taken["backfilling"] = c("backup", name="backfilling.db")["path"]
    same("it was copying", c("migrate.status")["job"]["phase"], "backfilling")
    c("migrate.resume", job=job)
    c("migrate.throttle", duty_percent=100, batch_rows=5000)
    phase("ready")
    c.exec("UPDATE bulk SET v=v+1 WHERE id<100")
    taken["ready"] = c("backup", name="ready.db", check=True)["path"]
    c("migrate.throttle", batch_rows=1)
    c("migrate.cutover", job=job)
    phase("retiring")
    taken["retiring"] = c("backup", name="retiring.db")["path"]
    c("migrate.abort", job=queued)
    c("migrate.throttle", job=job, batch_rows=5000, duty_percent=100)
    c("config.reload")
    comes_up("backfilling", taken["backfilling"], "aborted", "v TEXT")
    comes_up("ready", taken["ready"], "aborted", "v TEXT")
    rows = copy_rows(taken["retiring"], "SELECT state, steps FROM _alterd_job ORDER BY id")
    same("after the swap the job goes on to its end, what was queued does not", [r[0] for r in rows],
         ["running", "aborted"])
    comes_up("retiring", taken["retiring"], "done", "v INTEGER")


@suite.section
def no_room():
    d = Daemon(settings={"store.disk_reserve": "1024GiB"})
    c = d.client()
    fill(c, 1)
    e = refused("where the reserve would be touched", lambda: c("backup", name="a.db"), "SQLITE_FULL", 13)
    check("the message says why", "store.disk_reserve" in e.message, e.message)
    same("and nothing is left", left(d), [])
    same("nor listed", names(c), [])
    d.finish()

    # Writing fails in the middle: the copy is larger than the daemon's files may be, for half of it is in the log yet.
    d = Daemon(start=False)

    def start():
        d.spawn(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20)))
        d.wait_ready()
        return d.client()

    fill(start(), 2)
    d.stop()
    c = start()
    fill(c, 2)
    refused("a write that fails", lambda: c("backup", name="a.db"), "SQLITE_FULL", "SQLITE_IOERR_WRITE")
    same("leaves nothing either", left(d), [])
    same("and the clients their database", c.value("SELECT count(*) FROM bulk"), 2000)
    d.finish()

    mount = tempfile.mkdtemp(prefix="alterd-t-")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount], capture_output=True, check=False)
    if made.returncode != 0:
        os.rmdir(mount)
        return suite.skip("a disk that fills up", "no tmpfs may be mounted here")
    try:
        d = Daemon(settings={"store.disk_reserve": "0", "store.backup_folder": mount})
        c = d.client()
        c.exec("CREATE TABLE t(a)")
        path = c("backup", name="small.db")["path"]
        same("a folder of its own", path, os.path.join(mount, "small.db"))
        fill(c, 1)
        with open(os.path.join(mount, "other"), "wb") as f:
            f.write(bytes(1100000))
        refused("a disk without room", lambda: c("backup", name="b.db"), "SQLITE_FULL", 13)
        same("leaves nothing", sorted(os.listdir(mount)), ["other", "small.db"])
        same("clients write on", c.exec("INSERT INTO t VALUES(2)")["changes"], 1)
        os.unlink(os.path.join(mount, "other"))
        c("backup", name="b.db")
        check("and with room it is made", sound(os.path.join(mount, "b.db")))
        d.finish()
    finally:
        subprocess.run(["umount", "-l", mount], check=False)
        os.rmdir(mount)
    return None


@suite.section
def cut_short():
    d = Daemon()
    c = d.client()
    fill(c, 30)

    def asked(client):
        def send(i):
            want = client.send("backup", name="k%d.db" % i)
            return lambda: not drained(client, want)

        return send

    # The client leaves.
    k = d.client()
    check("a copy is seen at work", caught(d, asked(k), is_part))
    done = set(names(c))
    k.close()
    until("a copy that nobody waits for is given up", lambda: not is_part(left(d)))
    same("and is not there", set(names(c)) - done, set())
    # Cancelled.
    k = d.client()
    check("another", caught(d, asked(k), is_part))
    asked_for = k.last_id
    k("cancel", id=asked_for)
    e = refused("the cancelled one is answered", lambda: k.answer(asked_for), "SQLITE_INTERRUPT")
    same("with the reason", e.data.get("reason"), "cancel")
    until("nothing is left of it", lambda: not is_part(left(d)))
    # Killed.
    for n in names(c):
        c("backup.delete", name=n)
    k = d.client()
    check("a third", caught(d, asked(k), is_part))
    d.kill()
    check("a part is left", is_part(left(d)), left(d))
    whole = [f for f in left(d) if not f.endswith(".part")]
    d.start()
    same("the next start takes it away", left(d), whole)
    c = d.client()
    check("and copies are made as before", sound(c("backup", name="after.db")["path"]))
    # Stopped.
    k = d.client()
    check("a fourth", caught(d, lambda i: asked(k)(1000 + i), is_part))
    begun = os.times().elapsed
    k.close()
    same("the daemon stops in good order", d.stop(), 0)
    check("at once", os.times().elapsed - begun < scaled(9), os.times().elapsed - begun)
    check("with nothing left", not is_part(left(d)), left(d))


FILES = {
    1: "-- migrate:up\nCREATE TABLE one(a INTEGER PRIMARY KEY, v TEXT);\n-- migrate:down\nDROP TABLE one;\n",
    2: "-- migrate:up\nCREATE TABLE two(a);\n-- migrate:down\nDROP TABLE two;\n",
    3: "-- migrate:up\nALTER TABLE one ADD COLUMN more TEXT;\n-- migrate:down\nALTER TABLE one DROP COLUMN more;\n",
}


def files(*versions):
    return [{"name": "%04d_v.sql" % v, "sql": FILES[v]} for v in versions]


AUTOMATIC = re.compile(r"before-(\d+)-\d{8}T\d{6}Z(-\d+)?\.app\.db$")


@suite.section
def before():
    d = Daemon(settings={"migrate.backup": "before", "migrate.backup_keep": "3"})
    c = d.client()
    c("backup", name="mine.db")
    c("migrate.up", files=files(1, 2), wait=True)
    made = [n for n in names(c) if AUTOMATIC.match(n)]
    same("one backup a run", [AUTOMATIC.match(n)[1] for n in made], ["1"])
    path = os.path.join(folder(d), made[0])
    same("as it was before", copy_rows(path, "SELECT name FROM sqlite_schema WHERE name IN ('one','two')"), [])
    check("told as automatic", [b["automatic"] for b in c("backup.list")["backups"]] == [False, True])
    again = served(path)
    k = again.client()
    same("the run is not gone on with where the backup is served", k("status")["version"], 0)
    same("it is told as aborted there", k("migrate.status")["job"]["state"], "aborted")
    k("migrate.up", files=files(1, 2, 3), wait=True)
    same("and can be made again", k("status")["version"], 3)
    again.finish()
    c("migrate.up", files=files(1, 2, 3), wait=True)
    c("migrate.down", files=files(1, 2, 3), wait=True)
    c("migrate.to", version=1, files=files(1, 2, 3), allow_data_loss=True, wait=True)
    made = [n for n in names(c) if AUTOMATIC.match(n)]
    same("the newest three are kept", [AUTOMATIC.match(n)[1] for n in made], ["3", "3", "2"])
    check("what is not automatic stays", "mine.db" in names(c))
    same("no run, no backup", c("migrate.to", version=1, files=files(1), wait=True)["state"], "done")
    same("none more", [n for n in names(c) if AUTOMATIC.match(n)], made)
    c("migrate.alter", sql="ALTER TABLE one ADD COLUMN w TEXT", wait=True)
    same("nor for a change without a version", [n for n in names(c) if AUTOMATIC.match(n)], made)
    other = Daemon(db=os.path.join(d.folder, "other.db"), settings={"migrate.backup": "before", "migrate.backup_keep": "1"})
    o = other.client()
    for to in (1, 0, 1):
        o("migrate.to", version=to, files=files(1), allow_data_loss=True, wait=True)
    same("a database beside it keeps its newest", len([n for n in names(o) if n.endswith(".other.db")]), 1)
    same("and deletes nobody else's", [n for n in names(o) if AUTOMATIC.match(n)], made)
    other.finish()
    d.finish()

    # The folder cannot be made: its parent is a file.
    d = Daemon(settings={"migrate.backup": "before", "store.backup_folder": "/dev/null/x"})
    c = d.client()
    e = refused("without its backup the run fails", lambda: c("migrate.up", files=files(1), wait=True),
                "FAILED_MIGRATION")
    check("saying why, and of which file", "the backup before the run has failed" in e.message and
          e.message.startswith("0001_v.sql: "), e.message)
    same("coded", c("migrate.status")["job"]["error_name"], "SQLITE_CANTOPEN")
    same("and nothing has changed", [c("status")["version"], c("schema")["schema"]], [0, []])


@suite.section
def before_life():
    """The job while its backup is made: what is seen of it, abort, kill -9."""
    d = Daemon(settings={"migrate.backup": "before"})
    c = d.client()
    c("migrate.up", files=files(1), wait=True)
    fill(c, 30)

    def seen_at_it():
        """A run that is making its backup just now; too late is tried again."""
        for _ in range(50):
            c("migrate.up", files=files(1, 2))
            while (job := c("migrate.status")["job"])["state"] in ("queued", "running"):
                if "the backup before the run" in (job["throttled"] or "") and is_part(left(d)):
                    return job
            c("migrate.down", files=files(1, 2), wait=True)
        return None

    job = seen_at_it()
    check("the job tells that it waits for its backup",
          job and job["phase"] == "preparing" and job["state"] == "running", job)
    c("migrate.abort")
    same("aborted meanwhile, it changes nothing", c("status")["version"], 1)
    until("nor leaves a part", lambda: not is_part(left(d)))
    for n in names(c):
        c("backup.delete", name=n)
    check("another", seen_at_it())
    d.kill()
    d.start()
    c = d.client()
    until("after kill -9 the run goes on", lambda: c("status")["version"] == 2, 30)
    made = [n for n in names(c) if AUTOMATIC.match(n)]
    path = os.path.join(folder(d), made[-1])
    check("with a backup from before it", sound(path) and not is_part(left(d)) and
          copy_rows(path, "SELECT name FROM sqlite_schema WHERE name='two'") == [], made)
    d.finish()

    home = tempfile.mkdtemp(prefix="alterd-t-")
    os.mkdir(os.path.join(home, "m"))
    with open(os.path.join(home, "m", "0001_v.sql"), "w", encoding="utf-8") as f:
        f.write(FILES[1])
    d = Daemon(folder=home, settings={"migrate.backup": "before", "migrate.on_start": "up",
                                      "migrate.folder": os.path.join(home, "m")})
    same("a new database needs none at its start", [d.client()("status")["version"], left(d)], [1, []])
    d.stop()
    with open(os.path.join(home, "m", "0002_v.sql"), "w", encoding="utf-8") as f:
        f.write(FILES[2])
    d.start()
    c = d.client()
    until("the run of the start", lambda: c("status")["version"] == 2, 30)
    check("has its backup", len(left(d)) == 1 and left(d)[0].startswith("before-2-"), left(d))


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def restore(d, backup, *more):
    return subprocess.run([program("alterctl"), "restore", backup, d.db, *more], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=scaled(60), check=False)


def kept(d):
    return sorted(f for f in os.listdir(d.folder) if ".before-restore-" in f)


@suite.section
def restoring():
    d = Daemon()
    c = d.client()
    c.exec("CREATE TABLE t(a INTEGER PRIMARY KEY)")
    c.exec("INSERT INTO t VALUES(1)")
    good = c("backup", name="good.db")["path"]
    c.exec("INSERT INTO t VALUES(2)")
    r = restore(d, good)
    check("refused while a daemon owns it", r.returncode == 75 and "another alterd owns" in r.stderr, r)
    same("and it serves on", c.rows("SELECT a FROM t"), [[1], [2]])
    # A crash: the last commits are in the log alone.
    d.kill()
    check("the log holds something", os.path.getsize(d.db + "-wal") > 0)
    os.chmod(d.db, 0o604)
    bad = os.path.join(d.folder, "bad.db")
    with open(good, "rb") as f:
        data = bytearray(f.read())
    data[4096 * 2:4096 * 2 + 64] = b"\xff" * 64
    with open(bad, "wb") as f:
        f.write(data)
    was = digest(d.db), digest(d.db + "-wal")
    r = restore(d, bad)
    check("a damaged backup is refused", r.returncode == 1 and r.stderr, r)
    with open(bad, "wb") as f:
        f.write(b"no database at all, but long enough to be read as one " * 100)
    check("and what is none", restore(d, bad).returncode == 1)
    open(bad, "wb").close()
    check("and an empty file", restore(d, bad).returncode == 1)
    same("and one that is not there", restore(d, good + "x").returncode, 66)
    same("and the database itself", restore(d, d.db).returncode, 2)
    same("nothing has changed", (digest(d.db), digest(d.db + "-wal")), was)
    same("nor is anything left", [f for f in os.listdir(d.folder) if "restore" in f], [])
    r = restore(d, good, "--json")
    same("restored", r.returncode, 0)
    told = json.loads(r.stdout)
    same("what is told", sorted(told), ["bytes", "database", "kept", "version"])
    same("the file before is kept with its log", kept(d),
         [os.path.basename(told["kept"]), os.path.basename(told["kept"]) + "-wal"])
    same("mode and all", os.stat(d.db).st_mode & 0o777, 0o604)
    same("no log of the old one beside it", [f for f in os.listdir(d.folder) if f.startswith("app.db-")], [])
    d.start()
    same("it is the backup that is served", d.client().rows("SELECT a FROM t"), [[1]])
    same("it stops", d.stop(), 0)
    same("what was kept has all that was acknowledged", copy_rows_wal(told["kept"]), [(1,), (2,)])
    r = restore(d, told["kept"])
    check("the way back, and told in words", r.returncode == 0 and "is restored" in r.stdout and "kept as" in r.stdout, r)
    d.start()
    same("all is there again", d.client().rows("SELECT a FROM t"), [[1], [2]])
    d.stop()
    os.unlink(d.db)
    r = restore(d, good)
    check("where there was nothing, nothing is kept", r.returncode == 0 and "kept" not in r.stdout, r)
    d.start()


def copy_rows_wal(path):
    """Of a database with its log, which stays as it is."""
    home = tempfile.mkdtemp(prefix="alterd-t-")
    try:
        for suffix in ("", "-wal"):
            if os.path.exists(path + suffix):
                shutil.copyfile(path + suffix, os.path.join(home, "x.db" + suffix))
        plain = sqlite3.connect(os.path.join(home, "x.db"))
        rows = plain.execute("SELECT a FROM t").fetchall()
        plain.close()
        return rows
    finally:
        shutil.rmtree(home)


@suite.section
def ctl():
    d = Daemon()
    c = d.client()
    fill(c, 3)
    r = d.ctl("backup", "one.db", "--verify")
    check("made by name", r.returncode == 0 and "one.db" in r.stdout and "checked" in r.stdout, r)
    same("the daemon has it", names(c), ["one.db"])
    mine = os.path.join(d.folder, "mine.db")
    r = d.ctl("backup", "-o", mine)
    check("into a file of one's own", r.returncode == 0 and mine in r.stdout, r)
    check("which is a sound copy", sound(mine) and copy_rows(mine, "SELECT count(*) FROM bulk") == [(1500,)])
    same("only its owner reads it", os.stat(mine).st_mode & 0o777, 0o600)
    same("the daemon keeps none", names(c), ["one.db"])
    r = d.ctl("backup", "-o", mine)
    check("no file is written over", r.returncode == 1 and "already" in r.stderr, r)
    same("unless it is asked for", d.ctl("backup", "-f", "-o", mine, "two.db").returncode, 0)
    same("with a name the daemon keeps it", names(c), ["one.db", "two.db"])
    same("byte for byte", digest(mine), digest(os.path.join(folder(d), "two.db")))
    r = d.ctl("--json", "backup", "fetch", "one.db", "-o", mine, "-f")
    same("fetched", json.loads(r.stdout), {"file": mine, "bytes": os.path.getsize(mine)})
    same("the same bytes", digest(mine), digest(os.path.join(folder(d), "one.db")))
    r = d.ctl("backup", "list")
    check("listed", r.returncode == 0 and "one.db" in r.stdout and "two.db" in r.stdout, r.stdout)
    same("deleted", d.ctl("backup", "delete", "one.db").returncode, 0)
    same("gone", [b["name"] for b in json.loads(d.ctl("--json", "backup", "list").stdout)["backups"]], ["two.db"])
    r = d.ctl("backup", "fetch", "one.db", "-o", os.path.join(d.folder, "x"))
    check("fetched no more", r.returncode == 1 and "NOT_FOUND" in r.stderr, r)
    check("and nothing is left of that", not [f for f in os.listdir(d.folder) if f.startswith("x")])
    same("two names", d.ctl("backup", "a", "b").returncode, 2)
    same("nothing to delete", d.ctl("backup", "delete").returncode, 2)
    r = d.ctl("backup", "three.db", "-o", os.path.join(d.folder, "no", "file"))
    check("a folder that is not there", r.returncode == 1 and r.stderr, r)
    r = d.ctl("--json", "backup", "four.db")
    same("as JSON the protocol's answer", sorted(json.loads(r.stdout)), ["bytes", "ms", "path", "version"])


suite.run()
