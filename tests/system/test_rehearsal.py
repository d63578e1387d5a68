#!/usr/bin/env python3
"""plan --try: the run on a copy of the database, beside everybody's work; what it leaves, and what ends it."""
import json
import os
import resource
import select
import signal
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from bombs import DOUBLED
from daemon import Daemon
from limits import SANITIZER, scaled, until
from suite import Suite
from wire import RpcError

suite = Suite(limit=300)

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) "
TRY = {"try": True}
WAIT = 120.0  # the lowest priority, on a machine that may be busy
LARGE = 20_000 if SANITIZER else 100_000


def files(*scripts):
    return [{"name": "%04d_step.sql" % i, "sql": sql if "migrate:up" in sql else "-- migrate:up\n" + sql}
            for i, sql in enumerate(scripts, 1)]


def rehearse(c, folder, **more):
    return c.answer(c.send("migrate.plan", files=folder, **dict(TRY, **more)), timeout=scaled(WAIT))


def filled(rows=3000, **kw):
    d = Daemon(**kw)
    with d.client() as c:
        c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, pad BLOB)")
        for at in range(0, rows, 20_000):
            n = min(20_000, rows - at)
            c.exec("INSERT INTO t " + NUMBERS % n + "SELECT i+%d, i, zeroblob(100) FROM n" % at)
        c("migrate.baseline", version=1, files=files("SELECT 1;"))
    return d


def bytes_of(d):
    out = {}
    for tail in ("", "-wal"):
        with open(d.db + tail, "rb") as f:
            out[tail] = f.read()
    return out


def left(folder):
    return [n for n in os.listdir(folder) if "alterd-try" in n]


