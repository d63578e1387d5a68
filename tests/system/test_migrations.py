#!/usr/bin/env python3
"""Migrations as files: up, down, to, plan, list, baseline, repair; what is refused, by file and line; kill -9."""
import os
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from change import job
from daemon import Daemon
from limits import SANITIZER, until
from suite import Suite
from wire import RpcError

suite = Suite(limit=120)

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) "

SHOP = [
    (
        "0001_shop.sql",
        "-- migrate:up\n"
        "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT, amount TEXT);\n"
        "CREATE TABLE bill(id INTEGER PRIMARY KEY, user INTEGER REFERENCES user(id) ON DELETE CASCADE);\n"
        "INSERT INTO user " + NUMBERS % 500 + "SELECT i, 'name '||i, i FROM n;\n"
        "INSERT INTO bill SELECT id, id FROM user;\n"
        "-- migrate:down\n"
        "-- alterd: allow=data-loss\n"
        "DROP TABLE bill;\n"
        "DROP TABLE user;\n",
    ),
    (
        "0002_amount.sql",
        "-- migrate:up\nALTER TABLE user ALTER amount TYPE REAL;\n"
        "-- migrate:down\nALTER TABLE user ALTER amount TYPE TEXT;\n",
    ),
    (
        "0003_not_null.sql",
        "-- migrate:up\n"
        "PRAGMA foreign_keys=OFF;\nBEGIN;\n"
        "CREATE TABLE new_user(id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL);\n"
        "INSERT INTO new_user SELECT id, name, amount FROM user;\n"
        "DROP TABLE user;\n"
        "ALTER TABLE new_user RENAME TO user;\n"
        "COMMIT;\nPRAGMA foreign_keys=ON;\n"
        "-- migrate:down\n"
        "ALTER TABLE user ALTER name DROP NOT NULL;\n",
    ),
    (
        "0004_city.sql",
        "-- migrate:up\nALTER TABLE user ADD COLUMN city TEXT;\nALTER TABLE user RENAME COLUMN name TO full_name;\n"
        "-- migrate:down\nALTER TABLE user RENAME COLUMN full_name TO name;\nALTER TABLE user DROP COLUMN city;\n",
    ),
    (
        "0005_index.sql",
        "-- migrate:up\nCREATE INDEX user_city ON user(city);\n-- migrate:down\nDROP INDEX user_city;\n",
    ),
]


def files(folder=SHOP):
    return [{"name": name, "sql": text} for name, text in folder]


def schema(c):
    return sorted(c.rows("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'alterd%'"
                         " AND name NOT LIKE '\\_alterd%' ESCAPE '\\'"))


@suite.section
def up_and_down():
    d = Daemon()
    with d.client() as c:
        before = c("migrate.list", files=files())
        suite.same("all are pending", before["pending"], [1, 2, 3, 4, 5])
        done = c("migrate.up", files=files(), wait=True)
        suite.check("the answer tells where it went", (done["from"], done["to"], done["state"]) == (0, 5, "done"), done)
        suite.same("the version", c("migrate.status")["version"], 5)
        suite.same("user_version follows", c.value("PRAGMA user_version"), 5)
        suite.same(
            "the history",
            c.rows("SELECT version, name, tool FROM alterd_migrations ORDER BY version"),
            [[int(n[:4]), n[5:-4], "alterd"] for n, _ in SHOP],
        )
        suite.same("rows", c.rows("SELECT count(*), sum(amount), typeof(max(amount)) FROM user"), [[500, 125250.0, "real"]])
        suite.same("children kept", c.value("SELECT count(*) FROM bill"), 500)
        suite.same("children follow", c.value('SELECT "table" FROM pragma_foreign_key_list(\'bill\')'), "user")
        suite.same("nothing is left to do", c("migrate.up", files=files(), wait=True)["job"], None)
        at_five = schema(c)
        down = c("migrate.to", version=2, files=files(), wait=True)
        suite.check("down to 2", (down["from"], down["to"]) == (5, 2), down)
        suite.same("the version below", c("migrate.status")["version"], 2)
        suite.same("again up", c("migrate.up", files=files(), wait=True)["to"], 5)
        suite.same("the same schema", [r[:3] for r in schema(c)], [r[:3] for r in at_five])
        suite.same("down without any file", c("migrate.down", steps=4, wait=True)["to"], 1)
        suite.same("columns are back", [r[1] for r in c.rows("PRAGMA table_info(user)")], ["id", "name", "amount"])
        suite.same("types are back", c.value("SELECT typeof(amount) FROM user WHERE id=7"), "text")
        suite.same("down to nothing", c("migrate.down", wait=True, allow_data_loss=True)["to"], 0)
        suite.same("nothing is left", schema(c), [])
        history = c("migrate.history")["history"][-1]
        suite.check("history names version and direction", (history["version"], history["direction"]) == (1, "down"), history)
    d.finish()


