#!/usr/bin/env python3
"""alterctl shell without a terminal: arguments, files, pipes; errors, exit codes, import, output, a daemon that goes."""
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon, memory_counts, program
from limits import scaled
from suite import Suite

suite = Suite(limit=90)
d = Daemon()
home = tempfile.mkdtemp(prefix="alterd-t-")
COUNT = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c LIMIT %d) SELECT %s FROM c"


def shell(*args, script=None, **kw):
    return subprocess.run([program("alterctl"), "--socket", d.socket, "shell", *args],
                          input=script, stdin=None if script is not None else subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=scaled(60), cwd=home, check=False, **kw)


def write(name, text):
    path = os.path.join(home, name)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return name


def ran(what, r, out, code=0, err=None):
    suite.check(what, r.stdout == out and r.returncode == code and (err is None or err in r.stderr),
                "%r %r %d" % (r.stdout[-200:], r.stderr[-200:], r.returncode))


@suite.section
def one_shot():
    ran("two statements", shell("SELECT 1; SELECT 2"), "1\n2\n", 0, "")
    ran("several arguments", shell(".mode csv", "SELECT 'a b'"), '"a b"\n')
    ran("--mode", shell("--mode", "jsonl", "SELECT 1 AS a UNION ALL SELECT NULL"), '{"a":1}\n{"a":null}\n')
    ran("--json", shell("--json", "SELECT 1 AS a"), '[{"a":1}]\n')
    ran("a mode that is none", shell("--mode", "tabel", "SELECT 1"), "", 2, "did you mean table?")
    ran("a trigger", shell("CREATE TABLE tt(a); CREATE TRIGGER tr AFTER INSERT ON tt BEGIN SELECT ';';"
                           " DELETE FROM tt WHERE a=0; END; INSERT INTO tt VALUES(0),(1); SELECT count(*) FROM tt"),
        "1\n")
    ran("nothing", shell(""), "")
    ran("comments alone", shell("/* nothing */ -- at ; all\n;"), "")
    ran("--readonly", shell("--readonly", "SELECT 1; CREATE TABLE never(a)"), "1\n", 1, "READ_ONLY")


@suite.section
def errors_end_a_script_and_tell_the_line():
    ran("an error in a pipe", shell(script="SELECT 1;\n\nSELECT\n  oops;\nSELECT 3;\n"), "1\n", 1,
        "stdin:4: no such column: oops")
    ran("in a file", shell("-f", write("bad.sql", "SELECT 1;\nSELEC 2;\nSELECT 3;\n")), "1\n", 1, "bad.sql:2: ")
    ran("the place is shown", shell("SELECT 1 +;"), "", 1, "SELECT 1 +;")
    ran("bail off goes on", shell(script=".bail off\nSELECT oops;\nSELECT 3;\n"), "3\n", 1, "stdin:2:")
    ran("an unknown command", shell(script=".tabels\nSELECT 1;\n"), "", 2, "stdin:1: no command .tabels; did you mean .tables?")
    ran("a command's own error", shell(script="SELECT 1;\n.mode nonsense\n"), "1\n", 2, "at stdin:2")
    ran("a file that is not there", shell("-f", "none.sql"), "", 66, "none.sql")
    ran("-f without a file", shell("-f"), "", 2)
    ran("bytes that are no UTF-8", shell("-f", write("latin.sql", b"SELECT 1;\nSELECT 'caf\xe9';\n")), "1\n", 1,
        "latin.sql:2: the text is not UTF-8")
    ran("a NUL", shell("-f", write("nul.sql", b"SELECT 'a\0b';\n")), "", 1, "nul.sql:1: a NUL byte")
    ran("an open quote at the end", shell(script="SELECT 1;\nSELECT 'abc"), "1\n", 1, "unrecognized token")
    ran(".quit with a code", shell(script="SELECT 1;\n.quit 7\nSELECT 2;\n"), "1\n", 7)


