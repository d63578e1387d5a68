-- no-transaction
SELECT 2;
