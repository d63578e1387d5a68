#!/usr/bin/env python3
"""Seeded random histories of several clients, compared with plain SQLite that was given the same in commit order.

Two parts take turns until the time is over. `exact`: one driver sends every statement itself, so that every answer
(rows, counters, error codes) can be compared at once with plain SQLite, for autocommit, batches, transactions and
savepoints. `concurrent`: writers of their own thread, whose commits an op log table puts in order afterwards, with an
online change of the table under way.

    model_writes.py [--seconds N] [--seed N]
"""
import argparse
import os
import random
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from limits import first_seed, lasting, scaled, until
from load import together
from suite import Suite, same_value
from wire import RpcError, blob

args = argparse.ArgumentParser()
args.add_argument("--seconds", type=float, default=10.0)
args.add_argument("--seed", type=int, default=first_seed())
args = args.parse_args()
sys.argv = sys.argv[:1]
print("     --seed %d --seconds %g" % (args.seed, args.seconds), flush=True)
suite = Suite(limit=args.seconds * 2 + 90)
deadline = time.monotonic() + lasting(args.seconds)

SCHEMA = [
    "CREATE TABLE par(id INTEGER PRIMARY KEY, a INT, b TEXT UNIQUE, n INT NOT NULL DEFAULT 0 CHECK(n < 1000))",
    "CREATE TABLE kid(id INTEGER PRIMARY KEY, par INT REFERENCES par(id) ON DELETE CASCADE ON UPDATE CASCADE, v)",
    "CREATE TABLE opt(id INTEGER PRIMARY KEY AUTOINCREMENT, par INT REFERENCES par(id) ON DELETE SET NULL, v REAL)",
    "CREATE TABLE defer(id INTEGER PRIMARY KEY, par INT REFERENCES par(id) DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE wr(k TEXT, j INT, v, PRIMARY KEY(k, j)) WITHOUT ROWID",
    "CREATE TABLE log(what, id)",
    "CREATE INDEX par_a ON par(a)",
    "CREATE INDEX kid_par ON kid(par)",
    "CREATE INDEX opt_par ON opt(par)",
    "CREATE INDEX defer_par ON defer(par)",
    "CREATE TRIGGER par_au AFTER UPDATE OF a ON par BEGIN INSERT INTO log VALUES('au', new.id); END",
    "CREATE TRIGGER par_ad AFTER DELETE ON par BEGIN INSERT INTO log VALUES('ad', old.id); END",
    "CREATE TRIGGER par_no BEFORE INSERT ON par WHEN new.a = 13 BEGIN SELECT RAISE(ABORT, 'thirteen'); END",
    "CREATE TRIGGER par_ig BEFORE INSERT ON par WHEN new.a = 14 BEGIN SELECT RAISE(IGNORE); END",
]
TABLES = ["par", "kid", "opt", "defer", "wr", "log"]


def as_plain(v):
    """A value as Python's sqlite3 gives it, from what the wire gives."""
    if isinstance(v, dict):
        import base64

        key, x = next(iter(v.items()))
        return (
            int(x)
            if key == "int"
            else base64.b64decode(x)
            if key == "blob"
            else float(x)
            if key == "real"
            else base64.b64decode(x)
        )
    return v


def rows_of(answer):
    return [tuple(as_plain(v) for v in row) for row in answer.get("rows", [])]


