"""A client for long runs: a set of rows of its own that does not grow, of which it knows at any time what they must be.

Each keeper writes and reads the rows of one `w` of the table item, over kill -9 and whatever happens to the table. What
was acknowledged must be there; an operation whose answer never came may have happened or not, as a whole.
"""
import random
import sqlite3
import threading

from limits import pause
from wire import RpcError

SCHEMA = "CREATE TABLE item(id INTEGER PRIMARY KEY, w INTEGER, amount INTEGER, note TEXT, u TEXT UNIQUE)"
ROWS = "SELECT id, CAST(amount AS INTEGER), note FROM item WHERE w = ? ORDER BY id"


class Keeper(threading.Thread):
    def __init__(self, daemon, w, number, keys=400, every=0.002):
        super().__init__(daemon=True)
        self.d, self.w, self.keys, self.every = daemon, w, keys, every
        self.rng = random.Random(number * 1000 + w)
        self.rows, self.open = {}, []
        self.acked = self.reads = self.lost = 0
        self.bad = []
        self.stopping = threading.Event()

    # -- what it does --------------------------------------------------------------------------------------------------

    def change(self, rows):
        """(SQL, values) of one change, and what it makes of `rows`."""
        key, n = self.w * 100_000 + self.rng.randrange(self.keys), self.rng.randrange(1_000_000)
        r = self.rng.random()
        if key in rows and r < 0.3:
            del rows[key]
            return "DELETE FROM item WHERE id = ?", [key]
        if key in rows and r < 0.6:
            rows[key] = (n, rows[key][1])
            return "UPDATE item SET amount = ? WHERE id = ?", [n, key]
        note = "note %d" % n + "." * self.rng.choice([0, 10, 300])
        rows[key] = (n, note)
        return (
            "INSERT INTO item(id, w, amount, note, u) VALUES(?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET "
            "amount = excluded.amount, note = excluded.note"
        ), [key, self.w, n, note, "u%d" % key]

    def write(self, c):
        r, after = self.rng.random(), dict(self.rows)
        steps = [self.change(after) for _ in range(1 if r < 0.5 else self.rng.randrange(2, 6))]
        self.open = [after]
        if r < 0.5:
            c("exec", sql=steps[0][0], bind=steps[0][1])
        elif r < 0.75:
            c("batch", statements=[{"sql": s, "bind": b} for s, b in steps])
        else:
            c("begin", wait_ms=20000)
            for s, b in steps:
                c("exec", sql=s, bind=b)
            if r > 0.95:
                self.open = []
                c("rollback")
                return
            c("commit")
        self.rows, self.open = after, []
        self.acked += 1

    def read(self, c):
        r = self.rng.random()
        if r < 0.7 and self.rows:
            key = self.rng.choice(list(self.rows))
            got = c.rows("SELECT CAST(amount AS INTEGER), note FROM item WHERE id = ?", key)
            want = [list(self.rows[key])]
        elif r < 0.9:  # many pages, by a cursor
            got = c.rows(ROWS, self.w, page_rows=60)
            want = [[k, *self.rows[k]] for k in sorted(self.rows)]
        else:  # one that is not read to its end; some are left to their own
            got = c.query("SELECT id FROM item WHERE w = ? ORDER BY id", self.w, page_rows=5)
            if got.get("cursor") and self.rng.random() > 0.005:
                c("close", cursor=got["cursor"])
            got, want = [x[0] for x in got["rows"]], sorted(self.rows)[:5]
        if got != want:
            self.bad.append("reads %.300r, wrote %.300r" % (got, want))
        self.reads += 1

    # -- its life ------------------------------------------------------------------------------------------------------

    def settle(self, c):
        """What is there now, behind a connection that was lost."""
        got = {r[0]: (r[1], r[2]) for r in c.rows(ROWS, self.w)}
        for rows in [self.rows] + self.open:
            if got == rows:
                self.rows, self.open = rows, []
                return
        wrong = [k for k in set(got) | set(self.rows) if got.get(k) != self.rows.get(k)]
        self.bad.append(
            "acknowledged and not there, or there and never written: %d rows, %.300r"
            % (len(wrong), [(k, got.get(k), self.rows.get(k)) for k in sorted(wrong)[:3]])
        )
        self.rows, self.open = got, []

    def connected(self):
        with self.d.client() as c:
            self.settle(c)
            while not self.stopping.is_set() and not self.bad:
                self.write(c) if self.rng.random() < 0.6 else self.read(c)
                if self.every:
                    pause(self.every)
                if self.rng.random() < 0.0005:
                    return  # connections come and go

    def run(self):
        while not self.stopping.is_set() and not self.bad:
            try:
                self.connected()
            except RpcError as e:
                if e.name != "SHUTTING_DOWN":
                    self.bad.append(str(e))
            except OSError:
                self.lost += 1
                pause(0.02)
            except Exception as e:
                self.bad.append("%s: %s" % (type(e).__name__, e))

    def end(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive(), "a keeper does not end"
        return self

    def judge(self, path):
        """What is wrong with its rows in a file of which nobody is writing; "" if nothing is."""
        db = sqlite3.connect(path)
        got = {r[0]: (r[1], r[2]) for r in db.execute(ROWS, (self.w,))}
        db.close()
        if got in [self.rows] + self.open:
            return ""
        return "%d rows differ" % len([k for k in set(got) | set(self.rows) if got.get(k) != self.rows.get(k)])
