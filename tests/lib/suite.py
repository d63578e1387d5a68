"""Named checks, sections, and the verdict of one test program.

A section is a function; what it throws is one failed check, and the next section goes on. The program ends with
"N passed, N failed" and exit code 0 or 1. Section names on the command line run only those.
"""
import faulthandler
import os
import signal
import struct
import sys
import threading
import time
import traceback

from daemon import Daemon
from limits import scaled
from wire import RpcError


def same_value(a, b):
    """Equality that tells 1 from 1.0, True from 1 and 0.0 from -0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same_value(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same_value(a[k], b[k]) for k in a)
    return a == b


class Suite:
    def __init__(self, limit=60.0):
        self.passed, self.failed, self.sections, self.current = 0, 0, [], ""
        self.skipped = []
        self.limit = limit
        self.lock = threading.Lock()

    def check(self, what, ok, seen=""):
        with self.lock:
            if ok:
                self.passed += 1
                print("ok   %s: %s" % (self.current, what), flush=True)
            else:
                self.failed += 1
                print("FAIL %s: %s: %.400s" % (self.current, what, seen), flush=True)
        return bool(ok)

    def same(self, what, got, want):
        return self.check(what, same_value(got, want), "got %.180r, wanted %.180r" % (got, want))

    def refused(self, what, call, *wanted):
        """call() must be answered by an error whose code or name is one of `wanted` (any where none is given)."""
        try:
            got = call()
        except RpcError as e:
            self.check(
                what,
                not wanted or e.code in wanted or e.name in wanted,
                "%s %s %s, wanted %s" % (e.code, e.name, e.message, wanted),
            )
            return e
        self.check(what, False, "no error but %.180r" % (got,))
        return RpcError({})

    def timely(self, what, attempt, tries=3):
        """
        attempt() returns whether all was in time, and what was seen; one of `tries` must be. A machine that others use
        stalls now and then, but what the daemon does too late it does too late each time.
        """
        seen = []
        for _ in range(tries):
            ok, told = attempt()
            seen.append(told)
            if ok:
                break
        return self.check(what, ok, seen)

    def skip(self, what, why):
        self.skipped.append(what)
        print("skip %s: %s: %s" % (self.current, what, why), flush=True)

    def note(self, text):
        print("     %s: %s" % (self.current, text), flush=True)

    def section(self, fn):
        self.sections.append(fn)
        return fn

    def late(self, *_):
        print("FAIL %s: not done within %.0f s" % (self.current, scaled(self.limit)), flush=True)
        faulthandler.dump_traceback()
        for d in Daemon.all:
            print("--- log of %s\n%s" % (d.folder, d.log()[-1500:]), flush=True)
        Daemon.end_all()
        print("%d passed, %d failed" % (self.passed, self.failed + 1), flush=True)
        os._exit(1)

    def run(self):
        signal.signal(signal.SIGALRM, self.late)
        signal.signal(signal.SIGTERM, self.late)
        signal.alarm(int(scaled(self.limit)) + 1)
        names = set(sys.argv[1:])
        for fn in self.sections:
            if names and fn.__name__ not in names:
                continue
            self.current = fn.__name__
            begun = time.monotonic()
            try:
                fn()
            except Exception as e:
                self.check("went to its end", False, "%s: %s" % (type(e).__name__, e))
                traceback.print_exc()
            self.note("%.1f s" % (time.monotonic() - begun))
        self.current = "end"
        for i, d in enumerate(Daemon.all):
            if d.process is None:
                continue
            try:
                bad = d.finish()
            except Exception as e:
                bad = ["%s: %s" % (type(e).__name__, e)]
            self.check("daemon %d ended in good order, nothing bad in its log" % i, not bad, bad)
        signal.alarm(0)
        print("%d passed, %d failed" % (self.passed, self.failed), flush=True)
        sys.exit(1 if self.failed else 0)
