"""Migrations that can be undone, one of each kind: what `up` says, and what `down` says to take it back.

Each stands behind BASE, whose table has what hangs on a table: children, indexes, a trigger, a view. WRITES are what
clients do in between; they fit the table before and after.
"""

BASE = """
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT DEFAULT 'vv', n INTEGER, w TEXT);
CREATE INDEX t_n ON t(n);
CREATE UNIQUE INDEX t_w ON t(w, id) WHERE w IS NOT NULL;
CREATE TABLE c(id INTEGER PRIMARY KEY, t INTEGER REFERENCES t(id) ON DELETE CASCADE);
CREATE INDEX c_t ON c(t);
CREATE TABLE log(what TEXT);
CREATE TRIGGER t_gone AFTER DELETE ON t BEGIN INSERT INTO log VALUES('out ' || old.id); END;
INSERT INTO t WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 400)
  SELECT x, CASE WHEN x % 7 = 0 THEN 'ünï' ELSE 'v' || x END, x % 50, CASE WHEN x % 3 = 0 THEN 'w' || x END FROM i;
INSERT INTO c SELECT id + 1000, id FROM t WHERE id % 2 = 0;
"""
VIEW = "CREATE VIEW t_view AS SELECT id, v FROM t WHERE n > 5;\n"
WRITES = [
    "INSERT INTO t(id, v, n) VALUES(1001, 'new', 3)",
    "INSERT INTO c(id, t) VALUES(5001, 1001)",
    "UPDATE t SET n = n + 1 WHERE id BETWEEN 20 AND 40",
    "UPDATE t SET v = 'other' WHERE id = 5",
    "DELETE FROM t WHERE id IN (8, 9, 1001)",
    "INSERT INTO t(id, v, n) VALUES(1002, 'last', 4)",
]


class Trip:
    """`plain`: plain SQLite is given the same files, and must come to the same."""

    def __init__(self, name, up, down, base=BASE + VIEW, writes=WRITES, plain=True, force=False):
        self.name, self.up, self.down = name, up, down
        self.base, self.writes, self.plain, self.force = base, writes, plain, force


CASES = []


def trip(name, up, down, **more):
    CASES.append(Trip(name, up, down, **more))


def altered(name, up, down, **more):
    """In words that plain SQLite does not have."""
    trip(name, up, down, plain=False, **more)


