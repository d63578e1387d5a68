"""The matrix: shapes of tables, a change of each, and how plain SQLite comes to the same.

A case whose daemon's answer is MIGRATION_INVALID today says so in `refused`; all others must be done. When the daemon
learns one, the mark goes; a case without it that is refused again is a failure.
"""
from live import Case

ID = "id INTEGER PRIMARY KEY"
CASES = []


def case(name, schema, change, after=None, mapping=None, **more):
    assert name not in [c.name for c in CASES], name
    CASES.append(Case(name, schema, change, after=after, mapping=mapping, **more))


# ---- rowids ------------------------------------------------------------------------------------------------------
case(
    "hidden rowids, gaps and negatives",
    "CREATE TABLE t(a INT, v TEXT)",
    "ALTER TABLE t ALTER a TYPE TEXT",
    "CREATE TABLE {T}(a TEXT, v TEXT)",
    key_range=(-500, 900),
)
case(
    "hidden rowids at both ends",
    "CREATE TABLE t(a INT, v TEXT)",
    "ALTER TABLE t ALTER a TYPE REAL",
    "CREATE TABLE {T}(a REAL, v TEXT)",
    key_range=(-(2**63), -(2**63) + 400),
    fill=["INSERT OR IGNORE INTO t(rowid, a) VALUES(-9223372036854775808, 1), (9223372036854770000, 2)"],
)
case(
    "INTEGER PRIMARY KEY",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, n INT NOT NULL DEFAULT 5)",
    "ALTER TABLE t ALTER v TYPE INTEGER",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, v INTEGER, n INT NOT NULL DEFAULT 5)",
    domains={"v": "inttext"},
)
case(
    "AUTOINCREMENT, high-water mark",
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT, n INT)",
    "ALTER TABLE t ALTER n TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT, n REAL)",
    fill=["INSERT INTO t(id) VALUES(5000)", "DELETE FROM t WHERE id = 5000"],
)
case(
    "AUTOINCREMENT, emptied",
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT)",
    "ALTER TABLE t ALTER v SET NOT NULL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT NOT NULL)",
    rows=20,
    domains={"v": "text!"},
    fill=["INSERT INTO t(id, v) VALUES(700, 'a')", "DELETE FROM t"],
)
case(
    "PRIMARY KEY(id DESC) is the rowid, INTEGER PRIMARY KEY DESC is not",
    "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, v TEXT, n INT) ;; CREATE INDEX t_n ON t(n DESC)",
    "ALTER TABLE t ALTER n TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY DESC, v TEXT, n TEXT)",
)
case(
    "table-level rowid key",
    "CREATE TABLE t(n INT, id INTEGER, v, PRIMARY KEY(id DESC))",
    "ALTER TABLE t ALTER n TYPE TEXT",
    "CREATE TABLE {T}(n TEXT, id INTEGER, v, PRIMARY KEY(id DESC))",
)
case(
    "a column named rowid",
    "CREATE TABLE t(rowid TEXT, v INT, oid INT)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(rowid TEXT, v TEXT, oid INT)",
)
case(
    "all three rowid names are columns",
    "CREATE TABLE t(rowid TEXT, _rowid_ INT, oid INT, v INT)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(rowid TEXT, _rowid_ INT, oid INT, v TEXT)",
    refused="no usable name",
)
case(
    "all three rowid names, with a key",
    "CREATE TABLE t(rowid TEXT UNIQUE, _rowid_ INT, oid INTEGER PRIMARY KEY, v INT)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(rowid TEXT UNIQUE, _rowid_ INT, oid INTEGER PRIMARY KEY, v TEXT)",
)

# ---- primary keys ------------------------------------------------------------------------------------------------
case(
    "TEXT PRIMARY KEY",
    "CREATE TABLE t(k TEXT PRIMARY KEY, v INT, u INT UNIQUE)",
    "ALTER TABLE t ALTER v TYPE REAL",
    "CREATE TABLE {T}(k TEXT PRIMARY KEY, v REAL, u INT UNIQUE)",
    domains={"k": "text:500", "u": "int:900"},
)
case(
    "composite PRIMARY KEY",
    "CREATE TABLE t(a TEXT, b INT, v INT, PRIMARY KEY(a, b DESC))",
    "ALTER TABLE t ALTER v TYPE TEXT, ADD COLUMN w TEXT NOT NULL DEFAULT 'w'",
    "CREATE TABLE {T}(a TEXT, b INT, v TEXT, w TEXT NOT NULL DEFAULT 'w', PRIMARY KEY(a, b DESC))",
    mapping={"w": "'w'"},
)
case(
    "NULLs in a primary key",
    "CREATE TABLE t(a TEXT, b INT, v INT, PRIMARY KEY(a, b))",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(a TEXT, b INT, v TEXT, PRIMARY KEY(a, b))",
    domains={"a": "text:9", "b": "int:20"},
    fill=["INSERT INTO t(a, b) VALUES(NULL, NULL), (NULL, NULL), (NULL, 1), ('x', NULL), ('x', NULL)"],
)
case(
    "type of a primary key",
    "CREATE TABLE t(a TEXT PRIMARY KEY, v INT)",
    "ALTER TABLE t ALTER a TYPE INTEGER",
    "CREATE TABLE {T}(a INTEGER PRIMARY KEY, v INT)",
    mapping={"a": "a"},
    domains={"a": "digits!:600"},
    keep_rowid=False,
)
case(
    "type of a composite key",
    "CREATE TABLE t(a TEXT, b INT, v INT, PRIMARY KEY(a, b))",
    "ALTER TABLE t ALTER a TYPE INT",
    "CREATE TABLE {T}(a INT, b INT, v INT, PRIMARY KEY(a, b))",
    domains={"a": "key:90", "b": "int:90"},
)
case(
    "ADD PRIMARY KEY",
    "CREATE TABLE t(a INT, b INT, v TEXT)",
    "ALTER TABLE t ADD PRIMARY KEY(a, b)",
    "CREATE TABLE {T}(a INT, b INT, v TEXT, PRIMARY KEY(a, b))",
    rows=0,
    extra=[("INSERT OR IGNORE INTO t(a, b, v) SELECT max(a) + 1, max(b) + 2, ? FROM t", ["text"])],
    fill=["INSERT INTO t VALUES(100, 100, 'first')"],
    tables=["other"],
)
CASES[-1].schema.append("CREATE TABLE other(id INTEGER PRIMARY KEY, v)")
case(
    "PRIMARY KEY both ways, another one, many rows",
    "CREATE TABLE t(a TEXT, b INT, c INT, v INT, PRIMARY KEY(b, c DESC, a)) WITHOUT ROWID",
    "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY(a DESC, c, b), ALTER v TYPE TEXT",
    "CREATE TABLE {T}(a TEXT, b INT, c INT, v TEXT, PRIMARY KEY(a DESC, c, b)) WITHOUT ROWID",
    domains={"a": "text!:60", "b": "int!:4", "c": "int!:60"},
    rows=2000,
)
case(
    "ADD PRIMARY KEY that is the rowid",
    "CREATE TABLE t(a INTEGER, v TEXT)",
    "ALTER TABLE t ADD PRIMARY KEY(a)",
    "CREATE TABLE {T}(a INTEGER, v TEXT, PRIMARY KEY(a))",
    rows=0,
    tables=["other"],
    extra=[("INSERT INTO t(a, v) SELECT max(a) + 3, ? FROM t", ["text"])],
    fill=["INSERT INTO t VALUES(100, 'first')"],
)
CASES[-1].schema.append("CREATE TABLE other(id INTEGER PRIMARY KEY, v)")
case(
    "DROP CONSTRAINT of a primary key",
    "CREATE TABLE t(a TEXT, b INT, v INT, CONSTRAINT pk PRIMARY KEY(a, b))",
    "ALTER TABLE t DROP CONSTRAINT pk",
    "CREATE TABLE {T}(a TEXT, b INT, v INT)",
    domains={"a": "text:90", "b": "int:90"},
)

