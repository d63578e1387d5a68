/*
 * Table shapes x changes with a client writing all the while, each compared with an oracle: the same writes in plain
 * SQLite, with the change made offline in between, at the place where the swap took place. Seed: ALTERD_SEED, printed
 * when it fails; how many writes fall into which phase is up to the machine.
 */
#include "tests/unit/migrate/world.h"
#include "tests/unit/run_suite.h"

struct shape {
	const char *name;
	const char *setup;
	const char *change;
	const char *offline;    /* the same change, on a plain connection with foreign keys off */
	const char *rows;       /* what is compared */
	const char *writes[16]; /* templates: %d is a random number */
};

#define COUNT(n) "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" #n ") "

static const struct shape shapes[] = {
	{"integer primary key, two indexes, trigger, view",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, g INT, payer TEXT, amount INT, note TEXT);"
	 "CREATE INDEX tg ON t(g, payer DESC); CREATE INDEX tp ON t(payer COLLATE NOCASE) WHERE g>3;"
	 "CREATE TABLE log(x, y); CREATE TRIGGER tr AFTER UPDATE ON t BEGIN INSERT INTO log VALUES(new.id, "
	 "new.amount); END;"
	 "CREATE VIEW v AS SELECT id, amount FROM t;" COUNT(
		 600) "INSERT INTO t SELECT i*3-300, i%11, 'p'||i%17, i*2, 'n'||i FROM n;",
	 "ALTER TABLE t ALTER COLUMN amount TYPE REAL, ADD currency TEXT NOT NULL DEFAULT 'EUR', DROP COLUMN note",
	 "ALTER TABLE t RENAME TO old; DROP INDEX tg; DROP INDEX tp;"
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, g INT, payer TEXT, amount REAL, currency TEXT NOT NULL DEFAULT 'EUR');"
	 "INSERT INTO t SELECT id,g,payer,amount,'EUR' FROM old; CREATE INDEX tg ON t(g, payer DESC);"
	 "CREATE INDEX tp ON t(payer COLLATE NOCASE) WHERE g>3; DROP TABLE old;"
	 "CREATE TRIGGER tr AFTER UPDATE ON t BEGIN INSERT INTO log VALUES(new.id, new.amount); END;",
	 "SELECT rowid,*,typeof(amount) FROM t; SELECT * FROM v; SELECT * FROM log",
	 {"UPDATE t SET amount=amount+%d WHERE id%%50=%d", "DELETE FROM t WHERE id=%d",
	  "INSERT OR REPLACE INTO t VALUES(%d,%d,'r',%d,'z')", "UPDATE t SET id=id+100000 WHERE id=%d",
	  "INSERT INTO t(g,payer,amount) VALUES(%d,'new',%d)", "UPDATE t SET payer='q'||%d WHERE g=%d",
	  "INSERT INTO t(id,g) VALUES(%d,1) ON CONFLICT(id) DO UPDATE SET g=99",
	  "DELETE FROM t WHERE id BETWEEN %d AND 0"}},
	{"unique values that change places",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v INT);" COUNT(
		 500) "INSERT INTO t SELECT i, 'u'||i, i FROM n;",
	 "ALTER TABLE t ALTER v TYPE TEXT, ALTER v SET DEFAULT '0'",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, v TEXT DEFAULT '0');"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old;",
	 "SELECT *,typeof(v) FROM t",
	 {"UPDATE t SET u='x'||u WHERE id IN (%d,7)", "INSERT OR REPLACE INTO t VALUES(%d,'u%d',3)",
	  "UPDATE OR REPLACE t SET u='u%d' WHERE id=%d",
	  "UPDATE t SET u=CASE id WHEN 5 THEN (SELECT u FROM t WHERE id=400) ELSE u END||%d WHERE id IN(5,400)",
	  "UPDATE OR REPLACE t SET id=%d WHERE id=%d", "DELETE FROM t WHERE u='u%d'",
	  "REPLACE INTO t(u,v) VALUES('u%d',%d)"}},
	{"text primary key on a rowid table, hidden rowids kept",
	 "CREATE TABLE t(code TEXT PRIMARY KEY, name TEXT, n INTEGER); INSERT INTO t(rowid,code,name,n) "
	 "VALUES(-5,'neg','a',1),(9e15,'big','b',2);" COUNT(
		 400) "INSERT INTO t(rowid,code,name,n) SELECT i*2, 'c'||i, 'name'||i, i FROM n;",
	 "ALTER TABLE t ALTER n TYPE REAL, ALTER name SET NOT NULL",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(code TEXT PRIMARY KEY, name TEXT NOT NULL, n REAL);"
	 "INSERT INTO t(rowid,code,name,n) SELECT rowid,code,name,n FROM old; DROP TABLE old;",
	 "SELECT rowid,*,typeof(n) FROM t ORDER BY rowid",
	 {"INSERT OR REPLACE INTO t VALUES('c%d','r',%d)", "UPDATE t SET code='d'||code WHERE n=%d",
	  "DELETE FROM t WHERE code='c%d'", "UPDATE t SET rowid=rowid+1000 WHERE n=%d",
	  "INSERT OR IGNORE INTO t VALUES('e%d','x',1)"}},
	{"composite primary key, NULLs in it",
	 "CREATE TABLE t(a TEXT, b INT, c BLOB, PRIMARY KEY(a,b)); INSERT INTO t "
	 "VALUES(NULL,1,x'00'),(NULL,1,x'01'),('z',NULL,1.5);" COUNT(
		 300) "INSERT INTO t SELECT 'a'||i%7, i, zeroblob(i%5) FROM n;",
	 "ALTER TABLE t ADD COLUMN d INT NOT NULL DEFAULT 7 CHECK(d>0), ALTER c TYPE TEXT",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(a TEXT, b INT, c TEXT, d INT NOT NULL DEFAULT 7 CHECK(d>0), "
	 "PRIMARY KEY(a,b));"
	 "INSERT INTO t(rowid,a,b,c,d) SELECT rowid,a,b,c,7 FROM old; DROP TABLE old;",
	 "SELECT rowid,a,b,hex(c),typeof(c),d FROM t ORDER BY rowid",
	 {"DELETE FROM t WHERE b=%d", "INSERT OR REPLACE INTO t VALUES('a%d',%d,'t')", "UPDATE t SET a=NULL WHERE b=%d",
	  "UPDATE OR REPLACE t SET b=%d WHERE b=%d"}},
	{"no primary key, duplicates, rowid columns shadowed",
	 "CREATE TABLE t(rowid TEXT, oid INT);" COUNT(300) "INSERT INTO t SELECT 'same', i%3 FROM n;",
	 "ALTER TABLE t ALTER oid TYPE TEXT",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(rowid TEXT, oid TEXT);"
	 "INSERT INTO t(_rowid_,rowid,oid) SELECT _rowid_,rowid,oid FROM old; DROP TABLE old;",
	 "SELECT _rowid_,*,typeof(oid) FROM t ORDER BY _rowid_",
	 {"DELETE FROM t WHERE _rowid_=%d", "INSERT INTO t VALUES('n',%d)",
	  "UPDATE t SET _rowid_=-_rowid_ WHERE _rowid_=%d", "UPDATE t SET rowid='q%d' WHERE _rowid_>%d"}},
	{"autoincrement keeps its high-water mark",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);" COUNT(
		 300) "INSERT INTO t(v) SELECT i FROM n; DELETE FROM t WHERE id>290;",
	 "ALTER TABLE t ALTER v TYPE INTEGER",
	 "CREATE TEMP TABLE seq AS SELECT * FROM sqlite_sequence; ALTER TABLE t RENAME TO old;"
	 "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v INTEGER);"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old; UPDATE sqlite_sequence SET seq=(SELECT seq FROM temp.seq);",
	 "SELECT *,typeof(v) FROM t; SELECT * FROM sqlite_sequence",
	 {"INSERT INTO t(v) VALUES(%d)", "DELETE FROM t WHERE id>%d AND id%%9=%d",
	  "INSERT OR REPLACE INTO t VALUES(%d,'12.50')"}},
	{"parent with cascading children",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INT);"
	 "CREATE TABLE c(id INTEGER PRIMARY KEY, t INT REFERENCES t(id) ON DELETE CASCADE ON UPDATE CASCADE, x);"
	 "CREATE TABLE d(t INT REFERENCES t ON DELETE SET NULL);" COUNT(
		 300) "INSERT INTO t SELECT i,'n'||i,i FROM n;"
		      "INSERT INTO c SELECT id, id, 1 FROM t; INSERT INTO d SELECT id FROM t;",
	 "ALTER TABLE t ALTER n TYPE REAL, ALTER COLUMN name SET DEFAULT upper('none')",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT DEFAULT (upper('none')), n "
	 "REAL);"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old;",
	 "SELECT *,typeof(n) FROM t; SELECT * FROM c; SELECT * FROM d",
	 {"DELETE FROM t WHERE id=%d", "UPDATE t SET id=id+1000 WHERE id=%d",
	  "INSERT OR REPLACE INTO t VALUES(%d,'r',1)", "INSERT INTO c(t) VALUES(%d)",
	  "UPDATE t SET n=n+1 WHERE id>%d"}},
	{"child with a composite foreign key, self reference",
	 "CREATE TABLE p(a TEXT, b INT, PRIMARY KEY(a,b)) WITHOUT ROWID;"
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, up INT REFERENCES t(id) ON DELETE CASCADE, v INT,\n"
	 " CONSTRAINT fk FOREIGN KEY(a,b) REFERENCES p(a,b) ON DELETE CASCADE ON UPDATE CASCADE);" COUNT(
		 200) "INSERT INTO p SELECT 'a'||i%5, i FROM n;" COUNT(400) "INSERT INTO t SELECT i, 'a'||(1+i%200)%5, "
									    "1+i%200, CASE WHEN i>10 THEN i/2 END, i "
									    "FROM n;",
	 "ALTER TABLE t ALTER v TYPE TEXT, DROP COLUMN v, ADD w TEXT USING 'w'||v",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, up INT REFERENCES t(id) "
	 "ON DELETE CASCADE, w TEXT,\n"
	 " CONSTRAINT fk FOREIGN KEY(a,b) REFERENCES p(a,b) ON DELETE CASCADE ON UPDATE CASCADE);"
	 "INSERT INTO t SELECT id,a,b,up,'w'||v FROM old; DROP TABLE old;",
	 "SELECT *,typeof(w) FROM t; SELECT * FROM p",
	 {"DELETE FROM p WHERE b=%d", "DELETE FROM t WHERE id=%d", "UPDATE p SET b=b+1000 WHERE b=%d",
	  "INSERT OR IGNORE INTO t(id,up,v) VALUES(%d,3,4)", "UPDATE t SET v=v+%d WHERE id%%7=%d"}},
	{"generated columns and expression indexes",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, g1 AS (a*2) VIRTUAL, g2 TEXT AS (a||'s') STORED, b TEXT);"
	 "CREATE UNIQUE INDEX te ON t(abs(id)+1000000); CREATE INDEX tg ON t(g1, g2);" COUNT(
		 300) "INSERT INTO t(id,a,b) SELECT i,i%50,'b'||i FROM n;",
	 "ALTER TABLE t ALTER b SET NOT NULL, ALTER a TYPE REAL",
	 "ALTER TABLE t RENAME TO old; DROP INDEX te; DROP INDEX tg;"
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, a REAL, g1 AS (a*2) VIRTUAL, g2 TEXT AS (a||'s') STORED, b TEXT NOT "
	 "NULL);"
	 "INSERT INTO t(id,a,b) SELECT id,a,b FROM old; DROP TABLE old; CREATE UNIQUE INDEX te ON t(abs(id)+1000000); "
	 "CREATE INDEX tg ON t(g1, g2);",
	 "SELECT *,typeof(a),typeof(g1) FROM t",
	 {"UPDATE t SET a=a+%d WHERE id%%10=%d", "INSERT OR REPLACE INTO t(id,a,b) VALUES(%d,%d,'r')",
	  "DELETE FROM t WHERE a=%d"}},
	{"dropped columns take their indexes, order of columns",
	 "CREATE TABLE \"odd \"\"t\"(\n  -- the key\n  [a b] INTEGER PRIMARY KEY, `c` TEXT /* gone */ UNIQUE, d INT "
	 "CHECK(d>=0), \"e\" TEXT, UNIQUE(d,e)\n);"
	 "CREATE INDEX i1 ON \"odd \"\"t\"(\"e\", d); CREATE INDEX i2 ON \"odd \"\"t\"(d);" COUNT(
		 300) "INSERT INTO \"odd \"\"t\" SELECT i, 'c'||i, i, 'e'||i FROM n;",
	 "ALTER TABLE \"odd \"\"t\" DROP c, DROP COLUMN e",
	 "CREATE TABLE keep AS SELECT * FROM \"odd \"\"t\"; DROP TABLE \"odd \"\"t\";"
	 "CREATE TABLE \"odd \"\"t\"(\n  -- the key\n  [a b] INTEGER PRIMARY KEY, d INT CHECK(d>=0)\n);"
	 "INSERT INTO \"odd \"\"t\" SELECT [a b], d FROM keep; DROP TABLE keep; CREATE INDEX i2 ON \"odd \"\"t\"(d);",
	 "SELECT * FROM \"odd \"\"t\"",
	 {"UPDATE \"odd \"\"t\" SET d=d+1 WHERE d=%d", "DELETE FROM \"odd \"\"t\" WHERE d=%d",
	  "REPLACE INTO \"odd \"\"t\" VALUES(%d,'x%d',%d,'y')"}},
	{"strict table, constraint added and dropped",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b ANY, CONSTRAINT pos CHECK(a>=0)) STRICT;" COUNT(
		 300) "INSERT INTO t SELECT i, i, CASE i%3 WHEN 0 THEN i WHEN 1 THEN 't'||i ELSE x'aa' END FROM n;",
	 "ALTER TABLE t ALTER a TYPE REAL, DROP CONSTRAINT pos, ADD CONSTRAINT small CHECK(a<1000000), ADD "
	 "UNIQUE(id,b)",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(id INTEGER PRIMARY KEY, a REAL, b ANY, CONSTRAINT small "
	 "CHECK(a<1000000), UNIQUE(id,b)) STRICT;"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old;",
	 "SELECT id,a,typeof(a),quote(b) FROM t",
	 {"UPDATE t SET a=a+%d WHERE id%%10=%d", "DELETE FROM t WHERE id=%d",
	  "INSERT OR REPLACE INTO t VALUES(%d,%d,x'00ff')"}},
	{"without rowid: key of two columns, a virtual column before it, collation and order of its own",
	 "CREATE TABLE t(g AS (x||'g') VIRTUAL, x TEXT, b TEXT COLLATE NOCASE, a INT, u TEXT UNIQUE, n INT,"
	 " PRIMARY KEY(b DESC, a)) WITHOUT ROWID; CREATE INDEX tx ON t(x); CREATE INDEX tg ON t(g, n DESC);" COUNT(
		 400) "INSERT INTO t(x,b,a,u,n) SELECT 'x'||i%9, 'B'||i%20, i, 'u'||i, i FROM n;",
	 "ALTER TABLE t ALTER n TYPE TEXT, ADD c TEXT NOT NULL DEFAULT 'c'",
	 "CREATE TABLE k AS SELECT x,b,a,u,n FROM t; DROP TABLE t;"
	 "CREATE TABLE t(g AS (x||'g') VIRTUAL, x TEXT, b TEXT COLLATE NOCASE, a INT, u TEXT UNIQUE, n TEXT, c TEXT "
	 "NOT NULL DEFAULT 'c',"
	 " PRIMARY KEY(b DESC, a)) WITHOUT ROWID; INSERT INTO t(x,b,a,u,n) SELECT * FROM k; DROP TABLE k;"
	 "CREATE INDEX tx ON t(x); CREATE INDEX tg ON t(g, n DESC);",
	 "SELECT *,typeof(n) FROM t",
	 {"UPDATE t SET n=n+1 WHERE a%%40=%d%%40", "UPDATE OR REPLACE t SET b=upper(b), a=a+1 WHERE a=%d",
	  "UPDATE t SET b=lower(b) WHERE a>%d", "DELETE FROM t WHERE a=%d",
	  "UPDATE OR REPLACE t SET u='u%d' WHERE a=%d", "INSERT OR REPLACE INTO t(x,b,a,u) VALUES('r','b%d',%d,'u%d')",
	  "INSERT INTO t(x,b,a,u) VALUES('z','B3',%d,NULL) ON CONFLICT DO UPDATE SET x='q', a=a+1000",
	  "UPDATE t SET u='x'||u WHERE a IN (%d,7)"}},
	{"without rowid: the key itself changes its type",
	 "CREATE TABLE t(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID; CREATE UNIQUE INDEX tv ON t(v);" COUNT(
		 400) "INSERT INTO t SELECT i*7%409, 'v'||i FROM n;",
	 "ALTER TABLE t ALTER k TYPE INTEGER",
	 "CREATE TABLE o AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT) WITHOUT ROWID;"
	 "INSERT INTO t SELECT * FROM o; DROP TABLE o; CREATE UNIQUE INDEX tv ON t(v);",
	 "SELECT k,typeof(k),v FROM t",
	 {"UPDATE OR IGNORE t SET k=k+500 WHERE k='%d'", "DELETE FROM t WHERE k='%d'",
	  "INSERT OR REPLACE INTO t VALUES(%d,'v%d')", "UPDATE t SET v=v||'x' WHERE k='%d'",
	  "UPDATE OR REPLACE t SET k=%d WHERE k='%d'"}},
	{"a rowid table loses its rowid, an integer key",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INT); CREATE INDEX tn ON t(n);" COUNT(
		 400) "INSERT INTO t SELECT i*3-300, 'u'||i, i%9 FROM n;",
	 "ALTER TABLE t SET WITHOUT ROWID",
	 "ALTER TABLE t RENAME TO old; DROP INDEX tn; CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE, n INT) "
	 "WITHOUT ROWID;"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old; CREATE INDEX tn ON t(n);",
	 "SELECT * FROM t",
	 {"UPDATE t SET n=n+%d WHERE id%%10=%d", "UPDATE OR REPLACE t SET id=id+3 WHERE id=%d",
	  "DELETE FROM t WHERE id=%d", "INSERT OR REPLACE INTO t VALUES(%d,'u%d',1)",
	  "UPDATE OR REPLACE t SET u='u%d' WHERE id=%d", "UPDATE t SET u='x'||u WHERE id IN (%d,9)"}},
	{"a rowid table loses its rowid, a key of texts",
	 "CREATE TABLE t(a TEXT COLLATE NOCASE, n INT, b INT NOT NULL, PRIMARY KEY(b DESC, a));" COUNT(
		 400) "INSERT INTO t(rowid,a,n,b) SELECT i*2-50, 'a'||(i*31%400), i, i%5 FROM n;",
	 "ALTER TABLE t SET WITHOUT ROWID, ALTER n TYPE REAL",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(a TEXT COLLATE NOCASE, n REAL, b INT NOT NULL, PRIMARY KEY(b "
	 "DESC, a)) WITHOUT ROWID;"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old;",
	 "SELECT *,typeof(n) FROM t",
	 {"UPDATE t SET n=n+%d WHERE n%%10=%d", "UPDATE OR REPLACE t SET b=b+1 WHERE n=%d", "DELETE FROM t WHERE n=%d",
	  "INSERT OR REPLACE INTO t VALUES('A%d',%d,3)", "UPDATE OR REPLACE t SET a='A%d' WHERE n=%d",
	  "UPDATE t SET rowid=rowid+10000 WHERE n=%d"}},
	{"a table without rowid gets one",
	 "CREATE TABLE t(k TEXT, j INT, v TEXT, PRIMARY KEY(k, j DESC)) WITHOUT ROWID; CREATE INDEX tv ON t(v);" COUNT(
		 400) "INSERT INTO t SELECT 'k'||i%17, i, 'v'||i FROM n;",
	 "ALTER TABLE t DROP WITHOUT ROWID",
	 "CREATE TABLE o AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t(k TEXT, j INT, v TEXT, PRIMARY KEY(k, j "
	 "DESC));"
	 "INSERT INTO t SELECT * FROM o; DROP TABLE o; CREATE INDEX tv ON t(v);",
	 "SELECT * FROM t ORDER BY k,j",
	 {"UPDATE t SET v=v||'x' WHERE j=%d", "UPDATE OR REPLACE t SET j=j+1 WHERE j=%d", "DELETE FROM t WHERE j=%d",
	  "INSERT OR REPLACE INTO t VALUES('k%d',%d,'r')"}},
	{"a table without rowid gets an integer key",
	 "CREATE TABLE t(k INTEGER, v TEXT, PRIMARY KEY(k DESC)) WITHOUT ROWID;" COUNT(
		 400) "INSERT INTO t SELECT i*3, 'v'||i FROM n;",
	 "ALTER TABLE t DROP WITHOUT ROWID",
	 "CREATE TABLE o AS SELECT * FROM t; DROP TABLE t; CREATE TABLE t(k INTEGER, v TEXT, PRIMARY KEY(k DESC));"
	 "INSERT INTO t SELECT * FROM o; DROP TABLE o;",
	 "SELECT rowid,* FROM t ORDER BY k",
	 {"UPDATE t SET v=v||'x' WHERE k=%d", "UPDATE OR REPLACE t SET k=k+3 WHERE k=%d", "DELETE FROM t WHERE k=%d",
	  "INSERT OR REPLACE INTO t VALUES(%d,'r')"}},
	{"a column becomes the rowid",
	 "CREATE TABLE t(a TEXT, id INT UNIQUE NOT NULL, v TEXT); CREATE INDEX ta ON t(a);" COUNT(
		 400) "INSERT INTO t(rowid,a,id,v) SELECT i, 'a'||i%7, (i*31)%401, 'v'||i FROM n;",
	 "ALTER TABLE t ALTER id TYPE INTEGER, ADD PRIMARY KEY(id)",
	 "ALTER TABLE t RENAME TO old; DROP INDEX ta; CREATE TABLE t(a TEXT, id INTEGER UNIQUE NOT NULL, v TEXT, "
	 "PRIMARY KEY(id));"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old; CREATE INDEX ta ON t(a);",
	 "SELECT rowid,* FROM t ORDER BY id",
	 {"UPDATE OR REPLACE t SET id=id+1 WHERE id=%d", "DELETE FROM t WHERE id=%d",
	  "INSERT OR REPLACE INTO t VALUES('r',%d,'q')", "UPDATE t SET a='z' WHERE rowid=%d",
	  "UPDATE OR REPLACE t SET rowid=rowid+7 WHERE rowid=%d"}},
	{"the rowid becomes an ordinary column, another the key",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL);" COUNT(
		 300) "INSERT INTO t SELECT i*2, 'c'||i FROM n; CREATE TABLE other(i INTEGER PRIMARY KEY "
		      "AUTOINCREMENT);",
	 "ALTER TABLE t DROP PRIMARY KEY, ADD CONSTRAINT pk PRIMARY KEY(code)",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(id INTEGER, code TEXT NOT NULL, CONSTRAINT pk PRIMARY KEY(code));"
	 "INSERT INTO t(rowid,id,code) SELECT id,id,code FROM old; DROP TABLE old;",
	 "SELECT rowid,* FROM t ORDER BY rowid; SELECT * FROM sqlite_sequence",
	 {"UPDATE OR REPLACE t SET id=id+1 WHERE id=%d", "DELETE FROM t WHERE id=%d",
	  "INSERT INTO t(code) SELECT c FROM (SELECT 'n'||%d AS c) WHERE c NOT IN (SELECT code FROM t)"}},
	{"a new column shows the rowid",
	 "CREATE TABLE t(a TEXT);" COUNT(300) "INSERT INTO t(rowid,a) SELECT i*5-100, 'a'||i FROM n;",
	 "ALTER TABLE t ADD COLUMN id INTEGER PRIMARY KEY",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(a TEXT, id INTEGER PRIMARY KEY);"
	 "INSERT INTO t(a,id) SELECT a,rowid FROM old; DROP TABLE old;",
	 "SELECT * FROM t ORDER BY id",
	 {"UPDATE t SET a='b' WHERE rowid=%d", "DELETE FROM t WHERE rowid=%d",
	  "INSERT OR REPLACE INTO t(rowid,a) VALUES(%d,'n')"}},
	{"rows go, WITHOUT ROWID",
	 "CREATE TABLE t(a TEXT COLLATE NOCASE, b INT, v INT, g AS (v%7) VIRTUAL, PRIMARY KEY(b DESC, a)) WITHOUT "
	 "ROWID;"
	 "CREATE INDEX tg ON t(g);" COUNT(400) "INSERT INTO t SELECT 'a'||i, i%5, i FROM n;",
	 "DELETE FROM t WHERE g>1 OR b=4",
	 "DELETE FROM t WHERE g>1 OR b=4",
	 "SELECT * FROM t",
	 {"UPDATE t SET v=v+1 WHERE a='a%d'", "DELETE FROM t WHERE a='a%d'",
	  "INSERT OR REPLACE INTO t VALUES('A%d',%d,%d)", "UPDATE OR REPLACE t SET b=b-3 WHERE v=%d"}},
	{"rows go, no name for the rowid",
	 "CREATE TABLE t(rowid TEXT, oid INT, _rowid_ INT NOT NULL, k TEXT NOT NULL, PRIMARY KEY(k, _rowid_));" COUNT(
		 300) "INSERT INTO t SELECT 'r'||i, i, i%3, 'k'||i FROM n;",
	 "DELETE FROM t WHERE oid%3=0 OR rowid='x'",
	 "DELETE FROM t WHERE oid%3=0 OR rowid='x'",
	 "SELECT * FROM t ORDER BY k,_rowid_",
	 {"UPDATE OR REPLACE t SET _rowid_=7 WHERE k='k%d' AND _rowid_=2", "DELETE FROM t WHERE k='k%d'",
	  "INSERT OR REPLACE INTO t VALUES('n',%d,1,'k%d')", "UPDATE t SET rowid='x' WHERE k='k%d'"}},
	{"no name for the rowid, but a key",
	 "CREATE TABLE t(rowid TEXT, oid INT, _rowid_ INT NOT NULL, g AS (oid+1) VIRTUAL, k TEXT NOT NULL, PRIMARY "
	 "KEY(k, _rowid_));" COUNT(300) "INSERT INTO t SELECT 'r'||i, i, i%3, 'k'||i FROM n;",
	 "ALTER TABLE t ALTER oid TYPE TEXT",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(rowid TEXT, oid TEXT, _rowid_ INT NOT NULL, g AS (oid+1) "
	 "VIRTUAL, k TEXT NOT NULL, "
	 "PRIMARY KEY(k, _rowid_));"
	 "INSERT INTO t SELECT rowid,oid,_rowid_,k FROM old; DROP TABLE old;",
	 "SELECT *,typeof(oid) FROM t ORDER BY k,_rowid_",
	 {"UPDATE OR REPLACE t SET _rowid_=%d WHERE k='k%d'", "DELETE FROM t WHERE k='k%d'",
	  "INSERT OR REPLACE INTO t VALUES('n',%d,%d,'k%d')", "UPDATE t SET rowid='x' WHERE _rowid_=%d",
	  "UPDATE t SET k=k||'_' WHERE k='k%d'"}},
	{"renamed columns beside a change of type: view, trigger, child, index and check follow",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT CHECK(a>-1000), u TEXT UNIQUE); CREATE INDEX tau ON t(a, u);"
	 "CREATE VIEW v AS SELECT a, u FROM t; CREATE TABLE log(x);"
	 "CREATE TRIGGER tr AFTER UPDATE OF a ON t BEGIN INSERT INTO log VALUES(new.a||new.u); END;"
	 "CREATE TABLE c(t TEXT REFERENCES t(u) ON DELETE CASCADE);" COUNT(
		 300) "INSERT INTO t SELECT i, i, 'u'||i FROM n; INSERT INTO c SELECT u FROM t WHERE id%3=0;",
	 "ALTER TABLE t RENAME COLUMN a TO b, ALTER b TYPE REAL, RENAME u TO w, ADD z TEXT",
	 "ALTER TABLE t RENAME TO old; DROP VIEW v; DROP INDEX tau; CREATE TABLE t(id INTEGER PRIMARY KEY, \"b\" REAL "
	 "CHECK(\"b\">-1000), \"w\" TEXT UNIQUE, z TEXT);"
	 "INSERT INTO t SELECT *,NULL FROM old; DROP TABLE old; CREATE INDEX tau ON t(\"b\", \"w\");"
	 "CREATE VIEW v AS SELECT \"b\", \"w\" FROM t;"
	 "CREATE TRIGGER tr AFTER UPDATE OF \"b\" ON t BEGIN INSERT INTO log VALUES(new.\"b\"||new.\"w\"); END;"
	 "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE TABLE c(t TEXT REFERENCES t(\"w\") ON DELETE "
	 "CASCADE)' WHERE name='c'; PRAGMA writable_schema=RESET;",
	 "SELECT *,typeof(b) FROM t; SELECT * FROM v; SELECT * FROM log; SELECT * FROM c",
	 {"UPDATE t SET a=a+%d WHERE id=%d", "UPDATE t SET b=b+%d WHERE id=%d", "DELETE FROM t WHERE id=%d",
	  "INSERT OR REPLACE INTO t(id,u) VALUES(%d,'n%d')", "INSERT OR REPLACE INTO t(id,w) VALUES(%d,'n%d')"}},
	{"a new name for the table beside another key",
	 "CREATE TABLE t(a TEXT PRIMARY KEY, up TEXT REFERENCES t(a) ON DELETE SET NULL, v INT) WITHOUT ROWID;"
	 "CREATE VIEW v AS SELECT * FROM t; CREATE INDEX tv ON t(v);" COUNT(
		 300) "INSERT INTO t SELECT 'a'||i, 'a'||(i/2+1), i FROM n;",
	 "ALTER TABLE t DROP WITHOUT ROWID, ALTER v SET DEFAULT 7, RENAME TO t2",
	 "DROP VIEW v; ALTER TABLE t RENAME TO old; DROP INDEX tv; CREATE TABLE \"t2\"(a TEXT PRIMARY KEY, up TEXT "
	 "REFERENCES "
	 "\"t2\"(a) ON DELETE SET NULL, v INT DEFAULT 7); INSERT INTO t2 SELECT * FROM old; DROP TABLE old;"
	 "CREATE INDEX tv ON \"t2\"(v); CREATE VIEW v AS SELECT * FROM \"t2\";",
	 "SELECT * FROM t2 ORDER BY a; SELECT count(*) FROM v",
	 {"UPDATE t SET v=v+%d WHERE v=%d", "DELETE FROM t WHERE a='a%d'", "UPDATE t2 SET v=v+%d WHERE v=%d",
	  "DELETE FROM t2 WHERE a='a%d'", "INSERT OR REPLACE INTO t(a,v) VALUES('n%d',%d)"}},
	{"a table becomes strict",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c BLOB, d REAL, e ANY); CREATE INDEX ta ON "
	 "t(a,d);" COUNT(300) "INSERT INTO t SELECT i, i, 'b'||i, x'00', i/2.0, i FROM n;",
	 "ALTER TABLE t SET STRICT, ALTER e TYPE INTEGER",
	 "ALTER TABLE t RENAME TO old; DROP INDEX ta; CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b TEXT, c BLOB, d "
	 "REAL, e INTEGER) STRICT;"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old; CREATE INDEX ta ON t(a,d);",
	 "SELECT id,a,b,hex(c),d,typeof(d),e FROM t",
	 {"UPDATE t SET a=a+%d WHERE id%%10=%d", "INSERT OR REPLACE INTO t VALUES(%d,%d,'r',NULL,3,NULL)",
	  "UPDATE t SET d=d*2, e=e+1 WHERE id<%d"}},
	{"a table is strict no more",
	 "CREATE TABLE t(id INTEGER PRIMARY KEY, a ANY, b TEXT) STRICT;" COUNT(
		 300) "INSERT INTO t SELECT i, CASE i%4 WHEN 0 THEN ''||i WHEN 1 THEN 'no'||i WHEN 2 THEN x'01' ELSE "
		      "i/2.0 END, "
		      "'b'||i FROM n;",
	 "ALTER TABLE t DROP STRICT",
	 "ALTER TABLE t RENAME TO old; CREATE TABLE t(id INTEGER PRIMARY KEY, a ANY, b TEXT);"
	 "INSERT INTO t SELECT * FROM old; DROP TABLE old;",
	 "SELECT id,quote(a),typeof(a),b FROM t",
	 {"UPDATE t SET a=a+%d WHERE id%%10=%d", "INSERT OR REPLACE INTO t VALUES(%d,'%d','r')",
	  "DELETE FROM t WHERE id=%d"}},
};

