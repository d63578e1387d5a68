#!/usr/bin/env python3
"""The bench's load: what it counts, and that it notices books that do not agree. Small tables, no figures."""
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon, program
from suite import Suite

ROWS = 2000
suite = Suite()
d = Daemon()


def felt(server, where, command, *options):
    path = os.path.join(os.path.dirname(program("alterd")), "..", "bench", "felt_" + server)
    r = subprocess.run(
        [path, "--where", where, "--rows", str(ROWS), "--before", "1", *options, "--", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
    )
    return r.returncode, dict(word.split("=", 1) for word in r.stdout.split()), r.stderr


def make(path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(
        "CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount INT, category TEXT, note TEXT,"
        " created_at TEXT)"
    )
    db.executemany(
        "INSERT INTO expenses VALUES(?, ?, 'p', ?, 'c', 'n', '2026')", [(i + 1, i % 20, i * 7) for i in range(ROWS)]
    )
    db.commit()
    db.close()


@suite.section
def alterd_under_load():
    c = d.client()
    c.exec(
        "CREATE TABLE expenses(id INTEGER PRIMARY KEY, group_id INT, payer TEXT, amount INT, category TEXT, note TEXT,"
        " created_at TEXT)"
    )
    c.exec(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO expenses SELECT i, i %% 20, 'p', i * 7, 'c', 'n', '2026' FROM n" % ROWS
    )
    alter = [program("alterctl"), "--socket", d.socket, "alter", "ALTER TABLE expenses ALTER amount TYPE REAL"]
    code, got, err = felt("alterd", d.socket, alter, "--closed", "1", "--rate", "100", "--pid", str(d.process.pid))
    suite.same("ends well", (code, got.get("books"), got.get("failed"), err), (0, "agree", "0", err))
    suite.check("every window of the closed loop was counted", int(got["closed_before_ops"]) > 0, got)
    suite.check("the clock's requests before the change", 0 < int(got["open_before_ops"]) <= 200, got)
    suite.check("the swap is told apart", float(got["took_s"]) > 0 and float(got["swap_ms"]) > 0, got)
    suite.check("the writer's holds", 0 < float(got["hold_p99_ms"]) <= float(got["hold_max_ms"]), got)
    suite.check("the disk's syncs", 0 < float(got["sync_p99_ms"]) and 0 < float(got["sync_max_ms"]), got)
    suite.check("memory", int(got["rss_peak_kb"]) > 1000, got)
    waits = [float(got[k + w + "_max_ms"]) for k in ("closed_", "open_") for w in ("during", "retire")]
    suite.same("the longest wait is that of all", float(got["longest_ms"]), max(waits))


@suite.section
def a_stall_is_felt():
    path = os.path.join(d.folder, "plain.db")
    make(path)
    # Work inside of a transaction that nobody else can write beside: about a second, and it says how long.
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"
    hold = (
        "import sqlite3, time; db = sqlite3.connect(%r, timeout=60, isolation_level=None); db.execute('BEGIN IMMEDIATE');"
        " t = time.monotonic(); db.execute('%s').fetchone(); t = time.monotonic() - t; db.execute('COMMIT');"
        " open(%r, 'w').write(str(t * 1000))" % (path, count, path + ".held")
    )
    code, got, err = felt("sqlite", path, [sys.executable, "-c", hold], "--closed", "1", "--rate", "200")
    suite.same("ends well", (code, got.get("books"), got.get("failed"), err), (0, "agree", "0", err))
    with open(path + ".held", encoding="utf-8") as f:
        stall_ms = float(f.read())
    suite.check("the closed loop waited", float(got["closed_during_max_ms"]) >= stall_ms / 2, (stall_ms, got))
    suite.check("and those by the clock", float(got["open_during_max_ms"]) >= stall_ms / 2, (stall_ms, got))


@suite.section
def lost_writes_are_noticed():
    path = os.path.join(d.folder, "lossy.db")
    make(path)
    lose = "import sqlite3; db = sqlite3.connect(%r, timeout=60); db.execute('DELETE FROM expenses WHERE id = 1'); db.commit()"
    code, got, _ = felt("sqlite", path, [sys.executable, "-c", lose % path], "--rate", "20")
    suite.same("books", (code, got.get("books")), (1, "differ"))
    path = os.path.join(d.folder, "short.db")
    make(path)
    code, got, _ = felt("sqlite", path, ["false"])
    suite.same("a change that fails", (code, got.get("status")), (1, "1"))
    subprocess.run([sys.executable, "-c", lose % path], check=True)
    code, _, err = felt("sqlite", path, ["true"])
    suite.check("a table that is short from the beginning", code == 1 and "has 1999 rows" in err, (code, err))
    code, _, err = felt("sqlite", path, [], "--rate", "x")
    suite.check("a wrong option", code == 64 and "not a number" in err, (code, err))


suite.run()
