CREATE TABLE t(k TEXT PRIMARY KEY, a TEXT)
CREATE TABLE "_alterd_t_new"(k TEXT PRIMARY KEY, a TEXT)
k = "k"
a = "a"
key "k" = "k"
