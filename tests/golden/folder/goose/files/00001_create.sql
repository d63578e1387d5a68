-- a comment

-- +goose Up
CREATE TABLE t (a);
-- +goose StatementBegin
CREATE TRIGGER r DELETE ON t BEGIN
 SELECT 1;
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE t;
