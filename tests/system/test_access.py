#!/usr/bin/env python3
"""Who may do what: every method and every kind of statement, by every role, and the ways around them."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import re
import signal
import sqlite3
import subprocess

import others
from daemon import Daemon, program
from limits import until
from suite import Suite
from wire import RpcError

suite = Suite(limit=60)
ORDER = ("none", "ro", "rw", "migrate", "admin")
ROLES = ORDER[1:]
# Users nobody has, and a group of theirs.
UID = {"none": 70000, "ro": 70001, "rw": 70002, "migrate": 70003, "admin": 70004}
BY_GROUP, GROUP = 70005, 70010
SCHEMA = """
CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
CREATE TABLE log(what TEXT);
CREATE TABLE keep(id INTEGER PRIMARY KEY, n INT);
CREATE INDEX keep_n ON keep(n);
CREATE TABLE spare_admin(a, b);
CREATE TABLE spare_migrate(a, b);
CREATE TABLE spare_rw(a, b);
CREATE TABLE spare_ro(a, b);
CREATE VIEW vt AS SELECT id, v FROM t;
CREATE TRIGGER vt_in INSTEAD OF INSERT ON vt BEGIN INSERT INTO t(v) VALUES(new.v); END;
CREATE TRIGGER t_in AFTER INSERT ON t BEGIN INSERT INTO log VALUES('in'); END;
CREATE VIRTUAL TABLE ft USING fts5(body);
CREATE VIRTUAL TABLE box USING rtree(id, x0, x1);
CREATE TABLE alterd_migrations(version INTEGER PRIMARY KEY, name TEXT, checksum TEXT, applied_at TEXT, took_ms INTEGER,
  applied_by TEXT, tool TEXT, down_sql TEXT);
