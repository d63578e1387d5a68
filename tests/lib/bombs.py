"""SQL that must be kept within bounds, where more than one test needs it."""

# SQLite expands it before it asks anybody anything: 2^23 terms, and all the memory it is given.
DOUBLED = (
    "WITH "
    + ", ".join(
        "c%d(x) AS (SELECT x FROM c%d UNION ALL SELECT x FROM c%d)" % (i, i - 1, i - 1) if i else "c0(x) AS (SELECT 1)"
        for i in range(24)
    )
    + " SELECT count(*) FROM c23"
)
