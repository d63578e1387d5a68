"""A program in a real terminal: tmux draws the screen, keys go in, and what stands on the screen can be asked for."""
import os
import shlex
import subprocess
import tempfile

from limits import until


class Terminal:
    all = []

    def __init__(self, command, env=None, columns=100, rows=30):
        """`command` is a list; `env` is set on top of ours."""
        self.folder = tempfile.mkdtemp(prefix="alterd-t-")
        self.server = os.path.join(self.folder, "tmux")
        self.code_path = os.path.join(self.folder, "code")
        words = ["env", "-u", "TMUX"] + ["%s=%s" % kv for kv in (env or {}).items()] + list(command)
        script = "%s; echo $? > %s" % (" ".join(shlex.quote(w) for w in words), shlex.quote(self.code_path))
        Terminal.all.append(self)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), script)

    def tmux(self, *args):
        return subprocess.run(
            ["tmux", "-S", self.server, "-u", *args], capture_output=True, text=True, timeout=60, check=False
        ).stdout

    def type(self, text, *keys):
        """A text, then keys by their names: Enter, Up, Tab, C-c."""
        # A semicolon at the end would be tmux's own.
        more = [";", "send-keys", *keys] if keys else []
        self.tmux("send-keys", "-l", "--", text[:-1] + "\\;" if text.endswith(";") else text, *more)

    def key(self, *names):
        self.tmux("send-keys", *names)

    def line(self, text):
        self.type(text, "Enter")

    def screen(self):
        return self.tmux("capture-pane", "-p", "-S", "-500").rstrip("\n")

    def until(self, what, condition, limit=10.0):
        """The screen once condition(screen) holds."""

        def look():
            seen = self.screen()
            return seen if condition(seen) else None

        try:
            return until(what, look, limit, every=0.02)
        except AssertionError:
            raise AssertionError("%s is not on the screen:\n%s" % (what, self.screen())) from None

    def shows(self, text, limit=10.0):
        return self.until(text, lambda s: text in s, limit)

    def at_prompt(self, prompt="alterd> "):
        """The last line is an empty prompt."""
        return self.until("a prompt", lambda s: s.rsplit("\n", 1)[-1] == prompt.rstrip())

    def makes_signals(self):
        """Whether Ctrl-C is a signal just now, not a key of the program's."""
        tty = self.tmux("display-message", "-p", "#{pane_tty}").strip()
        words = subprocess.run(["stty", "-F", tty, "-a"], capture_output=True, text=True, check=False).stdout.split()
        return "isig" in words

    def exit_code(self, limit=10.0):
        def ended():
            try:
                with open(self.code_path, encoding="ascii") as f:
                    return f.read().strip() or None
            except FileNotFoundError:
                return None

        return int(until("the program ends", ended, limit))

    def close(self):
        self.tmux("kill-server")

    @staticmethod
    def close_all():
        for t in Terminal.all:
            t.close()