INSERT INTO t(v) VALUES('a'), ('b'), ('c');
INSERT INTO keep VALUES(1, 1), (2, 2);
INSERT INTO ft VALUES('hello world');
ANALYZE;
"""
# kind, SQL ({r}: the role, where a name must be new), the least role; "nobody": refused to all
STATEMENTS = [
    ("SELECT", "SELECT v FROM t WHERE id = 1", "ro"),
    ("SELECT of no table", "SELECT 1", "ro"),
    ("VALUES", "VALUES(1), (2)", "ro"),
    ("join", "SELECT count(*) FROM t a JOIN keep b ON a.id = b.id", "ro"),
    ("CTE", "WITH x(n) AS (SELECT id FROM t) SELECT count(*) FROM x", "ro"),
    ("recursion", "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 9) SELECT sum(n) FROM g", "ro"),
    ("window", "SELECT row_number() OVER (ORDER BY id) FROM t", "ro"),
    ("UNION", "SELECT id FROM t UNION SELECT id FROM keep", "ro"),
    ("view", "SELECT count(*) FROM vt", "ro"),
    ("full text", "SELECT count(*) FROM ft WHERE ft MATCH 'hello'", "ro"),
    ("rtree", "SELECT count(*) FROM box WHERE x0 > 0", "ro"),
    ("the schema", "SELECT count(*) FROM sqlite_schema", "ro"),
    ("the history", "SELECT count(*) FROM alterd_migrations", "ro"),
    ("counters", "SELECT changes(), total_changes(), last_insert_rowid()", "ro"),
    ("PRAGMA table_info", "PRAGMA table_info(t)", "ro"),
    ("PRAGMA user_version", "PRAGMA user_version", "ro"),
    ("PRAGMA journal_mode", "PRAGMA journal_mode", "ro"),
    ("a PRAGMA's function", "SELECT count(*) FROM pragma_table_info('t')", "ro"),
    ("EXPLAIN SELECT", "EXPLAIN SELECT * FROM t", "ro"),
    ("EXPLAIN INSERT", "EXPLAIN INSERT INTO t(v) VALUES('x')", "ro"),
    ("EXPLAIN DROP", "EXPLAIN DROP TABLE keep", "ro"),
    ("EXPLAIN QUERY PLAN", "EXPLAIN QUERY PLAN DELETE FROM t", "ro"),
    ("INSERT", "INSERT INTO t(v) VALUES('new')", "rw"),
    ("INSERT DEFAULT VALUES", "INSERT INTO t DEFAULT VALUES", "rw"),
    ("INSERT RETURNING", "INSERT INTO t(v) VALUES('r') RETURNING id, v", "rw"),
    ("INSERT SELECT", "INSERT INTO keep SELECT max(id) + 1, 0 FROM keep", "rw"),
    ("INSERT OR IGNORE", "INSERT OR IGNORE INTO keep VALUES(1, 1)", "rw"),
    ("REPLACE", "REPLACE INTO keep VALUES(1, 5)", "rw"),
    ("UPSERT", "INSERT INTO keep VALUES(1, 1) ON CONFLICT(id) DO UPDATE SET n = n + 1", "rw"),
    ("CTE INSERT", "WITH x(v) AS (VALUES('c')) INSERT INTO t(v) SELECT v FROM x", "rw"),
    ("CTE DELETE", "WITH x(n) AS (SELECT 99) DELETE FROM keep WHERE id IN x", "rw"),
    ("CTE UPDATE", "WITH x(n) AS (SELECT 2) UPDATE keep SET n = 3 WHERE id IN x", "rw"),
    ("UPDATE", "UPDATE keep SET n = n + 1 WHERE id = 1", "rw"),
    ("UPDATE of no row", "UPDATE keep SET n = 0 WHERE 0", "rw"),
    ("UPDATE FROM", "UPDATE keep SET n = t.id FROM t WHERE t.id = keep.id", "rw"),
    ("UPDATE RETURNING", "UPDATE keep SET n = n RETURNING id", "rw"),
    ("DELETE", "DELETE FROM log WHERE what = 'nothing'", "rw"),
    ("DELETE of all", "DELETE FROM log", "rw"),
    ("a view's INSERT", "INSERT INTO vt(v) VALUES('through')", "rw"),
    ("full text INSERT", "INSERT INTO ft VALUES('more')", "rw"),
    ("full text command", "INSERT INTO ft(ft) VALUES('optimize')", "rw"),
    ("rtree INSERT", "INSERT OR REPLACE INTO box VALUES(1, 0, 1)", "rw"),
    ("sqlite_sequence", "UPDATE sqlite_sequence SET seq = seq WHERE name = 't'", "rw"),
    ("CREATE TABLE", "CREATE TABLE n_{r}(x)", "migrate"),
    ("CREATE IF NOT EXISTS", "CREATE TABLE IF NOT EXISTS t(x)", "migrate"),
    ("CREATE TABLE AS", "CREATE TABLE as_{r} AS SELECT * FROM t", "migrate"),
    ("CREATE INDEX", "CREATE INDEX i_{r} ON t(v)", "migrate"),
    ("CREATE VIEW", "CREATE VIEW v_{r} AS SELECT 1", "migrate"),
    ("CREATE TRIGGER", "CREATE TRIGGER tr_{r} AFTER DELETE ON keep BEGIN SELECT 1; END", "migrate"),
    ("CREATE VIRTUAL TABLE", "CREATE VIRTUAL TABLE f_{r} USING fts5(a)", "migrate"),
    ("ALTER ADD", "ALTER TABLE spare_{r} ADD COLUMN c", "migrate"),
    ("ALTER RENAME COLUMN", "ALTER TABLE keep RENAME COLUMN n TO n", "migrate"),
    ("ALTER DROP", "ALTER TABLE spare_{r} DROP COLUMN b", "migrate"),
    ("ALTER RENAME", "ALTER TABLE spare_{r} RENAME TO spent_{r}", "migrate"),
    ("DROP TABLE", "DROP TABLE IF EXISTS n_{r}", "migrate"),
    ("DROP TABLE of none", "DROP TABLE IF EXISTS not_there", "migrate"),
    ("DROP INDEX of none", "DROP INDEX IF EXISTS not_there", "migrate"),
    ("DROP VIEW of none", "DROP VIEW IF EXISTS not_there", "migrate"),
    ("DROP TRIGGER of none", "DROP TRIGGER IF EXISTS not_there", "migrate"),
    ("REINDEX", "REINDEX", "migrate"),
    ("REINDEX of one", "REINDEX keep_n", "migrate"),
    ("REINDEX of nothing", "REINDEX rtrim", "migrate"),
    ("ANALYZE", "ANALYZE", "migrate"),
    (
        "the history's INSERT",
        "INSERT OR REPLACE INTO alterd_migrations(version, down_sql) VALUES(7, 'DROP TABLE t')",
        "migrate",
    ),
    ("the history's UPDATE", "UPDATE main.ALTERD_migrations SET down_sql = 'DROP TABLE t'", "migrate"),
    ("the history's DELETE", "WITH x AS (SELECT 7) DELETE FROM \"alterd_migrations\" WHERE version IN x", "migrate"),
    (
        "the history's UPSERT",
        "INSERT INTO alterd_migrations(version) VALUES(7) ON CONFLICT DO UPDATE SET down_sql = 'x'",
        "migrate",
    ),
    (
        "the history's UPDATE FROM",
        "UPDATE alterd_migrations SET down_sql = vt.v FROM vt WHERE vt.id = version",
        "migrate",
    ),
    ("the statistics' UPDATE", "UPDATE sqlite_stat1 SET stat = stat", "migrate"),
    ("ATTACH", "ATTACH ':memory:' AS x", "nobody"),
    ("DETACH", "DETACH main", "nobody"),
    ("VACUUM", "VACUUM", "nobody"),
    ("VACUUM INTO", "VACUUM INTO '/dev/null/x'", "nobody"),
    ("CREATE TEMP TABLE", "CREATE TEMP TABLE x(a)", "nobody"),
    ("CREATE TABLE temp.", "CREATE TABLE temp.x(a)", "nobody"),
    ("CREATE TEMP TRIGGER", "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", "nobody"),
    ("PRAGMA writable_schema", "PRAGMA writable_schema = 1", "nobody"),
    ("PRAGMA user_version =", "PRAGMA user_version = 9", "nobody"),
    ("PRAGMA foreign_keys =", "PRAGMA foreign_keys = OFF", "nobody"),
    ("PRAGMA journal_mode =", "PRAGMA journal_mode = DELETE", "nobody"),
    ("PRAGMA query_only =", "PRAGMA query_only(0)", "nobody"),
    ("PRAGMA wal_checkpoint", "PRAGMA wal_checkpoint", "nobody"),
    ("a PRAGMA that acts at prepare", "EXPLAIN PRAGMA foreign_keys = OFF", "nobody"),
    ("a writing PRAGMA's function", "SELECT * FROM pragma_journal_mode('delete')", "nobody"),
    ("load_extension", "SELECT load_extension('x')", "nobody"),
    ("fts3_tokenizer", "SELECT fts3_tokenizer('x', x'00')", "nobody"),
    ("dbstat", "SELECT * FROM dbstat", "nobody"),
    ("the daemon's tables", "SELECT * FROM _alterd_job", "nobody"),
    ("a write to them", "DELETE FROM _alterd_job", "nobody"),
    ("a name of theirs", "CREATE TABLE _alterd_x(a)", "nobody"),
    ("UPDATE sqlite_schema", "UPDATE sqlite_schema SET sql = ''", "nobody"),
    ("a shadow table", "DELETE FROM ft_data", "nobody"),
    ("DROP of a shadow table", "DROP TABLE ft_data", "nobody"),
]


def at_least(role, least):
    return least != "nobody" and ORDER.index(role) >= ORDER.index(least)


def name_of(call):
    """What became of it: "ok", or the error's name."""
    try:
        call()
        return "ok"
    except RpcError as e:
        return e.name


