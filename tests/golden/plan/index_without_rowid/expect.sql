CREATE TABLE t(a INT, b TEXT, v INT, PRIMARY KEY(b, a)) WITHOUT ROWID
CREATE TABLE "_alterd_t_new"(a INT, b TEXT, v INT, PRIMARY KEY(b, a)) WITHOUT ROWID
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"(v)
CREATE UNIQUE INDEX "_alterd_t_new_x1"
  on "_alterd_t_new"(v DESC, length(b)) where v > 3
a = "a"
b = "b"
v = "v"
key "b","a" = "b","a"
fresh CREATE UNIQUE INDEX "t v"
  on t(v DESC, length(b)) where v > 3
