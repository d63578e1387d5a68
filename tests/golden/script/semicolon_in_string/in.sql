INSERT INTO t VALUES ('a;b', 'it''s; --'), (';');
SELECT x';';
