CREATE TABLE t(id INTEGER PRIMARY KEY, -- the key
  amount INT /* cents */ NOT NULL CHECK (amount > 0), note TEXT);
CREATE INDEX ta ON t(amount DESC);
