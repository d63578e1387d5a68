SELECT 'größe;' AS größe;
SELECT 2;
