CREATE TABLE t(id INTEGER PRIMARY KEY, b INT, d INT NOT NULL DEFAULT (1 + 2))
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, b INT, d INT NOT NULL DEFAULT (1 + 2))
dropped t_a
b = "b"
d = _alterd_keep((CASE WHEN ("a" <> '') THEN (CAST(3 AS NUMERIC) + "b") ELSE CAST(3 AS NUMERIC) END),3,0)
key "rowid" = "rowid"
consent a