# ---- WITHOUT ROWID -----------------------------------------------------------------------------------------------
WR = "CREATE TABLE t(a TEXT, b INT, v %s, PRIMARY KEY(a, b)) WITHOUT ROWID"
case(
    "WITHOUT ROWID, a type",
    WR % "INT",
    "ALTER TABLE t ALTER v TYPE TEXT",
    WR.replace("TABLE t", "TABLE {T}") % "TEXT",
)
case(
    "WITHOUT ROWID, DESC and NOCASE key, UNIQUE, indexes",
    "CREATE TABLE t(a TEXT COLLATE NOCASE, b INT, u INT UNIQUE, v INT, PRIMARY KEY(b DESC, a)) WITHOUT ROWID ;; "
    "CREATE INDEX t_v ON t(v, u)",
    "ALTER TABLE t ALTER v TYPE REAL",
    "CREATE TABLE {T}(a TEXT COLLATE NOCASE, b INT, u INT UNIQUE, v REAL, PRIMARY KEY(b DESC, a)) WITHOUT ROWID",
    domains={"a": "upper!:9", "b": "int!:30", "u": "int:900"},
)
case(
    "WITHOUT ROWID, virtual columns before the key",
    "CREATE TABLE t(g AS (v || '!') VIRTUAL, a TEXT, s AS (b * 2) STORED, b INT, v INT, PRIMARY KEY(b, a)) WITHOUT ROWID",
    "ALTER TABLE t ADD COLUMN w INT NOT NULL DEFAULT 3 CHECK(w < 100)",
    "CREATE TABLE {T}(g AS (v || '!') VIRTUAL, a TEXT, s AS (b * 2) STORED, b INT, v INT, "
    "w INT NOT NULL DEFAULT 3 CHECK(w < 100), PRIMARY KEY(b, a)) WITHOUT ROWID",
    mapping={"w": "3"},
)
case(
    "SET WITHOUT ROWID",
    "CREATE TABLE t(a TEXT NOT NULL, b INT NOT NULL, v INT, PRIMARY KEY(a, b)) ;; CREATE INDEX t_v ON t(v)",
    "ALTER TABLE t SET WITHOUT ROWID",
    "CREATE TABLE {T}(a TEXT NOT NULL, b INT NOT NULL, v INT, PRIMARY KEY(a, b)) WITHOUT ROWID",
    domains={"a": "text!:90", "b": "int!:90"},
)
case(
    "SET WITHOUT ROWID of an INTEGER PRIMARY KEY",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT, u INT UNIQUE)",
    "ALTER TABLE t SET WITHOUT ROWID",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, v INT, u INT UNIQUE) WITHOUT ROWID",
    mapping={"id": "id"},
    domains={"u": "int:900"},
    tables=["t"],
)
case(
    "DROP WITHOUT ROWID",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT, u INT UNIQUE) WITHOUT ROWID",
    "ALTER TABLE t DROP WITHOUT ROWID",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, v INT, u INT UNIQUE)",
    mapping={"id": "id"},
    domains={"u": "int:900"},
    tables=["t"],
)

# ---- generated columns -------------------------------------------------------------------------------------------
case(
    "virtual and stored columns",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, g AS (n + 1), v INT, n INT, s TEXT AS (n || '/' || v) STORED) ;; "
    "CREATE INDEX t_g ON t(g) ;; CREATE INDEX t_s ON t(s, n)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, g AS (n + 1), v TEXT, n INT, s TEXT AS (n || '/' || v) STORED)",
)
case(
    "UNIQUE on a generated column",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v INT, g INT AS (n / 2) VIRTUAL UNIQUE)",
    "ALTER TABLE t ALTER v TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v REAL, g INT AS (n / 2) VIRTUAL UNIQUE)",
    domains={"n": "int:4000"},
)
case(
    "ADD STORED",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    "ALTER TABLE t ADD COLUMN s INT AS (n * 3) STORED",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT, s INT AS (n * 3) STORED)",
)
case(
    "DROP a generated column",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, g AS (n * 2) STORED, v TEXT)",
    "ALTER TABLE t DROP COLUMN g",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    force=True,
)

# ---- constraints -------------------------------------------------------------------------------------------------
case(
    "CHECKs stay",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT CHECK(n < 35), v INT, CONSTRAINT both CHECK(v IS NULL OR v <> n))",
    "ALTER TABLE t ALTER v TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT CHECK(n < 35), v REAL, CONSTRAINT both CHECK(v IS NULL OR v <> n))",
)
case(
    "ADD CHECK",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    "ALTER TABLE t ADD CONSTRAINT small CHECK(n < 40)",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT, CONSTRAINT small CHECK(n < 40))",
)
case(
    "DROP CONSTRAINT of a CHECK",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, CONSTRAINT small CHECK(n < 20))",
    "ALTER TABLE t DROP CONSTRAINT small",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT)",
)
case(
    "SET NOT NULL",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    "ALTER TABLE t ALTER v SET NOT NULL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT NOT NULL)",
    domains={"v": "text!"},
)
case(
    "DROP NOT NULL, SET DEFAULT",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT NOT NULL DEFAULT 4, v TEXT)",
    "ALTER TABLE t ALTER n DROP NOT NULL, ALTER v SET DEFAULT 'dd', ALTER n DROP DEFAULT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT DEFAULT 'dd')",
)
case(
    "ADD UNIQUE",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT) ;; CREATE UNIQUE INDEX t_nv ON t(n, v)",
    "ALTER TABLE t ADD UNIQUE(n, v)",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT, UNIQUE(n, v))",
    domains={"n": "int:600"},
)
case(
    "DROP CONSTRAINT of a UNIQUE",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, CONSTRAINT uu UNIQUE(n))",
    "ALTER TABLE t DROP CONSTRAINT uu",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    domains={"n": "int:600"},
)
case(
    "conflict clauses of the table's own",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT UNIQUE ON CONFLICT REPLACE, v TEXT NOT NULL ON CONFLICT IGNORE, "
    "w INT UNIQUE ON CONFLICT IGNORE)",
    "ALTER TABLE t ALTER w TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT UNIQUE ON CONFLICT REPLACE, v TEXT NOT NULL ON CONFLICT IGNORE, "
    "w REAL UNIQUE ON CONFLICT IGNORE)",
    domains={"n": "int:500", "w": "int:500", "v": "text"},
)
case(
    "swapped unique values",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u INT UNIQUE, x TEXT UNIQUE, v INT)",
    "ALTER TABLE t ALTER v TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, u INT UNIQUE, x TEXT UNIQUE, v REAL)",
    domains={"u": "int:800", "x": "text:800"},
)