@suite.section
def refusals():
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files(SHOP[:2]), wait=True)

        def refused(what, code, text, method="migrate.up", folder=SHOP, **more):
            try:
                got = c(method, files=files(folder), wait=True, **more)
            except RpcError as e:
                suite.check(what, e.code == code and text in e.message, (e.code, e.message))
            else:
                suite.check(what, False, got)

        changed = [(SHOP[0][0], SHOP[0][1].replace("500", "501"))] + SHOP[1:]
        refused("a file that was changed", -32022, "0001_shop.sql was changed", folder=changed)
        suite.same("list says so", c("migrate.list", files=files(changed))["problems"], [{"version": 1, "state": "changed"}])
        c("migrate.repair", version=1, files=files(changed))
        suite.same("repair accepts it", c("migrate.list", files=files(changed))["problems"], [])
        c("migrate.repair", version=1, files=files())
        late = SHOP[:1] + SHOP[2:3] + [("0001_5.sql", "")]
        refused("a name without a form", -32021, "", folder=late)
        c("migrate.up", files=files(SHOP[:3]), wait=True)
        early = [SHOP[0]] + [("0002_other.sql", "-- migrate:up\nSELECT 1;\n")] + SHOP[2:]
        c("migrate.down", wait=True, steps=2)
        c("migrate.up", files=files(SHOP[:1] + SHOP[2:3]), wait=True)
        refused("one that comes too late", -32023, "0002_other.sql", folder=early)
        c("migrate.up", files=files(early), wait=True, allow_out_of_order=True)
        suite.same("allowed it runs", c.value("SELECT group_concat(version) FROM (SELECT version FROM alterd_migrations"
                                              " ORDER BY version)"), "1,2,3,4,5")
        refused("nothing undoes it", -32024, "version 2", method="migrate.to", folder=early, version=1)
        loss = early + [("0006_loss.sql", "-- migrate:up\n\nDROP TABLE bill;\n")]
        refused("data would be lost", -32025, "0006_loss.sql:3", folder=loss)
        suite.same("nothing was lost", c.value("SELECT count(*) FROM bill"), 500)
        c("migrate.up", files=files(loss), wait=True, allow_data_loss=True)
        suite.same("with consent it goes", c.value("SELECT count(*) FROM sqlite_schema WHERE name='bill'"), 0)
        refused("no such version", -32007, "99", method="migrate.to", folder=loss, version=99)
    d.finish()


