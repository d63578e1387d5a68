UPDATE t SET a = upper(a); ALTER TABLE t ADD c TEXT; UPDATE t SET c = a
