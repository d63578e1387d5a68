#!/usr/bin/env python3
"""migrate.mirror_history: the table of the tool that was there before stays in step, up and down."""
import hashlib
import os
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from suite import Suite

suite = Suite(limit=120)
ON = {"migrate.mirror_history": "on"}


def sql(i):
    return "CREATE TABLE t%d(a);\n" % i, "DROP TABLE t%d;\n" % i


def pairs(form):
    """Versions 1 to 4 in the tool's own form."""
    made = []
    for i in range(1, 5):
        up, down = sql(i)
        if form == "dbmate":
            made.append(("000%d_make_t.sql" % i, "-- migrate:up\n%s-- migrate:down\n%s" % (up, down)))
        elif form == "goose":
            made.append(("000%d_make_t.sql" % i, "-- +goose Up\n%s-- +goose Down\n%s" % (up, down)))
        elif form in ("golang-migrate", "sqlx"):
            made += [("%d_make_t.up.sql" % i, up), ("%d_make_t.down.sql" % i, down)]
        elif form in ("flyway", "refinery"):
            made += [("V%d__make_t.sql" % i, up.replace("\n", "\r\n"))] + ([("U%d__make_t.sql" % i, down)] if form == "flyway" else [])
    return [{"name": n, "sql": s} for n, s in made]


def digest(i):
    return hashlib.sha384(sql(i)[0].encode()).hexdigest()


def crc(i):
    n = zlib.crc32(sql(i)[0].replace("\n", "").encode())
    return n - (1 << 32) if n >= 1 << 31 else n


# tool: its table at version 2; how its rows are read; the rows once versions 1 to n are there, as the tool writes them
TOOLS = {
    "dbmate": (
        "CREATE TABLE schema_migrations(version varchar(128) primary key); INSERT INTO schema_migrations VALUES('0001'),('0002')",
        "SELECT version FROM schema_migrations ORDER BY 1",
        lambda n: [["000%d" % i] for i in range(1, n + 1)],
    ),
    "goose": (
        "CREATE TABLE goose_db_version(id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL,"
        " tstamp TIMESTAMP DEFAULT (datetime('now'))); INSERT INTO goose_db_version(version_id, is_applied) VALUES(0,1),(1,1),(2,1)",
        "SELECT version_id, is_applied, tstamp IS NOT NULL FROM goose_db_version ORDER BY id",
        lambda n: [[i, 1, 1] for i in range(n + 1)],
    ),
    "golang-migrate": (
        "CREATE TABLE schema_migrations(version uint64, dirty bool); INSERT INTO schema_migrations VALUES(2,0)",
        "SELECT version, dirty FROM schema_migrations",
        lambda n: [[n, 0]] if n else [],
    ),
    "sqlx": (
        "CREATE TABLE _sqlx_migrations(version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL"
        " DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);"
        + "".join("INSERT INTO _sqlx_migrations VALUES(%d,'make t',CURRENT_TIMESTAMP,1,x'%s',5);" % (i, digest(i)) for i in (1, 2)),
        "SELECT version, description, success, lower(hex(checksum)), installed_on IS NOT NULL FROM _sqlx_migrations ORDER BY 1",
        lambda n: [[i, "make t", 1, digest(i), 1] for i in range(1, n + 1)],
    ),
    "flyway": (
        "CREATE TABLE flyway_schema_history(installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50), description VARCHAR(200)"
        " NOT NULL, type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INT, installed_by VARCHAR(100) NOT NULL,"
        " installed_on TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f','now')), execution_time INT NOT NULL, success BOOLEAN NOT NULL);"
        + "".join("INSERT INTO flyway_schema_history(installed_rank,version,description,type,script,checksum,installed_by,"
                  "execution_time,success) VALUES(%d,'%d','make t','SQL','V%d__make_t.sql',%d,'',1,1);" % (i, i, i, crc(i)) for i in (1, 2)),
        "SELECT installed_rank, version, description, type, script, checksum, success FROM flyway_schema_history ORDER BY 1",
        lambda n: [[i, str(i), "make t", "SQL", "V%d__make_t.sql" % i, crc(i), 1] for i in range(1, n + 1)],
    ),
}


