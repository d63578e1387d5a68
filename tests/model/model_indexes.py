#!/usr/bin/env python3
"""Random tables x random indexes, built while clients write the tables; SQLite's own integrity_check says whether each
index holds just what it should.

A seed gives the same tables, indexes and writes; how they get in each other's way is the machine's.

    model_indexes.py [--seconds N] [--seed N]
"""
import argparse
import os
import random
import sys
import threading
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from change import ended
from daemon import Daemon
from limits import first_seed
from suite import Suite
from wire import RpcError

args = argparse.ArgumentParser()
args.add_argument("--seconds", type=float, default=10.0)
args.add_argument("--seed", type=int, default=first_seed())
args = args.parse_args()
sys.argv = sys.argv[:1]
print("     --seed %d --seconds %g" % (args.seed, args.seconds), flush=True)
suite = Suite(limit=args.seconds * 3 + 120)
rng = random.Random(args.seed)

VALUES = (
    "NULL,0,1,-1,5.0,5,0.5,'a','A','a ','b','',x'',x'61',9007199254740993,1e300,-0.0,'12','12abc',zeroblob(3),"
    "9223372036854775807,'é',char(65),hex(randomblob(3)),random(),abs(random())%20,abs(random())%20/2.0,"
    "'t'||abs(random())%15"
).split(",")
TYPES = ["INT", "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB", "", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM", "DOUBLE"]
DEFAULTS = ["5", "'x'", "1.5", "NULL", "x'00'", "2.0"]


class Table:
    def __init__(self, n):
        self.name, self.rows = "t%d" % n, rng.choice([0, 1, 50, 800, 8000])
        key = rng.choice(["INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT", None, "of columns"])
        columns = ["id " + key] if key and key != "of columns" else []
        self.columns, self.generated = ["c%d" % i for i in range(rng.randint(2, 5))], []
        for c in self.columns:
            default = " DEFAULT " + rng.choice(DEFAULTS) if rng.random() < 0.3 else ""
            if not default and rng.random() < 0.15:
                default = " NOT NULL DEFAULT 'nn'"
            columns.append("%s %s%s" % (c, rng.choice(TYPES), default))
        if rng.random() < 0.4:
            made = rng.choice(["c0||c1", "length(c0)", "c0+1", "upper(c1)"])
            columns.append("g0 %s AS (%s) STORED" % (rng.choice(["", "TEXT", "REAL"]), made))
            self.generated.append("g0")
        if rng.random() < 0.4:
            made = rng.choice(["c0||'v'", "c1", "typeof(c0)"])
            columns.append("g1 %s AS (%s) VIRTUAL" % (rng.choice(["", "TEXT", "INT"]), made))
            self.generated.append("g1")
        if key == "of columns":
            columns.append("PRIMARY KEY(c0, c1%s)" % rng.choice(["", "", " DESC"]))
        # Such a table is copied.
        self.keyed = key == "of columns" and rng.random() < 0.6
        if self.keyed:
            self.rows = rng.choice([self.rows, 8000])
        self.sql = "CREATE TABLE %s(%s)%s" % (self.name, ", ".join(columns), " WITHOUT ROWID" if self.keyed else "")

    def make(self, c):
        c.exec(self.sql)
        for _ in range(8):
            values = [rng.choice(VALUES) for _ in self.columns]
            if self.keyed:
                values[0] = rng.choice(["random()", "hex(randomblob(3))", "abs(random())%20000"])
            many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) " % max(1, self.rows // 8)
            insert = "INSERT OR IGNORE INTO %s(%s) SELECT %s FROM n" % (
                self.name,
                ",".join(self.columns),
                ",".join(values),
            )
            c.exec(many + insert)
        if rng.random() < 0.5:
            # Rows from before are too short for it.
            self.late = "ALTER TABLE %s ADD COLUMN late %s DEFAULT %s" % (
                self.name,
                rng.choice(TYPES),
                rng.choice(DEFAULTS),
            )
            c.exec(self.late)
            self.columns.append("late")

    def index(self, i):
        parts = []
        for _ in range(rng.randint(1, 3)):
            part = rng.choice(self.columns + self.generated)
            if rng.random() < 0.2:
                part = rng.choice(["length(%s)", "upper(%s)", "%s||'z'", "%s+0", "%s IS NULL"]) % part
            if rng.random() < 0.2:
                part += " COLLATE " + rng.choice(["NOCASE", "RTRIM", "BINARY"])
            parts.append(part + rng.choice(["", "", " DESC", " ASC"]))
        where = ""
        if rng.random() < 0.3:
            where = " WHERE " + rng.choice(["%s IS NOT NULL", "%s > 3", "typeof(%s)='text'"]) % rng.choice(
                self.columns + self.generated
            )
        unique = "UNIQUE " if rng.random() < 0.2 else ""
        return "CREATE %sINDEX %s_%d ON %s(%s)%s" % (unique, self.name, i, self.name, ", ".join(parts), where)

    def write(self, r):
        at, name, columns = r.randint(0, self.rows + 5), self.name, ",".join(self.columns)
        values = ",".join(r.choice(VALUES) for _ in self.columns)
        if r.random() < 0.002:
            return "DELETE FROM " + name
        if self.keyed:
            return self.write_keyed(r, at, values)
        return r.choice(
            [
                "INSERT OR REPLACE INTO %s(%s) VALUES(%s)" % (name, columns, values),
                "INSERT OR REPLACE INTO %s(rowid,%s) VALUES(%d,%s)" % (name, columns, at, values),
                "UPDATE OR REPLACE %s SET %s=%s WHERE rowid BETWEEN %d AND %d"
                % (name, r.choice(self.columns), r.choice(VALUES), at, at + r.randint(0, 30)),
                "UPDATE OR IGNORE %s SET rowid=rowid+%d WHERE rowid BETWEEN %d AND %d"
                % (name, r.choice([1, -1, 1000, 100000]), at, at + 2),
                "DELETE FROM %s WHERE rowid BETWEEN %d AND %d" % (name, at, at + r.randint(0, 5)),
                "UPDATE OR IGNORE %s SET %s=%s WHERE rowid %% 50 = %d"
                % (name, r.choice(self.columns), r.choice(self.columns), r.randint(0, 49)),
            ]
        )

    def write_keyed(self, r, at, values):
        name, columns = self.name, ",".join(self.columns)
        some = "(c0, c1) IN (SELECT c0, c1 FROM %s LIMIT %d OFFSET %d)" % (name, r.randint(1, 30), at)
        return r.choice(
            [
                "INSERT OR REPLACE INTO %s(%s) VALUES(%s)" % (name, columns, values),
                "INSERT OR IGNORE INTO %s(%s) VALUES(random(),%s)" % (name, columns, values.split(",", 1)[1]),
                "UPDATE OR REPLACE %s SET %s=%s WHERE %s" % (name, r.choice(self.columns), r.choice(VALUES), some),
                "UPDATE OR IGNORE %s SET %s=%s WHERE %s"
                % (name, r.choice(self.columns), r.choice(self.columns), some),
                "DELETE FROM %s WHERE %s" % (name, some),
            ]
        )


