CREATE TABLE "t"(id INTEGER PRIMARY KEY, a TEXT)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a TEXT)
a = _alterd_keep("a",1,0)
key "rowid" = "rowid"
then CREATE TABLE u(id INTEGER PRIMARY KEY, t REFERENCES t(id))
then CREATE INDEX u_t ON u(t)
