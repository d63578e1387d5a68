-- migrate:up
CREATE TABLE a (b);
