"""litestream's part, played on a file that a daemon serves: a process beside it that copies the log away.

It does what litestream does, by the same means. A read transaction that stays open keeps the log from beginning anew.
New frames are read out of the -wal file up to the last commit, by salt and checksum. To checkpoint, it lets go of the
read transaction for that moment, and writes to a table of its own behind it, so that the log begins anew with a frame
of its own; whether it has missed a frame meanwhile it sees at the last one it knows.

The copy grows commit by commit: at any time it is the database as it was after one of them.
"""
import os
import sqlite3
import struct
import threading

from limits import pause

HEADER, FRAME = 32, 24
MASK = 0xFFFFFFFF
BUMP = "INSERT INTO _litestream_seq(id, seq) VALUES(1, 1) ON CONFLICT(id) DO UPDATE SET seq = seq + 1"


def checksum(order, sums, data):
    a, b = sums
    words = iter(struct.unpack("%s%dI" % (order, len(data) // 4), data))
    for x, y in zip(words, words):
        a = (a + x + b) & MASK
        b = (b + y + a) & MASK
    return a, b


class Follower(threading.Thread):
    """`frames`: checkpoints once the log has so many; None: only when told to."""

    def __init__(self, path, copy, frames=1000, every=0.02):
        super().__init__(daemon=True)
        self.path, self.to, self.frames, self.every = path, copy, frames, every
        self.generations, self.commits, self.checkpoints, self.restarts = 0, 0, 0, 0
        self.problems, self.error = [], None
        self.stopping, self.lock = threading.Event(), threading.RLock()
        # For as long as it lives: a close would take this process's locks on the file away.
        self.fd = os.open(path, os.O_RDONLY)
        self.copy_fd = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self.db, self.reader = self.connected(), self.connected()
        self.db.execute("CREATE TABLE IF NOT EXISTS _litestream_seq(id INTEGER PRIMARY KEY, seq INTEGER)")
        self.db.execute("CREATE TABLE IF NOT EXISTS _litestream_lock(id INTEGER)")
        self.page = self.db.execute("PRAGMA page_size").fetchone()[0]
        self.generation()

    def connected(self):
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=1.0)
        assert db.execute("PRAGMA journal_mode = wal").fetchone() == ("wal",)
        db.execute("PRAGMA wal_autocheckpoint = 0")
        return db

    # -- the copy ------------------------------------------------------------------------------------------------------

    def hold(self):
        self.reader.execute("BEGIN")
        self.reader.execute("SELECT count(1) FROM _litestream_seq").fetchall()

    def bump(self):
        self.retry(lambda: self.db.execute(BUMP))
        self.commits += 1

    @staticmethod
    def retry(what):
        for _ in range(30):
            try:
                return what()
            except sqlite3.OperationalError as e:
                if "locked" not in str(e):
                    raise
        raise AssertionError("the file stays locked")

    def generation(self):
        """A copy of the file, to which all frames of the log that is there now are added."""
        if not self.reader.in_transaction:
            self.hold()
        self.bump()
        self.generations += 1
        with open(self.path + "-wal", "rb") as wal:
            self.begin(wal)
        os.ftruncate(self.copy_fd, 0)
        size, at = os.fstat(self.fd).st_size, 0
        while at < size:
            at += os.pwrite(self.copy_fd, os.pread(self.fd, 1 << 20, at), at)

    def begin(self, wal):
        wal.seek(0)
        self.header = wal.read(HEADER)
        self.order = {0x377F0682: "<", 0x377F0683: ">"}[struct.unpack(">I", self.header[:4])[0]]
        self.sums = checksum(self.order, (0, 0), self.header[:24])
        assert self.sums == struct.unpack(">II", self.header[24:]), "the log's header does not hold"
        self.at, self.last = HEADER, None

    def take(self, wal):
        """Frames from where it is up to the last commit, into the copy."""
        wal.seek(self.at)
        sums, pages = self.sums, []
        while len(frame := wal.read(FRAME + self.page)) == FRAME + self.page:
            if frame[8:16] != self.header[16:24]:
                break
            sums = checksum(self.order, checksum(self.order, sums, frame[:8]), frame[FRAME:])
            number, size = struct.unpack(">II", frame[:8])
            if sums != struct.unpack(">II", frame[16:24]):
                break
            pages.append((number, frame))
            if size:
                for n, f in pages:
                    os.pwrite(self.copy_fd, f[FRAME:], (n - 1) * self.page)
                os.ftruncate(self.copy_fd, size * self.page)
                self.at += len(pages) * (FRAME + self.page)
                self.sums, self.last, pages = sums, frame, []

    def sync(self):
        with open(self.path + "-wal", "rb") as wal:
            if wal.read(HEADER) != self.header:
                self.problems.append("the log began anew behind it")
                return self.generation()
            self.take(wal)

    def checkpoint(self, mode="PASSIVE"):
        with self.lock:
            self.sync()
            self.reader.execute("ROLLBACK")
            self.retry(lambda: self.db.execute("PRAGMA wal_checkpoint(%s)" % mode).fetchall())
            self.hold()
            self.bump()
            self.checkpoints += 1
            with open(self.path + "-wal", "rb") as wal:
                if wal.read(HEADER) == self.header:
                    return
                self.restarts += 1
                self.turn_over(wal)

    def turn_over(self, wal):
        """The log has begun anew: with nobody writing, the rest of the old one is taken, then the new one."""
        self.db.execute("BEGIN")
        self.retry(lambda: self.db.execute("INSERT INTO _litestream_lock VALUES(1)"))
        try:
            if self.last:
                wal.seek(self.at - FRAME - self.page)
                if wal.read(FRAME + self.page) != self.last:
                    # More was written in that moment than the log had before: it cannot be followed.
                    return
            self.take(wal)
            self.begin(wal)
            self.take(wal)
        finally:
            self.db.execute("ROLLBACK")
            if self.header != self.read_header():
                self.generation()

    def read_header(self):
        with open(self.path + "-wal", "rb") as wal:
            return wal.read(HEADER)

    # -- its life ------------------------------------------------------------------------------------------------------

    def run(self):
        try:
            while not self.stopping.is_set():
                with self.lock:
                    self.sync()
                if self.frames and self.at > HEADER + self.frames * (FRAME + self.page):
                    # Where writers on a slow disk leave it no moment to catch up, it makes them wait, as litestream.
                    far = self.at > HEADER + 4 * self.frames * (FRAME + self.page)
                    self.checkpoint("RESTART" if far else "PASSIVE")
                else:
                    # As its checkpoints by the clock do: commits of its own that change nothing else.
                    with self.lock:
                        self.bump()
                pause(self.every)
        except Exception as e:
            self.error = e

    def end(self):
        """No more of it but what is asked for; the last commit is in the copy."""
        self.stopping.set()
        if self.is_alive():
            self.join(60)
        with self.lock:
            self.sync()
        return self

    def close(self):
        self.reader.close()
        self.db.close()
        os.close(self.fd)
        os.close(self.copy_fd)


# Of page 1: the versions of the format, counters of changes, of the schema and of who wrote last.
COUNTERS = ((18, 20), (24, 28), (40, 44), (92, 100))


def pages(path, page):
    """The file's pages as one who opens it sees them, without what SQLite counts in the first."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    for a, b in COUNTERS:
        data[a:b] = bytes(b - a)
    return [bytes(data[i : i + page]) for i in range(0, len(data), page)]


def differing(follower, folder):
    """Numbers of the pages in which the copy differs from the live file, of which nobody is writing; [] if none."""
    live = os.path.join(folder, "live.db")
    with follower.lock:
        follower.sync()  # its own last commit, too
    source, target = sqlite3.connect(follower.path), sqlite3.connect(live)
    source.backup(target)
    source.close()
    target.close()
    a, b = pages(live, follower.page), pages(follower.to, follower.page)
    os.unlink(live)
    return [i + 1 for i in range(max(len(a), len(b))) if a[i : i + 1] != b[i : i + 1]]
