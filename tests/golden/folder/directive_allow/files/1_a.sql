-- migrate:up
SELECT 1;
-- alterd: allow=all
