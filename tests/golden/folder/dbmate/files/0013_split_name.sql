-- migrate:up
-- alterd: mode=online batch=500
ALTER TABLE user ADD COLUMN first_name TEXT;
UPDATE user SET first_name = substr(name, 1, instr(name||' ',' ')-1);

-- migrate:down
-- alterd: allow=data-loss
ALTER TABLE user DROP COLUMN first_name;
