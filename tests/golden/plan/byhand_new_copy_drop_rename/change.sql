CREATE TABLE "new_t" ("id" INTEGER NOT NULL PRIMARY KEY, "a" TEXT NOT NULL, "b" REAL DEFAULT 0);
INSERT INTO "new_t" ("id", "a", "b") SELECT "id", coalesce("a", '') AS "a", "b" FROM "t";
DROP TABLE "t";
ALTER TABLE "new_t" RENAME TO "t";
CREATE INDEX t_a ON t(a);
CREATE INDEX "t_b" ON "t"("b")