def fitting(role, least):
    """The names an outcome may have."""
    if at_least(role, least):
        return ("ok",)
    if least == "nobody":
        return ("DENIED", "SQLITE_ERROR")
    return ("DENIED",)


def database(path):
    plain = sqlite3.connect(path)
    plain.executescript(SCHEMA)
    plain.close()


def served(rules, more=(), config=None):
    d = Daemon(
        settings=dict({"server.socket_mode": "0666"}, **dict(more)),
        args=[a for rule in rules for a in ("--set", "access." + rule)],
        config=config,
        start=False,
    )
    others.open_to_all(d)
    database(d.db)
    d.start()
    return d


RULES = ["%d=%s" % (uid, role) for role, uid in UID.items()] + ["@%d=ro" % GROUP, "0=admin", "*=none"]


class Everybody:
    """A client of each role: of other users where that can be, else of this one, each role with a daemon of its own."""

    def __init__(self):
        self.daemon = served(RULES) if others.can() else None
        self.daemons = {}
        if not others.can():
            # Where it is its own daemon's user, nobody but it itself can be denied anything.
            for role in ROLES:
                self.daemons[role] = served(["%d=%s" % (os.geteuid(), role)])

    def client(self, role):
        if self.daemon:
            return others.connect(self.daemon.socket, UID[role])
        return self.daemons[role].client()


