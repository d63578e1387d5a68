"""Programs on a terminal: a bare one that is read as it comes, and a real one (tmux) whose screen can be looked at."""
import fcntl
import os
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

from limits import scaled, until


class Pty:
    """A program on a pseudo-terminal of so many columns. What it writes gathers in `seen`."""

    def __init__(self, args, columns=100, rows=30, env=None):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            args, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", **(env or {})},
        )
        os.close(slave)
        self.seen = ""

    def read(self, seconds=0.05):
        """Takes what comes within so long; False once the program has closed its terminal."""
        end = time.monotonic() + seconds
        while select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                return False
            if not piece:
                return False
            self.seen += piece.decode(errors="replace")
        return True

    def until(self, text, limit=20.0):
        """Reads until `text` (a regular expression) was seen."""

        def there():
            self.read()
            return re.search(text, self.seen)

        try:
            until("%r on the terminal" % text, there, limit)
        except AssertionError as e:
            raise AssertionError("%s; seen:\n%s" % (e, self.seen[-1000:])) from None

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self, limit=20.0):
        """Reads to its end; the exit code."""
        stop = time.monotonic() + scaled(limit)
        while self.read() and time.monotonic() < stop:
            pass
        try:
            code = self.process.wait(max(0.1, stop - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            code = self.process.wait()
        os.close(self.master)
        return code


class Tmux:
    """A program in a terminal of its own, whose screen is read as a person would see it. Without one: a shell."""

    all = []
    above = 0  # lines that count though they have left the screen

    def __init__(self, columns=80, rows=24, env=None, command=None):
        self.folder = tempfile.mkdtemp(prefix="alterd-t-")
        self.code_path = os.path.join(self.folder, "code")
        self.env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        self.env.update({"LC_ALL": "C.UTF-8", "PS1": "$ ", **(env or {})})
        own = ["%s=%s" % kv for kv in {"LC_ALL": self.env["LC_ALL"], "PS1": "$ ", **(env or {})}.items()]
        words = ["env", "-u", "TMUX", *own, *(command or ["sh"])]
        script = "%s; echo $? >%s" % (" ".join(map(shlex.quote, words)), shlex.quote(self.code_path))
        Tmux.all.append(self)
        # Nothing of the user's own settings; escapes are not waited for.
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows), script)
        self.tmux("set-option", "-g", "status", "off")
        self.resize(columns, rows)
        if not command:
            self.until("a prompt", r"\$")

    def tmux(self, *args):
        r = subprocess.run(["tmux", "-u", "-S", os.path.join(self.folder, "s"), *args], env=self.env, text=True,
                           capture_output=True, timeout=scaled(20), check=False)
        if r.returncode != 0:
            raise RuntimeError("tmux %s: %s" % (" ".join(args), r.stderr))
        return r.stdout

    def screen(self):
        """What is seen, its lines without blanks at their ends."""
        seen = self.tmux("capture-pane", "-p", "-S", str(-self.above), "-t", "t")
        return "\n".join(x.rstrip() for x in seen.split("\n"))

    def look(self, key):
        """A format of tmux, as alternate_on or cursor_flag."""
        return self.tmux("display-message", "-p", "-t", "t", "#{%s}" % key).strip()

    def type(self, text, *keys):
        """A text, then keys by their names: Enter, Up, Tab, C-c."""
        # A semicolon at the end would be tmux's own.
        more = [";", "send-keys", "-t", "t", *keys] if keys else []
        text = text[:-1] + "\\;" if text.endswith(";") else text
        self.tmux("send-keys", "-t", "t", "-l", "--", text, *more)

    def line(self, text):
        self.type(text, "Enter")

    def key(self, *names):
        self.tmux("send-keys", "-t", "t", *names)

    def resize(self, columns, rows):
        self.tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    def until(self, what, wanted, limit=20.0):
        """Waits until `wanted` (a regular expression, or a function of the screen) holds; returns the screen."""
        seen = [""]

        def there():
            seen[0] = self.screen()
            return wanted(seen[0]) if callable(wanted) else re.search(wanted, seen[0])

        try:
            until(what, there, limit, every=0.02)
        except AssertionError as e:
            raise AssertionError("%s; on the screen:\n%s" % (e, seen[0])) from None
        return seen[0]

    def exit_code(self, limit=10.0):
        def ended():
            try:
                with open(self.code_path, encoding="ascii") as f:
                    return f.read().strip() or None
            except FileNotFoundError:
                return None

        return int(until("the program ends", ended, limit))

    def end(self):
        try:
            self.tmux("kill-server")
        except RuntimeError:
            pass
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def end_all():
        for t in Tmux.all:
            t.end()
