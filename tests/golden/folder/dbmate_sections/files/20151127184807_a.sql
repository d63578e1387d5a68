-- a comment; of it

-- migrate:up
CREATE TABLE a (x)
-- migrate:down
DROP TABLE a
-- migrate:up
CREATE TABLE b (x);
CREATE TABLE c (x);
-- migrate:down
DROP TABLE c;
DROP TABLE b