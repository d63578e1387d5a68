#!/usr/bin/env python3
"""store.checkpoint = external: another process copies the log away, here one that does what litestream does."""
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from change import ended, job
from daemon import Daemon
from follower import BUMP, Follower, differing
from kill9 import CHANGE, NEW, killed_beside, settled
from limits import fewer, until
from owner import Owner, seed
from suite import Suite

suite = Suite(limit=90)
check, same = suite.check, suite.same

SMALL = {"store.checkpoint_at": "64KiB", "store.wal_cap": "1MiB", "store.wal_hard_cap": "2MiB"}


def external(more=None, **kw):
    return Daemon(settings=dict({"store.checkpoint": "external"}, **(more or {})), **kw)


def wal_bytes(d):
    path = d.db + "-wal"
    return os.stat(path).st_size if os.path.exists(path) else 0


def fill(c, n):
    """n rows of 100 KiB."""
    c.exec("CREATE TABLE IF NOT EXISTS bulk(id INTEGER PRIMARY KEY, b BLOB)")
    for _ in range(n):
        c.exec("INSERT INTO bulk(b) VALUES(randomblob(102400))")


def whole(what, d, follower):
    """The copy is the file, page by page, and sound."""
    same("%s: the copy is the live file" % what, differing(follower, d.folder)[:5], [])
    copy = sqlite3.connect("file:%s?immutable=1" % follower.to, uri=True)
    same("%s: integrity" % what, copy.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
    copy.close()


@suite.section
def follows_whole_changes():
    rows = fewer(9_000)
    d = external({"migrate.batch_rows": "300", "migrate.duty": "40"})
    c = d.client()
    c.exec("CREATE TABLE first(x)")
    f = Follower(d.db, d.folder + "/copy.db", frames=700)
    f.start()
    seed(c, rows)
    owners = [Owner(d, w, rows, 5, every=0.003, patient=True) for w in range(3)]
    for o in owners:
        o.start()
    before, turned = f.commits, f.restarts
    c("migrate.alter", sql="CREATE INDEX big_note ON big(note, amount)")
    j = ended(c)
    check("an index is built beside it", j["state"] == "done" and not j["restarts"], j)
    c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)
    until("its commits in the middle of the copy", lambda: job(c)["phase"] == "ready" and f.commits > before + 5, 30)
    check("none of them was taken for another's", job(c)["restarts"] == 0, job(c))
    # What has not swapped yet is killed, and goes on. The neighbour does not checkpoint meanwhile.
    with f.lock:
        killed_beside(suite, "after the kill", d, f, owners)
    c = d.client()
    owners = [o.again() for o in owners]
    for o in owners:
        o.start()
    until("ready again", lambda: job(c)["phase"] == "ready", 30)
    c("migrate.cutover")
    j = ended(c)
    check("a change goes on over kill -9", j["state"] == "done" and not j["restarts"], j)
    f.checkpoint("RESTART")
    acked = sum(o.acked for o in owners)
    until("writes go on behind it", lambda: sum(o.acked for o in owners) > acked + 20, 20)
    for o in owners:
        o.end()
    same("no client met an error", [e for o in owners for e in o.errors][:2], [])
    same("the daemon itself never checkpoints", c("stats")["checkpoints_total"], 0)
    same("it ends in good order", d.stop(), 0)
    check("and leaves the log", wal_bytes(d) > 0, wal_bytes(d))
    f.end()
    check("the follower met no error", f.error is None, f.error)
    same("the log never began anew behind its back", f.problems, [])
    check("but did so with its checkpoints", f.restarts > turned, (f.restarts, turned))
    whole("in the end", d, f)
    copy = sqlite3.connect("file:%s?immutable=1" % f.to, uri=True)
    settled(suite, "in the copy", copy, owners, "id, w, amount, note, u, currency", NEW)
    copy.close()
    suite.note("%d commits, %d checkpoints, %d times anew, %d generations" % (
        f.commits, f.checkpoints, f.restarts, f.generations))
    f.close()


