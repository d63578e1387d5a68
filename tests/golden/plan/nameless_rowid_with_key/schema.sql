CREATE TABLE t(rowid, _rowid_, oid, a TEXT NOT NULL PRIMARY KEY);
