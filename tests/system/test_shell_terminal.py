#!/usr/bin/env python3
"""alterctl shell in a real terminal: editing, history, completion, Ctrl-C, prompts, tables that fit, .watch."""
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon, program
from limits import until
from suite import Suite
from shell_terminal import Terminal

suite = Suite(limit=120)
d = Daemon(settings={"limits.tx_time": "60s", "limits.tx_idle": "30s"})
home = tempfile.mkdtemp(prefix="alterd-t-")
HISTORY = os.path.join(home, "alterd", "history")
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT count(*) FROM c;"


def shell(*args, daemon=d, **kw):
    t = Terminal([program("alterctl"), "--socket", daemon.socket, "shell", *args],
                 env={"XDG_STATE_HOME": home, "LC_ALL": "C.UTF-8", "HOME": home}, **kw)
    t.at_prompt("alterd(ro)>" if "--readonly" in args else "alterd>")
    return t


def edits():
    """Whether this build has a line editor."""
    linked = subprocess.run(["ldd", program("alterctl")], capture_output=True, text=True, check=False).stdout
    return "libedit" in linked


def said(t, text):
    return suite.check("%r is shown" % text, t.shows(text) is not None)


@suite.section
def statements_and_prompts():
    with d.client() as c:
        c("batch", script="CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT, age INT);"
                          "CREATE TABLE \"my table\"(a); CREATE INDEX user_age ON user(age);"
                          "INSERT INTO user VALUES(1,'Ada',36),(2,NULL,41)")
    t = shell()
    t.line("SELECT 1 AS one,")
    said(t, "   ...>")
    t.line("  '漢字é' AS two;")
    said(t, "+-----+-------+\n| one |  two  |\n+-----+-------+\n| 1   | 漢字é |")
    t.line("SELECT * FROM user;")
    said(t, "| 2  | NULL | 41  |")
    t.line("SELECT 'a'||char(27)||'[31mred', 'tab'||char(9)||'x';")
    said(t, "a\\x1b[31mred")
    t.line("BEGIN;")
    t.at_prompt("alterd*>")
    t.line("SELECT oops;")
    said(t, "no such column: oops")
    t.at_prompt("alterd*>")
    t.line("INSERT OR ROLLBACK INTO user VALUES(1,'again',1);")
    t.at_prompt("alterd!>")
    t.line("ROLLBACK;")
    t.at_prompt()
    t.line(".mode json")
    t.line("SELECT char(0x9b) || 'x' AS a;")
    said(t, '[{"a":"\\u009bx"}]')
    t.line(".mode table")
    t.line("\\d user")
    said(t, "user_age")
    t.line("ALTER TABLE user ALTER age TYPE REAL;")
    said(t, "next: .alter 'SQL'")
    t.line(".alter 'ALTER TABLE user ALTER age TYPE REAL'")
    said(t, "m1 alter done: user is changed")
    t.line(".tabels")
    said(t, "did you mean .tables?")
    t.line(".quit")
    suite.same("left with 0", t.exit_code(), 0)


@suite.section
def a_table_fits_the_terminal():
    t = shell(columns=50)
    t.line("SELECT 'a long text of many words that does not fit' AS a, 'and another one that is as long' AS b;")
    seen = t.shows("+-", 10)
    rows = [line for line in seen.split("\n") if line.startswith(("|", "+"))]
    suite.check("no line is wrapped by the terminal", rows and all(len(r) == len(rows[0]) <= 50 for r in rows), rows)
    text = "".join(r.split("|")[1].strip(" ") + " " * r.split("|")[1].endswith("  ") for r in rows if r[0] == "|")
    suite.check("nothing is lost", "fit" in text.replace(" ", ""), text)
    t.line("\\x")
    t.line("SELECT 1 AS a;")
    said(t, "    a = 1")
    t.key("C-d")
    suite.same("Ctrl-D leaves", t.exit_code(), 0)


@suite.section
def a_line_is_edited_and_comes_back():
    if not edits():
        return suite.skip("editing", "built without libedit")
    t = shell()
    t.type("SELEC 'né' AS word;")
    t.key("Home", "Right", "Right", "Right", "Right", "Right")
    t.type("T", "End", *["Left"] * 10, "BSpace")
    t.type("漢", "Enter")
    said(t, "| n漢  |")
    t.line("SELECT 1,")
    t.line(" 2 AS lines;")
    t.shows("| lines |")
    t.line(" SELECT 'secret';")
    t.shows("| secret")
    t.key("Up")
    t.until("both lines come back", lambda s: s.endswith("alterd> SELECT 1,\n 2 AS lines;"))
    t.key("Up")
    t.until("and the one before", lambda s: s.rsplit("\n", 1)[-1] == "alterd> SELECT 'n漢' AS word;")
    t.key("C-c")
    t.at_prompt()
    t.line(".quit")
    t.exit_code()
    with open(HISTORY, encoding="utf-8") as f:
        kept = f.read().split("\n")
    suite.check("the file has them a line each", "SELECT 1,\\n 2 AS lines;" in kept, kept)
    suite.check("but not what began with a blank", not any("secret" in k for k in kept), kept)
    suite.same("it is private", stat.S_IMODE(os.stat(HISTORY).st_mode), 0o600)
    t = shell()
    t.key("Up", "Up")
    t.until("another shell has it", lambda s: s.endswith("alterd> SELECT 1,\n 2 AS lines;"))
    t.key("Enter")
    t.shows("| lines |")
    t.end()


