CREATE TABLE t(rowid, _rowid_, oid TEXT, a TEXT NOT NULL PRIMARY KEY)
CREATE TABLE "_alterd_t_new"(rowid, _rowid_, oid TEXT, a TEXT NOT NULL PRIMARY KEY)
rowid = "rowid"
_rowid_ = "_rowid_"
oid = _alterd_keep("oid",1,1)
a = "a"
key "a" = "a"