static unsigned long seed;
static unsigned long next_random(unsigned long n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (seed >> 33) % n;
}

/* One random statement of the shape. */
static void make_write(const struct shape *s, char *out, size_t size)
{
	size_t n = 0;
	while (n < 16 && s->writes[n])
		n++;
	const char *t = s->writes[next_random(n)];
	size_t at = 0;
	for (; *t && at + 32 < size; t++) {
		if (t[0] == '%' && t[1] == 'd') {
			at += (size_t)snprintf(out + at, size - at, "%lu", next_random(420));
			t++;
		} else {
			if (t[0] == '%' && t[1] == '%')
				t++;
			out[at++] = *t;
		}
	}
	out[at] = '\0';
}

/* The writes of one run, so that the oracle gets the same. */
struct script {
	struct buf before, after; /* the swap */
	bool altering, swapped;
};

static void write_one(struct world *w, const struct shape *s, struct script *script)
{
	char sql[512];
	make_write(s, sql, sizeof(sql));
	int code = world_sql(w, sql, NULL);
	/* Once swapped the statement can be one of the old schema. */
	ck_assert_msg(code == 0 || code == SQLITE_ERROR || (code & 0xff) == SQLITE_CONSTRAINT, "%s: %d", sql, code);
	if (script->altering && (w->answered_in == PHASE_RETIRE || w->answered_in == PHASE_END))
		script->swapped = true;
	if (code == 0)
		buf_printf(script->swapped ? &script->after : &script->before, "%s;", sql);
}

