#!/usr/bin/env python3
"""Versions whose file asks not to be one transaction: piece by piece, partial, mended, resolved; kill -9 in between."""
import os
import pwd
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from limits import SANITIZER, until
from suite import Suite
from wire import RpcError

suite = Suite(limit=150)

ME = pwd.getpwuid(os.getuid()).pw_name
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) "
FIRST = ("0001_a.sql", "-- migrate:up\nCREATE TABLE a(x INTEGER PRIMARY KEY, y TEXT);\n-- migrate:down\nDROP TABLE a;\n")
LAST = ("0003_c.sql", "-- migrate:up\nCREATE TABLE c(x);\n")


def files(folder):
    return [{"name": name, "sql": text} for name, text in folder]


def loose(*statements):
    """Version 2: its statements stand in the lines from 2 on."""
    return ("0002_b.sql", "-- migrate:up transaction:false\n%s;\n-- migrate:down\nSELECT 1;\n" % ";\n".join(statements))


def entry(done, total, version=2):
    return [{"version": version, "state": "partial", "done": done, "total": total}]


def failure(c, folder, method="migrate.up", **more):
    """The error of a run; None if there is none."""
    try:
        c(method, files=files(folder), wait=True, **more)
    except RpcError as e:
        return e
    return None


def says(what, e, code, *texts):
    suite.check(what, e is not None and e.code == code and all(t in e.message for t in texts), e)


FIVE = [
    "CREATE TABLE b(x INTEGER PRIMARY KEY, y TEXT)",
    "INSERT INTO b VALUES(1, '10')",
    "INSERT INTO b VALUES(1, '20')",
    "ALTER TABLE b ALTER y TYPE INTEGER",
    "CREATE INDEX b_y ON b(y)",
]
MENDED = FIVE[:2] + ["INSERT INTO b VALUES(2, '20')"] + FIVE[3:]


def stopped():
    """A daemon whose version 2 stands at 2 of 5."""
    d = Daemon()
    with d.client() as c:
        folder = [FIRST, loose(*FIVE), LAST]
        e = failure(c, folder)
        says("it fails with file and line", e, -32026, "0002_b.sql:4: UNIQUE")
        suite.same("and says how far it is", e.data.get("partial"), {"done": 2, "total": 5})
    return d


