UPDATE t SET a = upper(a); UPDATE t SET b = b + 1 WHERE b < 10
