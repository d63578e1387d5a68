"""A client of protocol 1 for the tests: one connection, requests out, answers in, nothing hidden.

It is deliberately dumb: it checks no parameter and keeps no state of the session, so that a test can send what a good
client never would. Answers that arrive before the one asked for are kept, because control methods overtake.
"""
import base64
import json
import select
import socket
import time

from limits import scaled


class RpcError(Exception):
    """The daemon answered an error."""

    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.code = error.get("code")
        self.message = error.get("message")
        self.data = error.get("data") or {}
        self.name = self.data.get("name")


class Closed(ConnectionError):
    """The daemon closed the connection."""


def blob(data):
    return {"blob": base64.b64encode(data).decode()}


def text(data):
    return {"text": base64.b64encode(data).decode()}


def encode(message):
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


class Client:
    def __init__(self, path, timeout=30.0, sock=None):
        """`sock`: a connection somebody else has made (others.py)."""
        self.timeout = scaled(timeout)
        self.sock = sock or socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if not sock:
                self.sock.connect(path)  # blocking: with a timeout a full backlog would be an error
        except OSError:
            self.sock.close()
            raise
        self.sock.settimeout(self.timeout)
        self.buffer = bytearray()
        self.kept = {}  # answers that came before they were asked for, by id
        self.order = []  # ids in the order their answers arrived
        self.last_id = 0

    def send(self, method, **params):
        """Sends without waiting; returns the id."""
        self.last_id += 1
        self.raw(encode({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))
        return self.last_id

    def raw(self, data):
        self.sock.sendall(data)

    def line(self, timeout=None):
        """The next line as bytes, without its newline."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        scanned = 0
        while (at := self.buffer.find(b"\n", scanned)) < 0:
            scanned = len(self.buffer)
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                raise TimeoutError("no answer in time")
            got = self.sock.recv(1 << 18)
            if not got:
                raise Closed("the daemon closed the connection")
            self.buffer += got
        out = bytes(self.buffer[:at])
        del self.buffer[: at + 1]
        return out

    def read(self, timeout=None):
        """The next message, whatever it is."""
        message = json.loads(self.line(timeout))
        if "method" not in message:
            self.order.append(message.get("id"))
        return message

    def message(self, want, timeout=None):
        """The whole answer to id `want`."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while want not in self.kept:
            m = self.read(max(0.0, end - time.monotonic()))
            if "method" not in m:
                self.kept[m.get("id")] = m
        return self.kept.pop(want)

    def answer(self, want, timeout=None):
        m = self.message(want, timeout)
        if "error" in m:
            raise RpcError(m["error"])
        return m["result"]

    def __call__(self, method, **params):
        return self.answer(self.send(method, **params))

    def query(self, sql, *bind, **more):
        return self("query", sql=sql, bind=list(bind), **more)

    def rows(self, sql, *bind, **more):
        """All rows; cursors are followed."""
        res = self.query(sql, *bind, **more)
        rows, cursor = res["rows"], res.get("cursor")
        while not res["done"]:
            res = self("fetch", cursor=cursor)
            rows += res["rows"]
        return rows

    def value(self, sql, *bind):
        return self.rows(sql, *bind)[0][0]

    def exec(self, sql, *bind, **more):
        return self("exec", sql=sql, bind=list(bind), **more)

    def at_end(self, timeout=5.0):
        """True if the daemon closes the connection within the time; what still comes before that is dropped."""
        try:
            while True:
                self.line(scaled(timeout))
        except (Closed, ConnectionResetError):
            return True
        except TimeoutError:
            return False

    def end_of_writing(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
