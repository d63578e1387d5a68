#!/usr/bin/env python3
"""Events: each topic, exact counts of changes against plain SQLite, and subscribers that do not read."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import random
import sqlite3
import threading
import time

from daemon import Daemon, memory_counts
from limits import SCALE, fewer, first_seed, scaled, until
from suite import Suite
from wire import RpcError

suite = Suite()
SCHEMA = """
CREATE TABLE plain(id INTEGER PRIMARY KEY, v TEXT UNIQUE, n INT CHECK(n < 1000));
CREATE TABLE keyed(k TEXT PRIMARY KEY, v INT) WITHOUT ROWID;
CREATE TABLE loose(a, b);
CREATE TABLE parent(id INTEGER PRIMARY KEY, v);
CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE late(id INTEGER PRIMARY KEY, p REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE watched(id INTEGER PRIMARY KEY, v UNIQUE);
CREATE TABLE seen(id INTEGER PRIMARY KEY, what);
CREATE TRIGGER watched_before BEFORE INSERT ON watched BEGIN INSERT INTO seen(what) VALUES('before'); END;
CREATE TRIGGER watched_after AFTER UPDATE ON watched BEGIN UPDATE seen SET what = 'after'; END;
CREATE TABLE "odd ""name"(x);
"""
TABLES = ["plain", "keyed", "loose", "parent", "child", "late", "watched", "seen", 'odd "name']


class Oracle:
    """Plain SQLite that counts by triggers: with recursive_triggers they see what REPLACE takes away as well."""

    def __init__(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.executescript(SCHEMA + "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON;")
        self.db.execute("CREATE TABLE counts(t, op, n, PRIMARY KEY(t, op))")
        for t in TABLES:
            q = '"' + t.replace('"', '""') + '"'
            for op in ("insert", "update", "delete"):
                self.db.execute("INSERT INTO counts VALUES(?, ?, 0)", (t, op))
                self.db.execute(
                    'CREATE TRIGGER "count %s %s" AFTER %s ON %s BEGIN'
                    " UPDATE counts SET n = n + 1 WHERE t = '%s' AND op = '%s'; END"
                    % (t.replace('"', ""), op, op, q, t, op)
                )

    def run(self, statements):
        """What the statements, one after the other, have changed for good."""
        self.db.execute("UPDATE counts SET n = 0")
        for sql in statements:
            try:
                self.db.execute(sql)
            except sqlite3.Error:
                pass
        assert not self.db.in_transaction
        out = {}
        for t, op, n in self.db.execute("SELECT t, op, n FROM counts"):
            out.setdefault(t, {})[op] = n
        return {t: c for t, c in out.items() if any(c.values())}


def events_of(c, seconds=0.15):
    """All that comes, until nothing has for a while."""
    out = []
    try:
        while True:
            m = c.read(scaled(seconds))
            if m.get("method") == "event":
                out.append(m["params"])
    except TimeoutError:
        return out


def next_event(c, topic=None, kind=None, limit=10.0):
    end = time.monotonic() + scaled(limit)
    while True:
        m = c.read(max(0.0, end - time.monotonic()))
        p = m.get("params", {})
        if m.get("method") == "event" and topic in (None, p["topic"]) and kind in (None, p["type"]):
            return p


def summed(events):
    out = {}
    for e in events:
        for t, counts in e["data"]["tables"].items():
            into = out.setdefault(t, {"insert": 0, "update": 0, "delete": 0})
            for op, n in counts.items():
                into[op] += n
    return out


def marker(writer, reader):
    """Everything that was committed before has been told when this comes."""
    writer.exec("INSERT INTO marker VALUES(1)")
    out = []
    while True:
        e = next_event(reader, "changes")
        if "marker" in e["data"]["tables"]:
            return out
        out.append(e)


d = Daemon()
c = d.client()
c("batch", script=SCHEMA + "CREATE TABLE marker(x);")
oracle = Oracle()


# Each: what is sent, one statement after the other. All of it in autocommit unless it says BEGIN itself.
CASES = [
    ("rows", ["INSERT INTO plain(id, v, n) VALUES(1, 'a', 1), (2, 'b', 2), (3, 'c', 3)"]),
    ("an update of some", ["UPDATE plain SET n = n + 1 WHERE id < 3"]),
    ("an update of none", ["UPDATE plain SET n = 0 WHERE id > 100"]),
    ("REPLACE by the key", ["REPLACE INTO plain VALUES(1, 'z', 1)"]),
    ("REPLACE by a unique column", ["REPLACE INTO plain(id, v) VALUES(9, 'b')"]),
    ("REPLACE of two rows by one", ["REPLACE INTO plain(id, v) VALUES(1, 'c')"]),
    ("UPDATE OR REPLACE", ["INSERT INTO plain(v) VALUES('p'), ('q')", "UPDATE OR REPLACE plain SET v = 'p' WHERE v = 'q'"]),
    ("upsert", ["INSERT INTO plain(v, n) VALUES('p', 5) ON CONFLICT(v) DO UPDATE SET n = 6"]),
    ("upsert that does nothing", ["INSERT INTO plain(v, n) VALUES('p', 5) ON CONFLICT DO NOTHING"]),
    ("OR IGNORE", ["INSERT OR IGNORE INTO plain(v) VALUES('p'), ('r'), ('p')"]),
    ("a failed statement", ["INSERT INTO plain(v) VALUES('s'), ('t'), ('p')"]),
    ("a failed CHECK", ["INSERT INTO plain(v, n) VALUES('u', 1), ('v', 5000)"]),
    ("OR FAIL keeps what was before", ["INSERT OR FAIL INTO plain(v) VALUES('s'), ('t'), ('p'), ('x')"]),
    ("OR ROLLBACK", ["INSERT OR ROLLBACK INTO plain(v) VALUES('s2'), ('p')"]),
    ("a function that fails midway", ["INSERT INTO loose SELECT 1, abs(v) FROM"
                                      " (SELECT 1 v UNION ALL SELECT -9223372036854775808)"]),
    ("without rowid", ["INSERT INTO keyed VALUES('a', 1), ('b', 2), ('c', 3)"]),
    ("its REPLACE", ["REPLACE INTO keyed VALUES('a', 9), ('d', 4)"]),
    ("its update", ["UPDATE keyed SET v = v + 1 WHERE k > 'a'"]),
    ("its upsert", ["INSERT INTO keyed VALUES('a', 1), ('e', 1) ON CONFLICT(k) DO UPDATE SET v = 0"]),
    ("a cascade", ["INSERT INTO parent VALUES(1, 0), (2, 0)", "INSERT INTO child(p) VALUES(1), (1), (2)",
                   "UPDATE parent SET id = 7 WHERE id = 1", "DELETE FROM parent WHERE id = 7"]),
    ("a deferred key that fails", ["INSERT INTO late(p) VALUES(99)"]),
    ("an immediate key that fails", ["INSERT INTO child(p) VALUES(2), (99)"]),
    ("triggers", ["INSERT INTO watched(v) VALUES('a'), ('b')", "UPDATE watched SET v = v || '!'"]),
    ("a trigger whose row fails", ["INSERT INTO watched(v) VALUES('a!')"]),
    ("a trigger whose row is kept out by FAIL", ["INSERT OR FAIL INTO watched(v) VALUES('a!')"]),
    ("FAIL at the second row", ["INSERT OR FAIL INTO watched(v) VALUES('n'), ('a!'), ('m')"]),
    ("delete of all", ["DELETE FROM seen", "DELETE FROM keyed"]),
    ("a strange name", ['INSERT INTO "odd ""name" VALUES(1), (2)']),
    ("a transaction", ["BEGIN", "INSERT INTO loose VALUES(1, 1)", "UPDATE loose SET b = 2", "DELETE FROM loose", "COMMIT"]),
    ("one that is rolled back", ["BEGIN", "INSERT INTO loose VALUES(1, 1)", "ROLLBACK"]),
    ("savepoints", ["BEGIN", "INSERT INTO loose VALUES(1, 1)", "SAVEPOINT a", "INSERT INTO loose VALUES(2, 2)", "SAVEPOINT b",
                    "INSERT INTO keyed VALUES('x', 1)", "ROLLBACK TO b", "INSERT INTO keyed VALUES('y', 1)", "RELEASE b",
                    "ROLLBACK TO a", "INSERT INTO loose VALUES(3, 3)", "SAVEPOINT a", "UPDATE loose SET b = 0",
                    "RELEASE a", "RELEASE a", "COMMIT"]),
    ("a savepoint left open", ["BEGIN", "SAVEPOINT a", "INSERT INTO loose VALUES(4, 4)", "SAVEPOINT b",
                               "INSERT INTO loose VALUES(5, 5)", "COMMIT"]),
    ("a failed statement in a transaction", ["BEGIN", "INSERT INTO loose VALUES(6, 6)",
                                             "INSERT INTO plain(v) VALUES('w1'), ('p')", "INSERT INTO keyed VALUES('z', 1)",
                                             "COMMIT"]),
    ("a transaction that is a savepoint", ["SAVEPOINT s", "INSERT INTO loose VALUES(7, 7)", "ROLLBACK TO s",
                                           "INSERT INTO keyed VALUES('q', 1)", "SAVEPOINT t",
                                           "INSERT INTO loose VALUES(8, 8)", "ROLLBACK TO t", "RELEASE s"]),
    ("one of the same name twice", ["SAVEPOINT s", "INSERT INTO loose VALUES(9, 9)", "SAVEPOINT s",
                                    "INSERT INTO loose VALUES(10, 10)", "ROLLBACK TO s", "RELEASE s", "RELEASE s"]),
    ("a schema that is taken back", ["BEGIN", "INSERT INTO loose VALUES(11, 1)", "SAVEPOINT a", "CREATE TABLE z(x)",
                                     "INSERT INTO z VALUES(1)", "ROLLBACK TO a", "INSERT INTO keyed VALUES('zz', 1)", "COMMIT"]),
    ("and as a whole", ["BEGIN", "INSERT INTO loose VALUES(11, 1)", "CREATE TABLE z(x)", "ROLLBACK",
                        "INSERT INTO keyed VALUES('zzz', 1)"]),
    ("delete of all in a savepoint", ["BEGIN", "SAVEPOINT a", "DELETE FROM loose", "ROLLBACK TO a", "COMMIT"]),
    ("nothing", ["BEGIN", "SELECT 1", "COMMIT"]),
]


@suite.section
def exact_counts():
    with d.client() as s, d.client() as w:
        first = s("subscribe", topics=["changes"])
        suite.same("the first subscription", (first["subscription"], first["state"]), ("e1", {"version": 0, "job": None}))
        seq = first["seq"]
        for what, statements in CASES:
            for sql in statements:
                try:
                    w.exec(sql)
                except RpcError:
                    pass
            got, want = marker(w, s), oracle.run(statements)
            suite.same(what, summed(got), want)
            single = statements[0] in ("BEGIN", "SAVEPOINT s")
            if single:
                suite.same(what + ": one event, or none", len(got), 1 if want else 0)
            suite.check(
                what + ": events as the protocol has them",
                all(e["subscription"] == "e1" and e["topic"] == "changes" and e["type"] == "commit" and e["data"]["lost"] == 0
                    and "more" not in e["data"] and "commits" not in e["data"] and e["seq"] > seq for e in got),
                got,
            )
        for t in TABLES:
            q = '"' + t.replace('"', '""') + '"'
            suite.same("the same rows: " + t, c.value("SELECT count(*) FROM " + q),
                       oracle.db.execute("SELECT count(*) FROM " + q).fetchone()[0])
        # A batch is one transaction; a step that fails takes all of it back.
        w("batch", statements=[{"sql": "INSERT INTO loose VALUES(1, 1)"}, {"sql": "UPDATE loose SET b = 1"}])
        n = c.value("SELECT count(*) FROM loose")
        suite.same("a batch", [e["data"]["tables"] for e in marker(w, s)],
                   [{"loose": {"insert": 1, "update": n, "delete": 0}}])
        suite.refused("a batch that fails", lambda: w("batch", statements=[
            {"sql": "INSERT INTO loose VALUES(1, 1)"}, {"sql": "INSERT INTO plain(v) VALUES('p')"}]), 2067)
        suite.refused("or is not as expected", lambda: w("batch", statements=[
            {"sql": "DELETE FROM loose", "expect_changes": 0}]), "EXPECTATION_FAILED")
        suite.same("tells nothing", marker(w, s), [])
        w("begin")
        w.exec("INSERT INTO loose VALUES('in', 1)")
        suite.refused("a batch that fails in a transaction", lambda: w("batch", statements=[
            {"sql": "DELETE FROM loose"}, {"sql": "INSERT INTO plain(v) VALUES('p')"}]), 2067)
        w("batch", statements=[{"sql": "INSERT INTO keyed VALUES('batch', 1)"}])
        w("commit")
        suite.same("is a savepoint", summed(marker(w, s)), {"loose": {"insert": 1, "update": 0, "delete": 0},
                                                            "keyed": {"insert": 1, "update": 0, "delete": 0}})
        # What SQLite does not tell by rows of the table itself.
        w.exec("CREATE VIRTUAL TABLE words USING fts5(t)")
        marker(w, s)
        w.exec("INSERT INTO words VALUES('one two')")
        suite.check("a full-text table, by the tables it is kept in", summed(marker(w, s)).keys() >= {"words_content"})
        w.exec("CREATE TABLE copied AS SELECT * FROM plain")
        suite.same("CREATE TABLE .. AS is the schema's", marker(w, s), [])
        w.exec("DROP TABLE words")
        w.close()
        with d.client() as gone:
            gone("begin")
            gone.exec("DELETE FROM plain")
        until("its transaction is rolled back", lambda: c.value("SELECT count(*) FROM plain") > 0)
        suite.same("a client that leaves within a transaction", marker(c, s), [])


def random_statement(r):
    word = r.choice(["", "", "OR REPLACE ", "OR IGNORE ", "OR FAIL ", "OR ABORT "])
    key, other = r.randrange(12), r.randrange(12)
    return r.choice([
        "INSERT %sINTO plain(id, v, n) VALUES(%d, 'v%d', %d), (%d, 'v%d', 1)"
        % (word, key, other, r.choice([1, 1, 5000]), other, key),
        "INSERT INTO plain(v, n) VALUES('v%d', 1) ON CONFLICT(v) DO UPDATE SET n = n + 300" % key,
        "UPDATE %splain SET v = 'v%d', id = id + %d WHERE id > %d" % (word, other, r.randrange(2), key),
        "DELETE FROM plain WHERE id %% 3 = %d" % (key % 3),
        "INSERT %sINTO keyed VALUES('k%d', 1), ('k%d', 2)" % (word, key, other),
        "UPDATE %skeyed SET k = 'k%d', v = v + 1 WHERE k >= 'k%d'" % (word, other, key),
        "DELETE FROM keyed WHERE v > 1",
        "INSERT %sINTO parent VALUES(%d, 0)" % (word, key),
        "UPDATE %sparent SET id = %d WHERE id = %d" % (word, other, key),
        "DELETE FROM parent WHERE id = %d" % key,
        "INSERT %sINTO child(id, p) VALUES(%d, %d), (%d, %d)" % (word, key, other, other, key),
        "INSERT INTO late(p) VALUES(%d)" % key,
        "DELETE FROM late WHERE p NOT IN (SELECT id FROM parent)",
        "INSERT %sINTO watched(id, v) VALUES(%d, %d), (%d, 1)" % (word, key, other, other),
        "UPDATE %swatched SET v = %d WHERE id < %d" % (word, key, other),
        "DELETE FROM seen WHERE id %% 2 = %d" % (key % 2),
        "DELETE FROM loose",
        "INSERT INTO loose SELECT id, abs(CASE WHEN id = %d THEN -9223372036854775808 ELSE id END) FROM plain" % key,
    ])


def random_transaction(r):
    """One statement, or a few between BEGIN or SAVEPOINT and an end, with savepoints within each other."""
    if r.random() < 0.4:
        return [random_statement(r)]
    out, open_ones = [r.choice(["BEGIN", "BEGIN", "SAVEPOINT s0"])], []
    outer = out[0] != "BEGIN"
    for i in range(r.randrange(1, 12)):
        k = r.random()
        if k < 0.2:
            open_ones.append("s%d" % r.randrange(1, 4))
            out.append("SAVEPOINT " + open_ones[-1])
        elif k < 0.3 and open_ones:
            out.append("ROLLBACK TO " + open_ones[-1])
        elif k < 0.35 and len(open_ones) > 1:
            out.append("ROLLBACK TO " + open_ones[-2])
            at = len(open_ones) - 1 - open_ones[::-1].index(open_ones[-2])
            del open_ones[at + 1 :]
        elif k < 0.42 and open_ones:
            out.append("RELEASE " + open_ones.pop())
        elif k < 0.46 and outer:
            out.append("ROLLBACK TO s0")
            open_ones.clear()
        else:
            out.append(random_statement(r))
    # A deferred key may keep it from its end: then it is rolled back.
    return out + ["RELEASE s0" if outer and r.random() < 0.5 else r.choice(["COMMIT", "COMMIT", "ROLLBACK"]), "ROLLBACK"]


@suite.section
def random_transactions():
    seed = first_seed()
    r, o = random.Random(seed), Oracle()
    f = Daemon(settings={"store.synchronous": "normal"})
    w, s = f.client(), f.client()
    w("batch", script=SCHEMA + "CREATE TABLE marker(x);")
    s("subscribe", topics=["changes"])
    wrong, told = [], 0
    for i in range(250):
        statements = random_transaction(r)
        ids = [w.send("exec", sql=sql) for sql in statements]
        for n in ids:
            w.message(n)
        got, want = marker(w, s), o.run(statements)
        told += len(got)
        if summed(got) != want or len(got) > 1:
            wrong.append((i, statements, summed(got), want))
    suite.check("250 of them, told exactly (seed %d)" % seed, not wrong, wrong[:1])
    suite.check("many of which changed something", told > 60, told)
    for t in TABLES[:-1]:
        suite.same("the same rows: " + t, w.rows("SELECT * FROM %s ORDER BY 1, 2" % t),
                   [list(x) for x in o.db.execute("SELECT * FROM %s ORDER BY 1, 2" % t)])


@suite.section
def groups_of_clients():
    """Written together, told one by one: each client's job is its own transaction."""
    with d.client() as s:
        s("subscribe", topics=["changes"])
        for i in range(8):
            c.exec("CREATE TABLE g%d(x INTEGER PRIMARY KEY, y UNIQUE)" % i)
        each, failed = 60, []

        def write(i):
            with d.client() as w:
                sent = []
                for k in range(each):
                    sent.append(w.send("exec", sql="INSERT INTO g%d(y) VALUES(%d)" % (i, k)))
                    if k % 10 == 5:  # takes the whole group's transaction along, and nobody else's write
                        sent.append(w.send("exec", sql="INSERT OR ROLLBACK INTO g%d(y) VALUES(%d), (0)" % (i, k + 1000)))
                    if k % 10 == 7:
                        sent.append(w.send("exec", sql="INSERT INTO g%d(y) VALUES(%d), (0)" % (i, k + 1000)))
                failed.append(sum("error" in w.message(n) for n in sent))

        threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
        before = c("stats")["groups_total"]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        groups = c("stats")["groups_total"] - before
        got = marker(c, s)
        suite.same("writes that failed", failed, [12] * 8)
        suite.same("an event a write", len(got), 8 * each)
        suite.check("of one row each", all(list(e["data"]["tables"].values()) == [{"insert": 1, "update": 0, "delete": 0}]
                                           and len(e["data"]["tables"]) == 1 for e in got), got[:2])
        suite.same("for each table as many", summed(got), {"g%d" % i: {"insert": each, "update": 0, "delete": 0}
                                                           for i in range(8)})
        suite.check("though there were groups", groups < 8 * each, groups)
        suite.check("in order", [e["seq"] for e in got] == sorted({e["seq"] for e in got}))


@suite.section
def filters_and_limits():
    with d.client() as s:
        a = s("subscribe", topics=["changes"], tables=["KEYED", "not there yet"])["subscription"]
        b = s("subscribe", topics=["changes"], tables=["loose"])["subscription"]
        suite.same("names", (a, b), ("e1", "e2"))
        c.exec("INSERT INTO keyed VALUES('f1', 1)")
        c.exec("INSERT INTO plain(v) VALUES('f1')")
        c("batch", script="INSERT INTO keyed VALUES('f2', 1); INSERT INTO loose VALUES(1, 1); DELETE FROM plain WHERE v = 'f1'")
        got = events_of(s)
        suite.same("each gets its own tables",
                   [(e["subscription"], list(e["data"]["tables"])) for e in got],
                   [("e1", ["keyed"]), ("e1", ["keyed"]), ("e2", ["loose"])])
        suite.same("one event has one number", got[1]["seq"], got[2]["seq"])
        suite.same("unsubscribe", s("unsubscribe", subscription=a), {})
        c("batch", script="INSERT INTO keyed VALUES('f3', 1); INSERT INTO loose VALUES(1, 1)")
        suite.same("and nothing more comes", [e["subscription"] for e in events_of(s)], ["e2"])
        suite.refused("twice", lambda: s("unsubscribe", subscription=a), "NOT_FOUND")
        with d.client() as other:
            suite.refused("another connection's", lambda: other("unsubscribe", subscription=b), "NOT_FOUND")
        for what, params in (
            ("no topics", {}),
            ("none of them", {"topics": []}),
            ("an unknown one", {"topics": ["changes", "weather"]}),
            ("not a list", {"topics": "changes"}),
            ("tables of another topic", {"topics": ["schema"], "tables": ["plain"]}),
            ("too many tables", {"topics": ["changes"], "tables": ["t%d" % i for i in range(101)]}),
            ("a long name", {"topics": ["changes"], "tables": ["t" * 256]}),
            ("something else", {"topics": ["changes"], "since": 7}),
        ):
            suite.refused(what, lambda p=params: s("subscribe", **p), "INVALID_PARAMS")
        for i in range(15):
            s("subscribe", topics=["migration"])
        suite.refused("the 17th", lambda: s("subscribe", topics=["migration"]), "TOO_MANY")
        st = c("stats")
        suite.same("counted", st["subscriptions"], 16)
        suite.same("in sessions, too", max(e["subscriptions"] for e in c("sessions")["sessions"]), 16)
    until("gone with the connection", lambda: c("stats")["subscriptions"] == 0)
    with d.client() as t:
        t("begin")
        suite.refused("inside a transaction", lambda: t("subscribe", topics=["changes"]), "IN_TRANSACTION")
        suite.same("but the others", t("subscribe", topics=["migration", "schema"])["subscription"], "e1")
        t("rollback")
    with d.client() as quiet:
        c.exec("INSERT INTO loose VALUES(1, 1)")
        suite.same("nothing unasked", events_of(quiet, 0.1), [])


@suite.section
def begins_between_two_transactions():
    """A transaction that was open when somebody subscribed is not half told: the answer waits for its end."""
    with d.client() as w, d.client() as s, d.client() as late:
        w("begin")
        w.exec("INSERT INTO loose VALUES('before', 1)")
        n = s.send("subscribe", topics=["changes"])
        control = late.send("subscribe", topics=["changes"], timeout_ms=100)
        suite.same("one may give up", late.message(control)["error"]["data"]["reason"], "timeout")
        k = late.send("subscribe", topics=["changes"])
        late("cancel", id=k)
        suite.same("or be told to", late.message(k)["error"]["data"]["reason"], "cancel")
        w.exec("INSERT INTO loose VALUES('before', 2)")
        w("commit")
        suite.same("then it is answered", s.answer(n)["subscription"], "e1")
        w.exec("INSERT INTO loose VALUES('after', 3)")
        suite.same("and the next is told", [e["data"]["tables"]["loose"]["insert"] for e in events_of(s)], [1])
        suite.same("those who gave up have none", c("stats")["subscriptions"], 1)


@suite.section
def schema_and_migrations():
    with d.client() as s, d.client() as m:
        c.exec("CREATE TABLE big(id INTEGER PRIMARY KEY, v TEXT, w INT)")
        c.exec("INSERT INTO big(v, w) WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT %d)"
               " SELECT n, n FROM g" % fewer(9000))
        s("subscribe", topics=["schema"])
        c.exec("CREATE TABLE made(x)")
        e = next_event(s, "schema")
        suite.same("CREATE TABLE", (e["type"], e["data"]["tables"]), ("changed", ["made"]))
        c.exec("CREATE INDEX made_x ON made(x)")
        suite.same("an index is its table's", next_event(s, "schema")["data"]["tables"], ["made"])
        c.exec("ALTER TABLE made RENAME TO other")
        suite.same("a rename is two tables", next_event(s, "schema")["data"]["tables"], ["made", "other"])
        c("batch", script="CREATE VIEW view1 AS SELECT 1; DROP TABLE other")
        suite.same("a transaction is told once", next_event(s, "schema")["data"]["tables"], ["other", "view1"])
        suite.refused("a batch that fails", lambda: c("batch", script="CREATE TABLE never(x); SELECT nothing"), 1)
        c.exec("INSERT INTO loose VALUES(1, 1)")
        suite.same("tells nothing", events_of(s), [])

        m("subscribe", topics=["migration", "changes"])
        c("migrate.alter", sql="ALTER TABLE big ALTER w TYPE TEXT", wait=True)
        got = events_of(m, 0.3)
        kinds = [e["type"] for e in got if e["type"] != "progress"]
        phases = [e["data"]["phase"] for e in got if e["type"] == "phase"]
        suite.same("a change, from its beginning to its end", kinds, ["queued", "started"] + ["phase"] * len(phases) + ["done"])
        suite.same("its phases", phases, ["backfilling", "indexing", "verifying", "ready", "swapping", "retiring"])
        suite.check("each with the protocol's keys", all(
            {"job", "phase", "percent", "eta_s", "throttled"} <= set(e["data"]) for e in got), got[:1])
        suite.same("none of its writes is a change", [e for e in got if e["topic"] == "changes"], [])
        suite.same("the schema's event is one", [e["data"]["tables"] for e in events_of(s)], [["big"]])
        c.exec("UPDATE big SET v = 1 WHERE id = 1")
        suite.same("a client's write is", [e["data"]["tables"]["big"] for e in events_of(m)],
                   [{"insert": 0, "update": 1, "delete": 0}])

        # Beside the copy: the clients' writes exactly, and the end that it has come to.
        job = c("migrate.alter", sql="ALTER TABLE big ALTER w TYPE INTEGER", postpone_cutover=True)["job"]
        for i in range(50):
            c.exec("UPDATE big SET v = v || '!' WHERE id = ?", i + 1)
            c.exec("DELETE FROM big WHERE id = ?", i + 200)
        until("it waits for its cutover", lambda: c("migrate.status")["job"]["phase"] == "ready")
        c("migrate.pause")
        until("it rests", lambda: c("migrate.status")["job"]["state"] == "paused")
        c("migrate.resume")
        until("it goes on", lambda: c("migrate.status")["job"]["state"] == "running")
        c("migrate.abort")
        got = events_of(m, 0.3)
        suite.same("clients' writes beside it", summed(e for e in got if e["topic"] == "changes"),
                   {"big": {"insert": 0, "update": 50, "delete": 50}})
        kinds = [e["type"] for e in got if e["topic"] == "migration" and e["type"] not in ("progress", "phase")]
        suite.same("told: paused, resumed, aborted", kinds, ["queued", "started", "paused", "resumed", "aborted"])
        suite.same("of the one job", {e["data"]["job"] for e in got if e["topic"] == "migration"}, {job})
        c.exec("UPDATE big SET v = 'seven' WHERE id = 7")
        suite.refused("one that fails", lambda: c("migrate.alter", sql="ALTER TABLE big ALTER v TYPE INTEGER", wait=True),
                      "FAILED_MIGRATION")
        e = next_event(m, "migration", "failed")
        suite.check("tells why", e["data"]["state"] == "failed" and e["data"]["count"] >= 1 and "big" in e["data"]["error"], e)
        suite.same("and leaves the schema", events_of(s), [])


@suite.section
def versions():
    files = [
        {"name": "0001_first.sql", "sql": "-- migrate:up\nCREATE TABLE v1(x);\n-- migrate:down\nDROP TABLE v1;\n"},
        {"name": "0002_second.sql", "sql": "-- migrate:up\nINSERT INTO v1 VALUES(1);\n-- migrate:down\nDELETE FROM v1;\n"},
    ]
    v = Daemon()
    w = v.client()
    with v.client() as s, v.client() as m:
        s("subscribe", topics=["schema", "changes"])
        m("subscribe", topics=["migration"])
        w("migrate.up", files=files, wait=True)
        got = events_of(s, 0.3)
        reached = [(e["data"]["from"], e["data"]["version"]) for e in got if e["topic"] == "schema"]
        suite.check("no version is missed, none comes twice", reached[0][0] == 0 and reached[-1][1] == 2
                    and all(a[1] == b[0] for a, b in zip(reached, reached[1:])), reached)
        suite.check("the table is told", "v1" in sum((e["data"]["tables"] for e in got if e["topic"] == "schema"), []), got)
        suite.same("what a version writes is no client's change", [e for e in got if e["topic"] == "changes"], [])
        told = [(e["data"]["from"], e["data"]["version"]) for e in events_of(m) if e["type"] == "version"]
        suite.same("the migration topic tells each", told, [(0, 1), (1, 2)])
        w("migrate.down", files=files, steps=2, wait=True, allow_data_loss=True)
        suite.same("the way back as well", events_of(s, 0.3)[-1]["data"]["version"], 0)
        suite.refused("an app opens with its version", lambda: v.client()("hello", expect_version=2), "VERSION_MISMATCH")
        n = m.send("subscribe", topics=["schema"])
        suite.same("state comes first", m.answer(n)["state"]["version"], 0)
        w("migrate.up", files=files, wait=True)
        until("and then version 2", lambda: next_event(m, "schema")["data"]["version"] >= 2)
        with v.client() as app:
            suite.same("now it may", app("hello", expect_version=2)["version"], 2)
    # The client that proto/README.md shows, as it stands there.
    with open(os.path.join(os.environ.get("ALTERD_SOURCE_DIR", "."), "proto", "README.md"), encoding="utf-8") as f:
        blocks = [b.split("```")[0] for b in f.read().split("```python\n")[1:]]
    page = {}
    for block in blocks:
        exec(block, page)
    shown, reached = page["Alterd"](v.socket), []
    waits = threading.Thread(target=lambda: reached.append(page["wait_for_version"](shown, 3)), daemon=True)
    waits.start()
    until("it is subscribed", lambda: w("stats")["subscriptions"] == 1)
    files.append({"name": "0003_third.sql", "sql": "-- migrate:up\nCREATE INDEX v1_x ON v1(x);\n"})
    w("migrate.up", files=files, wait=True)
    waits.join(scaled(10))
    suite.same("the page's own client is told", reached, [3])
    shown.s.close()


@suite.section
def log_and_sessions():
    with d.client() as s:
        s("subscribe", topics=["session", "log"])
        with d.client() as visitor:
            name = visitor("hello", client="visitor/1")["session"]
        opened, closed = next_event(s, "session", "opened"), next_event(s, "session", "closed")
        suite.same("a client comes", opened["data"]["session"], name)
        suite.check("and goes", closed["data"]["session"] == name and closed["data"]["client"] == "visitor/1"
                    and closed["data"]["requests"] == 1, closed)
        c("migrate.alter", sql="CREATE TABLE logged(x)", wait=True)
        e = next_event(s, "log")
        suite.check("a line of the log", e["type"] == "line" and e["data"]["level"] == "info"
                    and e["data"]["room"] == "migrate" and e["data"]["message"], e)
    if os.getuid() != 0:
        suite.skip("who is no admin", "needs root to be somebody else")
        return
    os.chmod(d.folder, 0o755)
    os.chmod(d.socket, 0o666)
    for topic, code in (("log", 1), ("session", 1), ("schema", 0)):
        suite.same("who is no admin: " + topic, as_nobody(topic), code)


def as_nobody(topic):
    """0: subscribed, 1: DENIED."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            d.client()("subscribe", topics=["changes", topic])
            code = 0
        except RpcError as e:
            code = 1 if e.name == "DENIED" else 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@suite.section
def half_closed():
    """echo '..subscribe..' | socat: it sends no more, and goes on hearing."""
    with d.client() as s:
        s("subscribe", topics=["changes"])
        s.end_of_writing()
        for i in range(3):
            c.exec("INSERT INTO loose VALUES('half', ?)", i)
        suite.same("events go on", len(events_of(s)), 3)
    until("until it is gone", lambda: c("stats")["subscriptions"] == 0)


def storm(writers, total, flight=32):
    """That many writes of one row each, as fast as they go; returns how many there were."""
    line = b'{"id":%d,"method":"exec","params":{"sql":"UPDATE t SET v = v + 1 WHERE id = 1"}}\n'
    lines, sent = b"".join(line % (i + 1) for i in range(flight)), 0
    while sent < total:
        for x in writers:
            x.raw(lines)
        for x in writers:
            for _ in range(flight):
                x.line()
        sent += flight * len(writers)
    return sent


@suite.section
def who_does_not_read():
    """10,000 events a second for one that does not read: nobody else notices, and it is told what it has lost."""
    f = Daemon(settings={"store.synchronous": "normal", "server.send_time": "1s"})
    w, o, s, other = f.client(), f.client(), f.client(), f.client()
    w("batch", script="CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES(0); CREATE TABLE marker(x)")
    # Three subscriptions: each write is three events for the one connection.
    for topics in (["changes", "migration", "schema"], ["changes"], ["changes"]):
        s("subscribe", topics=topics)
    other("subscribe", topics=["changes"], tables=["marker"])
    before, slowest, stop = f.peak_bytes(), [0.0], threading.Event()

    def ask():
        while not stop.is_set():
            t = time.monotonic()
            o.query("SELECT v FROM t WHERE id = 1")
            slowest[0] = max(slowest[0], time.monotonic() - t)

    asker = threading.Thread(target=ask)
    asker.start()
    begun = time.monotonic()
    sent = storm([f.client() for _ in range(4)], 9000 if SCALE == 1 else 3000)
    seconds = time.monotonic() - begun
    w("migrate.alter", sql="ALTER TABLE t ALTER v TYPE TEXT", wait=True)
    until("longer than server.send_time", lambda: time.monotonic() - begun > 2.0, 20)
    stop.set()
    asker.join()
    suite.note("%.0f events a second; the slowest answer to another %.1f ms" % (3 * sent / seconds, slowest[0] * 1000))
    suite.check("others are answered in time", slowest[0] < scaled(0.25), slowest[0])
    if memory_counts():
        suite.check("memory is bounded", f.peak_bytes() - before < 24 << 20, f.peak_bytes() - before)
    suite.check("most are lost, and counted", w("stats")["events_lost_total"] > sent, w("stats"))
    w.exec("INSERT INTO marker VALUES(1)")
    suite.same("the one who reads has lost nothing", [e["data"]["lost"] for e in events_of(other)], [0])
    got = events_of(s, 0.3)
    suite.same("it is still there, and may ask", s("ping"), {})
    for name in ("e1", "e2", "e3"):
        changes = [e for e in got if e["topic"] == "changes" and e["subscription"] == name]
        suite.same(name + ": no change is missing in the sums", summed(changes), {
            "t": {"insert": 0, "update": sent, "delete": 0}, "marker": {"insert": 1, "update": 0, "delete": 0}})
        suite.same("what came and what was lost is all there was",
                   len(changes) + sum(e["data"]["lost"] for e in changes), sent + 1)
        suite.same("and as many transactions", sum(e["data"].get("commits", 1) for e in changes), sent + 1)
        suite.same("in order", [e["seq"] for e in changes], sorted({e["seq"] for e in changes}))
    suite.same("the daemon says the same", sum(e["data"].get("lost", 0) for e in got), w("stats")["events_lost_total"])
    suite.same("the last of the migration has come", [e["type"] for e in got if e["topic"] == "migration"][-1], "done")
    suite.check("and of the schema", any("t" in e["data"]["tables"] for e in got if e["topic"] == "schema"), got[-3:])
    w.exec("INSERT INTO marker VALUES(2)")
    suite.same("and from here on all come again", [e["data"]["lost"] for e in events_of(s)], [0, 0, 0])


@suite.section
def who_keeps_others_waiting_is_closed():
    """Answers that wait are another thing: they hold what a client has asked for."""
    f = Daemon(settings={"server.send_time": "1s"})
    w, s = f.client(), f.client()
    s("subscribe", topics=["changes"])
    for _ in range(40):
        s.send("query", sql="SELECT hex(zeroblob(50000))")
    until("it is closed", lambda: w("stats")["slow_readers_total"] == 1 and w("stats")["subscriptions"] == 0, 20)


@suite.section
def leaves_in_good_order():
    f = Daemon(settings={"limits.tx_idle": "300ms"})
    s, w = f.client(), f.client()
    s("subscribe", topics=["changes", "schema", "migration", "log", "session"])
    t = f.client()
    w("begin")
    t.send("subscribe", topics=["changes", "schema"])
    begun = time.monotonic()
    f.terminate()
    suite.same("ends while somebody listens", f.wait(), 0)
    suite.check("and soon", time.monotonic() - begun < scaled(6), time.monotonic() - begun)


suite.run()
