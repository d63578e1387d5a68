-- alterd: mode=exact
-- migrate:up
-- alterd: mode=online
SELECT 1;
