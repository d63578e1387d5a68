#!/usr/bin/env python3
"""Rule by rule: what folders of migrations may hold, what is refused with which code, and the file and line it names."""
import hashlib
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from limits import until
from suite import Suite
from wire import RpcError

suite = Suite(limit=120)

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) "
INVALID, FAILED, CHECKSUM, FORCE, STATE = -32021, -32026, -32022, -32025, -32028


def files(folder):
    return [{"name": name, "sql": text} for name, text in folder]


def up(sql, down=None):
    return "-- migrate:up\n" + sql + (";\n-- migrate:down\n" + down if down else "") + ";\n"


def run(c, folder, method="migrate.up", **more):
    return c(method, files=files(folder), wait=True, **more)


def refused(what, c, folder, code, *texts, method="migrate.up", **more):
    """It must be refused with the code, and the message must hold the texts: the file, and its line where there is one."""
    try:
        got = run(c, folder, method, **more)
    except RpcError as e:
        suite.check(what, e.code == code and all(t in e.message for t in texts), "%s %s" % (e.code, e.message))
        return e
    suite.check(what, False, got)
    return RpcError({})


def tables(c):
    return [r[0] for r in c.rows("SELECT name FROM sqlite_schema WHERE type='table' AND name NOT GLOB 'sqlite_*'"
                                 " AND name NOT GLOB '*alterd_*' ORDER BY name")]


class Fresh:
    """A daemon for one case, and a client of it."""

    def __init__(self, *folder):
        self.d = Daemon()
        self.c = self.d.client()
        if folder:
            run(self.c, folder)

    def __enter__(self):
        return self.c

    def __exit__(self, *_):
        self.c.close()
        self.d.finish()


@suite.section
def names_and_numbers():
    with Fresh() as c:
        long = "20240101000000000001_a.sql"
        e = refused("a version of 20 digits", c, [(long, up("SELECT 1"))], INVALID, long, "larger than 9223372036854775807")
        suite.same("its file", e.data.get("file"), long)
        refused("the one behind the last", c, [("9223372036854775808_a.sql", up("SELECT 1"))], INVALID, "9223372036854775808_a")
        refused("zero", c, [("000_a.sql", up("SELECT 1"))], INVALID, "000_a.sql", "begin with 1")
        refused("a name without a number", c, [("a.sql", up("SELECT 1"))], INVALID, "a.sql", "no version")
        e = refused("a number twice", c, [("1_a.sql", up("SELECT 1")), ("01_b.sql", up("SELECT 1"))], INVALID, "version 1")
        suite.same("both files", {e.data.get("file"), e.data.get("other")}, {"1_a.sql", "01_b.sql"})
        suite.same("nothing is recorded", c.value("SELECT count(*) FROM sqlite_schema WHERE name='alterd_migrations'"), 0)
        last = [("0007_a.sql", up("CREATE TABLE a(x)")), ("20_b.sql", up("CREATE TABLE b(x)")),
                ("9223372036854775807_c.sql", up("CREATE TABLE c(x)"))]
        suite.same("zeros, gaps and the last number", run(c, last)["to"], 2**63 - 1)
        suite.same("in their order", c.rows("SELECT version, name FROM alterd_migrations ORDER BY version"),
                   [[7, "a"], [20, "b"], [{"int": "9223372036854775807"}, "c"]])
        suite.same("user_version stays where the version does not fit", c.value("PRAGMA user_version"), 20)
    with Fresh() as c:
        folder = [("10_b.sql", up("CREATE TABLE b(x)")), ("9_a.sql", up("CREATE TABLE a(x)"))]
        for method in ("migrate.list", "migrate.plan"):
            told = c(method, files=files(folder))["warnings"]
            suite.check("%s warns: as text they sort otherwise" % method, len(told) == 1 and "10_b.sql sorts before 9_a.sql" in told[0], told)
        run(c, folder, steps=1)
        suite.same("sorted by number", tables(c), ["a"])
    with Fresh() as c:
        pair = [("V0001.First.up.sql", "CREATE TABLE a(x);\n"), ("V0001.First.down.sql", "DROP TABLE a;\n"),
                ("V0002.Second.up.sql", "-- nothing to do here\n"), ("V0002.Second.down.sql", "")]
        suite.same("a V and dots", run(c, pair)["to"], 2)
        suite.same("their names", c.rows("SELECT version, name FROM alterd_migrations"), [[1, "First"], [2, "Second"]])
        suite.same("and back", run(c, pair, "migrate.down", steps=2)["to"], 0)


