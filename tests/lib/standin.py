"""A daemon that is none: answers each method with what it was told to, and keeps what it was asked."""
import json
import os
import socket
import tempfile
import threading


class Refusal(Exception):
    def __init__(self, code, name, message):
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": {"name": name, "retryable": False}}


class StandIn:
    """Answers each method with a value, or what a function makes of its parameters (Refusal: an error)."""

    def __init__(self, home, role="admin", **answers):
        self.folder = tempfile.mkdtemp(dir=home)
        self.role = role
        self.path = os.path.join(self.folder, "s")
        self.answers = {k.replace("_", ".", 1): v for k, v in answers.items()}
        self.asked = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def answer(self, m):
        if m["method"] == "hello":
            return {"server": "alterd/0", "protocol": 1, "session": "s1", "role": self.role}
        self.asked.append((m["method"], m.get("params")))
        a = self.answers[m["method"]]
        return a(m.get("params")) if callable(a) else a

    def serve(self, s):
        with s, s.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                m = json.loads(line)
                out = {"jsonrpc": "2.0", "id": m["id"]}
                try:
                    out["result"] = self.answer(m)
                except Refusal as e:
                    out["error"] = e.error
                s.sendall((json.dumps(out) + "\n").encode())

    def params(self):
        """Of the first request."""
        return self.asked[0][1]

    def methods(self):
        return [m for m, _ in self.asked]