# ---- statements that take no time -----------------------------------------------------------------------------------
altered("a column", "ALTER TABLE t ADD COLUMN x TEXT;", "-- alterd: allow=data-loss\nALTER TABLE t DROP COLUMN x;")
altered(
    "a column with a default, NOT NULL",
    "ALTER TABLE t ADD COLUMN x INT NOT NULL DEFAULT 7;",
    "-- alterd: allow=data-loss\nALTER TABLE t DROP COLUMN x;",
)
altered(
    "a generated column, virtual",
    "ALTER TABLE t ADD COLUMN x INT AS (n * 2);\nCREATE INDEX t_x ON t(x);",
    "-- alterd: allow=data-loss\nDROP INDEX t_x;\nALTER TABLE t DROP COLUMN x;",
)
trip("the name of a column", "ALTER TABLE t RENAME COLUMN w TO label;", "ALTER TABLE t RENAME COLUMN label TO w;")
trip(
    "the name of a table",
    "ALTER TABLE log RENAME TO journal;",
    "ALTER TABLE journal RENAME TO log;",
)
trip(
    "a table",
    "CREATE TABLE more(id INTEGER PRIMARY KEY AUTOINCREMENT, t INT REFERENCES t(id));\n"
    "CREATE INDEX more_t ON more(t);\nINSERT INTO more(t) SELECT id FROM t WHERE id BETWEEN 100 AND 110;",
    "-- alterd: allow=data-loss\nDROP TABLE more;",
)
trip(
    "a table without rowid, strict",
    "CREATE TABLE kv(k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID;",
    "-- alterd: allow=data-loss\nDROP TABLE kv;",
)
trip("a view", "CREATE VIEW more AS SELECT count(*) AS n FROM t;", "DROP VIEW more;")
trip(
    "a view by another",
    "DROP VIEW t_view;\nCREATE VIEW t_view AS SELECT id, v, n FROM t;",
    "DROP VIEW t_view;\n" + VIEW,
)
trip(
    "a trigger",
    "CREATE TRIGGER t_new AFTER INSERT ON t BEGIN\n  INSERT INTO log VALUES('in; ' || new.id);\nEND;",
    "DROP TRIGGER t_new;",
    writes=["UPDATE t SET v = 'x' WHERE id < 9", "DELETE FROM t WHERE id = 3"],
)
trip(
    "a trigger by another",
    "DROP TRIGGER t_gone;\nCREATE TRIGGER t_gone BEFORE DELETE ON t BEGIN\n  INSERT INTO log SELECT old.id;\nEND;",
    "DROP TRIGGER t_gone;\nCREATE TRIGGER t_gone AFTER DELETE ON t BEGIN INSERT INTO log VALUES('out ' "
    "|| old.id); END;",
    writes=["UPDATE t SET n = n + 1 WHERE id < 9"],
)
trip(
    "a table for text search",
    "CREATE VIRTUAL TABLE found USING fts5(v);\nINSERT INTO found(rowid, v) VALUES(1, 'one two'), (5, 'three');",
    "-- alterd: allow=data-loss\nDROP TABLE found;",
)

# ---- indexes --------------------------------------------------------------------------------------------------------
for kind, sql in (
    ("", "CREATE INDEX t_i ON t(v)"),
    (", unique", "CREATE UNIQUE INDEX t_i ON t(v, id)"),
    (", partial", "CREATE INDEX t_i ON t(n DESC, v) WHERE v > 'v2'"),
    (", of an expression", "CREATE INDEX t_i ON t(lower(v) COLLATE NOCASE, n + 1)"),
):
    trip("an index" + kind, sql + ";", "DROP INDEX t_i;")
trip("an index leaves", "DROP INDEX t_n;", "CREATE INDEX t_n ON t(n);")
trip("an index by another", "DROP INDEX t_n;\nCREATE INDEX t_n ON t(n, v);", "DROP INDEX t_n;\nCREATE INDEX t_n ON t(n);")

# ---- rebuilds -------------------------------------------------------------------------------------------------------
for what, up, down in (
    ("a type", "ALTER n TYPE TEXT", "ALTER n TYPE INTEGER"),
    ("a type, real", "ALTER n TYPE REAL", "ALTER n TYPE INTEGER"),
    ("a default", "ALTER v SET DEFAULT 'new'", "ALTER v SET DEFAULT 'vv'"),
    ("no default", "ALTER v DROP DEFAULT", "ALTER v SET DEFAULT 'vv'"),
    ("NOT NULL", "ALTER v SET NOT NULL", "ALTER v DROP NOT NULL"),
    ("a collation", "ALTER v SET COLLATE NOCASE", "ALTER v SET COLLATE BINARY"),
    ("a CHECK", "ADD CONSTRAINT small CHECK(n < 1000)", "DROP CONSTRAINT small"),
    ("a UNIQUE", "ADD CONSTRAINT two UNIQUE(v, id)", "DROP CONSTRAINT two"),
    (
        "a foreign key",
        "ADD CONSTRAINT own FOREIGN KEY(n) REFERENCES c(id) DEFERRABLE INITIALLY DEFERRED",
        "DROP CONSTRAINT own",
    ),
    ("several at once", "ALTER n TYPE TEXT, ALTER v SET NOT NULL, RENAME COLUMN w TO label", None),
):
    base, writes = BASE + VIEW, WRITES
    if what == "a foreign key":
        base = BASE + VIEW + "DELETE FROM c;\nUPDATE t SET n = NULL;\n"
        writes = ["UPDATE t SET v = 'x' WHERE id < 9", "DELETE FROM t WHERE id = 3"]
    down = down or "RENAME COLUMN label TO w, ALTER v DROP NOT NULL, ALTER n TYPE INTEGER"
    altered(what, "ALTER TABLE t %s;" % up, "ALTER TABLE t %s;" % down, base=base, writes=writes)
