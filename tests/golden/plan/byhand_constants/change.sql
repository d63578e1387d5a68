CREATE TABLE n(id INTEGER PRIMARY KEY, a TEXT, b INT, c TEXT, d, e BLOB);
INSERT INTO n(id, a, b, c, d, e) SELECT id, a, b, 'word', NULL, x'00' FROM main.t; DROP TABLE main.t; ALTER TABLE n RENAME TO t
