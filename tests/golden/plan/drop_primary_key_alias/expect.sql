CREATE TABLE t(id INTEGER, a)
CREATE TABLE "_alterd_t_new"(id INTEGER, a)
id = "id"
a = "a"
key "rowid" = "rowid"
