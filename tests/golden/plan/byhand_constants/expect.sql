CREATE TABLE "t"(id INTEGER PRIMARY KEY, a TEXT, b INT, c TEXT, d, e BLOB)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a TEXT, b INT, c TEXT, d, e BLOB)
dropped t_a
a = "a"
b = "b"
c = _alterd_keep((''||'word'),1,0)
d = (NULL)
e = (x'00')
key "rowid" = "rowid"
then DROP TRIGGER main."t_i"
warning index t_a goes with the old table and is not made again
warning trigger t_i goes with the old table and is not made again
