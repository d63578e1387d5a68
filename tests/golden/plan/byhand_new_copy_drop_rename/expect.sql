CREATE TABLE "t" ("id" INTEGER NOT NULL PRIMARY KEY, "a" TEXT NOT NULL, "b" REAL DEFAULT 0)
CREATE TABLE "_alterd_t_new" ("id" INTEGER NOT NULL PRIMARY KEY, "a" TEXT NOT NULL, "b" REAL DEFAULT 0)
CREATE INDEX "_alterd_t_new_x0" ON "_alterd_t_new"(a)
CREATE INDEX "_alterd_t_new_x2" ON "_alterd_t_new"("b")
a = _alterd_keep((coalesce("a", '')),1,0)
b = _alterd_keep("b",4,0)
key "rowid" = "rowid"
fresh CREATE INDEX "t_b" ON "t"("b")
then DROP TRIGGER main."t_i"
warning trigger t_i goes with the old table and is not made again
