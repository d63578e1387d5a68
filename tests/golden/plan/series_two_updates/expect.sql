CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a TEXT, b INT)
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"(a)
a = _alterd_keep((CASE WHEN (1) THEN (upper ( "a" )) ELSE "a" END),1,0)
b = _alterd_keep((CASE WHEN ("b" < 10) THEN ("b" + 1) ELSE "b" END),3,0)
key "rowid" = "rowid"
