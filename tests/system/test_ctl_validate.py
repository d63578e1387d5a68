#!/usr/bin/env python3
"""alterctl validate: folders of several forms that are what they should be, and each rule broken once."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

from daemon import Daemon, program
from limits import scaled, until
from suite import Suite

suite = Suite(limit=240)
home = tempfile.mkdtemp(prefix="alterd-t-")

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d) "

SHOP = {
    "0001_shop.sql": "-- migrate:up\n"
    "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT, amount TEXT);\n"
    "CREATE TABLE bill(id INTEGER PRIMARY KEY, user INTEGER REFERENCES user(id) ON DELETE CASCADE);\n"
    "INSERT INTO user " + NUMBERS % 500 + "SELECT i, 'name '||i, i FROM n;\n"
    "INSERT INTO bill SELECT id, id FROM user;\n"
    "-- migrate:down\nDROP TABLE bill;\nDROP TABLE user;\n",
    "0002_amount.sql": "-- migrate:up\nALTER TABLE user ALTER amount TYPE REAL;\n"
    "-- migrate:down\nALTER TABLE user ALTER amount TYPE TEXT;\n",
    "0003_not_null.sql": "-- migrate:up\nPRAGMA foreign_keys=OFF;\nBEGIN;\n"
    "CREATE TABLE new_user(id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount REAL);\n"
    "INSERT INTO new_user SELECT id, name, amount FROM user;\nDROP TABLE user;\n"
    "ALTER TABLE new_user RENAME TO user;\nCOMMIT;\nPRAGMA foreign_keys=ON;\n"
    "-- migrate:down\nALTER TABLE user ALTER name DROP NOT NULL;\n",
    "0004_city.sql": "-- migrate:up\nALTER TABLE user ADD COLUMN city TEXT;\n"
    "ALTER TABLE user RENAME COLUMN name TO full_name;\n"
    "-- migrate:down\nALTER TABLE user RENAME COLUMN full_name TO name;\nALTER TABLE user DROP COLUMN city;\n",
    "0005_index.sql": "-- migrate:up\nCREATE INDEX user_city ON user(city);\nCREATE VIEW rich AS SELECT id FROM user;\n"
    "-- migrate:down\nDROP VIEW rich;\nDROP INDEX user_city;\n",
}

TABLE = "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);\n"
ALTER = "ALTER TABLE t ADD COLUMN c TEXT;\n"
UNDO = "ALTER TABLE t DROP COLUMN c;\n"

# Two versions in each form; the second can be taken back where the form knows a way.
FORMS = {
    "dbmate": {
        "0001_t.sql": "-- migrate:up\n" + TABLE,
        "0002_c.sql": "-- migrate:up\n" + ALTER + "-- migrate:down\n" + UNDO,
    },
    "goose": {
        "00001_t.sql": "-- +goose Up\n" + TABLE,
        "00002_c.sql": "-- +goose Up\n" + ALTER + "-- +goose Down\n" + UNDO,
    },
    "golang-migrate": {
        "1_t.up.sql": TABLE,
        "2_c.up.sql": ALTER,
        "2_c.down.sql": UNDO,
    },
    "sqlx": {"1_t.sql": "-- no-transaction\n" + TABLE, "2_c.sql": ALTER},
    "diesel": {
        "2024-01-01-000001_t/up.sql": TABLE,
        "2024-01-01-000002_c/up.sql": ALTER,
        "2024-01-01-000002_c/down.sql": UNDO,
    },
    "sqflite": {
        "0001_t.sql": "-- UP --\n" + TABLE,
        "0002_c.sql": "-- UP --\n" + ALTER + "-- DOWN --\n" + UNDO,
    },
    "flyway": {"V1__t.sql": TABLE, "V2__c.sql": ALTER, "U2__c.sql": UNDO},
    "refinery": {"V1__t.sql": TABLE, "V2__c.sql": ALTER},
}
NAMED = ("flyway", "refinery")


def folder(files):
    path = tempfile.mkdtemp(dir=home)
    for name, text in files.items():
        file = os.path.join(path, name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
    return path


def scratch():
    """What private daemons have left."""
    return [n for n in os.listdir(home) if n.startswith("alterctl-")]


def env(**more):
    return dict(os.environ, TMPDIR=home, ALTERD_SOCKET=os.path.join(home, "nobody"), **more)


def ctl(*args, **kw):
    return subprocess.run(
        [program("alterctl"), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=scaled(120),
        check=False,
        cwd=kw.pop("cwd", home),
        env=kw.pop("env", env()),
        **kw
    )


def validate(files, *args):
    """Exit code and the answer as an object."""
    r = ctl("--json", "validate", folder(files), *args)
    try:
        return r.returncode, json.loads(r.stdout)
    except ValueError:
        return r.returncode, {"text": r.stdout + r.stderr, "problems": [], "warnings": [], "versions": []}


def states(answer):
    return [(v["version"], v["state"]) for v in answer["versions"]]


@suite.section
def a_folder_that_is_right():
    code, a = validate(SHOP)
    suite.same("exit code", code, 0)
    suite.same("each version", states(a), [(i, "ok") for i in range(1, 6)])
    suite.check("nothing found", a["valid"] and a["problems"] == [], a)
    r = ctl("validate", cwd=os.path.dirname(shutil.copytree(folder(SHOP), os.path.join(home, "x", "migrations"))))
    suite.same("the folder migrations by itself", r.returncode, 0)
    lines = r.stdout.splitlines()
    suite.same("a line a version, and one for all", len(lines), 6)
    suite.check("what was done", lines[3] == " [X]  4  city      up, down, up", lines)
    suite.same("the verdict", lines[5], "valid: 5 versions, format dbmate")
    suite.same("no private daemon's folder is left", scratch(), [])


@suite.section
def forms():
    for form, files in FORMS.items():
        code, a = validate(files, *(["--format", form] if form in NAMED else []))
        suite.check(form, code == 0 and len(states(a)) == 2 and a["format"] == form, (code, a))
        want = form not in ("sqlx", "refinery")
        suite.same(form + ": its way down is tried", a["versions"][-1].get("reversible") if a["versions"] else None, want)
    r = ctl("validate", folder(FORMS["flyway"]))
    suite.check("a form that must be named", r.returncode == 1 and "format=flyway" in r.stderr, r.stderr)
    r = ctl("validate", folder({}))
    suite.check("an empty folder", r.returncode == 0 and "no migration files" in r.stderr, (r.returncode, r.stderr))


def broken(what, files, *words, state=None, version=None, args=()):
    """Something is found, and told with these words; the same in text."""
    code, a = validate(files, *args)
    found = [p for p in a["problems"] if all(w in p["message"] for w in words)]
    suite.check(what, code == 1 and not a.get("valid") and found, (code, a))
    if found and state:
        suite.same(what + ": its kind", found[0]["state"], state)
    if found and version:
        suite.same(what + ": its version", found[0].get("version"), version)
    return found[0] if found else {}


@suite.section
def files():
    both = {"0001_a.sql": "-- migrate:up\nSELECT 1;\n", "1_b.sql": "-- migrate:up\nSELECT 2;\n"}
    p = broken("a number twice", both, "1_b.sql", "0001_a.sql", state="duplicate")
    suite.same("its file", p.get("file"), "1_b.sql")
    broken("a name without a number", {"x.sql": "-- migrate:up\n"}, "x.sql", state="invalid")
    broken("two forms", {"1_a.sql": "-- migrate:up\n", "2_b.sql": "-- +goose Up\n"}, "2_b.sql", "1_a.sql")
    broken("a number of 20 digits", {"99999999999999999999_a.sql": "-- migrate:up\n"}, "99999999999999999999_a.sql")
    p = broken("half a trigger", {"1_a.sql": "-- migrate:up\n\nCREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1;\n"}, "1_a.sql")
    suite.same("its line", p.get("line"), 3)
    p = broken("a directive that is none", {"1_a.sql": "-- migrate:up\n-- alterd: mode=fast\nSELECT 1;\n"}, "fast")
    suite.same("its line as well", p.get("line"), 2)
    p = broken("ATTACH", {"1_a.sql": "-- migrate:up\nSELECT 1;\nATTACH 'x' AS y;\n"}, "ATTACH", state="refused", version=1)
    suite.same("where", (p.get("file"), p.get("line")), ("1_a.sql", 3))
    broken("VACUUM on the way down", {"1_a.sql": "-- migrate:up\nSELECT 1;\n-- migrate:down\nVACUUM;\n"}, "VACUUM")
    broken("online in vain", {"1_a.sql": "-- migrate:up\n-- alterd: mode=online\nCREATE TABLE a(x);\nCREATE TABLE b(x);\n"}, "mode=online")
    code, a = validate({"1_a.sql": "-- migrate:up\n-- alterd: x=1\n", "2_b.sql": "-- migrate:up\nATTACH 'x' AS y;\n",
                        "2_c.sql": "-- migrate:up\n", "z.sql": "-- migrate:up\n", "3_d.sql": "-- migrate:up\nSELECT 1;\n"})
    suite.same("all that is wrong at once", sorted(p["file"] for p in a["problems"]), ["1_a.sql", "2_b.sql", "2_c.sql", "z.sql"])
    suite.same("what is left is read", states(a), [(2, "failed"), (3, "not run")])
    code, a = validate({"1_a.up.sql": "SELECT 1;\n", "1_a.down.sql": "", "2_b.up.sql": "-- alterd: x=1\n", "2_b.down.sql": ""})
    suite.same("a half whose other half is wrong is no problem of its own", [p["file"] for p in a["problems"]], ["2_b.up.sql"])
    code, a = validate({"9_a.sql": "-- migrate:up\nSELECT 1;\n", "10_b.sql": "-- migrate:up\nSELECT 1;\n"})
    suite.check("text order is warned of", code == 0 and any("10_b.sql" in w and "9_a.sql" in w for w in a["warnings"]), a)
    r = ctl("validate", folder({"1_a.sql": "-- migrate:up\nATTACH 'x' AS y;\n"}))
    suite.check("as text: a code, file and line", r.returncode == 1 and "1_a.sql: line 2: ATTACH" in r.stderr
                and r.stdout.startswith(" [!]  1  a  failed\nnot valid: 1 version,"), (r.stdout, r.stderr))


def up(text, down=None):
    return "-- migrate:up\n" + text + ("" if down is None else "-- migrate:down\n" + down)


@suite.section
def runs():
    broken("SQL that fails", {"1_a.sql": up(TABLE), "2_b.sql": up("SELECT 1;\nINSERT INTO no_table VALUES(1);\n")},
           "2_b.sql:3", "no_table", state="fresh", version=2)
    broken("a row that does not fit", {"1_a.sql": up(TABLE + "INSERT INTO t VALUES(1,NULL);\n"),
                                       "2_b.sql": up("ALTER TABLE t ALTER b SET NOT NULL;\n")}, "2_b.sql", version=2)
    code, a = validate({"1_a.sql": up(TABLE + "INSERT INTO t VALUES(1,'x');\n"), "2_b.sql": up("DROP TABLE t;\n")})
    suite.check("what loses data is warned of", code == 0 and any("allow-data-loss" in w for w in a["warnings"]), a)


# An alterd whose third start finds a view in its database, which no folder has made: it is the one that goes by steps.
CROOKED = """#!/usr/bin/env python3
import os, sqlite3, sys
with open("%(count)s", "a+") as f:
    f.write("x")
    f.seek(0)
    n = len(f.read())
