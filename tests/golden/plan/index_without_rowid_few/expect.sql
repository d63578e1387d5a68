instant
CREATE INDEX tv ON t(v)