# ---- indexes -----------------------------------------------------------------------------------------------------
case(
    "partial, expression, DESC, COLLATE",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, w REAL) ;; CREATE INDEX t_p ON t(n) WHERE v IS NOT NULL ;; "
    "CREATE INDEX t_e ON t(n % 7, length(v)) ;; CREATE INDEX t_d ON t(n DESC, v COLLATE NOCASE DESC) ;; "
    "CREATE INDEX t_r ON t(v COLLATE RTRIM, w)",
    "ALTER TABLE t ALTER w TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT, w TEXT)",
    domains={"v": "upper", "w": "num"},
)
case(
    "UNIQUE indexes with NULLs",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, w INT) ;; CREATE UNIQUE INDEX t_n ON t(n) ;; "
    "CREATE UNIQUE INDEX t_v ON t(lower(v)) WHERE n > 10 ;; CREATE UNIQUE INDEX t_c ON t(v COLLATE NOCASE, n DESC)",
    "ALTER TABLE t ALTER w TYPE TEXT USING w || 'x'",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT, w TEXT)",
    mapping={"w": "w || 'x'"},
    domains={"n": "int:700", "v": "upper:500"},
)
case(
    "index of the changed column",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT, v TEXT) ;; CREATE INDEX t_n ON t(n, v) ;; CREATE UNIQUE INDEX t_u ON t(n)",
    "ALTER TABLE t ALTER n TYPE INTEGER",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INTEGER, v TEXT)",
    domains={"n": "key:900"},
)
case(
    "DROP COLUMN takes its indexes along",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, w INT UNIQUE) ;; CREATE INDEX t_n ON t(n) ;; "
    "CREATE INDEX t_w ON t(w, n) ;; CREATE INDEX t_e ON t(w + 1)",
    "ALTER TABLE t DROP COLUMN w",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    gone=("t_w", "t_e"),
    force=True,
    domains={"w": "int:800"},
)
case(
    "COLLATE of a column",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT) ;; CREATE INDEX t_v ON t(v)",
    "ALTER TABLE t ALTER v SET COLLATE NOCASE",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT COLLATE NOCASE)",
    domains={"v": "upper"},
    check=["SELECT count(*) FROM t WHERE v = 'A1'"],
)
case(
    "sqlite_stat1",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT) ;; CREATE INDEX t_n ON t(n)",
    "ALTER TABLE t ALTER v TYPE BLOB",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v BLOB)",
    fill=["ANALYZE"],
    added=["ANALYZE"],
    check=[
        "SELECT tbl, idx FROM sqlite_stat1 WHERE tbl = 't'",
        "SELECT count(*) FROM sqlite_stat1 WHERE tbl LIKE '_alterd%'",
    ],
)

# ---- STRICT ------------------------------------------------------------------------------------------------------
case(
    "STRICT, a type",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, b BLOB, x ANY, r REAL) STRICT",
    "ALTER TABLE t ALTER n TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n REAL, v TEXT, b BLOB, x ANY, r REAL) STRICT",
    domains={"b": "blob"},
)
case(
    "SET STRICT",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, b BLOB)",
    "ALTER TABLE t SET STRICT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT, b BLOB) STRICT",
    domains={"b": "blob"},
)
case(
    "DROP STRICT",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, x ANY) STRICT",
    "ALTER TABLE t DROP STRICT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT, x ANY)",
    domains={"x": "blob"},
)

# ---- foreign keys ------------------------------------------------------------------------------------------------
PAR = "CREATE TABLE par(id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INT)"
KID = "CREATE TABLE t(id INTEGER PRIMARY KEY, p INT REFERENCES par(id) %s, v INT) ;; CREATE INDEX t_p ON t(p)"
PARENTS = [
    "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 80) INSERT OR IGNORE INTO par SELECT n, 'u' || n, n FROM g"
]
for action in (
    "ON DELETE CASCADE ON UPDATE CASCADE",
    "ON DELETE SET NULL ON UPDATE SET NULL",
    "DEFERRABLE INITIALLY DEFERRED",
    "ON DELETE RESTRICT",
):
    case(
        "child, " + action,
        PAR + " ;; " + KID % action,
        "ALTER TABLE t ALTER v TYPE TEXT",
        "CREATE TABLE {T}(id INTEGER PRIMARY KEY, p INT REFERENCES par(id) %s, v TEXT)" % action,
        tables=["t", "par"],
        domains={"p": "key:60"},
        key_range=(1, 300),
        fill=PARENTS + ["UPDATE OR IGNORE t SET p = 1 + id % 60"],
    )
case(
    "child with SET DEFAULT",
    PAR
    + " ;; CREATE TABLE t(id INTEGER PRIMARY KEY, p INT DEFAULT NULL REFERENCES par(id) ON DELETE SET DEFAULT, v INT)",
    "ALTER TABLE t ALTER v TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, p INT DEFAULT NULL REFERENCES par(id) ON DELETE SET DEFAULT, v REAL)",
    tables=["t", "par"],
    domains={"p": "key:60"},
    key_range=(1, 300),
    fill=PARENTS,
)
case(
    "parent by its rowid",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT) ;; "
    "CREATE TABLE kid(id INTEGER PRIMARY KEY, p INT REFERENCES t(id) ON DELETE CASCADE ON UPDATE CASCADE, v)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v TEXT)",
    tables=["t", "kid"],
    domains={"p": "key:100"},
    key_range=(1, 200),
)
case(
    "parent by a unique text",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT) ;; "
    "CREATE TABLE kid(id INTEGER PRIMARY KEY, p TEXT REFERENCES t(u) ON DELETE SET NULL ON UPDATE CASCADE, v) ;; "
    "CREATE TABLE kid2(id INTEGER PRIMARY KEY, p TEXT REFERENCES t(u) DEFERRABLE INITIALLY DEFERRED, v)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v TEXT)",
    tables=["t", "kid", "kid2"],
    domains={"p": "text:60", "u": "text:120"},
    key_range=(1, 200),
)
case(
    "reference to itself",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, up INT REFERENCES t(id) ON DELETE CASCADE, v INT)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, up INT REFERENCES t(id) ON DELETE CASCADE, v TEXT)",
    domains={"up": "key:120"},
    key_range=(1, 200),
)
case(
    "reference to itself, deferred",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, up INT, v INT, FOREIGN KEY(up) REFERENCES t DEFERRABLE INITIALLY DEFERRED)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, up INT, v TEXT, FOREIGN KEY(up) REFERENCES t DEFERRABLE INITIALLY DEFERRED)",
    domains={"up": "key:120"},
    key_range=(1, 200),
)
case(
    "ADD FOREIGN KEY",
    PAR + " ;; CREATE TABLE t(id INTEGER PRIMARY KEY, p INT, v INT)",
    "ALTER TABLE t ADD FOREIGN KEY(p) REFERENCES par(id) ON DELETE CASCADE",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, p INT, v INT, FOREIGN KEY(p) REFERENCES par(id) ON DELETE CASCADE)",
    domains={"p": "key:60"},
    fill=PARENTS,
)
case(
    "DROP CONSTRAINT of a foreign key",
    PAR + " ;; CREATE TABLE t(id INTEGER PRIMARY KEY, p INT, v INT, CONSTRAINT fk FOREIGN KEY(p) REFERENCES par(id))",
    "ALTER TABLE t DROP CONSTRAINT fk",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, p INT, v INT)",
    tables=["t", "par"],
    domains={"p": "key:60"},
    fill=PARENTS,
)
case(
    "type of a child's column",
    PAR + " ;; CREATE TABLE t(id INTEGER PRIMARY KEY, p TEXT REFERENCES par(id) ON DELETE CASCADE, v INT)",
    "ALTER TABLE t ALTER p TYPE INTEGER",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, p INTEGER REFERENCES par(id) ON DELETE CASCADE, v INT)",
    tables=["t", "par"],
    domains={"p": "key:60"},
    key_range=(1, 200),
    fill=PARENTS,
)
case(
    "type of a parent's column",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT) ;; "
    "CREATE TABLE kid(id INTEGER PRIMARY KEY, p REFERENCES t(u) ON DELETE CASCADE, v)",
    "ALTER TABLE t ALTER u TYPE INTEGER",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, u INTEGER UNIQUE, v INT)",
    domains={"u": "key:300"},
)

