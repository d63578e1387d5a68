"""Random tables and random changes of them, from one seed: a Case for live.py.

A Shape is a table as Python objects; its text is made from them, before the change and behind it. An action changes the
objects and says itself as ALTER TABLE does. Values are chosen so that most changes fit the data.
"""
import copy

from gen import quoted
from live import Case

NAMES = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
ODD = ["a b", "select", 'q"q', "é", "x.y", "rowid", "_rowid_", "From", "weird]", "set", "using", "add", "default", "to"]
# Words of SQL that are names, too, also without quotes.
WORDS = ["key", "type", "generated", "always", "no", "replace", "desc", "without", "strict", "initially", "cascade"]
# declared type, what is put in: types a column of such values may be changed to without loss
KINDS = [
    ("INT", "int", ["REAL", "TEXT", "NUMERIC", "", "BIGINT", "VARCHAR(9)"]),
    ("INTEGER", "int:200", ["REAL", "TEXT", "BLOB"]),
    ("INT", "big", ["TEXT", "NUMERIC", ""]),
    ("TEXT", "inttext", ["INTEGER", "REAL", "NUMERIC", "BLOB"]),
    ("TEXT", "text", ["BLOB", "VARCHAR(20)", ""]),
    ("TEXT", "upper", ["BLOB", "CLOB"]),
    ("VARCHAR(20)", "numtext", ["REAL", "NUMERIC", "TEXT"]),
    ("REAL", "real", ["NUMERIC", "TEXT", "DOUBLE", ""]),
    ("NUMERIC", "num", ["REAL", "TEXT", "INT"]),
    ("", "any", ["BLOB", ""]),
    ("BLOB", "any", [""]),
    ("UNSIGNED BIG INT", "int", ["DOUBLE PRECISION", "DECIMAL(10, 5)"]),
    ("DECIMAL(10,5)", "num", ["NATIVE CHARACTER(70)", "FLOAT"]),
    ("TEXT", "longtext", ["BLOB"]),
]
STRICT_KINDS = [
    ("INT", "int", ["REAL", "TEXT", "ANY", "INTEGER"]),
    ("TEXT", "text", ["ANY"]),
    ("TEXT", "inttext", ["INT", "REAL"]),
    ("REAL", "real", ["ANY", "TEXT"]),
    ("ANY", "any", []),
    ("BLOB", "blob", ["ANY"]),
]


class Col:
    def __init__(self, name, kind, domain, to):
        self.name, self.kind, self.domain, self.to = name, kind, domain, to
        self.notnull = self.unique = False
        self.dflt = self.collate = self.check = self.generated = self.refs = None

    def sql(self, style=None):
        """`style`: a Style to write it in."""
        st = style or Style(None)
        out = st.name(self.name, own=True)
        out += (" " if out[-1].isalnum() else st.of(" ", "", "\t/* */")) + self.kind if self.kind else ""
        if self.generated:
            return out + " %s(%s) %s" % (st.of("AS ", "GENERATED ALWAYS AS ", "AS"), *self.generated)
        parts = []
        if self.notnull:
            parts.append(st.of("NOT NULL", "CONSTRAINT nn NOT NULL", "not /* , */ null"))
        if self.dflt is not None:
            parts.append("DEFAULT " + self.dflt)
        if self.collate:
            parts.append("COLLATE " + self.collate)
        if self.unique:
            parts.append("UNIQUE")
        if self.check:
            parts.append("CHECK(%s)" % self.check)
        if self.refs:
            parts.append(st.of("REFERENCES ", "CONSTRAINT [f k] REFERENCES ") + self.refs)
        return " ".join([out] + st.shuffled(parts))


