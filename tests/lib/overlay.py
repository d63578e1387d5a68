"""The machine's own file system with a layer over it: what is installed there is gone with the test.

Needs root. Everything happens in a mount namespace of this process, so nothing is left to be unmounted.
"""
import ctypes
import os
import subprocess

CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE, MS_BIND = 0x4000, 0x40000, 0x1000


class Unavailable(Exception):
    """Why there is none here."""


libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind=None, flags=0, options=None):
    def text(s):
        return s.encode() if s is not None else None

    if libc.mount(text(source), text(target), text(kind), ctypes.c_ulong(flags), text(options)) != 0:
        e = ctypes.get_errno()
        raise Unavailable("mounting %s on %s: %s" % (source, target, os.strerror(e)))


def own_mounts():
    """A mount namespace for this process and its children."""
    if os.geteuid() != 0:
        raise Unavailable("it needs root")
    if libc.unshare(CLONE_NEWNS) != 0:
        raise Unavailable("no mount namespace may be made: " + os.strerror(ctypes.get_errno()))
    mount(None, "/", flags=MS_REC | MS_PRIVATE)


class Overlay:
    def __init__(self):
        own_mounts()
        # In this namespace alone, so nothing is left of it.
        self.folder = "/mnt"
        mount("tmpfs", self.folder, "tmpfs")
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(self.folder, name))
        self.root = os.path.join(self.folder, "root")
        mount(
            "overlay",
            self.root,
            "overlay",
            options="lowerdir=/,upperdir=%s/upper,workdir=%s/work" % (self.folder, self.folder),
        )
        for name in ("proc", "dev"):
            mount("/" + name, self.path("/" + name), flags=MS_BIND | MS_REC)
        for name in ("run", "tmp"):
            mount("tmpfs", self.path("/" + name), "tmpfs", options="mode=1777" if name == "tmp" else "mode=755")

        # The index of all manual pages is nobody's concern here, and dear.
        if os.path.exists(self.path("/var/lib/man-db/auto-update")):
            os.unlink(self.path("/var/lib/man-db/auto-update"))

    def path(self, path):
        """Where a path of the inside is found from outside."""
        return self.root + path

    def command(self, *args, user=None):
        prefix = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"] if user else []
        return ["chroot", self.root, *prefix, *args]

    def run(self, *args, user=None, env=None, limit=300):
        return subprocess.run(
            self.command(*args, user=user),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit,
            check=False,
            cwd="/",
            env=dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8", **(env or {})),
        )

    def sh(self, text, **kw):
        return self.run("sh", "-ec", text, **kw)