@suite.section
def a_version_that_fails():
    d = Daemon()
    with d.client() as c:
        bad = SHOP[:2] + [("0003_bad.sql", "-- migrate:up\nCREATE TABLE x(a);\nINSERT INTO user(id) VALUES(1);\n")]
        try:
            c("migrate.up", files=files(bad), wait=True)
            suite.check("it fails", False)
        except RpcError as e:
            suite.check("with file and line", e.code == -32026 and "0003_bad.sql:3: UNIQUE" in e.message, e.message)
        suite.same("the version is that before", c("migrate.status")["version"], 2)
        suite.same("nothing of it is there", c.value("SELECT count(*) FROM sqlite_schema WHERE name='x'"), 0)
        orphan = SHOP[:2] + [("0003_bad.sql", "-- migrate:up\nINSERT INTO bill VALUES(9999, 9999);\nSELECT 1;\n")]
        suite.refused("rows that refer to nothing", lambda: c("migrate.up", files=files(orphan), wait=True), -32026)
        bad = SHOP[:2] + [("0003_ok.sql", "-- migrate:up\nSELECT 1;\n"),
                          ("0004_bad.sql", "-- migrate:up\n\nALTER TABLE nowhere ALTER a TYPE TEXT;\n")]
        try:
            c("migrate.up", files=files(bad), wait=True)
            suite.check("a plan that fails", False)
        except RpcError as e:
            suite.check("a plan that fails names its own file", e.message.startswith("0004_bad.sql:3: "), e.message)
        suite.same("those before it stay", c("migrate.status")["version"], 3)
        c.exec("DELETE FROM alterd_migrations WHERE version=3")
        for sql in ("ATTACH 'x.db' AS x", "VACUUM", "PRAGMA writable_schema=ON", "UPDATE sqlite_schema SET sql=''"):
            refused = SHOP[:2] + [("0003_bad.sql", "-- migrate:up\nSELECT 1;\n%s;\n" % sql)]
            try:
                c("migrate.up", files=files(refused), wait=True)
                suite.check(sql, False)
            except RpcError as e:
                suite.check("%s is refused by place" % sql, "0003_bad.sql:3" in e.message, e.message)
        online = SHOP[:2] + [("0003_x.sql", "-- migrate:up\n-- alterd: mode=online\nSELECT 1;\nSELECT 2;\n")]
        suite.refused("online or not at all", lambda: c("migrate.up", files=files(online), wait=True), -32026)
        batch = SHOP[:2] + [("0003_x.sql", "-- migrate:up\n-- alterd: batch=77\nALTER TABLE user ALTER name TYPE BLOB;\n"
                             "-- migrate:down\nALTER TABLE user ALTER name TYPE TEXT;\n")]
        c("migrate.up", files=files(batch), postpone_cutover=True)
        until("it waits", lambda: c("migrate.status")["job"]["phase"] == "ready")
        suite.same("the file's batch", c("migrate.status")["job"]["batch_rows"], 77)
        c("migrate.abort")
        suite.same("mended it runs", c("migrate.up", files=files(), wait=True)["to"], 5)
        suite.same("foreign keys are on for clients", c.value("PRAGMA foreign_keys"), 1)
        c.exec("DELETE FROM user WHERE id=1")
        suite.same("and cascade", c.value("SELECT count(*) FROM bill"), 499)
    d.finish()


@suite.section
def a_database_that_was_there():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT, amount TEXT)")
        suite.refused("baseline first", lambda: c("migrate.up", files=files(), wait=True), -32021)
        dry = c("migrate.baseline", version=1, files=files(), dry_run=True)
        suite.same("a dry run tells", dry["recorded"], [1])
        suite.same("and writes nothing", c.value("SELECT count(*) FROM sqlite_schema WHERE name='alterd_migrations'"), 0)
        c("migrate.baseline", version=1, files=files())
        suite.same("version 1 counts as applied", c("migrate.list", files=files())["pending"], [2, 3, 4, 5])
        suite.same("and the rest runs", c("migrate.up", files=files(), wait=True)["to"], 5)
        suite.refused("once", lambda: c("migrate.baseline", version=2, files=files()), -32028)
    d.finish()


@suite.section
def plan_writes_nothing():
    d = Daemon()
    with d.client() as c:
        c("migrate.up", files=files(SHOP[:1]), wait=True)

        def bytes_of_it():
            out = {}
            for tail in ("", "-wal"):
                with open(d.db + tail, "rb") as f:
                    out[tail] = f.read()
            return out

        before = bytes_of_it()
        plan = c("migrate.plan", files=files())
        c("migrate.list", files=files())
        suite.check("not a byte", bytes_of_it() == before)
        steps = {s["version"]: s for s in plan["steps"]}
        suite.same("from and to", (plan["from"], plan["to"], sorted(steps)), (1, 5, [2, 3, 4, 5]))
        suite.same("an online rebuild", (steps[2]["strategy"], steps[2]["table"], steps[2]["rows"]), ("rebuild", "user", 500))
        suite.check("its bytes", steps[2]["needs_bytes"] > 4096, steps[2])
        suite.same("one by hand", (steps[3]["strategy"], steps[3]["table"]), ("check", "user"))
        lines = [s["line"] for s in steps[3]["statements"]]
        suite.same("lines of the file", lines, [2, 3, 4, 5, 6, 7, 8, 9])
        suite.same("reversible", steps[2]["reversible"], True)
    d.finish()


