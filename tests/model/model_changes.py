#!/usr/bin/env python3
"""Random tables x random changes x random writes by several clients, compared with plain SQLite; see tests/lib/live.py.

A seed gives the same tables, changes and writes; how the clients get in each other's way is the machine's. A case that
goes wrong is written down with all its writes in their order, made smaller as long as it goes wrong with one client
too, and kept in a file.

    model_changes.py [--seconds N] [--seed N] [--case N] [--replay FILE] [--keep FOLDER]
"""
import argparse
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import shrink
from daemon import Daemon
from limits import first_seed, lasting
from live import SETTINGS, Run, daemon_for
from shapes import random_case
from suite import Suite

args = argparse.ArgumentParser()
args.add_argument("--seconds", type=float, default=20.0)
args.add_argument("--seed", type=int, default=first_seed())
args.add_argument("--case", type=int, help="this case alone, by the number that was printed")
args.add_argument("--replay", help="a file that was kept")
args.add_argument("--keep", default=tempfile.gettempdir(), help="where a case that goes wrong is written to")
args = args.parse_args()
sys.argv = sys.argv[:1]
print("     --seed %d --seconds %g" % (args.seed, args.seconds), flush=True)
suite = Suite(limit=args.seconds * 2 + 150)
# What only the writer of a plan may say. Anything else that is refused is a case that was not tried.
REASONS = ("NOT NULL", "UNIQUE", "CHECK", "TYPE", "FOREIGN KEY")


def settings(rng):
    return dict(
        SETTINGS,
        **{
            "migrate.batch_rows": str(rng.choice([1, 7, 25, 100, 1000])),
            "migrate.duty": str(rng.choice([20, 50, 100])),
            "migrate.hold": rng.choice(["1ms", "3ms", "3ms", "20ms"]),
            "store.synchronous": rng.choice(["normal", "normal", "full"]),
            "store.readers": rng.choice(["1", "2", "4"]),
            "store.cache": rng.choice(["64KiB", "16MiB", "16MiB"]),
            "store.checkpoint_at": rng.choice(["64KiB", "1MiB", "16MiB"]),
            "store.group": rng.choice(["1", "3", "256"]),
        }
    )


def one(number, said):
    """False if the case went wrong."""
    rng = random.Random(number)
    case = random_case(rng, "case %d" % number)
    try:
        case.profiles()
    except sqlite3.Error as e:
        said["not SQLite's: %s" % str(e)[:40]] += 1
        return True
    d = daemon_for(case, settings(rng))
    run = Run(d, case, rng.randrange(1 << 30))
    try:
        run.go()
    except Exception as e:
        run.bad("%s: %s" % (type(e).__name__, e))
    bad = d.finish()
    Daemon.all.remove(d)
    run.problems += bad
    said[run.outcome] += 1
    if run.outcome == "refused":
        said["refused: " + run.reason[:70]] += 1
    if run.outcome == "failed":
        said["failed: " + ", ".join(w for w in REASONS if w in run.reason)] += 1
        if not run.proven:
            # The row may have been mended since; a TYPE is alterd's own idea of loss.
            said["failed, and plain SQLite would not: case %d %s" % (number, run.reason[:200])] += 1
        if not any(w in run.reason for w in REASONS):
            run.bad("failed without a reason of the rows': " + run.reason)
    if not run.problems:
        return True
    tell(number, run)
    return False


def tell(number, run):
    suite.check("case %d (%s)" % (number, run.outcome), False, "; ".join(run.problems)[:380])
    case = run.case
    print("     again: model_changes.py --case %d" % number)
    for text in case.schema + [case.change] + ["offline: %s %s" % (case.after, case.mapping)]:
        print("       %.900s" % text)
    print("     steered: %s, file: %s" % (case.steer, case.pragmas))
    print("     outcome %s %.300s" % (run.outcome, run.reason))
    for text in run.problems[:5]:
        print("     ! %.900s" % text, flush=True)
    try:
        data = shrink.record(run)
    except Exception as e:
        print("     no record: %s" % e)
        return
    path = os.path.join(args.keep, "alterd-case-%d.json" % number)
    found = shrink.smaller(data, lasting(30))
    if found:
        data, wrong = found
        print(
            "     it goes wrong with one client, too; %d transactions are left: %.600s" % (len(data["ops"]), wrong[0])
        )
    else:
        print("     with one client it goes well; all %d transactions are kept" % len(data["ops"]))
    shrink.save(data, path)
    print("     again: model_changes.py --replay %s" % path)
    text = json.dumps(data, ensure_ascii=False)
    if len(text) < 6000:
        print("     " + text, flush=True)


@suite.section
def random_changes():
    if args.replay:
        wrong = shrink.replay(shrink.load(args.replay))
        suite.check("replay of %s" % args.replay, not wrong, "; ".join(wrong)[:2000])
        return
    rng = random.Random(args.seed)
    end, n, bad, said = time.monotonic() + args.seconds, 0, 0, Counter()
    while args.case is not None or time.monotonic() < end or n == 0:
        n += 1
        bad += not one(rng.randrange(1 << 30) if args.case is None else args.case, said)
        if args.case is not None or bad == 3:
            break
    suite.check("%d cases as plain SQLite has them (seed %d)" % (n, args.seed), not bad)
    for text, count in sorted(said.items(), key=lambda x: (-x[1], str(x[0]))):
        suite.note("%4d %s" % (count, text))


suite.run()
