CREATE TABLE "t"(id INTEGER PRIMARY KEY, a NOT NULL)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a NOT NULL)
a = "a"
key "rowid" = "rowid"