@suite.section
def one_run_at_a_time():
    d = Daemon()
    with d.client() as c, d.client() as other:
        c("migrate.up", files=files(SHOP[:1]), wait=True)
        job = c("migrate.up", files=files(), postpone_cutover=True)["job"]
        until("the first version waits", lambda: other("migrate.status")["job"]["phase"] == "ready")
        suite.refused("another run", lambda: other("migrate.up", files=files()), -32020)
        suite.same("its version", other("migrate.status")["job"]["version"], 2)
        aborted = other("migrate.abort", job=job)
        suite.same("abort leaves the version before", (aborted["state"], aborted["version"]), ("aborted", 1))
        suite.same("all goes", c("migrate.up", files=files(), wait=True)["to"], 5)
    d.finish()


ADOPTED = [
    # tool, form of the folder, its history at version 2
    ("dbmate", "dbmate", "CREATE TABLE schema_migrations(version varchar(128) primary key);"
     "INSERT INTO schema_migrations VALUES('0001'),('0002')"),
    ("golang-migrate", "auto", "CREATE TABLE schema_migrations(version uint64, dirty bool);"
     "INSERT INTO schema_migrations VALUES(2, 0)"),
    ("goose", "auto", "CREATE TABLE goose_db_version(id INTEGER PRIMARY KEY, version_id INTEGER, is_applied INTEGER, tstamp);"
     "INSERT INTO goose_db_version(version_id, is_applied) VALUES(0,1),(1,1),(2,1),(3,1),(3,0)"),
    ("sqlx", "auto", "CREATE TABLE _sqlx_migrations(version BIGINT PRIMARY KEY, description TEXT, installed_on, success BOOLEAN,"
     " checksum BLOB, execution_time BIGINT)"),
    ("diesel", "auto", "CREATE TABLE __diesel_schema_migrations(version VARCHAR(50) PRIMARY KEY, run_on TIMESTAMP);"
     "INSERT INTO __diesel_schema_migrations(version) VALUES('0001'),('0002')"),
    ("user_version", "auto", "PRAGMA user_version=2"),
]


@suite.section
def history_of_other_tools():
    import hashlib

    plain = [(name, "CREATE TABLE t%d(a);\n" % i) for i, (name, _) in enumerate(SHOP, 1)]
    for tool, form, sql in ADOPTED:
        d = Daemon(start=False)
        with d.file() as db:
            db.executescript("CREATE TABLE t1(a); CREATE TABLE t2(a);" + sql)
            if tool == "sqlx":
                for i in (1, 2):
                    digest = hashlib.sha384(plain[i - 1][1].encode()).digest()
                    db.execute("INSERT INTO _sqlx_migrations VALUES(?,'',0,1,?,0)", (i, digest))
                db.commit()
        folder = plain
        if form == "dbmate":
            folder = [(n, "-- migrate:up\n" + s) for n, s in plain]
        d.start()
        with d.client() as c:
            listed = c("migrate.list", files=files(folder))
            if tool != "user_version":
                dry = c("migrate.baseline", version=2, dry_run=True, **{"from": tool})
                suite.same("%s: baseline reads it" % tool, dry["recorded"], [2] if tool == "golang-migrate" else [1, 2])
            suite.same("%s: where it was" % tool, (listed["version"], listed["pending"]), (2, [3, 4, 5]))
            suite.same("%s: goes on" % tool, c("migrate.up", files=files(folder), wait=True)["to"], 5)
            suite.same("%s: recorded" % tool, c.rows("SELECT version, tool FROM alterd_migrations ORDER BY version"),
                       [[1, tool], [2, tool], [3, "alterd"], [4, "alterd"], [5, "alterd"]])
            suite.same("%s: in order" % tool, c("migrate.list", files=files(folder))["problems"], [])
        d.finish()
    d = Daemon(start=False)
    with d.file() as db:
        db.executescript("CREATE TABLE schema_migrations(version uint64, dirty bool); INSERT INTO schema_migrations VALUES(2,1)")
    d.start()
    with d.client() as c:
        suite.refused("half done", lambda: c("migrate.up", files=files(plain)), -32028)
    d.finish()


