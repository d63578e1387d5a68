"""Random writes to tables that nobody described: what can be written is read from the tables themselves.

A Profile knows one table: its columns, its key, what is unique. A Gen makes statements for some profiles; the same
seed gives the same. A column that only one side of a change has is written now and then too: such a statement fails
before the change or after it, as it does in plain SQLite.
"""


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def domain_of(decl):
    """What to put into a column of that declared type."""
    d = decl.upper()
    for word, kind in (("INT", "int"), ("CHAR", "text"), ("TEXT", "text"), ("CLOB", "text"), ("BLOB", "any")):
        if word in d:
            return kind
    if not d or d == "ANY":
        return "any"
    return "real" if any(w in d for w in ("REAL", "FLOA", "DOUB")) else "num"


def value(rng, domain):
    """A value of the domain. `!` in it: never NULL. `:n` behind it: how many there are."""
    if "!" not in domain and rng.random() < 0.08:
        return None
    domain, _, size = domain.replace("!", "").partition(":")
    n = int(size or 40)
    if domain == "int":
        return rng.randrange(-5, n)
    if domain == "key":
        return rng.randrange(1, n + 1)
    if domain == "keytext":
        return "k%d" % rng.randrange(1, n + 1)
    if domain == "real":
        return rng.choice([rng.randrange(n) / 4.0, float(rng.randrange(n)), -0.5])
    if domain == "num":
        return rng.choice([rng.randrange(n), rng.randrange(n) / 4.0])
    if domain == "numtext":
        return rng.choice(["%d", "%d", " %d ", "%d.25", "-1%d"]) % rng.randrange(n)
    if domain == "inttext":
        return rng.choice(["%d", " %d ", "-1%d"]) % rng.randrange(n)
    if domain == "digits":
        return "%d" % rng.randrange(n)
    if domain == "upper":
        return rng.choice("abAB") + "%d" % rng.randrange(n)
    if domain == "longtext":
        return "x" * rng.randrange(3000) + "%d" % rng.randrange(n)
    if domain == "text":
        return "t%d" % rng.randrange(n)
    if domain == "big":
        return rng.choice([2**62 + rng.randrange(9), -(2**63) + rng.randrange(9), 2**53 + 1, rng.randrange(n)])
    if domain == "blob":
        return rng.randbytes(rng.randrange(8))
    assert domain == "any", domain
    return rng.choice(
        [rng.randrange(n), rng.randrange(n) * 0.5, "a%d" % rng.randrange(n), rng.randbytes(3), 2**60, "", "0%d" % n]
    )


class Column:
    def __init__(self, name, domain, both):
        self.name, self.domain, self.both = name, domain, both
        self.sql = quoted(name)

    def value(self, rng):
        return rng.randrange(*self.domain) if isinstance(self.domain, tuple) else value(rng, self.domain)


class Profile:
    """What can be written to one table. `before` and `after` are connections that hold it as it was and will be."""

    def __init__(self, before, after, table, rows, domains, names=None, key_range=None):
        self.rows = rows
        self.names = [quoted(n) for n in (names or [table])]
        self.sql = quoted(table)
        first, then = columns(before, table), columns(after, (names or [table])[-1])
        then = then or first  # a table that is dropped
        self.columns, self.key = [], None
        self.without_rowid = any(
            r[4] for r in before.execute("PRAGMA main.table_list(%s)" % quoted(table)) if r[0] == "main"
        )
        own = [c for c in first if not c["hidden"]]
        alias = alias_of(before, table, first, self.without_rowid)
        for c in own + [x for x in then if not x["hidden"] and x["name"] not in [y["name"] for y in own]]:
            both = c["name"] in [x["name"] for x in own] and c["name"] in [x["name"] for x in then if not x["hidden"]]
            domain = domains.get(c["name"]) or domain_of(c["type"]) + ("!" if c["pk"] and c["name"] != alias else "")
            if c["notnull"] and "!" not in domain and c["name"] not in domains:
                domain += "!"
            if c["name"] != alias:
                self.columns.append(Column(c["name"], domain, both))
        # One column that tells a row, or the whole primary key of a table without rowids.
        if self.without_rowid:
            self.key = [c for c in self.columns if c.name in [x["name"] for x in own if x["pk"]]]
        else:
            free = [n for n in ("rowid", "_rowid_", "oid") if n not in [x["name"].lower() for x in first + then]]
            name = alias if alias else free[0] if free else None
            span = key_range or (-20, rows * 2)
            self.key = [Column(name, span, True)] if name else [c for c in self.columns if c.both][:1]
        self.auto = not self.without_rowid and self.key[0] not in self.columns
        self.unique = []
        for x in before.execute("PRAGMA main.index_list(%s)" % quoted(table)).fetchall():
            cols = [r[2] for r in before.execute("PRAGMA main.index_info(%s)" % quoted(x[1]))]
            if x[2] and not x[4] and None not in cols:
                found = [c for c in self.columns if c.name in cols]
                if len(found) == len(cols):
                    self.unique.append(found)

    def own_key(self, rng):
        return self.key_value(rng)

    def key_value(self, rng):
        return [c.value(rng) for c in self.key]

    def row(self, rng, cols):
        """Values of one new row."""
        return [c.value(rng) for c in cols]


