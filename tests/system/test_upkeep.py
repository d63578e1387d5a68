#!/usr/bin/env python3
"""check, analyze and shrink: what is damaged is named, and clients notice nothing of the work."""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from change import ended, job
from daemon import Daemon
from limits import fewer, scaled, until
from load import Load
from suite import Suite
from wire import RpcError

suite = Suite(limit=60)
check, same = suite.check, suite.same
NUMBERS = "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT %d) "
PAGE = 4096


def shop(c, rows=500):
    for sql in (
        "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE INDEX user_name ON user(name)",
        "CREATE TABLE bill(id INTEGER PRIMARY KEY, user INTEGER REFERENCES user(id))",
        "CREATE TABLE word(w TEXT PRIMARY KEY, n) WITHOUT ROWID",
    ):
        c.exec(sql)
    c.exec("INSERT INTO user " + NUMBERS % rows + "SELECT 10 * n, 'needle-' || (10000 + n) FROM g")
    c.exec("INSERT INTO bill SELECT id, id FROM user")
    c.exec("INSERT INTO word SELECT name, id FROM user")


def page_holding(path, text, kind):
    """(offset, of it in the file) of the one page of that b-tree kind that holds the text."""
    with open(path, "rb") as f:
        data = f.read()
    at = -1
    while (at := data.find(text, at + 1)) >= 0:
        if data[at // PAGE * PAGE] == kind:
            return at
    raise AssertionError("not found")


def damage(path, at, data):
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, data, at)
    os.close(fd)


@suite.section
def what_is_damaged_is_named():
    d = Daemon()
    shop(d.client())
    # All in the database file, and no page in a cache.
    d.restart()
    c = d.client()
    good = c("check")
    check("a sound database", good["ok"] and good["whole"] and not good["findings"] and good["count"] == 0, good)
    check("every table was looked at", good["tables"] >= 4, good)
    same("alterctl says so", d.ctl("check").returncode, 0)
    # The row it points to, 770, becomes 771.
    entry = page_holding(d.db, b"needle-10077\x03\x02", 0x0A)
    damage(d.db, entry, b"needle-10077\x03\x03")
    bad = c("check")
    check("an index that does not fit its table is found", not bad["ok"] and bad["count"] >= 1, bad)
    rows = [f for f in bad["findings"] if f["kind"] == "INDEX" and "missing from index user_name" in f["message"]]
    same("with table and rowid", [(f["table"], f["rowid"]) for f in rows], [("user", 770)])
    same("the other tables are as they were", [f for f in bad["findings"] if f["table"] in ("bill", "word")], [])
    same("that table alone says it, too", c("check", table="user")["ok"], False)
    same("another one does not", c("check", table="word")["ok"], True)
    same("a quick look does not compare indexes", c("check", quick=True)["ok"], True)
    shown = d.ctl("check")
    check("alterctl: 1, and what is wrong where", shown.returncode == 1 and "770" in shown.stdout and
          "user_name" in shown.stdout, shown)
    same("with --json as well", d.ctl("--json", "check").returncode, 1)
    same("and 0 where nothing is", d.ctl("check", "--quick").returncode, 0)
    check("it is in the log", "found the database unsound" in d.log())
    damage(d.db, entry, b"needle-10077\x03\x02")
    same("mended", c("check")["ok"], True)
    at = page_holding(d.db, b"needle-10333", 0x0D) // PAGE * PAGE
    with open(d.db, "rb") as f:
        f.seek(at)
        page = f.read(PAGE)
    damage(d.db, at, b"\x55" * 64)
    bad = c("check")
    check("a broken page of a table is found", {f["table"] for f in bad["findings"] if f["kind"] == "PAGE"} >= {"user"},
          bad)
    damage(d.db, at, page)
    damage(d.db, 36, b"\x00\x00\x00\x07")
    bad = c("check")
    same("what is wrong with no table's pages is told without one",
         ([f["table"] for f in bad["findings"]], bad["whole"]), ([None], True))
    damage(d.db, 36, b"\x00\x00\x00\x00")
    same("all is well again", c("check")["ok"], True)
    suite.refused("no such table", lambda: c("check", table="nosuch"), "NOT_FOUND")
    with d.client() as reader:
        reader("hello", readonly=True)
        same("it writes nothing", reader("check")["ok"], True)