# ---- triggers, views, virtual tables ------------------------------------------------------------------------------
LOG = "CREATE TABLE log(what, a, b)"
case(
    "triggers in their order",
    LOG + " ;; CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v INT)"
    " ;; CREATE TRIGGER a1 AFTER INSERT ON t BEGIN INSERT INTO log VALUES('a1', new.id, new.v); END"
    " ;; CREATE TRIGGER a3 AFTER INSERT ON t BEGIN INSERT INTO log VALUES('a3', new.id, new.n); END"
    " ;; CREATE TRIGGER a2 AFTER INSERT ON t WHEN new.n > 3 BEGIN INSERT INTO log VALUES('a2', new.id, new.n); END"
    " ;; CREATE TRIGGER d AFTER DELETE ON t BEGIN INSERT INTO log VALUES('d', old.id, old.v); END"
    " ;; CREATE TRIGGER u1 BEFORE UPDATE OF v ON t BEGIN INSERT INTO log VALUES('u1', old.v, new.v); END"
    " ;; CREATE TRIGGER u2 AFTER UPDATE ON t BEGIN INSERT INTO log VALUES('u2', old.id, new.id); END"
    " ;; CREATE TRIGGER no BEFORE INSERT ON t WHEN new.n = 13 BEGIN SELECT RAISE(ABORT, 'thirteen'); END"
    " ;; CREATE TRIGGER ig BEFORE INSERT ON t WHEN new.n = 14 BEGIN SELECT RAISE(IGNORE); END",
    "ALTER TABLE t ALTER v TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v REAL)",
)
case(
    "triggers that write the table itself, and others that write it",
    "CREATE TABLE src(id INTEGER PRIMARY KEY, n INT) ;; CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)"
    " ;; CREATE TRIGGER s1 AFTER INSERT ON src BEGIN INSERT OR REPLACE INTO t(id, n) VALUES(new.id, new.n); "
    "UPDATE t SET v = 'from src' WHERE n = new.n; END"
    " ;; CREATE TRIGGER s2 AFTER DELETE ON src BEGIN DELETE FROM t WHERE n = old.n; END"
    " ;; CREATE TRIGGER t1 AFTER UPDATE OF v ON t BEGIN UPDATE t SET n = n + 1 WHERE id = new.id + 1; END",
    "ALTER TABLE t ALTER n TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n TEXT, v TEXT)",
    tables=["src", "t"],
)
case(
    "views and INSTEAD OF",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v INT) ;; CREATE VIEW w AS SELECT id, n * 2 AS m, v FROM t WHERE n > 3"
    " ;; CREATE VIEW w2 AS SELECT count(*) AS c, typeof(v) AS y FROM w GROUP BY 2"
    " ;; CREATE TRIGGER wi INSTEAD OF INSERT ON w BEGIN INSERT INTO t(n, v) VALUES(new.m / 2, new.v); END"
    " ;; CREATE TRIGGER wd INSTEAD OF DELETE ON w BEGIN DELETE FROM t WHERE id = old.id; END",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    extra=[("INSERT INTO w(m, v) VALUES(?, ?)", ["int!", "int"]), ("DELETE FROM w WHERE m = ?", ["int!"])],
)
case(
    "FTS5 with external content",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT, v INT)"
    " ;; CREATE VIRTUAL TABLE f USING fts5(body, content='t', content_rowid='id')"
    " ;; CREATE TRIGGER f1 AFTER INSERT ON t BEGIN INSERT INTO f(rowid, body) VALUES(new.id, new.body); END"
    " ;; CREATE TRIGGER f2 AFTER DELETE ON t BEGIN INSERT INTO f(f, rowid, body) VALUES('delete', old.id, old.body); END"
    " ;; CREATE TRIGGER f3 AFTER UPDATE ON t BEGIN INSERT INTO f(f, rowid, body) VALUES('delete', old.id, old.body); "
    "INSERT INTO f(rowid, body) VALUES(new.id, new.body); END",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, body TEXT, v TEXT)",
    reads=["SELECT rowid, body FROM f WHERE f MATCH 't1 OR t2' LIMIT 20", "SELECT count(*) FROM f WHERE body = 't5'"],
    check=["INSERT INTO f(f) VALUES('integrity-check')", "SELECT rowid FROM f WHERE f MATCH 't1 OR t2' ORDER BY rowid"],
    # REPLACE kills rows without their DELETE triggers, in plain SQLite as here: the index of the words would go wrong.
    extra=[
        ("INSERT INTO t(body, v) VALUES(?, ?)", ["text!", "int"]),
        ("UPDATE t SET body = ? WHERE id = ?", ["text!", "int!:300"]),
        ("UPDATE t SET v = ? WHERE id = ?", ["int", "int!:300"]),
        ("DELETE FROM t WHERE id = ?", ["int!:300"]),
        ("UPDATE t SET id = id + 1000 WHERE id = ?", ["int!:300"]),
    ],
    tables=["other"],
    fill=[
        "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 250) INSERT INTO t SELECT n, 't' || n % 9, n FROM g"
    ],
)
CASES[-1].schema.append("CREATE TABLE other(id INTEGER PRIMARY KEY, v)")