class Style:
    """The same SQL in different clothes; None: plain."""

    def __init__(self, rng):
        self.rng = rng if rng is not None and rng.random() < 0.7 else None

    def of(self, *choices):
        return self.rng.choice(choices) if self.rng else choices[0]

    def shuffled(self, parts):
        return self.rng.sample(parts, len(parts)) if self.rng else parts

    def name(self, name, own=False):
        """`own`: where it is defined, so that its case is its own."""
        styles = [quoted(name)]
        if "]" not in name:
            styles.append("[%s]" % name)
        if "`" not in name:
            styles.append("`%s`" % name)
        if name.isalnum() and name.isascii() and name not in ODD:
            styles += [name, name if own else name.upper(), " %s " % name]
        return self.of(*styles)

    def join(self, parts):
        gap = self.of(", ", ",\n\t", " ,/* a ) comment, it's ( odd */", ", -- it's, (\n", ",", " , ")
        return gap.join(parts)


class Index:
    def __init__(self, name, unique, parts, uses, where):
        self.name, self.unique, self.parts, self.uses, self.where = name, unique, parts, uses, where

    def sql(self, table):
        return "CREATE %sINDEX %s ON %s(%s)%s" % (
            "UNIQUE " if self.unique else "",
            quoted(self.name),
            quoted(table),
            ", ".join(self.parts),
            " WHERE " + self.where if self.where else "",
        )


