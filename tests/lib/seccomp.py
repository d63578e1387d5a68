"""Filters of system calls, as systemd makes them of a unit's settings: one small BPF program for each.

The kernel runs all that are installed, and the strictest answer holds.
"""
import ctypes
import errno
import functools
import os
import re
import struct
import subprocess

LD, JEQ, JGE, JSET, AND, RET = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
PR_SET_SECCOMP, MODE_FILTER = 22, 2
NATIVE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000


def numbers():
    """The system calls of this machine by name, from the compiler's headers."""
    r = subprocess.run(
        ["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], capture_output=True, text=True, check=True
    )
    return {n: int(v) for n, v in re.findall(r"^#define __NR_(\w+) (\d+)$", r.stdout, re.M)}


@functools.cache
def groups():
    """systemd's groups of calls: what stands in each, by its name."""
    r = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True)
    found = {}
    for line in r.stdout.splitlines():
        word = line.split("#")[0].strip()
        if line.startswith("@"):
            members = found.setdefault(word, [])
        elif line.startswith(" ") and word:
            members.append(word)
    return found


def group(name):
    """All calls of a group, those of the groups it contains included."""
    return named(groups()[name])


def named(words):
    found = set()
    for word in words:
        found |= group(word) if word[0] == "@" else {word}
    return found


def allowed(lines):
    """What the lines of SystemCallFilter= leave, in their order."""
    have = group("@default")
    for line in lines:
        if line.startswith("~"):
            have -= named(line[1:].split())
        else:
            have |= named(line.split())
    # What systemd lets through in any case.
    return have | {"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn"}


def op(code, k, yes=0, no=0):
    return struct.pack("HBBI", code, yes, no, k)


def argument(i):
    return op(LD, 16 + 8 * i)


def fails(how=errno.EPERM):
    return op(RET, 0x00050000 | how)


def on(nr, *then):
    """For this call the instructions `then`, which end with the answer; else what follows."""
    return [op(JEQ, nr, 0, len(then)), *then]


class Filters:
    def __init__(self):
        self.nr = numbers()
        self.made = []

    def only(self, calls, how):
        """Every other call fails."""
        code = [op(LD, 0)]
        for name in sorted(calls):
            if name in self.nr:
                code += on(self.nr[name], op(RET, ALLOW))
        self.made.append(code + [fails(how)])

    def native(self):
        arch = NATIVE[os.uname().machine]
        self.made.append([op(LD, 4), op(JEQ, arch, 1, 0), op(RET, KILL), op(LD, 0), op(JGE, X32, 0, 1), op(RET, KILL)]
                         + [op(RET, ALLOW)])  # fmt: skip

    def rules(self, *rules):
        """(call, argument, test, value, error): the call fails where the test of its argument is true.

        test: "any" bit of value is set, "all" are, it is "other" than value, or one "of" the values; "always".
        """
        code = [op(LD, 0)]
        for name, at, test, value, how in rules:
            if name not in self.nr:
                continue
            if test == "always":
                then = [fails(how)]
            elif test == "any":
                then = [argument(at), op(JSET, value, 0, 1), fails(how), op(RET, ALLOW)]
            elif test == "all":
                then = [argument(at), op(AND, value), op(JEQ, value, 0, 1), fails(how), op(RET, ALLOW)]
            elif test == "other":
                then = [argument(at), op(JEQ, value, 1, 0), fails(how), op(RET, ALLOW)]
            elif test == "of":
                then = [argument(at)]
                for v in value:
                    then += [op(JEQ, v, 0, 1), fails(how)]
                then += [op(RET, ALLOW)]
            code += on(self.nr[name], *then)
        self.made.append(code + [op(RET, ALLOW)])

    def install(self):
        """For this process, for good. It must have given up new privileges."""
        libc = ctypes.CDLL(None, use_errno=True)

        class Program(ctypes.Structure):
            _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

        # The list of what may be called comes last: prctl() itself may not be on it.
        for code in self.made[::-1]:
            text = b"".join(code)
            program = Program(len(code), text)
            if libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "seccomp")
