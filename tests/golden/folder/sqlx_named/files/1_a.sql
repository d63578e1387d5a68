-- a
-- no-transaction
SELECT 1;