class Writer(threading.Thread):
    def __init__(self, d, table, seed):
        super().__init__()
        self.d, self.table, self.rng = d, table, random.Random(seed)
        self.over, self.writes, self.failures = threading.Event(), 0, []

    def run(self):
        with self.d.client() as c:
            while not self.over.is_set():
                sql = self.table.write(self.rng)
                try:
                    c.exec(sql)
                    self.writes += 1
                except RpcError as e:
                    # A constraint, a type or a size is the statement's own affair.
                    if e.code < 0 or e.code & 0xFF not in (18, 19, 20):
                        self.failures.append("%s: %s" % (sql, e))


def build(c, sql, said):
    """Builds it; what is wrong, or None."""
    try:
        if rng.random() < 0.3:
            c("migrate.alter", sql=sql, postpone_cutover=True)
            try:
                c("migrate.cutover")
            except RpcError:
                pass  # ended already
            j = ended(c)
            state, why = j["state"], j.get("error") or ""
        else:
            j, why = c("migrate.alter", sql=sql, wait=True), ""
            state = j["state"]
        said["applied"] += j.get("changes_applied", 0)
        said["copied"] += j.get("strategy") == "rebuild"
    except RpcError as e:
        state, why = {"MIGRATION_INVALID": "refused", "FAILED_MIGRATION": "failed"}.get(e.name, e.name), e.message
    said[state] += 1
    fine = state == "done" or any(
        w in why for w in ("repeat a key", "UNIQUE constraint failed", "by the new table (UNIQUE", "built beside")
    )
    return None if fine else "%s: %s %s" % (sql, state, why)


def one(d, n, said):
    table, wrong = Table(n), []
    with d.client() as c:
        table.make(c)
        writers = [Writer(d, table, rng.random()) for _ in range(2)]
        for w in writers:
            w.start()
        for i in range(3):
            wrong += filter(None, [build(c, table.index(i), said)])
        for w in writers:
            w.over.set()
            w.join()
            said["writes"] += w.writes
            wrong += w.failures[:3]
    return ["%s; %s: %s" % (table.sql, getattr(table, "late", ""), w) for w in wrong]


@suite.section
def random_indexes():
    end, n, said = time.monotonic() + args.seconds, 0, Counter()
    while time.monotonic() < end:
        d, wrong = Daemon(), []
        for _ in range(4):
            n += 1
            wrong += one(d, n, said)
        d.stop()
        whole = d.integrity()
        if whole != "ok" or wrong:
            suite.check("seed %d, up to table %d" % (args.seed, n), False, "%s %s" % (whole, "\n".join(wrong[:5])))
            return
        bad = d.finish()
        Daemon.all.remove(d)
        suite.check("nothing bad in the log", not bad, bad) if bad else None
    suite.check("%d tables, all indexes whole" % n, said["done"] > 0, said)
    suite.note(", ".join("%d %s" % (v, k) for k, v in sorted(said.items())))


suite.run()
