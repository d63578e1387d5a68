#!/usr/bin/env python3
"""alterctl's commands of migration files: what they send of a folder, and what they tell of the answers.

The daemon here is a stand-in that answers with canned results and keeps what it was asked, so that only the client is
judged.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import fcntl
import json
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import threading

from daemon import program
from limits import scaled
from standin import Refusal, StandIn
from suite import Suite

suite = Suite()
home = tempfile.mkdtemp(prefix="alterd-t-")


class Fake(StandIn):
    def __init__(self, **answers):
        super().__init__(home, **answers)

    def ctl(self, *args, **kw):
        self.asked.clear()
        return ctl("--socket", self.path, *args, **kw)


class Done:
    """A job that has ended by the time somebody looks."""

    def __init__(self, state="done", **more):
        self.job = dict({"id": "m7", "version": 13, "name": "split_name", "state": state, "table": "user"}, **more)

    def __call__(self, _):
        return {"version": 13, "job": self.job}


def ctl(*args, **kw):
    kw.setdefault("cwd", home)
    return subprocess.run(
        [program("alterctl"), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=scaled(30),
        check=False,
        **kw,
    )


def terminal(columns, *args, answer=None):
    """Runs it on a terminal of so many columns, types `answer` when asked; returns exit code and what is seen."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = dict(os.environ, TERM="xterm", NO_COLOR="1")
    p = subprocess.Popen([program("alterctl"), *args], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=home)
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
        if answer and seen.endswith(b"[y/N] "):
            os.write(master, answer + b"\n")
            answer = None
    os.close(master)
    return p.wait(scaled(20)), seen.decode().replace("\r\n", "\n")


