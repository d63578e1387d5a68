-- migrate:up
SELECT 1;
-- alterd: speed=9
