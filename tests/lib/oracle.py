"""Plain SQLite in the daemon's place: the same writes in the order of their commits, the same change done offline.

`rebuild` is SQLite's own recipe (a new table, a copy, drop, rename) with foreign keys off; `picture` is everything a
stranger sees of a file, and `differences` what two of them do not share.
"""
import re
import sqlite3

from gen import alias_of, columns, quoted
from wire import blob


def to_wire(v):
    if isinstance(v, bytes):
        return blob(v)
    return {"int": str(v)} if isinstance(v, int) and abs(v) > 2**53 else v


def from_wire(v):
    if not isinstance(v, dict):
        return v
    import base64

    kind, x = next(iter(v.items()))
    if kind == "int":
        return int(x)
    if kind == "real":
        return float(x)
    data = base64.b64decode(x)
    return data if kind == "blob" else data.decode("utf-8", "surrogateescape")


def opened(path=":memory:", **more):
    """A connection that keeps every value apart from its like: text as text, whatever its bytes are."""
    db = sqlite3.connect(path, isolation_level=None, cached_statements=0, check_same_thread=False, **more)
    db.text_factory = lambda b: b.decode("utf-8", "surrogateescape")
    return db


class Twin:
    def __init__(self, pragmas=(), before=()):
        self.db = opened()
        for sql in ["PRAGMA " + p for p in pragmas] + list(before):
            self.db.execute(sql)
        self.db.execute("PRAGMA foreign_keys = ON")

    def run(self, sql, values=()):
        """(rows, changes, code, message) as a client's exec answers."""
        before = self.db.total_changes
        try:
            rows = self.db.execute(sql, values).fetchall()
            n = self.db.execute("SELECT changes()").fetchone()[0] if self.db.total_changes != before else 0
            return sorted(map(repr, rows)), n, 0, ""
        except sqlite3.Error as e:
            return [], 0, e.sqlite_errorcode, str(e)


def trim(sql):
    """SQL without what does not matter: blanks, case, and quotes around names."""
    return re.sub(r'[\s"`\[\]]+', "", sql or "").lower()


def offline(db, statements):
    """Statements of a change, with nobody looking."""
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("BEGIN")
    try:
        for sql in statements:
            db.execute(sql)
        db.execute("COMMIT")
    except Exception:
        db.execute("ROLLBACK")
        raise
    finally:
        db.execute("PRAGMA foreign_keys = ON")


def rebuild(db, table, create, mapping, gone=(), rename=None, added=(), keep_rowid=True):
    """
    The twelve steps. `create`: the new table's text with {T} for its name; `mapping`: new column -> expression, where it
    is not simply the old column; `gone`: indexes that do not come back; `added`: statements at the end.
    """
    wr = [r[4] for r in db.execute("PRAGMA main.table_list(%s)" % quoted(table)) if r[0] == "main"][0]
    old = columns(db, table)
    objects = db.execute(
        "SELECT type, name, sql FROM sqlite_schema WHERE lower(tbl_name) = lower(?) AND type IN ('index', 'trigger') "
        "AND sql IS NOT NULL ORDER BY type, rowid",
        (table,),
    ).fetchall()
    twins = "offline_twin"
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("PRAGMA legacy_alter_table = ON")
    db.execute("BEGIN")
    try:
        db.execute(create.replace("{T}", twins))
        new = columns(db, twins)
        new_wr = [r[4] for r in db.execute("PRAGMA main.table_list(%s)" % twins) if r[0] == "main"][0]
        to, what, kept = [], [], None
        if not wr and not new_wr and keep_rowid:
            free = [n for n in ("rowid", "_rowid_", "oid") if n not in [c["name"].lower() for c in old + new]]
            if free:
                alias, new_alias = alias_of(db, table, old, wr), alias_of(db, twins, new, new_wr)
                if new_alias is None or (alias is not None and alias == new_alias):
                    to, what, kept = [free[0]], [free[0]], new_alias
        for c in new:
            if c["hidden"] or c["name"] == kept:
                continue
            expr = mapping.get(c["name"])
            if expr is None and c["name"] in [x["name"] for x in old]:
                expr = quoted(c["name"])
            if expr is not None:
                to.append(quoted(c["name"]))
                what.append(expr)
        db.execute(
            "INSERT OR ABORT INTO %s(%s) SELECT %s FROM main.%s"
            % (twins, ", ".join(to), ", ".join(what), quoted(table))
        )
        has_sequence = db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone()
        seq = has_sequence and db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        db.execute("DROP TABLE main.%s" % quoted(table))
        db.execute("ALTER TABLE %s RENAME TO %s" % (twins, quoted(table)))
        for kind, name, sql in objects:
            if name not in gone:
                db.execute(sql)
        if has_sequence:
            db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        if seq:
            db.execute("INSERT INTO sqlite_sequence(name, seq) VALUES(?, ?)", (table, seq[0]))
        db.execute("PRAGMA legacy_alter_table = OFF")
        for sql in added:
            db.execute(sql)
        if rename:
            db.execute("ALTER TABLE main.%s RENAME TO %s" % (quoted(table), quoted(rename)))
        db.execute("COMMIT")
    except Exception:
        db.execute("ROLLBACK")
        raise
    finally:
        db.execute("PRAGMA legacy_alter_table = OFF")
        db.execute("PRAGMA foreign_keys = ON")


