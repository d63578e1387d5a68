"""Tries what a sandboxed service must not be able to do, and tells as JSON what came of each. Run inside of sandbox.py."""
import ctypes
import errno
import json
import os
import socket

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
SYSCALLS = {"x86_64": {"setns": 308, "settimeofday": 164, "syslog": 103, "keyctl": 250, "bpf": 321, "ptrace": 101}}
SYSCALLS["aarch64"] = {"setns": 268, "settimeofday": 170, "syslog": 116, "keyctl": 219, "bpf": 280, "ptrace": 117}


def outcome(attempt):
    try:
        got = attempt()
    except OSError as e:
        return errno.errorcode[e.errno]
    return "done" if got is None else str(got)


def call(name, *args):
    def attempt():
        if getattr(libc, name)(*args) == -1:
            raise OSError(ctypes.get_errno(), name)

    return attempt


def syscall(name, *args):
    return call("syscall", SYSCALLS[os.uname().machine][name], *args)


def write(path):
    def attempt():
        with open(path, "w", encoding="utf-8") as f:
            f.write("x")

    return attempt


def writable_code():
    if libc.mmap(None, 4096, 7, 0x22, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")


def made_executable():
    at = libc.mmap(None, 4096, 3, 0x22, -1, 0)
    if libc.mprotect(ctypes.c_void_p(at), 4096, 5) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")


def realtime():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def setuid_file():
    write("/tmp/mine")()
    os.chmod("/tmp/mine", 0o4755)


def status(key):
    with open("/proc/self/status", encoding="ascii") as f:
        return next(x.split()[1] for x in f if x.startswith(key + ":"))


def others():
    return len([x for x in os.listdir("/proc") if x.isdigit() and os.stat("/proc/" + x).st_uid != os.getuid()])


def interfaces():
    with open("/proc/net/dev", encoding="ascii") as f:
        return [x.split(":")[0].strip() for x in f if ":" in x]


ATTEMPTS = {
    "write /etc": write("/etc/x"),
    "write /usr": write("/usr/x"),
    "write /var": write("/var/lib/x"),
    "write /run": write("/run/x"),
    "write its settings": write("/etc/alterd/alterd.conf"),
    "write /proc/sys": write("/proc/sys/kernel/domainname"),
    "write /sys": write("/sys/x"),
    "read /home": lambda: len(os.listdir("/home")),
    "a network socket": lambda: socket.socket(socket.AF_INET).close(),
    "a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "a Unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "interfaces": interfaces,
    "memory to write and run": writable_code,
    "memory made executable": made_executable,
    "a user namespace": call("unshare", 0x10000000),
    "another's namespace": syscall("setns", 0, 0),
    "a real-time thread": realtime,
    "a lower priority": lambda: os.nice(1) and None,
    "a set-uid file": setuid_file,
    "another personality": call("personality", 0x0040000),
    "the clock": syscall("settimeofday", None, None),
    "the kernel's log": syscall("syslog", 3, None, 0),
    "the host's name": call("sethostname", b"x", 1),
    "tracing": syscall("ptrace", 0, 0, 0, 0),
    "a kernel program": syscall("bpf", 0, None, 0),
    "mounting": call("mount", None, b"/tmp", b"tmpfs", 0, None),
    "a module": call("syscall", 175 if os.uname().machine == "x86_64" else 105, None, 0, None),
    "another user": lambda: os.setuid(0),
    "a raw disk": lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)),
    "devices": lambda: sorted(os.listdir("/dev")),
    "other users' processes": others,
    "temporary files of others": lambda: [x for x in os.listdir("/tmp") + os.listdir("/var/tmp") if x != "mine"],
    "capabilities": lambda: (status("CapBnd"), status("CapEff")),
    "no new privileges": lambda: status("NoNewPrivs"),
    "umask": lambda: oct(os.umask(0)),
    "its own folder": write("/var/lib/" + os.environ["PROBE"] + "/x"),
    "its runtime folder": write("/run/" + os.environ["PROBE"] + "/x"),
    "temporary files": write("/tmp/own"),
}
print(json.dumps({name: outcome(attempt) for name, attempt in ATTEMPTS.items()}))
