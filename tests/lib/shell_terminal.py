"""alterctl shell in a terminal: what is asked of its screen."""
import subprocess

from terminal import Tmux


class Terminal(Tmux):
    above = 500

    def __init__(self, command, env=None, columns=100, rows=30):
        """`command` is a list; `env` is set on top of ours."""
        super().__init__(columns, rows, env, command)

    def screen(self):
        return super().screen().rstrip("\n")

    def shows(self, text, limit=10.0):
        return self.until(text, lambda s: text in s, limit)

    def at_prompt(self, prompt="alterd> "):
        """The last line is an empty prompt."""
        return self.until("a prompt", lambda s: s.rsplit("\n", 1)[-1] == prompt.rstrip())

    def makes_signals(self):
        """Whether Ctrl-C is a signal just now, not a key of the program's."""
        words = subprocess.run(["stty", "-F", self.look("pane_tty"), "-a"], capture_output=True, text=True,
                               check=False).stdout.split()
        return "isig" in words