if n == 3:
    db = sqlite3.connect(sys.argv[sys.argv.index("--database") + 1])
    db.execute("CREATE VIEW extra AS SELECT 1 AS x")
    db.close()
os.execv("%(alterd)s", ["alterd"] + sys.argv[1:])
"""


@suite.section
def steps_that_differ():
    place = os.path.join(home, "crooked")
    os.mkdir(place)
    tool = shutil.copy(program("alterctl"), place)
    with open(os.path.join(place, "alterd"), "w", encoding="utf-8") as f:
        f.write(CROOKED % {"count": os.path.join(place, "count"), "alterd": program("alterd")})
    os.chmod(os.path.join(place, "alterd"), 0o755)
    files = {"1_a.sql": up("CREATE TABLE t(a, b);\nINSERT INTO t SELECT count(*), 1 FROM sqlite_schema WHERE type='view';\n"),
             "2_b.sql": up(ALTER)}
    r = subprocess.run([tool, "--json", "validate", folder(files)], env=env(), stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, cwd=home, check=False, timeout=scaled(120))
    found = [(p["state"], p["message"]) for p in json.loads(r.stdout)["problems"]]
    suite.check("another schema", r.returncode == 1 and any(s == "steps" and "view extra is left over" in m for s, m in found), found)
    suite.check("another row", any(s == "steps" and m.endswith(": t.a") for s, m in found), found)
    suite.same("and nothing else", len(found), 2)


@suite.section
def time_and_chance():
    seed = "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c);\nINSERT INTO t VALUES(1, %s, 7);\n"
    code, a = validate({"1_a.sql": up(seed % "randomblob(8)")})
    suite.check("chance is no problem", code == 0 and [w for w in a["warnings"] if "t.b" in w], a)
    suite.check("and told of that column alone", not [w for w in a["warnings"] if "t.c" in w], a)


@suite.section
def way_back():
    broken("down that fails", {"1_a.sql": up(TABLE, "DROP TABLE other;\n")}, "(down)", "other", state="back", version=1)
    broken("down that leaves something", {"1_a.sql": up(TABLE), "2_b.sql": up("CREATE TABLE IF NOT EXISTS u(x);\n", "SELECT 1;\n")},
           "table u is left over", state="back", version=2)
    broken("down that takes too much", {"1_a.sql": up(TABLE + "CREATE INDEX tb ON t(b);\n"),
                                        "2_b.sql": up(ALTER, "DROP INDEX tb;\n" + UNDO)}, "index tb is missing", version=2)
    broken("up that cannot come again", {"1_a.sql": up(TABLE), "2_b.sql": up("CREATE INDEX tb ON t(b);\n", "SELECT 1;\n")},
           "up again, after down", "tb", version=2)
    broken("another schema the second time",
           {"1_a.sql": up("CREATE TABLE IF NOT EXISTS t(a);\n", "DROP TABLE t;\n"),
            "2_b.sql": up("CREATE TABLE IF NOT EXISTS u(a);\n", "DROP TABLE u;\nCREATE TABLE u(a, b);\n")},
           "up, down, up makes another schema than up: table u is another", state="back", version=2)
    found = validate({"1_a.sql": up(TABLE, "DROP TABLE other;\n"), "2_b.sql": up(ALTER, UNDO),
                      "3_c.sql": up("CREATE TABLE u(x);\n", "SELECT 1;\n"), "4_d.sql": up("CREATE TABLE w(x);\n", "DROP TABLE w;\n")})[1]
    suite.same("it goes on behind one that fails", states(found), [(1, "failed"), (2, "ok"), (3, "failed"), (4, "ok")])
    code, a = validate({"1_a.sql": up("CREATE TABLE t(a, b, c);\n"),
                        "2_b.sql": up("ALTER TABLE t DROP COLUMN b;\n", "ALTER TABLE t ADD COLUMN b;\n")})
    suite.check("a column that comes back as the last is told", code == 0 and any("another order" in w for w in a["warnings"]), a)
    code, a = validate({"1_a.sql": up('CREATE TABLE t(a, "b" TEXT DEFAULT \'A,(\');\n'),
                        "2_b.sql": up("ALTER TABLE t RENAME TO u;\n", "ALTER TABLE u RENAME TO t;\n")})
    suite.check("quotes that come are nothing", code == 0 and not a["warnings"], a)
    broken("but a literal is", {"1_a.sql": up("CREATE TABLE t(a TEXT DEFAULT 'x');\n"),
                                "2_b.sql": up("ALTER TABLE t ALTER a SET DEFAULT 'y';\n", "ALTER TABLE t ALTER a SET DEFAULT 'X';\n")},
           "table t is another", version=2)


@suite.section
def usage():
    suite.same("two folders", ctl("validate", "a", "--dir", "b").returncode, 2)
    suite.same("an unknown form", ctl("validate", "--format", "x").returncode, 2)
    r = ctl("validate", os.path.join(home, "none"))
    suite.check("no folder", r.returncode == 66 and "none" in r.stderr, (r.returncode, r.stderr))
    lonely = os.path.join(home, "lonely")
    os.mkdir(lonely)
    tool = shutil.copy(program("alterctl"), lonely)
    run = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "cwd": home, "check": False, "timeout": scaled(120)}
    r = subprocess.run([tool, "validate", folder(SHOP)], env=env(PATH=lonely), **run)
    suite.check("no alterd", r.returncode == 69 and "no alterd" in r.stderr, (r.returncode, r.stderr))
    r = subprocess.run([tool, "validate", folder(FORMS["goose"])], env=env(PATH="/none:" + os.path.dirname(program("alterd"))), **run)
    suite.same("one in $PATH", (r.returncode, r.stderr), (0, ""))
    fake = os.path.join(lonely, "alterd")
    with open(fake, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\necho no luck today >&2\nexit 3\n")
    os.chmod(fake, 0o755)
    r = subprocess.run([tool, "validate", folder(SHOP)], env=env(), **run)
    suite.check("one that does not start", r.returncode == 1 and "no luck today" in r.stderr, (r.returncode, r.stderr))
    suite.same("nothing is left of any", scratch(), [])


def private_daemons():
    """Processes whose arguments name our scratch folders."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                if os.path.join(home, "alterctl-").encode() in f.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


