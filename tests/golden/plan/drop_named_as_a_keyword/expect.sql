CREATE TABLE t(id INTEGER PRIMARY KEY, n INT CHECK(n BETWEEN 1 AND 9), m INT AS (n + 1))
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, n INT CHECK(n BETWEEN 1 AND 9), m INT AS (n + 1))
dropped by_desc
dropped by_between
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"(n DESC)
CREATE INDEX "_alterd_t_new_x1" ON "_alterd_t_new"(n || 'desc' DESC) WHERE n BETWEEN 2 AND 3
n = "n"
key "rowid" = "rowid"
consent desc
consent between
