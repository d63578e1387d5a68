CREATE TABLE t(a, id INTEGER PRIMARY KEY)
CREATE TABLE "_alterd_t_new"(a, id INTEGER PRIMARY KEY)
a = "a"
key "rowid" = "rowid"