@suite.section
def the_daemons_own_folder():
    with tempfile.TemporaryDirectory(prefix="alterd-mig-") as folder:
        for name, text in SHOP:
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        with open(os.path.join(folder, "README.md"), "w") as f:
            f.write("no migration")
        d = Daemon(settings={"migrate.folder": folder, "migrate.on_start": "up"})
        with d.client() as c:
            suite.same("a new database is served at its version", c("migrate.status")["version"], 5)
            c("migrate.down", wait=True)
            until("status knows what is pending", lambda: c("migrate.status")["pending"] == [5])
            suite.same("so does the daemon's status", c("status")["pending"], [5])
            suite.same("latest", c("migrate.status")["latest"], 5)
        d.restart()
        with d.client() as c:
            # To its end: a job that goes on after the next start would be the last one ended there.
            until("at the next start it is run", lambda: (c("migrate.status")["version"], job(c)["state"]) == (5, "done"))
        suite.same("it ends well", d.stop(), 0)
        with open(os.path.join(folder, "0006_bad.sql"), "w") as f:
            f.write("-- migrate:up\nSELECT nowhere;\n")
        d.start()
        with d.client() as c:
            until("a failure", lambda: (c("migrate.status")["job"] or {}).get("state") == "failed")
            suite.same("leaves it serving", c("migrate.status")["version"], 5)
            suite.check("with the reason", "0006_bad.sql:2" in c("migrate.status")["job"]["error"], c("migrate.status"))
        d.finish()


