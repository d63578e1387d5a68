#!/usr/bin/env python3
"""alterctl shell against sqlite3's shell: the same script, and the same bytes in every mode that both have."""
import os
import random
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon, program
from limits import first_seed, scaled
from suite import Suite

suite = Suite(limit=60)
d = Daemon()

MODES = ["list", "csv", "tabs", "json", "line", "markdown", "insert t", 'insert "a b"', "insert select", "quote",
         "table", "box", "column", "html", "tcl", "ascii", "qbox", "table --wrap 7", "column --wrap 3",
         "box --quote", "markdown --wrap 0"]
NAMES = ["a", '"b c"', '"x""y"', "[select]", '"漢"', '"two\nlines"', '"it\'s"', "é", "Order_1", '"1x"', '""',
         '"a name that is longer than the sixty columns a cell of a table has"']
REALS = ["1e400", "-1e400", "0.0", "-0.0", "1e15", "1e16", "100000000000000.5", "0.1", "1e-5", "0.0001", "5e-324",
         "1.7976931348623157e308", "1e22", "123456789012345678.0", "435624.0", "9.9999999999999995"]
INTEGERS = ["0", "-1", "9223372036854775807", "(-9223372036854775807-1)", "9007199254740993"]
TEXTS = ["a", "", " ", "\t", "'", '"', "\\", ",", "|", ";", "<&>", "é", "漢字", "\u2028", "\U0001f44d\U0001f3fd", "x" * 20,
         "y" * 70, "\\n", "NULL", "e\u0301", "a\tb"]
CALLS = ["char(10)", "char(13)", "char(13,10)", "char(0)", "char(1,27,127)", "char(0x85,0x9b)"]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def every_value():
    """Each kind of value alone and beside others."""
    yield from INTEGERS + REALS + ["NULL", "x''", "x'00'", "x'00ff61'", "x'6162'", "x'c3a9'", "cast(x'61ff62' as text)"]
    yield from (quoted(t) for t in TEXTS)
    yield from ("'a'||%s||'b'||%s" % (c, c) for c in CALLS)


def same(what, script):
    want = subprocess.run(["sqlite3", ":memory:"], input=script.encode(), capture_output=True, check=False)
    got = subprocess.run([program("alterctl"), "--socket", d.socket, "shell"], input=script.encode(),
                         capture_output=True, timeout=scaled(60), check=False)
    a, b = want.stdout, got.stdout
    n = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    if suite.check(what, a == b and len(a) > 0 and got.returncode == 0,
                   "at byte %d of %d, %d: sqlite3 %r, shell %r %r" % (n, len(a), len(b), a[max(0, n - 60):n + 60],
                                                                     b[max(0, n - 60):n + 60], got.stderr[-200:])):
        suite.note("%d bytes" % len(a))


@suite.section
def each_value_in_each_mode():
    values = list(every_value())
    rows = ["%s, %s AS [b c], %d" % (v, values[-i - 1], i) for i, v in enumerate(values)]
    select = "SELECT %s AS a" % rows[0].split(",", 1)[0] + "," + rows[0].split(",", 1)[1] + " AS n"
    one = " UNION ALL ".join([select] + ["SELECT " + r for r in rows[1:]]) + ";"
    lines = []
    for mode in MODES:
        for headers in ("on", "off"):
            lines += [".mode " + mode, ".headers " + headers, one, "SELECT 1 WHERE 0;", "SELECT 2 AS two;"]
    same("every value, %d modes, with headers and without" % len(MODES), "\n".join(lines) + "\n")


@suite.section
def how_null_widths_and_separators_look():
    lines = []
    for mode in MODES:
        lines += [".mode " + mode, ".nullvalue NIL", ".width 5 -9 0 -3",
                  "SELECT NULL AS one, 'abcdefghijkl' AS two, 'x' AS three, 1.5 AS four;",
                  ".nullvalue ''", ".width", ".separator ';' \"\\n\\n\"", "SELECT NULL, 'a;b', 'c,d', 'e';"]
    same("null, widths, separators", "\n".join(lines) + "\n")