# ---- what a stranger sees ----------------------------------------------------------------------------------------

OWN = "name NOT LIKE '\\_alterd\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"


def picture(db, leave=("op",), only=None, free=False):
    """
    {what: as it is}. `only`: the rows of these tables, and no check of the whole file. `free`: rowids that no column
    shows do not count.
    """
    out = {}
    skip = set(leave)
    tables = db.execute(
        "SELECT schema, name, type, ncol, wr, strict FROM pragma_table_list WHERE schema = 'main'"
    ).fetchall()
    for _, name, kind, ncol, wr, strict in sorted(tables):
        if name.startswith("_alterd_") or name.startswith("sqlite_") or name in skip:
            continue
        if only is not None and name not in only:
            continue
        q = quoted(name)
        out["table %s" % name] = (kind, ncol, wr, strict)
        cols = db.execute("PRAGMA main.table_xinfo(%s)" % q).fetchall()
        out["columns of %s" % name] = cols
        if kind == "view":
            out["rows of view %s" % name] = rows_of(db, "SELECT * FROM main.%s" % q)
            continue
        out["foreign keys of %s" % name] = sorted(
            repr(r[1:]) for r in db.execute("PRAGMA main.foreign_key_list(%s)" % q)
        )
        indexes = []
        for x in db.execute("PRAGMA main.index_list(%s)" % q).fetchall():
            keys = [r[2:] for r in db.execute("PRAGMA main.index_xinfo(%s)" % quoted(x[1])) if r[5]]
            own = "" if x[1].startswith("sqlite_autoindex") else x[1]
            text = db.execute("SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?", (x[1],)).fetchone()
            indexes.append(repr((own, x[2:], keys, trim(text[0]) if text else None)))
        out["indexes of %s" % name] = sorted(indexes)
        if kind in ("virtual", "shadow"):
            out["rows of %s" % name] = rows_of(db, "SELECT * FROM main.%s" % q) if kind == "virtual" else None
            continue
        hidden = [n for n in ("rowid", "_rowid_", "oid") if n not in [c[1].lower() for c in cols]]
        names = ([hidden[0]] if hidden and not wr and not free else []) + [quoted(c[1]) for c in cols]
        if len(names) > 2000:
            names = names[1:]
        out["rows of %s" % name] = rows_of(db, "SELECT %s FROM main.%s" % (", ".join(names), q))
    out["triggers"] = sorted_groups(
        db.execute(
            "SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'trigger' AND %s ORDER BY rowid" % OWN
        ).fetchall()
    )
    out["views"] = sorted(
        (n, trim(s)) for n, s in db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'view' AND %s" % OWN)
    )
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'").fetchone():
        for name, seq in db.execute("SELECT name, seq FROM sqlite_sequence ORDER BY name").fetchall():
            if not name.startswith("_alterd_") and name not in skip:
                out["sequence of %s" % name] = seq
    if only is not None:
        return out
    out["foreign key check"] = sorted(map(repr, db.execute("PRAGMA foreign_key_check").fetchall()))
    out["integrity"] = [r[0] for r in db.execute("PRAGMA integrity_check").fetchall()]
    return out


def rows_of(db, sql):
    try:
        return sorted(map(repr, db.execute(sql).fetchall()))
    except sqlite3.Error as e:
        return "error: %s" % e


def sorted_groups(triggers):
    """By table, and in their own order there: the newest fires first."""
    return sorted([(t.lower(), [(n, trim(s)) for u, n, s in triggers if u == t]) for t in {x[0] for x in triggers}])


def differences(got, want):
    """["what: the first few differences"]"""
    out = []
    for key in sorted(set(got) | set(want)):
        a, b = got.get(key), want.get(key)
        if repr(a) == repr(b):
            continue
        if isinstance(a, list) and isinstance(b, list):
            sa, sb = set(map(repr, a)), set(map(repr, b))
            a, b = ["%d:" % len(a)] + sorted(sa - sb)[:3], ["%d:" % len(b)] + sorted(sb - sa)[:3]
        out.append("%s: the daemon's %.500s, plain SQLite's %.500s" % (key, a, b))
    return out