altered("strict", "ALTER TABLE t SET STRICT;", "ALTER TABLE t DROP STRICT;")
altered(
    "without rowid",
    "ALTER TABLE d SET WITHOUT ROWID;",
    "ALTER TABLE d DROP WITHOUT ROWID;",
    base=BASE + "CREATE TABLE d(id INTEGER PRIMARY KEY, v TEXT);\nINSERT INTO d SELECT id, v FROM t;\n",
    writes=["INSERT INTO d VALUES(7001, 'x')", "DELETE FROM d WHERE id < 5"],
)
altered(
    "a column that is stored",
    "ALTER TABLE t ADD COLUMN s INT AS (n * 3) STORED;",
    "-- alterd: allow=data-loss\nALTER TABLE t DROP COLUMN s;",
)

# ---- rebuilds by hand -----------------------------------------------------------------------------------------------
COLUMNS = "id, v, n, w"
HANGING = """CREATE INDEX t_n ON t(n);
CREATE UNIQUE INDEX t_w ON t(w, id) WHERE w IS NOT NULL;
CREATE TRIGGER t_gone AFTER DELETE ON t BEGIN INSERT INTO log VALUES('out ' || old.id); END;
"""


def made_new(name, create, again=HANGING):
    """The table made under another name, filled, and given the name; as Prisma, Drizzle, Django and Alembic do it."""
    return (
        "PRAGMA foreign_keys=OFF;\nCREATE TABLE %s(%s);\nINSERT INTO %s(%s) SELECT %s FROM t;\nDROP TABLE t;\n"
        "ALTER TABLE %s RENAME TO t;\n%sPRAGMA foreign_key_check;\nPRAGMA foreign_keys=ON;\n"
        % (name, create, name, COLUMNS, COLUMNS, name, again)
    )


def renamed_away(create, again=HANGING):
    """The old one renamed away first, as older tools do it."""
    return (
        "PRAGMA foreign_keys=OFF;\nPRAGMA legacy_alter_table=ON;\nALTER TABLE t RENAME TO t_old;\nCREATE TABLE t(%s);\n"
        "INSERT INTO t(%s) SELECT %s FROM t_old;\nDROP TABLE t_old;\n%sPRAGMA legacy_alter_table=OFF;\n"
        "PRAGMA foreign_keys=ON;\n" % (create, COLUMNS, COLUMNS, again)
    )


OLD = "id INTEGER PRIMARY KEY, v TEXT DEFAULT 'vv', n INTEGER, w TEXT"
NEW = "id INTEGER PRIMARY KEY, v TEXT NOT NULL DEFAULT 'vv' COLLATE NOCASE, n REAL, w TEXT, CHECK (n < 1000)"
trip("by hand, made new", made_new("new_t", NEW), made_new("new_t", OLD), base=BASE)
trip("by hand, made new under quotes", made_new('"__new_t"', NEW), made_new("[_alembic_tmp_t]", OLD), base=BASE)
trip("by hand, renamed away", renamed_away(NEW), renamed_away(OLD), base=BASE)
trip("by hand, one way and the other back", renamed_away(NEW), made_new("x", OLD), base=BASE)
trip(
    "by hand, nothing but a CHECK",
    made_new("new_t", OLD + ", CHECK (id > 0)"),
    made_new("new_t", OLD),
    base=BASE,
)
trip(
    "by hand, other indexes",
    made_new("new_t", OLD, "CREATE INDEX t_n ON t(n, v);\n"),
    made_new("new_t", OLD, HANGING),
    base=BASE,
    writes=["INSERT INTO t(id, v, n) VALUES(2001, 'x', 1)", "UPDATE t SET v = 'y' WHERE id < 30"],
)
altered("by hand, and back by ALTER", made_new("new_t", OLD.replace("n INTEGER", "n REAL")), "ALTER TABLE t ALTER n TYPE INTEGER;", base=BASE)