@suite.section
def abort_between_versions():
    d = Daemon(settings={"migrate.retire_pause": "200ms"})
    with d.client() as c, d.client() as other:
        c("migrate.up", files=files(many(2, 30_000)), wait=True)
        c("migrate.up", files=files(many(6, 30_000)))
        until("a version is retiring", lambda: other("migrate.status")["job"]["phase"] == "retiring", every=0.001)
        gone = other("migrate.abort")
        suite.check("the run ends there", gone["state"] == "aborted" and gone["version"] < 6, gone)
        suite.same("as its job says", other("migrate.status")["job"]["state"], "aborted")
        suite.same("nothing is left behind", other.value(
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_alterd\\_t%' ESCAPE '\\'"), 0)
        suite.same("the rest runs later", c("migrate.up", files=files(many(6, 30_000)), wait=True)["to"], 6)
    d.finish()


FORMAT_1 = """
CREATE TABLE _alterd_meta(key TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE _alterd_dirty(job,gone,key,PRIMARY KEY(job,gone,key)) WITHOUT ROWID;
CREATE TABLE _alterd_job(id INTEGER NOT NULL PRIMARY KEY, state TEXT NOT NULL, phase TEXT NOT NULL, failed_in TEXT NOT NULL,
 "table" TEXT,"sql" TEXT,"strategy" TEXT,"shadow" TEXT,"fingerprint" TEXT,"error_name" TEXT,"error_text" TEXT,"error_rows" TEXT,
 %s) WITHOUT ROWID;
INSERT INTO _alterd_meta VALUES('format',1);
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
"""
FORMAT_1_NUMBERS = (
    "allow_data_loss queued_ms started_ms ended_ms error_code error_count paused postpone batch_rows duty_percent has_cursor"
    " cursor collecting indexes rows_done rows_total rows_exact verified_rows changes_applied restarts longest_hold_us"
    " longest_wait_us swap_us run_ms"
).split()


@suite.section
def tables_of_the_version_before():
    d = Daemon(start=False)
    with d.file() as db:
        db.executescript(FORMAT_1 % ",".join('"%s" INTEGER NOT NULL' % n for n in FORMAT_1_NUMBERS))
        marks = ",".join("0" for _ in FORMAT_1_NUMBERS)
        db.execute("INSERT INTO _alterd_job VALUES(7,'done','end','plan','t','ALTER TABLE t ADD v TEXT','instant',"
                   "NULL,NULL,NULL,NULL,NULL," + marks + ")")
        db.commit()
    d.start()
    with d.client() as c:
        suite.same("its history is there", c("migrate.history")["history"][0]["job"], "m7")
        suite.same("it goes on", c("migrate.alter", sql="ALTER TABLE t ALTER v TYPE INT", wait=True)["job"], "m8")
        first = [{"name": "1_a.sql", "sql": "-- migrate:up\nCREATE TABLE a(x);\n"}]
        c("migrate.baseline", version=1, files=first)
    d.finish()


def many(n, rows):
    """A table, then versions that change it: online, exact, and instant in turn."""
    out = [
        (
            "0001_t.sql",
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER);\nINSERT INTO t " + NUMBERS % rows + "SELECT i, i FROM n;\n",
        )
    ]
    for i in range(2, n + 1):
        sql = (
            "ALTER TABLE t ALTER v TYPE %s;\n" % ("TEXT" if i % 2 else "INTEGER"),
            "CREATE TABLE x%d(a);\nINSERT INTO x%d SELECT count(*) FROM t;\n" % (i, i),
            "ALTER TABLE t ADD COLUMN c%d TEXT DEFAULT 'c';\n" % i,
        )[i % 3]
        out.append(("%04d_step.sql" % i, sql))
    return out


@suite.section
def kill_in_the_middle():
    folder = many(12, 30_000)
    for at in (1, 5, 10) if SANITIZER else range(1, 12):
        d = Daemon()
        with d.client() as c:
            c("migrate.up", files=files(folder))
            until("version %d" % at, lambda: c("migrate.status")["version"] >= at, every=0.001)
        d.kill()
        d.start()
        with d.client() as c:
            until("the end", lambda: c("migrate.status")["job"]["state"] not in ("running", "queued"))
            status = c("migrate.status")
            suite.same("killed at %d it ends" % at, (status["version"], status["job"]["state"]), (12, "done"))
            suite.same("each version once", c.rows("SELECT version FROM alterd_migrations ORDER BY applied_at, version"),
                       [[i] for i in range(1, 13)])
            suite.same("rows", c.rows("SELECT count(*), sum(v) FROM t"), [[30_000, 450_015_000]])
            suite.same("nothing is left behind", c.value(
                "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_alterd\\_t%' ESCAPE '\\'"), 0)
        suite.same("it ends well", d.stop(), 0)
        suite.same("integrity", d.integrity(), "ok")


def tool_folders():
    """The same six versions as each tool has them: its marks, and rebuilds as it or its users write them."""
    rebuild = (
        "CREATE TABLE \"new_post\" (\"id\" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, \"title\" TEXT NOT NULL,"
        " \"author\" INTEGER, \"score\" REAL DEFAULT 0);\n"
        "INSERT INTO \"new_post\" (\"id\", \"title\", \"author\") SELECT \"id\", \"title\", \"author\" FROM \"post\";\n"
        "DROP TABLE \"post\";\nALTER TABLE \"new_post\" RENAME TO \"post\";\n"
        "CREATE INDEX \"post_author\" ON \"post\"(\"author\");\n"
    )
    away = (
        "ALTER TABLE tag RENAME TO _tag_old;\n"
        "CREATE TABLE tag(id INTEGER PRIMARY KEY, post INTEGER REFERENCES post(id), word TEXT NOT NULL COLLATE NOCASE);\n"
        "INSERT INTO tag(id, post, word) SELECT id, post, lower(word) FROM _tag_old;\nDROP TABLE _tag_old;\n"
    )
    ups = [
        "CREATE TABLE post(id INTEGER PRIMARY KEY, title TEXT, author INTEGER);\n"
        "CREATE TABLE tag(id INTEGER PRIMARY KEY, post INTEGER REFERENCES post(id), word TEXT);\n"
        "CREATE TABLE note(id INTEGER PRIMARY KEY, tag INTEGER REFERENCES tag(id));\n",
        "INSERT INTO post " + NUMBERS % 300 + "SELECT i, 'Title; '||i, i%7 FROM n;\n"
        "INSERT INTO tag SELECT id, id, 'Word' FROM post;\nINSERT INTO note SELECT id, id FROM tag;\n",
        "PRAGMA foreign_keys=OFF;\n" + rebuild + "PRAGMA foreign_key_check;\nPRAGMA foreign_keys=ON;\n",
        away,
        "ALTER TABLE post ADD COLUMN lang TEXT DEFAULT 'en';\nUPDATE post SET lang = 'de' WHERE author = 3;\n",
        "CREATE TRIGGER tag_ad AFTER DELETE ON tag BEGIN\n  DELETE FROM note WHERE tag = old.id;\n"
        "  SELECT CASE WHEN 1 THEN 2 END;\nEND;\nCREATE VIEW words AS SELECT word, count(*) AS n FROM tag GROUP BY word;\n",
    ]
    down = "SELECT 1;\n"
    names = ["first", "data", "rebuild", "away", "lang", "trigger"]
    forms = {
        "dbmate": [("2024010%d0000_%s.sql" % (i, n), "-- migrate:up\n%s\n-- migrate:down\n%s" % (u, down))
                   for i, (n, u) in enumerate(zip(names, ups), 1)],
        "goose": [("%05d_%s.sql" % (i, n), "-- +goose Up\n-- +goose StatementBegin\n%s-- +goose StatementEnd\n\n"
                   "-- +goose Down\n%s" % (u, down)) for i, (n, u) in enumerate(zip(names, ups), 1)],
        "golang-migrate": [(f, t) for i, (n, u) in enumerate(zip(names, ups), 1)
                           for f, t in (("%06d_%s.up.sql" % (i, n), u), ("%06d_%s.down.sql" % (i, n), down))],
        "sqlx": [("2024010%d000000_%s.sql" % (i, n), u) for i, (n, u) in enumerate(zip(names, ups), 1)],
        "diesel": [(f, t) for i, (n, u) in enumerate(zip(names, ups), 1)
                   for f, t in (("2024-01-0%d-170000_%s/up.sql" % (i, n), u),
                                ("2024-01-0%d-170000_%s/down.sql" % (i, n), down))],
        "sqflite": [("%d_%s.sql" % (i, n), "-- UP --\n%s\n-- DOWN --\n%s" % (u, down))
                    for i, (n, u) in enumerate(zip(names, ups), 1)],
    }
    return ups, forms


def by_shell(ups):
    """What the sqlite3 shell makes of it, but for the children, which alterd leaves with the new table."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    for sql in ups:
        db.execute("PRAGMA legacy_alter_table=%s" % ("ON" if "_tag_old" in sql else "OFF"))
        db.executescript(sql.replace("PRAGMA foreign_keys=ON", "PRAGMA foreign_keys=OFF"))
    rows = {t: db.execute("SELECT * FROM %s ORDER BY id" % t).fetchall() for t in ("post", "tag", "note")}
    names = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' ORDER BY name")
    return rows, [list(r) for r in names.fetchall()]


@suite.section
def folders_of_other_tools():
    ups, forms = tool_folders()
    rows, names = by_shell(ups)
    for form, folder in forms.items():
        d = Daemon()
        with d.client() as c:
            suite.same("%s: six versions" % form, len(c("migrate.list", files=files(folder), format=form)["pending"]), 6)
            found = c("migrate.list", files=files(folder))["format"]
            suite.check("%s is recognised" % form, found == form or (form == "sqlx" and found == "sqflite"), found)
            c("migrate.up", files=files(folder), wait=True)
            for table, want in rows.items():
                got = c.rows("SELECT * FROM %s ORDER BY id" % table, page_rows=1000)
                suite.same("%s: rows of %s" % (form, table), got, [list(r) for r in want])
            got = c.rows("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'"
                         " AND name NOT LIKE '%alterd%' ORDER BY name")
            suite.same("%s: the shell's schema" % form, got, names)
            c.exec("DELETE FROM tag WHERE id=5")
            suite.same("%s: children work" % form, c.value("SELECT count(*) FROM note"), 299)
        d.finish()


suite.run()
