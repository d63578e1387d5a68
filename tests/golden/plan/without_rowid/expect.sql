CREATE TABLE t(a TEXT, b INT, v INT, PRIMARY KEY(b, a COLLATE NOCASE DESC)) WITHOUT ROWID
CREATE TABLE "_alterd_t_new"(a TEXT, b INT, v INT, PRIMARY KEY(b, a COLLATE NOCASE DESC)) WITHOUT ROWID
a = "a"
b = "b"
v = _alterd_keep("v",3,1)
key "b","a" = "b","a"
