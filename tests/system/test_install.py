#!/usr/bin/env python3
"""The Debian packages: what is in them, and their life on a machine: installed, used, upgraded, removed, purged.

They are installed for real, by dpkg with its scripts, into a layer over this machine's file system that is thrown away.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import atexit
import re
import shutil
import signal
import subprocess
import tempfile

from daemon import program
from limits import until
from overlay import Overlay, Unavailable
from suite import Suite
from unit_file import Unit

suite = Suite(limit=400)
SOURCE = os.environ["ALTERD_SOURCE_DIR"]
BUILD = os.path.dirname(os.path.dirname(program("alterd")))
PROGRAM = r"""
#include <alterd.h>
#include <stdio.h>

int main(void)
{
	struct alterd_conn *c;
	struct alterd_result *r;
	struct alterd_value least = alterd_int(30);

	if (alterd_connect(NULL, &c) != 0 || alterd_query(c, "SELECT name FROM user WHERE age > ?", &least, 1, &r) != 0) {
		fprintf(stderr, "%s\n", alterd_error_message(c));
		return 1;
	}
	while (alterd_step(r) == 1)
		printf("%s\n", alterd_cell_text(r, 0));
	alterd_result_free(r);
	alterd_close(c);
	return 0;
}
"""
CMAKE = """cmake_minimum_required(VERSION 3.16)
project(app C)
find_package(alterd 0.1 REQUIRED)
add_executable(app app.c)
target_link_libraries(app PRIVATE alterd::alterd)
"""


def out(*args):
    return subprocess.run(args, capture_output=True, text=True, check=True, timeout=200).stdout


class Packages:
    """Those of this build, and the same as the next version."""

    def __init__(self):
        with open(BUILD + "/CMakeCache.txt", encoding="utf-8") as f:
            cache = f.read()
        self.prefix = re.search(r"^CMAKE_INSTALL_PREFIX:PATH=(.*)$", cache, re.M)[1]
        self.folder = tempfile.mkdtemp(prefix="alterd-deb-")
        self.version = re.search(r"^project\(alterd VERSION (\S+)", open(SOURCE + "/CMakeLists.txt").read(), re.M)[1]
        self.arch = out("dpkg", "--print-architecture").strip()

    def make(self):
        folder = "%s/%s" % (self.folder, self.version)
        r = subprocess.run(
            ["cpack", "-G", "DEB", "-B", folder, "--config", BUILD + "/CPackConfig.cmake"],
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        shutil.rmtree(folder + "/_CPack_Packages", ignore_errors=True)
        suite.check("cpack makes them", r.returncode == 0, (r.stdout + r.stderr)[-400:])
        return folder

    def make_newer(self, version):
        """The same once more under another number."""
        os.mkdir("%s/%s" % (self.folder, version))
        for name in NAMES:
            t = tempfile.mkdtemp(dir=self.folder)
            out("dpkg-deb", "-R", deb(name), t)
            with open(t + "/DEBIAN/control", encoding="utf-8") as f:
                control = f.read()
            with open(t + "/DEBIAN/control", "w", encoding="utf-8") as f:
                f.write(control.replace(self.version, version))
            out("dpkg-deb", "--root-owner-group", "-Znone", "-b", t, deb(name, version))


packages = Packages()


def deb(name, version=None):
    version = version or packages.version
    return "%s/%s/%s_%s_%s.deb" % (packages.folder, version, name, version, packages.arch)


NAMES = ("alterd", "libalterd0", "libalterd-dev")


@suite.section
def contents():
    folder = packages.make()
    suite.same("a package each", sorted(os.listdir(folder)), sorted(os.path.basename(deb(n)) for n in NAMES))
    files, field = {}, {}
    for name in NAMES:
        listing = out("dpkg-deb", "-c", deb(name)).splitlines()
        files[name] = {x.split(maxsplit=5)[5].split(" -> ")[0].lstrip("."): x for x in listing}
        wrong = [x for x in listing if " root/root " not in x or re.match(r".{5}w|.{8}w", x) and x[0] != "l"]
        suite.check(name + ": root's, and for nobody else to write", not wrong, wrong)
        field[name] = dict(re.findall(r"^(\S+): (.*)$", out("dpkg-deb", "-f", deb(name)), re.M))
        suite.check(name + ": its license", "/usr/share/doc/%s/copyright" % name in files[name], sorted(files[name]))
    lib = [x for x in files["libalterd0"] if re.search(r"/libalterd\.so\.0$", x)]
    suite.check("libalterd0: the library by its soname", len(lib) == 1, sorted(files["libalterd0"]))
    where = os.path.dirname(lib[0]) if lib else "?"
    units = ["alterd.service", "alterd@.service", "alterd.socket", "alterd@.socket"]
    want = {
        "alterd": ["/usr/sbin/alterd", "/usr/bin/alterctl", "/etc/alterd/alterd.conf", "/etc/alterd/alterd.conf.d/"]
        + ["/usr/lib/systemd/system/" + u for u in units]
        + ["/usr/lib/sysusers.d/alterd.conf", "/usr/lib/tmpfiles.d/alterd.conf"]
        + ["/usr/share/bash-completion/completions/alterctl"],
        "libalterd0": [where + "/libalterd.so." + packages.version],
        "libalterd-dev": ["/usr/include/alterd.h", where + "/libalterd.so", where + "/pkgconfig/alterd.pc"]
        + [where + "/cmake/alterd/alterdConfig.cmake", where + "/cmake/alterd/alterdConfigVersion.cmake"],
    }
    if os.path.exists(BUILD + "/man"):
        want["alterd"] += ["/usr/share/man/man" + p[-1] + "/" + p for p in man_pages() if p[-1] != "3"]
        want["libalterd-dev"] += ["/usr/share/man/man3/libalterd.3"]
    for name in NAMES:
        missing = [x for x in want[name] if x not in files[name]]
        suite.check(name + ": everything is there", not missing, (missing, sorted(files[name])))
    twice = [x for x in files["alterd"] if not x.endswith("/") and (x in files["libalterd0"] or x in files["libalterd-dev"])]
    suite.check("nothing is in two of them", not twice, twice)
    suite.check(
        "alterd depends on what it is linked with",
        all(x in field["alterd"]["Depends"] for x in ("libc6", "libsqlite3-0", "libuv1", "libjansson4", "libnettle8")),
        field["alterd"],
    )
    suite.check("libalterd0 does not need SQLite", "sqlite" not in field["libalterd0"]["Depends"], field["libalterd0"])
    suite.check(
        "libalterd-dev needs the library of its version",
        "libalterd0 (= %s)" % packages.version in field["libalterd-dev"]["Depends"],
        field["libalterd-dev"],
    )
    control = out("dpkg-deb", "-I", deb("alterd"))
    suite.check("its scripts", all(x in control for x in ("conffiles", "postinst", "prerm", "postrm")), control)
    suite.check("libalterd0 has its shlibs", "libalterd 0 libalterd0" in out("dpkg-deb", "-I", deb("libalterd0"), "shlibs"))


def man_pages():
    found = ["alterd-protocol.7"]
    for room in ("daemon", "client", "config"):
        found += [x[:-4] for x in os.listdir(os.path.join(SOURCE, room)) if x.endswith(".scd")]
    return found


@suite.section
def the_library():
    t = tempfile.mkdtemp(dir=packages.folder)
    out("dpkg-deb", "-x", deb("libalterd0"), t)
    lib = next(os.path.join(p, x) for p, _, names in os.walk(t) for x in names if x.startswith("libalterd.so."))
    dynamic = out("readelf", "-dW", lib)
    suite.check("soname", "SONAME" in dynamic and "[libalterd.so.0]" in dynamic, dynamic)
    exported = {x.split()[-1] for x in out("nm", "-D", "--defined-only", lib).splitlines()}
    with open(SOURCE + "/client/alterd.h", encoding="utf-8") as f:
        declared = set(re.findall(r"^ALTERD_API [^;(]*?\**(\w+)\(", f.read(), re.M))
    suite.check("what is exported is what the header declares", exported == declared, exported ^ declared)
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", dynamic))
    suite.check("it needs jansson and the C library alone", needed <= {"libjansson.so.4", "libc.so.6", "libm.so.6"}, needed)


class Service:
    """The daemon as a unit says it is started: user, folders, command line."""

    def __init__(self, root, unit, instance=""):
        self.unit = Unit(root.path("/usr/lib/systemd/system/" + unit), instance)
        for kind, top in (("RuntimeDirectory", "/run/"), ("StateDirectory", "/var/lib/")):
            folder = top + self.unit.get(kind)
            r = root.sh("mkdir -p %s && chown alterd:alterd %s && chmod %s %s"
                        % (folder, folder, self.unit.get(kind + "Mode"), folder))  # fmt: skip
            suite.check(kind, r.returncode == 0, r.stdout)
        self.log = open(root.path("/tmp/log-" + instance), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            root.command(*self.unit.get("ExecStart").split(), user=self.unit.get("User")),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            cwd="/",
        )

    def text(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@suite.section
def a_life():
    try:
        root = Overlay()
    except Unavailable as e:
        return suite.skip("installing", str(e))
    os.mkdir(root.path("/tmp/debs"))
    newer = packages.version + ".1"
    packages.make_newer(newer)
    for version in (packages.version, newer):
        for name in NAMES:
            shutil.copy(deb(name, version), root.path("/tmp/debs"))

    def debs(version):
        return ["/tmp/debs/" + os.path.basename(deb(n, version)) for n in NAMES]

    def state(name):
        r = root.run("dpkg-query", "-W", "-f", "${Status} ${Version}", name)
        return r.stdout if r.returncode == 0 else "none"

    r = root.run("dpkg", "-i", *debs(packages.version))
    suite.check("dpkg -i", r.returncode == 0, r.stdout[-400:])
    suite.same("installed", state("alterd"), "install ok installed " + packages.version)
    with open(root.path("/etc/passwd"), encoding="utf-8") as f:
        entry = [x.split(":") for x in f if x.startswith("alterd:")]
    suite.check("a user of its own that cannot log in", entry and entry[0][6].strip().endswith("nologin"), entry)
    owner = (int(entry[0][2]), int(entry[0][3]))
    for folder in ("/var/lib/alterd", "/var/lib/alterd/backups"):
        st = os.stat(root.path(folder))
        suite.same(folder, (st.st_uid, st.st_gid, oct(st.st_mode & 0o7777)), (*owner, "0o750"))
    found = root.sh("find /etc/systemd -name 'alterd*' 2>/dev/null || true").stdout
    suite.same("nothing is enabled", found, "")
    r = root.run("/usr/sbin/alterd", "--config", "/etc/alterd/alterd.conf")
    suite.check("without a database it does not start, and says why", r.returncode == 64 and "which" in r.stdout, r)

    # As the README has it.
    with open(SOURCE + "/README.md", encoding="utf-8") as f:
        sed = re.search(r"^sudo (sed -i .*/etc/alterd/alterd\.conf)$", f.read(), re.M)[1]
    r = root.sh(sed)
    suite.check("README: name the database", r.returncode == 0, r.stdout)
    r = root.run("/usr/sbin/alterd", "--config", "/etc/alterd/alterd.conf", "--check-config")
    suite.check("README: it is in force", "database = /var/lib/alterd/app.db\n" in r.stdout, r.stdout[:200])
    one = Service(root, "alterd.service")
    until("it serves", lambda: root.run("alterctl", "ping").returncode == 0, 20, every=0.1)
    for args, want in [
        (["exec", "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT, age TEXT)"], ""),
        (["exec", "INSERT INTO user(name, age) VALUES(?, ?)", "Ada", "36"], ""),
        (["alter", "ALTER TABLE user ALTER age TYPE INTEGER"], ""),
        (["query", "SELECT name, age FROM user WHERE age > ?", "30"], "Ada"),
        (["status"], "/var/lib/alterd/app.db"),
        (["backup", "--json", "pre.db"], "/var/lib/alterd/backups/pre.db"),
    ]:
        r = root.run("alterctl", *args)
        suite.check("alterctl " + args[0], r.returncode == 0 and want in r.stdout, r.stdout)
    st = os.stat(root.path("/var/lib/alterd/app.db"))
    suite.same("the database is the daemon's", (st.st_uid, st.st_gid), owner)

    open(root.path("/etc/alterd/shop.conf"), "w").close()
    other = Service(root, "alterd@.service", "shop")
    shop = ["alterctl", "--socket", "/run/alterd/shop/alterd.sock"]
    until("an instance beside it, with nothing in its file", lambda: root.run(*shop, "ping").returncode == 0, 20, 0.1)
    r = root.run(*shop, "--json", "status")
    suite.check("it has a database of its own", '"database":"/var/lib/alterd/shop/shop.db"' in r.stdout, r.stdout)
    r = root.run("alterctl", "schema", env={"ALTERD_SOCKET": "/run/alterd/shop/alterd.sock"})
    suite.check("which is empty, by $ALTERD_SOCKET", r.returncode == 0 and "user" not in r.stdout, r.stdout)

    with open(root.path("/tmp/app.c"), "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    r = root.sh("cd /tmp && cc -std=c11 -Wall -Wextra -Werror app.c $(pkg-config --cflags --libs alterd) -o app && ./app")
    suite.same("a program by pkg-config", (r.returncode, r.stdout), (0, "Ada\n"))
    r = root.run("pkg-config", "--modversion", "--print-requires", "alterd")
    suite.same("its version, and no other package required", r.stdout, packages.version + "\n")
    with open(root.path("/tmp/CMakeLists.txt"), "w", encoding="utf-8") as f:
        f.write(CMAKE)
    r = root.sh("cd /tmp && cmake -S . -B b >log 2>&1 && cmake --build b >>log 2>&1 && b/app || cat log")
    suite.same("a program by find_package", (r.returncode, r.stdout), (0, "Ada\n"))

    r = root.run("dpkg", "-i", *debs(newer))
    suite.check("upgrade", r.returncode == 0 and state("alterd").endswith(newer), r.stdout[-400:])
    with open(root.path("/etc/alterd/alterd.conf"), encoding="utf-8") as f:
        suite.check("the settings stay", "database = /var/lib/alterd/app.db" in f.read())
    suite.same("the daemon goes on without systemd", root.run("alterctl", "query", "SELECT 1").returncode, 0)
    suite.same("exit", (one.stop(), other.stop()), (0, 0))
    suite.check("no complaint in its log", "error" not in one.text() + other.text(), one.text() + other.text())

    r = root.run("dpkg", "-r", "alterd")
    suite.check("remove", r.returncode == 0 and state("alterd").startswith("deinstall ok config-files"), r.stdout[-400:])
    suite.check("the program is gone", not os.path.exists(root.path("/usr/sbin/alterd")))
    kept = ["/etc/alterd/alterd.conf", "/var/lib/alterd/app.db", "/var/lib/alterd/backups/pre.db", "/etc/alterd/shop.conf"]
    suite.check("settings and data stay", all(os.path.exists(root.path(x)) for x in kept))
    r = root.run("dpkg", "-P", "alterd")
    suite.check("purge says what it keeps", r.returncode == 0 and "/var/lib/alterd is kept" in r.stdout, r.stdout[-400:])
    suite.same("data stays, settings are gone", [os.path.exists(root.path(x)) for x in kept], [False, True, True, True])

    # Without systemd the scripts make user and folders by themselves.
    root.sh("rm -f /usr/bin/systemd-sysusers /bin/systemd-sysusers /usr/bin/systemd-tmpfiles /bin/systemd-tmpfiles;"
            "sed -i /^alterd:/d /etc/passwd /etc/group /etc/shadow /etc/gshadow")  # fmt: skip
    r = root.run("dpkg", "-i", debs(newer)[0])
    got = root.sh("getent passwd alterd; stat -c '%U %G %a' /var/lib/alterd /var/lib/alterd/backups").stdout
    suite.check(
        "installed where there is no systemd",
        r.returncode == 0 and "nologin" in got and got.endswith("alterd alterd 750\nalterd alterd 750\n"),
        r.stdout + got,
    )
    r = root.run("dpkg", "-P", "alterd", "libalterd-dev", "libalterd0", env={"ALTERD_PURGE": "data"})
    suite.check("a purge that is told so", r.returncode == 0 and not os.path.exists(root.path("/var/lib/alterd")), r.stdout)
    suite.check("the library is gone", not os.path.exists(root.path("/usr/include/alterd.h")))


if packages.prefix != "/usr":
    print("skip: packages are made of a build for /usr, this one is for " + packages.prefix)
    sys.exit(0)
atexit.register(shutil.rmtree, packages.folder, True)
suite.run()
