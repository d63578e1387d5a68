"""A strict reader of Prometheus' text format 0.0.4: what it does not say is an error, and so is what contradicts itself."""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)|NaN|[+-]?Inf")


class Bad(Exception):
    pass


def labels_of(text, line):
    """`a="b",..}` as a dict; returns it and what stands behind the bracket."""
    out = {}
    while not text.startswith("}"):
        m = re.match(LABEL + "=\"", text)
        if not m:
            raise Bad("label: %r" % line)
        key, text, value = m[0][:-2], text[m.end() :], ""
        while not text.startswith('"'):
            if not text:
                raise Bad("label without an end: %r" % line)
            if text[0] == "\\":
                if text[1:2] not in ("\\", '"', "n"):
                    raise Bad("escape: %r" % line)
                value, text = value + {"\\": "\\", '"': '"', "n": "\n"}[text[1]], text[2:]
            else:
                value, text = value + text[0], text[1:]
        if key in out:
            raise Bad("label twice: %r" % line)
        out[key], text = value, text[1:]
        if text.startswith(","):
            text = text[1:]
        elif not text.startswith("}"):
            raise Bad("behind a label: %r" % line)
    return out, text[1:]


def number(text, line):
    if not NUMBER.fullmatch(text):
        raise Bad("value: %r" % line)
    return float(text.replace("Inf", "inf"))


class Families(dict):
    """name -> {"type", "help", "samples": [(name, labels, value)]}"""

    def value(self, metric, **labels):
        for family in self.values():
            for n, l, v in family["samples"]:
                if n == metric and all(l.get(k) == x for k, x in labels.items()):
                    return v
        return None

    def labels(self, name):
        return [l for n, l, _ in self[name]["samples"] if n == name]


def check_histogram(name, family):
    groups = {}
    for n, l, v in family["samples"]:
        key = tuple(sorted((k, x) for k, x in l.items() if k != "le"))
        g = groups.setdefault(key, {"buckets": []})
        if n == name + "_bucket":
            if "le" not in l:
                raise Bad(name + ": bucket without le")
            g["buckets"].append((number(l["le"], name), v))
        elif n in (name + "_sum", name + "_count"):
            if n in g:
                raise Bad(n + " twice")
            g[n] = v
        else:
            raise Bad(name + ": what is " + n)
    for g in groups.values():
        bounds, counts = [b for b, _ in g["buckets"]], [c for _, c in g["buckets"]]
        if bounds != sorted(set(bounds)) or not bounds or bounds[-1] != float("inf"):
            raise Bad(name + ": bounds %r" % bounds)
        if counts != sorted(counts):
            raise Bad(name + ": counts fall %r" % counts)
        if g.get(name + "_count") != counts[-1]:
            raise Bad(name + ": count is not the last bucket's")
        if name + "_sum" not in g:
            raise Bad(name + ": no sum")


def parse(text):
    out, seen, current = Families(), set(), None
    if not text.endswith("\n"):
        raise Bad("no line end at the end")
    for line in text[:-1].split("\n"):
        m = re.fullmatch("# HELP (%s) (.+)" % NAME, line)
        if m:
            if m[1] in out:
                raise Bad("family twice: " + m[1])
            if re.search(r"\\(?![\\n])", m[2]):
                raise Bad("escape in help: %r" % line)
            current = out[m[1]] = {"help": m[2], "type": None, "samples": []}
            current["name"] = m[1]
            continue
        m = re.fullmatch("# TYPE (%s) (\\w+)" % NAME, line)
        if m:
            if not current or current["name"] != m[1] or current["type"] or current["samples"] or m[2] not in TYPES:
                raise Bad("type: %r" % line)
            current["type"] = m[2]
            continue
        m = re.match(NAME, line)
        if not m or not current or not current["type"]:
            raise Bad("line: %r" % line)
        name, rest, labels = m[0], line[m.end() :], {}
        if rest.startswith("{"):
            labels, rest = labels_of(rest[1:], line)
        if not rest.startswith(" "):
            raise Bad("no blank before the value: %r" % line)
        value = number(rest[1:], line)
        base = current["name"]
        if name != base and not (current["type"] == "histogram" and name.startswith(base + "_")):
            raise Bad("%s is not of the family %s" % (name, base))
        if (name, tuple(sorted(labels.items()))) in seen:
            raise Bad("sample twice: %r" % line)
        seen.add((name, tuple(sorted(labels.items()))))
        if current["type"] == "counter" and (not base.endswith("_total") or not value >= 0):
            raise Bad("counter: %r" % line)
        current["samples"].append((name, labels, value))
    for name, family in out.items():
        if family["type"] == "histogram":
            check_histogram(name, family)
    return out