@suite.section
def a_statement_fails():
    d = stopped()
    with d.client() as c:
        folder, mended = [FIRST, loose(*FIVE), LAST], [FIRST, loose(*MENDED), LAST]
        suite.same("what came before stays", c.rows("SELECT * FROM b"), [[1, "10"]])
        suite.same("the version is that before", c("migrate.status")["version"], 1)
        suite.same("status tells at once", c("migrate.status")["problems"], entry(2, 5))
        suite.same("so does the daemon's", c("status")["problems"], entry(2, 5))
        listed = c("migrate.list", files=files(folder))
        suite.same("so does list", listed["problems"], entry(2, 5))
        suite.same("it is to be run still", listed["pending"], [2, 3])
        row = listed["migrations"][1]
        suite.same("its line", (row["state"], row["done"], row["total"], row["ran_by"]), ("partial", 2, 5, ME))
        says("it goes on where it failed", failure(c, folder), -32026, "0002_b.sql:4: UNIQUE")
        suite.same("no further", c("migrate.status")["problems"], entry(2, 5))
        says("down is refused", failure(c, folder, "migrate.down"), -32028, "version 2 is partial", "2 of 5")
        says("so is going below", failure(c, folder, "migrate.to", version=0), -32028, "version 2 is partial")
        says("and staying", failure(c, folder, "migrate.to", version=1), -32028, "version 2 is partial")
        says("its file is gone", failure(c, [FIRST, LAST]), -32028, "version 2 is partial", "0002_b.sql", "resolve")
        says("baseline", failure_of(lambda: c("migrate.baseline", version=2, files=files(folder))), -32028, "partial")
        other = [FIRST, loose(FIVE[0], "INSERT INTO b VALUES(1, '11')", *MENDED[2:]), LAST]
        e = failure(c, other)
        says("another statement than the one that ran", e, -32022, "0002_b.sql:3: statement 2 of version 2")
        suite.same("file and line as data", (e.data["file"], e.data["line"]), ("0002_b.sql", 3))
        says("one is missing", failure(c, [FIRST, loose(FIVE[0]), LAST]), -32022, "0002_b.sql:2: statement 2")
        suite.same("nothing has run", c.rows("SELECT * FROM b"), [[1, "10"]])
    d.kill()
    d.start()
    with d.client() as c:
        suite.same("a crash changes nothing", c("migrate.status")["problems"], entry(2, 5))
        plan = c("migrate.plan", files=files(mended))["steps"][0]
        suite.same("the plan goes on there", [s["line"] for s in plan["statements"]], [4, 5, 6])
        suite.same("and says so", (plan["transaction"], plan["done"], plan["total"]), (False, 2, 5))
        # Comments and blanks are not the statements.
        name, text = loose(*MENDED)
        text = text.replace(FIVE[1], "-- the first row\n" + FIVE[1])
        suite.same("mended it goes on", c("migrate.up", files=files([FIRST, (name, text), LAST]), wait=True)["to"], 3)
        suite.same("each has run once", c.rows("SELECT x, y, typeof(y) FROM b"), [[1, 10, "integer"], [2, 20, "integer"]])
        suite.same("no problem is left", c("migrate.status")["problems"], [])
        row = c("migrate.list", files=files([FIRST, (name, text), LAST]))["migrations"][1]
        suite.same("in the history with the file as it is now", (row["state"], row["applied_by"], row["tool"]),
                   ("applied", ME, "alterd"))
        suite.same("nothing is kept of its parts", d_count(d), (0, 0))
        suite.same("now it can go down", c("migrate.down", steps=2, wait=True, files=files(
            [FIRST, (name, text), (LAST[0], LAST[1] + "-- migrate:down\nDROP TABLE c;\n")]))["to"], 1)
    d.finish()


def failure_of(call):
    try:
        call()
    except RpcError as e:
        return e
    return None


def d_count(d):
    """Rows of the two tables, read from a copy of the file beside the daemon."""
    import shutil
    import sqlite3

    with tempfile.TemporaryDirectory(prefix="alterd-t-") as t:
        for tail in ("", "-wal"):
            if os.path.exists(d.db + tail):
                shutil.copy(d.db + tail, os.path.join(t, "copy" + tail))
        with sqlite3.connect(os.path.join(t, "copy")) as db:
            return tuple(db.execute("SELECT count(*) FROM " + x).fetchone()[0] for x in ("_alterd_partial", "_alterd_ran"))


@suite.section
def by_alterctl():
    d = stopped()
    with tempfile.TemporaryDirectory(prefix="alterd-t-") as t:
        def write(folder):
            for name, text in folder:
                with open(os.path.join(t, name), "w", encoding="utf-8") as f:
                    f.write(text)

        write([FIRST, loose(*FIVE), LAST])
        r = d.ctl("list", "--dir", t)
        suite.check("list", " [!]  2  b" in r.stdout and "partial 2/5" in r.stdout, r.stdout)
        suite.check("what is next", "alterctl resolve 2 --applied" in r.stderr, r.stderr)
        r = d.ctl("status", "--exit-code")
        suite.check("status", r.returncode == 13 and "version 2  partial 2/5" in r.stdout, (r.returncode, r.stdout))
        with d.client() as c:
            c("migrate.alter", sql="CREATE TABLE z(x)", wait=True)
        suite.same("13 also where another job is the last", d.ctl("status", "--exit-code").returncode, 13)
        r = d.ctl("plan", "--dir", t)
        suite.check("plan", "a part of it has run" in r.stdout and "line 4: exact" in r.stdout, r.stdout)
        r = d.ctl("up", "--dir", t)
        suite.check("up tells what is left", r.returncode == 1 and "2 of 5 statements have run, and stay" in r.stderr
                    and "as they were" not in r.stderr, r.stderr)
        r = d.ctl("resolve", "2", "--dir", t)
        suite.check("resolve wants a word", r.returncode == 2 and "--applied" in r.stderr, r.stderr)
        r = d.ctl("resolve", "2", "--dir", t, "--applied", "--not-applied")
        suite.same("not two", r.returncode, 2)
        write([loose(*MENDED)])
        r = d.ctl("resolve", "2", "--dir", t, "--not-applied")
        suite.check("resolve", r.returncode == 0 and "counts as never begun, after 2 of 5" in r.stdout, r.stdout)
        r = d.ctl("up", "--dir", t)
        suite.check("from its first statement", r.returncode == 1 and "0002_b.sql:2: " in r.stderr, r.stderr)
        with d.client() as c:
            c.exec("DROP TABLE b")
        suite.same("now all goes", d.ctl("up", "--dir", t).returncode, 0)
        suite.same("current", d.ctl("status", "--exit-code").returncode, 0)
    d.finish()


