CREATE TABLE t(rowid, _rowid_, oid, a);