# ---- names, width, values ----------------------------------------------------------------------------------------
case(
    "odd names",
    'CREATE TABLE "select ""x"" é"("a b" INTEGER PRIMARY KEY, "from" INT, "" TEXT, [we.ird] TEXT UNIQUE, `tick` INT, '
    '"É" INT, "é" INT) ;; CREATE INDEX "ix ""1" ON "select ""x"" é"("from", [we.ird] DESC) ;; '
    'CREATE TRIGGER "tr ""1" AFTER INSERT ON "select ""x"" é" BEGIN UPDATE "select ""x"" é" SET "" = \'z\' WHERE "a b" = new."a b" + 1; END',
    'ALTER TABLE "select ""x"" é" ALTER "from" TYPE TEXT, ALTER "É" TYPE REAL',
    'CREATE TABLE {T}("a b" INTEGER PRIMARY KEY, "from" TEXT, "" TEXT, [we.ird] TEXT UNIQUE, `tick` INT, "É" REAL, "é" INT)',
    table='select "x" é',
    domains={"we.ird": "text:700"},
)
WIDE = ", ".join("c%d INT" % i for i in range(300))
case(
    "300 columns",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT, %s)" % WIDE,
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, v TEXT, %s)" % WIDE,
    rows=100,
)
MANY = ", ".join("c%d" % i for i in range(1998))
case(
    "2000 columns",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v INT, %s)" % MANY,
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, v TEXT, %s)" % MANY,
    tables=["other"],
    rows=5,
    fill=[
        "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 60) INSERT INTO t(id, v, c0, c1997) SELECT n, n, 'x', n FROM g"
    ],
    extra=[
        ("UPDATE t SET v = ?, c1000 = ?, c1997 = 5 WHERE id = ?", ["int", "any", "int!:60"]),
        ("INSERT OR REPLACE INTO t(id, v, c7, c1997) VALUES(?, ?, ?, ?)", ["int!:60", "int", "any", "any"]),
        ("DELETE FROM t WHERE id = ?", ["int!:60"]),
    ],
)
CASES[-1].schema.append("CREATE TABLE other(id INTEGER PRIMARY KEY, v)")
case(
    "every kind of value",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c BLOB, d NUMERIC, v INT)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, a, b, c BLOB, d NUMERIC, v TEXT)",
    domains={"a": "any", "b": "big", "d": "any"},
    fill=[
        "INSERT OR REPLACE INTO t(id, a, b) VALUES(501, 'a' || char(0) || 'b', CAST(x'ff41' AS TEXT)), (502, 9e999, -9e999), "
        "(503, 0.0, -0.0), (504, x'', ''), (505, 9223372036854775807, -9223372036854775808)"
    ],
)
case(
    "long values",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, v INT) ;; CREATE INDEX t_a ON t(a)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, a TEXT, v TEXT)",
    domains={"a": "longtext"},
    rows=150,
)
case(
    "numbers in text",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT, c INT)",
    "ALTER TABLE t ALTER a TYPE NUMERIC, ALTER b TYPE REAL, ALTER c TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, a NUMERIC, b REAL, c TEXT)",
    domains={"a": "numtext", "b": "numtext"},
)
case(
    "lossy, asked for",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT)",
    "ALTER TABLE t ALTER a TYPE INTEGER, ALTER b TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, a INTEGER, b REAL)",
    domains={"a": "any", "b": "big"},
    force=True,
)

# ---- columns -----------------------------------------------------------------------------------------------------
case(
    "ADD COLUMN at once",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    "ALTER TABLE t ADD COLUMN w INT NOT NULL DEFAULT 7, ADD x TEXT",
    statements=["ALTER TABLE t ADD COLUMN w INT NOT NULL DEFAULT 7", "ALTER TABLE t ADD x TEXT"],
)
case(
    "ADD COLUMN UNIQUE, USING",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    "ALTER TABLE t ADD COLUMN w TEXT UNIQUE USING id || '/' || ifnull(v, ''), ADD x INT NOT NULL DEFAULT 1 USING length(v || 'x')",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT, w TEXT UNIQUE, x INT NOT NULL DEFAULT 1)",
    mapping={"w": "id || '/' || ifnull(v, '')", "x": "length(v || 'x')"},
    domains={"v": "text!"},
)
case(
    "DROP COLUMN",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, gone TEXT, n INT, v TEXT, gone2 INT CHECK(gone2 < 90))",
    "ALTER TABLE t DROP gone, DROP COLUMN gone2",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    force=True,
)
case(
    "RENAME COLUMN",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT CHECK(v <> 'no')) ;; CREATE INDEX t_v ON t(v) ;; "
    "CREATE VIEW w AS SELECT v, n FROM t ;; "
    + LOG
    + " ;; CREATE TRIGGER tr AFTER UPDATE OF v ON t BEGIN INSERT INTO log VALUES('u', old.v, new.v); END",
    "ALTER TABLE t RENAME COLUMN v TO vv",
    statements=["ALTER TABLE t RENAME COLUMN v TO vv"],
)
case(
    "RENAME TO",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, up INT REFERENCES t(id), v TEXT) ;; CREATE INDEX t_v ON t(v) ;; "
    "CREATE VIEW w AS SELECT v FROM t ;; CREATE TABLE kid(id INTEGER PRIMARY KEY, p INT REFERENCES t(id) ON DELETE CASCADE)",
    "ALTER TABLE t RENAME TO t2",
    statements=["ALTER TABLE t RENAME TO t2"],
    rename="t2",
    domains={"up": "key:60"},
)
case(
    "RENAME COLUMN and a type",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT) ;; CREATE INDEX t_v ON t(v) ;; CREATE VIEW w AS SELECT v, n FROM t",
    "ALTER TABLE t RENAME COLUMN v TO vv, ALTER n TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n REAL, v TEXT)",
    added=["ALTER TABLE t RENAME COLUMN v TO vv"],
)
case(
    "RENAME TO and a type",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT) ;; CREATE VIEW w AS SELECT v, n FROM t",
    "ALTER TABLE t ALTER n TYPE REAL, RENAME TO t2",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n REAL, v TEXT)",
    rename="t2",
)
case(
    "many actions",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c INT, d TEXT, e INT) ;; CREATE INDEX t_a ON t(a, c)",
    "ALTER TABLE t ALTER a TYPE TEXT, ALTER b SET DEFAULT 'q', DROP d, ADD f TEXT NOT NULL DEFAULT 'f', ADD CHECK(e < 50), "
    "ALTER c SET NOT NULL, ADD UNIQUE(id, e)",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, a TEXT, b TEXT DEFAULT 'q', c INT NOT NULL, e INT, f TEXT NOT NULL DEFAULT 'f', "
    "CHECK(e < 50), UNIQUE(id, e))",
    mapping={"f": "'f'"},
    force=True,
    domains={"c": "int!"},
)
case(
    "nothing to do",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT NOT NULL, v TEXT)",
    "ALTER TABLE t ALTER n SET NOT NULL, ALTER v TYPE TEXT",
)
case(
    "not postponed, an empty table",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)",
    "ALTER TABLE t ALTER n TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n TEXT, v TEXT)",
    rows=0,
    postpone=False,
)

# ---- files, and what happens to a job ------------------------------------------------------------------------------
SHAPE = (
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, n INT UNIQUE, v TEXT, w INT) ;; CREATE INDEX t_v ON t(v, n) ;; "
    "CREATE INDEX t_e ON t(length(v) DESC) WHERE w > 3"
)
TARGET = "CREATE TABLE {T}(id INTEGER PRIMARY KEY AUTOINCREMENT, n INT UNIQUE, v TEXT, w TEXT)"
for pragma in (
    "page_size = 512",
    "page_size = 65536",
    "auto_vacuum = FULL",
    "auto_vacuum = INCREMENTAL",
    "encoding = 'UTF-16be'",
):
    case(
        "a file of " + pragma,
        SHAPE,
        "ALTER TABLE t ALTER w TYPE TEXT",
        TARGET,
        domains={"n": "int:900"},
        pragmas=[pragma],
    )