@suite.section
def resolved():
    d = stopped()
    with d.client() as c, d.client() as other:
        folder = [FIRST, loose(*FIVE), LAST]
        for version in (1, 3):
            suite.refused("version %d is not partial" % version,
                          lambda v=version: c("migrate.resolve", version=v, applied=True, files=files(folder)), -32028)
        suite.refused("applied or not", lambda: c("migrate.resolve", version=2), -32602)
        other("hello", readonly=True)
        suite.refused("not in a session that only reads",
                      lambda: other("migrate.resolve", version=2, applied=True), -32003)
        done = c("migrate.resolve", version=2, applied=True, files=files(folder))
        suite.same("it answers", (done["version"], done["applied"], done["done"], done["total"]), (2, True, 2, 5))
        suite.same("no problem is left", c("migrate.status")["problems"], [])
        suite.same("the version", c("migrate.status")["version"], 2)
        listed = c("migrate.list", files=files(folder))
        suite.same("list", (listed["problems"], listed["pending"]), ([], [3]))
        row = listed["migrations"][1]
        suite.same("who did it", (row["state"], row["applied_by"], row["tool"], row["checksum"]),
                   ("applied", ME, "resolve", done["checksum"]))
        job = c("migrate.history")["history"][-1]
        suite.same("the history tells", (job["version"], job["state"], job["sql"], job["applied_by"]),
                   (2, "done", "resolve --applied", ME))
        suite.same("the last job", c("migrate.status")["job"]["state"], "done")
        suite.refused("only once", lambda: c("migrate.resolve", version=2, applied=True), -32028)
        suite.same("the rest runs", c("migrate.up", files=files(folder), wait=True)["to"], 3)
        suite.same("user_version follows", c.value("PRAGMA user_version"), 3)
    suite.same("it ends well", d.restart(), 0)
    with d.client() as c:
        suite.same("also after a restart", c("migrate.history")["history"][-2]["sql"], "resolve --applied")
    d.finish()
    # Without any file: what was kept of it counts. And the first version of all.
    d = Daemon()
    with d.client() as c:
        alone = [("1_x.sql", "-- migrate:up transaction:false\nCREATE TABLE x(a);\nbad;\n-- migrate:down\nDROP TABLE x;\n")]
        says("a statement that is none", failure(c, alone), -32026, '1_x.sql:3: near "bad"')
        checksum = c("migrate.list", files=files(alone))["migrations"][0]["checksum"]
        says("up does not want a baseline", failure(c, alone), -32026, "1_x.sql:3")
        done = c("migrate.resolve", version=1, applied=True)
        suite.same("the checksum is that of the file that ran", done["checksum"], checksum)
        suite.same("its way down is known", c("migrate.down", wait=True)["to"], 0)
        suite.same("and was gone", c.value("SELECT count(*) FROM sqlite_schema WHERE name='x'"), 0)
        says("again", failure(c, alone), -32026, "1_x.sql:3")
        c("migrate.resolve", version=1, applied=False)
        suite.same("forgotten", (c("migrate.status")["version"], c("migrate.status")["problems"]), (0, []))
        suite.same("in the history", c("migrate.history")["history"][-1]["sql"], "resolve --not-applied")
        good = [(alone[0][0], alone[0][1].replace("bad;\n", "").replace("x(a)", "IF NOT EXISTS x(a)"))]
        c.exec("DROP TABLE x")
        suite.same("from the beginning", c("migrate.up", files=files(good), wait=True)["to"], 1)
    d.finish()


