-- migrate:up
-- see -- migrate:down
  -- migrate:down
-- migrate:downwards
-- migrate:upper
SELECT 1;
