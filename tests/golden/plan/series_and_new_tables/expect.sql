CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INT, c TEXT)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, a TEXT, b INT, c TEXT)
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"(a)
a = "a"
b = "b"
c = _alterd_keep((CASE WHEN 1 THEN ("a") END),1,0)
key "rowid" = "rowid"
then CREATE TABLE n(id INTEGER PRIMARY KEY, t REFERENCES t(id))
then CREATE INDEX n_t ON n(t)
then CREATE VIEW v AS SELECT c FROM t
then CREATE TRIGGER t_d AFTER DELETE ON t BEGIN DELETE FROM n WHERE t = old.id; END