def at_two(script, settings, tables=(1, 2)):
    d = Daemon(start=False, settings=settings)
    with d.file() as db:
        db.executescript("".join(sql(i)[0] for i in tables) + script)
    d.start()
    return d


@suite.section
def up_and_down():
    for tool, (table, query, want) in TOOLS.items():
        d = at_two(table, ON)
        options = {"files": pairs(tool), "format": tool, "wait": True, "allow_data_loss": True}
        with d.client() as c:
            suite.same(tool + ": as it was", c.rows(query), want(2))
            suite.same(tool + ": up", c("migrate.up", steps=1, **options)["to"], 3)
            suite.same(tool + ": one more", c.rows(query), want(3))
            suite.same(tool + ": up again", c("migrate.up", **options)["to"], 4)
            suite.same(tool + ": another", c.rows(query), want(4))
            suite.same(tool + ": down", c("migrate.down", steps=3, **options)["to"], 1)
            suite.same(tool + ": three less", c.rows(query), want(1))
            c("migrate.to", version=0, wait=True, allow_data_loss=True)
            suite.same(tool + ": to nothing, without the files", c.rows(query), want(0))
            c("migrate.up", **options)
            suite.same(tool + ": and all of it", c.rows(query), want(4))
            c("exec", sql="DROP TABLE alterd_migrations")
            listed = c("migrate.list", files=pairs(tool), format=tool)
            suite.same(tool + ": what alterd itself would take over", (listed["version"], listed["pending"]), (4, []))
            suite.same(tool + ": is sound", listed["problems"], [])
        d.finish()


@suite.section
def diesel():
    files = []
    for i in range(1, 5):
        up, down = sql(i)
        name = "2024-01-0%d-12000%d_make_t" % (i, i)
        files += [{"name": name + "/up.sql", "sql": up}, {"name": name + "/down.sql", "sql": down}]
    stamp = ["2024010%d12000%d" % (i, i) for i in range(1, 5)]
    d = at_two("CREATE TABLE __diesel_schema_migrations(version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT"
               " CURRENT_TIMESTAMP); INSERT INTO __diesel_schema_migrations(version) VALUES('%s'),('%s')" % tuple(stamp[:2]), ON)
    query = "SELECT version FROM __diesel_schema_migrations ORDER BY 1"
    with d.client() as c:
        c("migrate.up", files=files, wait=True)
        suite.same("up", [r[0] for r in c.rows(query)], stamp)
        c("migrate.down", files=files, steps=3, wait=True, allow_data_loss=True)
        suite.same("down", [r[0] for r in c.rows(query)], stamp[:1])
    d.finish()


@suite.section
def repair():
    for tool, seen in (("sqlx", "lower(hex(checksum)) FROM _sqlx_migrations"), ("flyway", "checksum FROM flyway_schema_history")):
        d = at_two(TOOLS[tool][0], ON)
        files = pairs(tool)
        with d.client() as c:
            c("migrate.up", files=files, format=tool, wait=True)
            before = [r[0] for r in c.rows("SELECT " + seen + " ORDER BY version")]
            text = "-- more\n" + files[4]["sql"]
            suite.same(tool + ": the third", files[4]["name"].split("__")[0].split("_")[0].strip("V"), "3")
            c("migrate.repair", version=3, files=files[:4] + [dict(files[4], sql=text)] + files[5:], format=tool)
            n = zlib.crc32(text.replace("\r", "").replace("\n", "").encode())
            want = hashlib.sha384(text.encode()).hexdigest() if tool == "sqlx" else n - (1 << 32) if n >= 1 << 31 else n
            after = [r[0] for r in c.rows("SELECT " + seen + " ORDER BY version")]
            suite.same(tool + ": the file as it is now", after, before[:2] + [want] + before[3:])
        d.finish()


