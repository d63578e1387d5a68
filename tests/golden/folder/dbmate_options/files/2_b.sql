--migrate:up transaction:true
SELECT 1;
--  migrate:down batch:5
SELECT 2;
