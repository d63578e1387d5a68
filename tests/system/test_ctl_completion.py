#!/usr/bin/env python3
"""alterctl's completion in bash: what it offers is what the program says of itself, and what the daemon has."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import re
import shutil
import subprocess
import time

from daemon import Daemon, program
from limits import scaled
from suite import Suite

suite = Suite(limit=60)
SOURCE = os.environ["ALTERD_SOURCE_DIR"]
# compopt works only while bash completes; here it tells what it was asked for.
SCRIPT = """
compopt() { [[ $1 == -o ]] && printf ':%%s\\n' "$2"; }
source %s/client/alterctl.bash
COMP_CWORD=$(($# - 1))
COMP_WORDS=("$@")
_alterctl "$1"
[[ ${#COMPREPLY[@]} == 0 ]] || printf '%%s\\n' "${COMPREPLY[@]}"
""" % SOURCE


def offered(*words, socket="/nonexistent/s"):
    """What TAB gives at the end of `alterctl WORDS`, the last of which is being typed."""
    r = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", program("alterctl"), *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=dict(os.environ, ALTERD_SOCKET=socket),
        timeout=scaled(20),
        check=False,
    )
    if r.returncode != 0 or r.stderr:
        suite.check("completing %r" % (words,), False, (r.returncode, r.stderr))
    return r.stdout.splitlines()


def ctl_help(*args):
    return subprocess.run([program("alterctl"), "help", *args], capture_output=True, text=True, check=True).stdout


def commands():
    text = ctl_help().split("\nCommands\n")[1].split("\n\n")[0]
    return [x.split()[0] for x in text.splitlines()]


@suite.section
def from_the_program():
    names = commands()
    suite.check("there are commands", len(names) > 25 and "query" in names, names)
    suite.same("each of them is offered, and nothing else", offered(""), names)
    suite.same("by their beginning", offered("re"), [x for x in names if x.startswith("re")])
    suite.same("behind help", offered("help", "ab"), ["abort"])
    suite.same("behind an option", offered("--json", "--timeout", "3", "hist"), ["history"])
    for name in names:
        synopsis = re.search(r"^alterctl %s\b(.*(?:\n(?!  ).*)*)" % re.escape(name), ctl_help(name), re.M)[1]
        wanted = set(re.findall(r"--[a-z-]+", synopsis))
        got = offered(name, "-")
        suite.check("%s: the options of its help" % name, wanted <= set(got), (wanted, got))
        suite.check("%s: and those of all" % name, {"--socket", "--json", "--help"} <= set(got), got)
    suite.check("an option of another command is not offered", "--watch" not in offered("query", "-"))
    r = subprocess.run([program("alterctl"), "--complete"], capture_output=True, text=True, check=False)
    suite.check("by hand it says what it is for", r.returncode == 2 and "shell" in r.stderr, r)


@suite.section
def values():
    suite.same("--format", offered("list", "--format", "sq"), ["sqlx", "sqflite"])
    suite.same("--format=, three words to bash", offered("list", "--format", "=", "sq"), ["sqlx", "sqflite"])
    suite.same("--format= with nothing behind it", offered("list", "--format", "=")[:2], ["auto", "dbmate"])
    suite.same("--from", offered("baseline", "--from", "goo"), ["goose"])
    suite.same("a folder", offered("up", "--dir", ""), [":dirnames"])
    suite.same("a folder as an argument", offered("validate", ""), [":dirnames"])
    suite.same("a file", offered("up", "--dump", "x"), [":default"])
    suite.same("the socket's", offered("--socket", "/run/"), [":default"])
    suite.same("nothing for a number", offered("--timeout", ""), [])
    suite.same("the option's own command still counts", offered("up", "--dir", "m", "--dum"), ["--dump"])
    suite.same("words of a command", offered("backup", "l"), ["list"])
    suite.same("the pace, ready for its value", offered("throttle", "d"), [":nospace", "duty-percent="])


@suite.section
def from_the_daemon():
    d = Daemon(settings={"migrate.duty": "1"})
    with d.client() as c:
        os.mkdir(d.folder + "/m")
        for i in (1, 2):
            with open("%s/m/%d_x.sql" % (d.folder, i), "w", encoding="utf-8") as f:
                f.write("CREATE VIEW v%d AS SELECT 1;\n" % i)
        d.ctl("up", "--dir", d.folder + "/m")
        # The last of them cannot be typed, and is not offered.
        for name in ("user", "two words", "us$er; echo", "us\nline"):
            c.exec('CREATE TABLE "%s"(a)' % name)
        suite.same(
            "tables, as one types them",
            offered("schema", "", socket=d.socket),
            ["alterd_migrations", "two\\ words", "us\\$er\\;\\ echo", "user", "v1", "v2"],
        )
        suite.same("by their beginning", offered("schema", "use", socket=d.socket), ["user"])
        suite.same("--socket is not needed", offered("schema", "use"), [])
        suite.same("versions", offered("down", "--to", "", socket=d.socket), ["1", "2"])
        suite.same("a version as an argument", offered("repair", "", socket=d.socket), ["1", "2"])
        c("backup", name="a.db")
        suite.same("backups to fetch", offered("backup", "fetch", "", socket=d.socket), ["a.db"])
        suite.same("but no name for a new one", offered("backup", "a", socket=d.socket), [])
        mine = c("sessions")["sessions"][0]["session"]
        suite.check("sessions", mine in offered("kill", "", socket=d.socket), offered("kill", "", socket=d.socket))
    begun = time.monotonic()
    d.process.send_signal(19)  # SIGSTOP
    got = offered("schema", "", socket=d.socket)
    d.process.send_signal(18)
    suite.check("a daemon that does not answer is not waited for", got == [] and time.monotonic() - begun < scaled(5), got)


@suite.section
def in_a_shell():
    """bash itself, on a terminal: TAB, and the line that comes of it."""
    if not shutil.which("script"):
        return suite.skip("bash on a terminal", "script(1) is not there")
    d = Daemon()
    with d.client() as c:
        c.exec("CREATE TABLE customer(a)")
    rc = d.folder + "/rc"
    with open(rc, "w", encoding="utf-8") as f:
        f.write("PS1='> '; bind 'set enable-bracketed-paste off'; source %s/client/alterctl.bash\n" % SOURCE)
    r = subprocess.run(
        ["script", "-qec", "bash --noprofile --rcfile %s -i" % rc, "/dev/null"],
        input="alterctl sch\tcust\t; exit\n",
        capture_output=True,
        text=True,
        env=dict(os.environ, ALTERD_SOCKET=d.socket, TERM="dumb", PATH=os.path.dirname(program("x")) + ":" + os.environ["PATH"]),
        timeout=scaled(30),
        check=False,
    )
    suite.check("TAB finishes command and table", "CREATE TABLE customer(a)" in r.stdout, r.stdout)


suite.run()
