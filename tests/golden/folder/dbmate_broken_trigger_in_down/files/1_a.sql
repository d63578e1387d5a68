-- migrate:up
SELECT 1;
-- migrate:down
CREATE TRIGGER r DELETE ON t BEGIN SELECT 1;