all_of_them = Everybody()
d = all_of_them.daemon
NOT_ROOT = "needs root, to be other users"

SAMPLES = {
    "sql": "SELECT 1",
    "script": "SELECT 1",
    "cursor": "c99",
    "id": 99999,
    "session": "s0",
    "version": 1,
    "applied": False,
    "name": "x.db",
}


def sample(param):
    if param["name"] in SAMPLES:
        return SAMPLES[param["name"]]
    return {"integer": 1, "number": 1, "string": "x", "boolean": False, "array": [], "object": {}}.get(
        param["schema"].get("type"), "x"
    )


@suite.section
def methods():
    wrong, count, known = [], 0, None
    for role in ROLES:
        with all_of_them.client(role) as c:
            doc = c("rpc.discover")
            known = known or {m["name"]: m["x-role"] for m in doc["methods"]}
        with all_of_them.client(role) as c:
            for m in doc["methods"]:
                params = {p["name"]: sample(p) for p in m["params"] if p["required"]}
                if m["name"] == "batch":
                    params["script"] = "SELECT 1"
                got = name_of(lambda: c(m["name"], **params))
                count += 1
                if (got == "DENIED") == at_least(role, m["x-role"]):
                    wrong.append((role, m["name"], got))
    suite.check("%d calls: a role may call what is its own, and nothing above" % count, not wrong, wrong)
    suite.same(
        "the roles of a few, in so many words",
        [known[m] for m in ("query", "exec", "batch", "migrate.alter", "backup", "kill", "config.reload", "sessions")],
        ["ro", "ro", "rw", "migrate", "migrate", "admin", "admin", "ro"],
    )
    with all_of_them.client("rw") as c:
        e = suite.refused("rw: kill", lambda: c("kill", session="s1"), "DENIED")
        suite.same("says what is missing", e.message, "kill needs the role admin; this session has rw")


def run_all(role, c, order, send, denied=("DENIED",)):
    wrong = []
    for kind, sql, least in order:
        got = name_of(lambda: send(c, sql.replace("{r}", role)))
        wanted = fitting(role, least)
        if got not in (wanted if wanted == ("ok",) else wanted + tuple(denied)):
            wrong.append((kind, got, wanted))
    return wrong


def as_exec(c, sql):
    c.exec(sql)


def as_query(c, sql):
    c.query(sql)


def picture(c):
    out = [c("schema")["schema"]]
    for t in ("t", "log", "keep", "alterd_migrations", "sqlite_stat1", "sqlite_sequence", "ft", "box"):
        out.append(c.rows("SELECT * FROM " + t))
    return json.dumps(out)


@suite.section
def statements():
    # The highest role first: what it has prepared lies in the caches when the lower ones send the same.
    watch = d.client() if d else None
    for send in (as_exec, as_query):
        for role in ("admin", "migrate", "rw", "ro"):
            before = picture(watch) if d else ""
            with all_of_them.client(role) as c:
                todo = [s for s in STATEMENTS if send is as_exec or "{r}" not in s[1]]
                wrong = run_all(role, c, todo, send)
            suite.check("%s, %s: %d kinds" % (role, send.__name__, len(todo)), not wrong, wrong)
            if role == "ro" and d:
                suite.check("%s: nothing has changed" % role, picture(watch) == before, picture(watch))
            if role == "rw" and d:
                suite.same("%s: the schema has not" % role, json.loads(picture(watch))[0], json.loads(before)[0])
    suite.check("at least 30 kinds", len(STATEMENTS) >= 30, len(STATEMENTS))


