

SELECT [a;
