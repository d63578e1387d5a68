#!/usr/bin/env python3
"""Guarded SQL: every known way out of the box answers its error, stays bounded, and leaves the others served."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import os
import time

from bombs import DOUBLED
from daemon import Daemon, memory_counts
from limits import scaled
from load import Load, Noise, together
from suite import Suite
from wire import RpcError

HOPS = 3  # threads that must be woken for one request: each may be as late as the sleeper that measures the machine
suite = Suite(limit=90)
d = Daemon()
c = d.client(timeout=20)
for sql in (
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)",
    "CREATE TABLE num(n)",
    "CREATE TABLE doc(x)",
    "CREATE VIRTUAL TABLE ft USING fts5(body)",
):
    try:
        c.exec(sql)
    except RpcError as e:
        print("     %s: %s" % (sql, e))
c.exec("INSERT INTO t(v) VALUES('a'), ('b'), ('c')")
c.exec("INSERT INTO num WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 3000) SELECT n FROM g")
TIMED = 800  # ms given to what must be stopped
FITTING = (1, 7, 9, 18, 25)  # the errors it may end with


def denied(sql, *names):
    e = suite.refused(sql if len(sql) < 90 else sql[:86] + " ...", lambda: c.exec(sql), *(names or ("DENIED",)))
    return e


@suite.section
def denied_for_every_role():
    elsewhere = os.path.join(d.folder, "stolen.db")
    for sql in (
        "ATTACH '%s' AS x" % elsewhere,
        "ATTACH ':memory:' AS x",
        "ATTACH '' AS x",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO '%s'" % elsewhere,
        "VACUUM main",
        "SELECT load_extension('x')",
        "SELECT load_extension('x', 'y')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT fts3_tokenizer('x', x'0011223344556677')",
    ):
        denied(sql, "DENIED", 1) if "load_ext" in sql or "fts3" in sql else denied(sql)
    suite.check("no file appeared", not os.path.exists(elsewhere), os.listdir(d.folder))
    suite.same("still one database", [r[1] for r in c.rows("PRAGMA database_list")][:1], ["main"])


@suite.section
def pragmas():
    for p in (
        "writable_schema=1",
        "schema_version=99",
        "user_version=7",
        "application_id=7",
        "journal_mode=DELETE",
        "journal_mode=OFF",
        "synchronous=OFF",
        "locking_mode=EXCLUSIVE",
        "query_only=1",
        "foreign_keys=OFF",
        "recursive_triggers=1",
        "ignore_check_constraints=1",
        "wal_checkpoint(TRUNCATE)",
        "wal_checkpoint",
        "mmap_size=1000000000",
        "hard_heap_limit=1000",
        "soft_heap_limit=1000",
        "cache_size=1000000",
        "cache_spill=0",
        "temp_store=2",
        "temp_store_directory='/tmp'",
        "data_store_directory='/tmp'",
        "secure_delete=0",
        "wal_autocheckpoint=0",
        "max_page_count=2",
        "page_size=512",
        "auto_vacuum=1",
        "incremental_vacuum",
        "case_sensitive_like=1",
        "legacy_alter_table=1",
        "defer_foreign_keys=1",
        "busy_timeout=0",
        "shrink_memory",
        "optimize",
        "trusted_schema=1",
        "read_uncommitted=1",
        "reverse_unordered_selects=1",
        "threads=8",
        "analysis_limit=5",
        "encoding='UTF-16'",
        "integrity_check",
        "quick_check",
        "cell_size_check=1",
        "checkpoint_fullfsync=1",
        "automatic_index=0",
        "journal_size_limit=0",
        "count_changes=1",
        "full_column_names=1",
        "short_column_names=0",
        "empty_result_callbacks=1",
        "no_such_pragma=1",
    ):
        try:
            c.exec("PRAGMA " + p)
            suite.check("PRAGMA " + p, p in ("integrity_check", "quick_check"), "was let through")
        except RpcError as e:
            suite.check("PRAGMA " + p, e.name in ("DENIED",) or (p.startswith("no_such") and e.code > 0), e)
    suite.refused("EXPLAIN PRAGMA, which acts at prepare", lambda: c.query("EXPLAIN PRAGMA foreign_keys=OFF"), "DENIED")
    suite.refused("describe PRAGMA", lambda: c("describe", sql="PRAGMA recursive_triggers=1"), "DENIED")
    for fn in (
        "pragma_foreign_keys(0)",
        "pragma_journal_mode('delete')",
        "pragma_wal_checkpoint",
        "pragma_query_only(1)",
        "pragma_writable_schema(1)",
    ):
        suite.refused("SELECT * FROM " + fn, lambda fn=fn: c.query("SELECT * FROM " + fn), "DENIED", 1)
    suite.same("foreign keys stay on", c.value("PRAGMA foreign_keys"), 1)
    for p in (
        "table_info(t)",
        "table_xinfo(t)",
        "index_list(t)",
        "foreign_key_list(t)",
        "table_list",
        "user_version",
        "foreign_keys",
    ):
        suite.check("a reading PRAGMA: " + p, isinstance(c.query("PRAGMA " + p)["rows"], list))
    suite.check("as a table function too", len(c.rows("SELECT * FROM pragma_table_info('t')")) == 2)


@suite.section
def schema_and_own_tables():
    suite.check("sqlite_schema may be read", c.value("SELECT count(*) FROM sqlite_schema WHERE name = 't'") == 1)
    for sql in (
        "UPDATE sqlite_schema SET sql = 'x'",
        "DELETE FROM sqlite_schema",
        "INSERT INTO sqlite_master VALUES(1,2,3,4,5)",
    ):
        denied(sql, "DENIED", 1)
    for sql in (
        "CREATE TABLE _alterd_mine(x)",
        'CREATE TABLE "_ALTERD_mine"(x)',
        "CREATE VIEW _alterd_v AS SELECT 1",
        "CREATE INDEX _alterd_i ON t(v)",
        "ALTER TABLE num RENAME TO _alterd_n",
        "CREATE TRIGGER _alterd_tr AFTER INSERT ON t BEGIN SELECT 1; END",
    ):
        denied(sql)
    own = [r["name"] for r in c("schema")["schema"] if r["name"].lower().startswith("_alterd_")]
    suite.same("schema shows none", own, [])
    for sql in ("SELECT * FROM _alterd_jobs", "DELETE FROM _alterd_catalog", "DROP TABLE _alterd_log"):
        suite.refused(sql, lambda s=sql: c.exec(s), "DENIED", 1)
    names = [
        r[0]
        for r in c.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '\\_alterd\\_%' ESCAPE '\\'")
    ]
    for name in names:
        for sql in (
            'SELECT * FROM "%s"',
            'DELETE FROM "%s"',
            'DROP TABLE "%s"',
            'ALTER TABLE "%s" ADD COLUMN x',
            'CREATE TRIGGER tr AFTER INSERT ON "%s" BEGIN SELECT 1; END',
            'CREATE VIEW peep AS SELECT * FROM "%s"',
        ):
            sql = sql % name
            e = None
            try:
                c.exec(sql)
                if "VIEW" in sql:
                    c.query("SELECT * FROM peep")
            except RpcError as x:
                e = x
            suite.check(sql, e is not None and e.name == "DENIED", e)
            if "VIEW" in sql and e is not None:
                try:
                    c.exec("DROP VIEW IF EXISTS peep")
                except RpcError:
                    pass
    suite.note("own tables seen in sqlite_schema: %s" % names)
    for sql in (
        "CREATE TEMP TABLE x(y)",
        "CREATE TEMPORARY VIEW x AS SELECT 1",
        "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
        "CREATE TABLE temp.x(y)",
        "CREATE VIRTUAL TABLE temp.x USING fts5(y)",
    ):
        denied(sql)
    for sql in (
        "CREATE VIRTUAL TABLE st USING dbstat",
        "CREATE VIRTUAL TABLE f4 USING fts4(x, tokenize=x)",
        "SELECT * FROM dbstat",
    ):
        suite.refused(sql, lambda s=sql: c.exec(s))
    for sql in (
        "DELETE FROM sqlite_sequence",
        "INSERT INTO sqlite_sequence VALUES('t', 1000)",
        "INSERT INTO sqlite_stat1 VALUES('t', NULL, 'x')",
        "DROP TABLE sqlite_sequence",
    ):
        try:
            c.exec(sql)
            suite.note("allowed: " + sql)
        except RpcError as e:
            suite.note("%s: %s %s" % (sql, e.code, e.message))
    suite.check("all is as before", c.value("SELECT count(*) FROM t") == 3)
    if c.value("SELECT count(*) FROM sqlite_schema WHERE name = 'ft'"):
        for sql in ("DELETE FROM ft_data", "INSERT INTO ft_content VALUES(1, 'x')", "DROP TABLE ft_data"):
            suite.refused("FTS shadow table: " + sql, lambda s=sql: c.exec(s))
        c.exec("INSERT INTO ft VALUES('one two')")
        suite.same("the FTS table itself works", c.value("SELECT count(*) FROM ft WHERE ft MATCH 'two'"), 1)


BOMBS = [
    ("printf of 1e9", "SELECT length(printf('%.*c', 1000000000, 'x'))"),
    ("printf, many", "SELECT printf('%.*c%.*c%.*c', 1000000000, 'x', 1000000000, 'x', 1000000000, 'x')"),
    ("printf width", "SELECT length(printf('%1000000000d', 1))"),
    ("printf precision", "SELECT length(printf('%.1000000000f', 1.0))"),
    ("format of 1e9", "SELECT length(format('%.*c', 1000000000, 'x'))"),
    ("zeroblob of 1e9", "SELECT zeroblob(1000000000)"),
    ("zeroblob of 2e9", "SELECT hex(zeroblob(2000000000))"),
    ("randomblob of 1e9", "SELECT randomblob(1000000000)"),
    ("hex of 16 MB", "SELECT length(hex(zeroblob(16000000)))"),
    ("replace, growing", "SELECT length(replace(hex(zeroblob(500000)), '0', '0123456789'))"),
    (
        "replace, quadratic",
        "SELECT length(replace(hex(zeroblob(8000000)), substr(hex(zeroblob(4000000)), 2) || '1', 'x'))",
    ),
    ("instr, quadratic", "SELECT instr(hex(zeroblob(8000000)), substr(hex(zeroblob(4000000)), 2) || '1')"),
    ("instr of blobs", "SELECT instr(zeroblob(16000000), zeroblob(8000000) || x'01')"),
    ("instr in a loop", "SELECT sum(instr(hex(zeroblob(50000)), hex(zeroblob(25000)) || '1')) FROM num a, num b"),
    ("LIKE of many %", "SELECT hex(zeroblob(20000)) LIKE '%0%0%0%0%0%0%0%0%0%0%0%0%0%0%0%0%0%1'"),
    ("GLOB of many *", "SELECT hex(zeroblob(20000)) GLOB '*0*0*0*0*0*0*0*0*0*0*0*0*0*0*0*0*0*0*1'"),
    (
        "group_concat without end",
        "WITH RECURSIVE g(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM g) SELECT length(group_concat(x)) FROM g",
    ),
    (
        "doubling text",
        "WITH RECURSIVE g(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM g) SELECT max(length(x)) FROM g",
    ),
    (
        "json without end",
        "WITH RECURSIVE g(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM g) SELECT length(json_group_array(x)) FROM g",
    ),
    ("an endless CTE", "WITH RECURSIVE g(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM g) SELECT count(*) FROM g"),
    (
        "an endless CTE of unique rows",
        "WITH RECURSIVE g(x) AS (SELECT 1 UNION SELECT x + 1 FROM g) SELECT count(*) FROM g",
    ),
    ("a cross join", "SELECT count(*) FROM num a, num b, num c, num d WHERE a.n + b.n + c.n + d.n = 7"),
    ("a big sort", "SELECT n FROM (SELECT a.n AS n FROM num a, num b, num c) ORDER BY -n LIMIT 1"),
    ("a big DISTINCT", "SELECT count(*) FROM (SELECT DISTINCT a.n * 3000 + b.n, c.n FROM num a, num b, num c)"),
    ("generate_series", "SELECT count(*) FROM generate_series(1, 1000000000)"),
    ("a doubled CTE, slow to prepare", DOUBLED),
    ("deep nesting", "SELECT " + "(" * 5000 + "1" + ")" * 5000),
    ("a deep tree of +", "SELECT " + "+".join(["1"] * 20000)),
    ("a deep tree of AND", "SELECT 1 WHERE " + " AND ".join(["1"] * 20000)),
    ("many UNIONs", " UNION ALL ".join(["SELECT 1"] * 5000)),
    ("many columns", "SELECT " + ",".join(["1"] * 40000)),
    ("many tables", "SELECT count(*) FROM " + ",".join("num n%d" % i for i in range(70))),
]


def bomb(what, send, sql, loads, noise):
    """A statement that is over within its time, with an error that fits, while each bystander is served in 100 ms."""
    # SQLite expands a CTE before it asks anybody anything: that part of a prepare is bounded by memory alone.
    most = scaled(10) if DOUBLED in sql else TIMED / 1000 + scaled(0.7)

    def attempt():
        t = time.monotonic()
        try:
            send(sql, timeout_ms=TIMED)
            got = "an answer"
        except RpcError as e:
            got = "%s %s" % (e.code, e.name)
            if e.code not in FITTING and e.code >= -32000:
                suite.check(what + ": a fitting error", False, e)
        s = time.monotonic() - t
        late = noise.worst(t)
        slow = max(load.slowest(t) for load in loads)
        return (
            s < most + late and slow < 0.1 * max(1, scaled(1)) + HOPS * late,
            "%s, %.2f s; a bystander waited %.3f s (noise %.3f s)" % (got, s, slow, late),
        )

    suite.timely(what + ": over in time, and bystanders are served", attempt)


@suite.section
def bombs():
    noise = Noise()
    reader = Load(d, lambda k, i: k.value("SELECT v FROM t WHERE id = ?", 1 + i % 3), pause=0.004).started()
    writer = Load(d, lambda k, i: k.exec("UPDATE t SET v = v WHERE id = ?", 1 + i % 3), pause=0.008).started()
    for what, sql in BOMBS:
        bomb(what, c.query, sql, (reader, writer), noise)
    reader.end()
    writer.end()
    noise.end()
    suite.check(
        "bystanders saw no error",
        not reader.error and not writer.error and not reader.closed and not writer.closed,
        (reader.error, writer.error),
    )
    if memory_counts():
        suite.check("memory stays bounded", d.peak_bytes() < 256 << 20, "%d MiB" % (d.peak_bytes() >> 20))


def runs_out_of_memory():
    with d.client() as k:
        suite.refused("runs out of memory", lambda: k.query(DOUBLED, timeout_ms=10000), "SQLITE_NOMEM")


@suite.section
def programs_of_another_schema():
    """EXPLAIN reads names out of the schema it was prepared with, which may be gone by its next row."""
    sql = "EXPLAIN INSERT INTO t(v) SELECT v FROM t"
    with d.client() as k, d.client() as admin:
        rows = k.rows(sql)
        for i in range(20):
            admin.exec("CREATE TABLE explained%d(a)" % i)
            k.query("SELECT a FROM explained%d" % i)
            suite.same("the same program", [r[1] for r in k.rows(sql)], [r[1] for r in rows])
        with d.client() as w:
            w("begin")
            w.exec("INSERT INTO t(v) VALUES('d')")
            whole = w.query(sql, page_rows=2)
            suite.same("no cursor on it where the schema may change", (whole["done"], len(whole["rows"])), (True, len(rows)))
            w.exec("DROP TABLE explained0")
            w("rollback")
        with d.client() as r:
            r("begin", mode="read")
            whole = r.query(sql, page_rows=2)
            suite.same("nor where it may be seen to have", (whole["done"], len(whole["rows"])), (True, len(rows)))
            r("rollback")
        suite.same("else in pages", k.query(sql, page_rows=2)["done"], False)


@suite.section
def memory_of_many_threads():
    """What one thread has freed another does not find: it must not add up."""
    if memory_counts():
        for n in (1, 2, 3):
            together(*[runs_out_of_memory] * n)
        suite.check("it does not add up", d.peak_bytes() < 352 << 20, "%d MiB" % (d.peak_bytes() >> 20))


@suite.section
def memory_for_the_small():
    """While some have all the memory there is, what takes little does not go without."""
    reader = Load(d, lambda k, i: k.value("SELECT v, %d FROM t ORDER BY v" % i), pause=0.001).started()
    writer = Load(d, lambda k, i: k.exec("UPDATE t SET v = v WHERE id = 1 + %d %% 3" % i), pause=0.001).started()
    for n in range(3):
        together(*[runs_out_of_memory] * 3)
    for load in (reader.end(), writer.end()):
        suite.check("a bystander saw no error", not load.error and not load.closed, load.error)


@suite.section
def bombs_in_writes():
    noise = Noise()
    reader = Load(d, lambda k, i: k.value("SELECT v FROM t WHERE id = ?", 1 + i % 3), pause=0.004).started()
    for what, sql in [
        ("a doubled CTE into a table", "INSERT INTO doc " + DOUBLED),
        (
            "instr, quadratic",
            "UPDATE t SET v = instr(hex(zeroblob(8000000)), substr(hex(zeroblob(4000000)), 2) || '1')",
        ),
        ("printf of 1e9", "INSERT INTO doc VALUES(printf('%.*c', 1000000000, 'x'))"),
        (
            "an endless insert",
            "INSERT INTO doc WITH RECURSIVE g(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM g) SELECT x FROM g",
        ),
    ]:

        def send(sql, **kw):
            c.exec(sql, **kw)
            suite.check(what + ": is refused", what.startswith("instr"), "answered")

        bomb(what, send, sql, (reader,), noise)

        def free():
            t = time.monotonic()
            c.exec("UPDATE t SET v = v WHERE id = 1")
            s = time.monotonic() - t
            return s < 0.2 + scaled(0.2) + noise.worst(t), s

        suite.timely(what + ": the writer is free after it", free)
    reader.end()
    noise.end()
    suite.same("nothing of it is kept", c.value("SELECT count(*) FROM doc"), 0)
    c.exec("CREATE TABLE loop(n)")
    c.exec(
        "CREATE TRIGGER loop_tr AFTER INSERT ON loop WHEN new.n < 1000000 BEGIN INSERT INTO loop VALUES(new.n + 1); END"
    )
    r = c.exec("INSERT INTO loop VALUES(1)")
    suite.check(
        "triggers do not recurse, as SQLite's default is",
        r["changes"] == 1 and c.value("SELECT count(*) FROM loop") <= 2,
        c.value("SELECT count(*) FROM loop"),
    )
    c.exec("CREATE TABLE a(n)")
    c.exec("CREATE TABLE b(n)")
    c.exec("CREATE TRIGGER a_tr AFTER INSERT ON a BEGIN INSERT INTO b SELECT x.n + y.n FROM num x, num y, num z; END")

    def trigger():
        t = time.monotonic()
        suite.refused("a trigger that never ends", lambda: c.exec("INSERT INTO a VALUES(1)", timeout_ms=TIMED), 9)
        return time.monotonic() - t < TIMED / 1000 + scaled(0.7), time.monotonic() - t

    suite.timely("is over in time", trigger)
    suite.same("and leaves nothing", c.rows("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"), [[0, 0]])


@suite.section
def functions_still_work():
    """The bounded replacements must be SQLite's own functions in everything but the bound."""
    import sqlite3

    plain = sqlite3.connect(":memory:")
    cases = [
        "printf('%d|%5d|%-5d|%05d', 1, 2, 3, 4)",
        "printf('%s-%q-%Q-%w', 'a', 'b''c', 'd', 'e\"f')",
        "printf('%f %.2f %e %g', 1.5, 2.345, 3.0, 4.5)",
        "printf('%x %X %o %c', 255, 255, 8, 'z')",
        "printf('%,d', 1234567)",
        "printf('%.3s', 'abcdef')",
        "printf('%*d', 6, 42)",
        "printf('%%')",
        "printf('%s', NULL)",
        "printf(NULL)",
        "printf('%s %s', 1)",
        "format('%s', x'4142')",
        "printf('%.*c', 5, 'x')",
        "printf('%!.15g', 0.1)",
        "printf('%lld', 9223372036854775807)",
        "printf('%s', 9e999)",
        "printf('')",
        "instr('hello', 'l')",
        "instr('hello', 'z')",
        "instr('', 'a')",
        "instr('a', '')",
        "instr(NULL, 'a')",
        "instr('a', NULL)",
        "instr('h\u00e9llo', 'l')",
        "instr(x'010203', x'03')",
        "instr(x'010203', '')",
        "instr(12345, 34)",
        "instr('a' || char(0) || 'b', 'b')",
        "replace('hello', 'l', 'LL')",
        "replace('hello', '', 'x')",
        "replace('hello', 'z', 'x')",
        "replace(NULL, 'a', 'b')",
        "replace('a', NULL, 'b')",
        "replace('a', 'a', NULL)",
        "replace(12321, 2, 'x')",
        "replace('aaa', 'a', '')",
        "replace('aaaa', 'aa', 'b')",
        "hex(replace(x'0102', x'01', x'ff'))",
        "typeof(replace(5, 'x', 'y'))",
        "typeof(replace(5, '', 'y'))",
        "hex(zeroblob(3))",
        "length(randomblob(10))",
        "group_concat(n) FROM (SELECT 1 AS n UNION ALL SELECT 2)",
        "typeof(instr('a','a'))",
        "hex(instr(x'ff', 'a'))",
    ]
    wrong = []
    for e in cases:
        want = plain.execute("SELECT " + e).fetchone()[0]
        try:
            got = c.value("SELECT " + e)
        except RpcError as x:
            got = x
        if got != want or type(got) is not type(want):
            wrong.append((e, got, want))
    suite.check("%d calls answer what SQLite answers" % len(cases), not wrong, wrong[:4])
    c.exec("ALTER TABLE doc ADD COLUMN y DEFAULT 1")
    suite.same(
        "ALTER TABLE ADD COLUMN, which uses printf inside, works",
        c.value("SELECT count(*) FROM pragma_table_info('doc')"),
        2,
    )
    c.exec("CREATE TABLE plusses(a, b AS (printf('%s!', a)), CHECK(instr(a, 'x') = 0))")
    c.exec("INSERT INTO plusses(a) VALUES('q')")
    suite.same("in generated columns and CHECKs too", c.rows("SELECT a, b FROM plusses"), [["q", "q!"]])
    suite.refused("CHECK with instr", lambda: c.exec("INSERT INTO plusses(a) VALUES('x')"), 275)


@suite.section
def changes_inside_triggers():
    for sql in (
        "CREATE TABLE h(x)",
        "CREATE TABLE cnt(k PRIMARY KEY, n)",
        "CREATE TRIGGER h_tr AFTER INSERT ON h BEGIN UPDATE cnt SET n = n + 1 WHERE k = new.x; "
        "INSERT INTO cnt SELECT new.x, 1 WHERE changes() = 0; END",
    ):
        c.exec(sql)
    for x in (1, 2, 1, 1):
        c.exec("INSERT INTO h VALUES(?)", x)
    suite.same(
        "changes() inside a trigger means the trigger's last statement",
        c.rows("SELECT k, n FROM cnt ORDER BY k"),
        [[1, 3], [2, 1]],
    )


suite.run()
