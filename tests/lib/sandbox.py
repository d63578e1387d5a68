#!/usr/bin/env python3
"""Runs a command as a unit of systemd would: its user, its view of the file system, its filters of system calls.

    sandbox.py UNIT INSTANCE FOLDER COMMAND...     (%EXEC% as COMMAND: the unit's own ExecStart)

All rules are read from the unit. A setting that this file does not know is an error: it can neither gain nor lose a
rule unseen. Needs root. FOLDER has `state`, `run` and `etc`, which stand for StateDirectory, RuntimeDirectory and
/etc/alterd, and `bin` with the program.
"""
import ctypes
import errno
import os
import resource
import shutil
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from overlay import MS_BIND, MS_REC, Overlay, libc, mount
from seccomp import Filters, allowed, named
from unit_file import Unit

# Whom User= stands for: nobody of this machine.
UID = 61321
MS_RDONLY, MS_NOSUID, MS_REMOUNT = 1, 2, 32
CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS = 0x40000000, 0x08000000, 0x04000000
NAMESPACES = 0x7E020000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, CLEAR_ALL = 24, 38, 47, 4
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
O_CREAT = os.O_CREAT
SET_IDS = stat.S_ISUID | stat.S_ISGID

# How the service is run, which is for the tests to do.
NO_RULE = {"Type", "NotifyAccess", "ExecStart", "ExecReload", "WatchdogSec", "Restart", "RestartSec", "TimeoutStartSec"}
NO_RULE |= {"TimeoutStopSec", "RestartPreventExitStatus", "RuntimeDirectoryPreserve", "ConfigurationDirectory"}
# What only systemd has the means for: cgroups, keyrings, and what is left behind at the end.
ELSEWHERE = {"DevicePolicy", "IPAddressDeny", "KeyringMode", "RemoveIPC"}
RULES = {"User", "Group", "UMask", "LimitNOFILE", "RuntimeDirectory", "RuntimeDirectoryMode", "StateDirectory"}
RULES |= {"StateDirectoryMode", "NoNewPrivileges", "CapabilityBoundingSet", "AmbientCapabilities", "ProtectSystem"}
RULES |= {"ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateNetwork", "PrivateIPC", "RestrictAddressFamilies"}
RULES |= {"ProtectClock", "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules"}
RULES |= {"ProtectKernelTunables", "ProtectProc", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"}
RULES |= {"LockPersonality", "MemoryDenyWriteExecute", "SystemCallArchitectures", "SystemCallFilter"}
RULES |= {"SystemCallErrorNumber"}


class Sandbox:
    def __init__(self, path, instance, folder):
        self.unit, self.folder = Unit(path, instance), folder
        unknown = {k for s, k, _ in self.unit.settings if s == "Service"} - NO_RULE - ELSEWHERE - RULES
        if unknown:
            sys.exit("sandbox.py does not know " + ", ".join(sorted(unknown)))
        self.filters = Filters()

    # ---- what it sees ----

    def read_only(self, path):
        mount(None, path, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)

    def folders(self, root):
        """The folders of the service, and the program in its place."""
        for kind, top, name in (("StateDirectory", "/var/lib/", "state"), ("RuntimeDirectory", "/run/", "run")):
            inside, outside = root.path(top + self.unit.get(kind)), os.path.join(self.folder, name)
            os.makedirs(inside, exist_ok=True)
            os.chown(outside, UID, UID)
            os.chmod(outside, int(self.unit.get(kind + "Mode"), 8))
            mount(outside, inside, flags=MS_BIND)
        os.makedirs(root.path("/etc/alterd"), exist_ok=True)
        mount(os.path.join(self.folder, "etc"), root.path("/etc/alterd"), flags=MS_BIND)
        shutil.copy(os.path.join(self.folder, "bin/alterd"), root.path("/usr/sbin/alterd"))

    def devices(self, root):
        if not self.unit.yes("PrivateDevices"):
            return
        libc.umount2(root.path("/dev").encode(), 2)
        mount("tmpfs", root.path("/dev"), "tmpfs", options="mode=755")
        for name in DEVICES:
            open(root.path("/dev/" + name), "wb").close()
            mount("/dev/" + name, root.path("/dev/" + name), flags=MS_BIND)
        os.mkdir(root.path("/dev/shm"))
        self.read_only(root.path("/dev"))
        mount("tmpfs", root.path("/dev/shm"), "tmpfs", options="mode=1777")

    def kernel(self, root):
        libc.umount2(root.path("/proc").encode(), 2)
        hide = self.unit.get("ProtectProc")
        mount("proc", root.path("/proc"), "proc", options="hidepid=" + hide if hide else None)
        mount("/sys", root.path("/sys"), flags=MS_BIND | MS_REC)
        closed = []
        if self.unit.yes("ProtectKernelTunables"):
            closed += ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/sys"]
        if self.unit.yes("ProtectControlGroups") and os.path.ismount(root.path("/sys/fs/cgroup")):
            closed += ["/sys/fs/cgroup"]
        for path in closed:
            if os.path.exists(root.path(path)):
                mount(root.path(path), root.path(path), flags=MS_BIND)
                self.read_only(root.path(path))
        if self.unit.yes("ProtectKernelLogs"):
            mount("/dev/null", root.path("/proc/kmsg"), flags=MS_BIND)

    def file_system(self):
        root = Overlay()
        self.folders(root)
        self.devices(root)
        self.kernel(root)
        if self.unit.yes("ProtectHome"):
            for path in ("/home", "/root"):
                mount("tmpfs", root.path(path), "tmpfs", flags=MS_RDONLY, options="mode=000")
        if self.unit.yes("PrivateTmp"):
            mount("tmpfs", root.path("/var/tmp"), "tmpfs", options="mode=1777")
        else:
            mount("/tmp", root.path("/tmp"), flags=MS_BIND)
        if self.unit.get("ProtectSystem") == "strict":
            self.read_only(root.root)
            self.read_only(root.path("/run"))
            self.read_only(root.path("/etc/alterd"))
        os.chroot(root.root)
        os.chdir("/")

    # ---- what it may do ----

    def make_filters(self):
        unit, f, no = self.unit, self.filters, errno.EPERM
        lines = unit.all("SystemCallFilter")
        if lines:
            f.only(allowed(lines), getattr(errno, unit.get("SystemCallErrorNumber", "EPERM")))
        if unit.get("SystemCallArchitectures") == "native":
            f.native()
        if unit.yes("MemoryDenyWriteExecute"):
            f.rules(
                ("mmap", 2, "all", PROT_WRITE | PROT_EXEC, no),
                ("mprotect", 2, "any", PROT_EXEC, no),
                ("pkey_mprotect", 2, "any", PROT_EXEC, no),
                ("shmat", 2, "any", SHM_EXEC, no),
            )
        if unit.get("RestrictAddressFamilies") == "AF_UNIX":
            f.rules(("socket", 0, "other", 1, errno.EAFNOSUPPORT))
        if unit.yes("RestrictNamespaces"):
            f.rules(
                ("unshare", 0, "any", NAMESPACES, no),
                ("clone", 0, "any", NAMESPACES, no),
                ("clone3", 0, "always", 0, errno.ENOSYS),
                ("setns", 0, "always", 0, no),
            )
        if unit.yes("RestrictRealtime"):
            f.rules(("sched_setscheduler", 1, "of", (1, 2, 6), no))
        if unit.yes("LockPersonality"):
            f.rules(("personality", 0, "other", 0, no))
        if unit.yes("RestrictSUIDSGID"):
            f.rules(
                ("chmod", 1, "any", SET_IDS, no),
                ("fchmod", 1, "any", SET_IDS, no),
                ("fchmodat", 2, "any", SET_IDS, no),
                ("mkdir", 1, "any", SET_IDS, no),
                ("mkdirat", 2, "any", SET_IDS, no),
                ("mknod", 1, "any", SET_IDS, no),
                ("mknodat", 2, "any", SET_IDS, no),
                ("openat2", 0, "always", 0, errno.ENOSYS),
            )
        denied = set()
        for key, words in (
            ("ProtectClock", ["@clock"]),
            ("ProtectKernelModules", ["@module"]),
            ("ProtectKernelLogs", ["syslog"]),
            ("ProtectHostname", ["sethostname", "setdomainname"]),
        ):
            denied |= named(words) if unit.yes(key) else set()
        f.rules(*((name, 0, "always", 0, no) for name in sorted(denied - named(["@default"]))))

    def enter(self):
        unit = self.unit
        apart = 0
        for key, flag in (
            ("PrivateNetwork", CLONE_NEWNET),
            ("PrivateIPC", CLONE_NEWIPC),
            ("ProtectHostname", CLONE_NEWUTS),
        ):
            apart |= flag if unit.yes(key) else 0
        self.make_filters()
        self.file_system()
        if libc.unshare(apart) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        os.umask(int(unit.get("UMask", "0022"), 8))
        files = int(unit.get("LimitNOFILE", "1024"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        if unit.get("CapabilityBoundingSet") == "":
            for cap in range(64):
                if libc.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0:
                    break
        if unit.get("AmbientCapabilities") == "":
            libc.prctl(PR_CAP_AMBIENT, CLEAR_ALL, 0, 0, 0)
        if unit.get("User"):
            os.setgroups([])
            os.setresgid(UID, UID, UID)
            os.setresuid(UID, UID, UID)
        if unit.yes("NoNewPrivileges"):
            libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        self.filters.install()


if __name__ == "__main__":
    sandbox = Sandbox(*sys.argv[1:4])
    command = sys.argv[4:]
    if command[0] == "%EXEC%":
        command = sandbox.unit.get("ExecStart").split() + command[1:]
    sandbox.enter()
    os.execv(command[0], command)
