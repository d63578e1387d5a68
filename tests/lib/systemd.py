"""Plays systemd to a daemon: the datagrams that it sends of itself."""
import os
import shutil
import socket
import tempfile
import time

from limits import scaled


class Systemd:
    """Plays systemd's end of sd_notify."""

    def __init__(self, abstract=False):
        self.folder = tempfile.mkdtemp(prefix="alterd-n-")
        self.address = (
            "\0alterd-%d-%s" % (os.getpid(), os.path.basename(self.folder)) if abstract else self.folder + "/n"
        )
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.address)
        self.lines = []

    def env(self):
        return {"NOTIFY_SOCKET": self.address.replace("\0", "@")}

    def wait(self, prefix, limit=10):
        end = time.monotonic() + scaled(limit)
        while not any(x.startswith(prefix) for x in self.lines):
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                self.lines += self.sock.recv(65536).decode().splitlines()
            except TimeoutError:
                return False
        return True

    def heard(self):
        """What has come so far, without waiting."""
        self.sock.settimeout(0)
        while True:
            try:
                self.lines += self.sock.recv(65536).decode().splitlines()
            except BlockingIOError:
                return self.lines

    def count(self, line):
        return self.heard().count(line)

    def close(self):
        self.sock.close()
        shutil.rmtree(self.folder)
