FOREIGN KEY EXISTS(SELECT 1 FROM (SELECT _alterd_keep("p",1,0) AS x0) v WHERE v.x0 IS NOT NULL AND NOT EXISTS(SELECT 1 FROM main."p" p WHERE p."id" COLLATE "BINARY"=+v.x0))
CREATE TABLE t(id INTEGER PRIMARY KEY, p TEXT REFERENCES p(id))
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, p TEXT)
p = _alterd_keep("p",1,1)
key "rowid" = "rowid"
