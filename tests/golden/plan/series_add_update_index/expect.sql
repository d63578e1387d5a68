CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c TEXT)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a TEXT, b INT, c TEXT)
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"(a)
CREATE UNIQUE INDEX "_alterd_t_new_x1" ON "_alterd_t_new"(c)
a = "a"
b = "b"
c = _alterd_keep((CASE WHEN (CAST(NULL AS TEXT) IS NULL AND "b" > 0) THEN (lower ( "a" )) ELSE CAST(NULL AS TEXT) END),1,0)
key "rowid" = "rowid"
fresh CREATE UNIQUE INDEX t_c ON t(c)
