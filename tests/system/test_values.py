#!/usr/bin/env python3
"""Every kind of value there and back: results, bound parameters, stored cells, and what is refused as a value."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import random
import struct

from daemon import Daemon
from suite import Suite, same_value
from wire import blob, encode, text

suite = Suite()
d = Daemon()
c = d.client()

BIG = 2**53 - 1
REALS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e15,
    1e16,
    -1e300,
    1e-300,
    5e-324,
    1.7976931348623157e308,
    2.2250738585072014e-308,
    0.1 + 0.2,
    9007199254740992.0,
    9007199254740993.0,
    123456789.125,
    4.9406564584124654e-324,
    1e22,
    1e23,
]
INTEGERS = [0, 1, -1, 255, 2**31, -(2**31) - 1, BIG, -BIG]
BIG_INTEGERS = [BIG + 1, -BIG - 1, 2**62, 2**63 - 1, -(2**63)]
TEXTS = [
    "",
    "a",
    "1",
    "1.0",
    "null",
    'a"b\\c/d',
    "\b\f\n\r\t",
    "é",
    "ß\u0301",
    "漢字",
    "😀",
    "\u2028\u2029",
    "\uffff",
    "\ufeffx",
    "\x01\x1f\x7f",
    "a\0b",
    "\0",
    "\0\0",
    "x" * 5000,
    " '; DROP TABLE t; --",
]
NOT_UTF8 = [
    b"\xff",
    b"\xffA",
    b"A\xff",
    b"\xc0\x80",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"a\0\xff",
    b"\x80",
    b"\xf8\x88\x80\x80\x80",
]
BLOBS = [b"", b"\0", b"\0\xff", b"a", b"ab", b"abc", bytes(range(256)), b"\xff" * 3001]


def as_sent(v):
    """How the daemon writes a value that was bound as v."""
    if isinstance(v, bool):
        return int(v)
    if isinstance(v, int) and not -BIG <= v <= BIG:
        return {"int": str(v)}
    if isinstance(v, dict) and "int" in v:
        return as_sent(int(v["int"]))
    if isinstance(v, dict) and "real" in v and not isinstance(v["real"], str):
        return float(v["real"])
    return v


KINDS = (
    [("null", None), ("integer", True), ("integer", False)]
    + [("integer", v) for v in INTEGERS]
    + [("integer", {"int": str(v)}) for v in BIG_INTEGERS + INTEGERS]
    + [("real", v) for v in REALS]
    + [("real", {"real": 1}), ("real", {"real": -7}), ("real", {"real": 2.5})]
    + [("real", {"real": "inf"}), ("real", {"real": "-inf"})]
    + [("text", v) for v in TEXTS]
    + [("text", text(v)) for v in NOT_UTF8]
    + [("blob", blob(v)) for v in BLOBS]
)


@suite.section
def each_kind_bound_and_answered():
    wrong = []
    for kind, v in KINDS:
        row = c.query("SELECT typeof(?1), ?1", v)["rows"][0]
        if row[0] != kind or not same_value(row[1], as_sent(v)):
            wrong.append((v, row))
    suite.check("%d values come back as they went in" % len(KINDS), not wrong, wrong[:3])
    got = c.query("SELECT " + ",".join("?%d" % (i + 1) for i in range(len(KINDS))), *[v for _, v in KINDS])["rows"][0]
    suite.same("all of them in one row: no column shifts", got, [as_sent(v) for _, v in KINDS])
    suite.same(
        "plain 64-bit numbers may be bound",
        c.query("SELECT ?, ?", 2**63 - 1, -(2**63))["rows"],
        [[{"int": str(2**63 - 1)}, {"int": str(-(2**63))}]],
    )
    suite.same("text that is UTF-8 after all comes back plain", c.query("SELECT ?", text(b"ab"))["rows"], [["ab"]])


@suite.section
def each_kind_stored_and_read():
    c.exec("CREATE TABLE cell(id INTEGER PRIMARY KEY, v)")
    for i, (_, v) in enumerate(KINDS):
        c.exec("INSERT INTO cell(id, v) VALUES(?, ?)", i, v)
    rows = c.rows("SELECT id, typeof(v), v FROM cell ORDER BY id")
    suite.same("stored cells", rows, [[i, kind, as_sent(v)] for i, (kind, v) in enumerate(KINDS)])
    c.exec("CREATE TABLE copy(id INTEGER PRIMARY KEY, v)")
    for i, _, v in rows:
        c.exec("INSERT INTO copy(id, v) VALUES(?, ?)", i, v)
    suite.same(
        "what was answered may be bound again, unchanged",
        c.rows(
            "SELECT count(*) FROM cell JOIN copy USING(id) WHERE cell.v IS copy.v AND typeof(cell.v) = typeof(copy.v)"
        ),
        [[len(KINDS)]],
    )
    huge = random.Random(1).randbytes(3 << 20)
    c.exec("INSERT INTO cell(id, v) VALUES(1000000, ?)", blob(huge))
    suite.same("a blob of 3 MiB is stored whole", c.value("SELECT length(v) FROM cell WHERE id = 1000000"), 3 << 20)
    parts = [
        c.value("SELECT substr(v, ?, 500000) FROM cell WHERE id = 1000000", 1 + at) for at in range(0, 3 << 20, 500000)
    ]
    suite.check("and read back in parts", parts == [blob(huge[at : at + 500000]) for at in range(0, 3 << 20, 500000)])


@suite.section
def random_rows():
    rng = random.Random(20261)

    def real():
        while True:
            v = struct.unpack("d", rng.randbytes(8))[0]
            if v == v and abs(v) != float("inf"):
                return v

    makers = [
        lambda: None,
        lambda: rng.randint(-BIG, BIG),
        lambda: {"int": str(rng.randint(-(2**63), -(2**53)))},
        real,
        lambda: "".join(
            chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])) for _ in range(rng.randrange(9))
        ),
        lambda: blob(rng.randbytes(rng.randrange(40))),
        lambda: text(b"\xfe" + rng.randbytes(rng.randrange(9))),
    ]
    c.exec("CREATE TABLE wild(id INTEGER PRIMARY KEY, a, b, c, d)")
    rows = [[i] + [rng.choice(makers)() for _ in range(4)] for i in range(1500)]
    for at in range(0, len(rows), 300):
        c(
            "batch",
            statements=[{"sql": "INSERT INTO wild VALUES(?,?,?,?,?)", "bind": row} for row in rows[at : at + 300]],
        )
    got = c.rows("SELECT * FROM wild ORDER BY id")
    differ = [(a, b) for a, b in zip(got, rows) if not same_value(a, b)]
    suite.check("1500 rows of random values", len(got) == 1500 and not differ, differ[:2])


@suite.section
def how_numbers_are_written():
    """REAL always has '.' or 'e', INTEGER never: the text on the wire, not what a parser makes of it."""
    for sql in ("1.0", "-0.0", "1e15", "1e16", "1e22", "1e300", "123456.0", "1e-5", "5e-324"):
        n = c.send("query", sql="SELECT " + sql)
        raw = c.line().decode()
        token = raw.split('"rows":[[', 1)[1].split("]", 1)[0]
        suite.check("%s is written as a REAL (%s)" % (sql, token), "." in token or "e" in token.lower(), raw)
        suite.check(
            "%s keeps its value" % sql, same_value(float(token), float(sql)) and json.loads(raw)["id"] == n, raw
        )
    c.send("query", sql="SELECT 100000000000000, 9007199254740991, -1")
    token = c.line().decode().split('"rows":[[', 1)[1].split("]", 1)[0]
    suite.same("INTEGER has neither", token, "100000000000000,9007199254740991,-1")
    c.send("query", sql="SELECT 'a' || char(0) || 'b'")
    suite.check("NUL is \\u0000", b'"a\\u0000b"' in c.line())


@suite.section
def int64_modes():
    sql = "SELECT 1, 9007199254740991, 9007199254740992, -9223372036854775808, 2.0"
    s = {"int": "-9223372036854775808"}
    for mode, want in [
        ("auto", [1, BIG, {"int": str(BIG + 1)}, s, 2.0]),
        ("number", [1, BIG, BIG + 1, -(2**63), 2.0]),
        ("string", [{"int": "1"}, {"int": str(BIG)}, {"int": str(BIG + 1)}, s, 2.0]),
    ]:
        with d.client() as o:
            o("hello", protocol=[1, 1], client="t/1", int64=mode)
            suite.same("int64 " + mode, o.query(sql)["rows"], [want])
            suite.same(
                "int64 %s with exec and RETURNING" % mode,
                o.exec("INSERT INTO cell(id, v) VALUES(NULL, 9007199254740992) RETURNING v")["rows"],
                [[want[2]]],
            )
            r = o.exec("UPDATE cell SET v = v WHERE id = 0")
            suite.same("int64 %s leaves counters plain" % mode, (r["changes"], r["last_insert_rowid"]), (1, 0))


@suite.section
def refused_as_values():
    bad = [
        {"real": "nan"},
        {"real": "NaN"},
        {"real": "1"},
        {"real": None},
        {"real": True},
        {"int": "9223372036854775808"},
        {"int": "-9223372036854775809"},
        {"int": ""},
        {"int": "1 "},
        {"int": "+"},
        {"int": "0x1"},
        {"int": 1.5},
        {"int": None},
        {"blob": "A"},
        {"blob": "A==="},
        {"blob": "@@@@"},
        {"blob": "AP8"},
        {"blob": 1},
        {"blob": None},
        {"text": "A"},
        {"text": []},
        {"date": "x"},
        {},
        {"int": "1", "real": 1},
        [],
        [1],
        {"int": {"int": "1"}},
    ]
    for v in bad:
        suite.refused("%s" % json.dumps(v), lambda v=v: c.query("SELECT ?", v), -32602)
    suite.same("the connection goes on", c.query("SELECT ?", 3)["rows"], [[3]])
    for raw, code in [
        (b"1e400", -32700),
        (b"-1e999", -32700),
        (b"9223372036854775808", -32700),
        (b"NaN", -32700),
        (b"01", -32700),
        (b'"\\ud800"', -32700),
        (b'"\xff"', -32700),
    ]:
        c.raw(b'{"jsonrpc":"2.0","id":77,"method":"query","params":{"sql":"SELECT ?","bind":[' + raw + b"]}}\n")
        m = c.read()
        suite.check("what is no JSON: %s" % raw, m.get("error", {}).get("code") == code and m.get("id", 0) is None, m)


@suite.section
def how_parameters_are_named():
    for sql, bind, want in [
        ("SELECT :a", {"a": 5}, 5),
        ("SELECT :a", {":a": 5}, 5),
        ("SELECT @a", {"a": 5}, 5),
        ("SELECT @a", {"@a": 5}, 5),
        ("SELECT $a", {"$a": 5}, 5),
        ("SELECT $a", {"a": 5}, 5),
        ("SELECT :a * 10 + :b", {"b": 2, "a": 1}, 12),
        ("SELECT :a + :a", {"a": 4}, 8),
        ("SELECT ?2 - ?1", [1, 9], 8),
        ("SELECT ?1 + ?1", [4], 8),
        ("SELECT ? || ?", ["a", "b"], "ab"),
        ("SELECT ?3", [1, 2, 3], 3),
    ]:
        suite.same("%s with %s" % (sql, json.dumps(bind)), c("query", sql=sql, bind=bind)["rows"], [[want]])
    suite.refused("fewer values than places", lambda: c.query("SELECT ?, ?", 1), -32602)
    suite.refused("a name without value", lambda: c("query", sql="SELECT :a, :b", bind={"a": 1}), -32602)
    suite.refused("more values than places", lambda: c.query("SELECT ?", 1, 2), -32602, 25)
    suite.refused("a name that the statement has not", lambda: c("query", sql="SELECT :a", bind={"b": 1}), -32602, 25)
    suite.same(
        "values of the call before are forgotten",
        [c.query("SELECT ?1, ?2", 1, 2)["rows"], c.query("SELECT ?1, ?2", 3, None)["rows"]],
        [[[1, 2]], [[3, None]]],
    )
    for bad in ("x", 5, True):
        suite.refused("bind: %r" % bad, lambda bad=bad: c("query", sql="SELECT 1", bind=bad), -32602)


@suite.section
def shape_of_answers():
    r = c.query('SELECT 1 AS a, 2 AS a, 3 AS "", 4 AS "x""y"')
    suite.same(
        "duplicate and odd column names",
        (r["columns"], r["rows"], r["done"]),
        (["a", "a", "", 'x"y'], [[1, 2, 3, 4]], True),
    )
    c.exec("CREATE TABLE typed(i INTEGER, r REAL, t TEXT, b BLOB, n NUMERIC, v VARCHAR(10), x)")
    r = c("query", sql="SELECT i, r, t, b, n, v, x, i + 1 FROM typed", want=["types"])
    suite.same("want types", r.get("types"), ["INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", "VARCHAR(10)", None, None])
    suite.same("no rows", (r["rows"], r["done"]), ([], True))
    r = c.exec("INSERT INTO typed(i, r, t) VALUES(1, 1.5, 1) RETURNING i, r, t, b")
    suite.same(
        "RETURNING by exec", (r["columns"], r["rows"], r["changes"]), (["i", "r", "t", "b"], [[1, 1.5, "1", None]], 1)
    )
    r = c.query("UPDATE typed SET i = 2 RETURNING i")
    suite.same("RETURNING by query", (r["columns"], r["rows"], r["done"], r["changes"]), (["i"], [[2]], True, 1))
    r = c.query("DELETE FROM typed")
    suite.same(
        "a write by query",
        (r["columns"], r["rows"], r["done"], r["changes"], r["last_insert_rowid"]),
        ([], [], True, 1, 0),
    )
    r = c.exec("SELECT 5 AS five")
    suite.same("a read by exec", (r["columns"], r["rows"]), (["five"], [[5]]))
    r = c.exec("DELETE FROM typed")
    suite.check("no rows, no key for them", "rows" not in r and "columns" not in r and r["changes"] == 0, r)
    suite.check("ms is a number", isinstance(r.get("ms"), (int, float)), r)


@suite.section
def statement_texts():
    for sql in ("", " ", ";", "-- only a word", "/* nothing */ ;"):
        suite.refused("no statement in %r" % sql, lambda sql=sql: c.query(sql))
    suite.refused("two statements", lambda: c.query("SELECT 1; SELECT 2"), -32602, 1, 21)
    suite.same(
        "a last semicolon, blanks and a comment are no second one", c.query("SELECT 1 ; -- done\n ;")["rows"], [[1]]
    )
    suite.refused("NUL inside the statement", lambda: c.query("SELECT 1\0"), -32602)
    suite.refused("sql of another type", lambda: c("query", sql=5), -32602)
    suite.refused("no sql", lambda: c("query"), -32602)
    e = suite.refused("a syntax error", lambda: c.query("SELECT 1 FROM FROM"), 1)
    suite.check("has its offset", e.data.get("offset") == 14 and e.name == "SQLITE_ERROR", e)
    c.raw(encode({"id": 900, "method": "query", "params": {"sql": "SELECT 'é😀'"}}))
    suite.same("jsonrpc may be missing", c.message(900)["result"]["rows"], [["é😀"]])


suite.run()
