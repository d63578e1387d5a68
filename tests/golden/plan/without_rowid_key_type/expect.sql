CREATE TABLE t(k INT PRIMARY KEY, a TEXT) WITHOUT ROWID
CREATE TABLE "_alterd_t_new"(k INT PRIMARY KEY, a TEXT) WITHOUT ROWID
k = _alterd_keep("k",3,1)
a = "a"
key "k" -> "k"
