CREATE TABLE t(a, b, g AS (b*2));
