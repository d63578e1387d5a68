ALTER TABLE t ADD c; UPDATE t SET c = random()
