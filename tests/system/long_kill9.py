#!/usr/bin/env python3
"""kill -9 under four writing clients, twenty rounds, with and without one that copies the log; ten online changes killed
three times each.

SEED may be set in the environment; it is printed.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from kill9 import change_rounds, followed_rounds, plain_rounds
from suite import Suite

number = int(os.environ.get("SEED", "7"))
suite = Suite(limit=900)
print("     SEED=%d" % number)


@suite.section
def under_writing_clients():
    plain_rounds(suite, 20, number)


@suite.section
def beside_one_that_copies_the_log():
    followed_rounds(suite, 20, number)


@suite.section
def during_an_online_change():
    change_rounds(suite, 10, number, rows=200_000, kills=3)


suite.run()
