"""Clients of other users: a forked child becomes that user, connects, and hands the connection over.

The kernel tells the daemon who made a connection, not who has it now, so the test can speak for any user in one process.
Only root can become somebody else.
"""
import os
import socket

from wire import Client


def can():
    return os.geteuid() == 0


def open_to_all(daemon):
    """Lets other users reach the socket of a daemon that has `server.socket_mode` 0666."""
    os.chmod(daemon.folder, 0o755)


def crowd(path, uid, n, gid=None, groups=(), timeout=30.0):
    """n Clients of the user `uid` with these supplementary groups; OSError if it may not open the socket."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setgroups(list(groups))
            os.setgid(uid if gid is None else gid)
            os.setuid(uid)
            made = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(n)]
            for s in made:
                s.connect(path)
            socket.send_fds(theirs, [b"x"], [s.fileno() for s in made])
            code = 0
        finally:
            os._exit(code)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 1, n)
    ours.close()
    os.waitpid(pid, 0)
    if not fds:
        raise OSError("uid %d cannot connect to %s" % (uid, path))
    return [Client(path, timeout, socket.socket(fileno=fd)) for fd in fds]


def connect(path, uid, gid=None, groups=(), timeout=30.0):
    return crowd(path, uid, 1, gid, groups, timeout)[0]