class Gen:
    """Random statements over the schema; the same seed gives the same."""

    def __init__(self, rng):
        self.rng = rng

    def value(self):
        r = self.rng
        return r.choice(
            [
                None,
                r.randrange(-50, 50),
                r.random() * 100,
                "t%d" % r.randrange(30),
                r.randbytes(r.randrange(6)),
                2**60 + r.randrange(99),
            ]
        )

    def write(self):
        r = self.rng
        i, a, b, p = r.randrange(1, 40), r.randrange(20), "b%d" % r.randrange(25), r.randrange(1, 45)
        word = r.choice(["", "", "", "OR REPLACE ", "OR IGNORE ", "OR ABORT ", "OR FAIL "])
        return r.choice(
            [
                lambda: (
                    "INSERT %sINTO par(id, a, b) VALUES(?, ?, ?)" % word,
                    [r.choice([None, i]), a, r.choice([None, b])],
                ),
                lambda: (
                    "INSERT %sINTO par(a, b) VALUES(?, ?), (?, ?), (?, ?)" % word,
                    [a, b, a + 1, "b%d" % r.randrange(25), a + 2, None],
                ),
                lambda: ("UPDATE %spar SET b = ?, n = n + 1 WHERE id = ?" % word, [b, i]),
                lambda: (
                    "UPDATE %spar SET a = a + 1, n = n + ? WHERE a BETWEEN ? AND ?" % word,
                    [r.randrange(300), a, a + 3],
                ),
                lambda: ("UPDATE %spar SET id = ? WHERE id = ?" % word, [r.randrange(1, 40), i]),
                lambda: (
                    "INSERT INTO par(id, a, b) VALUES(?, ?, ?) ON CONFLICT(b) DO UPDATE SET a = excluded.a, n = n + 1",
                    [i, a, b],
                ),
                lambda: ("INSERT INTO par(id, a, b) VALUES(?, ?, ?) ON CONFLICT DO NOTHING", [i, a, b]),
                lambda: ("DELETE FROM par WHERE id = ?", [i]),
                lambda: ("DELETE FROM par WHERE a = ? RETURNING id, a, b", [a]),
                lambda: (
                    "INSERT %sINTO kid(id, par, v) VALUES(?, ?, ?)" % word,
                    [r.choice([None, r.randrange(1, 80)]), p, self.value()],
                ),
                lambda: ("INSERT INTO kid(par, v) SELECT id, a FROM par WHERE a < ?", [a // 3]),
                lambda: ("UPDATE kid SET v = ? WHERE par = ?", [self.value(), p]),
                lambda: (
                    "INSERT INTO opt(par, v) VALUES(?, ?) RETURNING id, par, typeof(v)",
                    [r.choice([None, p]), self.value()],
                ),
                lambda: ("DELETE FROM opt WHERE id % 7 = ?", [r.randrange(7)]),
                lambda: ("INSERT INTO defer(par) VALUES(?)", [p]),
                lambda: ("DELETE FROM defer WHERE par = ?", [p]),
                lambda: (
                    "INSERT %sINTO wr VALUES(?, ?, ?)" % word,
                    ["k%d" % r.randrange(5), r.randrange(6), self.value()],
                ),
                lambda: ("UPDATE %swr SET j = j + 1 WHERE k = ?" % word, ["k%d" % r.randrange(5)]),
                lambda: ("DELETE FROM wr WHERE j > ?", [r.randrange(6)]),
                lambda: ("DELETE FROM log", [])
                if r.random() < 0.1
                else ("INSERT INTO log SELECT 'c', count(*) FROM par", []),
                lambda: ("INSERT INTO log VALUES('lir', last_insert_rowid())", []),
            ]
        )()

    def read(self):
        r = self.rng
        return r.choice(
            [
                lambda: ("SELECT id, a, b, n FROM par ORDER BY id", []),
                lambda: (
                    "SELECT par.id, count(kid.id), total(kid.v) FROM par LEFT JOIN kid "
                    "ON kid.par = par.id GROUP BY par.id ORDER BY 1",
                    [],
                ),
                lambda: ("SELECT * FROM wr", []),
                lambda: ("SELECT id, par, v, typeof(v) FROM kid WHERE par > ? ORDER BY id", [r.randrange(30)]),
                lambda: ("SELECT count(*), sum(n) FROM par WHERE a = ?", [r.randrange(20)]),
                lambda: ("SELECT rowid, what, id FROM log ORDER BY rowid DESC LIMIT 20", []),
                lambda: ("SELECT last_insert_rowid(), changes()", []),
            ]
        )()


def bind(values):
    return [
        blob(v) if isinstance(v, bytes) else {"int": str(v)} if isinstance(v, int) and abs(v) > 2**53 else v
        for v in values
    ]


class Plain:
    """Plain SQLite in the place of one session: its own last_insert_rowid() and changes() over a common connection."""

    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None, cached_statements=0)
        self.db.execute("PRAGMA foreign_keys=ON")

    def run(self, sql, values):
        """(rows, changes, error code or 0)."""
        before = self.db.total_changes
        try:
            cur = self.db.execute(sql, values)
            rows = cur.fetchall()
            n = self.db.execute("SELECT changes()").fetchone()[0] if self.db.total_changes != before else 0
            return rows, n, 0
        except sqlite3.Error as e:
            return [], 0, e.sqlite_errorcode


@suite.section
def exact():
    rng = random.Random(args.seed)
    rounds = 0
    half = time.monotonic() + (deadline - time.monotonic()) * 0.6
    while time.monotonic() < half or rounds == 0:
        rounds += 1
        if not exact_round(random.Random(rng.random()), half):
            break
    suite.note("%d rounds" % rounds)


def exact_round(rng, end):
    """Each client has a connection of its own on the plain file too, so that counters are a session's there as well."""
    d = Daemon()
    gen = Gen(rng)
    path = d.folder + "/plain.db"
    first = sqlite3.connect(path, isolation_level=None)
    first.execute("PRAGMA journal_mode=WAL")
    first.execute("PRAGMA synchronous=OFF")
    clients = [(d.client(), Plain(path)) for _ in range(3)]
    for sql in SCHEMA:
        clients[0][0].exec(sql)
        first.execute(sql)
    holder, savepoints, history, steps = None, 0, [], 0

    def differ(what, got, want):
        suite.check(
            "seed %d, step %d: %s" % (args.seed, steps, what),
            False,
            "got %.300r, wanted %.300r; before: %.900r"
            % (got, want, [h for h in history[:-1] if h[0] == history[-1][0] and h[1][:6] != "SELECT"][-4:]),
        )

    # What changes() and last_insert_rowid() are after a failure is SQLite's accident: asked only when the last one held.
    held = [True] * len(clients)

    def one(k, sql, values):
        """Gives one statement to both; False if they differ."""
        c, plain = clients[k]
        if "changes()" in sql and not held[k]:
            return True
        history.append((k, sql, values))
        rows, n, code = plain.run(sql, values)
        if sql[:6] in ("INSERT", "UPDATE", "DELETE"):
            held[k] = code == 0
        try:
            r = c.exec(sql, *bind(values))
            got = (rows_of(r), r["changes"], 0)
        except RpcError as e:
            got = ([], 0, e.code)
        if not same_value([list(x) for x in got[0]], [list(x) for x in rows]) or got[1:] != (n, code):
            differ(sql, got, (rows, n, code))
            return False
        return True

    good = True
    while good and steps < 400 and time.monotonic() < end + scaled(5):
        steps += 1
        k = rng.randrange(3)
        c, plain = clients[k]
        r = rng.random()
        if holder is not None and k != holder:
            good = one(k, *gen.read())  # others see what was committed, and nothing else
        elif holder is None and r < 0.12:
            c("begin")
            plain.db.execute("BEGIN IMMEDIATE")
            holder, savepoints = k, 0
            history.append((k, "BEGIN", []))
        elif holder == k and r < 0.15:
            word = rng.choice(["commit", "commit", "rollback"])
            history.append((k, word, []))
            want, got = 0, 0
            try:
                plain.db.execute(word)
            except sqlite3.Error as e:
                want = e.sqlite_errorcode
                plain.db.execute("ROLLBACK")
            try:
                c(word)
            except RpcError as e:
                got = e.code
                try:
                    c("rollback")
                except RpcError:
                    pass
            if got != want:
                differ(word, got, want)
                good = False
            holder = None
        elif holder == k and r < 0.25:
            word = rng.choice(["SAVEPOINT s", "SAVEPOINT s", "RELEASE s", "ROLLBACK TO s"])
            if word == "SAVEPOINT s" or savepoints:
                savepoints += {"SAVEPOINT s": 1, "RELEASE s": -1}.get(word, 0)
                good = one(k, word, [])
        elif r < 0.35:
            good = batch(rng, gen, k, clients, history, differ, holder == k)
            held[k] = False
        elif r < 0.5:
            good = one(k, *gen.read())
        else:
            good = one(k, *gen.write())
    if good and holder is not None:
        clients[holder][0]("rollback")
        clients[holder][1].db.execute("ROLLBACK")
    for t in TABLES if good else []:
        got = sorted(rows_of({"rows": clients[0][0].rows("SELECT * FROM " + t)}), key=repr)
        want = sorted(clients[0][1].db.execute("SELECT * FROM " + t).fetchall(), key=repr)
        if repr(got) != repr(want):
            differ("table " + t, got[:5], want[:5])
            good = False
    suite.check("%d steps agree with plain SQLite" % steps, good)
    for c, plain in clients:
        c.close()
        plain.db.close()
    first.close()
    return good


def batch(rng, gen, k, clients, history, differ, inside):
    c, plain = clients[k]
    steps = [gen.write() if rng.random() < 0.8 else gen.read() for _ in range(rng.randrange(1, 6))]
    steps = [step for step in steps if "changes()" not in step[0]]
    history.append((k, "BATCH", steps))
    plain.db.execute("SAVEPOINT batch" if inside else "BEGIN IMMEDIATE")
    want, failed = [], None
    for i, (sql, values) in enumerate(steps):
        rows, n, code = plain.run(sql, values)
        if code:
            failed = (i, code)
            break
        want.append(([list(x) for x in rows], n))
    if failed:
        plain.db.execute("ROLLBACK TO batch" if inside else "ROLLBACK")
        if inside:
            plain.db.execute("RELEASE batch")
    else:
        try:
            plain.db.execute("RELEASE batch" if inside else "COMMIT")
        except sqlite3.Error as e:
            failed = (None, e.sqlite_errorcode)
            plain.db.execute("ROLLBACK")
    try:
        r = c("batch", statements=[{"sql": s, "bind": bind(v)} for s, v in steps])
        got = [([list(x) for x in rows_of(x)], x.get("changes") or 0) for x in r["results"]]
        ok = not failed and same_value(got, want)
    except RpcError as e:
        got = (e.data.get("statement"), e.code)
        ok = failed is not None and e.code == failed[1] and (failed[0] is None or got[0] == failed[0])
    if not ok:
        differ("BATCH %s" % steps, got, failed or want)
    return ok


@suite.section
def concurrent():
    rng = random.Random(args.seed + 1)
    rounds = 0
    while time.monotonic() < deadline or rounds == 0:
        rounds += 1
        if not concurrent_round(rng.randrange(1 << 30)):
            break
    suite.note("%d rounds" % rounds)


# A change that leaves the meaning of every statement as it is, so that the replay on the old schema stays valid.
CHANGE = "ALTER TABLE par ALTER n TYPE REAL, ADD COLUMN extra TEXT NOT NULL DEFAULT 'e'"


def concurrent_round(number):
    d = Daemon(settings={"migrate.batch_rows": "200"})
    with d.client() as c:
        for sql in SCHEMA + [
            "CREATE TABLE op(seq INTEGER PRIMARY KEY AUTOINCREMENT, who INT, n INT)",
            "CREATE TABLE auto(who INT, n INT, a INT, b TEXT)",
            "CREATE TRIGGER auto_tr AFTER INSERT ON auto BEGIN INSERT INTO op(who, n) VALUES(new.who, new.n); "
            "INSERT OR REPLACE INTO par(a, b) VALUES(new.a, new.b); "
            "INSERT INTO kid(par, v) SELECT max(id), new.n FROM par; END",
        ]:
            c.exec(sql)
        c.exec(
            "INSERT INTO par(id, a) WITH RECURSIVE g(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM g LIMIT 4000) "
            "SELECT n, n % 12 FROM g"
        )
    done = [{} for _ in range(4)]
    stop = threading.Event()

    def writer(w):
        rng, n = random.Random(number * 10 + w), 0
        gen = Gen(rng)
        with d.client() as c:
            while not stop.is_set():
                n += 1
                mark = ("INSERT INTO op(who, n) VALUES(?, ?)", [w, n])
                kind = rng.random()
                if kind < 0.3:
                    steps = [
                        ("INSERT INTO auto VALUES(?, ?, ?, ?)", [w, n, rng.randrange(12), "b%d" % rng.randrange(25)])
                    ]
                else:
                    steps = [mark] + [gen.write() for _ in range(rng.randrange(1, 4))]
                try:
                    if kind < 0.3:
                        c.exec(steps[0][0], *steps[0][1])
                    elif kind < 0.7:
                        c("batch", statements=[{"sql": s, "bind": bind(v)} for s, v in steps])
                    else:
                        c("begin", wait_ms=20000)
                        try:
                            for s, v in steps:
                                c.exec(s, *bind(v))
                            c("commit")
                        except RpcError:
                            c("rollback")
                            raise
                    done[w][n] = steps
                except RpcError as e:
                    if e.code < 0:
                        raise

    def change():
        with d.client() as c:
            try:
                r = c("migrate.alter", sql=CHANGE, wait=True)
                assert r["state"] == "done", r
                until("some more writes", lambda: sum(map(len, done)) > 50, 10)
            finally:
                stop.set()

    together(*[lambda w=w: writer(w) for w in range(4)], change, limit=60)
    suite.same("ends in good order", d.stop(), 0)
    suite.same("integrity", d.integrity(), "ok")
    with d.file() as f:
        order = f.execute("SELECT who, n FROM op ORDER BY seq").fetchall()
        acked = {(w, n) for w in range(4) for n in done[w]}
        ok = suite.check(
            "the op log holds exactly what was acknowledged (%d)" % len(acked),
            set(order) == acked,
            (len(order), len(acked)),
        )
        plain = sqlite3.connect(":memory:", isolation_level=None)
        plain.execute("PRAGMA foreign_keys=ON")
        for sql in SCHEMA + [
            "CREATE TABLE op(seq INTEGER PRIMARY KEY AUTOINCREMENT, who INT, n INT)",
            "CREATE TABLE auto(who INT, n INT, a INT, b TEXT)",
            "CREATE TRIGGER auto_tr AFTER INSERT ON auto BEGIN INSERT INTO op(who, n) VALUES(new.who, new.n); "
            "INSERT OR REPLACE INTO par(a, b) VALUES(new.a, new.b); "
            "INSERT INTO kid(par, v) SELECT max(id), new.n FROM par; END",
        ]:
            plain.execute(sql)
        plain.execute(
            "INSERT INTO par(id, a) WITH RECURSIVE g(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM g LIMIT 4000) "
            "SELECT n, n % 12 FROM g"
        )
        for w, n in order:
            plain.execute("BEGIN")
            for sql, values in done[w].get(n, []):
                # last_insert_rowid() is a session's own; the replay has one session for all, so it is left out.
                plain.execute(sql.replace("last_insert_rowid()", "0"), values).fetchall()
            plain.execute("COMMIT")
        for t in TABLES + ["op"]:
            columns = (
                "id, a, b, CAST(n AS REAL), 'e'"
                if t == "par"
                else "CASE what WHEN 'lir' THEN 0 ELSE id END, what"
                if t == "log"
                else "*"
            )
            actual = "id, a, b, n, extra" if t == "par" else columns
            got = f.execute("SELECT %s FROM %s ORDER BY 1, 2" % (actual, t)).fetchall()
            want = plain.execute("SELECT %s FROM %s ORDER BY 1, 2" % (columns, t)).fetchall()
            ok = (
                suite.check(
                    "table %s is as plain SQLite makes it in that order (seed %d)" % (t, args.seed),
                    sorted(got, key=repr) == sorted(want, key=repr),
                    sorted(set(map(repr, got)) ^ set(map(repr, want)))[:4],
                )
                and ok
            )
    f.close()
    return ok


suite.run()