class Shape:
    def __init__(self, rng):
        r = self.rng = rng
        self.strict = r.random() < 0.12
        kinds = STRICT_KINDS if self.strict else KINDS
        names = r.sample(NAMES, r.randrange(3, 8))
        if r.random() < 0.25:
            names[r.randrange(1, len(names))] = r.choice(ODD)
        if r.random() < 0.25:
            names[r.randrange(1, len(names))] = r.choice(WORDS)
        self.cols = []
        for n in names:
            c = Col(n, *r.choice(kinds))
            if r.random() < 0.3:
                c.domain = c.domain.partition(":")[0] + "!" + "".join(c.domain.partition(":")[1:])
                c.notnull = r.random() < 0.5
            if r.random() < 0.2:
                c.dflt = (
                    "NULL"
                    if "!" not in c.domain
                    else {"int": "3", "text": "'d'", "inttext": "'4'"}.get(c.domain.partition("!")[0])
                )
            if "text" in c.domain and r.random() < 0.15 and not self.strict:
                c.collate = "NOCASE"
            self.cols.append(c)
        self.table = "t" if r.random() < 0.85 else 'odd "t" é'
        self.wr, self.key, self.pk, self.pk_name = False, None, [], None
        self.uniques, self.checks, self.fks, self.indexes = [], [], [], []
        self.primary()
        self.constraints()
        self.generated()
        self.some_indexes()

    def plain(self, also=lambda c: True):
        """Columns that are written, other than the key's."""
        return [c for c in self.cols if not c.generated and c.name not in self.pk and c.name != self.key and also(c)]

    def primary(self):
        r = self.rng
        how = r.choice(["none", "alias", "alias", "alias", "auto", "text", "two", "wr", "wr2", "wr1"])
        if how in ("alias", "auto", "wr1"):
            c = Col("id", "INTEGER", "key:400", [])
            self.cols.insert(r.choice([0, 0, len(self.cols)]), c)
            self.key, self.wr = "id", how == "wr1"
            self.auto = how == "auto"
            if self.wr:
                self.pk, self.key = ["id"], None
                c.domain = "key!:400"
        elif how != "none":
            self.auto = False
            two = how in ("two", "wr2")
            self.cols.insert(r.randrange(len(self.cols)), Col("k", "TEXT", "text!:300" if not two else "text!:30", []))
            self.pk = ["k"]
            if two:
                self.cols.append(Col("l", "INT", "int!:40", []))
                self.pk = r.choice([["k", "l"], ["l", "k"]])
            self.wr = how in ("wr", "wr2")
            self.pk_name = r.choice([None, "pk_c"])
        else:
            self.auto = False
        self.desc = [r.random() < 0.3 for _ in self.pk]

    def constraints(self):
        r = self.rng
        for c in r.sample(self.plain(), min(2, len(self.plain()))):
            if c.domain.partition("!")[0].partition(":")[0] in ("int", "text", "upper", "inttext") and r.random() < 0.4:
                c.domain = c.domain.partition("!")[0].partition(":")[0] + ":900"
                if r.random() < 0.5:
                    c.unique = True
                else:
                    self.uniques.append((r.choice([None, "un%d" % len(self.uniques)]), [c.name]))
        if r.random() < 0.3 and len(self.plain()) > 1:
            self.checks.append(("ck", "%s IS NOT 17" % quoted(r.choice(self.plain()).name)))
        for c in self.plain(lambda c: c.kind in ("INT", "INTEGER") and not c.unique):
            if r.random() < 0.25:
                c.domain = "key:60"
                action = r.choice(["ON DELETE CASCADE", "ON DELETE SET NULL", "DEFERRABLE INITIALLY DEFERRED", ""])
                if c.notnull:
                    action = "ON DELETE CASCADE"
                if r.random() < 0.5:
                    c.refs = "par(id) " + action
                else:
                    self.fks.append((r.choice([None, "fk1"]), c.name, "par(id) " + action))
                break

    def generated(self):
        r = self.rng
        if r.random() < 0.25:
            c = r.choice(self.plain() or self.cols)
            g = Col("gen", r.choice(["", "TEXT"]) if not self.strict else "ANY", "any", [])
            g.generated = ("%s || '*'" % quoted(c.name), r.choice(["VIRTUAL", "STORED"]))
            self.cols.insert(r.randrange(len(self.cols) + 1), g)

    def some_indexes(self):
        r = self.rng
        for n in range(r.choice([0, 1, 1, 2, 3])):
            self.indexes.append(self.index("ix%d" % n))

    def index(self, name):
        r = self.rng
        cols = r.sample(self.cols, min(len(self.cols), r.choice([1, 1, 2])))
        parts, uses = [], [c.name for c in cols]
        for c in cols:
            q = quoted(c.name)
            parts.append(r.choice([q, q, q + " DESC", q + " COLLATE NOCASE", "length(%s)" % q, "%s || 'x' DESC" % q]))
        where = None
        if r.random() < 0.25:
            w = r.choice(self.cols)
            where = "%s IS NOT NULL" % quoted(w.name)
            uses.append(w.name)
        wide = self.plain(lambda c: c.domain.endswith(":900"))
        unique = bool(wide) and r.random() < 0.5
        if unique:
            u = r.choice(wide)
            parts.insert(r.randrange(len(parts) + 1), quoted(u.name))
            uses.append(u.name)
        return Index(name, unique, parts, uses, where)

    def create(self, name, style=None):
        st, out = style or Style(None), []
        for c in self.cols:
            text = c.sql(st)
            if c.name == self.key:
                text += " PRIMARY KEY" + (" AUTOINCREMENT" if self.auto else "")
            out.append(text)
        if self.pk:
            out.append(
                "%sPRIMARY KEY(%s)"
                % (
                    "CONSTRAINT %s " % self.pk_name if self.pk_name else "",
                    ", ".join(st.name(n) + (" DESC" if d else "") for n, d in zip(self.pk, self.desc)),
                )
            )
        for n, cols in self.uniques:
            out.append("%sUNIQUE(%s)" % ("CONSTRAINT %s " % n if n else "", ", ".join(map(st.name, cols))))
        for n, expr in self.checks:
            out.append("%sCHECK(%s)" % ("CONSTRAINT %s " % n if n else "", expr))
        for n, col, refs in self.fks:
            out.append("%sFOREIGN KEY(%s) REFERENCES %s" % ("CONSTRAINT %s " % n if n else "", st.name(col), refs))
        options = ", ".join(w for w, on in (("WITHOUT ROWID", self.wr), ("STRICT", self.strict)) if on)
        return "%s %s(%s)%s" % (
            st.of("CREATE TABLE", "create  table"),
            name,
            st.join(out),
            " " + options if options else "",
        )