static void oracle(const struct shape *s, struct script *script, const char *path, struct buf *out)
{
	sqlite3 *db;
	char *message = NULL;
	const char *parts[] = {s->setup,
			       "PRAGMA foreign_keys=ON",
			       buf_cstr(&script->before),
			       "PRAGMA foreign_keys=OFF; PRAGMA legacy_alter_table=ON",
			       s->offline,
			       "PRAGMA legacy_alter_table=OFF; PRAGMA foreign_keys=ON",
			       buf_cstr(&script->after)};
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		ck_assert_msg(sqlite3_exec(db, parts[i], NULL, NULL, &message) == SQLITE_OK, "oracle, part %zu: %s", i,
			      message);
	sqlite3_close(db);
	world_dump(path, s->rows, out);
}

/* The first line in which two dumps differ; false: none. */
static bool first_difference(const char *got, const char *want, char *out, size_t size)
{
	int line = 1;

	if (strcmp(got, want) == 0)
		return false;
	for (;; line++) {
		size_t n = strcspn(got, "\n"), k = strcspn(want, "\n");
		if (n != k || strncmp(got, want, n) != 0 || !got[n] || !want[k]) {
			snprintf(out, size, "line %d: got \"%.*s\", wanted \"%.*s\"", line, (int)(n < 200 ? n : 200),
				 got, (int)(k < 200 ? k : 200), want);
			return true;
		}
		got += n + 1;
		want += k + 1;
	}
}