@suite.section
def not_beside_a_run():
    d = stopped()
    with d.client() as c, d.client() as other:
        c("migrate.up", files=files([FIRST, loose(*MENDED), LAST]), postpone_cutover=True)
        until("it waits", lambda: other("migrate.status")["job"]["phase"] in ("ready", "swapping"))
        suite.refused("while it runs", lambda: other("migrate.resolve", version=2, applied=True), -32020)
        until("the third has to wait", lambda: other("migrate.status")["job"]["state"] == "running")
        gone = other("migrate.abort")
        suite.same("aborted it stays partial", (gone["state"], gone["version"]), ("aborted", 1))
        problem = other("migrate.status")["problems"]
        suite.check("no less than before", problem and problem[0]["done"] >= 2 and problem[0]["total"] == 5, problem)
        suite.same("the rest later", c("migrate.up", files=files([FIRST, loose(*MENDED), LAST]), wait=True)["to"], 3)
        suite.same("each has run once", c.value("SELECT count(*) FROM b"), 2)
    d.finish()


@suite.section
def what_cannot_be_in_a_transaction():
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files([FIRST]), wait=True)
        c.exec("INSERT INTO a VALUES(1,'1'),(2,'2')")
        sql = [
            "PRAGMA foreign_keys=OFF",
            "VACUUM",
            "CREATE TABLE k(x INTEGER PRIMARY KEY, a INTEGER REFERENCES a(x))",
            "PRAGMA journal_mode=DELETE",
            "INSERT INTO k VALUES(1,1)",
            "BEGIN IMMEDIATE",
            "CREATE TEMP TABLE t AS SELECT x FROM a",
            "INSERT INTO k SELECT x+10, x FROM t",
            "INSERT INTO k VALUES(1,2)",
            "COMMIT",
            "PRAGMA foreign_keys=ON",
        ]
        folder = [FIRST, loose(*sql)]
        plan = c("migrate.plan", files=files(folder))["steps"][0]
        told = {s["sql"]: s["warnings"] for s in plan["statements"]}
        suite.same("the plan says so of the version", plan["transaction"], False)
        suite.check("with a warning", "without a transaction" in plan["warnings"][0], plan["warnings"])
        suite.check("of VACUUM", "passed over" in told["VACUUM"][0], told)
        suite.check("of PRAGMA", "passed over" in told["PRAGMA journal_mode=DELETE"][0], told)
        suite.check("of BEGIN", "one transaction" in told["BEGIN IMMEDIATE"][0], told)
        says("a group fails whole", failure(c, folder), -32026, "0002_b.sql:10: UNIQUE")
        suite.same("what came before it is done", c("migrate.status")["problems"], entry(5, 11))
        suite.same("and nothing of it", c.rows("SELECT * FROM k"), [[1, 1]])
        suite.same("the journal is the daemon's", c.value("PRAGMA journal_mode"), "wal")
        suite.same("foreign keys are on for clients", c.value("PRAGMA foreign_keys"), 1)
        sql[8] = "INSERT INTO k VALUES(2,2)"
        suite.same("mended it runs", c("migrate.up", files=files([FIRST, loose(*sql)]), wait=True)["to"], 2)
        suite.same("rows", c.rows("SELECT x, a FROM k ORDER BY x"), [[1, 1], [2, 2], [11, 1], [12, 2]])
        suite.same("no TEMP table is left", c.value("SELECT count(*) FROM sqlite_temp_schema WHERE name='t'"), 0)
    d.finish()