@suite.section
def statements_again_and_again():
    """A text that is well known takes short ways: past the lanes, straight to the writer, or from a cache."""
    if not d:
        return suite.skip("texts of others", NOT_ROOT)
    with d.client() as admin, all_of_them.client("ro") as ro, all_of_them.client("rw") as rw:
        for sql, least in (
            ("SELECT v FROM t WHERE id = 2", "ro"),
            ("UPDATE keep SET n = 4 WHERE id = 2", "rw"),
            ("INSERT INTO keep(n) VALUES(1) RETURNING id", "rw"),
            ("DELETE FROM alterd_migrations WHERE version = 5", "migrate"),
            ("DROP TABLE IF EXISTS not_there", "migrate"),
        ):
            for _ in range(12):
                admin.exec(sql)
            for who, c in (("ro", ro), ("rw", rw)):
                got = {name_of(lambda: c.exec(sql)) for _ in range(6)}
                suite.same("%s: %s" % (who, sql), got, {"ok" if at_least(who, least) else "DENIED"})


def in_batch(c, sql):
    c("batch", statements=[{"sql": sql}])


def in_script(c, sql):
    c("batch", script="SELECT 1; " + sql)


def in_transaction(c, sql):
    c("begin")
    try:
        c.exec(sql)
    finally:
        c("rollback")


def in_sql_transaction(c, sql):
    c.exec("BEGIN IMMEDIATE")
    try:
        c.exec(sql)
    finally:
        c.exec("ROLLBACK")


@suite.section
def ways_around():
    todo = [s for s in STATEMENTS if s[2] in ("rw", "migrate", "nobody")]
    for send in (in_batch, in_script, in_transaction, in_sql_transaction):
        for role in ("rw", "ro"):
            # SQLite refuses some things inside a transaction by itself, and a reader's transaction is one of reading.
            own = ["SQLITE_ERROR"] + (["READ_ONLY"] if role == "ro" else [])
            with all_of_them.client(role) as c:
                wrong = run_all(role, c, todo, send, ["DENIED"] + own)
            suite.check("%s, %s" % (role, send.__name__), not wrong, wrong)
    with all_of_them.client("ro") as c:
        c.exec("BEGIN IMMEDIATE")
        suite.same("ro: BEGIN IMMEDIATE reads", c.value("SELECT count(*) FROM keep WHERE id = 1"), 1)
        with all_of_them.client("rw") as w:
            w.exec("UPDATE keep SET n = 1 WHERE id = 1")
        c.exec("COMMIT")
        if d:
            suite.same("and others could write meanwhile", c.value("SELECT n FROM keep WHERE id = 1"), 1)
        suite.refused("ro: a batch", lambda: c("batch", statements=[{"sql": "SELECT 1"}]), "DENIED")
        page = c.query("SELECT id FROM t", page_rows=1)
        suite.check("ro: a cursor", len(c("fetch", cursor=page["cursor"])["rows"]) > 0)
        suite.same("ro: describe of a write", c("describe", sql="DELETE FROM t")["readonly"], False)
        suite.refused("ro: describe acts on nothing", lambda: c("describe", sql="PRAGMA foreign_keys=0"), "DENIED")


@suite.section
def triggers_of_those_who_may():
    if not d:
        return suite.skip("another's trigger", NOT_ROOT)
    with all_of_them.client("migrate") as m, all_of_them.client("rw") as rw:
        m.exec("CREATE TABLE job(x)")
        m.exec("CREATE TRIGGER job_in AFTER INSERT ON job BEGIN UPDATE alterd_migrations SET took_ms = 1; END")
        suite.same("rw writes through a trigger", rw.exec("INSERT INTO job VALUES(1)")["changes"], 1)
        suite.refused("but not itself", lambda: rw.exec("UPDATE alterd_migrations SET took_ms = 1"), "DENIED")
        m.exec("DROP TABLE job")


