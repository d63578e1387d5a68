-- migrate:up
SELECT 1;
-- alterd: mode=fast
