CREATE TABLE "t"(id INTEGER PRIMARY KEY, a)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a)
a = "a"
key "rowid" = "rowid"
then DROP TRIGGER main."v_i"
then DROP VIEW main."v"
then CREATE VIEW v AS SELECT a FROM t
consent b
warning trigger v_i goes with the old table and is not made again
warning view w would no longer work: it uses what is dropped
