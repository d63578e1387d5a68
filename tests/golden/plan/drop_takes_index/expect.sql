CREATE TABLE t(a, c)
CREATE TABLE "_alterd_t_new"(a, c)
dropped tb
CREATE INDEX "_alterd_t_new_x2" ON "_alterd_t_new"(c)
a = "a"
c = "c"
key "rowid" = "rowid"
consent b
