-- migrate:up
SELECT 1;
-- alterd: batch=
