#!/usr/bin/env python3
"""Online changes by alterctl and the wire: every kind, what is refused and why, and what stays attached."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json

from change import PHASES, job, schema_of, shadows
from daemon import Daemon
from suite import Suite
from wire import RpcError

suite = Suite(limit=90)
SQL_KINDS = [
    # table, rows, change, wanted rows, wanted types
    (
        "to REAL",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v INTEGER)",
        "(1, 1), (2, -5), (3, NULL)",
        "ALTER TABLE k ALTER COLUMN v TYPE REAL",
        [[1, 1.0], [2, -5.0], [3, None]],
    ),
    (
        "to TEXT",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v INTEGER)",
        "(1, 1), (2, -5), (3, NULL)",
        "ALTER TABLE k ALTER v TYPE TEXT",
        [[1, "1"], [2, "-5"], [3, None]],
    ),
    (
        "to INTEGER",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)",
        "(1, '1'), (2, ' 12 '), (3, '-7')",
        "ALTER TABLE k ALTER v TYPE INTEGER",
        [[1, 1], [2, 12], [3, -7]],
    ),
    (
        "USING",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)",
        "(1, '1 kg'), (2, '2 kg')",
        "ALTER TABLE k ALTER v TYPE INTEGER USING CAST(v AS INTEGER) * 1000",
        [[1, 1000], [2, 2000]],
    ),
    (
        "SET NOT NULL",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)",
        "(1, 'a'), (2, 'b')",
        "ALTER TABLE k ALTER v SET NOT NULL",
        [[1, "a"], [2, "b"]],
    ),
    (
        "DROP NOT NULL",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT NOT NULL)",
        "(1, 'a')",
        "ALTER TABLE k ALTER v DROP NOT NULL",
        [[1, "a"]],
    ),
    (
        "ADD NOT NULL",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)",
        "(1, 'a')",
        "ALTER TABLE k ADD COLUMN n INTEGER NOT NULL DEFAULT 7",
        [[1, "a", 7]],
    ),
    (
        "ADD USING",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)",
        "(1, 'ab'), (2, 'c')",
        "ALTER TABLE k ADD n INTEGER NOT NULL USING length(v)",
        [[1, "ab", 2], [2, "c", 1]],
    ),
    (
        "DROP",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT, w TEXT)",
        "(1, 'a', NULL)",
        "ALTER TABLE k DROP COLUMN w",
        [[1, "a"]],
    ),
    (
        "SET DEFAULT",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)",
        "(1, 'a')",
        "ALTER TABLE k ALTER v SET DEFAULT 'dd'",
        [[1, "a"]],
    ),
    (
        "SET STRICT",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v INT, w TEXT)",
        "(1, 5, 'a')",
        "ALTER TABLE k SET STRICT",
        [[1, 5, "a"]],
    ),
    (
        "DROP STRICT",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v INT, w ANY) STRICT",
        "(1, 5, 'a'), (2, 6, '12')",
        "ALTER TABLE k DROP STRICT",
        [[1, 5, "a"], [2, 6, 12]],
    ),
    (
        "several",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT, w TEXT)",
        "(1, '5', NULL)",
        "ALTER TABLE k ALTER v TYPE INTEGER, DROP w, ADD x TEXT DEFAULT 'x', ADD y INT",
        [[1, 5, "x", None]],
    ),
    (
        "RENAME COLUMN",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)",
        "(1, 'a')",
        "ALTER TABLE k RENAME COLUMN v TO vv",
        [[1, "a"]],
    ),
    (
        "no primary key",
        "CREATE TABLE k(a INTEGER, v TEXT)",
        "(1, '1'), (1, '1'), (NULL, NULL)",
        "ALTER TABLE k ALTER v TYPE INTEGER",
        [[1, 1], [1, 1], [None, None]],
    ),
    (
        "TEXT key",
        "CREATE TABLE k(id TEXT PRIMARY KEY, v TEXT)",
        "('b', '1'), ('a', '2')",
        "ALTER TABLE k ALTER v TYPE INTEGER",
        [["b", 1], ["a", 2]],
    ),
    (
        "negative rowids",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)",
        "(-9223372036854775808, '1'), (-1, '2'), (9223372036854775807, '3')",
        "ALTER TABLE k ALTER v TYPE INTEGER",
        [[{"int": "-9223372036854775808"}, 1], [-1, 2], [{"int": "9223372036854775807"}, 3]],
    ),
    (
        "odd names",
        'CREATE TABLE k(id INTEGER PRIMARY KEY, "select "" x" TEXT)',
        "(1, '4')",
        'ALTER TABLE k ALTER "select "" x" TYPE INTEGER',
        [[1, 4]],
    ),
    ("an empty table", "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT)", "", "ALTER TABLE k ALTER v TYPE INTEGER", []),
    (
        "WITHOUT ROWID",
        "CREATE TABLE k(a TEXT, b INT, v TEXT, PRIMARY KEY(a, b)) WITHOUT ROWID",
        "('x', 2, '1'), ('x', 1, '2')",
        "ALTER TABLE k ALTER v TYPE INTEGER",
        [["x", 1, 2], ["x", 2, 1]],
    ),
    (
        "ADD FOREIGN KEY",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v INT)",
        "(1, NULL), (2, 1), (3, 2)",
        "ALTER TABLE k ADD CONSTRAINT up FOREIGN KEY(v) REFERENCES k(id)",
        [[1, None], [2, 1], [3, 2]],
    ),
    (
        "DROP FOREIGN KEY",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v INT CONSTRAINT up REFERENCES k)",
        "(1, NULL), (2, 1)",
        "ALTER TABLE k DROP CONSTRAINT up, ALTER v TYPE TEXT",
        [[1, None], [2, "1"]],
    ),
    (
        "RENAME beside others",
        "CREATE TABLE k(a TEXT, v INT)",
        "('x', 2), ('b', 1)",
        "ALTER TABLE k RENAME COLUMN v TO w, ALTER w TYPE TEXT",
        [["x", "2"], ["b", "1"]],
    ),
    (
        "SET WITHOUT ROWID",
        "CREATE TABLE k(a TEXT, v INT, PRIMARY KEY(a))",
        "('x', 2), ('b', 1)",
        "ALTER TABLE k SET WITHOUT ROWID",
        [["b", 1], ["x", 2]],
    ),
    (
        "DROP WITHOUT ROWID",
        "CREATE TABLE k(a TEXT PRIMARY KEY, v INT) WITHOUT ROWID",
        "('x', 2), ('b', 1)",
        "ALTER TABLE k DROP WITHOUT ROWID, ALTER v TYPE TEXT",
        [["b", "1"], ["x", "2"]],
    ),
    (
        "ADD PRIMARY KEY",
        "CREATE TABLE k(a TEXT, id INTEGER)",
        "('x', 2), ('b', 1)",
        "ALTER TABLE k ADD PRIMARY KEY(id)",
        [["b", 1], ["x", 2]],
    ),
    (
        "generated columns",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT, g AS (v || '!') VIRTUAL, s AS (id * 2) STORED)",
        "",
        "ALTER TABLE k ALTER v TYPE INTEGER",
        [],
    ),
    (
        "blobs and odd text",
        "CREATE TABLE k(id INTEGER PRIMARY KEY, v TEXT, b)",
        "(1, '1', x'00ff'), (2, '2', CAST(x'ff41' AS TEXT)), (3, '3', 'a' || char(0) || 'b')",
        "ALTER TABLE k ALTER v TYPE INTEGER",
        [[1, 1, {"blob": "AP8="}], [2, 2, {"text": "/0E="}], [3, 3, "a\0b"]],
    ),
]


@suite.section
def small_through_alterctl():
    d = Daemon()
    c = d.client()
    c.exec("CREATE TABLE item(id INTEGER PRIMARY KEY AUTOINCREMENT, price TEXT, name TEXT)")
    c.exec("INSERT INTO item(price, name) VALUES('12', 'a'), ('12.50', 'b'), (' 7 ', 'c'), (NULL, 'd')")
    before = shadows(c)
    r = d.ctl("alter", "ALTER TABLE item ALTER price TYPE REAL")
    suite.check("alterctl alter exits 0", r.returncode == 0, (r.returncode, r.stdout, r.stderr))
    suite.same(
        "well-formed numbers convert, NULL stays",
        c.rows("SELECT id, price, typeof(price) FROM item ORDER BY id"),
        [[1, 12.0, "real"], [2, 12.5, "real"], [3, 7.0, "real"], [4, None, "null"]],
    )
    suite.check("the schema says so", "REAL" in schema_of(c, "item")["item"].upper(), schema_of(c, "item"))
    suite.same("nothing of the job is left", shadows(c), before)
    c.exec("INSERT INTO item(price) VALUES(1)")
    suite.same("AUTOINCREMENT goes on", c.value("SELECT max(id) FROM item"), 5)
    r = d.ctl("--json", "alter", "ALTER TABLE item ADD COLUMN stock INTEGER NOT NULL DEFAULT 3")
    suite.check(
        "--json answers the job",
        r.returncode == 0 and '"state"' in r.stdout and json.loads(r.stdout.splitlines()[-1]).get("state") == "done",
        (r.stdout, r.stderr),
    )
    suite.same("added", c.rows("SELECT DISTINCT stock FROM item"), [[3]])
    r = d.ctl("alter", "ALTER TABLE item ALTER name TYPE INTEGER")
    suite.check(
        "a refusal exits 1, rows named on stderr",
        r.returncode == 1 and "name" in r.stderr + r.stdout,
        (r.returncode, r.stdout, r.stderr),
    )
    suite.same("nothing of it is left", (shadows(c), c.value("SELECT name FROM item WHERE id = 1")), (before, "a"))
    r = d.ctl("alter", "ALTER TABLE item FROBNICATE")
    suite.check("what it cannot read exits 1", r.returncode == 1 and r.stderr, (r.returncode, r.stderr))
    h = c("migrate.history")["history"]
    suite.check("history holds them, newest last", [x["state"] for x in h][:3] == ["done", "done", "failed"], h)
    for key in ("state", "started", "took_ms", "longest_hold_ms", "longest_wait_ms", "swap_ms"):
        suite.check("history: " + key, key in h[0], h[0])


@suite.section
def kinds_of_change():
    d = Daemon()
    c = d.client()
    base = shadows(c)
    for what, create, values, change, want in SQL_KINDS:
        c.exec(create)
        if values:
            c.exec("INSERT INTO k VALUES " + values)
        try:
            r = c("migrate.alter", sql=change, wait=True)
            suite.check(what + ": done", r["state"] == "done", r)
            suite.same(what + ": rows", c.rows("SELECT * FROM k"), want)
        except RpcError as e:
            # What this daemon cannot do yet is refused with a clear reason, and nothing has happened.
            suite.check(
                "%s: refused clearly (%s)" % (what, e.message),
                e.name in ("MIGRATION_INVALID", "FAILED_MIGRATION")
                and len(e.message or "") > 10
                and what in ("generated columns", "ADD USING"),
                e,
            )
            suite.check(what + ": and untouched", schema_of(c, "k")["k"] == create)
        suite.same(what + ": nothing of the job is left", shadows(c), base)
        c.exec("DROP TABLE k")
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")


@suite.section
def refused_by_rows():
    d = Daemon()
    c = d.client()
    base = shadows(c)
    c.exec("CREATE TABLE r(id INTEGER PRIMARY KEY, a TEXT, b TEXT)")
    c.exec("CREATE INDEX r_a ON r(a)")
    c.exec(
        "INSERT INTO r VALUES(1, '5', 'x'), (2, 'five', NULL), (3, '007', 'y'), (4, '12abc', NULL), (5, x'3132', 'z'), "
        "(6, '9007199254740993', 'z')"
    )
    before = c.rows("SELECT id, a, typeof(a), b FROM r"), schema_of(c, "r")

    def case(what, sql, reason, column, rowids, **more):
        e = suite.refused(what, lambda: c("migrate.alter", sql=sql, wait=True, **more), "FAILED_MIGRATION")
        rows = e.data.get("rows") or []
        suite.check(
            what + ": names the rows",
            {r.get("rowid") for r in rows} == set(rowids)
            and e.data.get("count") == len(rowids)
            and all(r.get("reason") == reason and r.get("column") == column and "value" in r for r in rows),
            e,
        )
        suite.check(
            what + ": code, job, phase", e.code == -32026 and e.data.get("job") and e.data.get("phase") in PHASES, e
        )
        suite.same(
            what + ": all is as before",
            ((c.rows("SELECT id, a, typeof(a), b FROM r"), schema_of(c, "r")), shadows(c)),
            (before, base),
        )
        j = job(c)
        suite.check(
            what + ": status keeps it", j["state"] == "failed" and j.get("rows") and j["id"] == e.data.get("job"), j
        )

    case("TYPE", "ALTER TABLE r ALTER a TYPE INTEGER", "TYPE", "a", [2, 3, 4, 5])
    case("TYPE, precision", "ALTER TABLE r ALTER a TYPE REAL", "TYPE", "a", [2, 3, 4, 5, 6])
    case("NOT NULL", "ALTER TABLE r ALTER b SET NOT NULL", "NOT NULL", "b", [2, 4])
    r = None
    try:
        r = c("migrate.alter", sql="ALTER TABLE r ALTER a TYPE INTEGER", wait=True, allow_data_loss=True)
        suite.same(
            "allow_data_loss: SQLite's affinity",
            c.rows("SELECT id, a, typeof(a) FROM r WHERE id < 5"),
            [[1, 5, "integer"], [2, "five", "text"], [3, 7, "integer"], [4, "12abc", "text"]],
        )
    except RpcError as e:
        suite.check("allow_data_loss", False, e)
    e = suite.refused(
        "a dropped column with values needs consent",
        lambda: c("migrate.alter", sql="ALTER TABLE r DROP COLUMN b", wait=True),
        "NEEDS_FORCE",
    )
    suite.same("its code", e.code, -32025)
    r = c("migrate.alter", sql="ALTER TABLE r DROP COLUMN b", wait=True, allow_data_loss=True)
    suite.same("with it", (r["state"], c("schema", table="r")["schema"][0]["sql"].count("b TEXT")), ("done", 0))
    c.exec("CREATE TABLE many(id INTEGER PRIMARY KEY, v TEXT)")
    c.exec(
        "INSERT INTO many WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 50000) "
        "SELECT n, CASE WHEN n % 100 = 0 THEN 'bad' ELSE n END FROM g"
    )
    e = suite.refused(
        "500 bad rows",
        lambda: c("migrate.alter", sql="ALTER TABLE many ALTER v TYPE INTEGER", wait=True),
        "FAILED_MIGRATION",
    )
    suite.check(
        "ten are named, all counted",
        len(e.data.get("rows", [])) == 10 and e.data.get("count", 0) >= 10,
        e.data.get("count"),
    )
    suite.note("count %s of 500" % e.data.get("count"))
    c.exec("CREATE TABLE twins(a CONSTRAINT twin UNIQUE, b CONSTRAINT twin NOT NULL)")
    for what, sql in [
        ("no SQL", ""),
        ("not an ALTER at all", "SELECT 1"),
        ("no such table", "ALTER TABLE nosuch ADD x"),
        ("no such column", "ALTER TABLE r ALTER nosuch TYPE INT"),
        ("syntax", "ALTER TABLE r ALTER a TPYE INT"),
        ("a view", "ALTER TABLE vv ADD x"),
        ("own table", "ALTER TABLE _alterd_jobs ADD x"),
        ("sqlite_sequence", "ALTER TABLE sqlite_schema ADD x"),
        ("a column there twice", "ALTER TABLE many ADD v INT"),
        ("USING of nothing", "ALTER TABLE many ALTER v TYPE INT USING nosuch + 1"),
        ("no such constraint", "ALTER TABLE twins DROP CONSTRAINT nosuch"),
        ("two constraints of one name", "ALTER TABLE twins DROP CONSTRAINT twin"),
    ]:
        suite.refused(
            what,
            lambda s=sql: c("migrate.alter", sql=s, wait=True),
            "MIGRATION_INVALID",
            "FAILED_MIGRATION",
            "DENIED",
            "INVALID_PARAMS",
            "NOT_FOUND",
            1,
        )
    suite.same("nothing is left of all that", shadows(c), base)
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")


@suite.section
def everything_attached_survives():
    d = Daemon()
    c = d.client()
    rng_rows = 3000
    for sql in (
        "CREATE TABLE par(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, size TEXT, "
        "n INT DEFAULT 4 CHECK(n > 0))",
        "CREATE TABLE kid(id INTEGER PRIMARY KEY, par INT NOT NULL REFERENCES par(id) ON DELETE CASCADE)",
        "CREATE TABLE kid2(id INTEGER PRIMARY KEY, code TEXT REFERENCES par(code) "
        "ON DELETE SET NULL ON UPDATE CASCADE)",
        "CREATE TABLE self(id INTEGER PRIMARY KEY, up INT REFERENCES self(id), v TEXT)",
        "CREATE INDEX par_size ON par(size DESC)",
        "CREATE INDEX par_part ON par(n) WHERE n > 3",
        "CREATE INDEX par_expr ON par(lower(code))",
        "CREATE TABLE log(x)",
        "CREATE TRIGGER par_a AFTER UPDATE ON par BEGIN INSERT INTO log VALUES('a' || new.id); END",
        "CREATE TRIGGER par_b AFTER UPDATE ON par BEGIN INSERT INTO log VALUES('b' || new.id); END",
        "CREATE VIEW par_v AS SELECT id, size FROM par",
        "CREATE TRIGGER par_v_i INSTEAD OF INSERT ON par_v BEGIN INSERT INTO par(size) VALUES(new.size); END",
        "CREATE TRIGGER kid_tr AFTER INSERT ON kid BEGIN UPDATE par SET n = n + 1 WHERE id = new.par; END",
    ):
        c.exec(sql)
    c.exec(
        "INSERT INTO par(code, size) WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT %d) "
        "SELECT 'C' || n, n FROM g" % rng_rows
    )
    c.exec("INSERT INTO kid(par) SELECT id FROM par WHERE id <= 1000")
    c.exec("INSERT INTO kid2(code) SELECT code FROM par WHERE id <= 500")
    c.exec("INSERT INTO self VALUES(1, NULL, '1'), (2, 1, '2'), (3, 2, '3')")
    c.exec("DELETE FROM par WHERE id = %d" % rng_rows)
    analyzed = True
    try:
        c.exec("ANALYZE")
    except RpcError as e:
        analyzed = False
        suite.note("ANALYZE: %s" % e)
    c.exec("DELETE FROM log")
    stat = sorted(c.rows("SELECT tbl, idx, stat FROM sqlite_stat1 WHERE tbl = 'par'"), key=str) if analyzed else []
    old = {r["name"]: r["sql"] for r in c("schema")["schema"]}
    j = c("migrate.alter", sql="ALTER TABLE par ALTER size TYPE INTEGER", wait=True)
    suite.same("done", j["state"], "done")
    new = {r["name"]: r["sql"] for r in c("schema")["schema"]}
    suite.same(
        "every object is there, and only par's text is another",
        {n: (s if n != "par" else "-") for n, s in new.items()},
        {n: (s if n != "par" else "-") for n, s in old.items()},
    )
    suite.same(
        "children are untouched",
        (c.value("SELECT count(*) FROM kid"), c.value("SELECT count(code) FROM kid2")),
        (1000, 500),
    )
    suite.same(
        "no broken reference",
        c.value("SELECT count(*) FROM kid LEFT JOIN par ON par.id = kid.par WHERE par.id IS NULL"),
        0,
    )
    if analyzed:
        now = sorted(c.rows("SELECT tbl, idx, stat FROM sqlite_stat1 WHERE tbl = 'par'"), key=str)
        suite.same("sqlite_stat1 has the same rows", [r[:2] for r in now], [r[:2] for r in stat])
        suite.check(
            "and they are those of a sample of the new table",
            all(
                int(s[2].split()[0]) / 2 <= int(n[2].split()[0]) <= int(s[2].split()[0]) * 2 for s, n in zip(stat, now)
            ),
            (stat, now),
        )
    suite.same("triggers did not fire for the copy", c.value("SELECT count(*) FROM log"), 0)
    c.exec("UPDATE par SET n = n WHERE id = 7")
    suite.same("triggers fire in their old order", c.rows("SELECT x FROM log"), [["b7"], ["a7"]])
    c.exec("INSERT INTO par_v(size) VALUES(99)")
    suite.same(
        "INSTEAD OF works, and ids are not used again",
        c.rows("SELECT id, size, typeof(size) FROM par ORDER BY id DESC LIMIT 1"),
        [[rng_rows + 1, 99, "integer"]],
    )
    c.exec("DELETE FROM par WHERE id = 5")
    suite.same(
        "CASCADE and SET NULL work",
        (
            c.value("SELECT count(*) FROM kid WHERE par = 5"),
            c.value("SELECT count(*) FROM kid2 WHERE code = 'C5'"),
            c.value("SELECT count(code) FROM kid2"),
        ),
        (0, 0, 499),
    )
    c.exec("UPDATE par SET code = 'ZZ' WHERE id = 6")
    suite.same("UPDATE CASCADE works", c.value("SELECT count(*) FROM kid2 WHERE code = 'ZZ'"), 1)
    suite.refused("a child without parent", lambda: c.exec("INSERT INTO kid(par) VALUES(999999)"), 787)
    for name, q in [
        ("par_size", "SELECT id FROM par WHERE size > 50"),
        ("par_part", "SELECT id FROM par WHERE n > 3"),
        ("par_expr", "SELECT id FROM par WHERE lower(code) = 'c9'"),
    ]:
        suite.check(
            "index %s serves" % name,
            name in str(c.rows("EXPLAIN QUERY PLAN " + q)) or name == "par_part",
            c.rows("EXPLAIN QUERY PLAN " + q),
        )
    j = c("migrate.alter", sql="ALTER TABLE self ALTER v TYPE INTEGER", wait=True)
    suite.same(
        "a table that refers to itself",
        (j["state"], c.rows("SELECT * FROM self")),
        ("done", [[1, None, 1], [2, 1, 2], [3, 2, 3]]),
    )
    suite.refused("and still does", lambda: c.exec("DELETE FROM self WHERE id = 1"), 787)
    j = c("migrate.alter", sql="ALTER TABLE kid ADD COLUMN extra INT NOT NULL DEFAULT 1", wait=True)
    suite.same("a child", (j["state"], c.value("SELECT sum(extra) FROM kid")), ("done", 999))
    c.exec("DELETE FROM par WHERE id = 8")
    suite.same("is still one", c.value("SELECT count(*) FROM kid WHERE par = 8"), 0)
    for what, sql, word in [
        ("a column a view uses", "ALTER TABLE par DROP COLUMN size", "par_v"),
        ("a column a CHECK uses", "ALTER TABLE par DROP COLUMN n", ""),
    ]:
        e = suite.refused(
            "dropping " + what,
            lambda s=sql: c("migrate.alter", sql=s, wait=True, allow_data_loss=True),
            "MIGRATION_INVALID",
            "FAILED_MIGRATION",
        )
        suite.check(what + " is named", word in str(e), e)
    suite.same("exit", d.stop(), 0)
    suite.same("the file", d.integrity(), "ok")


suite.run()
