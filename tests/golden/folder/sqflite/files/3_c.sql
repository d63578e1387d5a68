-- alterd: mode=exact
SELECT 3;
--DOWN --
-- DOWN --
SELECT 4;
