-- alterd: mode=exact
-- migrate:up
--alterd:batch=1
SELECT 1;
	-- alterd:  allow=data-loss   mode=exact
-- see alterd: mode=none
SELECT 2; -- alterd: not at the beginning of its line
-- migrate:down
-- alterd: batch=1000000
-- alterd:
SELECT 3;
