#!/usr/bin/env python3
"""Up, down and up again: for every kind of change that can be undone, rows and schema are what they were.

Down goes without the files, from what the daemon kept; with clients' writes in between, plain SQLite says what there must
be.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from limits import SANITIZER
from oracle import OWN, Twin, differences, opened, picture, trim
from roundtrip_cases import CASES
from suite import Suite

suite = Suite(limit=120)
HISTORY = "alterd_migrations"


def files(case):
    return [
        {"name": "0001_base.sql", "sql": "-- migrate:up\n" + case.base},
        {"name": "0002_trip.sql", "sql": "-- migrate:up\n%s\n-- migrate:down\n%s\n" % (case.up, case.down)},
    ]


def seen(db):
    """What a stranger sees, and the texts of the tables, which tell of CHECK and of what else no pragma tells."""
    out = picture(db, leave=(HISTORY,))
    sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql IS NOT NULL AND " + OWN
    # BINARY is what a column has that says nothing.
    out["texts"] = sorted((n, trim(text).replace("collatebinary", "")) for n, text in db.execute(sql) if n != HISTORY)
    return out


def of_file(d):
    ro = opened("file:%s?mode=ro" % d.db, uri=True)
    try:
        return seen(ro)
    finally:
        ro.close()


def twin_of(case):
    twin = Twin()
    twin.db.executescript(case.base)
    return twin


def write(c, twin, writes):
    for sql in writes:
        c.exec(sql)
        answer = twin.run(sql)
        assert not answer[2], (sql, answer)


def upgraded(twin, case):
    """Plain SQLite's picture of the version above, if it knows its words."""
    if not case.plain:
        return None
    after = opened()
    twin.db.backup(after)
    after.execute("PRAGMA foreign_keys = ON")
    after.executescript(case.up)
    return seen(after)


def go(c, d, case):
    twin, all_files = twin_of(case), files(case)
    c("migrate.up", files=all_files, steps=1, wait=True)
    step = c("migrate.plan", files=all_files)["steps"][0]
    c("migrate.up", files=all_files, wait=True)
    suite.check(case.name + ": up", c("migrate.status")["version"] == 2)
    done = c("migrate.history")["history"][-1]["strategy"]
    suite.check(case.name + ": as planned", not step["fails"] and step["strategy"] == done, (done, step))
    wanted = upgraded(twin, case)
    if wanted is not None:
        wrong = differences(of_file(d), wanted)
        suite.check(case.name + ": as plain SQLite does it", not wrong, wrong)
    for i, how in enumerate(({}, {"files": all_files})):
        # Half of the writes each time, so that both ways are gone with rows of their own.
        half = (len(case.writes) + 1) // 2
        write(c, twin, case.writes[half * i : half * (i + 1)])
        above = of_file(d)
        c("migrate.down", wait=True, **how)
        suite.check(case.name + ": down", c("migrate.status")["version"] == 1)
        wrong = differences(of_file(d), seen(twin.db))
        suite.check("%s: down %s: as it was" % (case.name, "with the files" if how else "without"), not wrong, wrong)
        c("migrate.up", files=all_files, wait=True)
        wrong = differences(of_file(d), above)
        suite.check(case.name + ": up again: as it was above", not wrong, wrong)


@suite.section
def round_trips():
    # Sanitizers are after paths, which a third of the kinds take.
    for case in CASES[::3] if SANITIZER else CASES:
        d = Daemon(settings={"migrate.batch_rows": "50", "store.synchronous": "normal"})
        try:
            with d.client() as c:
                go(c, d, case)
        except Exception as e:
            suite.check(case.name + ": went to its end", False, "%s: %s" % (type(e).__name__, e))
        bad = d.finish()
        suite.check(case.name + ": its daemon ended well", not bad, bad)
        Daemon.all.remove(d)


suite.run()