def children(d):
    """Processes that the daemon has started and that are still there."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as f:
                state, parent = f.read().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == d.process.pid and state != "Z":
            out.append(pid)
    return out


RUN = (
    "SELECT 1;",
    "ALTER TABLE t ALTER v TYPE INT;\n",
    "CREATE INDEX t_v ON t(v);\n",
    "CREATE TABLE u(x);\nINSERT INTO u SELECT v FROM t;\n",
    "ALTER TABLE u RENAME x TO y;\n",
)


@suite.section
def what_it_tells():
    d = filled()
    with d.client() as c:
        before = bytes_of(d)
        answer = rehearse(c, files(*RUN))
        suite.same("not a byte of file and log has changed", bytes_of(d) == before, True)
        suite.same("nothing is left", left(d.folder), [])
        suite.same("no process is left", children(d), [])
        suite.same("the plan is there as ever", [s["strategy"] for s in answer["steps"]],
                   ["rebuild", "index", "exact", "instant"])
        tried = answer["try"]
        suite.same("it works", tried["state"], "done")
        suite.same("each version", [(v["version"], v["strategy"], v["table"], v["state"], v["rows"], v["error"])
                                    for v in tried["steps"]],
                   [(2, "rebuild", "t", "done", 3000, None), (3, "index", "t", "done", 3000, None),
                    (4, "exact", None, "done", 0, None), (5, "instant", "u", "done", 0, None)])
        suite.check("times", all(v["took_ms"] >= 0 and v["longest_hold_ms"] > 0 and v["swap_ms"] > 0
                                 for v in tried["steps"]), tried)
        suite.check("the copy", tried["bytes"] >= 3000 * 100 and tried["copy_ms"] >= 0, tried)
        suite.same("no job is told of", c("migrate.status")["job"], None)
        suite.same("none is in the history", c("migrate.history")["history"], [])
        suite.same("the version", c("migrate.status")["version"], 1)
        suite.same("the session goes on", c.value("SELECT count(*) FROM t"), 3000)
        done = c("migrate.up", files=files(*RUN), wait=True)
        suite.same("and the run itself does it", (done["state"], done["to"]), ("done", 5))
        suite.same("nothing to run", rehearse(c, files(*RUN))["try"]["steps"], [])
    d.finish()


@suite.section
def a_version_that_fails():
    d = filled()
    with d.client() as c:
        c.exec("UPDATE t SET v = NULL WHERE id IN (7, 11)")
        tried = rehearse(c, files("SELECT 1;", "SELECT 2;", "ALTER TABLE t ALTER v SET NOT NULL;\n", "SELECT 3;"))["try"]
        suite.same("it fails", tried["state"], "failed")
        suite.same("up to there", [(v["version"], v["state"]) for v in tried["steps"]], [(2, "done"), (3, "failed")])
        error = tried["steps"][1]["error"]
        suite.same("as the run would", (error["code"], error["name"], error["count"]), (-32026, "FAILED_MIGRATION", 2))
        suite.same("rows are named", [(r["rowid"], r["column"], r["reason"]) for r in error["rows"]],
                   [(7, "v", "NOT NULL"), (11, "v", "NOT NULL")])
        suite.check("and the file", error["message"].startswith("0003_step.sql"), error["message"])
        tried = rehearse(c, files("SELECT 1;", "CREATE TABLE x(a UNIQUE);\nINSERT INTO x VALUES(1);\nINSERT INTO x VALUES(1);\n"))["try"]
        suite.check("file and line", "0002_step.sql:4: UNIQUE" in tried["steps"][0]["error"]["message"], tried)
        drop = files("SELECT 1;", "ALTER TABLE t DROP COLUMN v;\n")
        error = rehearse(c, drop)["try"]["steps"][0]["error"]
        suite.same("consent is wanted", error["name"] in ("NEEDS_FORCE", "FAILED_MIGRATION") and "allow_data_loss" in error["message"], True)
        suite.same("with consent it works", rehearse(c, drop, allow_data_loss=True)["try"]["state"], "done")
        suite.same("nothing was dropped", c.value("SELECT count(v) FROM t"), 2998)
    d.finish()


@suite.section
def the_way_back():
    d = filled()
    with d.client() as c:
        folder = files("SELECT 1;", "-- migrate:up\nALTER TABLE t ADD COLUMN w TEXT;\n-- migrate:down\nALTER TABLE t DROP COLUMN w;\n")
        c("migrate.up", files=folder, wait=True)
        answer = rehearse(c, folder, to=1)
        suite.same("the plan goes down", [(s["version"], s["direction"]) for s in answer["steps"]], [(2, "down")])
        suite.same("so does the rehearsal", [(v["version"], v["direction"], v["state"]) for v in answer["try"]["steps"]],
                   [(2, "down", "done")])
        suite.same("here it is up", c("migrate.status")["version"], 2)
    d.finish()


@suite.section
def clients_go_on():
    """Clients write all the while; the copy has one state of the database, and none of them fails."""
    d = filled(LARGE)
    stop, failures, written = threading.Event(), [], [0]

    def write():
        try:
            with d.client() as c:
                while not stop.is_set():
                    c.exec("UPDATE t SET v = v + 1 WHERE id = ?", written[0] % 1000 + 1)
                    written[0] += 1
        except (RpcError, OSError, ValueError) as e:
            failures.append(repr(e))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with d.client() as c:
            tried = rehearse(c, files("SELECT 1;", "ALTER TABLE t ALTER v TYPE INT;\n"))["try"]
        suite.same("it works", (tried["state"], tried["steps"][0]["rows"]), ("done", LARGE))
    finally:
        stop.set()
        writer.join()
    suite.same("no client failed", failures, [])
    suite.check("they wrote meanwhile", written[0] > 10, written)
    with d.client() as c:
        suite.same("what they wrote is there", c.value("SELECT sum(CAST(v AS INT)) FROM t") -
                   sum(i % 20_000 + 1 for i in range(LARGE)), written[0])
    suite.same("nothing is left", left(d.folder), [])
    d.finish()


def begin(d, c):
    """Sends a slow rehearsal and waits for its copy; the last one may not be quite gone yet. Returns the request's id."""
    sent = [c.send("migrate.plan", files=SLOW, **TRY)]

    def going():
        if left(d.folder):
            return True
        if select.select([c.sock], [], [], 0)[0]:
            suite.refused("the last one is just going", lambda: c.answer(sent[0]), "BUSY")
            sent[0] = c.send("migrate.plan", files=SLOW, **TRY)
        return False

    until("the copy is being made", going, WAIT)
    return sent[0]


SLOW = files("SELECT 1;", *("ALTER TABLE t ALTER v TYPE %s;\n" % ("INT" if i % 2 else "TEXT") for i in range(30)))


def gone(d):
    until("nothing is left", lambda: not left(d.folder) and not children(d), WAIT)


