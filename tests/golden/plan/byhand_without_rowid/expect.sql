CREATE TABLE "t"(id INTEGER PRIMARY KEY, a TEXT, b INT) WITHOUT ROWID
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a TEXT, b INT) WITHOUT ROWID
dropped t_a
id = "id"
a = "a"
b = "b"
key "rowid" = "id"
then DROP TRIGGER main."t_i"
warning index t_a goes with the old table and is not made again
warning trigger t_i goes with the old table and is not made again