# A writer that is killed between a commit's last frame and its publication: what it has left in the log's index is put
# back as it was. (Of this process the file must not be opened past SQLite: its locks would go.)
UNPUBLISHED = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA wal_autocheckpoint = 0")
db.execute("SELECT count(*) FROM t").fetchall()
index = os.open(sys.argv[1] + "-shm", os.O_RDWR)
header = os.pread(index, 96, 0)
db.execute("INSERT INTO t WITH g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 40) SELECT n, zeroblob(300) FROM g")
os.pwrite(index, header, 0)
os._exit(0)
"""


@suite.section
def a_kill_leaves_no_commit_in_doubt():
    """What the neighbour has copied out of the log is what the next daemon goes on from."""
    d = external()
    c = d.client()
    c.exec("CREATE TABLE t(x, y)")
    f = Follower(d.db, d.folder + "/copy.db", frames=None)
    count = "SELECT count(*) FROM t"
    with f.lock:
        f.sync()
        d.kill()
        before = f.at
        subprocess.run([sys.executable, "-c", UNPUBLISHED, d.db], check=True)
        f.sync()
        check("the neighbour has the commit", f.at > before, (f.at, before))
        same("nobody else", f.db.execute(count).fetchone(), (0,))
        d.start()
    c = d.client()
    same("the daemon goes on from it", c.value(count), 40)
    same("so do others", f.db.execute(count).fetchone(), (40,))
    c.exec("INSERT INTO t VALUES(41, NULL)")
    f.checkpoint("RESTART")
    c.exec("INSERT INTO t VALUES(42, NULL)")
    same("it ends in good order", d.stop(), 0)
    f.end()
    same("the follower was in step all the time", (f.error, f.problems, f.generations), (None, [], 1))
    whole("in the end", d, f)
    f.close()


@suite.section
def others_are_still_noticed():
    d = external()
    c = d.client()
    seed(c, 500)
    f = Follower(d.db, d.folder + "/copy.db", frames=None)
    c("migrate.alter", sql=CHANGE, allow_data_loss=True, postpone_cutover=True)
    until("ready", lambda: job(c)["phase"] == "ready", 20)
    for _ in range(5):
        f.bump()
    c.exec("UPDATE big SET note = 'x' WHERE id = 1")
    until("the key is applied", lambda: job(c)["changes_applied"] >= 1 and job(c)["phase"] == "ready", 20)
    same("its own commits are nobody's writing", job(c)["restarts"], 0)
    f.db.execute("UPDATE big SET note = 'foreign', amount = 5 WHERE id = 2")
    until("another's write makes the copy begin anew", lambda: job(c)["restarts"] == 1, 20)
    until("ready again", lambda: job(c)["phase"] == "ready", 20)
    # Both in one transaction: the count tells.
    f.db.execute("BEGIN IMMEDIATE")
    f.db.execute(BUMP)
    f.db.execute(BUMP)
    f.db.execute("UPDATE big SET note = 'foreign' WHERE id = 3")
    f.db.execute("COMMIT")
    until("so does one that hides behind its count", lambda: job(c)["restarts"] == 2, 20)
    until("ready once more", lambda: job(c)["phase"] == "ready", 20)
    c("migrate.cutover")
    same("the change ends", ended(c)["state"], "done")
    same("with what the other wrote", c.rows("SELECT note, amount FROM big WHERE id IN (2, 3) ORDER BY id"),
         [["foreign", 5.0], ["foreign", 21.0]])
    f.end()
    same("and the copy follows", differing(f, d.folder)[:5], [])
    f.close()


@suite.section
def its_tables_are_left_alone():
    d = external(start=False)
    plain = sqlite3.connect(d.db)
    plain.executescript(
        "PRAGMA journal_mode = wal; CREATE TABLE _litestream_seq(id INTEGER PRIMARY KEY, seq INTEGER);"
        "CREATE TABLE _litestream_lock(id INTEGER);"
    )
    plain.close()
    d.start()
    c = d.client()
    up = c("migrate.up", files=[{"name": "0001_a.sql", "sql": "-- migrate:up\nCREATE TABLE a(x);\n"}], wait=True)
    same("a database with nothing else in it is a fresh one", up["state"], "done")
    same("schema does not list them", sorted(r["name"] for r in c("schema")["schema"]), ["a", "alterd_migrations"])
    dump = d.ctl("dump")
    check("nor does a dump", dump.returncode == 0 and "litestream" not in dump.stdout, dump)
    for sql in (BUMP, "DELETE FROM _litestream_seq", "DROP TABLE _litestream_seq",
                "CREATE INDEX x ON _litestream_lock(id)", "CREATE TABLE _litestream_x(a)"):
        suite.refused("refused: " + sql, lambda sql=sql: c.exec(sql), "DENIED")
    same("reading is free", c.rows("SELECT count(*) FROM _litestream_seq"), [[0]])
    for sql in ("ALTER TABLE _litestream_seq ADD y", "DROP TABLE _litestream_seq", "UPDATE _litestream_seq SET seq = 1"):
        suite.refused("not to be changed: " + sql, lambda sql=sql: c("migrate.alter", sql=sql), "MIGRATION_INVALID")
    c.exec("ANALYZE")
    suite.refused("nor in a file", lambda: c("migrate.up", wait=True, files=[
        {"name": "0001_a.sql", "sql": "-- migrate:up\nCREATE TABLE a(x);\n"},
        {"name": "0002_b.sql", "sql": "-- migrate:up\n-- alterd: mode=exact\nDROP TABLE _litestream_lock;\n"
                                      "INSERT INTO a VALUES(1);\n"}]))
    same("they are there", c.value("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%litestream%'"), 2)


@suite.section
def nobody_checkpoints():
    """Neither a neighbour that is gone nor one that holds on lets the log grow unseen."""
    d = external(SMALL)
    c = d.client()
    seed(c, 2000)
    f = Follower(d.db, d.folder + "/copy.db", frames=None)
    same("all is well at first", c("status")["wal_problem"], None)
    fill(c, 30)
    c("migrate.alter", sql=CHANGE, allow_data_loss=True)
    why = until("the change waits, and says for whom", lambda: job(c)["throttled"], 20)
    check("for the log", "store.wal_cap" in why and "external" in why, why)
    told = until("status tells", lambda: c("status")["wal_problem"], 20)
    check("which setting and what to do", "store.wal_hard_cap" in told and "litestream" in told, told)
    shown = d.ctl("status").stdout
    check("alterctl shows it", "problem   the write-ahead log" in shown, shown)
    until("so does the log", lambda: "grows on with every write" in d.log(), 20)
    c.exec("INSERT INTO big(id, w, amount) VALUES(-1, 9, 1)")
    check("clients write on", c.value("SELECT amount FROM big WHERE id = -1") == 1)
    with f.lock:
        f.sync()
    f.checkpoint("RESTART")
    f.start()
    f.frames = 100
    same("with a checkpoint of the neighbour it goes on", ended(c)["state"], "done")
    f.end()
    until("and nothing is told any more", lambda: f.checkpoint() or c("status")["wal_problem"] is None, 20)
    # A checkpoint of its own that falls while much is written may make it begin anew, as litestream does.
    suite.note("%d generations" % f.generations)
    same("the follower was in step all the time", (f.error, f.problems), (None, []))
    same("the copy is the file", differing(f, d.folder)[:5], [])
    f.close()
    # Alone: above the hard cap what can be copied back is.
    fill(c, 60)
    until("the log begins anew without anybody", lambda: c("stats")["checkpoints_total"] > 0, 20)
    fill(c, 30)
    check("so it stays small", wal_bytes(d) < (30 << 20), wal_bytes(d))
    n = c.value("SELECT count(*) FROM bulk")
    same("it ends", d.stop(), 0)
    check("the log is kept", wal_bytes(d) > 0)
    d.start()
    same("all rows are there again", d.client().value("SELECT count(*) FROM bulk"), n)


@suite.section
def the_setting():
    d = Daemon(settings={"store.checkpoint": "sometimes"}, start=False)
    d.forgiven = True
    d.spawn()
    same("another word is refused", d.wait(), 78)
    check("by its name", "it is internal or external" in d.log(), d.log())
    d = Daemon()
    d.client().exec("CREATE TABLE t(x)")
    d.stop()
    same("internal, as by default, leaves no log", wal_bytes(d), 0)


suite.run()