@suite.section
def files_in_files():
    write("inner.sql", "SELECT 'inner';\n")
    ran(".read", shell(script=".read inner.sql\nSELECT 'outer';\n"), "inner\nouter\n")
    write("self.sql", ".read self.sql\n")
    ran("a file that reads itself", shell("-f", "self.sql"), "", 1, "inside each other")
    r = shell(script=".output out.txt\nSELECT 1;\n.output\nSELECT 2;\n.once one.txt\nSELECT 3;\nSELECT 4;\n")
    ran(".output and .once", r, "2\n4\n")
    suite.same("what went there", [open(os.path.join(home, n)).read() for n in ("out.txt", "one.txt")], ["1\n", "3\n"])
    ran("a command's output too", shell(script=".once st.txt\n.status\nSELECT 1;\n"), "1\n")
    suite.check("it is the status", "writer" in open(os.path.join(home, "st.txt")).read())
    ran("a disk that is full", shell(script=".output /dev/full\nSELECT 1;\n.output\nSELECT 2;\n"), "", 1,
        "No space left on device")
    ran("a file that cannot be written", shell(script=".output /nowhere/x\nSELECT 1;\n"), "", 1, "/nowhere/x")


@suite.section
def transactions_and_parameters():
    shell("CREATE TABLE tx(a)")
    ran("BEGIN .. COMMIT", shell(script="BEGIN;\nINSERT INTO tx VALUES(1);\nCOMMIT;\nSELECT count(*) FROM tx;\n"), "1\n")
    ran("an error leaves nothing of it", shell(script="BEGIN;\nINSERT INTO tx VALUES(2);\nSELECT oops;\nCOMMIT;\n"), "", 1)
    ran("an inner savepoint ends, the transaction does not",
        shell(script="BEGIN;\nSAVEPOINT a;\nINSERT INTO tx VALUES(3);\nROLLBACK TO a;\nRELEASE a;\n.dump tx\nCOMMIT;\n"),
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE tx(a);\nINSERT INTO tx VALUES(1);\nCOMMIT;\n")
    ran("as can be seen", shell("SELECT count(*) FROM tx"), "1\n")
    ran(".parameter", shell(script=".parameter set :a 5\n.param set :b 'it is'\n.parameter set $n NULL\n"
                                   "SELECT :a+1, :b, $n IS NULL, :c IS NULL;\n.parameter list\n.parameter clear\n"),
        "6|it is|1|1\n:a 5\n:b it is\n$n NULL\n")
    ran(".watch so many times", shell(script="SELECT 1;\n.watch 0.01 3\n"), "1\n1\n1\n1\n")
    ran("\\x and \\d", shell(script="\\x\nSELECT 1 AS a;\n\\x\n.mode list\n\\d tx\n"),
        "    a = 1\nColumns:\n+--------+------+------+---------+-----+\n| column | type | null | default | key |\n"
        "+--------+------+------+---------+-----+\n| a      |      |      |         |     |\n"
        "+--------+------+------+---------+-----+\n")
    ran("\\d of no table", shell("\\d tx1"), "", 1, "did you mean tx?")


@suite.section
def help_tells_each_command():
    r = shell(".help")
    for word in (".tables", ".import", ".dump", ".mode", "\\d", ".status", ".up", ".watch"):
        suite.check(word, "\n" + word + " " in "\n" + r.stdout, r.stdout[:300])
    ran(".help mode", shell(".help mode"), shell(".help .mode").stdout)
    suite.check("alterctl's own", "alterctl up" in shell(".help .up").stdout)


@suite.section
def large_results_flow():
    p = subprocess.Popen([program("alterctl"), "--socket", d.socket, "shell", COUNT % (3000000, "x, hex(randomblob(50))")],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = p.stdout.readline()
    p.stdout.close()
    err = p.stderr.read()
    suite.same("head ends it quietly", [first[:2], p.wait(scaled(20)), err], [b"1|", 0, b""])
    for mode in ("table", "json", "line"):
        p = subprocess.Popen([program("alterctl"), "--socket", d.socket, "shell", "--mode", mode,
                              COUNT % (60000, "x, hex(zeroblob(100)) AS z")], stdout=subprocess.PIPE)
        lines = sum(1 for _ in p.stdout)
        _, status, usage = os.wait4(p.pid, 0)
        suite.check("%s: all rows" % mode, lines >= 60000 and status == 0, "%d %d" % (lines, status))
        if memory_counts():
            suite.check("%s: bounded memory" % mode, usage.ru_maxrss < 40 * 1024, "%d KiB" % usage.ru_maxrss)
    r = shell("--mode", "box", COUNT % (12000, "CASE WHEN x > 11000 THEN 'wider than all before' ELSE x END AS x"))
    suite.check("what is wider later goes on in further lines", "│ wider │\n│  than │" in r.stdout, r.stdout[-300:])


@suite.section
def import_of_files():
    write("a.csv", 'id,name,note\r\n1,"Ada ""x"", y","two\nlines"\r\n2,Bo,\n3,Cy\n4,Di,x,extra\n')
    ran("a table of its own", shell(script=".import --csv a.csv imp\nSELECT id, name, quote(note) FROM imp;\n"),
        "1|Ada \"x\", y|'two\nlines'\n2|Bo|''\n3|Cy|NULL\n4|Di|'x'\n", 0, "4 rows imported")
    shell("CREATE TABLE keyed(id INTEGER PRIMARY KEY, v TEXT NOT NULL)")
    rows = ["%d|v%d" % (i, i) for i in range(1, 1201)]
    rows[700] = "5|again"
    rows[900] = "text|x"
    write("b.txt", "\n".join(rows) + "\n")
    ran("bail off passes over rows that are refused",
        shell(script=".bail off\n.import b.txt keyed\nSELECT count(*), max(id) FROM keyed;\n"), "1198|1200\n", 1,
        "b.txt:701: UNIQUE constraint failed: keyed.id")
    shell("DELETE FROM keyed")
    r = shell(script=".import b.txt keyed\n")
    suite.check("else the first one ends it, what came before stays",
                r.returncode == 1 and "700 rows imported, 1 refused" in r.stderr, r.stderr)
    ran("those are there", shell("SELECT count(*), max(id) FROM keyed"), "700|700\n")
    shell("DELETE FROM keyed")
    ran("--skip, and a transaction around it",
        shell(script="BEGIN;\n.import --skip 1150 b.txt keyed\nROLLBACK;\nSELECT count(*) FROM keyed;\n"), "0\n", 0,
        "50 rows imported")
    ran("no such file", shell(".import none.csv keyed"), "", 1, "none.csv")
    ran("an open quote", shell(".import --csv %s keyed" % write("q.csv", '1,"abc\n2,x\n')), "", 1, "q.csv:1: a quote")


@suite.section
def a_dump_makes_it_again():
    text = shell(".dump").stdout
    plain = sqlite3.connect(":memory:")
    plain.executescript(text)
    with d.client() as c:
        for table in ("imp", "keyed", "tx", "tt"):
            suite.same(table, [list(r) for r in plain.execute("SELECT * FROM %s" % table)],
                       c.rows("SELECT * FROM %s" % table))
    plain.close()
    suite.check(".backup", shell(".backup copy.db").stdout.startswith("copy.db "))
    with sqlite3.connect(os.path.join(home, "copy.db")) as copy:
        suite.same("it is a database", copy.execute("PRAGMA integrity_check").fetchall(), [("ok",)])


@suite.section
def a_daemon_that_goes():
    p = subprocess.Popen([program("alterctl"), "--socket", d.socket, "shell"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stdin.write(".bail off\nBEGIN;\nINSERT INTO tx VALUES(9);\nSELECT 'in';\n")
    p.stdin.flush()
    suite.same("a statement ran", p.stdout.readline(), "in\n")
    d.kill()
    d.start()
    out, err = p.communicate("SELECT 'lost';\nSELECT count(*) FROM tx;\n", timeout=scaled(20))
    suite.check("the loss is told, and the next statement runs", out == "1\n" and "the transaction is lost" in err,
                "%r %r" % (out, err))
    d.stop()
    ran("none at all", shell("SELECT 1"), "", 69, "no alterd at")
    d.start()


try:
    suite.run()
finally:
    shutil.rmtree(home, ignore_errors=True)