@suite.section
def refused_before_anything():
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files([FIRST]), wait=True)
        ok = "INSERT INTO a VALUES(7,'7')"
        for sql, line, text in (
            ([ok, "BEGIN", ok], 3, "BEGIN without COMMIT"),
            ([ok, "COMMIT"], 3, "COMMIT without BEGIN"),
            ([ok, "BEGIN", "BEGIN", "END"], 4, "BEGIN within a transaction"),
            ([ok, "ROLLBACK"], 3, "ROLLBACK"),
            ([ok, "SAVEPOINT s"], 3, "SAVEPOINT"),
            ([ok, "ATTACH 'x.db' AS x"], 3, "ATTACH"),
            ([ok, "VACUUM INTO 'x.db'"], 3, "VACUUM"),
            ([ok, "PRAGMA writable_schema=ON"], 3, "PRAGMA writable_schema"),
            ([ok, "UPDATE sqlite_schema SET sql=''"], 3, "sqlite_schema"),
            ([ok, "DELETE FROM main.sqlite_master"], 3, "sqlite_master"),
            ([ok, "CREATE TEMP TABLE t(x)", "DROP TABLE t"], 3, "TEMP"),
            ([ok, "CREATE TABLE temp.t(x)"], 3, "TEMP"),
        ):
            e = failure(c, [FIRST, loose(*sql)])
            says(sql[1], e, -32021, "0002_b.sql:%d: " % line, text)
            suite.same("%s: data" % sql[1], (e.data.get("file"), e.data.get("line")), ("0002_b.sql", line))
        suite.same("nothing has run", c.value("SELECT count(*) FROM a"), 0)
        suite.same("nothing is partial", c("migrate.status")["problems"], [])
        says("loss is asked for first", failure(c, [FIRST, loose(ok, "DROP TABLE a")]), -32026, "0002_b.sql:3")
        suite.same("here it was found on the way", c("migrate.status")["problems"], entry(1, 2))
    d.finish()


@suite.section
def a_rebuild_is_one_piece():
    d = Daemon()
    with d.client() as c:
        folder = [("1_p.sql", "-- migrate:up\nCREATE TABLE p(id INTEGER PRIMARY KEY, v TEXT);\n"
                   "CREATE TABLE kid(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id) ON DELETE CASCADE);\n"
                   "INSERT INTO p " + NUMBERS % 100 + "SELECT i, i FROM n;\nINSERT INTO kid SELECT id, id FROM p;\n")]
        c("migrate.up", files=files(folder), wait=True)
        sql = ["CREATE TABLE log(x)", "CREATE TABLE new_p(id INTEGER PRIMARY KEY, v INTEGER NOT NULL)",
               "INSERT INTO new_p SELECT id, CAST(v AS INTEGER) FROM p", "DROP TABLE p", "ALTER TABLE new_p RENAME TO p",
               "INSERT INTO log VALUES(1)"]
        plan = c("migrate.plan", files=files(folder + [loose(*sql)]))["steps"][0]
        suite.same("nothing is lost", [s["destructive"] for s in plan["statements"]], [False] * 6)
        bad = sql[:4] + ["ALTER TABLE nowhere RENAME TO p"] + sql[5:]
        e = failure(c, folder + [loose(*bad)])
        suite.check("half of one is not committed", e is not None and c.value("SELECT count(*) FROM p") == 100, e)
        done = c("migrate.status")["problems"]
        if done:
            c("migrate.resolve", version=2, applied=False)
            c.exec("DROP TABLE log")
            c.exec("DROP TABLE IF EXISTS new_p")
        job = c("migrate.up", files=files(folder + [loose(*sql)]), wait=True)
        suite.same("three pieces", job["steps"], 3)
        suite.same("rows", c.rows("SELECT count(*), sum(v), typeof(max(v)) FROM p"), [[100, 5050, "integer"]])
        suite.same("children kept", c.value("SELECT count(*) FROM kid"), 100)
        c.exec("DELETE FROM p WHERE id=3")
        suite.same("and with the new table", c.value("SELECT count(*) FROM kid"), 99)
    d.finish()