@suite.section
def user_version_of_times():
    with Fresh() as c:
        folder = [("1_a.sql", up("CREATE TABLE a(x)", "DROP TABLE a")), ("20151127184807_b.sql", up("CREATE TABLE b(x)", "DROP TABLE b"))]
        run(c, folder, steps=1)
        suite.same("it follows", c.value("PRAGMA user_version"), 1)
        run(c, folder)
        suite.same("a time does not fit: it stays", c.value("PRAGMA user_version"), 1)
        suite.same("the version does", c("migrate.status")["version"], 20151127184807)
        run(c, folder, "migrate.down")
        suite.same("back", (c("migrate.status")["version"], c.value("PRAGMA user_version")), (1, 1))


@suite.section
def folders_that_are_not_taken():
    ok = ("0001_a.sql", up("CREATE TABLE a(x)"))
    with Fresh() as c:
        refused("ENVSUB ON", c, [("1_a.sql", "-- +goose Up\n-- +goose ENVSUB ON\nSELECT 1;\n")], INVALID, "1_a.sql", "line 2", "ENVSUB")
        refused("a word goose does not have", c, [("1_a.sql", "-- +goose Up\n-- +goose Sideways\n")], INVALID, "1_a.sql", "line 2")
        refused("written in Go", c, [("00001_a.sql", "-- +goose Up\nSELECT 1;\n"), ("00002_b.go", "")], INVALID, "00002_b.go", "Go")
        e = refused("two tools' files", c, [ok, ("0002_b.sql", "-- +goose Up\nSELECT 1;\n")], INVALID, "0001_a.sql", "0002_b.sql")
        suite.same("both files as data", {e.data.get("file"), e.data.get("other")}, {"0001_a.sql", "0002_b.sql"})
        refused("with pairs", c, [ok, ("0002_b.up.sql", "SELECT 1;\n")], INVALID, "0001_a.sql", "0002_b.up.sql")
        refused("flyway without a word", c, [("V1__a.sql", "SELECT 1;\n")], INVALID, "V1__a.sql", "format=flyway")
        refused("a dotted version", c, [("V1.2__a.sql", "SELECT 1;\n")], INVALID, "V1.2__a.sql", format="flyway")
        refused("R__", c, [("R__a.sql", "SELECT 1;\n")], INVALID, "R__a.sql", format="flyway")
        refused("no such form", c, [ok], -32602, "rails", format="rails")
        refused("a key that alterd does not have", c, [("1_a.sql", up("-- alterd: speed=11\nSELECT 1"))], INVALID, "1_a.sql", "line 2", "speed")
        refused("a string that does not end", c, [("1_a.sql", up("SELECT 1;\nSELECT 'x"))], INVALID, "1_a.sql", "line 3")
        suite.same("nothing has run", tables(c), [])
        taken = [("V1__a.sql", "CREATE TABLE a(x);\n"), ("U1__a.sql", "DROP TABLE a;\n")]
        suite.same("flyway by name", run(c, taken, format="flyway")["to"], 1)
        suite.same("its U undoes", run(c, taken, "migrate.down", format="flyway")["to"], 0)
    with Fresh() as c:
        places = [("2024-03-13_170000_b/up.sql", "CREATE TABLE b(x);\n"), ("00000000000000_a/up.sql", "CREATE TABLE a(x);\n")]
        refused("diesel: version 0", c, places, INVALID, "00000000000000_a/up.sql")
        places[1] = ("20230101000000_a/up.sql", "CREATE TABLE a(x);\n")
        run(c, places, steps=1)
        suite.same("diesel's own order is that of the text", tables(c), ["a"])
        suite.same("the rest is no late comer", run(c, places)["state"], "done")


