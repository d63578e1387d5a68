-- migrate:up
SELECT 1;
-- alterd: see ticket