@suite.section
def of_other_tools():
    ups = ["CREATE TABLE t(x INTEGER PRIMARY KEY)", "INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(1)", "SELECT 1"]
    text = ";\n".join(ups) + ";\n"
    forms = {
        "goose": [("00001_t.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n" + text)],
        "sqlx": [("1_t.sql", "-- no-transaction\n" + text)],
        "diesel": [("2024-01-01-000000_t/up.sql", text), ("2024-01-01-000000_t/down.sql", "DROP TABLE t;\n"),
                   ("2024-01-01-000000_t/metadata.toml", "run_in_transaction = false\n")],
    }
    for form, folder in forms.items():
        d = Daemon()
        with d.client() as c:
            says("%s: file and line" % form, failure(c, folder), -32026, folder[0][0] + ":", "UNIQUE")
            problems = c("migrate.status")["problems"]
            version = c("migrate.list", files=files(folder))["migrations"][0]["version"]
            suite.same("%s: partial" % form, problems, entry(2, 4, version))
            mended = [(n, s.replace("VALUES(1);\nSELECT", "VALUES(2);\nSELECT")) for n, s in folder]
            suite.same("%s: mended" % form, c("migrate.up", files=files(mended), wait=True)["state"], "done")
            suite.same("%s: rows" % form, c.rows("SELECT x FROM t"), [[1], [2]])
        d.finish()
    whole = [("1_t.sql", "-- migrate:up\n" + text)]
    d = Daemon()
    with d.client() as c:
        says("any other file is whole", failure(c, whole), -32026, "1_t.sql:4: UNIQUE")
        suite.same("or not there", (c("migrate.status")["problems"],
                                    c.value("SELECT count(*) FROM sqlite_schema WHERE name='t'")), ([], 0))
    d.finish()


@suite.section
def mended_in_other_ways():
    d = stopped()
    with d.client() as c:
        name, text = loose(*FIVE[:2], "INSERT INTO b VALUES(2, '20')", "SELECT 1", "CREATE INDEX b_y ON b(z)")
        whole = [FIRST, (name, text.replace(" transaction:false", "")), LAST]
        says("what is left is one transaction now", failure(c, whole), -32026, "0002_b.sql:6: ")
        suite.same("nothing of it stays", (c.value("SELECT count(*) FROM b"), c("migrate.status")["problems"]),
                   (1, entry(2, 5)))
        short = [FIRST, loose(*FIVE[:2]), LAST]
        suite.same("nothing is left of it", c("migrate.up", files=files(short), wait=True)["to"], 3)
        suite.same("no problem is left", c("migrate.list", files=files(short))["problems"], [])
    d.finish()
    with tempfile.TemporaryDirectory(prefix="alterd-t-") as t:
        def write(folder):
            for n, s in folder:
                with open(os.path.join(t, n), "w", encoding="utf-8") as f:
                    f.write(s)

        write([FIRST, loose(*FIVE), LAST])
        d = Daemon(settings={"migrate.folder": t, "migrate.on_start": "up"})
        with d.client() as c:
            until("the run of the start fails", lambda: (c("migrate.status")["job"] or {}).get("state") == "failed")
            suite.same("serving", c("migrate.status")["problems"], entry(2, 5))
            until("with the folder's pending", lambda: c("migrate.status")["pending"] == [2, 3])
            suite.same("told once", c("migrate.status")["problems"], entry(2, 5))
        suite.same("it ends well", d.stop(), 0)
        write([loose(*MENDED)])
        d.start()
        with d.client() as c:
            until("the next start goes on", lambda: c("migrate.status")["version"] == 3)
            suite.same("each has run once", c.value("SELECT count(*) FROM b"), 2)
        d.finish()


