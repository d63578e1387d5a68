SELECT 2;
-- alterd: allow=data-loss batch=7
