"""Time limits of the tests, and what build they run against.

ALTERD_TEST_SCALE multiplies every limit (a sanitizer build is several times slower); ALTERD_SANITIZER names the
sanitizer of the build, where memory figures mean nothing. ALTERD_SEED is what random tests begin with.
"""
import os
import threading
import time

SCALE = float(os.environ.get("ALTERD_TEST_SCALE", "1"))
SANITIZER = os.environ.get("ALTERD_SANITIZER", "")


def first_seed():
    """
    What a random test begins with: one of its own each time. `tests/run.sh` sets ALTERD_SEED in its short form, so that
    a change of the code is judged by the same cases as the one before it; the long form draws new ones.
    """
    return int(os.environ.get("ALTERD_SEED") or int.from_bytes(os.urandom(3), "big"))


def scaled(seconds):
    return seconds * SCALE


def fewer(rows):
    """Rows of a large table: fewer in a sanitizer's build, which looks at the paths that are taken, not at their length."""
    return rows // 3 if SANITIZER else rows


def lasting(seconds):
    """How long a load goes on: longer in a slow build, but not by as much as its limits are wider."""
    return seconds * min(SCALE, 2.0)


def pause(seconds):
    """Lets a clock that the protocol defines run on. Not for waiting till something has happened: that is until()."""
    threading.Event().wait(seconds)


def until(what, condition, limit=10.0, every=0.01):
    """Asks condition() until it is true and returns what it returned; AssertionError names `what` past the limit."""
    end = time.monotonic() + scaled(limit)
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("not within %.1f s: %s (last: %.200r)" % (scaled(limit), what, got))
        pause(every)
