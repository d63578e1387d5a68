"""What the tests of online changes share: the job as status tells it, and what may be left of it."""
from limits import until

PHASES = ("preparing", "backfilling", "indexing", "verifying", "ready", "swapping", "retiring")


def job(c):
    return c("migrate.status")["job"]


def ended(c, limit=40):
    return until(
        "the change ends",
        lambda: (lambda j: j if j and j["state"] in ("done", "failed", "aborted") else None)(job(c)),
        limit,
        every=0.02,
    )


def schema_of(c, name):
    return {r["name"]: r["sql"] for r in c("schema", table=name)["schema"]}


def shadows(c):
    """alterd's own objects that stand in the file; once a job has ended they must be what they were before it."""
    return sorted(r[0] for r in c.rows("SELECT name FROM sqlite_schema WHERE name LIKE '\\_alterd\\_%' ESCAPE '\\'"))