class Change:
    """Actions on a copy of the shape; texts for ALTER TABLE, the mapping, and what goes."""

    def __init__(self, shape, rng):
        self.old, self.rng = shape, rng
        self.new = copy.copy(shape)
        for k in ("cols", "uniques", "checks", "fks", "indexes", "pk"):
            setattr(self.new, k, copy.deepcopy(getattr(shape, k)))
        self.texts, self.mapping, self.gone, self.added, self.force = [], {}, [], [], False
        self.rename, self.touched, self.statements, self.vanishes = None, set(), None, False
        self.free_rowids = False
        actions = [
            self.type,
            self.type,
            self.using,
            self.not_null,
            self.nullable,
            self.default,
            self.no_default,
            self.collate,
            self.add,
            self.add,
            self.add_using,
            self.add_generated,
            self.drop,
            self.add_check,
            self.add_unique,
            self.drop_constraint,
            self.rowid,
            self.strict,
            self.add_fk,
        ]
        for _ in range(rng.choice([1, 1, 2, 3, 5])):
            rng.choice(actions)()
        if rng.random() < 0.06 or not self.texts:
            self.rename_column()
        if rng.random() < 0.04:
            self.rename = "renamed"
            self.texts.append("RENAME TO renamed")
        if rng.random() < 0.2:
            self.index_alone()

    def free(self, also=lambda c: True):
        """Columns no other action has touched."""
        return [c for c in self.new.plain(also) if c.name not in self.touched and c.name not in self.mapping]

    def take(self, also=lambda c: True):
        cols = self.free(also)
        if not cols:
            return None
        c = self.rng.choice(cols)
        self.touched.add(c.name)
        return c

    def referring(self, c):
        return c.refs or any(f[1] == c.name for f in self.new.fks)

    def type(self):
        c = self.take(lambda c: c.to)
        if c:
            c.kind = self.rng.choice(c.to)
            if not c.kind:
                c.kind = "BLOB"
            self.texts.append("ALTER %s TYPE %s" % (quoted(c.name), c.kind))

    def using(self):
        c = self.take(lambda c: not c.unique and not self.referring(c) and not self.new.strict)
        if (
            not c
            or any(c.name in u[1] for u in self.new.uniques)
            or any(i.unique and c.name in i.uses for i in self.new.indexes)
        ):
            return
        q = quoted(c.name)
        c.kind = self.rng.choice(["TEXT", "BLOB"])
        expr = self.rng.choice(["lower(%s)", "%s || 'u'", "coalesce(%s, 'none')", "substr(%s, 1, 9)"]) % q
        self.mapping[c.name] = expr
        self.texts.append("ALTER COLUMN %s TYPE %s USING %s" % (q, c.kind, expr))

    def not_null(self):
        c = self.take(lambda c: "!" in c.domain)
        if c:
            c.notnull = True
            self.texts.append("ALTER %s SET NOT NULL" % quoted(c.name))

    def nullable(self):
        c = self.take(lambda c: c.notnull)
        if c:
            c.notnull = False
            self.texts.append("ALTER %s DROP NOT NULL" % quoted(c.name))

    def default(self):
        c = self.take()
        if c:
            c.dflt = self.rng.choice(
                ["5", "'5'", "(1 + 2)", "NULL", "-5", "+1.5e3", "x'00ff'", "'it''s, ('", "TRUE"]
                if not self.new.strict
                else ["NULL"]
            )
            self.texts.append("ALTER %s SET DEFAULT %s" % (quoted(c.name), c.dflt))

    def no_default(self):
        c = self.take(lambda c: c.dflt)
        if c:
            c.dflt = None
            self.texts.append("ALTER %s DROP DEFAULT" % quoted(c.name))

    def collate(self):
        c = self.take(lambda c: "text" in c.domain and not self.new.strict)
        if c:
            c.collate = self.rng.choice(["NOCASE", "RTRIM"])
            self.texts.append("ALTER %s SET COLLATE %s" % (quoted(c.name), c.collate))

    def fresh(self):
        return "n%d" % len(self.texts)

    def add(self):
        r = self.rng
        c = Col(self.fresh(), r.choice(["INT", "TEXT"]), "any", [])
        c.domain = "int" if c.kind == "INT" else "text"
        value = "7" if c.kind == "INT" else "'seven'"
        if r.random() < 0.6:
            c.dflt = value
            c.notnull = r.random() < 0.5
            if r.random() < 0.3:
                c.check = "%s <> %s" % (quoted(c.name), "8" if c.kind == "INT" else "'eight'")
            self.mapping[c.name] = value
        self.new.cols.append(c)
        self.texts.append("ADD COLUMN " + c.sql())

    def add_using(self):
        r = self.rng
        c = Col(self.fresh(), "TEXT", "text:5000", [])
        source = [x for x in self.old.cols if not x.generated]
        parts = [quoted(x.name) for x in r.sample(source, min(2, len(source)))]
        expr = "ifnull(%s, '-')" % " || '/' || ".join(parts)
        key = self.old.key or (self.old.pk[0] if len(self.old.pk) == 1 and self.old.wr else None)
        if key and r.random() < 0.5:
            c.unique = True
            expr = "%s || '#'" % quoted(key)
        c.notnull = r.random() < 0.5
        self.new.cols.append(c)
        self.mapping[c.name] = expr
        self.texts.append("ADD %s USING %s" % (c.sql(), expr))

    def add_generated(self):
        c = Col(self.fresh(), "TEXT", "any", [])
        c.generated = ("ifnull(%s, 'z')" % quoted(self.rng.choice(self.new.cols).name), "STORED")
        if any(x.generated and quoted(x.name) in c.generated[0] for x in self.new.cols):
            return
        self.new.cols.append(c)
        self.texts.append("ADD COLUMN " + c.sql())

    def mentioned(self, c):
        q = quoted(c.name)
        return (
            any(q in x.generated[0] for x in self.new.cols if x.generated)
            or any(q in x[1] for x in self.new.checks)
            or (c.check or "").count('"') > 2
        )

    def drop(self):
        c = self.take(lambda c: not self.referring(c) and not self.mentioned(c))
        if not c or len(self.new.plain()) < 3:
            return
        self.new.cols = [x for x in self.new.cols if x is not c]
        self.new.uniques = [u for u in self.new.uniques if c.name not in u[1]]
        self.gone += [i.name for i in self.new.indexes if c.name in i.uses]
        self.new.indexes = [i for i in self.new.indexes if c.name not in i.uses]
        self.force = True
        self.texts.append("DROP COLUMN " + quoted(c.name))

    def add_check(self):
        c = self.take(lambda c: c.name in [x.name for x in self.old.cols])
        if c:
            name = self.rng.choice([None, "newck"])
            if any(n == name for n, _ in self.new.checks):
                return
            self.new.checks.append((name, "%s IS NOT 'never'" % quoted(c.name)))
            self.texts.append("ADD %sCHECK(%s IS NOT 'never')" % ("CONSTRAINT newck " if name else "", quoted(c.name)))

    def add_unique(self):
        cols = [
            c for c in self.free(lambda c: c.unique or any(c.name in u[1] and len(u[1]) == 1 for u in self.new.uniques))
        ]
        others = self.free()
        if cols and len(others) > 1:
            pair = [self.rng.choice(cols).name]
            pair.append(self.rng.choice([c.name for c in others if c.name not in pair]))
            self.touched.update(pair)
            self.new.uniques.append(("newun", pair))
            self.texts.append("ADD CONSTRAINT newun UNIQUE(%s)" % ", ".join(map(quoted, pair)))

    def drop_constraint(self):
        named = [("check", x) for x in self.new.checks if x[0] and x in self.old.checks]
        named += [("unique", x) for x in self.new.uniques if x[0] and x in self.old.uniques]
        named += [("fk", x) for x in self.new.fks if x[0] and x in self.old.fks]
        if self.new.pk_name and not self.new.wr:
            named.append(("pk", (self.new.pk_name,)))
        if not named:
            return
        kind, x = self.rng.choice(named)
        if kind == "pk":
            self.new.pk, self.new.desc, self.new.pk_name = [], [], None
        else:
            listed = {"check": self.new.checks, "unique": self.new.uniques, "fk": self.new.fks}[kind]
            listed.remove(x)
        self.texts.append("DROP CONSTRAINT %s" % x[0])

    def rowid(self):
        if self.old.auto or any("ROWID" in t for t in self.texts) or self.rng.random() < 0.3:
            return
        if self.new.wr:
            if self.new.pk == ["id"]:
                return  # it would become the rowid
            self.new.wr, self.free_rowids = False, True
            self.texts.append("DROP WITHOUT ROWID")
        elif self.new.pk or self.new.key:
            self.new.wr = True
            self.texts.append("SET WITHOUT ROWID")

    def strict(self):
        if self.new.strict:
            self.new.strict = False
            self.texts.append("DROP STRICT")

    def add_fk(self):
        c = self.take(lambda c: c.domain == "key:60" and not self.referring(c))
        if c:
            self.new.fks.append((None, c.name, "par(id) ON DELETE SET NULL"))
            self.texts.append("ADD FOREIGN KEY(%s) REFERENCES par(id) ON DELETE SET NULL" % quoted(c.name))

    def rename_column(self):
        c = self.take(lambda c: c.name in [x.name for x in self.old.cols])
        if c:
            self.texts.append("RENAME COLUMN %s TO ren" % quoted(c.name))
            self.added.append("ALTER TABLE %s RENAME COLUMN %s TO ren" % (quoted(self.old.table), quoted(c.name)))

    def index_alone(self):
        """Another kind of statement instead: an index made or dropped, all rows changed, the table dropped."""
        r, t = self.rng, quoted(self.old.table)
        plain = [c for c in self.old.plain(lambda c: not c.unique) if c.kind in ("INT", "TEXT", "", "BLOB", "REAL")]
        plain = [c for c in plain if not any(c.name in u[1] for u in self.old.uniques) and not self.referring(c)]
        plain = [c for c in plain if not any(i.unique and c.name in i.uses for i in self.old.indexes)]
        k = r.random()
        if k < 0.25 and plain:
            c, other = r.choice(plain), r.choice(self.old.cols)
            expr = r.choice(["coalesce(%s, 4)", "NULL", "%s || 'w'", "abs(length(%s))", "(1, 2) = (3, 4)"])
            if self.old.strict or c.notnull:
                expr = "%s"
                other = c
            expr = expr % quoted(other.name) if "%s" in expr else expr
            where = r.choice(
                ["", " WHERE %s IS NOT NULL" % quoted(other.name), " WHERE length(%s) > 1" % quoted(c.name)]
            )
            self.statements = ["UPDATE %s SET %s = %s%s" % (t, quoted(c.name), expr, where)]
        elif k < 0.35:
            c = r.choice(self.old.cols)
            self.statements = ["DELETE FROM %s WHERE length(%s) %% 2 = 0" % (t, quoted(c.name))]
        elif k < 0.4:
            self.statements, self.force, self.vanishes = ["DROP TABLE %s" % t], True, True
        elif self.old.indexes and k < 0.6:
            self.statements = ["DROP INDEX %s" % quoted(self.rng.choice(self.old.indexes).name)]
        else:
            self.statements = [self.old.index("late").sql(self.old.table)]


