CREATE TABLE t(id INTEGER PRIMARY KEY, "desc" TEXT, "between" INT, n INT CHECK(n BETWEEN 1 AND 9), m INT AS (n + 1));
CREATE INDEX by_n ON t(n DESC);
CREATE INDEX by_expression ON t(n || 'desc' DESC) WHERE n BETWEEN 2 AND 3;
CREATE INDEX by_desc ON t(n, "desc" || 'x' DESC);
CREATE INDEX by_between ON t(n) WHERE [between] > 2;
