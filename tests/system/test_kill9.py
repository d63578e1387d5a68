#!/usr/bin/env python3
"""kill -9 under four writing clients, at rest and during an online change: some rounds each, fewer in a slow build."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from kill9 import change_rounds, plain_rounds
from limits import SANITIZER, fewer
from suite import Suite

suite = Suite(limit=110)


@suite.section
def under_writing_clients():
    plain_rounds(suite, 2 if SANITIZER else 3, 1)


@suite.section
def during_an_online_change():
    change_rounds(suite, 1 if SANITIZER else 2, 1, rows=fewer(100_000))


suite.run()