@suite.section
def foreign_keys():
    d = Daemon()
    c = d.client()
    shop(c)
    plain = sqlite3.connect(d.db)  # where foreign keys are off unless one asks for them
    plain.execute("INSERT INTO bill VALUES(7777, 5)")
    plain.execute("UPDATE bill SET user = 3 WHERE id = 100")
    plain.commit()
    bad = c("check")
    same("rows that refer to nothing are named", sorted(
        (f["table"], f["rowid"], f["kind"], f["message"]) for f in bad["findings"]),
        [("bill", 100, "FOREIGN KEY", "refers to no row of user"), ("bill", 7777, "FOREIGN KEY", "refers to no row of user")])
    same("and are none of a quick look's business", c("check", quick=True)["ok"], True)
    plain.execute("PRAGMA foreign_keys = OFF")
    plain.execute("UPDATE bill SET user = 3")
    plain.commit()
    plain.close()
    bad = c("check")
    same("a hundred are told, all are counted", (len(bad["findings"]), bad["count"]), (100, 501))


@suite.section
def one_at_a_time_and_not_for_ever():
    d = Daemon()
    c, k = d.client(), d.client()
    c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)")
    c.exec("CREATE INDEX t_a ON t(a)")

    def grow():
        for _ in range(12):
            c.exec("INSERT INTO t(a) " + NUMBERS % fewer(20000) + "SELECT hex(randomblob(20)) FROM g")

    grow()
    want = c.send("check")
    seen = until("status tells", lambda: k("status")["upkeep"], 10, every=0.001)
    same("what is under way", seen["what"], "check")
    e = suite.refused("another one must wait", lambda: k("analyze"), "BUSY")
    check("and may be tried again", e.data.get("retryable") is True and "check is under way" in e.message, e)
    k.exec("INSERT INTO t(a) VALUES('meanwhile')")
    same("writes go on", k.value("SELECT a FROM t WHERE a = 'meanwhile'"), "meanwhile")
    same("then it is answered", c.answer(want)["ok"], True)
    same("and status is empty", k("status")["upkeep"], None)
    want = c.send("check")
    until("another is under way", lambda: k("status")["upkeep"], 10, every=0.001)
    same("it can be cancelled", c("cancel", id=want)["cancelled"], True)
    suite.refused("and is answered so", lambda: c.answer(want), "SQLITE_INTERRUPT")
    until("it has ended", lambda: k("status")["upkeep"] is None, 10)
    # It is looked at a few times a second: on a fast machine a check may be over by then.
    given_up = None
    for _ in range(6):
        try:
            c("check", timeout_ms=1)
            grow()
        except RpcError as e:
            given_up = e
            break
    check("its time is the client's to set", given_up and given_up.name == "SQLITE_INTERRUPT", given_up)
    until("so it ends", lambda: k("status")["upkeep"] is None, 10)
    gone = d.client()
    gone.send("check")
    until("of one who leaves", lambda: k("status")["upkeep"], 10, every=0.001)
    gone.close()
    until("nothing goes on", lambda: k("status")["upkeep"] is None, 10)
    want = c.send("check")
    until("one more", lambda: k("status")["upkeep"], 10, every=0.001)
    same("the daemon's end does not wait for it", d.stop(), 0)
    try:
        c.answer(want)
    except (RpcError, ConnectionError) as err:
        check("it is answered", getattr(err, "name", "SHUTTING_DOWN") in ("SHUTTING_DOWN", "SQLITE_INTERRUPT"), err)