@suite.section
def off():
    table, query, want = TOOLS["goose"]
    d = at_two(table, {})
    with d.client() as c:
        c("migrate.up", files=pairs("goose"), wait=True)
        suite.same("off, nothing is written", c.rows(query), want(2))
    d.finish()
    d = Daemon(settings=ON)
    with d.client() as c:
        suite.same("without such a table there is nothing to do", c("migrate.up", files=pairs("goose"), wait=True)["to"], 4)
        suite.same("and none is made", c.value("SELECT count(*) FROM sqlite_schema WHERE name='goose_db_version'"), 0)
    d.finish()


@suite.section
def online_too():
    table, query, want = TOOLS["dbmate"]
    d = at_two(table, ON)
    files = pairs("dbmate")
    files[2] = {"name": "0003_make_t.sql", "sql": "-- migrate:up\n-- alterd: mode=online\nALTER TABLE t1 ALTER a TYPE REAL;\n"
                                                   "-- migrate:down\nALTER TABLE t1 ALTER a TYPE TEXT;\n"}
    with d.client() as c:
        c("exec", sql="INSERT INTO t1 VALUES(1),(2)")
        job = c("migrate.up", files=files[:3], wait=True)
        suite.same("a rebuild", job["strategy"], "rebuild")
        suite.same("its row", c.rows(query), want(3))
        c("migrate.down", wait=True)
        suite.same("and gone", c.rows(query), want(2))
    d.finish()


@suite.section
def refused():
    def stands(c, query, rows):
        suite.same("nothing was done", c.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('t3','alterd_migrations')"), 0)
        suite.same("its rows are as they were", c.rows(query), rows)

    d = at_two("CREATE TABLE refinery_schema_history(version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255),"
               " checksum VARCHAR(255)); INSERT INTO refinery_schema_history VALUES(1,'a','',''),(2,'b','','')", ON)
    with d.client() as c:
        e = suite.refused("refinery", lambda: c("migrate.up", files=pairs("refinery"), format="refinery", wait=True), "MIGRATION_INVALID")
        suite.check("named", "refinery" in e.message and "mirror_history" in e.message, e.message)
        stands(c, "SELECT version FROM refinery_schema_history", [[1], [2]])
    d.finish()
    for tool, other in (("sqlx", "dbmate"), ("flyway", "goose"), ("dbmate", "goose"), ("goose", "dbmate")):
        table, query, want = TOOLS[tool]
        d = at_two(table, ON)
        with d.client() as c:
            e = suite.refused("%s with files of %s" % (tool, other), lambda: c("migrate.up", files=[
                dict(f, name=f["name"].replace("000", "")) for f in pairs(other)][2:], wait=True), "MIGRATION_INVALID")
            suite.check("says why", "another form" in e.message, e.message)
            stands(c, query, want(2))
        d.finish()
    d = at_two("CREATE TABLE schema_migrations(version TEXT PRIMARY KEY, who TEXT NOT NULL);"
               "INSERT INTO schema_migrations VALUES('0001','x'),('0002','x')", ON)
    with d.client() as c:
        e = suite.refused("a table of another shape", lambda: c("migrate.up", files=pairs("dbmate"), wait=True), "MIGRATION_INVALID",
                          "FAILED_MIGRATION")
        suite.check("says which", "dbmate" in e.message and "who" in e.message, e.message)
        suite.same("the version before stands", c.value("SELECT max(version) FROM alterd_migrations"), 2)
        suite.same("nothing of the next", c.value("SELECT count(*) FROM sqlite_schema WHERE name='t3'"), 0)
        suite.same("both tables", c.rows("SELECT count(*) FROM schema_migrations"), [[2]])
    d.finish()


suite.run()
