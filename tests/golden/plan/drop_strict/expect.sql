CREATE TABLE t(id INTEGER PRIMARY KEY, v ANY, w TEXT)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, v ANY, w TEXT)
v = CASE WHEN (_alterd_lossy("v",2) AND typeof(_alterd_keep("v",2,0)) IN ('integer','real')) THEN _alterd_keep("v",2,1) ELSE _alterd_keep("v",2,0) END
w = "w"
key "rowid" = "rowid"
