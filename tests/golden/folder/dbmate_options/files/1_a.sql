-- migrate:up transaction:false
VACUUM;
-- migrate:down  batch:500 transaction:false
VACUUM;
