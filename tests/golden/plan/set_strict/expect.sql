CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, /* n */ n REAL) STRICT
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, v TEXT, /* n */ n REAL) STRICT
v = "v"
n = _alterd_keep("n",4,1)
key "rowid" = "rowid"