@suite.section
def readonly_only_lowers():
    for role in ROLES:
        with all_of_them.client(role) as c:
            suite.same("%s stays %s" % (role, role), c("hello", readonly=True)["role"], role)
            got = name_of(lambda: c.exec("DELETE FROM log"))
            suite.check("%s writes nothing" % role, got in ("READ_ONLY", "DENIED"), got)
        with all_of_them.client(role) as c:
            suite.same("%s asks for more in vain" % role, c("hello", readonly=False)["role"], role)


@suite.section
def none():
    if not d:
        return suite.skip("a user without access", NOT_ROOT)
    for method in ("hello", "ping", "query", "status", "rpc.discover", "no_such_method"):
        with others.connect(d.socket, UID["none"]) as c:
            e = suite.refused("%s is denied" % method, lambda: c(method), "DENIED")
            suite.check("%s: closed" % method, "no access" in e.message and c.at_end(), e.message)
    with others.connect(d.socket, UID["none"]) as c:
        c.raw(b"what is this?\n")
        suite.same("what is no request is denied too", c.read()["error"]["data"]["name"], "DENIED")
    with others.connect(d.socket, UID["none"]) as c:
        c.raw(b"x" * 100000)
        suite.same("and a line that does not end", c.read()["error"]["data"]["name"], "DENIED")
    with d.client() as c:
        before = c("stats")
        held = others.crowd(d.socket, UID["none"], 24)
        told = [k.read()["error"]["data"]["name"] for k in held[16:]]
        suite.same("many at once: those beyond 16 are told at once", told, ["DENIED"] * 8)
        suite.check("the others wait", c("stats")["denied_total"] < before["denied_total"] + 24)
        suite.same("they take no session", c("stats")["sessions"], before["sessions"])
        suite.check("and are not shown", all(s["role"] != "none" for s in c("sessions")["sessions"]))
        told = [k.read()["error"]["data"]["name"] for k in held[:16]]
        suite.same("who asks nothing is told after a while", told, ["DENIED"] * 16)
        suite.check("all are closed", all(k.at_end() for k in held))
        for k in held:
            k.close()
        suite.same("and counted", c("stats")["denied_total"], before["denied_total"] + 24)


@suite.section
def groups():
    if not d:
        return suite.skip("groups", NOT_ROOT)
    for what, gid, more, role in (
        ("its own group", GROUP, (), "ro"),
        ("a supplementary group", 1, (5, GROUP), "ro"),
        ("one of very many", 1, tuple(range(80000, 80200)) + (GROUP,), "ro"),
        ("none of them", 1, (5, 6), "none"),
    ):
        with others.connect(d.socket, BY_GROUP, gid, more) as c:
            got = name_of(lambda: c("ping"))
            suite.same(what, got, "ok" if role == "ro" else "DENIED")
    with others.connect(d.socket, UID["rw"], GROUP, (GROUP,)) as c:
        suite.same("the first rule decides", c("hello")["role"], "rw")


@suite.section
def sessions_of_others():
    if not d:
        return suite.skip("sessions of others", NOT_ROOT)
    with d.client() as admin, all_of_them.client("rw") as rw, all_of_them.client("rw") as twin:
        name = admin("hello", client="secret/1")["session"]
        twin("hello", client="twin/1")
        slow = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g) SELECT max(n) FROM g"
        admin.send("query", sql=slow, timeout_ms=20000)
        twin.send("query", sql=slow, timeout_ms=20000)

        def seen(c):
            rows = c("sessions")["sessions"]
            both = [s for s in rows if s["state"] == "active"]
            return rows if len(both) >= 2 else None

        rows = until("both run", lambda: seen(rw))
        other = [s for s in rows if s["session"] == name][0]
        hidden = [other[k] for k in ("statement", "client", "pid")]
        suite.same("of others: no SQL, program, process", hidden, [None] * 3)
        suite.same("but role and user", [other["role"], other["uid"]], ["admin", 0])
        own = [s for s in rows if s["uid"] == UID["rw"] and s["state"] == "active"][0]
        suite.check("of the same user: all of it", own["statement"] and own["client"] == "twin/1" and own["pid"], own)
        mine = [s for s in admin("sessions")["sessions"] if s["client"] == "twin/1"][0]
        suite.check("an admin sees it", mine["statement"] == slow[:200] and mine["pid"] > 0, mine)
        suite.same("a user without a name", [mine["user"], mine["uid"]], [None, UID["rw"]])
        suite.same("and root's", [s["user"] for s in rows if s["session"] == name], ["root"])
        suite.refused("rw cannot end another", lambda: rw("kill", session=name), "DENIED")
        for s in admin("sessions")["sessions"]:
            if s["client"] == "twin/1":
                admin("kill", session=s["session"])
        with d.client() as end:
            end("kill", session=name)