@suite.section
def who_consented():
    d = Daemon()
    with d.client() as c:
        loss = "ALTER TABLE a DROP COLUMN y"
        up = [FIRST, ("0002_b.sql", "-- migrate:up\nINSERT INTO a VALUES(1,'1');\nSELECT 1;\n"),
              ("0003_c.sql", "-- migrate:up\n%s;\n" % loss),
              ("0004_d.sql", "-- migrate:up\n-- alterd: allow=data-loss\nCREATE TABLE d(x);\nDROP TABLE a;\n"),
              ("0005_e.sql", "-- migrate:up\n-- alterd: allow=data-loss\nDROP TABLE d;\n")]
        c("migrate.up", files=files(up[:2]), wait=True)
        suite.refused("loss is refused", lambda: c("migrate.up", files=files(up[:3]), wait=True), -32025)
        c("migrate.up", files=files(up[:3]), wait=True, allow_data_loss=True)
        c("migrate.up", files=files(up), wait=True)
        rows = {m["version"]: m["consented_by"] for m in c("migrate.list", files=files(up))["migrations"]}
        suite.same("list", rows, {1: None, 2: None, 3: ME, 4: "0004_d.sql", 5: None})
        suite.same("the registry", c.rows("SELECT version, applied_by, consented_by FROM alterd_migrations ORDER BY 1"),
                   [[1, ME, None], [2, ME, None], [3, ME, ME], [4, ME, "0004_d.sql"], [5, ME, None]])
        history = c("migrate.history")["history"]
        suite.same("history", [(h["to"] if "to" in h else h["version"], h["applied_by"], h["consented_by"]) for h in history],
                   [(2, ME, None), (3, ME, ME), (5, ME, "0004_d.sql")])
        c.exec("CREATE TABLE q(x INTEGER PRIMARY KEY, y)")
        c.exec("INSERT INTO q VALUES(1, 2)")
        c("migrate.alter", sql="ALTER TABLE q ADD z", wait=True, allow_data_loss=True)
        c("migrate.alter", sql="ALTER TABLE q DROP y", wait=True, allow_data_loss=True)
        history = c("migrate.history")["history"][-2:]
        suite.same("of alter", [(h["applied_by"], h["consented_by"]) for h in history], [(ME, None), (ME, ME)])
    suite.same("it ends well", d.restart(), 0)
    with d.client() as c:
        history = c("migrate.history")["history"]
        suite.same("after a restart", [h["consented_by"] for h in history], [None, ME, "0004_d.sql", None, ME])
        r = d.ctl("list")
        suite.check("alterctl list", "data loss: 0004_d.sql" in r.stdout, r.stdout)
    d.finish()


FORMAT_2_STEP = (
    "CREATE TABLE _alterd_step(job INTEGER NOT NULL, seq INTEGER NOT NULL, version INTEGER NOT NULL, down INTEGER NOT NULL,"
    " after INTEGER NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL, line INTEGER NOT NULL, sql TEXT NOT NULL,"
    " checksum TEXT NOT NULL, down_sql TEXT, exact INTEGER NOT NULL, allow_data_loss INTEGER NOT NULL,"
    " batch_rows INTEGER NOT NULL, PRIMARY KEY(job,seq)) WITHOUT ROWID"
)


@suite.section
def tables_of_format_2():
    """A run that was under way when the version before was stopped goes on."""
    new = ("consented_by", "consented", "done_before", "done_behind", "done_total")
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files([FIRST]), wait=True)
        c.exec("INSERT INTO a SELECT value, value FROM json_each('[1,2,3]')")
        c("migrate.up", files=files([FIRST, ("0002_b.sql", "-- migrate:up\nALTER TABLE a ALTER y TYPE INTEGER;\n"), LAST]),
          postpone_cutover=True)
        until("it waits", lambda: c("migrate.status")["job"]["phase"] == "ready")
    d.kill()
    with d.file() as db:
        for name in new:
            db.execute("ALTER TABLE _alterd_job DROP COLUMN " + name)
        db.execute("ALTER TABLE alterd_migrations DROP COLUMN consented_by")
        rows = db.execute("SELECT job,seq,version,down,after,name,file,line,sql,checksum,down_sql,exact,allow_data_loss,"
                          "batch_rows FROM _alterd_step").fetchall()
        db.execute("DROP TABLE _alterd_step")
        db.execute(FORMAT_2_STEP)
        db.executemany("INSERT INTO _alterd_step VALUES(%s)" % ",".join("?" * 14), rows)
        db.execute("DROP TABLE _alterd_partial")
        db.execute("DROP TABLE _alterd_ran")
        db.execute("UPDATE _alterd_meta SET value=2")
        db.commit()
    db.close()
    d.start()
    with d.client() as c:
        until("it is ready again", lambda: c("migrate.status")["job"]["phase"] == "ready")
        c("migrate.cutover")
        until("the end", lambda: c("migrate.status")["job"]["state"] == "done")
        suite.same("the version", c("migrate.status")["version"], 3)
        suite.same("rows", c.value("SELECT group_concat(typeof(y)) FROM a"), "integer,integer,integer")
        suite.same("the registry", c.rows("SELECT version, consented_by FROM alterd_migrations"), [[1, None], [2, None], [3, None]])
    suite.same("it ends well", d.stop(), 0)
    suite.same("integrity", d.integrity(), "ok")
    d.finish()


