#!/usr/bin/env python3
"""alterctl as a whole: every command with --json and with -h, its exit codes, slips of the hand, and terminals."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import re
import shutil
import signal
import subprocess
import tempfile

from daemon import Daemon, program
from limits import fewer, scaled, until
from load import Load
from owner import seed
from standin import Refusal, StandIn
from suite import Suite
from terminal import Pty

suite = Suite()
home = tempfile.mkdtemp(prefix="alterd-t-")

FILES = {
    "0001_user.sql": "-- migrate:up\nCREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT, age TEXT);\n"
    "-- migrate:down\n-- alterd: allow=data-loss\nDROP TABLE user;\n",
    "0002_city.sql": "-- migrate:up\nALTER TABLE user ADD city TEXT;\n"
    "-- migrate:down\n-- alterd: allow=data-loss\nALTER TABLE user DROP city;\n",
    "0003_age.sql": "-- migrate:up\nALTER TABLE user ALTER age TYPE INTEGER;\n"
    "-- migrate:down\nALTER TABLE user ALTER age TYPE TEXT;\n",
}


def folder(files):
    path = tempfile.mkdtemp(dir=home)
    for name, text in files.items():
        with open(os.path.join(path, name), "w", encoding="utf-8") as f:
            f.write(text)
    return path


def ctl(*args, env=None):
    """Without a daemon, and without any that is found by chance."""
    env = dict(os.environ, ALTERD_SOCKET=os.path.join(home, "nobody"), **(env or {}))
    return subprocess.run([program("alterctl"), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=scaled(30), check=False, cwd=home, env=env)


JOB = {"id", "state", "phase", "rows_done", "rows_total", "percent", "longest_hold_ms", "longest_wait_ms"}
PACE = {"batch_rows", "duty_percent"}
# In an order in which each has what it needs: command line, exit code, keys of the one object it prints.
EACH = [
    (["ping"], 0, set()),
    (["version"], 0, {"client", "hello"}),
    (["status"], 0, {"server", "uptime_s", "database", "state", "version", "pending", "problems", "job", "writer",
                     "sessions", "wal_bytes", "db_bytes"}),
    (["stats"], 0, {"uptime_s", "sessions", "queries_total", "writes_total", "errors_total", "writer_queue",
                    "writer_wait_ms", "writer_wait_ms_10s", "query_ms", "db_bytes", "wal_bytes"}),
    (["sessions"], 0, {"sessions"}),
    (["config"], 0, {"settings"}),
    (["reload"], 0, {"changed", "needs_restart"}),
    (["baseline", "3", "--dry-run"], 0, {"version", "recorded", "dry_run"}),
    (["list"], 0, {"version", "latest", "pending", "problems", "warnings", "migrations", "format"}),
    (["plan"], 0, {"from", "to", "steps", "warnings", "free_bytes"}),
    (["plan", "--try"], 0, {"from", "to", "steps", "try"}),
    (["up", "1"], 0, JOB | {"job", "from", "to", "took_ms"}),
    (["migrate", "1"], 0, JOB | {"job", "from", "to"}),
    (["down"], 0, JOB | {"from", "to"}),
    (["goto", "2"], 0, JOB | {"from", "to"}),
    (["rollback"], 0, JOB),
    (["to", "3"], 0, JOB),
    (["down", "-n", "2"], 0, {"from", "to", "steps"}),
    (["up"], 0, {"job", "from", "to", "state"}),
    (["redo"], 0, None),
    (["query", "SELECT 1 AS one"], 0, {"columns", "rows", "done", "ms"}),
    (["exec", "INSERT INTO user(name) VALUES(?)", "Ada"], 0, {"changes", "last_insert_rowid", "ms"}),
    (["schema"], 0, {"schema"}),
    (["schema", "user"], 0, {"schema"}),
    (["alter", "ALTER TABLE user ADD note TEXT"], 0, JOB | {"job"}),
    (["history"], 0, {"history"}),
    (["dump"], 0, {"version", "sql"}),
    (["backup", "a.db"], 0, {"path", "bytes", "version", "ms"}),
    (["backup", "list"], 0, {"folder", "backups"}),
    (["backup", "fetch", "a.db", "-o", os.path.join(home, "a.copy")], 0, {"file", "bytes"}),
    (["backup", "delete", "a.db"], 0, set()),
    (["restore", os.path.join(home, "a.copy"), os.path.join(home, "restored.db")], 0, {"database", "bytes", "version", "kept"}),
    (["new", "add_street", "--dir", os.path.join(home, "new")], 0, {"version", "path"}),
    (["validate", "{folder}"], 0, {"valid", "format", "versions", "problems", "warnings"}),
    (["repair", "3"], 0, {"version", "checksum"}),
    (["alter", "--postpone-cutover", "--detach", "ALTER TABLE user ALTER name SET DEFAULT 'x', ALTER age TYPE TEXT"], 0, {"job"}),
    (["throttle", "duty-percent=50"], 0, PACE),
    (["pause"], 0, {"state", "phase"}),
    (["resume"], 0, {"state", "phase"}),
    (["cutover"], 0, set()),
    (["help"], 0, {"commands"}),
    (["help", "status"], 0, {"commands"}),
]
# Refused, but with an object all the same: on stderr, as the protocol has it.
REFUSED = [
    (["query", "SELEC"], 1, "SQLITE_ERROR"),
    (["kill", "s99999"], 1, "NOT_FOUND"),
    (["abort", "-f"], 1, "WRONG_STATE"),
    (["resolve", "3", "--applied"], 1, "WRONG_STATE"),
    (["query", "--timeout", "0.05", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"], 75, None),
]


@suite.section
def json_everywhere():
    path = folder(FILES)
    d = Daemon(settings={"migrate.folder": path})
    said = set()
    for args, code, keys in EACH:
        args = [a.replace("{folder}", path) for a in args]
        if args[0] == "cutover":
            with d.client() as c:
                until("ready", lambda: c("migrate.status")["job"]["phase"] == "ready")
        r = d.ctl("--json", *args)
        said.add(args[0])
        lines = r.stdout.splitlines()
        try:
            got = [json.loads(x) for x in lines]
            ok = keys is None or (len(got) == 1 and isinstance(got[0], dict) and keys <= set(got[0]))
        except ValueError:
            ok = False
        # JSON counts and nothing besides: no hints, no progress.
        suite.check(" ".join(args)[:60], ok and r.returncode == code and not r.stderr, (r.returncode, r.stdout, r.stderr))
    with d.client() as c:
        until("it has cut over", lambda: c("migrate.status")["job"]["state"] == "done")
    for args, code, name in REFUSED:
        r = d.ctl("--json", *args)
        said.add(args[0])
        try:
            e = json.loads(r.stderr)
            ok = {"code", "message", "data"} <= set(e) and name in (None, e["data"].get("name"))
        except ValueError:
            ok = False
        suite.check(" ".join(args)[:60], ok and r.returncode == code and r.stdout == "", (r.returncode, r.stdout, r.stderr))
    names = {k["name"] for k in json.loads(ctl("--json", "help").stdout)["commands"]}
    suite.note("not tried here: %s" % sorted(names - said))
    suite.check("what it tries is there", said - {"migrate", "goto", "rollback"} <= names, said - names)


@suite.section
def help_anywhere():
    names = [k["name"] for k in json.loads(ctl("--json", "help").stdout)["commands"]]
    suite.check("all of them", {"status", "up", "config", "reload", "backup", "query"} <= set(names), names)
    for name in names:
        others = (("--help", name), ("-h", name, "x", "--force"), ("--quiet", name, "--json", "-h"))
        for args in ((name, "-h"),) + (others if name in ("up", "status") else ()):
            r = ctl(*args)
            json_asked = "--json" in args
            ok = r.returncode == 0 and not r.stderr
            ok = ok and (json.loads(r.stdout)["commands"][0]["name"] == name if json_asked
                         else r.stdout.startswith("Examples\n  ") and "\nalterctl %s" % name in r.stdout)
            suite.check(" ".join(args), ok, (r.returncode, r.stdout[:200], r.stderr))
    for args in (["-h"], ["--help"], ["help"]):
        r = ctl(*args)
        suite.check(" ".join(args), r.returncode == 0 and r.stdout.startswith("Examples\n  alterctl status\n"), r.stdout[:200])
    r = ctl("help", "rollback")
    suite.check("of an alias", "alterctl down" in r.stdout, r.stdout[:200])
    for word in ("10 pending", "11 running", "12 paused or throttled by hand", "13 failed or partial"):
        suite.check("status --help tells " + word, word in ctl("status", "-h").stdout)


@suite.section
def slips():
    for args, want in [
        (["staus"], "did you mean status?"),
        (["rolback"], "did you mean rollback?"),
        (["confg"], "did you mean config?"),
        (["xyzzy"], '"alterctl help" lists them'),
        ([], "no command given"),
        (["status", "--exitcode"], "did you mean --exit-code?"),
        (["--jsn", "status"], "did you mean --json?"),
        (["up", "--allow-dataloss"], "did you mean --allow-data-loss?"),
        (["status", "--detach"], '"alterctl status" does not take --detach'),
        (["status", "--watch", "--interval", "0"], "--interval takes seconds, 0.1 to 3600"),
        (["status", "--interval", "2"], "--interval goes with --watch"),
        (["--timeout", "x", "ping"], "--timeout takes seconds"),
        (["up", "--format", "dbmat"], "did you mean dbmate?"),
        (["kill"], "something is missing: alterctl kill SESSION"),
        (["ping", "x"], "too many arguments"),
        (["throttle", "duty=many"], "throttle takes KEY=NUMBER"),
        (["abort"], "say -f"),
        (["--socket", "/tmp/" + "x" * 110, "ping"], "a Unix socket's has at most 107"),
    ]:
        r = ctl(*args)
        suite.check(" ".join(args)[:60], r.returncode == 2 and want in r.stderr and not r.stdout, (r.returncode, r.stderr))


@suite.section
def exit_codes():
    codes = {"ok": 0}
    r = ctl("ping")
    suite.check("69: nobody there", r.returncode == 69 and "Is alterd running?" in r.stderr, r)
    r = ctl("list", "--dir", os.path.join(home, "no such folder"))
    suite.same("66: no such folder", r.returncode, 66)

    def denied(_):
        raise Refusal(-32002, "DENIED", "config.reload needs the role admin; this session has rw")

    fake = StandIn(home, config_reload=denied)
    r = ctl("--socket", fake.path, "reload")
    suite.check("77: not allowed", r.returncode == 77 and "needs the role admin" in r.stderr, r)

    def status(job=None, pending=(), problems=()):
        answer = {"version": 3, "pending": list(pending), "problems": list(problems), "job": job}
        fake = StandIn(home, status=answer)
        r = ctl("--socket", fake.path, "--json", "status", "--exit-code")
        suite.same("as it came", json.loads(r.stdout), answer)
        return r.returncode

    job = {"id": "m1", "state": "running", "phase": "backfilling", "throttled_by_hand": False}
    for what, want, args in [
        ("current", 0, {}),
        ("current, the last one done", 0, {"job": dict(job, state="done")}),
        ("current, the last one aborted", 0, {"job": dict(job, state="aborted")}),
        ("pending", 10, {"pending": [4, 5]}),
        ("running", 11, {"job": job, "pending": [4]}),
        ("queued", 11, {"job": dict(job, state="queued")}),
        ("waiting for cutover", 11, {"job": dict(job, phase="ready", postponed_cutover=True)}),
        ("paused", 12, {"job": dict(job, state="paused")}),
        ("throttled by hand", 12, {"job": dict(job, throttled_by_hand=True)}),
        ("failed", 13, {"job": dict(job, state="failed"), "pending": [4]}),
        ("partial", 13, {"problems": [{"version": 4, "state": "partial", "done": 2, "total": 5}], "pending": [4]}),
    ]:
        codes[what] = status(**args)
        suite.same("%d: %s" % (want, what), codes[what], want)
    fake = StandIn(home, status={"version": 3, "pending": [4], "problems": [], "job": None}, migrate_list={},
                   migrate_plan={})
    suite.same("without --exit-code 0", ctl("--socket", fake.path, "status").returncode, 0)


@suite.section
def status_text():
    """Marks, what is under way, how what is pending would be done, and what to do next."""
    path = folder(dict(FILES, **{"0004_drop.sql": "-- migrate:up\n-- alterd: allow=data-loss\nALTER TABLE user DROP name;\n"}))
    d = Daemon(settings={"migrate.folder": path})
    d.ctl("up", "2")
    for args, want in ((["down", "-n"], "2 -> 1   1 migration"), (["rollback", "2", "-n"], "2 -> 0   2 migrations"),
                       (["down", "--to", "1", "--dry-run"], "2 -> 1   1 migration")):
        r = d.ctl(*args)
        suite.check(" ".join(args), r.returncode == 0 and r.stdout.startswith("version " + want + "\n 2  city  down"), r)
    d.ctl("exec", "INSERT INTO user(name, age) VALUES('Ada', '36')")
    r = d.ctl("status")
    suite.check("head", re.search(r"^database  \S+app\.db   version 2   latest 4   pending 2$", r.stdout, re.M), r.stdout)
    suite.check("waits of late", "wait in the last 10 s: p50" in r.stdout, r.stdout)
    suite.check("applied", re.search(r"^ \[X\]  2  city  20\d\d-\d\d-\d\d \d\d:\d\d  \d+m?s$", r.stdout, re.M), r.stdout)
    suite.check("pending", re.search(r"^ \[ \]  3  age   rebuild user \(~1 row\)$", r.stdout, re.M), r.stdout)
    suite.check("a loss is told", re.search(r"^ \[ \]  4  drop  .*data loss on up, no way back$", r.stdout, re.M), r.stdout)
    suite.check("next", r.stdout.endswith("next: alterctl plan  |  alterctl up\n"), r.stdout)
    suite.same("pending is 10", d.ctl("status", "--exit-code").returncode, 10)
    d.ctl("up", "1", "--detach", "--postpone-cutover")
    with d.client() as c:
        until("ready", lambda: c("migrate.status")["job"]["phase"] == "ready")
    r = d.ctl("status")
    suite.check("under way", re.search(r"^ \[>\]  3  age   ready to swap user .*waiting for alterctl cutover", r.stdout, re.M), r.stdout)
    suite.check("once", "job " not in r.stdout and r.stdout.endswith("next: alterctl cutover  |  alterctl abort\n"), r.stdout)
    d.ctl("throttle", "duty-percent=10")
    suite.same("throttled by hand is 12", d.ctl("status", "--exit-code").returncode, 12)
    d.ctl("throttle", "duty-percent=100")
    suite.same("more than the settings is not", d.ctl("status", "--exit-code").returncode, 11)
    d.ctl("pause")
    suite.same("paused is 12", d.ctl("status", "--exit-code").returncode, 12)
    d.ctl("resume")
    d.ctl("cutover")
    with d.client() as c:
        until("done", lambda: c("migrate.status")["job"]["state"] == "done")
    d.ctl("up")
    with open(os.path.join(path, "0003_age.sql"), "a", encoding="utf-8") as f:
        f.write("-- changed\n")
    os.unlink(os.path.join(path, "0002_city.sql"))
    r = d.ctl("status")
    suite.check("changed, no file", re.search(r"^ \[!\]  3  age .*  changed$", r.stdout, re.M)
                and re.search(r"^ \[\?\]  2  city .*no file$", r.stdout, re.M), r.stdout)


@suite.section
def settings():
    """config tells where each value is from; reload takes what it can, and config tells what waits."""
    place = tempfile.mkdtemp(dir=home)
    path, drop = os.path.join(place, "alterd.conf"), os.path.join(place, "alterd.conf.d")
    os.mkdir(drop)

    def write(file, text):
        with open(file, "w", encoding="utf-8") as f:
            f.write(text)

    write(path, "# one\n[store]\nreaders = 3\ngroup = 17\n")
    write(os.path.join(drop, "10.conf"), "[store]\n\ngroup = 18\n")
    d = Daemon(args=["--config", path], settings={"server.sessions": "99"})

    def shown():
        return {s["name"]: s for s in json.loads(d.ctl("--json", "config").stdout)["settings"]}

    s = shown()
    suite.same("of a file", s["store.readers"], {"name": "store.readers", "value": "3", "default": "2", "origin": "file",
                                                 "file": path, "line": 3, "reload": False})
    suite.same("of a drop-in", (s["store.group"]["value"], s["store.group"]["file"], s["store.group"]["line"]),
               ("18", os.path.join(drop, "10.conf"), 3))
    suite.same("of the command line", (s["server.sessions"]["value"], s["server.sessions"]["origin"]), ("99", "set"))
    suite.same("--database and --socket too", {s[k]["origin"] for k in ("store.database", "server.socket")}, {"set"})
    suite.same("a default", (s["log.level"]["origin"], s["log.level"]["value"], s["log.level"]["reload"]), ("default", "info", True))
    lines = d.ctl("config").stdout.splitlines()
    row = [x for x in lines if x.startswith("store.readers ")][0].split()
    suite.same("as a table", row, ["store.readers", "3", path + ":3", "restart"])
    suite.check("the command line", any(re.match(r"server\.sessions\s+99\s+command line\s+reload$", x) for x in lines), lines)
    write(path, "[store]\nreaders = 4\n[log]\n\nlevel = debug\n")
    os.unlink(os.path.join(drop, "10.conf"))
    r = d.ctl("reload")
    suite.same("reload", r.stdout, "in force now: store.group, log.level\nafter a restart: store.readers\n")
    s = shown()
    suite.same("taken", (s["log.level"]["value"], s["log.level"]["line"]), ("debug", 5))
    suite.same("back to the default", (s["store.group"]["value"], s["store.group"]["origin"]), ("256", "default"))
    suite.same("not taken", (s["store.readers"]["value"], s["store.readers"]["line"], s["store.readers"]["waiting"]), ("3", 3, "4"))
    suite.check("told", "store.readers = 4 was read by the last reload" in d.ctl("config").stderr)
    write(path, "[store]\nreaders = 3\n\n\n[log]\nlevel = debug\n")
    r = d.ctl("reload")
    suite.check("nothing new", r.stdout == "" and "as they were" in r.stderr, r)
    s = shown()
    suite.same("but another line", (s["log.level"]["line"], s["store.readers"]["line"], "waiting" in s["store.readers"]), (6, 2, False))
    write(path, "[store]\nreaders = many\n")
    r = d.ctl("reload")
    suite.check("a file with an error", r.returncode == 1 and "alterd.conf:2" in r.stderr, r)
    suite.same("changes nothing", shown(), s)
    write(path, "[store]\nreaders = 4\n")
    d.restart()
    suite.same("a restart takes it", (shown()["store.readers"]["value"], shown()["log.level"]["origin"]), ("4", "default"))


@suite.section
def the_last_minute():
    """stats.recent and the ten seconds of status: what clients did and waited of late."""
    d = Daemon()
    c, a, b = d.client(), d.client(), d.client()
    c.exec("CREATE TABLE t(x UNIQUE)")
    c.exec("INSERT INTO t VALUES(0)")
    load = Load(d, lambda k, i: k.exec("INSERT INTO t VALUES(?)", i + 1), pause=0.01).started()
    r = until("a second of it", lambda: (lambda r: r if r["seconds"] >= 1 and r["statements_per_s"][-1] > 5 else None)(c("stats.recent")))
    load.end()
    columns = [r["statements_per_s"], r["errors_per_s"]] + [r[k][q] for k in ("writer_wait_ms", "query_ms") for q in ("p50", "p99", "max")]
    suite.check("columns of one length", {len(x) for x in columns} == {r["seconds"]}, r)
    suite.same("no errors yet", max(r["errors_per_s"]), 0.0)
    for _ in range(5):
        suite.refused("a row twice", lambda: c.exec("INSERT INTO t VALUES(0)"), 2067)
    until("errors are counted", lambda: max(c("stats.recent")["errors_per_s"]) > 0, every=0.05)
    a("begin")
    n = b.send("exec", sql="INSERT INTO t VALUES(-1)")
    until("somebody waits", lambda: c("stats.recent")["waiting_ms"] > 300)
    a("commit")
    b.message(n)
    r = until("it is told", lambda: (lambda r: r if max(r["writer_wait_ms"]["max"]) >= 300 else None)(c("stats.recent")), every=0.05)
    w = c("status")["writer"]
    suite.check("and in the last ten seconds", 300 <= w["wait_ms_10s"]["max"] <= w["wait_ms"]["max"] * 1.07 and
                w["wait_ms_10s"]["p50"] < 300, w)
    suite.same("nobody waits now", r["waiting_ms"], 0.0)
    s = c("stats")
    suite.check("stats: the same", s["writer_wait_ms_10s"]["max"] >= 300 and "query_ms_10s" in s, s)


@suite.section
def the_socket():
    d = Daemon()
    env = {k: v for k, v in os.environ.items() if k not in ("ALTERD_SOCKET", "XDG_RUNTIME_DIR")}
    run = tempfile.mkdtemp(dir=home)
    os.mkdir(os.path.join(run, "alterd"))
    os.symlink(d.socket, os.path.join(run, "alterd", "alterd.sock"))

    def ping(*args, **more):
        return subprocess.run([program("alterctl"), *args, "ping"], env=dict(env, **more), capture_output=True, text=True,
                              timeout=scaled(20), check=False)

    suite.same("$ALTERD_SOCKET", ping(ALTERD_SOCKET=d.socket).returncode, 0)
    suite.same("--socket wins", ping("--socket", d.socket, ALTERD_SOCKET="/nowhere").returncode, 0)
    suite.same("and $ALTERD_SOCKET over the rest", ping(ALTERD_SOCKET="/nowhere", XDG_RUNTIME_DIR=run).returncode, 69)
    if os.path.exists("/run/alterd/alterd.sock"):
        suite.skip("$XDG_RUNTIME_DIR", "a daemon of the system's own is there")
    else:
        suite.same("$XDG_RUNTIME_DIR", ping(XDG_RUNTIME_DIR=run).returncode, 0)
        r = ping()
        suite.check("else the system's", r.returncode == 69 and "/run/alterd/alterd.sock" in r.stderr, r.stderr)


@suite.section
def terminals():
    """Colour and movement where they are wanted, and a line where they are not; Ctrl-C leaves the job alone."""
    d = Daemon(settings={"migrate.duty": "1", "migrate.batch_rows": "10", "migrate.hold": "1ms"})
    c = d.client()
    seed(c, fewer(10_000))
    load = Load(d, lambda k, i: k.exec("UPDATE big SET amount = amount WHERE id = 1"), pause=0.005).started()
    alter = [program("alterctl"), "--socket", d.socket, "alter"]
    p = Pty(alter + ["ALTER TABLE big ALTER amount TYPE REAL"], columns=120)
    p.until(r"\r\x1b\[Km1 alter  copying big  \[#*-+\]  +[\d.]+%")
    p.until(r"ETA \d+[smh]")
    first = float(re.findall(r"([\d.]+)%", p.seen)[-1])
    until("it moves", lambda: p.read() and float(re.findall(r"([\d.]+)%", p.seen)[-1]) > first)
    widest = max(len(re.sub(r"\x1b\[K", "", x)) for x in re.split(r"[\r\n]+", p.seen))
    suite.check("no line is wider than the terminal", widest < 120, widest)
    p.type("\x03")
    code = p.end()
    suite.same("Ctrl-C: its exit code", code, 130)
    suite.check("says what goes on", "Still running; m1 goes on in the daemon" in p.seen and "alterctl abort" in p.seen, p.seen[-300:])
    suite.same("and it does", c("migrate.status")["job"]["state"], "running")
    c("migrate.abort")
    p = Pty(alter + ["ALTER TABLE big ALTER amount TYPE REAL"], env={"TERM": "dumb"})
    p.until(r"copying big")
    c("migrate.abort")
    suite.same("TERM=dumb: exit code of an aborted one", p.end(), 1)
    suite.check("whole lines, no escapes", "\x1b" not in p.seen and re.search(r"\nm\d alter  copying", "\n" + p.seen.replace("\r", "")), p.seen)
    p = subprocess.Popen([program("alterctl"), "--socket", d.socket, "--json", "alter", "ALTER TABLE big ALTER amount TYPE REAL"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until("it runs", lambda: (c("migrate.status")["job"] or {}).get("state") == "running")
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=scaled(20))
    suite.check("Ctrl-C with --json", (p.returncode, out) == (130, "") and "goes on in the daemon" in err, (p.returncode, out, err))
    suite.same("and it does, too", c("migrate.status")["job"]["state"], "running")
    c("migrate.abort")
    d.ctl("alter", "--detach", "ALTER TABLE big ALTER amount TYPE REAL")
    watch = subprocess.Popen([program("alterctl"), "--socket", d.socket, "status", "--watch", "--interval", "0.1"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    lines = [watch.stdout.readline() for _ in range(4)]
    watch.terminate()
    watch.communicate(timeout=scaled(20))
    suite.check("--watch where there is no terminal: a line each", all(
        re.match(r"\d\d:\d\d:\d\d  m\d alter .*big", x) and "\x1b" not in x for x in lines), lines)
    suite.check("with the clients", "statements/s" in lines[-1] and "longest" in lines[-1], lines)
    c("migrate.abort")
    load.end()
    slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n"
    p = Pty([program("alterctl"), "--socket", d.socket, "query", slow])
    suite.same("a long answer", p.end(), 0)
    suite.check("is waited for with a word", "waiting for the daemon ..." in p.seen and "\r\x1b[K" in p.seen, p.seen)
    for env, wanted in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        p = Pty([program("alterctl"), "--socket", d.socket, "query", "SELECT NULL AS n"], env=env)
        p.end()
        suite.same("colour: %s" % (env or "a terminal"), "\x1b[" in p.seen, wanted)
    p = Pty([program("alterctl"), "--socket", d.socket, "--no-color", "query", "SELECT NULL AS n"])
    p.end()
    suite.same("--no-color", "\x1b[" in p.seen, False)
    suite.same("none where there is no terminal", "\x1b" in d.ctl("query", "SELECT NULL AS n").stdout, False)


try:
    suite.run()
finally:
    shutil.rmtree(home, ignore_errors=True)
