CREATE TABLE t(id INTEGER PRIMARY KEY, "c" INT, "a" INT CHECK("a" > 0), b TEXT)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, "c" INT, "a" INT CHECK("a" > 0), b TEXT)
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"("c", "a")
c = _alterd_keep(("a" || b),3,1)
a = "b"
b = _alterd_keep(NULL,1,0)
key "rowid" = "rowid"
