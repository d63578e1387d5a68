CREATE TABLE t(id INTEGER PRIMARY KEY, a)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a)
id = ifnull("id",x'')
a = "a"
key "rowid" -> "id"
