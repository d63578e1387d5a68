CREATE TABLE t(g AS (v+1) VIRTUAL, a INTEGER PRIMARY KEY, b TEXT, v INT)
CREATE TABLE "_alterd_t_new"(g AS (v+1) VIRTUAL, a INTEGER PRIMARY KEY, b TEXT, v INT)
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"(g)
b = "b"
v = "v"
key "rowid" = "rowid"
fresh CREATE INDEX tg ON t(g)
