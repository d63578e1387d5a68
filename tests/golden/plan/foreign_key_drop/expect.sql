instant
CREATE TABLE t(x, z)