@suite.section
def beside_a_migration():
    d = Daemon()
    c = d.client()
    shop(c, 2000)
    c("migrate.alter", sql="ALTER TABLE user ALTER name SET NOT NULL, ADD age TEXT DEFAULT 'x' NOT NULL, "
                           "ALTER id TYPE INTEGER, DROP COLUMN name", allow_data_loss=True, postpone_cutover=True)
    until("ready", lambda: job(c)["phase"] == "ready" or job(c)["state"] == "failed", 20)
    same("the change stands before its swap", job(c)["phase"], "ready")
    r = c("check")
    check("a check may be made in the middle of a change", r["ok"], r)
    for what in ("analyze", "shrink"):
        e = suite.refused(what + " waits for its end", lambda what=what: c(what), "MIGRATION_RUNNING")
        check("which is named", "migration m1" in e.message, e.message)
    c("migrate.cutover")
    same("the change is done", ended(c)["state"], "done")
    same("then it runs", c("shrink")["auto_vacuum"], "none")


@suite.section
def statistics():
    d = Daemon()
    c = d.client()
    shop(c, fewer(20000))
    c.exec("CREATE TABLE lone(x)")
    c.exec("INSERT INTO lone SELECT 1 FROM user LIMIT 10")
    c.exec("CREATE TABLE skew(id INTEGER PRIMARY KEY, a, b)")
    c.exec("CREATE INDEX skew_a ON skew(a)")
    c.exec("CREATE INDEX skew_b ON skew(b)")
    c.exec("INSERT INTO skew(a, b) SELECT 1, id FROM user")
    want = "EXPLAIN QUERY PLAN SELECT id FROM skew WHERE a = 1 AND b = 7"
    writer = Load(d, lambda k, i: k.exec("UPDATE lone SET x = ? WHERE rowid = ?", i, 1 + i % 10), pause=0.002).started()
    r = c("analyze")
    check("every index, and every table without one", r["analyzed"] == 6, r)
    check("the writer was held for moments", r["longest_hold_ms"] < scaled(60), r)
    same("sqlite_stat1 has them", sorted(c.rows("SELECT DISTINCT tbl FROM sqlite_stat1")),
         [["bill"], ["lone"], ["skew"], ["user"], ["word"]])
    until("every connection goes by them once it has read anything",
          lambda: c.rows("SELECT id FROM skew WHERE b = 10") and "skew_b" in str(c.rows(want)))
    same("nobody was disturbed", writer.end().error, None)
    c.exec("DELETE FROM sqlite_stat1")
    same("one table alone", c("analyze", table="USER")["analyzed"], 1)
    same("is that one", c.rows("SELECT DISTINCT tbl FROM sqlite_stat1"), [["user"]])
    suite.refused("no such table", lambda: c("analyze", table="nosuch"), "NOT_FOUND")
    same("alterctl", d.ctl("analyze").returncode, 0)


@suite.section
def a_log_that_grows_meanwhile():
    """Writers that fill the log beside a check: it lets go of its snapshot, and goes on table by table."""
    caps = {"store.checkpoint_at": "64KiB", "store.wal_cap": "1MiB", "store.synchronous": "normal"}
    # Faster than the log may grow under one snapshot, but not than it may under a table's; then as fast as they can.
    for hard, what, pause in (("256MiB", "tables", 0.004), ("1MiB", "skipped", 0)):
        d = Daemon(settings=dict(caps, **{"store.wal_hard_cap": hard}))
        c = d.client()
        shop(c, fewer(30000))
        c.exec("CREATE TABLE fat(id INTEGER PRIMARY KEY, b BLOB)")
        fat = "INSERT OR REPLACE INTO fat VALUES(?, randomblob(200000))"
        writers = [Load(d, lambda k, i: k.exec(fat, i % 20), pause=pause).started() for _ in range(2)]
        if what == "tables":
            r = until("it changes over", lambda: (lambda r: None if r["whole"] else r)(c("check")), 30)
            check("all was looked at, and is sound", r["tables"] >= 6 and r["ok"] and not r["skipped"], r)
        else:
            r = until("a table is given up", lambda: (lambda r: r if r["skipped"] else None)(c("check", table="fat")), 30)
            same("it is named, and not called sound", (r["ok"], r["skipped"]), (False, ["fat"]))
            until("alterctl: 75", lambda: d.ctl("check", "fat").returncode == 75, 30)
        same("writers met no error", [w.end().error for w in writers], [None, None])
        same("with nobody else it is as ever", c("check")["ok"], True)


