"""SIGKILL under writing clients, round after round: what was acknowledged is there, and a change goes on by itself."""
import random

from daemon import Daemon
from follower import Follower, differing
from limits import lasting, pause, until
from owner import Owner, seed

OLD = "id, w, amount, note, old, u"
NEW = "id, w, CAST(amount AS REAL), note, u, 'eur'"
CHANGE = (
    "ALTER TABLE big ALTER COLUMN amount TYPE REAL, DROP COLUMN old, ADD COLUMN currency TEXT NOT NULL DEFAULT 'eur'"
)
NEW_COLUMNS = [
    ("id", "INTEGER", 0),
    ("w", "INTEGER", 0),
    ("amount", "REAL", 0),
    ("note", "TEXT", 0),
    ("u", "TEXT", 0),
    ("currency", "TEXT", 1),
]


def settled(suite, what, db, owners, columns, mapping):
    """The table of a plain connection holds what each owner was told. `columns` are its, `mapping` makes them of OLD."""
    for o in owners:
        rows = db.execute("SELECT %s FROM big WHERE w = ? ORDER BY id" % columns, (o.w,)).fetchall()
        wrong = o.settle(rows, mapping)
        suite.check(
            "%s: owner %d: what was acknowledged is there (%d operations)" % (what, o.w, o.acked), not wrong, wrong
        )


def judge(suite, what, d, owners, columns, mapping):
    """The file of a daemon that is gone."""
    suite.same(what + ": integrity", d.integrity(), "ok")
    with d.file() as f:
        settled(suite, what, f, owners, columns, mapping)
    f.close()


def plain_rounds(suite, rounds, number, rows=2000):
    """Kill, look, start, write on."""
    rng = random.Random(number)
    d = Daemon()
    with d.client() as c:
        seed(c, rows)
    owners = [Owner(d, w, rows, number, patient=True) for w in range(4)]
    for i in range(rounds):
        before = sum(o.acked for o in owners)
        for o in owners:
            o.start()
        until("some operations", lambda: sum(o.acked for o in owners) > before + 20, 20)
        pause(rng.uniform(0, lasting(0.8)))
        d.kill()
        for o in owners:
            o.end()
        bad = [e for o in owners for e in o.errors]
        suite.check("round %d: nobody saw an error before the end" % i, not bad, bad[:2])
        judge(suite, "round %d" % i, d, owners, OLD, OLD)
        d.start()
        owners = [o.again() for o in owners]
    suite.same("ends in good order", d.stop(), 0)


def killed_beside(suite, what, d, f, owners):
    """Kill and start; its neighbour copies the log in between, and its lock is held: it does not checkpoint."""
    d.kill()
    for o in owners:
        o.end()
    f.sync()
    d.start()
    settled(suite, what, f.db, owners, OLD, OLD)


def followed_rounds(suite, rounds, number, rows=2000):
    """
    Kills beside one that copies the log away: the copy stays the file, page by page.

    It does not checkpoint while no daemon is there: see the README, "A copy off the machine".
    """
    rng = random.Random(number * 17)
    d = Daemon(settings={"store.checkpoint": "external"})
    with d.client() as c:
        c.exec("CREATE TABLE first(x)")
        f = Follower(d.db, d.folder + "/copy.db", frames=300)
        seed(c, rows)
    f.start()
    owners = [Owner(d, w, rows, number, patient=True) for w in range(4)]
    for i in range(rounds):
        before = sum(o.acked for o in owners)
        for o in owners:
            o.start()
        until("some operations", lambda: sum(o.acked for o in owners) > before + 20, 20)
        pause(rng.uniform(0, lasting(0.8)))
        with f.lock:
            killed_beside(suite, "round %d, with a follower" % i, d, f, owners)
            suite.same("round %d: the copy is the live file" % i, differing(f, d.folder)[:5], [])
        bad = [e for o in owners for e in o.errors]
        suite.check("round %d: nobody saw an error before the end" % i, not bad and not f.error, (bad[:2], f.error))
        owners = [o.again() for o in owners]
    suite.note("%d checkpoints, %d times anew, %d generations" % (f.checkpoints, f.restarts, f.generations))
    suite.same("ends in good order", d.stop(), 0)
    f.end().close()


def job_of(d):
    with d.client() as c:
        return c("migrate.status")["job"]


def change_rounds(suite, rounds, number, rows=200_000, kills=2):
    """Kill during an online change, some times in one change: it resumes by itself, ends, and nothing is lost."""
    rng = random.Random(number * 31)
    span = 1.2
    for i in range(rounds):
        d = Daemon(settings={"migrate.batch_rows": "1000"})
        with d.client() as c:
            seed(c, rows)
        owners = [Owner(d, w, rows, number + i, every=0.002, patient=True) for w in range(4)]
        for o in owners:
            o.start()
        with d.client() as c:
            job = c("migrate.alter", sql=CHANGE, allow_data_loss=True)["job"]
        seen = []
        for _ in range(kills):
            pause(rng.uniform(0, lasting(span)))
            try:
                j = job_of(d)
                seen.append("%s/%s %s%%" % (j["state"], j["phase"], j["percent"]))
            except Exception as e:
                seen.append(str(e))
            d.kill()
            for o in owners:
                o.end()
            # Old and new schema are both possible here; which of them is told by the column that goes.
            with d.file() as f:
                swapped = "old" not in [r[1] for r in f.execute("PRAGMA table_info(big)")]
            f.close()
            judge(
                suite,
                "change %d, after a kill at %s" % (i, seen[-1]),
                d,
                owners,
                "id, w, amount, note, u, currency" if swapped else OLD,
                NEW if swapped else OLD,
            )
            d.start()
            owners = [o.again() for o in owners]
            for o in owners:
                o.start()
        ended = until(
            "the change ends by itself",
            lambda: (lambda j: j if j and j["state"] in ("done", "failed", "aborted") else None)(job_of(d)),
            60,
            every=0.05,
        )
        suite.check(
            "change %d: %s is done (killed at %s)" % (i, job, ", ".join(seen)),
            ended["state"] == "done" and ended["id"] == job,
            ended,
        )
        for o in owners:
            o.end()
        bad = [e for o in owners for e in o.errors]
        suite.check("change %d: no client failed" % i, not bad, bad[:2])
        suite.same("change %d: ends in good order" % i, d.stop(), 0)
        judge(suite, "change %d, in the end" % i, d, owners, "id, w, amount, note, u, currency", NEW)
        with d.file() as f:
            suite.same(
                "change %d: the schema is the new one" % i,
                [(r[1], r[2], r[3]) for r in f.execute("PRAGMA table_info(big)")],
                NEW_COLUMNS,
            )
            suite.same(
                "change %d: every amount is REAL" % i,
                f.execute("SELECT DISTINCT typeof(amount) FROM big").fetchall(),
                [("real",)],
            )
            left = [
                r[0]
                for r in f.execute("SELECT name FROM sqlite_schema WHERE name LIKE '%big%' OR tbl_name LIKE '%big%'")
            ]
            suite.same(
                "change %d: no shadow is left" % i,
                sorted(n for n in left if not n.startswith("sqlite_")),
                ["big", "big_w"],
            )
        f.close()
