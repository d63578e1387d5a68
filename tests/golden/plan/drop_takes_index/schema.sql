CREATE TABLE t(a, b, c, UNIQUE(b,c));
CREATE INDEX tb ON t(b); CREATE INDEX tc ON t(c);
