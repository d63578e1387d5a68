"""systemd's unit files, as far as the tests need them: the settings of a section, in order."""


def read(path, instance=""):
    """[(section, key, value)], lines that go on joined, %i filled in."""
    out, section, line = [], "", ""
    with open(path, encoding="utf-8") as f:
        for raw in f:
            raw = raw.rstrip("\n")
            if not line and (not raw.strip() or raw[0] in "#;"):
                continue
            if raw.endswith("\\"):
                line += raw[:-1] + " "
                continue
            line += raw
            if line[0] == "[":
                section = line.strip("[]")
            else:
                key, _, value = line.partition("=")
                out.append((section, key.strip(), " ".join(value.split()).replace("%i", instance)))
            line = ""
    return out


class Unit:
    def __init__(self, path, instance=""):
        self.settings = read(path, instance)

    def all(self, key):
        return [v for _, k, v in self.settings if k == key]

    def get(self, key, default=None):
        found = self.all(key)
        return found[-1] if found else default

    def yes(self, key):
        return self.get(key) in ("yes", "true", "1", "on")
