-- alterd: mode=online
SELECT 1;
