#!/usr/bin/env python3
"""Advice: the index a statement needs is found, tried in memory, and told; a good statement is left in peace."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json

from daemon import Daemon
from suite import Suite

suite = Suite()
d = Daemon()
c = d.client()
for sql in (
    "CREATE TABLE user(id INTEGER PRIMARY KEY, mail TEXT COLLATE NOCASE, age INTEGER, city TEXT, state TEXT)",
    "CREATE TABLE post(id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES user(id), at INTEGER, title TEXT)",
    'CREATE TABLE "order"("group" TEXT, "a b" INTEGER, plain INTEGER)',
    "CREATE TABLE pair(a INTEGER, b INTEGER, c INTEGER, PRIMARY KEY(a, b)) WITHOUT ROWID",
    "CREATE INDEX user_state_open ON user(city) WHERE state = 'open'",
    "CREATE VIEW adult AS SELECT id, mail, city FROM user WHERE age >= 18",
):
    c.exec(sql)
ROWS = 600
for table, sql, row in (
    ("user", "INSERT INTO user VALUES(?, ?, ?, ?, ?)", lambda i: [i, "m%d" % i, i % 90, "c%d" % (i % 40), "open"]),
    ("post", "INSERT INTO post VALUES(?, ?, ?, ?)", lambda i: [i, i % 90 + 1, i * 7 % 500, "t%d" % i]),
    ("order", 'INSERT INTO "order" VALUES(?, ?, ?)', lambda i: ["g%d" % (i % 9), i, i]),
    ("pair", "INSERT INTO pair VALUES(?, ?, ?)", lambda i: [i, i % 5, i % 60]),
):
    c("batch", statements=[{"sql": sql, "bind": row(i)} for i in range(1, ROWS + 1)])


def plan(sql):
    c("begin")  # on the writer, which has made the index: EXPLAIN alone does not look whether the schema has changed
    out = "; ".join(str(r[-1]) for r in c.rows("EXPLAIN QUERY PLAN " + sql))
    c("rollback")
    return out


def advice(*statements, limit=None):
    c("stats.reset")
    for sql in statements:
        for _ in range(2):
            c.rows(sql)
    return c("advise", **({"limit": limit} if limit else {}))


def only(what, sql, *create):
    """One statement, and the indexes that are told for it; made for real SQLite uses them."""
    got = advice(sql)["statements"]
    if not suite.check(what, [e["create"] for e in got] == [list(create)], got):
        return
    with_indexes = got[0]["with"]
    for text in create:
        c.exec(text)
    seen = plan(sql)
    names = [text.split()[2] for text in create]
    suite.check(what + ": SQLite uses what was told", all(n in seen for n in names), seen)
    suite.check(
        what + ": and the plan is what was promised",
        seen.count("USE TEMP B-TREE") == with_indexes["sorts"] and seen.count("AUTOMATIC") == with_indexes["auto_indexes"],
        (seen, with_indexes),
    )
    suite.check(what + ": then there is no more to say", not any(e["create"] for e in advice(sql)["statements"]), "")
    for n in names:
        c.exec("DROP INDEX " + n)


@suite.section
def finds():
    only("equality", "SELECT id FROM user WHERE age = 7", "CREATE INDEX user_age ON user(age)")
    only("a range", "SELECT title FROM post WHERE at > 480", "CREATE INDEX post_at ON post(at)")
    only(
        "equality, then a range",
        "SELECT title FROM post WHERE user_id = 5 AND at BETWEEN 10 AND 200",
        "CREATE INDEX post_user_id_at ON post(user_id, at)",
    )
    only(
        "equality, then the order",
        "SELECT title FROM post WHERE user_id = 5 ORDER BY at DESC",
        "CREATE INDEX post_user_id_at ON post(user_id, at DESC)",
    )
    only("an order", "SELECT title FROM post ORDER BY at LIMIT 3", "CREATE INDEX post_at ON post(at)")
    only(
        "a join",
        "SELECT title FROM user u JOIN post p ON p.user_id = u.id WHERE u.mail = 'm7'",
        "CREATE INDEX user_mail ON user(mail)",
        "CREATE INDEX post_user_id ON post(user_id)",
    )
    only(
        "another collation",
        "SELECT id FROM user WHERE mail = 'm7' COLLATE BINARY",
        "CREATE INDEX user_mail ON user(mail COLLATE BINARY)",
    )
    got = advice("SELECT id FROM adult WHERE city = 'c3'")["statements"]
    suite.check("through a view", len(got) == 1 and got[0]["create"][0].startswith("CREATE INDEX user_city"), got)
    only("without rowid", "SELECT a FROM pair WHERE c = 7", "CREATE INDEX pair_c ON pair(c)")
    only("of a group", "SELECT age, count(*) FROM user GROUP BY age", "CREATE INDEX user_age ON user(age)")


@suite.section
def quoted_names():
    got = advice('SELECT plain FROM "order" WHERE "group" = \'g3\' AND "a b" > 590')["statements"]
    suite.same("quotes where they are needed", got[0]["create"], ['CREATE INDEX "order_group_a b" ON "order"("group", "a b")'])
    c.exec(got[0]["create"][0])
    suite.same("it can be made", advice('SELECT plain FROM "order" WHERE "group" = \'g3\' AND "a b" > 590')["statements"], [])
    c.exec('DROP INDEX "order_group_a b"')


@suite.section
def writes():
    c("stats.reset")
    for i in range(2):
        c.exec("UPDATE post SET title = ? WHERE user_id = ?", "x", 1000 + i)
        c.exec("DELETE FROM pair WHERE c = ?", 1000 + i)
    got = {e["sql"]: e["create"] for e in c("advise")["statements"]}
    suite.same(
        "UPDATE and DELETE",
        got,
        {
            "UPDATE post SET title = ? WHERE user_id = ?": ["CREATE INDEX post_user_id ON post(user_id)"],
            "DELETE FROM pair WHERE c = ?": ["CREATE INDEX pair_c ON pair(c)"],
        },
    )


@suite.section
def leaves_in_peace():
    good = [
        "SELECT mail FROM user WHERE id = 7",
        "SELECT mail FROM user WHERE id > 595 ORDER BY id",
        "SELECT c FROM pair WHERE a = 5 AND b = 0",
        "SELECT id FROM user WHERE city = 'c3' AND state = 'open'",  # the partial index: seen only with its value
        "SELECT count(*) FROM user",
    ]
    got = advice(*good)
    suite.same("nothing to say", [e["sql"] for e in got["statements"]], [])
    got = advice("SELECT title FROM post WHERE title LIKE '%x%'")["statements"]
    suite.check("told, but no index helps", len(got) == 1 and got[0]["create"] == [] and got[0]["plan"]["scans"] == 1, got)
    suite.same("and it has made none", [r for r in c.rows("SELECT name FROM sqlite_schema WHERE name LIKE '%idea%'")], [])


@suite.section
def with_statistics():
    """What ANALYZE found counts: of a column with one value no index is told, however the statement looks."""
    c.exec("CREATE TABLE flag(id INTEGER PRIMARY KEY, f INTEGER, v INTEGER)")
    c("batch", statements=[{"sql": "INSERT INTO flag(f, v) VALUES(1, ?)", "bind": [i]} for i in range(ROWS)])
    c.exec("CREATE INDEX flag_v ON flag(v)")
    c.exec("ANALYZE")
    sql = "SELECT id FROM flag WHERE v = 77 AND f = 1"
    suite.same("a good statement with statistics", advice(sql)["statements"], [])
    only("a scan with statistics", "SELECT id FROM user WHERE age = 7", "CREATE INDEX user_age ON user(age)")


@suite.section
def needless_indexes():
    for sql in (
        "CREATE INDEX post_u ON post(user_id)",
        "CREATE INDEX post_ua ON post(user_id, at)",
        "CREATE INDEX post_ua_again ON post(user_id, at)",
        "CREATE UNIQUE INDEX post_unique ON post(title)",
        "CREATE INDEX post_title ON post(title, at)",
        "CREATE INDEX post_down ON post(user_id DESC)",
        "CREATE INDEX post_part ON post(user_id) WHERE at > 3",
        "CREATE INDEX pair_a ON pair(a)",
    ):
        c.exec(sql)
    got = {e["index"]: e["covered_by"] for e in c("advise")["redundant"]}
    suite.check("a prefix", got.get("post_u") in ("post_ua", "post_ua_again"), got)
    suite.same("the second of two that are the same", got.get("post_ua_again"), "post_ua")
    suite.same("no others", sorted(set(got) - {"pair_a"}), ["post_u", "post_ua_again"])


@suite.section
def command_and_refusals():
    advice("SELECT id FROM user WHERE age = 7 AND city = 'hunter2'")
    r = d.ctl("advise")
    suite.check("alterctl advise", r.returncode == 0 and "CREATE INDEX user_" in r.stdout and "rows gone over" in r.stdout, r)
    suite.check("without values", "hunter2" not in r.stdout, r.stdout)
    suite.check("needless ones too", "DROP INDEX" in r.stdout, r.stdout)
    suite.same("--json", json.loads(d.ctl("--json", "advise", "--limit", "1").stdout)["complete"], True)
    suite.same("--by is not its", d.ctl("advise", "--by", "calls").returncode, 2)
    suite.same("a limit", len(advice("SELECT id FROM user WHERE age = 7", "SELECT id FROM user WHERE city = 'x'", limit=1)["statements"]), 1)
    c.exec("CREATE TABLE gone(x)")
    c("batch", statements=[{"sql": "INSERT INTO gone VALUES(?)", "bind": [i]} for i in range(200)])
    c("stats.reset")
    c.rows("SELECT x FROM gone WHERE x = 1")
    c.exec("DROP TABLE gone")
    suite.same("of a table that is gone nothing is told", c("advise")["statements"], [])
    with d.client() as o:
        first = o.send("advise")
        o.close()
    suite.check("a client that leaves", c("ping") == {} and first, "")


suite.run()