def counted(n):
    """n statements after the first two, none of which may run twice or not at all: exact, online, instant, groups."""
    out = ["CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER)",
           "INSERT INTO t " + NUMBERS % 2000 + "SELECT i, 0 FROM n"]
    for i in range(n):
        out += (
            ["UPDATE t SET v=v+1"],
            ["INSERT INTO t(id, v) VALUES((SELECT max(id)+1 FROM t), %d)" % i],
            ["ALTER TABLE t ADD COLUMN c%d TEXT" % i],
            ["BEGIN", "UPDATE t SET v=v+1 WHERE id<=2000", "INSERT INTO t(id) SELECT max(id)+1 FROM t", "COMMIT"],
            ["ALTER TABLE t ALTER v TYPE %s" % ("TEXT" if i % 2 else "INTEGER")],
            ["CREATE TABLE x%d(a)" % i],
        )[i % 6]
    return [("1_t.sql", "-- migrate:up transaction:false\n%s;\n" % ";\n".join(out))], len(out)


def outcome(c):
    return (
        c.rows("SELECT count(*), sum(v), max(id) FROM t"),
        [r[1] for r in c.rows("PRAGMA table_info(t)")],
        c.value("SELECT count(*) FROM sqlite_schema WHERE name GLOB 'x[0-9]*'"),
    )


@suite.section
def kill_between_statements():
    folder, total = counted(30)
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files(folder), wait=True)
        wanted = outcome(c)
    d.finish()
    for at in (3, 17) if SANITIZER else range(1, total, 3):
        d = Daemon()
        with d.client() as c:
            c("migrate.up", files=files(folder))
            seen = until("statement %d" % at, lambda: c("migrate.status")["problems"] and (
                c("migrate.status")["problems"] or [{"done": total}])[0]["done"] >= at
                or c("migrate.status")["version"] == 1, every=0.001)
        d.kill()
        d.start()
        with d.client() as c:
            until("the end", lambda: c("migrate.status")["job"]["state"] not in ("running", "queued"))
            status = c("migrate.status")
            suite.same("killed at %d it ends" % at, (seen and status["version"], status["job"]["state"], status["problems"]),
                       (1, "done", []))
            suite.same("each statement once", outcome(c), wanted)
            suite.same("one line in the history", c.value("SELECT count(*) FROM alterd_migrations"), 1)
        suite.same("it ends well", d.stop(), 0)
        suite.same("integrity", d.integrity(), "ok")
        d.finish()


@suite.section
def kill_again_and_again():
    """The daemon dies at every few statements of one run, then a statement fails, and it dies with that."""
    folder, total = counted(30)
    name, text = folder[0]
    bad = [(name, text + "INSERT INTO t(id) VALUES(1);\nSELECT 2;\n")]
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files(bad))
    at, deaths = 0, 0
    while True:
        with d.client() as c:
            def further():
                s = c("migrate.status")
                return s["job"]["state"] == "failed" or (s["problems"] and s["problems"][0]["done"] > at + 3 and s)

            s = until("more than %d" % at, further, every=0.001)
            if s is True:
                break
            at = s["problems"][0]["done"]
        d.kill()
        d.start()
        deaths += 1
    suite.check("it died often", deaths >= 3, deaths)
    d.kill()
    d.start()
    with d.client() as c:
        suite.same("it stands behind the last that worked", c("migrate.status")["problems"], entry(total, total + 2, 1))
        suite.same("the error names its line", c("migrate.status")["job"]["error"].split(": ")[0], "1_t.sql:%d" % (total + 2))
        good = [(name, text + "SELECT 2;\n")]
        suite.same("mended", c("migrate.up", files=files(good), wait=True)["state"], "done")
        got = outcome(c)
    d.finish()
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files(good), wait=True)
        suite.same("as without any death", got, outcome(c))
    d.finish()


suite.run()
