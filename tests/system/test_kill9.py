#!/usr/bin/env python3
"""kill -9 under four writing clients, at rest and during an online change: three rounds each."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from kill9 import change_rounds, plain_rounds
from suite import Suite

suite = Suite(limit=110)


@suite.section
def under_writing_clients():
    plain_rounds(suite, 3, 1)


@suite.section
def during_an_online_change():
    change_rounds(suite, 2, 1, rows=100_000)


suite.run()