@suite.section
def histories_that_do_not_fit():
    plain = [("1_a.sql", "CREATE TABLE a(x);\n"), ("2_b.sql", "CREATE TABLE b(x);\n")]
    for what, sql, code, texts in (
        ("golang-migrate left it dirty", "CREATE TABLE schema_migrations(version uint64, dirty bool);"
         "INSERT INTO schema_migrations VALUES(1, 1)", STATE, ("golang-migrate", "version 1", "half done")),
        ("sqlx' did not succeed", "CREATE TABLE _sqlx_migrations(version BIGINT PRIMARY KEY, description TEXT, installed_on,"
         " success BOOLEAN, checksum BLOB, execution_time BIGINT); INSERT INTO _sqlx_migrations VALUES(1,'',0,0,x'00',0)",
         STATE, ("sqlx", "version 1")),
        ("sqlx' checksum is another's", "CREATE TABLE _sqlx_migrations(version BIGINT PRIMARY KEY, description TEXT,"
         " installed_on, success BOOLEAN, checksum BLOB, execution_time BIGINT); INSERT INTO _sqlx_migrations"
         " VALUES(1,'',0,1,x'%s',0)" % hashlib.sha384(b"CREATE TABLE a(y);\n").hexdigest(), CHECKSUM, ("1_a.sql was changed",)),
        ("no history at all", "SELECT 1", INVALID, ("baseline",)),
        ("versions that are no numbers", "CREATE TABLE schema_migrations(version varchar(128) primary key);"
         "INSERT INTO schema_migrations VALUES('one')", INVALID, ("dbmate", "one")),
    ):
        d = Daemon(start=False)
        with d.file() as db:
            db.executescript("CREATE TABLE a(x);" + sql)
        db.close()
        d.start()
        with d.client() as c:
            refused(what, c, plain, code, *texts)
            suite.same("%s: nothing is written" % what,
                       c.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('b','alterd_migrations')"), 0)
        d.finish()


@suite.section
def checksums():
    text = up("CREATE TABLE a(x);\nCREATE TABLE b(x)", "DROP TABLE b")
    with Fresh(("1_a.sql", text)) as c:
        for what, other in (("CRLF", text.replace("\n", "\r\n")), ("blanks at ends of lines", text.replace(";\n", "; \t\n")),
                            ("lines at the end", text + "\n\n")):
            suite.same(what, run(c, [("1_a.sql", other)])["job"], None)
        e = refused("a comment counts", c, [("1_a.sql", text + "-- more\n")], CHECKSUM, "1_a.sql was changed")
        recorded = c.value("SELECT checksum FROM alterd_migrations")
        suite.check("both are shown", recorded in e.message and len([w for w in e.message.split() if len(w.strip(",")) == 64]) == 2,
                    e.message)
        suite.same("no file is no error", run(c, [("2_b.sql", up("SELECT 1"))])["to"], 2)
        suite.same("but told", c("migrate.list", files=files([("2_b.sql", up("SELECT 1"))]))["problems"],
                   [{"version": 1, "state": "no file"}])


@suite.section
def undone_in_reverse():
    with Fresh() as c:
        folder = [("%d_t.sql" % i, up("CREATE TABLE t%d(x)" % i, "DROP TABLE t%d" % i)) for i in (1, 2, 3)]
        run(c, [folder[0], folder[2]])
        refused("late", c, folder, -32023, "2_t.sql")
        run(c, folder, allow_out_of_order=True)
        run(c, folder, "migrate.down")
        suite.same("the last one applied goes first", tables(c), ["t1", "t3"])
        suite.same("the version is the greatest that is there", c("migrate.status")["version"], 3)


@suite.section
def several_sections():
    text = (
        "-- migrate:up\nCREATE TABLE a(x);\n\n-- migrate:down\nINSERT INTO log VALUES('a');\nDROP TABLE a;\n"
        "-- migrate:up\nCREATE TABLE b(x);\nINSERT INTO a VALUES(1);\n-- migrate:down\nINSERT INTO log VALUES('b');\nDROP TABLE b;\n"
    )
    with Fresh(("1_log.sql", up("CREATE TABLE log(x)"))) as c:
        log = ("1_log.sql", up("CREATE TABLE log(x)"))
        bad = text.replace("INSERT INTO a VALUES(1)", "INSERT INTO nowhere VALUES(1)")
        e = refused("the line of a later section", c, [log, ("2_t.sql", bad)], FAILED, "2_t.sql:9: no such table: nowhere")
        suite.same("as data, too", (e.data.get("file"), e.data.get("line")), ("2_t.sql", 9))
        suite.same("once in the history", (run(c, [log, ("2_t.sql", text)])["to"], c.value(
            "SELECT count(*) FROM alterd_migrations WHERE version=2")), (2, 1))
        c.exec("DELETE FROM a")
        run(c, [log, ("2_t.sql", text)], "migrate.down")
        suite.same("the downs in reverse", c.rows("SELECT x FROM log ORDER BY rowid"), [["b"], ["a"]])


@suite.section
def files_with_little_in_them():
    with Fresh() as c:
        nothing = [("1_a.sql", "-- migrate:up\n"), ("2_b.sql", "-- migrate:up\n-- only words\n\n;;\n/* and more */\n"),
                   ("3_c.sql", "-- migrate:up transaction:false\n-- nothing\n"), ("4_d.sql", up("CREATE TABLE IF NOT EXISTS d(x)")),
                   ("5_e.sql", up("CREATE TABLE IF NOT EXISTS d(y)")), ("6_f.sql", up("DROP TABLE IF EXISTS nowhere")),
                   ("7_g.sql", up("DROP TABLE IF EXISTS nowhere;\nCREATE TABLE IF NOT EXISTS d(z);\nCREATE TABLE g(x)"))]
        steps = c("migrate.plan", files=files(nothing))["steps"]
        suite.same("a plan of nothing", (steps[0]["statements"], steps[2]["statements"]), ([], []))
        suite.same("they count as applied", run(c, nothing)["to"], 7)
        suite.same("all seven", c.value("SELECT count(*) FROM alterd_migrations"), 7)
        suite.same("what was there stays", c.rows("SELECT name FROM pragma_table_info('d')"), [["x"]])
        suite.same("what was not is made", tables(c), ["d", "g"])
    with Fresh() as c:
        suite.same("golang-migrate's with comments alone", run(c, [("1_a.up.sql", "-- nothing\n"), ("1_a.down.sql", "")])["to"], 1)


@suite.section
def sqlites_own_tables():
    seq = ("1_s.sql", up("CREATE TABLE s(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)"))
    with Fresh(seq) as c:
        run(c, [seq, ("2_a.sql", up("INSERT INTO sqlite_sequence(name, seq) VALUES('s', 41)"))])
        c.exec("INSERT INTO s(v) VALUES('x')")
        suite.same("sqlite_sequence is written", c.value("SELECT id FROM s"), 42)
        run(c, [seq, ("2_a.sql", up("INSERT INTO sqlite_sequence(name, seq) VALUES('s', 41)")),
                ("3_b.sql", up("UPDATE sqlite_sequence SET seq=99 WHERE name='s';\nSELECT 1"))])
        c.exec("INSERT INTO s(v) VALUES('y')")
        suite.same("among others, too", c.value("SELECT max(id) FROM s"), 100)
    ok = ("1_a.sql", up("CREATE TABLE a(x)"))
    for sql in (
        "UPDATE sqlite_schema SET sql='x' WHERE name='a'", "UPDATE OR IGNORE main.sqlite_master SET rootpage=1",
        "DELETE FROM sqlite_master WHERE name='a'", "INSERT INTO sqlite_schema VALUES('table','t','t',0,'CREATE TABLE t(x)')",
        'REPLACE INTO "sqlite_master" VALUES(1,2,3,4,5)', "PRAGMA writable_schema=1", "PRAGMA schema_version=7",
        "ATTACH 'x' AS x", "DETACH main", "VACUUM", "VACUUM INTO 'x'", "SAVEPOINT s", "RELEASE s", "ROLLBACK",
    ):
        with Fresh(ok) as c:
            bad = [ok, ("2_ok.sql", up("CREATE TABLE b(x)")), ("3_bad.sql", up("CREATE TABLE d(x);\n\n%s;\nCREATE TABLE e(x)" % sql))]
            e = refused(sql, c, bad, INVALID, "3_bad.sql:4: ")
            suite.same("%s: as data" % sql, (e.data.get("file"), e.data.get("line")), ("3_bad.sql", 4))
            suite.same("%s: nothing has run" % sql, tables(c), ["a"])


@suite.section
def functions_of_the_application():
    ok = ("1_a.sql", up("CREATE TABLE a(x INTEGER PRIMARY KEY, y TEXT);\nINSERT INTO a VALUES(1,'1')"))
    for what, sql, line in (
        ("among others", "CREATE TABLE b(x);\nINSERT INTO b SELECT slug(y) FROM a", 3),
        ("alone", "INSERT INTO a(y) SELECT slug(y) FROM a", 2),
        ("in a backfill", "\nUPDATE a SET y=slug(y)", 3),
        ("in an index", "CREATE INDEX a_y ON a(slug(y))", 2),
        ("in a trigger that fires", "CREATE TRIGGER t AFTER UPDATE ON a BEGIN SELECT slug(new.y); END;\nUPDATE a SET y='2'", 3),
        ("in USING", "ALTER TABLE a ALTER y TYPE INTEGER USING slug(y)", 2),
    ):
        with Fresh(ok) as c:
            refused(what, c, [ok, ("2_f.sql", up(sql))], FAILED, "2_f.sql:%d: " % line, "slug")
            suite.same("%s: nothing is half done" % what,
                       (tables(c), c.rows("SELECT * FROM a"), c("migrate.status")["version"],
                        c.value("SELECT count(*) FROM sqlite_schema WHERE type IN ('index','trigger')")),
                       (["a"], [[1, "1"]], 1, 0))


PARENT = ("1_p.sql", up(
    "CREATE TABLE p(id INTEGER PRIMARY KEY, v TEXT);\nCREATE TABLE kid(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id)"
    " ON DELETE CASCADE);\nINSERT INTO p " + NUMBERS % 50 + "SELECT i, 'v'||i FROM n;\nINSERT INTO kid SELECT id, id FROM p"))


@suite.section
def foreign_keys():
    with Fresh(PARENT) as c:
        rebuilt = ("2_x.sql", up(
            "PRAGMA foreign_keys=ON;\nCREATE TABLE n(id INTEGER PRIMARY KEY, v TEXT, w);\nINSERT INTO n(id,v) SELECT * FROM p;\n"
            "DROP TABLE p;\nALTER TABLE n RENAME TO p"))
        run(c, [PARENT, rebuilt])
        suite.same("no child is lost, whatever the file says", c.value("SELECT count(*) FROM kid"), 50)
        orphans = ("3_y.sql", up("SELECT 1;\nDELETE FROM p WHERE id<4"))
        refused("children of nobody", c, [PARENT, rebuilt, orphans], FAILED, "3_y.sql", "3 rows would refer")
        suite.same("nothing is kept", c.value("SELECT count(*) FROM p"), 50)
        c.exec("DELETE FROM p WHERE id=7")
        suite.same("for clients they are on", c.value("SELECT count(*) FROM kid"), 49)


def shell(statements, before):
    """What plain SQLite makes of it, with foreign keys off."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript("PRAGMA legacy_alter_table=ON;" + before)
    db.executescript("PRAGMA foreign_keys=OFF;" + statements)
    return [[list(r) for r in db.execute("SELECT * FROM %s ORDER BY 1" % t)] for t in ("p", "kid")]


@suite.section
def rebuilds_by_hand():
    fresh = "id INTEGER PRIMARY KEY, v TEXT NOT NULL"
    cases = {
        "create copy drop rename": "CREATE TABLE _bkp_UP(%s);\nINSERT INTO _bkp_UP(v, id) SELECT v, id FROM p ORDER BY id;\nDROP TABLE p;\n"
                                   "ALTER TABLE _bkp_UP RENAME TO p" % fresh,
        "rename away": "ALTER TABLE p RENAME TO oldP;\nCREATE TABLE p(%s);\nINSERT INTO p SELECT * FROM oldP;\nDROP TABLE oldP" % fresh,
        "out and back": "CREATE TABLE p_x AS SELECT * FROM p;\nDROP TABLE p;\nCREATE TABLE p(%s);\nINSERT INTO p SELECT * FROM p_x;\n"
                        "DROP TABLE p_x" % fresh,
        "out and back by TEMP": 'CREATE TEMPORARY TABLE "ap" ("id" INTEGER PRIMARY KEY NOT NULL, "v" text);\nINSERT INTO "ap" SELECT * FROM "p";\n'
                                'DROP TABLE "p";\nCREATE TABLE "p" (%s);\nINSERT INTO "p" SELECT * FROM "ap";\nDROP TABLE "ap"' % fresh,
        "two pairs, the last without an end": "BEGIN;\nCREATE TABLE n(%s);\nINSERT INTO n SELECT * FROM p;\nCOMMIT;\nBEGIN TRANSACTION;\n"
                                              "DROP TABLE p;\nALTER TABLE n RENAME TO p;\nCOMMIT" % fresh,
        "what is in the way goes first": "DROP TABLE IF EXISTS n;\nCREATE TABLE IF NOT EXISTS n(%s);\nINSERT INTO n SELECT * FROM p;\n"
                                         "DROP TABLE p;\nALTER TABLE n RENAME TO p;\nCREATE INDEX p_v ON p(v)" % fresh,
        "numbered anew": "CREATE TABLE n(%s);\nINSERT INTO n(v) SELECT v FROM p WHERE id>20 ORDER BY id DESC;\n"
                         "DELETE FROM kid WHERE p>30;\nDROP TABLE p;\nALTER TABLE n RENAME TO p" % fresh,
        "two in one file": "CREATE TABLE n(%s);\nINSERT INTO n SELECT * FROM p;\nDROP TABLE p;\nALTER TABLE n RENAME TO p;\n"
                           "CREATE TABLE m(id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p(id) ON DELETE CASCADE);\n"
                           "INSERT INTO m SELECT * FROM kid;\nDROP TABLE kid;\nALTER TABLE m RENAME TO kid" % fresh,
    }
    for what, sql in cases.items():
        with Fresh(PARENT) as c:
            plan = c("migrate.plan", files=files([PARENT, ("2_r.sql", up(sql))]))["steps"][0]
            suite.same("%s: no loss in the plan" % what, plan["destructive"], False)
            run(c, [PARENT, ("2_r.sql", up(sql))])
            got = [c.rows("SELECT * FROM %s ORDER BY 1" % t, page_rows=1000) for t in ("p", "kid")]
            suite.same("%s: the shell's rows" % what, got, shell(sql, PARENT[1]))
            suite.same("%s: two tables" % what, tables(c), ["kid", "p"])
            suite.same("%s: children" % what, c.value("SELECT \"table\" FROM pragma_foreign_key_list('kid')"), "p")
            n = c.value("SELECT count(*) FROM kid")
            c.exec("DELETE FROM p WHERE id=(SELECT min(p) FROM kid)")
            suite.same("%s: cascade" % what, c.value("SELECT count(*) FROM kid"), n - 1)


@suite.section
def losses_that_look_like_rebuilds():
    other = ("1_p.sql", PARENT[1].replace("-- migrate:up\n", "-- migrate:up\nCREATE TABLE o(id, v);\nINSERT INTO o VALUES(1,2);\n"))
    for what, sql, line in (
        ("drop and create", "DROP TABLE IF EXISTS kid;\nCREATE TABLE kid(id INTEGER PRIMARY KEY)", 2),
        ("filled from another", "DROP TABLE kid;\nCREATE TABLE kid(id, p);\nINSERT INTO kid SELECT * FROM o", 2),
        ("copied and not brought back", "CREATE TEMP TABLE t AS SELECT * FROM kid;\nDROP TABLE kid;\nCREATE TABLE kid(id, p)", 3),
        ("brought back from another", "CREATE TEMP TABLE t AS SELECT * FROM kid;\nDROP TABLE kid;\nCREATE TABLE kid(id, p);\n"
         "INSERT INTO kid SELECT * FROM o", 3),
        ("no table made in between", "CREATE TABLE t AS SELECT * FROM kid;\nDROP TABLE kid;\nINSERT INTO kid SELECT * FROM t", 3),
        ("behind a TEMP table of its name", "CREATE TEMP TABLE kid(x);\nDROP TABLE \"main\".kid", 3),
        ("once more than made", "CREATE TEMP TABLE kid(x);\nDROP TABLE kid;\nDROP TABLE kid", 4),
        ("made only if it was not there", "CREATE TABLE IF NOT EXISTS kid(x);\nDROP TABLE kid", 3),
        ("made anew without a column", "CREATE TABLE n(id INTEGER PRIMARY KEY);\nINSERT INTO n SELECT k.id FROM kid k JOIN o;\n"
         "DROP TABLE kid;\nALTER TABLE n RENAME TO kid", 4),
        ("renamed away, and one column stays there", "ALTER TABLE kid RENAME TO was;\nCREATE TABLE kid(id INTEGER PRIMARY KEY, p);\n"
         "INSERT INTO kid(id, p) SELECT id, 7 FROM was WHERE id > random();\nDROP TABLE was", None),
        ("made anew, and nothing is copied", "CREATE TABLE n(id, p);\nDROP TABLE kid;\nALTER TABLE n RENAME TO kid", 3),
        ("one column stays on the way", "CREATE TEMP TABLE t AS SELECT * FROM kid;\nDROP TABLE kid;\nCREATE TABLE kid(id, p);\n"
         "INSERT INTO kid(id) SELECT id FROM t", 3),
        ("a column", "SELECT 1;\nALTER TABLE kid DROP COLUMN p", 3),
    ):
        with Fresh(other) as c:
            step = c("migrate.plan", files=files([other, ("2_l.sql", up(sql))]))["steps"][0]
            suite.check("%s: the plan says so" % what, step["destructive"], step)
            if line is None:
                # Only there it is known that there is something to lose.
                refused(what, c, [other, ("2_l.sql", up(sql))], FAILED, "2_l.sql:5: ", "allow_data_loss")
            else:
                e = refused(what, c, [other, ("2_l.sql", up(sql))], FORCE, "2_l.sql:%d: " % line)
                suite.same("%s: as data" % what, (e.data.get("file"), e.data.get("line")), ("2_l.sql", line))
            suite.same("%s: nothing is lost" % what, c.value("SELECT count(p) FROM kid"), 50)
    with Fresh(other) as c:
        # A loss that only comes about on the way is refused where it does.
        loss = [other, ("2_a.sql", up("CREATE TABLE w(x)")), ("3_b.sql", up("INSERT INTO w VALUES(1);\nSELECT 1")),
                ("4_c.sql", up("\n\nDROP TABLE w"))]
        refused("on the way", c, loss, FAILED, "4_c.sql:4: ", "allow_data_loss")
        suite.same("it stands before that", c("migrate.status")["version"], 3)
        own = [*loss[:3], ("4_c.sql", up("CREATE TABLE h AS SELECT * FROM w;\nINSERT INTO o(id) SELECT x FROM h;\nDROP TABLE h"))]
        suite.same("what the file itself has made may go", run(c, own)["to"], 4)
        kept = [*own, ("5_d.sql", up("CREATE TABLE n(id INTEGER PRIMARY KEY, parent);\nINSERT INTO n SELECT k.id, k.p FROM kid k "
                                     "WHERE EXISTS (SELECT 1 FROM o);\nDROP TABLE kid;\nALTER TABLE n RENAME TO kid"))]
        suite.same("and a column may have another name", run(c, kept)["to"], 5)
        suite.same("with its values", c.value("SELECT count(parent) FROM kid"), 50)
        loss = [*kept, ("6_e.sql", up("CREATE TABLE n(id INTEGER PRIMARY KEY);\nINSERT INTO n SELECT k.id FROM kid k WHERE (SELECT 1 FROM o);\n"
                                      "DROP TABLE kid;\nALTER TABLE n RENAME TO kid"))]
        suite.same("with consent a column is left out", run(c, loss, allow_data_loss=True)["to"], 6)
        suite.check("and who gave it is kept", c.value("SELECT consented_by FROM alterd_migrations WHERE version=6"))


@suite.section
def temp_objects():
    base = ("1_a.sql", up("CREATE TABLE a(x INTEGER PRIMARY KEY, y TEXT);\nINSERT INTO a " + NUMBERS % 20 + "SELECT i, 'y'||i FROM n"))
    with Fresh(base) as c:
        work = up("CREATE TEMP TABLE t(x INTEGER PRIMARY KEY, y UNIQUE);\nCREATE INDEX temp.t_y ON t(y);\nINSERT INTO t SELECT x, y FROM a WHERE x>15;\n"
                  "CREATE TEMP VIEW v AS SELECT max(x) AS m FROM t;\nCREATE TABLE temp.u(z);\n"
                  "CREATE TEMP TRIGGER g AFTER INSERT ON main.a BEGIN INSERT INTO u VALUES(new.x); END;\n"
                  "INSERT INTO a VALUES(100, 'z');\nALTER TABLE t ADD COLUMN w;\nUPDATE t SET w=x;\n"
                  "UPDATE a SET y=(SELECT m FROM v)||':'||(SELECT count(*) FROM u) WHERE x=1;\nDELETE FROM a WHERE x IN (SELECT w FROM t)")
        run(c, [base, ("2_w.sql", work)])
        suite.same("they work", c.rows("SELECT count(*), (SELECT y FROM a WHERE x=1) FROM a"), [[16, "20:1"]])
        left = "SELECT count(*) FROM sqlite_temp_schema WHERE name NOT LIKE '\\_alterd%' ESCAPE '\\'"
        suite.same("and are gone, for readers", c.value(left), 0)
        c("begin")
        suite.same("and for the writer", c.value(left), 0)
        suite.refused("no table of that name", lambda: c.exec("INSERT INTO t VALUES(1,2,3)"), 1)
        c("rollback")
        c.exec("INSERT INTO a VALUES(200, 'q')")
        suite.same("no trigger is left", c.value("SELECT count(*) FROM a"), 17)
        c.exec("DELETE FROM a WHERE x>=100")
        refused("a version that fails", c, [base, ("2_w.sql", work), ("3_f.sql", up(
            "CREATE TEMP TABLE t(x);\nINSERT INTO t VALUES(1);\nINSERT INTO a VALUES(1,1)"))], FAILED, "3_f.sql:4: UNIQUE")
        c("begin")
        suite.same("takes them along", c.value(left), 0)
        c("rollback")
        for what, sql, text in (("AUTOINCREMENT", "CREATE TEMP TABLE t(x INTEGER PRIMARY KEY AUTOINCREMENT)", "AUTOINCREMENT"),
                                ("the daemon's names", "CREATE TEMP TABLE _alterd_one(x)", "_alterd_"),
                                ("the daemon's table", "INSERT INTO _alterd_one VALUES(1)", "_alterd_")):
            refused(what, c, [base, ("2_w.sql", work), ("3_f.sql", up("SELECT 1;\n" + sql))], FAILED, "3_f.sql:3: ", text)
        run(c, [base, ("2_w.sql", work), ("3_o.sql", up("CREATE TEMP TABLE only(x)"))])
        suite.same("one alone", c.value(left), 0)
        # A name that a table has, too: what the script says of it, it says of its own.
        run(c, [base, ("2_w.sql", work), ("3_o.sql", up("CREATE TEMP TABLE only(x)")), ("4_s.sql", up(
            "CREATE TEMP TABLE a AS SELECT x FROM main.a;\nDELETE FROM a;\nDROP TABLE a;\nSELECT 1",
            "CREATE TEMP TABLE d AS SELECT 1 AS x;\nINSERT INTO a SELECT x+500, 'd' FROM d"))])
        suite.same("the table is as it was", c.value("SELECT count(*) FROM a"), 15)
        run(c, [base], "migrate.down")
        suite.same("in a down part", c.rows("SELECT x, y FROM a WHERE x>500"), [[501, "d"]])
        suite.refused("clients cannot make any", lambda: c.exec("CREATE TEMP TABLE t(x)"), -32002)
        suite.refused("nor in a transaction", lambda: c("batch", script="CREATE TEMP TABLE t(x); SELECT 1"), -32002)


@suite.section
def temp_objects_are_nobody_elses():
    """Clients read and write all the time a version with TEMP tables runs: its names are never theirs."""
    d = Daemon()
    with d.client() as c, d.client() as other:
        base = ("1_a.sql", up("CREATE TABLE a(x INTEGER PRIMARY KEY, y)"))
        run(c, [base])
        folder = [base] + [("%d_t.sql" % i, up(
            "CREATE TEMP TABLE a(x);\nINSERT INTO a " + NUMBERS % 20000 + "SELECT i FROM n;\n"
            "INSERT INTO main.a SELECT -%d, count(*) FROM temp.a" % i)) for i in range(2, 8)]
        c("migrate.up", files=files(folder))
        n = 0

        def ended():
            nonlocal n
            n += 1
            other.exec("INSERT INTO a VALUES(?, 'client')", n)
            return other("migrate.status")["job"]["state"] == "done"

        until("the end", ended, every=0.0005)
        suite.same("every row is where it belongs", other.value("SELECT count(*) FROM a WHERE y='client'"), n)
        suite.same("and the versions'", other.rows("SELECT x, y FROM a WHERE x<0 ORDER BY x DESC"), [[-i, 20000] for i in range(2, 8)])
    d.kill()
    d.start()
    with d.client() as c:
        suite.same("also after a crash", c.value("SELECT count(*) FROM a"), n + 6)
    d.finish()


suite.run()
