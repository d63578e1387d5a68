CREATE TABLE "t"(id INTEGER PRIMARY KEY, a TEXT, c TEXT DEFAULT 'new')
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a TEXT, c TEXT DEFAULT 'new')
dropped t_a
a = "a"
c = _alterd_keep('new',1,0)
key "rowid" = "rowid"
then DROP TRIGGER main."t_i"
consent b
warning index t_a goes with the old table and is not made again
warning trigger t_i goes with the old table and is not made again
