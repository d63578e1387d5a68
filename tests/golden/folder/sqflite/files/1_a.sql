-- UP --
CREATE TABLE t (a);
-- DOWN --
DROP TABLE t;