def folder(files):
    path = tempfile.mkdtemp(dir=home)
    for name, text in files.items():
        file = os.path.join(path, name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
    return path


def says(what, r, code, *words):
    text = r.stderr + r.stdout
    suite.check(
        what, r.returncode == code and all(w in text for w in words), "%s, %r; wanted %s" % (r.returncode, text, words)
    )


@suite.section
def new():
    where = tempfile.mkdtemp(dir=home)
    r = ctl("new", "add_city", cwd=where)
    says("the first one, in a folder it makes", r, 0)
    suite.same("its path, alone on stdout", (r.stdout, r.stderr), ("migrations/0001_add_city.sql\n", ""))
    with open(os.path.join(where, "migrations/0001_add_city.sql"), encoding="utf-8") as f:
        text = f.read()
    suite.check("both sections", re.fullmatch(r"-- migrate:up\n+-- migrate:down\n+", text), text)
    suite.same("blanks", ctl("new", "Split  the-Name", cwd=where).stdout, "migrations/0002_split__the_name.sql\n")
    d = folder({"0009_x.sql": "", "12_y.sql": "", "13_z.txt": "", "v99.sql": ""})
    suite.same("after the greatest", ctl("new", "a", "--dir", d).stdout, d + "/0013_a.sql\n")
    suite.same("a slash too many", ctl("new", "b", "--dir=" + d + "/").stdout, d + "/0014_b.sql\n")
    suite.same(
        "--json", json.loads(ctl("--json", "new", "c", "--dir", d).stdout), {"version": 15, "path": d + "/0015_c.sql"}
    )
    d = folder({"9999_x.sql": ""})
    suite.same("four digits are no limit", ctl("new", "a", "--dir", d).stdout, d + "/10000_a.sql\n")
    d = folder({})
    names = [os.path.basename(ctl("new", "x", "--dir", d, *o).stdout.strip()) for o in (["--timestamp"], [], [])]
    suite.check("--timestamp", re.fullmatch(r"20\d{12}_x\.sql", names[0]), names)
    suite.check("and on by time, each with its own number", sorted(set(names)) == names, names)
    for bad in ("", " ", "a/b", "é", "a.sql", "../x", "x" * 101):
        says("no name %.20r" % bad, ctl("new", bad, "--dir", d), 2, "name")
    suite.same("nothing is written for these", len(os.listdir(d)), 3)
    d = folder({"9223372036854775807_x.sql": ""})
    says("no number follows", ctl("new", "a", "--dir", d), 1, "no number follows")
    says("no parent folder", ctl("new", "a", "--dir", d + "/no/where"), 1, "cannot make the folder")
    says("a file in its place", ctl("new", "a", "--dir", d + "/9223372036854775807_x.sql"), 1, "Not a directory")


@suite.section
def refused_without_daemon():
    nobody = ("--socket", os.path.join(home, "nobody"))
    for args, words in (
        (("up", "x"), ("number of migrations", '"x"')),
        (("up", "0"), ("number of migrations",)),
        (("up", "1", "--to", "3"), ("exclude",)),
        (("up", "--to", "x"), ("--to takes a version",)),
        (("up", "--to"), ("needs a value",)),
        (("up", "--format", "gose"), ("did you mean goose",)),
        (("up", "--timestamp"), ("does not take --timestamp",)),
        (("list", "--allow-data-loss"), ("does not take", "--allow-data-loss")),
        (("to",), ("missing",)),
        (("to", "-1"), ("version",)),
        (("to", "1", "--to", "2"), ("does not take --to",)),
        (("baseline", "9223372036854775808"), ("version",)),
        (("resolve", "1"), ("--applied and --not-applied",)),
        (("resolve", "x", "--applied"), ("version",)),
        (("repair", "1", "--applied"), ("does not take --applied",)),
        (("redo", "--detach"), ("does not take",)),
        (("query", "--dir", "x", "SELECT 1"), ("does not take --dir",)),
        (("upp",), ("did you mean up",)),
    ):
        says(" ".join(args), ctl(*nobody, *args), 2, *words)
    says("no such folder", ctl(*nobody, "up", "--dir", "gone"), 66, "gone: No such file")
    d = folder({"1_a.sql": "SELECT 1;"})
    says("a file, not a folder", ctl(*nobody, "plan", "--dir", d + "/1_a.sql"), 66, "Not a directory")
    says("no daemon", ctl(*nobody, "up", "--dir", d), 69)
    for what, files, words in (
        ("Latin 1", {"1_a.sql": "-- ok\n", "2_b.sql": b"-- a\n-- caf\xe9\n"}, ("2_b.sql", "line 2", "UTF-8")),
        ("UTF-16", {"1_a.sql": b"\xff\xfe-\x00"}, ("1_a.sql", "line 1", "UTF-8")),
        ("a NUL", {"1_a.sql": b"SELECT\x001;"}, ("1_a.sql", "line 1", "NUL")),
        ("a name that is no text", {b"1_\xff.sql".decode(errors="surrogateescape"): ""}, ("1_\\xff.sql", "UTF-8")),
        ("more than 8 MiB", {"1_a.sql": b"-" * (5 << 20), "2_b.sql": b"-" * (5 << 20)}, ("8 MiB",)),
        ("too many files", {"%d_a.sql" % i: "" for i in range(10001)}, ("10000",)),
        ("a folder called like a file", {"1_a.sql/up.sql": ""}, ("1_a.sql", "no ordinary file")),
    ):
        d = folder(files)
        says(what, ctl(*nobody, "up", "--dir", d), 1, *words)
        shutil.rmtree(d)
    d = folder({})
    os.mkfifo(d + "/1_a.sql")
    says("a pipe does not hang it", ctl(*nobody, "up", "--dir", d), 1, "no ordinary file")
    says("a gap in the permissions is told", ctl(*nobody, "plan", "--dir", ""), 66)


@suite.section
def folders():
    fake = Fake(migrate_list={"version": 0, "latest": 0, "pending": [], "problems": [], "migrations": []})
    text = '-- migrate:up\r\nINSERT INTO t VALUES(\'a\\b "é😀"\t\x01\');\n'
    d = folder({"0010_b.sql": "B", "0002_a.sql": text, "README.md": "x", ".0003_c.sql": "x", "0004_d.sql~": "x"})
    r = fake.ctl("list", "--dir", d)
    says("list --dir", r, 0)
    suite.same(
        "sql files, sorted, to the byte",
        fake.params(),
        {"files": [{"name": "0002_a.sql", "sql": text}, {"name": "0010_b.sql", "sql": "B"}]},
    )
    fake.ctl("list", "--format", "sqlx")
    suite.same("without --dir no files", fake.params(), {"format": "sqlx"})
    d = folder({
        "2024-01-01-000000_a/up.sql": "U", "2024-01-01-000000_a/down.sql": "D",
        "2024-01-01-000000_a/metadata.toml": "run_in_transaction = false\n", "2024-01-01-000000_a/notes.sql": "x",
        "2024-02-01-000000_b/up.sql": "V", "docs/x.sql": "x", "docs/metadata.toml": "x", ".git/up.sql": "x",
    })
    fake.ctl("list", "--dir", d)
    suite.same(
        "diesel's folders",
        [(f["name"], f["sql"]) for f in fake.params()["files"]],
        [
            ("2024-01-01-000000_a/down.sql", "D"),
            ("2024-01-01-000000_a/metadata.toml", "run_in_transaction = false\n"),
            ("2024-01-01-000000_a/up.sql", "U"),
            ("2024-02-01-000000_b/up.sql", "V"),
        ],
    )
    d = folder({"00001_a.sql": "A", "00002_b.go": b"\xffpackage m", "embed.go": "x", "00002_b_test.go": "x"})
    fake.ctl("list", "--dir", d)
    suite.same(
        "of a migration in Go the name",
        fake.params()["files"],
        [{"name": "00001_a.sql", "sql": "A"}, {"name": "00002_b.go", "sql": ""}],
    )
    os.symlink("00001_a.sql", d + "/00003_c.sql")
    os.symlink("gone", d + "/nothing")
    fake.ctl("list", "--dir", d)
    suite.same("links are followed", fake.params()["files"][2], {"name": "00003_c.sql", "sql": "A"})
    big = folder({"1_a.sql": b"\n" * (4 << 20), "2_b.sql": b"x" * (4 << 20)})
    says("8 MiB go through", fake.ctl("list", "--dir", big), 0)
    suite.same("whole", [len(f["sql"]) for f in fake.params()["files"]], [4 << 20, 4 << 20])
    r = fake.ctl("list", "--dir", folder({}))
    says("an empty folder is told", r, 0, "holds no migration files", "there are no migrations")
    suite.same("and sent", fake.params(), {"files": []})


LIST = {
    "version": 13,
    "latest": 16,
    "pending": [11, 15, 16],
    "problems": [
        {"version": 13, "state": "changed"},
        {"version": 12, "state": "no file"},
        {"version": 11, "state": "out of order"},
        {"version": 14, "state": "partial", "done": 2, "total": 5},
    ],
    "migrations": [
        {"version": 9, "name": "users", "state": "applied", "applied_at": "2026-02-01T10:00:00Z", "took_ms": 12,
         "file": True},
        {"version": 11, "name": "late", "state": "pending", "file": True},
        {"version": 12, "name": "add_city", "state": "applied", "applied_at": "2026-02-01T10:00:07Z", "took_ms": 1234,
         "file": False},
        {"version": 13, "name": "split_name\n\u001b[31m", "state": "applied", "applied_at": "2026-03-01T09:00:00Z",
         "took_ms": 7_980_000, "file": True},
        {"version": 15, "name": "a_very_long_name_that_somebody_thought_would_say_it_all_at_once", "state": "pending",
         "file": True},
        {"version": 16, "name": "", "state": "pending", "file": True},
    ],
}


@suite.section
def listing():
    fake = Fake(migrate_list=LIST)
    r = fake.ctl("list")
    want = """\
version 13   latest 16   pending 3   problems 4
 [X]   9  users                                     2026-02-01 10:00  12ms
 [!]  11  late                                                                out of order
 [?]  12  add_city                                  2026-02-01 10:00  1.2s    no file
 [!]  13  split_name \\x1b[31m                       2026-03-01 09:00  2h 13m  changed
 [ ]  15  a_very_long_name_that_somebody_thought_would_say_it_all_at_once
 [ ]  16
 [!]  14  partial 2/5
"""
    suite.same("marks, times, problems", r.stdout.splitlines(), want.splitlines())
    says("what is next", r, 0, "alterctl repair 13")
    suite.same("--json is the answer", json.loads(fake.ctl("--json", "list").stdout), LIST)
    for columns in (80, 120):
        code, seen = terminal(columns, "--socket", fake.path, "list")
        widest = max(len(line) for line in seen.splitlines())
        suite.check("fits %d columns" % columns, code == 0 and widest <= columns, seen)
        suite.check("and cuts the name, not the problem", "…" in seen and "2h 13m  changed" in seen, seen)
    fine = dict(LIST, problems=[], migrations=LIST["migrations"][:1])
    says("pending", Fake(migrate_list=fine).ctl("list"), 0, "next: alterctl plan  |  alterctl up")


PLAN = {
    "from": 12,
    "to": 14,
    "steps": [
        {"version": 13, "name": "split_name", "direction": "up", "strategy": "rebuild", "table": "user",
         "rows": 1000000, "needs_bytes": 180355072, "blocks_writes_ms": 5, "reversible": False,
         "warnings": ["said twice", "of the version"],
         "statements": [
             {"line": 3, "sql": "ALTER TABLE user\n\tADD COLUMN first_name TEXT", "strategy": "instant",
              "table": "user", "destructive": False, "warnings": []},
             {"line": 12, "sql": "ALTER TABLE user DROP COLUMN name, " + "ALTER a TYPE REAL, " * 9,
              "strategy": "rebuild", "destructive": True, "warnings": ["said twice"]}]},
        {"version": 14, "name": "add_note", "direction": "up", "strategy": "instant", "table": "user",
         "reversible": True, "warnings": [], "statements": []},
    ],
}


@suite.section
def planning():
    fake = Fake(migrate_plan=PLAN)
    d = folder({"1_a.sql": "A"})
    r = fake.ctl("plan", "2", "--dir", d, "--format", "dbmate", "--allow-out-of-order")
    suite.same(
        "what is asked",
        fake.params(),
        {"steps": 2, "allow_out_of_order": True, "format": "dbmate", "files": [{"name": "1_a.sql", "sql": "A"}]},
    )
    lines = r.stdout.splitlines()
    suite.same(
        "its text",
        lines[:3] + [lines[3][:59]] + lines[4:],
        [
            "version 12 -> 14   2 migrations",
            " 13  split_name  rebuild user  ~1.0M rows  needs 172.0 MiB  holds writes 5 ms  no way back",
            "     line  3: instant  ALTER TABLE user ADD COLUMN first_name TEXT",
            "     line 12: rebuild  ALTER TABLE user DROP COLUMN name, A",
            "       loses data: needs --allow-data-loss where there is any",
            "       warning: said twice",
            "       warning: of the version",
            " 14  add_note  instant user",
        ],
    )
    says("what is next", r, 0, "next: alterctl to 14 --dir " + d)
    _, seen = terminal(80, "--socket", fake.path, "plan")
    suite.check("SQL is cut to the terminal", all(len(x) <= 80 for x in seen.splitlines() if "line" in x), seen)
    fake.ctl("plan", "--to", "0012")
    suite.same("--to", fake.params(), {"to": 12})
    fake.ctl("up", "-n", "1")
    suite.same("up -n is plan", fake.asked, [("migrate.plan", {"steps": 1})])
    fake.ctl("to", "--dry-run", "9")
    suite.same("to -n as well", fake.asked, [("migrate.plan", {"to": 9})])
    down = dict(PLAN, to=11, steps=[dict(PLAN["steps"][1], direction="down", version=12)])
    says("down is said", Fake(migrate_plan=down).ctl("plan", "--to", "11"), 0, "1 migration\n", "down, instant user")
    none = Fake(migrate_plan={"from": 12, "to": 12, "steps": []})
    suite.same("nothing pending", none.ctl("plan").stdout, "nothing pending; version 12\n")


@suite.section
def running():
    fake = Fake(migrate_up={"job": "m7", "from": 12, "to": 14}, migrate_down={"job": "m7", "from": 14, "to": 12},
                migrate_to={"job": "m7", "from": 12, "to": 9}, migrate_status=Done())
    d = folder({"1_a.sql": "A"})
    r = fake.ctl("up", "2", "--dir", d, "-f", "--allow-out-of-order", "--postpone-cutover")
    suite.same(
        "up: what is asked",
        fake.params(),
        {"steps": 2, "allow_out_of_order": True, "files": [{"name": "1_a.sql", "sql": "A"}], "allow_data_loss": True,
         "postpone_cutover": True},
    )
    r = fake.ctl("up")
    suite.same("without anything", fake.asked[0], ("migrate.up", {}))
    says("followed to its end", r, 0, "13 split_name done: user is changed")
    suite.check("where it is now", r.stdout.endswith("version 12 -> 14\n"), r.stdout)
    fake.ctl("migrate", "--to", "14")
    suite.same("by another name", fake.asked[0], ("migrate.up", {"to": 14}))
    says("down", fake.ctl("down"), 0, "version 14 -> 12")
    suite.same("one is the daemon's default", fake.asked[0], ("migrate.down", {}))
    fake.ctl("rollback", "2")
    suite.same("down N", fake.asked[0], ("migrate.down", {"steps": 2}))
    says("to", fake.ctl("to", "0009"), 0, "version 12 -> 9")
    suite.same("its version", fake.asked[0], ("migrate.to", {"version": 9}))
    r = fake.ctl("up", "--detach")
    suite.same("--detach", (r.returncode, r.stdout, fake.methods()), (0, "m7\n", ["migrate.up"]))
    r = fake.ctl("--json", "up")
    suite.same("--json waits in the daemon", (fake.asked, json.loads(r.stdout)),
               ([("migrate.up", {"wait": True})], {"job": "m7", "from": 12, "to": 14}))
    fake.answers["migrate.status"] = Done("failed", error={"message": "no such table: x", "name": "FAILED_MIGRATION"})
    says("a failure", fake.ctl("up"), 1, "13 split_name failed: no such table: x")
    none = {"job": None, "from": 12, "to": 12, "state": "done"}
    fake = Fake(migrate_up=none, migrate_down=none, migrate_to=none)
    suite.same("nothing pending", fake.ctl("up").stdout, "nothing pending; version 12\n")
    suite.same("nothing to take back", fake.ctl("down").stdout, "nothing to take back; version 12\n")
    suite.same("nothing to do", fake.ctl("to", "12").stdout, "nothing to do; version 12\n")


@suite.section
def refusals():
    def needs_force(params):
        if not params.get("allow_data_loss"):
            raise Refusal(-32025, "NEEDS_FORCE", "column legacy of user has 5 values")
        return {"job": "m7", "from": 12, "to": 11}

    fake = Fake(migrate_down=needs_force, migrate_up=needs_force, migrate_status=Done())
    says("data loss, nobody to ask", fake.ctl("down"), 1, "5 values", "--allow-data-loss")
    says("consented to", fake.ctl("down", "-f"), 0, "version 12 -> 11")
    code, seen = terminal(80, "--socket", fake.path, "up", answer=b"y")
    suite.check("asked, yes", code == 0 and "5 values" in seen and "version 12 -> 11" in seen, seen)
    fake.asked.clear()
    code, seen = terminal(80, "--socket", fake.path, "up", answer=b"n")
    suite.check("asked, no", code == 1 and "nothing is changed" in seen and len(fake.asked) == 1, (seen, fake.asked))
    fake.asked.clear()
    code, seen = terminal(80, "--socket", fake.path, "down", "3", answer=b"n")
    suite.check("down asks on a terminal", code == 1 and "the last 3" in seen and not fake.asked, (seen, fake.asked))
    code, seen = terminal(80, "--socket", fake.path, "down", "-f")
    suite.check("not with -f", code == 0 and "[y/N]" not in seen, seen)

    def refuse(code, name, message):
        def answer(_):
            raise Refusal(code, name, message)

        return answer

    for name, code, exit_code in (
        ("CHECKSUM_MISMATCH", -32022, 1),
        ("OUT_OF_ORDER", -32023, 1),
        ("DENIED", -32002, 77),
    ):
        fake.answers["migrate.up"] = refuse(code, name, "it says why")
        says(name, fake.ctl("up"), exit_code, "it says why", name)
    r = fake.ctl("--json", "up")
    suite.same("as JSON on stderr", (r.stdout, json.loads(r.stderr)["code"]), ("", -32002))


@suite.section
def detaching():
    """Ctrl-C while it runs."""
    looked = threading.Event()

    def status(_):
        looked.set()
        return {"job": {"id": "m7", "version": 13, "name": "split_name", "state": "running", "phase": "backfilling"}}

    fake = Fake(migrate_up={"job": "m7", "from": 12, "to": 14}, migrate_status=status)
    p = subprocess.Popen([program("alterctl"), "--socket", fake.path, "up"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    suite.check("it follows", looked.wait(scaled(20)))
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=scaled(20))
    suite.same("detached", (p.returncode, out), (130, ""))
    suite.check("says what goes on", "m7 goes on in the daemon" in err, err)


@suite.section
def again():
    fake = Fake(migrate_down={"job": "m7", "from": 13, "to": 12}, migrate_up={"job": "m8", "from": 12, "to": 13})
    fake.answers["migrate.status"] = lambda _: {
        "job": dict(Done().job, id="m7" if fake.methods().count("migrate.up") == 0 else "m8")
    }
    d = folder({"1_a.sql": "A"})
    files = [{"name": "1_a.sql", "sql": "A"}]
    says("redo", fake.ctl("redo", "--dir", d, "-f"), 0, "version 13 -> 12\n", "version 12 -> 13\n")
    suite.same(
        "down 1, up 1, with the files and the consent",
        [a for a in fake.asked if a[0] != "migrate.status"],
        [(m, {"steps": 1, "files": files, "allow_data_loss": True}) for m in ("migrate.down", "migrate.up")],
    )
    r = fake.ctl("--json", "redo")
    suite.same("--json: a line each", [json.loads(x)["job"] for x in r.stdout.splitlines()], ["m7", "m8"])
    fake.answers["migrate.down"] = {"job": None, "from": 0, "to": 0, "state": "done"}
    for args in (("redo",), ("--json", "redo")):
        fake.ctl(*args)
        suite.same("nothing down, nothing up: " + " ".join(args), fake.methods(), ["migrate.down"])


@suite.section
def history():
    fake = Fake(migrate_baseline=lambda p: {"version": p["version"], "recorded": list(range(1, p["version"] + 1)),
                                            "dry_run": p.get("dry_run", False)},
                migrate_repair={"version": 13, "checksum": "ab12"},
                migrate_resolve=lambda p: {"version": p["version"], "applied": p["applied"], "done": 2, "total": 5})
    r = fake.ctl("baseline", "3", "--from", "goose")
    suite.same("baseline: asked", fake.params(), {"version": 3, "from": "goose"})
    suite.same("told", r.stdout, "version 3: recorded 3 migrations as applied: 1, 2, 3\n")
    r = fake.ctl("baseline", "40", "-n")
    suite.same("dry run: asked", fake.params(), {"version": 40, "dry_run": True})
    says("told", r, 0, "would record 40 migrations as applied: 1, 2, 3 ... 40\n", "Nothing was run or written")
    r = fake.ctl("repair", "13", "--dir", folder({"13_a.sql": "A"}))
    suite.same("repair: asked", fake.params(), {"version": 13, "files": [{"name": "13_a.sql", "sql": "A"}]})
    says("told", r, 0, "version 13", "counts as applied", "ab12")
    r = fake.ctl("resolve", "13", "--applied", "--dir", folder({"13_a.sql": "A"}))
    suite.same("resolve: asked", fake.params(), {"version": 13, "applied": True, "files": [{"name": "13_a.sql", "sql": "A"}]})
    says("told", r, 0, "version 13: counts as applied, after 2 of 5 statements", "Nothing was run.")
    r = fake.ctl("resolve", "13", "--not-applied")
    suite.same("the other word", fake.params(), {"version": 13, "applied": False})
    says("told", r, 0, "version 13: counts as never begun", "next: alterctl up")


@suite.section
def helps():
    for name in ("list", "plan", "up", "down", "to", "redo", "new", "baseline", "repair", "resolve", "validate", "dump"):
        r = ctl(name, "--help")
        wide = [x for x in r.stdout.splitlines() if len(x) > 100]
        suite.check(name, r.returncode == 0 and r.stdout.startswith("Examples\n  ") and not wide, (wide, r.stdout))


try:
    suite.run()
finally:
    shutil.rmtree(home, ignore_errors=True)
