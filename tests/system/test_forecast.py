#!/usr/bin/env python3
"""migrate.plan judges each statement by the schema it will meet, not by the present one."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from suite import Suite
from wire import RpcError

suite = Suite(limit=120)

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) "


def files(*scripts):
    return [{"name": "%04d_step.sql" % i, "sql": "-- migrate:up\n" + sql} for i, sql in enumerate(scripts, 1)]


def plan(c, *scripts, **more):
    return c("migrate.plan", files=files(*scripts), **more)["steps"]


def brief(steps):
    return [(s["strategy"], s["table"], s["rows"]) for s in steps]


def ways(step):
    return [s["strategy"] for s in step["statements"]]


def bytes_of(d):
    out = {}
    for tail in ("", "-wal"):
        with open(d.db + tail, "rb") as f:
            out[tail] = f.read()
    return out


@suite.section
def from_nothing():
    """Versions 1 to 7 on an empty database: each changes what those before it have made."""
    d = Daemon()
    with d.client() as c:
        before = bytes_of(d)
        steps = plan(
            c,
            "CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT);\nCREATE TABLE b(id INTEGER PRIMARY KEY, a INT REFERENCES a(id));\n",
            "ALTER TABLE a ALTER v TYPE INTEGER;\n",
            "CREATE INDEX a_v ON a(v);\n",
            "ALTER TABLE a ALTER v SET NOT NULL, RENAME v TO w;\n",
            "ALTER TABLE a RENAME TO c;\n",
            "ALTER TABLE c ADD x TEXT NOT NULL, ADD UNIQUE(w);\n",
            "CREATE TABLE n(id INTEGER PRIMARY KEY, w);\nINSERT INTO n SELECT id, w FROM c;\nDROP TABLE c;\n"
            "ALTER TABLE n RENAME TO c;\n",
            "DROP TABLE b;\n",
        )
        suite.same("not a byte is written", bytes_of(d) == before, True)
        suite.same("none fails", [s["version"] for s in steps if s["fails"]], [])
        suite.same("each as it will be run", [s["strategy"] for s in steps],
                   ["exact", "rebuild", "index", "check", "instant", "rebuild", "rebuild", "drop"])
        suite.same("tables by their name then", [s["table"] for s in steps], ["a", "a", "a", "a", "a", "c", "c", "b"])
        suite.same("no rows", [s["rows"] for s in steps], [0] * 8)
        done = c("migrate.up", wait=True, files=files(
            "CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT);\nCREATE TABLE b(id INTEGER PRIMARY KEY, a INT REFERENCES a(id));\n",
            "ALTER TABLE a ALTER v TYPE INTEGER;\n",
            "CREATE INDEX a_v ON a(v);\n",
            "ALTER TABLE a ALTER v SET NOT NULL, RENAME v TO w;\n",
            "ALTER TABLE a RENAME TO c;\n",
            "ALTER TABLE c ADD x TEXT NOT NULL, ADD UNIQUE(w);\n"))
        suite.same("and the run says the same", done["to"], 6)
    d.finish()


@suite.section
def rows_along_the_way():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
        c.exec("INSERT INTO t " + NUMBERS % 3000 + "SELECT i, i FROM n")
        c("migrate.baseline", version=1, files=files("SELECT 1;"))
        steps = plan(
            c,
            "SELECT 1;",
            "ALTER TABLE t RENAME TO u;\n",
            "ALTER TABLE u ALTER v TYPE INT;\n",
            "CREATE TABLE copy(id INTEGER PRIMARY KEY, v);\nINSERT INTO copy SELECT id, v FROM u;\n",
            "ALTER TABLE copy ALTER v TYPE TEXT;\n",
            "CREATE TABLE few(x);\nINSERT INTO few VALUES(1), (2),\n (3);\n",
            "ALTER TABLE few ALTER x TYPE INT;\n",
            "DELETE FROM few;\nDELETE FROM few WHERE x = 1;\n",
            "ALTER TABLE few ADD y TEXT NOT NULL;\n",
            "CREATE TABLE as_it_is AS SELECT * FROM u;\nSELECT 1;\n",
            "ALTER TABLE as_it_is ALTER v TYPE TEXT;\n",
            "DROP TABLE copy;\n",
            "ALTER TABLE u ADD z TEXT NOT NULL;\n",
            "ALTER TABLE u ADD zz TEXT NOT NULL DEFAULT 'z', ADD yy;\n",
        )
        got = {s["version"]: (s["strategy"], s["table"], s["rows"]) for s in steps}
        suite.same("a renamed table keeps its rows", got[3], ("rebuild", "u", 3000))
        suite.check("and its bytes", steps[1]["needs_bytes"] > 8192, steps[1])
        suite.same("a copy has the rows of what it copies", got[5], ("rebuild", "copy", 3000))
        suite.same("rows that are spelled out", got[7], ("rebuild", "few", 3))
        suite.same("none any more", [s["rows"] for s in steps if s["version"] == 9], [0])
        suite.check("so a NOT NULL column can be added", not steps[7]["fails"], steps[7])
        suite.same("CREATE TABLE AS", got[11], ("rebuild", "as_it_is", 3000))
        suite.check("dropping it loses data", steps[10]["destructive"], steps[10])
        suite.check("a NOT NULL column without a default has no place among rows", steps[11]["fails"], steps[11])
        suite.check("with one it has", not steps[12]["fails"], steps[12])
        suite.same("nothing was written", c.value("SELECT count(*) FROM sqlite_schema WHERE name IN ('u','copy','few')"), 0)
    d.finish()


@suite.section
def what_would_fail():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
        c("migrate.baseline", version=1, files=files("SELECT 1;"))
        scripts = (
            "SELECT 1;",
            "CREATE TABLE x(a);\nINSERT INTO nowhere VALUES(1);\nINSERT INTO x(b) VALUES(1);\n",
            "\nALTER TABLE gone ALTER a TYPE TEXT;\n",
            "ALTER TABLE x ADD b INT;\n",
            "SELECT 1;\nVACUUM;\n",
            "SELECT 1;\nCREATE TEMP TABLE y(a);\n",
            "-- alterd: mode=online\nSELECT 1;\nSELECT 2;\n",
            "CREATE TABLE z(a;\n",
            "DROP TABLE t;\nINSERT INTO t VALUES(1, 2);\n",
            "INSERT INTO x SELECT nofunction(a) FROM x;\nSELECT 1;\n",
        )
        steps = {s["version"]: s for s in plan(c, *scripts)}
        suite.same("these fail", [v for v, s in steps.items() if s["fails"]], [2, 3, 5, 7, 8, 9, 10])
        suite.same("the statements at fault", [s["fails"] for s in steps[2]["statements"]], [False, True, True])
        wanted = {
            2: "0002_step.sql:3: no such table: nowhere",
            3: "0003_step.sql:3: no such table",
            5: "0005_step.sql:3: VACUUM",
            7: "mode=online",
            8: "0008_step.sql:2: ",
            9: "0009_step.sql:3: no such table: t",
            10: "0010_step.sql:2: no such function: nofunction",
        }
        for version, text in wanted.items():
            said = " | ".join(steps[version]["warnings"])
            suite.check("version %d: %s" % (version, text), "the run would fail here" in said and text in said, said)
        suite.check("both are told", "has no column named b" in " ".join(steps[2]["warnings"]), steps[2]["warnings"])
        suite.same("what comes behind is judged as if it were mended", brief([steps[4]]), [("instant", "x", 0)])
        try:
            c("migrate.up", files=files(*scripts[:2]), wait=True)
            suite.check("the run fails too", False)
        except RpcError as e:
            suite.check("the run fails at the same place", "0002_step.sql:3: no such table: nowhere" in e.message, e.message)
    d.finish()


@suite.section
def what_hangs_on_it():
    d = Daemon()
    with d.client() as c:
        for sql in (
            "CREATE TABLE p(id INTEGER PRIMARY KEY, a TEXT, b TEXT)",
            "CREATE TABLE q(id INTEGER PRIMARY KEY, p INT REFERENCES p(id))",
            "CREATE INDEX p_a ON p(a)",
            "CREATE VIEW v AS SELECT id, \"b\" FROM p",
            "CREATE VIEW w AS SELECT \"later\" AS l FROM p",
            "CREATE TRIGGER tp AFTER INSERT ON p BEGIN SELECT 1; END",
            "CREATE TRIGGER tq AFTER INSERT ON q BEGIN UPDATE p SET a = new.p; END",
            "INSERT INTO p VALUES(1, 'x', 'y')",
        ):
            c.exec(sql)
        c("migrate.baseline", version=1, files=files("SELECT 1;"))
        steps = plan(
            c,
            "SELECT 1;",
            "ALTER TABLE p ALTER a TYPE BLOB;\n",
            "CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT);\nINSERT INTO n SELECT id, a FROM p;\nDROP TABLE p;\n"
            "ALTER TABLE n RENAME TO p;\n",
            "ALTER TABLE p ADD later TEXT;\n",
            "CREATE TABLE m(id INTEGER PRIMARY KEY);\nDROP TABLE p;\nALTER TABLE m RENAME TO p;\n",
            "SELECT \"word\" FROM p;\nINSERT INTO q VALUES(1, 1);\n",
        )
        hangs = sorted((x["type"], x["name"]) for x in steps[0]["statements"][0]["dependents"])
        suite.same("dependents", hangs, [("foreign key", "q"), ("index", "p_a"), ("trigger", "tp"), ("trigger", "tq"),
                                         ("view", "v"), ("view", "w")])
        suite.same("the foreign key's column", [x.get("column") for x in steps[0]["statements"][0]["dependents"]
                                                if x["type"] == "foreign key"], ["p"])
        suite.check("a column in double quotes becomes a string", any(
            w.startswith("view v uses a column that is gone in double quotes") for w in steps[1]["warnings"]), steps[1])
        suite.check("a string becomes a column", any(
            w.startswith("view w has a string in double quotes") for w in steps[2]["warnings"]), steps[2])
        suite.check("a trigger breaks", any(
            w.startswith("trigger tq no longer works") for w in steps[3]["warnings"]), steps[3])
        suite.check("a string in a statement", any("in double quotes is no column" in w and "word" in w
                                                   for w in steps[4]["statements"][0]["warnings"]), steps[4])
        suite.check("what compiles the trigger fails", "0006_step.sql:3: " in " ".join(steps[4]["warnings"]), steps[4])
        suite.check("consent by hand is seen", steps[3]["statements"][1]["rows"] == 1, steps[3]["statements"][1])
    d.finish()


@suite.section
def how_long():
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, pad BLOB)")
        c.exec("INSERT INTO t " + NUMBERS % 20000 + "SELECT i, i, zeroblob(200) FROM n")
        c("migrate.baseline", version=1, files=files("SELECT 1;"))
        scripts = ("SELECT 1;", "ALTER TABLE t ALTER v TYPE INT;\n", "UPDATE t SET pad = zeroblob(100);\nSELECT 1;\n")
        first = plan(c, *scripts)
        suite.same("by a common machine", (first[0]["measured"], first[0]["expected_ms"]), (False, 20000 * 1000 // 490000 + 5))
        suite.check("exact holds for the bytes", first[1]["blocks_writes_ms"] > 50, first[1])
        suite.check("and is warned of", any("nobody else writes for about" in w for w in first[1]["warnings"]), first[1])
        answer = c("migrate.plan", files=files(*scripts))
        suite.check("free space", answer["free_bytes"] > 0, answer["free_bytes"])
        c("migrate.alter", sql="ALTER TABLE t ALTER v TYPE INT", wait=True)
        job = c("migrate.history")["history"][-1]
        again = plan(c, *(scripts[:1] + ("ALTER TABLE t ALTER v TYPE TEXT;\n",)))[0]
        suite.same("by what was measured", again["measured"], True)
        suite.check("about as long", job["took_ms"] / 2 <= again["expected_ms"] <= job["took_ms"] * 2 + 20, (job, again))
        suite.same("the longest hold", again["blocks_writes_ms"], -(-int(job["longest_hold_ms"] * 1000) // 1000))
    d.finish()


suite.run()
