instant
ALTER TABLE main."t" RENAME COLUMN "a" TO "c";
ALTER TABLE main."t" RENAME TO "t2";
