#!/usr/bin/env python3
"""alterctl dump, up --dump, up --schema, baseline --user-version: the schema as a file, and back."""
import json
import os
import shutil
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from limits import until
from suite import Suite
from wire import RpcError

suite = Suite(limit=180)
home = tempfile.mkdtemp(prefix="alterd-t-")

FILES = {
    "0001_user.sql": "-- migrate:up\n"
    "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT DEFAULT 'it''s', boss INTEGER REFERENCES user(id));\n"
    "CREATE TABLE \"b\"\"ill\"(id INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL REFERENCES user(id));\n"
    "CREATE TRIGGER a_trigger AFTER INSERT ON user BEGIN SELECT 'a;b'; SELECT 2; END;\n"
    "CREATE VIRTUAL TABLE note USING fts5(text);\n"
    "-- migrate:down\nDROP TABLE note;\nDROP TABLE \"b\"\"ill\";\nDROP TABLE user;\n",
    "0002_city.sql": "-- migrate:up\r\nALTER TABLE user ADD COLUMN city TEXT;\r\n"
    "-- migrate:down\r\nALTER TABLE user\r\nDROP COLUMN city;\r\n-- it's gone\r\n",
    "0003_index.sql": "-- migrate:up\nCREATE INDEX user_city ON user(city);\nCREATE VIEW all_of AS SELECT * FROM user;\n",
    "0004_more.sql": "-- migrate:up\nCREATE TABLE more(a);\nINSERT INTO more VALUES(1);\n-- migrate:down\nDROP TABLE more;\n",
}


def folder(files):
    path = tempfile.mkdtemp(dir=home)
    for name, text in files.items():
        with open(os.path.join(path, name), "wb") as f:
            f.write(text.encode())
    return path


def files_of(files):
    return [{"name": n, "sql": t} for n, t in files.items()]


def first(n):
    return dict(list(FILES.items())[:n])


def write(name, text):
    path = os.path.join(home, name)
    with open(path, "w", encoding="utf-8", newline="") as f:
        f.write(text)
    return path


def schema(c):
    return c.rows("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE '\\_alterd%' ESCAPE '\\'"
                  " AND name<>'alterd_migrations' ORDER BY type, name")


def history(c):
    return c.rows("SELECT version, name, checksum, down_sql FROM alterd_migrations ORDER BY applied_at, version")


def dumped(d, *args):
    r = d.ctl("dump", *args, env=dict(os.environ, TMPDIR=home))
    if r.returncode:
        raise RuntimeError("dump: %s %s" % (r.returncode, r.stderr))
    return r.stdout


@suite.section
def text():
    d = Daemon()
    with d.client() as c:
        suite.same("of an empty database", dumped(d), "-- The schema at version 0, written by alterctl dump.\n")
        c("migrate.up", files=files_of(FILES), wait=True)
        a = dumped(d)
        lines = a.splitlines()
        made = [line.split("(")[0].split(" AS ")[0] for line in lines if line.startswith("CREATE")]
        suite.same(
            "by kind and name, without what belongs to a virtual table",
            [" ".join(m.split()[:4]) for m in made],
            ['CREATE TABLE "b""ill"', "CREATE TABLE more", "CREATE TABLE user", "CREATE VIRTUAL TABLE note",
             "CREATE INDEX user_city ON", "CREATE VIEW all_of", "CREATE TRIGGER a_trigger AFTER", "CREATE TABLE alterd_migrations"],
        )
        suite.same("the versions", [line.split("VALUES(")[1].split(",")[0] for line in lines if line.startswith("INSERT")],
                   ["1", "2", "3", "4"])
        suite.check("user_version", a.endswith("PRAGMA user_version=4;\n"), a[-60:])
        suite.same("a folder makes the same without the daemon", dumped(d, "--dir", folder(FILES)), a)
        suite.same("no private folder is left", [n for n in os.listdir(home) if n.startswith("alterctl-")], [])
        j = json.loads(d.ctl("--json", "dump").stdout)
        suite.same("as JSON", j, {"version": 4, "sql": a})
        want, kept = schema(c), history(c)
    db = os.path.join(home, "loaded.db")
    con = sqlite3.connect(db)
    con.executescript(a)
    con.close()
    d.finish()
    d = Daemon(db=db)
    with d.client() as c:
        suite.same("loaded by SQLite: the schema", schema(c), want)
        suite.same("the history", [[r[0], r[1], r[2], r[3]] for r in history(c)], kept)
        suite.same("alterd takes it for that version", c("migrate.list", files=files_of(FILES))["pending"], [])
        suite.same("nothing is wrong with it", c("migrate.validate", files=files_of(FILES))["problems"], [])
        suite.same("and nothing to do", c("migrate.up", files=files_of(FILES), wait=True)["job"], None)
        suite.same("its dump is the same", dumped(d), a)
        suite.same("it can be taken back without the files", c("migrate.down", wait=True)["to"], 3)
    d.finish()