def mostly_free(d):
    plain = sqlite3.connect(d.db, isolation_level=None)
    plain.executescript("PRAGMA auto_vacuum = incremental; CREATE TABLE bulk(id INTEGER PRIMARY KEY, b BLOB);"
                        "CREATE TABLE t(id INTEGER PRIMARY KEY, x);")
    plain.execute("INSERT INTO bulk(b) " + NUMBERS % fewer(24000) + "SELECT randomblob(1000) FROM g")
    plain.execute("INSERT INTO t " + NUMBERS % 1000 + "SELECT n, 0 FROM g")
    plain.execute("DELETE FROM bulk WHERE id % 8")
    plain.close()
    d.start()
    return d.client()


@suite.section
def a_migration_begins():
    d = Daemon(start=False, settings={"migrate.hold": "1ms"})
    c, k = mostly_free(d), d.client()
    want = c.send("shrink")
    until("space is being given back", lambda: (k("status")["upkeep"] or {}).get("percent"), 10, every=0.001)
    k("migrate.alter", sql="ALTER TABLE t ALTER x TYPE TEXT", postpone_cutover=True)
    e = suite.refused("it ends where a migration begins", lambda: c.answer(want), "MIGRATION_RUNNING")
    check("and says what stays", "m1" in e.message and "stays" in e.message, e.message)
    until("ready", lambda: job(k)["phase"] == "ready", 20)
    k("migrate.cutover")
    same("the change is done", ended(k)["state"], "done")
    same("the rest comes later", c("shrink")["free_bytes"], 0)
    same("it is sound", c("check")["ok"], True)


@suite.section
def giving_space_back():
    d = Daemon(start=False)
    c = mostly_free(d)
    before = c("status")["db_bytes"]
    writer = Load(d, lambda k, i: k.exec("UPDATE t SET x = ? WHERE id = ?", i, 1 + i % 1000), pause=0.001).started()
    r = c("shrink")
    same("what the file is", (r["auto_vacuum"], r["reason"], r["free_bytes"]), ("incremental", None, 0))
    check("most of it was free", r["freed_bytes"] > before / 2, (r, before))
    check("the writer was held for moments at a time", r["longest_hold_ms"] < scaled(60), r)
    until("the file is that much smaller", lambda: c("status")["db_bytes"] <= before - r["freed_bytes"] + (1 << 20), 20)
    same("nobody was disturbed", writer.end().error, None)
    same("nothing to do", c("shrink")["freed_bytes"], 0)
    same("alterctl", d.ctl("shrink").returncode, 0)
    same("the rows are there", c.value("SELECT count(*) FROM bulk"), fewer(24000) // 8)
    same("it is sound", c("check")["ok"], True)
    d = Daemon()
    c = d.client()
    c.exec("CREATE TABLE t(b)")
    c.exec("INSERT INTO t " + NUMBERS % 100 + "SELECT randomblob(4000) FROM g")
    c.exec("DELETE FROM t")
    r = c("shrink")
    check("a file that cannot says why, and what is free in it", r["auto_vacuum"] == "none" and "VACUUM" in r["reason"] and
          r["free_bytes"] > 300_000 and r["freed_bytes"] == 0, r)
    shown = d.ctl("shrink")
    check("alterctl: 1, and the same", shown.returncode == 1 and "auto_vacuum = none" in shown.stderr and
          "free inside" in shown.stdout, shown)


suite.run()