class Sampled(Profile):
    """
    A table with rows of its own: new ones are like them, and keys are theirs. `before` holds the rows.

    A row that was there stays where others refer to the table: without an index on their side, SQLite looks through all
    of them, and their own children, for seconds.
    """

    def __init__(self, before, after, table, most=400):
        super().__init__(before, after, table, 0, {})
        self.like = self.key + [c for c in self.columns if c.both and c not in self.key]
        names = ", ".join(c.sql for c in self.like)
        every = max(1, before.execute("SELECT count(*) FROM " + self.sql).fetchone()[0] // most)
        self.keys = set(self.key).union(*self.unique)
        self.samples = before.execute("SELECT %s FROM %s" % (names, self.sql)).fetchall()[::every]

        self.parent = before.execute(
            "SELECT 1 FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' "
            'AND lower(f."table") = lower(?) LIMIT 1',
            (table,),
        ).fetchone()

    def key_value(self, rng):
        if not self.samples:
            return super().key_value(rng)
        return list(rng.choice(self.samples)[: len(self.key)])

    def own_key(self, rng):
        """For what takes a row away."""
        key = self.key_value(rng)
        return [self.fresh(rng, v) for v in key] if self.parent else key

    @staticmethod
    def fresh(rng, v):
        n = rng.randrange(50)
        return "%s-%d" % (v, n) if isinstance(v, str) else 10**7 + n if isinstance(v, int) else v

    def row(self, rng, cols):
        """One that is there, with a column of another, and mostly a key of its own."""
        if not self.samples:
            return super().row(rng, cols)
        base = dict(zip(self.like, rng.choice(self.samples)))
        other = dict(zip(self.like, rng.choice(self.samples)))
        change = rng.choice(self.like)
        out = [(other if c is change else base).get(c) for c in cols]
        for i, c in enumerate(cols):
            if c in self.keys and (self.parent or rng.random() < 0.5):
                out[i] = self.fresh(rng, out[i])
            elif not c.both:
                out[i] = c.value(rng)
        return out


def columns(db, table):
    return [
        {"name": r[1], "type": r[2], "notnull": r[3], "pk": r[5], "hidden": r[6]}
        for r in db.execute("PRAGMA main.table_xinfo(%s)" % quoted(table))
    ]


def alias_of(db, table, cols, without_rowid):
    """The column that is the rowid, if one is."""
    pk = [c["name"] for c in cols if c["pk"]]
    indexed = [r for r in db.execute("PRAGMA main.index_list(%s)" % quoted(table)) if r[3] == "pk"]
    return pk[0] if len(pk) == 1 and not indexed and not without_rowid else None


class Gen:
    """`extra`: statements of the case itself, [(sql, [domain, ..])]."""

    def __init__(self, rng, profiles, extra=(), clear=True):
        self.rng, self.profiles, self.extra, self.clear = rng, profiles, list(extra), clear

    def where(self, p, n=1, away=False):
        """WHERE text and values for one key, or a short range of them. `away`: the row may go."""
        v = p.own_key(self.rng) if away else p.key_value(self.rng)
        if n > 1 and isinstance(p.key[0].domain, tuple):
            return "%s BETWEEN ? AND ?" % p.key[0].sql, [v[0], v[0] + n]
        return " AND ".join("%s = ?" % c.sql for c in p.key), v

    def table(self, p):
        return self.rng.choice(p.names)

    def some(self, p, strange):
        """Columns to write. A stranger to one of the schemas only where the error can be told."""
        r = self.rng
        out = [
            c
            for c in p.columns
            if (c.both and (r.random() < 0.8 or c in p.key or "!" in c.domain))
            or (not c.both and strange and r.random() < 0.1)
        ]
        return out or p.columns[:1]

    def insert(self, p, strange=False, rows=1):
        r = self.rng
        cols = self.some(p, strange)
        named = p.auto and r.random() < 0.6
        heads = ([p.key[0].sql] if named else []) + [c.sql for c in cols]
        values = []
        for _ in range(rows):
            values += (p.own_key(r) if named else []) + p.row(r, cols)
        word = r.choice(["", "", "OR REPLACE ", "OR REPLACE ", "OR IGNORE "] + (["OR FAIL "] if strange else []))
        if rows > 1:
            word = r.choice(["OR REPLACE ", "OR IGNORE "])
        one = "(" + ", ".join("?" * len(heads)) + ")"
        sql = "INSERT %sINTO %s(%s) VALUES%s" % (word, self.table(p), ", ".join(heads), ", ".join([one] * rows))
        return sql, values, word

    def upsert(self, p):
        r = self.rng
        sql, values, word = self.insert(p)
        target = r.choice([p.key] + p.unique) if p.auto or p.without_rowid else r.choice(p.unique or [p.columns[:1]])
        cols = [c for c in p.columns if c.both and c not in p.key]
        if not cols or r.random() < 0.2:
            return sql.replace(word, "") + " ON CONFLICT DO NOTHING", values
        c = r.choice(cols)
        return (
            sql.replace(word, "")
            + " ON CONFLICT(%s) DO UPDATE SET %s = excluded.%s" % (", ".join(t.sql for t in target), c.sql, c.sql),
            values,
        )

    def update(self, p, strange=False):
        r = self.rng
        cols = [c for c in p.columns if c.both or (strange and r.random() < 0.1)]
        if not cols:
            return self.insert(p)[:2]
        take = r.sample(cols, min(len(cols), r.choice([1, 1, 2])))
        where, key = self.where(p, away=any(c in p.key or any(c in u for u in p.unique) for c in take))
        word = r.choice(["", "", "OR REPLACE ", "OR IGNORE "])
        return (
            "UPDATE %s%s SET %s WHERE %s" % (word, self.table(p), ", ".join("%s = ?" % c.sql for c in take), where),
            p.row(r, take) + key,
        )

    def rekey(self, p):
        r = self.rng
        where, key = self.where(p, away=True)
        word = r.choice(["", "OR REPLACE ", "OR IGNORE "])
        c = r.choice(p.key)
        return "UPDATE %s%s SET %s = ? WHERE %s" % (word, self.table(p), c.sql, where), p.row(r, [c]) + key

    def several(self, p):
        """Neighbours at once: in the order of the key, so that plain SQLite does the same."""
        r = self.rng
        where, key = self.where(p, r.randrange(2, 12), away=True)
        cols = [c for c in p.columns if c.both and c not in p.key and not any(c in u for u in p.unique)]
        if not cols or r.random() < 0.3:
            return "DELETE FROM %s WHERE %s" % (self.table(p), where), key
        c = r.choice(cols)
        return "UPDATE %s NOT INDEXED SET %s = ? WHERE %s" % (self.table(p), c.sql, where), p.row(r, [c]) + key

    def delete(self, p):
        where, key = self.where(p, away=True)
        return "DELETE FROM %s WHERE %s" % (self.table(p), where), key

    def one(self, strange=False):
        """One statement. `strange`: it may fail for a column that is not there."""
        r = self.rng
        if self.extra and r.random() < 0.3:
            sql, domains = r.choice(self.extra)
            return sql, [value(r, d) for d in domains]
        p = r.choice(self.profiles)
        k = r.random()
        if k < 0.3:
            return self.insert(p, strange)[:2]
        if k < 0.38:
            return self.insert(p, rows=r.randrange(2, 5))[:2]
        if k < 0.48:
            return self.upsert(p)
        if k < 0.68:
            return self.update(p, strange)
        if k < 0.78:
            return self.rekey(p)
        if k < 0.88:
            return self.several(p)
        return self.delete(p)

    def fill(self, p, rows):
        """Rows to begin with: [(sql, values)]."""
        out = []
        names, p.names = p.names, [p.sql]
        for _ in range((rows + 19) // 20):
            sql, values, _ = self.insert(p, rows=min(20, rows))
            out.append((sql.replace("OR REPLACE", "OR IGNORE"), values))
        p.names = names
        return out

    def swap(self, p):
        """(read, f): two rows change their unique values; f makes the statements of what the read answers."""
        r = self.rng
        single = [u[0] for u in p.unique if len(u) == 1 and u[0].both and u[0] not in p.key]
        if not single or len(p.key) != 1:
            return None
        u, k, t = r.choice(single), p.key[0], p.sql
        read = ("SELECT %s, %s FROM %s WHERE %s >= ? ORDER BY 1 LIMIT 2" % (k.sql, u.sql, t, k.sql), p.key_value(r))

        def steps(rows):
            if len(rows) < 2:
                return []
            update = "UPDATE %s SET %s = ? WHERE %s = ?" % (t, u.sql, k.sql)
            (a, x), (b, y) = rows
            away = r.randrange(10**6, 10**7)
            return [(update, [str(away) if isinstance(x, str) else away, a]), (update, [x, b]), (update, [y, a])]

        return read, steps
