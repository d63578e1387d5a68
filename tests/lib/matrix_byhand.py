"""Rebuilds written by hand, as the tools and people of the field write them: run online, compared with plain SQLite.

SQLite is given the very statements, with renames that leave children, views and triggers with the name.
"""
from live import Case

CASES = []
ID = "id INTEGER PRIMARY KEY"


def byhand(name, schema, *script, **more):
    statements = []
    for sql in script:
        legacy = " RENAME TO " in sql
        statements += ["PRAGMA legacy_alter_table=ON"] * legacy + [sql] + ["PRAGMA legacy_alter_table=OFF"] * legacy
    CASES.append(Case("by hand: " + name, schema, ";\n".join(script), statements=statements, **more))


byhand(
    "new table, copy, drop, rename",
    'CREATE TABLE t(id INTEGER NOT NULL PRIMARY KEY, "title" TEXT, n INT) ;; CREATE INDEX t_n ON t(n)',
    'CREATE TABLE "new_t" ("id" INTEGER NOT NULL PRIMARY KEY, "title" TEXT NOT NULL, "n" REAL, "more" TEXT DEFAULT \'m\')',
    'INSERT INTO "new_t" ("id", "title", "n") SELECT "id", coalesce("title", \'none\') AS "title", "n" FROM "t"',
    'DROP TABLE "t"',
    'ALTER TABLE "new_t" RENAME TO "t"',
    "CREATE INDEX t_n ON t(n)",
    'CREATE INDEX "t_title" ON "t"("title" COLLATE NOCASE, n)',
    # Clients that write the table know its old columns; afterwards a title may not be NULL.
    domains={"title": "text!"},
)
byhand(
    "rename away, create, copy, drop",
    "CREATE TABLE t(%s, a TEXT, b INT UNIQUE) ;; CREATE INDEX t_a ON t(a) ;;"
    "CREATE TABLE c(id INTEGER PRIMARY KEY, t INT REFERENCES t(id) ON DELETE CASCADE)" % ID,
    "ALTER TABLE t RENAME TO _t_old",
    "CREATE TABLE t(%s, b INT UNIQUE, a TEXT COLLATE NOCASE, c DEFAULT 7)" % ID,
    "INSERT INTO t(id, a, b) SELECT o.id, lower(o.a), b FROM _t_old AS o ORDER BY o.id",
    "DROP TABLE _t_old",
    "CREATE INDEX t_a ON t(a DESC) WHERE b > 100",
    tables=["t", "c"],
)
byhand(
    "every column by a star, and CHECK",
    "CREATE TABLE t(%s, a TEXT, n INT)" % ID,
    "CREATE TABLE t_dg_tmp(%s, a TEXT, n INT CHECK (n IS NULL OR n > -1000000))" % ID,
    "INSERT INTO t_dg_tmp SELECT * FROM t",
    "DROP TABLE t",
    "ALTER TABLE t_dg_tmp RENAME TO t",
)
byhand(
    "columns leave, change places and take values of their own",
    "CREATE TABLE t(%s, a TEXT, b INT, c BLOB, d)" % ID,
    "CREATE TABLE x(%s, d, b TEXT, twice INT, word TEXT, none, bytes BLOB DEFAULT x'00ff')" % ID,
    "INSERT INTO x(id, b, twice, word, none, d) SELECT t.id, t.b, t.b * 2, 'w', NULL, CASE WHEN typeof(d) = 'text' "
    "THEN upper(d) ELSE d END FROM main.t",
    "DROP TABLE t",
    "ALTER TABLE x RENAME TO t",
    force=True,
)
byhand(
    "triggers made anew, in another order",
    "CREATE TABLE t(%s, n INT, s TEXT) ;; CREATE TABLE seen(id INTEGER PRIMARY KEY, what TEXT) ;;"
    "CREATE TRIGGER one AFTER INSERT ON t BEGIN INSERT INTO seen(what) VALUES('one ' || new.n); END ;;"
    "CREATE TRIGGER two AFTER INSERT ON t BEGIN INSERT INTO seen(what) VALUES('two ' || new.n); END" % ID,
    "CREATE TABLE t2(%s, n INT, s TEXT NOT NULL DEFAULT '')" % ID,
    "INSERT INTO t2(id, n, s) SELECT id, n, ifnull(s, '') FROM t",
    "DROP TRIGGER IF EXISTS one",
    "DROP TABLE t",
    "ALTER TABLE t2 RENAME TO t",
    "CREATE TRIGGER two AFTER INSERT ON t BEGIN INSERT INTO seen(what) VALUES('two ' || new.n); END",
    "CREATE TRIGGER one AFTER INSERT ON t BEGIN INSERT INTO seen(what) VALUES('and one ' || new.n); END",
    domains={"s": "text!"},
)
byhand(
    "a view made anew, another kept",
    "CREATE TABLE t(%s, a TEXT, b INT) ;; CREATE VIEW v AS SELECT id, a FROM t ;; CREATE VIEW kept AS SELECT b FROM t" % ID,
    "DROP VIEW v",
    "CREATE TABLE n(%s, a TEXT, b INT, c TEXT DEFAULT 'c')" % ID,
    "INSERT INTO n(id, a, b) SELECT id, a, b FROM t",
    "DROP TABLE t",
    "ALTER TABLE n RENAME TO t",
    "CREATE VIEW v AS SELECT id, a, c FROM t",
)
byhand(
    "only a foreign key is new",
    "CREATE TABLE p(%s, v) ;; CREATE TABLE t(%s, p INT, w TEXT) ;; CREATE INDEX t_p ON t(p)" % (ID, ID),
    "CREATE TABLE n(%s, p INT REFERENCES p(id) ON DELETE SET NULL, w TEXT)" % ID,
    "INSERT INTO n(id, p, w) SELECT id, p, w FROM t",
    "DROP TABLE t",
    "ALTER TABLE n RENAME TO t",
    "CREATE INDEX t_p ON t(p)",
    fill=["INSERT INTO p WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 40) SELECT n, n FROM i"],
    domains={"p": "key:40"},
)
byhand(
    "TEXT key, WITHOUT ROWID",
    "CREATE TABLE t(k TEXT NOT NULL PRIMARY KEY, v INT, w TEXT)",
    "CREATE TABLE n(k TEXT NOT NULL PRIMARY KEY, v TEXT, w TEXT) WITHOUT ROWID",
    "INSERT INTO n SELECT k, v, w FROM t",
    "DROP TABLE t",
    "ALTER TABLE n RENAME TO t",
    domains={"k": "text:500!"},
)
byhand(
    "STRICT",
    "CREATE TABLE t(%s, v INT, w TEXT)" % ID,
    "CREATE TABLE n(%s, v TEXT, w TEXT) STRICT" % ID,
    "INSERT INTO n(id, v, w) SELECT id, CAST(v AS TEXT), CAST(w AS TEXT) FROM t",
    "DROP TABLE t",
    "ALTER TABLE n RENAME TO t",
)
byhand(
    "what SQLite's own conversion does not keep is no refusal",
    "CREATE TABLE t(%s, v TEXT, w)" % ID,
    "CREATE TABLE n(%s, v INTEGER, w REAL)" % ID,
    "INSERT INTO n(id, v, w) SELECT id, v, w FROM t",
    "DROP TABLE t",
    "ALTER TABLE n RENAME TO t",
    fill=["INSERT OR IGNORE INTO t(id, v, w) VALUES(900001, '0012', '007'), (900002, '12abc', 9007199254740993)"],
)
byhand(
    "generated columns and indexes over them",
    "CREATE TABLE t(%s, a INT, g INT AS (a + 1) STORED) ;; CREATE INDEX t_g ON t(g)" % ID,
    "CREATE TABLE n(%s, a INT, g INT AS (a * 2) STORED, h AS (a || '!'))" % ID,
    "INSERT INTO n(id, a) SELECT id, a FROM t",
    "DROP TABLE t",
    "ALTER TABLE n RENAME TO t",
    "CREATE INDEX t_g ON t(g, h)",
)
byhand(
    "to itself, and a parent",
    "CREATE TABLE t(%s, up INT REFERENCES t(id) ON DELETE CASCADE, v INT) ;;"
    "CREATE TABLE c(%s, t INT REFERENCES t)" % (ID, ID),
    "CREATE TABLE n(%s, up INT REFERENCES t(id) ON DELETE CASCADE, v TEXT)" % ID,
    "INSERT INTO n(id, up, v) SELECT id, up, v FROM t",
    "DROP TABLE t",
    "ALTER TABLE n RENAME TO t",
    tables=["t", "c"],
)