for steer in ("abort", "pause", "throttle", "kill"):
    case("a job and " + steer, SHAPE, "ALTER TABLE t ALTER w TYPE TEXT", TARGET, domains={"n": "int:900"}, steer=steer)
case(
    "DDL on other tables meanwhile",
    SHAPE + " ;; CREATE TABLE other(id INTEGER PRIMARY KEY, v INT)",
    "ALTER TABLE t ALTER w TYPE TEXT",
    TARGET,
    domains={"n": "int:900"},
    tables=["t", "other"],
    extra=[
        ("CREATE TABLE IF NOT EXISTS zz(a PRIMARY KEY, b)", []),
        ("DROP TABLE IF EXISTS zz", []),
        ("INSERT OR REPLACE INTO zz VALUES(?, ?)", ["int", "any"]),
        ("CREATE INDEX IF NOT EXISTS zz_b ON zz(b)", []),
        (
            "CREATE TRIGGER IF NOT EXISTS zt AFTER INSERT ON other BEGIN UPDATE t SET w = w + 1 WHERE id = new.id; END",
            [],
        ),
        ("DROP TRIGGER IF EXISTS zt", []),
        ("CREATE VIEW IF NOT EXISTS zv AS SELECT count(*) AS c, max(v) AS m FROM t", []),
        ("DROP VIEW IF EXISTS zv", []),
    ],
)
case(
    "statements of very many rows",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, w INT) ;; CREATE TABLE other(id INTEGER PRIMARY KEY, v INT)",
    "ALTER TABLE t ALTER n TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n TEXT, w INT)",
    tables=["other"],
    fill=[
        "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 70000) INSERT INTO t SELECT n * 2, n, n FROM g"
    ],
    extra=[
        ("UPDATE t SET w = w + 1", []),
        ("UPDATE t SET id = id + 1 WHERE id > ? * 1000", ["int!:200"]),
        ("DELETE FROM t WHERE id BETWEEN ? * 1000 AND 141000", ["int!:200"]),
        ("INSERT OR IGNORE INTO t SELECT id + 1, n, w FROM t WHERE id < ? * 1000", ["int!:50"]),
        ("UPDATE t SET n = 5 WHERE id = ?", ["int!:9000"]),
    ],
    settings={"migrate.batch_rows": "2000", "migrate.duty": "50"},
    clients=2,
    ops=8,
)

# ---- what does not fit, arriving during the run --------------------------------------------------------------------
PLAIN = "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT)"
OTHER = PLAIN + " ;; CREATE TABLE other(id INTEGER PRIMARY KEY, v INT)"
FILL = ["WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 300) INSERT INTO t SELECT n, n, n FROM g"]
UPDATES = [("UPDATE t SET n = n + 1000 WHERE id = ?", ["int!:300"]), ("DELETE FROM t WHERE id = ?", ["int!:300"])]
for what, change, offender in (
    ("NULL", "ALTER n SET NOT NULL", "INSERT INTO t(id, v) VALUES(9999, 1)"),
    ("TYPE", "ALTER v TYPE INTEGER", "INSERT INTO t(id, v) VALUES(9999, 'x9')"),
    ("CHECK", "ADD CHECK(n < 900000)", "INSERT INTO t(id, n) VALUES(9999, 900000)"),
    ("UNIQUE", "ADD UNIQUE(v)", "INSERT INTO t(id, n, v) SELECT 9999, 1, max(v) FROM t"),
):
    case(
        "an offender arrives: " + what,
        OTHER,
        "ALTER TABLE t " + change,
        tables=["other"],
        fill=FILL,
        extra=UPDATES,
        offender=offender,
        fails="UNIQUE" if what == "UNIQUE" else {"NULL": "NOT NULL"}.get(what, what),
    )


# ---- statements that are no ALTER TABLE ----------------------------------------------------------------------------
def statement(name, schema, sql, **more):
    case(name, schema, sql, statements=more.pop("statements", [sql]), **more)


