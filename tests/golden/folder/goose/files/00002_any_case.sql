-- +goose NO TRANSACTION
-- +goose up
-- +goose envsub off
VACUUM;
-- +goose DOWN