@suite.section
def check():
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files_of(first(3)), wait=True)
        path = write("schema.sql", dumped(d))
        r = d.ctl("dump", "--check", path)
        suite.same("the same", (r.returncode, r.stdout), (0, ""))
        write("schema.sql", dumped(d).replace("\n", "\r\n"))
        suite.same("line ends do not count", d.ctl("dump", "--check", path).returncode, 0)
        write("schema.sql", dumped(d))
        c("exec", sql="CREATE TABLE other(x)")
        r = d.ctl("dump", "--check", path)
        suite.check("what came", r.returncode == 1 and "+CREATE TABLE other(x);" in r.stdout.splitlines(), (r.returncode, r.stdout))
        suite.same("and nothing else", [line for line in r.stdout.splitlines() if line[0] in "+-"], ["+CREATE TABLE other(x);"])
        c("exec", sql="DROP TABLE other")
        c("exec", sql="DROP VIEW all_of")
        r = d.ctl("--json", "dump", "--check", path)
        j = json.loads(r.stdout)
        suite.check("what went, as JSON", r.returncode == 1 and not j["same"] and "\n-CREATE VIEW all_of" in j["diff"], j)
        r = d.ctl("dump", "--check", os.path.join(home, "none.sql"))
        suite.check("no such file", r.returncode == 66 and "none.sql" in r.stderr, r.stderr)
        suite.same("a form without a folder", d.ctl("dump", "--format", "goose").returncode, 2)
        r = d.ctl("dump", "--dir", folder({"1_a.sql": "-- migrate:up\nnonsense;\n"}))
        suite.check("a folder that does not run", r.returncode == 1 and "1_a.sql:2" in r.stderr and r.stdout == "", r.stderr)
    d.finish()


@suite.section
def written_by_up():
    d = Daemon()
    path = os.path.join(home, "by_up.sql")
    r = d.ctl("up", "1", "--dir", folder(FILES), "--dump", path)
    with open(path, encoding="utf-8", newline="") as f:
        one = f.read()
    suite.check("after a run", r.returncode == 0 and "version 1," in one and one == dumped(d), (r.stderr, one))
    bad = dict(first(1), **{"0002_bad.sql": "-- migrate:up\nnonsense;\n"})
    suite.same("a run that fails", d.ctl("up", "--dir", folder(bad), "--dump", path).returncode, 1)
    with open(path, encoding="utf-8", newline="") as f:
        suite.same("leaves it as it was", f.read(), one)
    suite.same("with nothing pending it is written", d.ctl("up", "--dir", folder(first(1)), "--dump", path).returncode, 0)
    for option in ("--dry-run", "--detach", "--postpone-cutover"):
        suite.same("not with " + option, d.ctl("up", option, "--dir", folder(FILES), "--dump", path).returncode, 2)
    r = d.ctl("up", "--dir", folder(FILES), "--dump", os.path.join(home, "no", "where.sql"))
    suite.check("where nothing can be written", r.returncode == 1 and "where.sql" in r.stderr, r.stderr)
    suite.same("nothing is left beside it", [n for n in os.listdir(home) if n.startswith("by_up.sql.")], [])
    d.finish()


@suite.section
def fresh_from_schema():
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files_of(first(3)), wait=True)
        three = dumped(d)
        kept = history(c)
        c("migrate.up", files=files_of(FILES), wait=True)
        want = schema(c)
        tables = c("migrate.list", files=files_of(FILES))
        suite.same("it has them all", tables["pending"], [])
    d.finish()
    path = write("three.sql", three)
    d = Daemon()
    r = d.ctl("up", "--schema", path, "--dir", folder(FILES), "-n")
    suite.check("what it would do", r.returncode == 0 and "schema" in r.stdout and "more" in r.stdout, (r.stdout, r.stderr))
    with d.client() as c:
        suite.same("nothing is written by that", schema(c), [])
        r = d.ctl("up", "--schema", path, "--dir", folder(FILES))
        suite.check("it runs", r.returncode == 0 and "version 0 -> 4" in r.stdout, (r.stdout, r.stderr))
        suite.same("the schema of all versions", schema(c), want)
        rows = history(c)
        suite.same("the history of the dump", rows[:3], kept)
        suite.same("and what was run", [row[0] for row in rows], [1, 2, 3, 4])
        suite.same("only that has rows", c.value("SELECT count(*) FROM more"), 1)
        suite.same("each is dated", c.value("SELECT count(*) FROM alterd_migrations WHERE applied_at LIKE '20__-%' AND applied_by<>''"), 4)
        suite.same("user_version follows", c.value("PRAGMA user_version"), 4)
        suite.same("the daemon knows the version", c("status")["version"], 4)
        suite.same("nothing is left to do", c("migrate.up", files=files_of(FILES), wait=True)["job"], None)
        r = d.ctl("up", "--schema", path, "--dir", folder(FILES))
        suite.check("not a second time", r.returncode == 1 and "WRONG_STATE" in r.stderr, r.stderr)
        suite.same("back, too", c("migrate.down", wait=True, allow_data_loss=True)["to"], 3)
    d.finish()


