
-- migrate:up
-- alterd: mode=exact
SELECT 1;
-- migrate:down
SELECT 2;
