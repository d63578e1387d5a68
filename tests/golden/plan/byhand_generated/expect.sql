CREATE TABLE "t"(id INTEGER PRIMARY KEY, a INT, g INT AS (a + 2) STORED)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a INT, g INT AS (a + 2) STORED)
a = "a"
key "rowid" = "rowid"