@suite.section
def schema_refused():
    d = Daemon()
    with d.client() as c:
        def refused(what, sql, *words, files=None, code="MIGRATION_INVALID"):
            try:
                got = c("migrate.up", files=files_of(files or FILES), schema={"name": "s.sql", "sql": sql}, wait=True)
            except RpcError as e:
                suite.check(what, e.name == code and all(w in e.message for w in words), (e.name, e.message))
            else:
                suite.check(what, False, got)
            suite.same(what + ": nothing is left of it", schema(c), [])
            suite.same(what + ": no version", c("migrate.status")["version"], 0)

        line = "INSERT INTO alterd_migrations(version,name) VALUES(1,'user');\n"
        table = "CREATE TABLE alterd_migrations(version INTEGER PRIMARY KEY, name TEXT, checksum TEXT, applied_at TEXT," \
                " took_ms INTEGER, applied_by TEXT, tool TEXT, down_sql TEXT);\n"
        refused("no version in it", "CREATE TABLE t(x);\n", "s.sql", "no version")
        refused("a line without its table", line, "s.sql: line 1", "alterd_migrations")
        refused("a version below 1", table + line.replace("(1,", "(0,"), "begin with 1")
        refused("half a statement", table + line + "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1;", "")
        refused("what no run takes", table + line + "ATTACH 'x' AS y;\n", "s.sql: line 3", "ATTACH")
        refused("an error in the middle", "CREATE TABLE t(x);\n" + table + line + "CREATE TABLE t(y);\n", "s.sql:4", "t already exists",
                code="FAILED_MIGRATION")
        refused("a line that never ends", table + "INSERT INTO alterd_migrations(version) " +
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n;\n", "s.sql: line 2")
        refused("another file than the one it was made of", table + line.replace("name)", "name,checksum)").replace("'user')", "'user','00')"),
                "0001_user.sql was changed", code="CHECKSUM_MISMATCH")
        c("exec", sql="CREATE TABLE mine(x)")
        suite.refused("a database with tables", lambda: c("migrate.up", files=files_of(FILES), wait=True,
                                                          schema={"name": "s.sql", "sql": table + line}), "WRONG_STATE")
        suite.same("keeps them alone", c.rows("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_alterd%' ESCAPE '\\'"), [["mine"]])
    suite.same("no such file", d.ctl("up", "--schema", os.path.join(home, "none"), "--dir", folder(FILES)).returncode, 66)
    suite.same("not with down", d.ctl("down", "--schema", "x").returncode, 2)
    d.finish()


def postponed(c):
    """A run from a dump that waits for its cutover."""
    sql = "CREATE TABLE t(x);\nCREATE TABLE alterd_migrations(version INTEGER PRIMARY KEY, name TEXT, checksum TEXT, applied_at TEXT," \
          " took_ms INTEGER, applied_by TEXT, tool TEXT, down_sql TEXT);\nINSERT INTO alterd_migrations(version) VALUES(1);\n"
    return c("migrate.up", files=[], schema={"name": "s.sql", "sql": sql}, postpone_cutover=True)["job"]


def ended(c, job):
    """How the job ended, once it has."""
    return next((j for j in c("migrate.history")["history"] if j.get("job", j.get("id")) == job), None)


@suite.section
def schema_that_waits():
    d = Daemon()
    with d.client() as c:
        job = postponed(c)
        c("exec", sql="CREATE TABLE mine(x)")
        c("migrate.cutover", job=job)
        j = until("the run has ended", lambda: ended(c, job))
        suite.check("a table that came meanwhile", j["state"] == "failed" and "has tables" in json.dumps(j), j)
        suite.same("nothing of the dump is there", c.value("SELECT group_concat(name) FROM sqlite_schema WHERE name NOT LIKE"
                                                           " '\\_alterd%' ESCAPE '\\'"), "mine")
    d.finish()
    d = Daemon()
    with d.client() as c:
        job = postponed(c)
    d.kill()
    d.start()
    with d.client() as c:
        suite.same("after kill -9 it waits still", schema(c), [])
        c("migrate.cutover", job=job)
        j = until("the run has ended", lambda: ended(c, job))
        suite.check("and comes", j["state"] == "done", j)
        suite.same("as a dump", c.rows("SELECT version, applied_at LIKE '20%' FROM alterd_migrations"), [[1, 1]])
        suite.same("all of it", c.value("SELECT count(*) FROM t"), 0)
    d.finish()


@suite.section
def not_in_order():
    d = Daemon()
    few = {k: v for k, v in FILES.items() if not k.startswith("0002")}
    late = {"0002_late.sql": "-- migrate:up\nCREATE TABLE late(x);\n-- migrate:down\nDROP TABLE late;\n"}
    with d.client() as c:
        c("migrate.up", files=files_of(dict(few, **{"0003_index.sql": "-- migrate:up\nSELECT 1;\n"})), wait=True)
        c("migrate.up", files=files_of(late), wait=True, allow_out_of_order=True)
        order = [r[0] for r in history(c)]
        a = dumped(d)
    d.finish()
    suite.same("how they came", order, [1, 3, 4, 2])
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=[], schema={"name": "s", "sql": a}, wait=True)
        suite.same("is kept by the dump", [r[0] for r in history(c)], order)
        suite.same("and in the next one", dumped(d), a)
        c("migrate.down", wait=True)
        suite.same("the last one goes first", [r[0] for r in history(c)], order[:3])
    d.finish()