@suite.section
def limits():
    if not d:
        return suite.skip("limits of others", NOT_ROOT)
    s = served(
        RULES,
        {
            "server.sessions": 16,
            "server.user_share": 50,
            "server.admin_sessions": 3,
            "roles.ro_sessions": 3,
            "roles.ro_page_rows": 2,
            "roles.ro_read_time": "300ms",
            "roles.rw_write_time": "200ms",
        },
    )

    def answers(held):
        out = []
        for k in held:
            try:
                k.send("ping")
            except OSError:
                pass
            out.append((k.read().get("error") or {"data": {"name": "ok"}})["data"]["name"])
        return out

    with s.client() as admin:
        held = others.crowd(s.socket, UID["ro"], 5)
        got = answers(held)
        suite.same("three sessions of the role ro", [got.count("ok"), got.count("TOO_MANY")], [3, 2])
        ro = [k for k, a in zip(held, got) if a == "ok"][0]
        page = ro.query("SELECT id FROM t", page_rows=100)
        suite.same("its pages have two rows", [len(page["rows"]), page["done"]], [2, False])
        e = suite.refused(
            "its reads have 300 ms",
            lambda: ro.query("WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g) SELECT max(n) FROM g"),
            9,
        )
        suite.same("and end for that", e.data.get("reason"), "timeout")
        for k in held:
            k.close()
        until("they are gone", lambda: admin("stats")["sessions"] == 1)
        told = others.connect(s.socket, UID["ro"])("hello")["limits"]
        suite.same("hello tells the role's page", told["page_rows"], 2)
        until("it is gone", lambda: admin("stats")["sessions"] == 1)
        held = others.crowd(s.socket, UID["rw"], 10)
        got = answers(held)
        suite.same("half of the sessions for one user", [got.count("ok"), got.count("TOO_MANY")], [8, 2])
        e = suite.refused(
            "writes of the role rw have 200 ms",
            lambda: held[0].exec(
                "INSERT INTO log WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g) SELECT n FROM g"
            ),
            9,
        )
        suite.same("and end for it", e.data.get("reason"), "timeout")
        more = others.crowd(s.socket, UID["migrate"], 8)
        got = answers(more)
        suite.same("the last three are for admins", [got.count("ok"), got.count("TOO_MANY")], [4, 4])
        last = [s.client() for _ in range(4)]
        got = answers(last)
        suite.same("who may have them, and no more", [got.count("ok"), got.count("TOO_MANY")], [3, 1])
        for k in held + more + last:
            k.close()


def complaints(daemon):
    return [line for line in daemon.log().splitlines() if " is denied to " in line]


@suite.section
def denials_are_told():
    if not d:
        return suite.skip("denials", NOT_ROOT)
    s = served(RULES)
    with s.client() as admin, others.connect(s.socket, UID["ro"]) as ro, others.connect(s.socket, UID["rw"]) as rw:
        name = ro("hello", client="loop/1")["session"]
        for _ in range(100):
            name_of(lambda: ro.exec("INSERT INTO log VALUES(?)", "a value"))
        name_of(lambda: rw("kill", session="s1"))
        name_of(lambda: rw.exec("DELETE FROM alterd_migrations"))
        name_of(lambda: others.connect(s.socket, UID["none"])("ping"))
        lines = until("the last is told", lambda: [x for x in complaints(s) if "role none" in x] and complaints(s))
        mine = [x for x in lines if "uid %d" % UID["ro"] in x]
        suite.same("a loop of denials is five lines", len(mine), 5)
        suite.check(
            "each says who and what",
            re.search(
                r"warning server: %s: exec is denied to uid %d, pid \d+, client loop/1, role ro: a write needs"
                % (name, UID["ro"]),
                mine[0],
            ),
            mine[0],
        )
        rest = "\n".join(x for x in lines if x not in mine)
        suite.check("others' are told all the same", "kill is denied to uid %d" % UID["rw"] in rest, rest)
        suite.check("with the table's name", "alterd_migrations" in rest, rest)
        suite.check("and who has no access", "ping is denied to uid %d" % UID["none"] in rest, rest)
        suite.check("never with a value", "a value" not in s.log())
        suite.same("all are counted", admin("stats")["denied_total"], 103)


