CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT DEFAULT 7)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a TEXT, b INT DEFAULT 7)
dropped t_a
CREATE INDEX "_alterd_t_new_x1" ON "_alterd_t_new"(a, b)
a = "a"
b = "b"
key "rowid" = "rowid"
fresh CREATE INDEX t_a ON t(a, b)