@suite.section
def other_tools():
    db = os.path.join(home, "dbmate.db")
    con = sqlite3.connect(db)
    con.executescript("CREATE TABLE schema_migrations(version TEXT PRIMARY KEY);"
                      "INSERT INTO schema_migrations VALUES('0001'),('0002'); CREATE TABLE t(a);")
    con.close()
    d = Daemon(db=db)
    a = dumped(d)
    suite.same("another tool's versions are in it",
               [line.split("VALUES(")[1].split(",")[0] for line in a.splitlines() if line.startswith("INSERT")], ["1", "2"])
    d.finish()
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=[], schema={"name": "s", "sql": a}, wait=True)
        suite.same("and in a database made of it", c("migrate.list")["version"], 2)
    d.finish()


def counted(n):
    """A database of a program that counts by user_version."""
    fd, db = tempfile.mkstemp(dir=home)
    os.close(fd)
    con = sqlite3.connect(db)
    con.executescript("CREATE TABLE t(a); PRAGMA user_version=%d;" % n)
    con.close()
    return db


@suite.section
def user_version():
    d = Daemon(db=counted(2))
    where = folder(FILES)
    with d.client() as c:
        r = d.ctl("baseline", "--user-version", "-n", "--dir", where)
        suite.check("a dry run", r.returncode == 0 and "would record 2 migrations as applied: 1, 2" in r.stdout, (r.stdout, r.stderr))
        suite.same("writes nothing", c.value("SELECT count(*) FROM sqlite_schema WHERE name='alterd_migrations'"), 0)
        r = d.ctl("baseline", "3", "--user-version", "--dir", where)
        suite.check("another version than it says", r.returncode == 1 and "user_version is 2, not 3" in r.stderr, r.stderr)
        suite.same("no version at all", d.ctl("baseline", "--dir", where).returncode, 2)
        suite.same("two sources", d.ctl("baseline", "--user-version", "--from", "goose").returncode, 2)
        suite.refused("on the wire", lambda: c("migrate.baseline"), "INVALID_PARAMS")
        r = d.ctl("baseline", "--user-version", "--dir", where)
        suite.check("it is recorded", r.returncode == 0 and "recorded 2 migrations" in r.stdout, (r.stdout, r.stderr))
        suite.same("by its name", c.rows("SELECT version, name, tool FROM alterd_migrations ORDER BY version"),
                   [[1, "user", "user_version"], [2, "city", "user_version"]])
        suite.same("the rest is pending", c("migrate.list", files=files_of(FILES))["pending"], [3, 4])
        suite.refused("once", lambda: c("migrate.baseline", **{"from": "user_version"}), "WRONG_STATE")
    d.finish()
    d = Daemon(db=counted(7))
    with d.client() as c:
        suite.refused("a version the folder does not have",
                      lambda: c("migrate.baseline", files=files_of(FILES), **{"from": "user_version"}), "NOT_FOUND")
        suite.same("without a folder that one alone", c("migrate.baseline", **{"from": "user_version"})["recorded"], [7])
    d.finish()
    for n in (0, -3):
        d = Daemon(db=counted(n))
        with d.client() as c:
            suite.refused("a count of %d" % n, lambda: c("migrate.baseline", **{"from": "user_version"}), "NOT_FOUND")
        d.finish()


try:
    suite.run()
finally:
    shutil.rmtree(home, ignore_errors=True)