ABC = "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT, w REAL)"
statement("CREATE INDEX", ABC, "CREATE INDEX t_n ON t(n, v)")
statement(
    "CREATE INDEX, expressions, DESC, COLLATE",
    "CREATE TABLE t(n INT, v TEXT, w REAL, g AS (n * 2))",
    'CREATE INDEX "t x" ON t(n % 5 DESC, v COLLATE NOCASE, length(v), g)',
    domains={"v": "upper"},
)
statement("CREATE INDEX, partial", ABC, "CREATE INDEX t_p ON t(v DESC) WHERE n > 10 AND w IS NOT NULL")
statement(
    "CREATE INDEX, long values",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, v INT)",
    "CREATE INDEX t_a ON t(a, v)",
    domains={"a": "longtext"},
    rows=150,
)
statement(
    "CREATE INDEX of every kind of value",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c NUMERIC)",
    "CREATE INDEX t_abc ON t(a, b DESC, c)",
    domains={"a": "any", "b": "big", "c": "any"},
    fill=[
        "INSERT OR REPLACE INTO t(id, a, b) VALUES(501, 'a' || char(0) || 'b', CAST(x'ff41' AS TEXT)), "
        "(502, 9e999, -9e999), (503, 0.0, -0.0), (504, x'', '')"
    ],
)
statement(
    "CREATE UNIQUE INDEX, NULLs",
    ABC + " ;; CREATE UNIQUE INDEX t_u ON t(n)",
    "CREATE UNIQUE INDEX t_nv ON t(n, v COLLATE NOCASE)",
    domains={"n": "int:700", "v": "upper"},
)
statement(
    "CREATE UNIQUE INDEX, partial",
    ABC + " ;; CREATE UNIQUE INDEX t_u ON t(v)",
    "CREATE UNIQUE INDEX IF NOT EXISTS t_p ON t(v || '') WHERE n > 10",
    domains={"v": "text:700"},
)
statement("CREATE INDEX, text key", "CREATE TABLE t(k TEXT PRIMARY KEY, n INT, v)", "CREATE INDEX t_n ON t(n)")
statement(
    "CREATE INDEX, a table with foreign keys and triggers",
    PAR
    + " ;; CREATE TABLE log(what, a) ;; CREATE TABLE t(id INTEGER PRIMARY KEY, p INT REFERENCES par(id) ON DELETE CASCADE, n INT)"
    " ;; CREATE TRIGGER tr AFTER DELETE ON t BEGIN INSERT INTO log VALUES('d', old.n); END",
    "CREATE INDEX t_pn ON t(p, n)",
    tables=["t", "par"],
    domains={"p": "key:60"},
    key_range=(1, 300),
    fill=PARENTS + ["UPDATE OR IGNORE t SET p = 1 + id % 60"],
)
statement("CREATE INDEX, WITHOUT ROWID", WR % "INT", "CREATE INDEX t_v ON t(v, b)", rows=200)
# More rows than are left to SQLite's own.
statement("CREATE INDEX, WITHOUT ROWID, many rows", WR % "INT", "CREATE INDEX t_v ON t(v DESC, b)", rows=2000)
statement(
    "CREATE UNIQUE INDEX, WITHOUT ROWID, many rows",
    "CREATE TABLE t(a TEXT, b INT, v INT, PRIMARY KEY(b DESC, a)) WITHOUT ROWID ;; CREATE UNIQUE INDEX t_v ON t(v)",
    "CREATE UNIQUE INDEX IF NOT EXISTS [t va] ON t(v, a COLLATE NOCASE) WHERE b > 3",
    domains={"v": "int:4000"},
    rows=2000,
)
statement(
    "CREATE INDEX, a virtual column before the key, many rows",
    "CREATE TABLE t(g AS (v + 1) VIRTUAL, id INTEGER PRIMARY KEY, r REAL, v INT)",
    "CREATE INDEX t_g ON t(g, r)",
    rows=2000,
)
statement(
    "CREATE INDEX IF NOT EXISTS that is there",
    ABC + " ;; CREATE INDEX t_n ON t(n)",
    "CREATE INDEX IF NOT EXISTS t_n ON t(w)",
)
case(
    "an offender arrives: UNIQUE INDEX",
    OTHER,
    "CREATE UNIQUE INDEX t_u ON t(v)",
    tables=["other"],
    fill=FILL,
    extra=UPDATES,
    offender="INSERT INTO t(id, n, v) SELECT 9999, 1, max(v) FROM t",
    fails="UNIQUE",
)
statement("DROP INDEX", ABC + " ;; CREATE INDEX t_n ON t(n) ;; CREATE INDEX t_v ON t(v, n)", "DROP INDEX t_n")
statement(
    "DROP INDEX, UNIQUE",
    ABC + " ;; CREATE UNIQUE INDEX t_n ON t(n)",
    "DROP INDEX IF EXISTS t_n",
    domains={"n": "int:900"},
)
statement(
    "DROP TABLE",
    LOG + " ;; CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, n INT UNIQUE, v TEXT) ;; CREATE INDEX t_v ON t(v)"
    " ;; CREATE TRIGGER tr AFTER DELETE ON t BEGIN INSERT INTO log VALUES('d', old.n, 1); END",
    "DROP TABLE t",
    domains={"n": "int:900"},
    force=True,
    vanishes=True,
    # What SQLite itself would set off: nothing. Without foreign keys its DROP TABLE deletes no rows one by one.
)
statement(
    "DROP TABLE, a child",
    PAR + " ;; " + KID % "ON DELETE CASCADE",
    "DROP TABLE t",
    tables=["t", "par"],
    domains={"p": "key:60"},
    fill=PARENTS,
    force=True,
    vanishes=True,
)
statement("UPDATE of a whole table", ABC, "UPDATE t SET n = n * 2, v = v || '!' WHERE n > 5")
statement("DELETE of a whole table", ABC, "DELETE FROM t WHERE n % 2 = 0")
statement(
    "UPDATE of a whole table, unique keys and indexes",
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, u INT UNIQUE, v TEXT, w REAL CHECK(w IS NULL OR w < 1000)) ;; "
    "CREATE INDEX t_v ON t(v, w DESC) ;; CREATE INDEX t_e ON t(length(v)) WHERE w > 2",
    "UPDATE t SET v = upper(v), w = coalesce(w, 0) + u, u = NULL WHERE u % 3 <> 1",
    domains={"u": "int:700"},
)
statement(
    "UPDATE of a whole table, generated columns",
    "CREATE TABLE t(k TEXT PRIMARY KEY, n INT, g INT AS (n + 1) STORED, h AS (g * 2)) ;; CREATE INDEX t_h ON t(h)",
    "UPDATE t SET n = h + length(k)",
    domains={"k": "text:500"},
)
statement(
    "UPDATE of a child",
    PAR + " ;; " + KID % "ON DELETE CASCADE",
    "UPDATE t SET v = -v WHERE p IS NOT NULL",
    tables=["t", "par"],
    domains={"p": "key:60"},
    key_range=(1, 300),
    fill=PARENTS + ["UPDATE OR IGNORE t SET p = 1 + id % 60"],
)
statement(
    "DELETE of a whole table, AUTOINCREMENT",
    SHAPE,
    "DELETE FROM t WHERE n IS NULL OR v LIKE 't1%'",
    domains={"n": "int:900"},
    force=True,
)
statement("DELETE of every row", ABC, "DELETE FROM t", force=True)
statement(
    "DELETE of a table WITHOUT ROWID",
    "CREATE TABLE t(g AS (v || '!') VIRTUAL, a TEXT COLLATE NOCASE, b INT, u INT UNIQUE, v INT, PRIMARY KEY(b DESC, a)) "
    "WITHOUT ROWID ;; CREATE INDEX t_v ON t(v, g)",
    "DELETE FROM t WHERE v % 2 = 0 OR g LIKE '1%' OR a = 'T17'",
    domains={"u": "int:2000"},
    force=True,
)
statement("DELETE of every row, WITHOUT ROWID", WR % "INT", "DELETE FROM t", force=True)
statement("DELETE of the first rows, WITHOUT ROWID", WR % "INT", "DELETE FROM t WHERE a < 't6' OR b IS NULL", force=True)
case(
    "an offender arrives: CHECK of an UPDATE",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT CHECK(n < 90000), v TEXT) ;; CREATE TABLE other(id INTEGER PRIMARY KEY, v)",
    "UPDATE t SET n = n + 10",
    tables=["other"],
    fill=FILL,
    extra=UPDATES,
    offender="INSERT INTO t(id, n) VALUES(9999, 89995)",
    fails="CHECK",
)