@suite.section
def what_ends_it():
    d = filled(LARGE)
    with d.client() as c, d.client() as other:
        request = begin(d, c)
        suite.refused("one at a time", lambda: other("migrate.plan", files=SLOW, **TRY), "BUSY")
        suite.check("a plan alone is no matter", len(other("migrate.plan", files=SLOW)["steps"]) == 30)
        suite.same("control goes past it", c("ping"), {})
        suite.same("cancel", c("cancel", id=request), {"cancelled": True})
        e = suite.refused("it is answered", lambda: c.answer(request), "SQLITE_INTERRUPT")
        suite.same("with the reason", e.data.get("reason"), "cancel")
        gone(d)

        def ends():
            """By what; None while the last one, whose process has gone, has not quite left its place."""
            try:
                return c("migrate.plan", files=SLOW, timeout_ms=300, **TRY)
            except RpcError as e:
                return None if e.name == "BUSY" else e.name

        suite.same("its own time", until("the next one begins", ends, WAIT), "SQLITE_INTERRUPT")
        gone(d)
        third = d.client()
        begin(d, third)
        third.close()
        gone(d)
        suite.check("a client that is gone takes it along", True)
        fourth = d.client()
        request = begin(d, fourth)
        os.kill(int(children(d)[0]), 9)
        e = suite.refused("a process that dies is told of", lambda: fourth.answer(request), "INTERNAL")
        suite.check("by its signal", "signal 9" in e.message, e.message)
        fourth.close()
        gone(d)
        job = c("migrate.alter", sql="ALTER TABLE t ALTER v TYPE INT", postpone_cutover=True)["job"]
        suite.refused("not beside a change", lambda: c("migrate.plan", files=SLOW, **TRY), "MIGRATION_RUNNING")
        c("migrate.abort", job=job)
        c("begin", mode="read")
        suite.refused("not in a transaction", lambda: c("migrate.plan", files=SLOW, **TRY), "IN_TRANSACTION")
        c("rollback")
        begin(d, c)
        pid = children(d)[0]
        suite.same("the daemon ends as ever", d.stop(), 0)
        suite.check("and takes it along", not os.path.exists("/proc/" + pid))
        suite.same("nothing is left", left(d.folder), [])
    d.finish()


@suite.section
def killed_in_the_middle():
    for where in ("beside", "elsewhere"):
        with tempfile.TemporaryDirectory(prefix="alterd-try-") as folder:
            d = filled(LARGE, settings={"migrate.try_folder": folder} if where == "elsewhere" else {})
            place = d.folder if where == "beside" else folder
            with d.client() as c:
                c.send("migrate.plan", files=SLOW, **TRY)
                until("the copy is being made", lambda: left(place), WAIT)
                pid = children(d)[0]
                if where == "elsewhere":
                    until("it is being worked on", lambda: any(n.endswith("-wal") for n in left(place)), WAIT)
                d.kill()
            until("%s: its process is gone" % where, lambda: not os.path.exists("/proc/" + pid), WAIT)
            suite.check("%s: something is left" % where, left(place))
            d.start()
            suite.same("%s: the next start removes it" % where, left(place), [])
            with d.client() as c:
                suite.same("%s: the database is as it was" % where, c.value("SELECT count(*) FROM t"), LARGE)
                suite.same("%s: and its version" % where, c("migrate.status")["version"], 1)
            suite.same("%s: it ends well" % where, d.stop(), 0)
            suite.same("%s: integrity" % where, d.integrity(), "ok")
            d.finish()


@suite.section
def no_room():
    d = filled(settings={"store.disk_reserve": "1023GiB"})
    with d.client() as c:
        e = suite.refused("no room for the copy", lambda: rehearse(c, files(*RUN)), "SQLITE_FULL")
        suite.check("says how much", "needs about" in e.message and "store.disk_reserve" in e.message, e.message)
        suite.same("nothing is left", left(d.folder), [])
    d.finish()
    d = filled(settings={"migrate.try_folder": "/nowhere/at/all"})
    with d.client() as c:
        suite.refused("no such folder", lambda: rehearse(c, files(*RUN)), "SQLITE_CANTOPEN")
    d.finish()