# ---- several statements, and data -----------------------------------------------------------------------------------
altered(
    "a series of one table",
    "ALTER TABLE t ADD COLUMN up TEXT;\nUPDATE t SET up = upper(v);\nCREATE INDEX t_up ON t(up);\n"
    "ALTER TABLE t ALTER n TYPE TEXT;",
    "-- alterd: allow=data-loss\nALTER TABLE t ALTER n TYPE INTEGER;\nDROP INDEX t_up;\nALTER TABLE t DROP COLUMN up;",
    writes=["UPDATE t SET n = 77 WHERE id < 9", "DELETE FROM t WHERE id = 3"],
)
trip("rows that are changed", "UPDATE t SET n = n + 100 WHERE id < 200;", "UPDATE t SET n = n - 100 WHERE id < 200;")
trip(
    "rows that are added",
    "INSERT INTO t(id, v, n, w) VALUES(9001, 'a', 1, 'aa'), (9002, 'b', 2, 'bb');",
    "DELETE FROM t WHERE id IN (9001, 9002);\nDELETE FROM log WHERE what LIKE 'out 900%';",
)
altered(
    "several tables",
    "ALTER TABLE t ALTER n TYPE REAL;\nALTER TABLE c ADD COLUMN note TEXT;\nCREATE TABLE more(x);\n"
    "ALTER TABLE log ALTER what SET COLLATE NOCASE;",
    "-- alterd: allow=data-loss\nALTER TABLE log ALTER what SET COLLATE BINARY;\nDROP TABLE more;\n"
    "ALTER TABLE c DROP COLUMN note;\nALTER TABLE t ALTER n TYPE INTEGER;",
)
altered(
    "several tables, keys and rules",
    "ALTER TABLE c ADD CONSTRAINT two UNIQUE(t, id);\nALTER TABLE t ADD CONSTRAINT small CHECK(n < 1000), ALTER v SET NOT "
    "NULL;\nALTER TABLE log SET STRICT;\nALTER TABLE d SET WITHOUT ROWID;\nINSERT INTO d VALUES(9, 'done');",
    "DELETE FROM d WHERE id = 9;\nALTER TABLE d DROP WITHOUT ROWID;\nALTER TABLE log DROP STRICT;\n"
    "ALTER TABLE t DROP CONSTRAINT small, ALTER v DROP NOT NULL;\nALTER TABLE c DROP CONSTRAINT two;",
    base=BASE + VIEW + "CREATE TABLE d(id INTEGER PRIMARY KEY, v TEXT UNIQUE);\nINSERT INTO d VALUES(1, 'a'), (7, 'b');\n",
)
altered(
    "several tables, columns go with their index",
    "ALTER TABLE t ADD COLUMN x INT;\nCREATE INDEX t_x ON t(x);\nALTER TABLE c ADD COLUMN y INT UNIQUE;",
    "ALTER TABLE t DROP COLUMN x;\nALTER TABLE c DROP COLUMN y;",
)
trip(
    "what runs exact",
    "CREATE TEMP TABLE ids AS SELECT id FROM t WHERE id < 50;\nUPDATE t SET n = n + 1 WHERE id IN (SELECT id FROM ids);\n"
    "DROP TABLE temp.ids;\nCREATE VIEW more AS SELECT 1 AS one;",
    "DROP VIEW more;\nUPDATE t SET n = n - 1 WHERE id < 50;",
)
