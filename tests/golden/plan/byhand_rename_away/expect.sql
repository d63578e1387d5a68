CREATE TABLE t(id INTEGER PRIMARY KEY, b INT, a TEXT COLLATE NOCASE)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, b INT, a TEXT COLLATE NOCASE)
dropped t_a
CREATE UNIQUE INDEX "_alterd_t_new_x1" ON "_alterd_t_new"(a) WHERE b > 0
b = _alterd_keep((b + 1),3,0)
a = _alterd_keep((lower( a)),1,0)
key "rowid" = "rowid"
fresh CREATE UNIQUE INDEX t_a ON t(a) WHERE b > 0
then DROP TRIGGER main."t_i"
then CREATE TRIGGER t_i AFTER INSERT ON t BEGIN SELECT 2; END