static void compare(const struct shape *s, struct world *w, struct script *script, unsigned long first)
{
	struct buf got = {0}, want = {0};
	char path[160], where[512];

	world_dump(w->path, s->rows, &got);
	snprintf(path, sizeof(path), "%s/o.db", w->dir);
	oracle(s, script, path, &want);
	bool differs = first_difference(buf_cstr(&got), buf_cstr(&want), where, sizeof(where));
	if (differs && getenv("LOG"))
		fprintf(stderr, "-- got:\n%s-- wanted:\n%s-- writes before the swap: %s\n-- after: %s\n",
			buf_cstr(&got), buf_cstr(&want), buf_cstr(&script->before), buf_cstr(&script->after));
	ck_assert_msg(!differs, "%s: ALTERD_SEED=%lu: differs from the oracle: %s", s->name, first, where);
	struct buf left = {0};
	world_query(w->path,
		    "SELECT name FROM sqlite_schema WHERE name LIKE '%new%' AND name LIKE '\\_alterd%' ESCAPE '\\'",
		    &left);
	world_query(w->path, "SELECT * FROM _alterd_dirty", &left);
	ck_assert_str_eq(buf_cstr(&left), "");
	unlink(path);
	buf_free(&left);
	buf_free(&got);
	buf_free(&want);
}

