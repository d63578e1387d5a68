check
CREATE TABLE "t"(id INTEGER PRIMARY KEY, a TEXT, b INT CHECK (b > 1))
CHECK ((b > 1) IS FALSE)
then DROP TRIGGER main."t_i"
warning trigger t_i goes with the old table and is not made again
