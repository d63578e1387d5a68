CREATE TABLE t(
  code TEXT COLLATE NOCASE CONSTRAINT pk PRIMARY KEY ON CONFLICT REPLACE, -- the key
  a INT UNIQUE NOT NULL,
  b TEXT DEFAULT 'UNIQUE' UNIQUE,
  c REAL CHECK(c > 0),
  CONSTRAINT pair UNIQUE(a, b) ON CONFLICT IGNORE CHECK(t.a <> 7),
  UNIQUE(c, a))
CREATE TABLE "_alterd_t_new"(
  code TEXT COLLATE NOCASE CONSTRAINT pk PRIMARY KEY ON CONFLICT REPLACE, -- the key
  a INT UNIQUE NOT NULL,
  b TEXT DEFAULT 'UNIQUE' UNIQUE,
  c REAL CHECK(c > 0),
  CONSTRAINT pair UNIQUE(a, b) ON CONFLICT IGNORE CHECK("_alterd_t_new".a <> 7),
  UNIQUE(c, a))
bare CREATE TABLE "_alterd_t_new"(
  code TEXT COLLATE NOCASE, -- the key
  a INT NOT NULL,
  b TEXT DEFAULT 'UNIQUE',
  c REAL CHECK(c > 0),
   CHECK("_alterd_t_new".a <> 7))
code = "code"
a = "a"
b = "b"
c = _alterd_keep("c",4,1)
key "rowid" = "rowid"