# ---- corners -----------------------------------------------------------------------------------------------------
SHORT = ["ALTER TABLE t ADD COLUMN d TEXT DEFAULT 'dd'", "ALTER TABLE t ADD COLUMN r REAL NOT NULL DEFAULT 5"]
case(
    "rows shorter than the table",
    PLAIN + " ;; CREATE TABLE other(id INTEGER PRIMARY KEY, v INT)",
    "ALTER TABLE t ALTER n TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n TEXT, v TEXT, d TEXT DEFAULT 'dd', r REAL NOT NULL DEFAULT 5)",
    tables=["other"],
    fill=FILL + SHORT,
    extra=UPDATES + [("UPDATE t SET d = ? WHERE id = ?", ["text", "int!:300"])],
)
statement(
    "CREATE INDEX over rows shorter than the table",
    PLAIN + " ;; CREATE TABLE other(id INTEGER PRIMARY KEY, v INT)",
    "CREATE INDEX t_d ON t(d, r DESC, length(d))",
    tables=["other"],
    fill=FILL + SHORT,
    extra=UPDATES
    + [
        ("UPDATE t SET d = ? WHERE id = ?", ["text", "int!:300"]),
        ("UPDATE t SET r = ? WHERE id = ?", ["real!", "int!:300"]),
    ],
)
statement(
    "CREATE UNIQUE INDEX, REPLACE and swaps",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u INT UNIQUE, x TEXT UNIQUE, r REAL)",
    "CREATE UNIQUE INDEX t_ux ON t(x DESC, r, u)",
    domains={"u": "int:800", "x": "text:800"},
)
statement(
    "CREATE INDEX, hidden and negative rowids",
    "CREATE TABLE t(a INT, b REAL, c)",
    "CREATE INDEX t_bc ON t(b, c DESC)",
    domains={"c": "any"},
    key_range=(-500, 900),
)
case(
    "parent by a unique index",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT, w TEXT, v INT) ;; CREATE UNIQUE INDEX t_uw ON t(u, w) ;; "
    "CREATE TABLE kid(id INTEGER PRIMARY KEY, a TEXT, b TEXT, v, FOREIGN KEY(a, b) REFERENCES t(u, w) ON UPDATE CASCADE)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, u TEXT, w TEXT, v TEXT)",
    tables=["t", "kid"],
    domains={"u": "text:20", "w": "text:20", "a": "text:20", "b": "text:20"},
    key_range=(1, 200),
)
case(
    "rows whose parents are not there",
    PAR.replace("par(", "par9("),
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, p INT REFERENCES par(id) ON DELETE SET NULL, v TEXT)",
    before=[PAR]
    + (KID % "ON DELETE SET NULL").split(" ;; ")
    + ["INSERT INTO t VALUES(1, 77, 1), (2, 78, 2), (3, NULL, 3)"],
    tables=["t", "par"],
    domains={"p": "key:60"},
    key_range=(1, 300),
    fill=PARENTS,
)
case(
    "rows the table itself does not take",
    "CREATE TABLE other(id INTEGER PRIMARY KEY, v INT)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    before=[
        "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT CHECK(n < 100), v INT)",
        "PRAGMA ignore_check_constraints = ON",
        "INSERT INTO t VALUES(1, 5, 5), (2, 500, 5)",
        "PRAGMA ignore_check_constraints = OFF",
    ],
    tables=["other"],
    fails="CHECK",
)
case(
    "the last rowid there is",
    "CREATE TABLE t(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, n INT UNIQUE, v TEXT) ;; CREATE TABLE other(id INTEGER PRIMARY KEY, v)",
    "ALTER TABLE t ALTER n TYPE REAL",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY ON CONFLICT REPLACE, n REAL UNIQUE, v TEXT)",
    tables=["other"],
    fill=FILL + ["INSERT INTO t VALUES(9223372036854775807, -1, 'last'), (-9223372036854775808, -2, 'first')"],
    extra=[
        ("UPDATE t SET v = ? WHERE id IN (9223372036854775807, -9223372036854775808, 3)", ["text"]),
        ("UPDATE OR REPLACE t SET id = 9223372036854775807 WHERE id = ?", ["int!:300"]),
        ("INSERT INTO t VALUES(9223372036854775807, ?, ?)", ["int:900", "text"]),
        ("UPDATE t SET id = ? WHERE id = 9223372036854775807", ["int!:300"]),
        ("DELETE FROM t WHERE id = ?", ["int!:300"]),
    ],
)
case(
    "sqlite_sequence by hand",
    SHAPE,
    "ALTER TABLE t ALTER w TYPE TEXT",
    TARGET,
    domains={"n": "int:900"},
    extra=[
        ("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 't'", ["int!:30"]),
        ("DELETE FROM sqlite_sequence WHERE name = 't'", []),
    ],
)
case(
    "rows copied whole from a twin",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, v TEXT UNIQUE) ;; CREATE TABLE twin(id INTEGER PRIMARY KEY, n INT, v TEXT UNIQUE)",
    "ALTER TABLE t ALTER n TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, n TEXT, v TEXT UNIQUE)",
    tables=["t", "twin"],
    domains={"v": "text:900"},
    extra=[
        ("DELETE FROM t", []),
        ("INSERT OR REPLACE INTO t SELECT * FROM twin", []),
        ("INSERT INTO t SELECT * FROM twin WHERE id NOT IN (SELECT id FROM t)", []),
        ("INSERT OR IGNORE INTO twin SELECT * FROM t", []),
    ],
)
case(
    "very long values",
    "CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB, v INT) ;; CREATE TABLE other(id INTEGER PRIMARY KEY, v) ;; CREATE INDEX t_b ON t(b)",
    "ALTER TABLE t ALTER v TYPE TEXT",
    "CREATE TABLE {T}(id INTEGER PRIMARY KEY, b BLOB, v TEXT)",
    tables=["other"],
    fill=[
        "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g LIMIT 40) INSERT INTO t SELECT n, zeroblob(n * 3000), n FROM g"
    ],
    extra=[
        ("UPDATE t SET b = zeroblob(? * 1000) || ? WHERE id = ?", ["int!:50", "text!", "int!:40"]),
        ("UPDATE t SET v = ? WHERE id = ?", ["int!:50", "int!:40"]),
        ("DELETE FROM t WHERE id = ?", ["int!:40"]),
        ("INSERT OR REPLACE INTO t VALUES(?, zeroblob(70000), 1)", ["int!:40"]),
    ],
)
case(
    "double-quoted strings",
    'CREATE TABLE t(id INTEGER PRIMARY KEY, b TEXT CHECK(b <> "bad"), c TEXT DEFAULT "lit", v INT) ;; CREATE VIEW w AS SELECT b || "newcol" AS x FROM t',
    "ALTER TABLE t ALTER v TYPE TEXT",
    'CREATE TABLE {T}(id INTEGER PRIMARY KEY, b TEXT CHECK(b <> "bad"), c TEXT DEFAULT "lit", v TEXT)',
    extra=[("INSERT INTO t(b) VALUES('bad')", []), ("INSERT INTO t(b) VALUES('good')", [])],
)
case(
    "words of SQL for names",
    'CREATE TABLE t(key INTEGER PRIMARY KEY, column INT, type TEXT, generated INT, "set" INT, no INT, replace INT, [using] INT, strict INT) ;; '
    "CREATE INDEX desc ON t(type, no DESC)",
    "ALTER TABLE t ALTER [column] TYPE TEXT, ALTER COLUMN type SET DEFAULT 'x', ALTER \"set\" SET DEFAULT 4, ALTER COLUMN column SET DEFAULT 5, "
    "DROP COLUMN generated, ALTER no TYPE REAL USING no + 0.5, ADD COLUMN always INT, ALTER [using] TYPE TEXT USING [using] || 'u', DROP COLUMN strict",
    "CREATE TABLE {T}(key INTEGER PRIMARY KEY, column TEXT DEFAULT 5, type TEXT DEFAULT 'x', \"set\" INT DEFAULT 4, no REAL, replace INT, "
    "[using] TEXT, always INT)",
    mapping={"no": "no + 0.5", "using": "[using] || 'u'"},
    force=True,
)

statement(
    "CREATE INDEX, virtual columns before REAL and big numbers",
    "CREATE TABLE t(g AS (1) VIRTUAL, r REAL, n INT, h AS (n) VIRTUAL, s REAL, m)",
    "CREATE INDEX t_nrsm ON t(n, r, s, m)",
    domains={"n": "big", "m": "any"},
)
for key in ("k, l", "l DESC, k", "m, l", "m, k"):
    case(
        "WITHOUT ROWID, REAL columns before PRIMARY KEY(%s)" % key,
        "CREATE TABLE t(i REAL, j REAL, g AS (i), m REAL, k TEXT, h, l INT, PRIMARY KEY(%s)) WITHOUT ROWID" % key,
        "ALTER TABLE t ALTER h TYPE TEXT",
        "CREATE TABLE {T}(i REAL, j REAL, g AS (i), m REAL, k TEXT, h TEXT, l INT, PRIMARY KEY(%s)) WITHOUT ROWID"
        % key,
        domains={"k": "text!:60", "l": "int!:500", "m": "real!:60", "h": "int"},
    )
