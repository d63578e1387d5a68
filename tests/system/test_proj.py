#!/usr/bin/env python3
"""A real schema: every table of proj.db is rebuilt once with clients writing to it, and compared with plain SQLite.

The file is Debian's (package proj-data): 35 tables, most of them WITHOUT ROWID, foreign keys, triggers that look into
other tables, views over several, statistics.
"""
import os
import random
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from live import OP, Case, Run, file_of
from limits import SCALE, first_seed
from oracle import Twin, differences, opened, picture
from suite import Suite

FILE = "/usr/share/proj/proj.db"
suite = Suite(limit=150)
seed = first_seed()


@suite.section
def every_table():
    if not os.path.exists(FILE):
        return suite.skip("every table of proj.db", "%s is not there (package proj-data)" % FILE)
    suite.note("ALTERD_SEED=%d" % seed)
    rng = random.Random(seed)
    folder = tempfile.mkdtemp(prefix="alterd-t-")
    shutil.copy(FILE, folder + "/app.db")
    twin = Twin()
    source = opened(FILE)
    source.backup(twin.db)
    source.close()
    d = Daemon(folder=folder, settings={"migrate.batch_rows": "300", "store.synchronous": "normal"})
    with d.client() as c:
        c.exec(OP)
    twin.run("PRAGMA foreign_keys = ON")
    twin.run(OP)
    tables = twin.db.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name <> 'op' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    suite.same("tables", len(tables), 35)
    done, rows = 0, 0
    for name, sql in tables:
        n = twin.db.execute('SELECT count(*) FROM "%s"' % name).fetchone()[0]
        # A build many times slower takes the small ones.
        if SCALE > 1 and n > 100:
            suite.skip(name, "%d rows in a slow build" % n)
            continue
        column = twin.db.execute('PRAGMA table_info("%s")' % name).fetchone()[1]
        case = Case(
            name,
            [],
            'ALTER TABLE "%s" ADD COLUMN extra_ TEXT USING length("%s") || \'+\'' % (name, column),
            table=name,
            statements=[
                'ALTER TABLE "%s" ADD COLUMN extra_ TEXT' % name,
                'UPDATE "%s" SET extra_ = length("%s") || \'+\'' % (name, column),
            ],
            clear=False,
        )
        run = Run(d, case, rng.randrange(1 << 30), twin)
        run.go()
        done, rows = done + 1, rows + n
        suite.check("%s: done" % name, run.outcome == "done", run.reason)
        suite.check("%s: as plain SQLite (%s)" % (name, run.counts), not run.problems, run.problems[:3])
        if run.problems:
            break
    suite.note("%d tables of %d, %d rows" % (done, len(tables), rows))
    wrong = differences(picture(file_of(d).db), picture(twin.db))
    suite.check("the whole file is as plain SQLite's", not wrong, wrong[:3])
    suite.same("exit", d.stop(), 0)


suite.run()
