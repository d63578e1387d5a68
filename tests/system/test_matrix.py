#!/usr/bin/env python3
"""Shapes of tables x changes, each with clients writing during it, compared with plain SQLite.

    test_matrix.py [--seed N] [NAME..]      cases whose name holds one of the words
"""
import argparse
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon
from limits import SANITIZER, first_seed
from live import SETTINGS, Run, daemon_for
from matrix_byhand import CASES as BY_HAND
from matrix_cases import CASES
from suite import Suite

args = argparse.ArgumentParser()
args.add_argument("--seed", type=int, default=first_seed())
args.add_argument("names", nargs="*")
args = args.parse_args()
sys.argv = sys.argv[:1]
suite = Suite(limit=150)


@suite.section
def matrix():
    suite.note("--seed %d" % args.seed)
    done, refused = 0, []
    rng = random.Random(args.seed)
    for n, case in enumerate(CASES + BY_HAND):
        seed = rng.randrange(1 << 30)
        # The sanitizer builds take a ninth each: what they look for is in every one of them.
        if SANITIZER and not args.names and n % 9 != ("thread" in SANITIZER):
            continue
        if args.names and not any(n in case.name for n in args.names):
            continue
        run = Run(daemon_for(case, SETTINGS), case, seed)
        try:
            run.go()
        except Exception as e:
            run.bad("%s: %s" % (type(e).__name__, e))
        wanted = "failed" if case.fails else "aborted" if case.steer == "abort" else "done"
        if run.outcome == "refused" and case.refused:
            refused.append(case.name)
            wanted = "refused"
        elif case.refused and run.outcome == wanted:
            suite.note("%s is done now: its mark `refused` can go" % case.name)
        done += run.outcome == "done"
        suite.check("%s: %s" % (case.name, wanted), run.outcome == wanted, (run.outcome, run.reason))
        if case.fails and run.outcome == "failed":
            suite.check("%s: says why" % case.name, case.fails in run.reason, run.reason)
        suite.check(
            "%s: as plain SQLite (%s)" % (case.name, ", ".join("%s %d" % x for x in run.counts.items())),
            not run.problems,
            "",
        )
        for text in run.problems[:6]:
            suite.note("  %.900s" % text)
        bad = run.d.finish()
        Daemon.all.remove(run.d)
        if bad:
            suite.check("%s: the daemon ended in good order" % case.name, False, bad)
    suite.note("%d done, %d refused: %s" % (done, len(refused), ", ".join(refused)))


suite.run()
