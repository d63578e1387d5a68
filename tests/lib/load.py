"""Clients in a closed loop, and a clock for how late this machine is by itself."""
import threading
import time

from limits import scaled
from wire import Closed


class Load(threading.Thread):
    """Calls step(client, i) again and again on a connection of its own; keeps when each call began and its time.

    What step throws ends the thread and is kept in `error`; a connection that ends does so too, in `closed`.
    """

    def __init__(self, daemon, step, pause=0.0):
        super().__init__(daemon=True)
        self.d, self.step, self.pause = daemon, step, pause
        self.calls, self.error, self.closed = [], None, False
        self.stopping = threading.Event()
        self.begun = threading.Event()

    def run(self):
        i = 0
        try:
            with self.d.client() as c:
                while not self.stopping.is_set():
                    t = time.monotonic()
                    self.step(c, i)
                    self.calls.append((t, time.monotonic() - t))
                    self.begun.set()
                    i += 1
                    if self.pause:
                        self.stopping.wait(self.pause)
        except (Closed, ConnectionError):
            self.closed = True
        except Exception as e:
            self.error = e
        self.begun.set()

    def started(self):
        self.start()
        assert self.begun.wait(scaled(20)), "a client got no answer"
        return self

    def slowest(self, since=0.0):
        """Seconds of the slowest call that began at or after `since`."""
        return max([s for t, s in self.calls if t >= since], default=0.0)

    def end(self):
        self.stopping.set()
        self.join(scaled(30))
        return self


class Noise(threading.Thread):
    """How late this machine wakes a sleeper at worst, in seconds: a limit on one latency may allow for that much."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.late = []
        self.start()

    def run(self):
        while not self.stopping.is_set():
            t = time.monotonic()
            self.stopping.wait(0.005)
            self.late.append((t, time.monotonic() - t - 0.005))

    def worst(self, since=0.0):
        return max([s for t, s in self.late if t >= since], default=0.0)

    def end(self):
        worst = self.worst()
        self.stopping.set()
        self.join(1)
        return worst


def together(*functions, limit=60.0):
    """Runs each function in a thread of its own; raises the first exception."""
    errors = []

    def guarded(fn):
        try:
            fn()
        except Exception as e:
            errors.append(e)

    threads = [threading.Thread(target=guarded, args=(fn,), daemon=True) for fn in functions]
    for t in threads:
        t.start()
    end = time.monotonic() + scaled(limit)
    for t in threads:
        t.join(max(0.0, end - time.monotonic()))
        if t.is_alive():
            raise AssertionError("a thread of the test is not done in time")
    if errors:
        raise errors[0]
