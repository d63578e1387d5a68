CREATE TEMP TRIGGER a DELETE ON t BEGIN SELECT 1; END;
create temporary trigger b delete on t begin select 1; end;
