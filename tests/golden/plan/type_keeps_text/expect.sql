CREATE TABLE t(id INTEGER PRIMARY KEY, -- the key
  amount REAL /* cents */ NOT NULL CHECK (amount > 0), note TEXT)
CREATE TABLE "_alterd_t_new"(id INTEGER PRIMARY KEY, -- the key
  amount REAL /* cents */ NOT NULL CHECK (amount > 0), note TEXT)
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"(amount DESC)
amount = _alterd_keep("amount",4,1)
note = "note"
key "rowid" = "rowid"