@suite.section
def names_that_need_quotes():
    sys.path.insert(0, "")
    source = os.path.join(os.environ.get("ALTERD_SOURCE_DIR", "."), "client", "ctl", "shell_words.c")
    with open(source, encoding="utf-8") as f:
        words = re.findall(r'"([A-Z_]+)"', f.read())
    words += ["user", "rowid", "abc", "text", "integer", "strict", "temp1", "_x", "a$b", "9"]
    lines = [".mode insert t", ".headers on"] + ['SELECT 1 AS "%s";' % w.lower() for w in words]
    same("%d words as names" % len(words), "\n".join(lines) + "\n")


def random_real(rng):
    if rng.random() < 0.2:
        return rng.choice(REALS)
    if rng.random() < 0.6:
        v = struct.unpack("d", struct.pack("Q", rng.getrandbits(64)))[0]
        return repr(v) if v == v and abs(v) < 1e308 else "0.5"
    return repr(round(rng.uniform(-1e6, 1e6), rng.randrange(8)))


def random_value(rng):
    kind = rng.choice(["null", "int", "real", "real", "blob", "bytes", "text", "text", "text"])
    if kind == "null":
        return "NULL"
    if kind == "int":
        return rng.choice(INTEGERS + [str(rng.getrandbits(60))])
    if kind == "real":
        return random_real(rng)
    if kind in ("blob", "bytes"):
        hexed = bytes(rng.choice(b"\0a\xff\n\"'\xc3\xa9,") for _ in range(rng.randrange(6))).hex()
        return "x'%s'" % hexed if kind == "blob" else "cast(x'%s' as text)" % hexed.replace("00", "61")
    return "||".join([quoted(rng.choice(TEXTS))] + [rng.choice([quoted(rng.choice(TEXTS)), rng.choice(CALLS)])
                                                    for _ in range(rng.choice([0, 1, 1, 2, 4]))])


@suite.section
def random_scripts():
    seed = first_seed()
    rng = random.Random(seed)
    lines = []
    for _ in range(300):
        if rng.random() < 0.5:
            lines.append(".mode " + rng.choice(MODES))
        if rng.random() < 0.2:
            lines.append(".headers " + rng.choice(["on", "off"]))
        if rng.random() < 0.1:
            lines.append(".nullvalue " + rng.choice(['""', "NULL", "'n u l l'", "ø"]))
        if rng.random() < 0.05:
            lines.append(".separator " + rng.choice(['";"', '"--"', '"\\t" "\\n\\n"']))
        if rng.random() < 0.1:
            lines.append(".width " + rng.choice(["", "5 -9 0 3", "-4 -4 -4", "70"]))
        cols = [rng.choice(NAMES) for _ in range(rng.randrange(1, 6))]
        rows = ["SELECT " + ", ".join("%s AS %s" % (random_value(rng), c) for c in cols)
                for _ in range(rng.choice([1, 1, 2, 4]))]
        lines.append(" UNION ALL ".join(rows) + ";")
    same("300 statements in random modes (ALTERD_SEED=%d)" % seed, "\n".join(lines) + "\n")


@suite.section
def the_schema_as_sqlite3_tells_it():
    script = (
        'CREATE TABLE user(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, note);\n'
        'CREATE TABLE "a b"(x, g AS (x+1), "select");\nCREATE INDEX user_note ON user(note);\n'
        "CREATE TRIGGER tr AFTER INSERT ON user BEGIN SELECT ';'; UPDATE user SET note=1 WHERE 0; END;\n"
        "CREATE TABLE t3(a);CREATE TABLE a_rather_long_name_of_a_table(a);CREATE TABLE t4(a);CREATE TABLE t5(a);\n"
        "INSERT INTO user(name,note) VALUES('a''b',x'00ff'),('line'||char(10)||'two',0.1),(NULL,1e400);\n"
        "INSERT INTO \"a b\" VALUES(1,-0.0),(NULL,'\\n'||char(13,10));\n"
        ".tables\n.tables t%\n.indexes\n.indexes user\n.schema user\n.dump\n.dump t%\n"
        ".mode list\n.changes on\nDELETE FROM t3;\nINSERT INTO t3 VALUES(1),(2);\n.changes off\n"
        # Comments, several statements in a line, one in several lines, an empty one, the last one without its end.
        "-- a comment; with a semicolon\nSELECT 1; SELECT 2 /* ; */;;\n\nSELECT\n 'a;\nb' -- c;\n ;\n# no SQL\n"
        ".print a 'b  c' \"d\\te\"\nSELECT 3"
    )
    same("tables, indexes, schema, dump, changes, statements", script)


suite.run()
