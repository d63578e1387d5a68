CREATE TABLE t(a, b);
