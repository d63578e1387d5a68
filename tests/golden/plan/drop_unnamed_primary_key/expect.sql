CREATE TABLE t(a, b)
CREATE TABLE "_alterd_t_new"(a, b)
a = "a"
b = "b"
key "rowid" = "rowid"