@suite.section
def rules_change_while_sessions_are_open():
    if not d:
        return suite.skip("other users", NOT_ROOT)
    one, two = UID["rw"], UID["none"]
    s = served([], config="[access]\n%d = rw\n0 = admin\n" % one)
    path = os.path.join(s.folder, "alterd.conf")

    def rules(text):
        with open(path, "w", encoding="utf-8") as f:
            f.write("[access]\n" + text)

    with s.client() as admin, others.connect(s.socket, one) as c:
        c.exec("INSERT INTO keep(n) VALUES(1)")
        c("begin")
        c.exec("INSERT INTO keep(n) VALUES(77)")
        rules("%d = ro\n0 = admin\n" % one)
        suite.same("a reload reports it", admin("config.reload"), {"changed": ["access"], "needs_restart": []})
        suite.refused("from then on it writes no more", lambda: c.exec("INSERT INTO keep(n) VALUES(78)"), "DENIED")
        c("commit")
        suite.same("what it had written it could keep", c.rows("SELECT n FROM keep WHERE n > 70"), [[77]])
        suite.same("sessions shows it", [x["role"] for x in admin("sessions")["sessions"] if x["uid"] == one], ["ro"])
        rules("%d = migrate\n%d = ro\n0 = admin\n" % (one, two))
        s.process.send_signal(signal.SIGHUP)
        until("it may more", lambda: name_of(lambda: c.exec("CREATE TABLE IF NOT EXISTS more(x)")) == "ok")
        with others.connect(s.socket, two) as o:
            suite.same("who had none has access", o("hello")["role"], "ro")
            c.send("query", sql="WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g) SELECT max(n) FROM g")
            until("it runs", lambda: any(x["state"] == "active" for x in admin("sessions")["sessions"]))
            rules("%d = ro\n* = none\n0 = admin\n" % two)
            admin("config.reload")
            suite.same("who has none any more is stopped", c.read()["error"]["data"]["name"], "SQLITE_INTERRUPT")
            suite.check("and closed", c.at_end())
            suite.same("the other goes on", o("ping"), {})
            suite.refused("even root may be left out", lambda: s.client()("ping"), "DENIED")
        rules("%d = write\n" % one)
        with others.connect(s.socket, two) as o:
            s.process.send_signal(signal.SIGHUP)
            until("a broken rule is told", lambda: "alterd.conf:2: access.%d" % one in s.log())
            suite.same("and changes nothing", o("hello")["role"], "ro")


@suite.section
def checked_before_the_start():
    s = Daemon(config="[access]\nroot = admin\nnobody-has-this-name = rw\n* = ro\n", start=False)
    os.makedirs(s.folder + "/alterd.conf.d")
    with open(s.folder + "/alterd.conf.d/a.conf", "w", encoding="utf-8") as f:
        f.write("[access]\n1234 = migrate\n")

    def check(*more):
        return subprocess.run(
            [program("alterd"), "--config", s.folder + "/alterd.conf", *more, "--check-config"],
            capture_output=True,
            text=True,
            check=False,
        )

    r = check("--set", "access.@4321=none")
    suite.same("it is printed in the order it counts", r.returncode, 0)
    want = "[access]\n@4321 = none\n1234 = migrate\nroot = admin\nnobody-has-this-name = rw\n* = ro\n"
    suite.check("command line, drop-in, file", want in r.stdout, r.stdout[-300:])
    place = "alterd.conf:3: access.nobody-has-this-name: there is no such user"
    suite.check("a name nobody has is a warning with its place", place in r.stderr, r.stderr)
    r = check("--set", "access.bob=write")
    suite.check("a wrong role is an error", r.returncode == 78 and "no role" in r.stderr, r.stderr)


suite.run()