/* Runs the shape; restarts: the daemon is stopped and started again at random moments. */
static void run_shape(const struct shape *s, bool restarts)
{
	unsigned long first = seed;
	struct world w = {.batch_rows = (int64_t)(1 + next_random(30))};
	struct script script = {0};
	struct world_wait wait;

	world_init(&w, s->setup);
	for (int i = 0; i < 3; i++)
		write_one(&w, s, &script);
	world_alter(&w, &wait, s->change, true, restarts);
	while (world_phase(&w) == PHASE_END && !wait.done)
		world_turn(&w);
	script.altering = true;
	int restarted = 0;
	/* Writes for as long as it runs; a postponed swap is let go once enough has happened. */
	for (int i = 0; world_phase(&w) != PHASE_END && i < 400; i++) {
		write_one(&w, s, &script);
		if (restarts && restarted < 6 && next_random(12) == 0) {
			world_restart(&w);
			restarted++;
		}
		if (restarts && i == 150)
			(void)world_control(&w, OP_MIGRATE_CUTOVER, NULL);
	}
	while (world_phase(&w) != PHASE_END || !list_empty(&w.m->entries))
		world_turn(&w);
	/* The new table is one to be written to. */
	for (int i = 0; i < 5; i++)
		write_one(&w, s, &script);
	const struct record *r = w.m->history[w.m->nhistory - 1];
	ck_assert_msg(r->state == JOB_DONE, "%s: ALTERD_SEED=%lu: %s", s->name, first,
		      r->error_text ? r->error_text : "?");
	if (getenv("LOG"))
		fprintf(stderr, "%s: applied %lld verified %lld of %lld, %d restarts\n", s->name,
			(long long)r->p.changes_applied, (long long)r->p.verified_rows, (long long)r->p.rows_done,
			restarted);
	world_stop(&w);
	compare(s, &w, &script, first);
	world_wait_free(&wait);
	buf_free(&script.before);
	buf_free(&script.after);
	world_remove(&w);
}

START_TEST(test_shape_is_rebuilt_under_writes) { run_shape(&shapes[_i], false); }
END_TEST

START_TEST(test_shape_is_rebuilt_through_restarts) { run_shape(&shapes[_i], true); }
END_TEST

int main(void)
{
	seed = getenv("ALTERD_SEED") ? strtoul(getenv("ALTERD_SEED"), NULL, 10) : (unsigned long)getpid();
	Suite *s = suite_create("migrate");
	TCase *c = tcase_create("shapes");
	tcase_set_timeout(c, 120);
	int n = (int)(sizeof(shapes) / sizeof(shapes[0])), half = n;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* Each shape once: a sanitizer is after a path that was taken. */
	half = n / 2;
#endif
	tcase_add_loop_test(c, test_shape_is_rebuilt_under_writes, 0, half);
	tcase_add_loop_test(c, test_shape_is_rebuilt_through_restarts, half < n ? half : 0, n);
	suite_add_tcase(s, c);
	return run_suite(s);
}