def random_case(rng, name):
    """None where plain SQLite itself takes neither the table nor the change."""
    shape = Shape(rng)
    change = Change(shape, rng)
    others = [
        "CREATE TABLE par(id INTEGER PRIMARY KEY, n INT)",
        shape.create(quoted(shape.table), Style(rng)),
        "CREATE TABLE log(what, a)",
    ]
    stay = [c for c in shape.plain() if c.name in [x.name for x in change.new.cols] and c.name not in change.touched]
    others += [i.sql(shape.table) for i in shape.indexes]
    t = quoted(shape.table)
    tables = [shape.table, "par"]
    if shape.key and rng.random() < 0.4:
        others.append(
            "CREATE TABLE kid(id INTEGER PRIMARY KEY, p INT REFERENCES %s(id) ON DELETE %s, v)"
            % (t, rng.choice(["CASCADE", "SET NULL"]))
        )
        tables.append("kid")
    if stay and rng.random() < 0.5:
        q = quoted(rng.choice(stay).name)
        for n in range(rng.randrange(1, 4)):
            others.append(trigger(rng, n, t, q))
        if rng.random() < 0.5:
            others.append("CREATE VIEW vw AS SELECT %s AS x, count(*) AS n FROM %s GROUP BY 1" % (q, t))
    domains = {c.name: c.domain for c in shape.cols + change.new.cols}
    domains.update({"p": "key:100", "ren": "text"})
    more = (
        {"statements": change.statements, "vanishes": change.vanishes}
        if change.statements
        else {
            "after": change.new.create("{T}"),
            "mapping": change.mapping,
            "gone": change.gone,
            "added": change.added,
            "rename": change.rename,
            "vanishes": bool(change.rename),
        }
    )
    return Case(
        name,
        others,
        change.statements[0] if change.statements else "ALTER TABLE %s %s" % (t, Style(rng).join(change.texts)),
        table=shape.table,
        tables=tables,
        domains=domains,
        key_range=rng.choice([(1, 400), (1, 400), (-300, 300)]),
        rows=rng.choice([0, 30, 150, 400, 900]),
        fill=[
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 60) "
            "INSERT OR IGNORE INTO par SELECT n, n FROM g"
        ],
        force=change.force,
        postpone=rng.random() < 0.8,
        clients=rng.choice([1, 2, 3, 4]),
        then=second(rng, t, stay, any("BEFORE UPDATE" in x for x in others))
        if not change.rename and not change.statements
        else None,
        free_rowids=change.free_rowids,
        fuzzy=True,
        steer=rng.choice([None] * 8 + ["abort", "pause", "throttle", "kill", "kill"]),
        # With auto_vacuum only the schema's text tells where the change took place.
        pragmas=[]
        if change.statements or change.new.create("{T}") == shape.create("{T}")
        else rng.choice(
            [[]] * 8
            + [["page_size = 512"], ["auto_vacuum = FULL"], ["auto_vacuum = INCREMENTAL"], ["encoding = 'UTF-16'"]]
        ),
        **more
    )


def second(rng, table, stay, triggers):
    """A change that waits behind the first, or None."""
    if rng.random() < 0.75 or not stay:
        return None
    q = quoted(rng.choice(stay).name)
    column = "ALTER TABLE %s ADD COLUMN second TEXT" % table
    some = [
        (column + " NOT NULL DEFAULT '2'", [column + " NOT NULL DEFAULT '2'"]),
        ("CREATE INDEX second ON %s(%s)" % (table, q), ["CREATE INDEX second ON %s(%s)" % (table, q)]),
    ]
    if not triggers:  # the oracle's UPDATE would set them off
        some.append((column + " USING 's' || %s" % q, [column, "UPDATE %s SET second = 's' || %s" % (table, q)]))
    return rng.choice(some)


def trigger(rng, n, table, column):
    when, row = rng.choice([("AFTER INSERT", "new"), ("AFTER DELETE", "old"), ("BEFORE UPDATE", "new")])
    return "CREATE TRIGGER tr%d %s ON %s BEGIN INSERT INTO log VALUES('tr%d', %s.%s); END" % (
        n,
        when,
        table,
        n,
        row,
        column,
    )
