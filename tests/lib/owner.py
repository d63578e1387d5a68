"""A writing client that knows afterwards exactly what the file must hold.

Each owner writes only rows of its own number `w`, in one table, and gives the same SQL to a plain SQLite in memory once
the daemon has acknowledged it. So the rows of one owner have one order, whatever the others do at the same time. An
operation whose answer never came (the daemon was killed) may have happened or not, but as a whole: `unsure` keeps it.
"""
import random
import sqlite3
import threading

from limits import SANITIZER, pause
from wire import RpcError

SCHEMA = """CREATE TABLE big(id INTEGER PRIMARY KEY, w INTEGER, amount INTEGER, note TEXT, old TEXT, u TEXT UNIQUE);
CREATE INDEX big_w ON big(w, amount);"""
# Rows of one statement: a slow build on a busy machine must do them in the time a write has.
SEED_ROWS = 10000
SEED = """INSERT INTO big(id, w, amount, note, old, u)
WITH RECURSIVE g(n) AS (SELECT %d UNION ALL SELECT n + 1 FROM g LIMIT %d)
SELECT n AS id, n %% 4 AS w, n * 7 %% 1000, 'note ' || n, CASE n %% 3 WHEN 0 THEN NULL ELSE 'x' END, 'u' || n FROM g"""