@suite.section
def no_room_later():
    """The estimate was fine, and then the run makes more than anybody could know."""
    d = Daemon(settings={"store.disk_reserve": "0MiB"}, start=False)
    d.spawn(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (24 << 20, 24 << 20)))
    d.wait_ready()
    with d.client() as c:
        c("migrate.baseline", version=1, files=files("SELECT 1;"))
        much = "CREATE TABLE x(a);\nINSERT INTO x " + NUMBERS % 40 + "SELECT zeroblob(1000000) FROM n;\n"
        e = suite.refused("no room for the run", lambda: rehearse(c, files("SELECT 1;", much)), "SQLITE_FULL",
                          "FAILED_MIGRATION")
        suite.check("says so", "the rehearsal" in e.message, e.message)
        suite.same("the database is as it was", c.value("SELECT count(*) FROM sqlite_schema WHERE name='x'"), 0)
        gone(d)
    d.finish()


@suite.section
def no_memory():
    d = filled(rows=10, settings={"store.memory": "32MiB"})
    with d.client() as c:
        e = suite.refused("it has as much memory as the daemon", lambda: rehearse(
            c, files("SELECT 1;", "INSERT INTO t(v) %s;\n" % DOUBLED)), "FAILED_MIGRATION", "SQLITE_NOMEM")
        suite.check("says so", "the rehearsal" in e.message and "out of memory" in e.message, e.message)
        gone(d)
    d.finish()


@suite.section
def a_log_that_grows():
    """The copy's snapshot holds the log: above its hard cap it is the rehearsal that goes."""
    d = filled(LARGE, settings={"store.wal_cap": "1MiB", "store.wal_hard_cap": "2MiB", "store.checkpoint_at": "512KiB"})
    with d.client() as c, d.client() as other:
        request = begin(d, c)
        copy, child = d.db + ".alterd-try", children(d)

        def answered():
            return bool(select.select([c.sock], [], [], 0)[0])

        # The snapshot is there before the first page is. What filled the table may be above the cap by itself.
        until("its first pages, or its end", lambda: answered() or (os.path.exists(copy) and os.path.getsize(copy) > 0), WAIT,
              every=0.001)
        if not answered() and not os.path.exists(copy + ".alterd-lock"):
            os.kill(int(child[0]), signal.SIGSTOP)
        if os.path.exists(copy + ".alterd-lock"):
            suite.skip("a log that grows", "the copy was made too quickly")
            if child and os.path.exists("/proc/" + child[0]):
                os.kill(int(child[0]), signal.SIGCONT)
            c("cancel", id=request)
        else:
            for i in range(300):
                other.exec("UPDATE t SET pad = randomblob(100) WHERE id BETWEEN ? AND ?", i * 100, i * 100 + 99)
            e = suite.refused("it is given up", lambda: c.answer(request), "BUSY")
            suite.check("and says why", "store.wal_hard_cap" in e.message, e.message)
        gone(d)
    d.finish()


@suite.section
def by_alterctl():
    d = filled()
    folder = os.path.join(d.folder, "m")
    os.mkdir(folder)
    for f in files(*RUN):
        with open(os.path.join(folder, f["name"]), "w", encoding="utf-8") as out:
            out.write(f["sql"])
    r = d.ctl("plan", "--try", "--dir", folder, limit=WAIT)
    suite.same("exit code", r.returncode, 0)
    suite.check("it says so", "it works\n" in r.stdout and " 2  step  done  rebuild t  3,000 rows  in " in r.stdout, r.stdout + r.stderr)
    with open(os.path.join(folder, "0006_bad.sql"), "w", encoding="utf-8") as out:
        out.write("-- migrate:up\nINSERT INTO t(id) VALUES(1);\nSELECT 1;\n")
    r = d.ctl("plan", "--try", "--dir", folder, limit=WAIT)
    suite.same("a failure's exit code", r.returncode, 1)
    suite.check("and its place", "it fails\n" in r.stdout and "0006_bad.sql:2: UNIQUE" in r.stdout, r.stdout + r.stderr)
    r = d.ctl("--json", "plan", "--try", "--dir", folder, limit=WAIT)
    suite.same("the same with --json", (r.returncode, json.loads(r.stdout)["try"]["state"]), (1, "failed"))
    r = d.ctl("plan", "--dir", folder)
    suite.check("without it nothing is tried", r.returncode == 0 and "rehearsed" not in r.stdout, r.stdout)
    d.finish()


suite.run()
