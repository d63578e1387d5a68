CREATE TRIGGER "begin" DELETE ON "end" BEGIN
 SELECT begin, "end", [end] FROM t AS begin;
 UPDATE t SET begin = 1;
END;
SELECT 1;
