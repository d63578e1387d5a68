#!/usr/bin/env python3
"""Folders in the form of six tools, run version by version while clients write, compared with plain SQLite row by row."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import random

from daemon import Daemon
from folder_forms import FORMS, TELLS, VERSIONS, folder, shell
from limits import SANITIZER, first_seed
from live import OP, SETTINGS, Case, Run
from oracle import Twin, differences, opened, picture
from suite import Suite

suite = Suite(limit=150)
ROWS = 1000 if SANITIZER else 8000
FILL = (
    "INSERT INTO expenses WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < %d) SELECT x, x %% 20,"
    " 'payer ' || x %% 30, x * 7 %% 1000, CASE WHEN x %% 11 THEN 'c' || x %% 9 END, 'note ' || x, '2024-01-' || x %% 28 FROM i"
    % ROWS
)
RECEIPTS = "INSERT INTO receipt(expense, path) SELECT id, 'p' || id FROM expenses WHERE id % 3 = 0"


def both(d, twin, *statements):
    with d.client() as c:
        for sql in statements:
            c.exec(sql)
            twin.run(sql)


def version(d, form, v, twin, seed):
    tables = ["expenses"] if v < 6 else ["expenses", "receipt"]
    case = Case(
        "%s, version %d" % (form, v),
        [],
        None,
        table=TELLS[v],
        tables=tables,
        statements=shell(v),
        files=folder(form, v),
        postpone=False,
        vanishes=TELLS[v] != "expenses",  # it is not there yet
        # Clients know that a category is never NULL from some day on.
        domains={"category": "text!"},
    )
    run = Run(d, case, seed, twin)
    run.go()
    suite.check("%s: done (%s)" % (case.name, run.counts), run.outcome == "done" and not run.problems, run.problems)


def whole(d, form, twin):
    ro = opened("file:%s?mode=ro" % d.db, uri=True)
    leave = ("op", "alterd_migrations")
    wrong = differences(picture(ro, leave), picture(twin.db, leave))
    ro.close()
    suite.check(form + ": rows and schema are as plain SQLite's", not wrong, wrong)


@suite.section
def under_load():
    rng = random.Random(first_seed())
    for form in FORMS[:2] if SANITIZER else FORMS:
        d, twin = Daemon(settings=SETTINGS), Twin()
        with d.client() as c:
            c("migrate.up", wait=True, **folder(form, 1))
            twin.db.executescript(";\n".join(VERSIONS[1]))
        both(d, twin, OP, FILL)
        for v in range(2, 8):
            version(d, form, v, twin, rng.randrange(1 << 30))
            if v == 5:
                both(d, twin, RECEIPTS)
        whole(d, form, twin)
        suite.same(form + ": it ends well", d.finish(), [])


suite.run()