class Owner(threading.Thread):
    """Owner w of 4. `rows` rows were seeded for all together."""

    def __init__(self, daemon, w, rows, seed, every=0.0, patient=False):
        super().__init__(daemon=True)
        self.d, self.w, self.rows = daemon, w, rows
        # A build that computes many times slower than its clients is given the load it could meet in earnest.
        self.every = max(every, 0.05) if "thread" in SANITIZER else every
        self.patient = patient  # a lost connection is no error: the daemon is being killed
        self.rng = random.Random(seed * 100 + w)
        self.model = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.model.executescript(SCHEMA)
        self.model.execute(
            "INSERT INTO big SELECT * FROM (%s) WHERE w = ?" % (SEED % (1, rows)).split("\n", 1)[1], (w,)
        )
        self.next_id = 10_000_000 * (w + 1)
        self.acked = 0
        self.unsure = []  # the operation under way
        self.errors, self.lost = [], False
        self.stopping = threading.Event()

    # -- what it does -------------------------------------------------------------------------------------------------

    def some_id(self):
        if self.rng.random() < 0.2 and self.next_id > 10_000_000 * (self.w + 1):
            return self.rng.randrange(10_000_000 * (self.w + 1), self.next_id)
        return 4 * self.rng.randrange(1, self.rows // 4) + self.w

    def fresh_id(self):
        self.next_id += 1
        return self.next_id - 1

    def statement(self):
        """One statement and its parameters, touching only rows of this owner, and only columns that stay."""
        r, i, n = self.rng.random(), self.some_id(), self.rng.randrange(100000)
        if r < 0.25:
            k = self.fresh_id()
            return "INSERT INTO big(id, w, amount, note, u) VALUES(?, ?, ?, ?, ?)", [
                k,
                self.w,
                n,
                "new %d" % n,
                "n%d" % k,
            ]
        if r < 0.50:
            return "UPDATE big SET amount = ?, note = 'upd' WHERE id = ? AND w = ?", [n, i, self.w]
        if r < 0.60:
            return "DELETE FROM big WHERE id = ? AND w = ?", [i, self.w]
        if r < 0.70:  # the row that holds the same u is killed without a DELETE of its own
            return "INSERT OR REPLACE INTO big(id, w, amount, note, u) VALUES(?, ?, ?, 'rep', ?)", [
                self.fresh_id(),
                self.w,
                n,
                "u%d" % (4 * self.rng.randrange(1, self.rows // 4) + self.w),
            ]
        if r < 0.80:
            return (
                "INSERT INTO big(id, w, amount, note) VALUES(?, ?, ?, 'up') ON CONFLICT(id) "
                "DO UPDATE SET amount = excluded.amount, note = 'upsert'"
            ), [i, self.w, n]
        if r < 0.88:
            return "UPDATE big SET id = ? WHERE id = ? AND w = ?", [self.fresh_id(), i, self.w]
        if r < 0.95:
            return "UPDATE big SET amount = amount + 1 WHERE w = ? AND id BETWEEN ? AND ?", [self.w, i, i + 400]
        return "UPDATE OR IGNORE big SET u = ? WHERE id = ? AND w = ?", [
            "u%d" % (4 * self.rng.randrange(1, self.rows // 4) + self.w),
            i,
            self.w,
        ]

    def operation(self, c):
        """One atomic operation: autocommit, batch or transaction. Sets `unsure` while its fate is open."""
        r = self.rng.random()
        steps = [self.statement() for _ in range(1 if r < 0.6 else self.rng.randrange(2, 6))]
        self.unsure = steps
        if r < 0.6:
            c("exec", sql=steps[0][0], bind=steps[0][1])
        elif r < 0.8:
            c("batch", statements=[{"sql": s, "bind": b} for s, b in steps])
        elif r < 0.95:
            c("begin", wait_ms=20000)
            for s, b in steps:
                c("exec", sql=s, bind=b)
            c("commit")
        else:
            c("begin", wait_ms=20000)
            for s, b in steps:
                c("exec", sql=s, bind=b)
            c("rollback")
            steps = []
        for s, b in steps:
            self.model.execute(s, b)
        self.unsure = []
        self.acked += 1

    def run(self):
        try:
            with self.d.client() as c:
                while not self.stopping.is_set():
                    self.operation(c)
                    if self.every:
                        pause(self.every)
        except RpcError as e:
            self.errors.append("%s: %s" % (self.unsure, e))
        except (ConnectionError, TimeoutError, OSError) as e:
            self.lost = True
            if not self.patient:
                self.errors.append("%s: %s" % (type(e).__name__, e))

    def end(self):
        self.stopping.set()
        self.join(60)
        assert not self.is_alive(), "an owner does not end"
        return self

    def again(self):
        """The same owner, with what it knows, on a new thread and connection."""
        fresh = Owner.__new__(Owner)
        threading.Thread.__init__(fresh, daemon=True)
        for k in ("d", "w", "rows", "every", "patient", "rng", "model", "next_id", "acked", "unsure", "errors"):
            setattr(fresh, k, getattr(self, k))
        fresh.lost, fresh.stopping = False, threading.Event()
        return fresh

    # -- what must be there -------------------------------------------------------------------------------------------

    def expected(self, mapping):
        """Rows as the new schema holds them; `mapping` is the SELECT list of the change, over the old columns."""
        return self.model.execute("SELECT %s FROM big ORDER BY id" % mapping).fetchall()

    def settle(self, actual, mapping):
        """Compares `actual` (rows by id); an open operation may have happened. Returns "" or the difference."""
        want = self.expected(mapping)
        if actual == want:
            self.unsure = []
            return ""
        if self.unsure:
            self.model.execute("SAVEPOINT open")
            for s, b in self.unsure:
                self.model.execute(s, b)
            other = self.expected(mapping)
            if actual == other:
                self.model.execute("RELEASE open")
                self.unsure = []
                return ""
            self.model.execute("ROLLBACK TO open")
            self.model.execute("RELEASE open")
        differ = sorted(set(want) ^ set(actual), key=lambda r: r[0])
        return "owner %d: %d rows wanted, %d there, %d differ: %.500r; open: %r" % (
            self.w,
            len(want),
            len(actual),
            len(differ),
            differ[:4],
            self.unsure,
        )


def seed(c, rows):
    """Makes and fills the table through the daemon."""
    for sql in SCHEMA.split(";"):
        if sql.strip():
            c.exec(sql)
    for at in range(1, rows + 1, SEED_ROWS):
        c.exec(SEED % (at, min(SEED_ROWS, rows + 1 - at)))