@suite.section
def a_history_stays_short():
    if not edits():
        return suite.skip("history", "built without libedit")
    with open(HISTORY, "w", encoding="utf-8") as f:
        f.writelines("SELECT %d;\n" % i for i in range(5000))
    t = shell()
    t.key("Up")
    t.until("the last one", lambda s: s.endswith("alterd> SELECT 4999;"))
    t.end()
    with open(HISTORY, encoding="utf-8") as f:
        lines = f.read().split("\n")
    suite.same("the newest thousand are kept", [len(lines), lines[0]], [1001, "SELECT 4000;"])


@suite.section
def a_tab_completes():
    if not edits():
        return suite.skip("completion", "built without libedit")
    t = shell()

    def completes(typed, to):
        t.type(typed, "Tab")
        t.until("%s completed" % typed, lambda s: s.rsplit("\n", 1)[-1].rstrip() == "alterd> " + to)
        suite.check("%s is %s" % (typed, to), True)
        t.key("C-c")
        t.until("dropped", lambda s: s.endswith("^C\nalterd>"))

    completes("sel", "select")
    completes("SELECT * FROM user AS u WHERE u.na", "SELECT * FROM user AS u WHERE u.name")
    completes(".mode markd", ".mode markdown")
    with d.client() as c:
        c.exec("CREATE TABLE brand_new_one(a)")
    completes("SELECT * FROM bra", "SELECT * FROM brand_new_one")
    t.type("SELECT * FROM ", "Tab")
    seen = t.shows('"my table"')
    suite.check("what there is is listed", "brand_new_one" in seen and "user" in seen, seen)
    t.end()


@suite.section
def ctrl_c():
    t = shell()
    t.line(ENDLESS)
    with d.client() as c:
        until("it runs", lambda: any(s["state"] == "active" for s in c("sessions")["sessions"]))
        t.key("C-c")
        said(t, "interrupted")
        t.at_prompt()
        until("nothing runs any more", lambda: all(s["state"] != "active" for s in c("sessions")["sessions"]
                                                   if s["statement"] != "sessions"))
    t.line("SELECT 'still' || 'here';")
    said(t, "| stillhere")
    t.line("SELECT 1,")
    t.shows("   ...>")
    t.key("C-c")
    t.at_prompt()
    t.type("garbage")
    t.key("C-c")
    t.at_prompt()
    t.key("C-c")
    said(t, "Ctrl-C once more")
    t.at_prompt()
    t.key("C-c")
    suite.same("twice on an empty line leaves", t.exit_code(), 0)


@suite.section
def a_daemon_that_does_not_answer():
    t = shell()
    d.process.send_signal(signal.SIGSTOP)
    try:
        t.line("SELECT 'unheard';")
        until("the line is read, so that Ctrl-C is a signal", t.makes_signals)
        t.key("C-c")
        t.until("it is shown", lambda s: "^C" in s)
        t.key("C-c")
        said(t, "the next statement connects again")
        t.at_prompt()
    finally:
        d.process.send_signal(signal.SIGCONT)
    t.line("SELECT 'heard';")
    said(t, "| heard")
    t.end()


@suite.section
def watching():
    t = shell()
    t.line("SELECT count(*) AS n FROM user;")
    t.shows("| 2 |")
    t.line(".watch 0.05")
    t.shows("(every 0.05s)")
    with d.client() as c:
        c.exec("INSERT INTO user(name) VALUES('Cy')")
    said(t, "| 3 |")
    t.key("C-c")
    t.at_prompt()
    t.line("SELECT 'after';")
    said(t, "| after")
    t.end()


@suite.section
def a_lost_daemon():
    t = shell("--readonly")
    t.line("CREATE TABLE t(a);")
    said(t, "READ_ONLY")
    t.line("BEGIN;")
    t.at_prompt("alterd(ro)*>")
    d.kill()
    t.line("SELECT 1;")
    said(t, "the transaction is lost")
    t.at_prompt("alterd(ro)>")
    t.line("SELECT 1;")
    said(t, "no alterd at")
    d.start()
    t.line("SELECT 'back';")
    said(t, "connected again")
    said(t, "| back")
    t.end()


@suite.section
def a_dumb_terminal():
    t = Terminal([program("alterctl"), "--socket", d.socket, "shell"], env={"TERM": "dumb", "XDG_STATE_HOME": home})
    t.at_prompt()
    t.line("SELECT 1,")
    t.shows("   ...>")
    t.line("2 AS two;")
    said(t, "| two |")
    t.line(ENDLESS)
    with d.client() as c:
        until("it runs", lambda: any(s["state"] == "active" for s in c("sessions")["sessions"]))
    t.key("C-c")
    said(t, "interrupted")
    t.at_prompt()
    t.key("C-d")
    suite.same("left with 0", t.exit_code(), 0)


try:
    suite.run()
finally:
    Terminal.end_all()
    shutil.rmtree(home, ignore_errors=True)