def series(name, schema, *script, **more):
    CASES.append(Case("a series: " + name, schema, ";\n".join(script), statements=list(script), **more))


series(
    "a column, its values, its index",
    "CREATE TABLE t(%s, a TEXT, n INT) ;; CREATE INDEX t_n ON t(n)" % ID,
    "ALTER TABLE t ADD COLUMN low TEXT DEFAULT 'none'",
    "UPDATE t SET low = lower(a) WHERE a IS NOT NULL AND low = 'none'",
    "CREATE INDEX t_low ON t(low, n DESC)",
    "DROP INDEX t_n",
)
series(
    "two updates of a column each",
    "CREATE TABLE t(%s, a TEXT, n INT)" % ID,
    "UPDATE t SET a = upper(a)",
    "UPDATE t SET n = n * 2 WHERE n > 0",
)
series(
    "what is copied is dropped",
    "CREATE TABLE t(%s, a TEXT, n INT)" % ID,
    "ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT ''",
    "UPDATE t SET b = ifnull(t.a, '-')",
    "ALTER TABLE t DROP COLUMN a",
    force=True,
)
series(
    "a unique index that the values do not allow",
    "CREATE TABLE t(%s, a TEXT, n INT)" % ID,
    "ALTER TABLE t ADD COLUMN c INT",
    "UPDATE t SET c = 1",
    "CREATE UNIQUE INDEX t_c ON t(c)",
    fails="UNIQUE",
)
series(
    "tables, a view and a trigger that are new",
    "CREATE TABLE t(%s, a TEXT, n INT)" % ID,
    "CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT, t INT REFERENCES t(id) ON DELETE SET NULL)",
    "CREATE INDEX log_t ON log(t)",
    "ALTER TABLE t ADD COLUMN low TEXT",
    "UPDATE t SET low = lower(a)",
    "CREATE VIEW lows AS SELECT low, count(*) AS n FROM t GROUP BY low",
    "CREATE TRIGGER t_gone AFTER DELETE ON t BEGIN INSERT INTO log(what) VALUES(old.low); END",
)
byhand(
    "a table that is new beside it",
    "CREATE TABLE t(%s, a TEXT, n INT)" % ID,
    "CREATE TABLE kind(id INTEGER PRIMARY KEY, word TEXT UNIQUE)",
    "CREATE TABLE n(%s, a TEXT, n INT, kind INT)" % ID,
    "INSERT INTO n(id, a, n) SELECT id, a, n FROM t",
    "DROP TABLE t",
    "ALTER TABLE n RENAME TO t",
    "CREATE INDEX t_kind ON t(kind)",
    "CREATE INDEX kind_word ON kind(word DESC)",
)
