CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, up INT CONSTRAINT u REFERENCES t(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT NULL, x, y, v INT, w TEXT NOT NULL DEFAULT 'a''b', UNIQUE(v), CONSTRAINT fk FOREIGN KEY (x,y) REFERENCES p(a,b) ON UPDATE CASCADE CHECK(t.v<>3))
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, up INT NOT NULL, x, y, v INT, w TEXT NOT NULL DEFAULT 'a''b', UNIQUE(v),  CHECK("_alterd_t_new".v<>3))
bare CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, up INT NOT NULL, x, y, v INT, w TEXT NOT NULL DEFAULT 'a''b',  CHECK("_alterd_t_new".v<>3))
up = "up"
x = "x"
y = "y"
v = "v"
w = _alterd_keep((upper(x)),1,1)
key "rowid" = "rowid"
