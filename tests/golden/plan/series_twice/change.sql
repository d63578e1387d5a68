UPDATE t SET a = upper(a); UPDATE t SET a = 'x' WHERE b > 1