@suite.section
def interrupted():
    long = {"1_a.sql": up("CREATE TABLE t(a);\nINSERT INTO t " + NUMBERS % 2000000000 + "SELECT i FROM n WHERE i<0;\n")}
    for sent, want in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        p = subprocess.Popen([program("alterctl"), "validate", folder(long)], cwd=home, env=env(), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until("the private daemon runs", private_daemons)
        p.send_signal(sent)
        suite.same("%s ends it" % sent.name, p.wait(scaled(20)), want)
        until("its daemon is gone", lambda: not private_daemons())
        if sent != signal.SIGKILL:
            suite.same("and its folder", scratch(), [])


@suite.section
def on_the_wire():
    d = Daemon()
    sent = [{"name": n, "sql": t} for n, t in SHOP.items()]
    with d.client() as c:
        a = c("migrate.validate", files=sent)
        suite.check("nothing to find", a["valid"] and a["format"] == "dbmate" and (a["version"], a["latest"]) == (0, 5), a)
        suite.same("nothing is written", c.value("SELECT count(*) FROM sqlite_schema WHERE name='alterd_migrations'"), 0)
        c("migrate.up", files=sent[:2], wait=True)
        changed = [dict(sent[0], sql=sent[0]["sql"].replace("500", "501"))] + sent[1:]
        found = c("migrate.validate", files=changed)["problems"]
        suite.check("a changed file", [(p["version"], p["state"], p["file"]) for p in found] == [(1, "changed", "0001_shop.sql")], found)
        c("migrate.up", files=[*sent[:2], sent[3]], wait=True)
        found = c("migrate.validate", files=sent)["problems"]
        suite.check("out of order", [(p["version"], p["state"]) for p in found] == [(3, "out of order")], found)
        a = c("migrate.validate", files=sent[1:2] + sent[3:])
        suite.check("a file that is gone is a warning", a["valid"] and any("version 1 " in w for w in a["warnings"]), a)
        suite.refused("no files at all", lambda: c("migrate.validate"), "INVALID_PARAMS")
        suite.refused("a form that is none", lambda: c("migrate.validate", files=sent, format="x"), "INVALID_PARAMS")
        many = [{"name": "1_%d.sql" % i, "sql": "-- migrate:up\n"} for i in range(300)]
        suite.same("some of very many", len(c("migrate.validate", files=many)["problems"]), 100)
    d.finish()


try:
    suite.run()
finally:
    shutil.rmtree(home, ignore_errors=True)
