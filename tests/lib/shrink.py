"""A case that went wrong, as a text that one client can replay, and made as small as it still goes wrong.

The writes of all clients stand in the order of their commits, each with where it came in the change: before it, while
rows were copied, while it was ready and waited, after the swap.
"""
import json
import time

from change import ended, job
from daemon import Daemon
from live import OP, SETTINGS, Case, daemon_for, file_of
from limits import until
from oracle import Twin, differences, from_wire, picture, to_wire
from wire import RpcError

FIELDS = (
    "schema",
    "change",
    "table",
    "after",
    "mapping",
    "statements",
    "gone",
    "rename",
    "added",
    "keep_rowid",
    "force",
)
BEFORE, COPYING, READY, AFTER = range(4)


def steps_out(steps):
    return [[sql, [to_wire(v) for v in values]] for sql, values in steps]


def steps_in(steps):
    return [(sql, [from_wire(v) for v in values]) for sql, values in steps]


def record(run):
    """What a run did, as plain data."""
    first, ops = None, []
    for op in run.ordered:
        first = op.seen if first is None else first
        place = (
            AFTER
            if op.seen != first
            else BEFORE
            if op.place <= run.marks.get("alter", 0)
            else COPYING
            if op.place <= run.marks.get("ready", 1 << 62)
            else READY
        )
        ops.append([place, op.kind, steps_out(op.steps)])
    return {
        "case": {k: getattr(run.case, k) for k in FIELDS},
        "fill": steps_out([s for s in run.setup if s[0] not in run.case.schema and s[0] != OP]),
        "ops": ops,
    }


def do(c, kind, steps):
    """One transaction by the daemon; errors are as they are."""
    try:
        if kind == "auto":
            c.exec(steps[0][0], *[to_wire(v) for v in steps[0][1]])
            return
        c("begin", wait_ms=20000)
        for sql, values in steps:
            try:
                c.exec(sql, *[to_wire(v) for v in values])
            except RpcError as e:
                if e.code < 0:
                    raise
        c("commit")
    except RpcError:
        try:
            c("rollback")
        except RpcError:
            pass


def redo(twin, kind, steps):
    if kind == "auto":
        twin.run(*steps[0])
        return
    twin.run("BEGIN IMMEDIATE")
    for sql, values in steps:
        twin.run(sql, values)
    twin.run("COMMIT")
    if twin.db.in_transaction:
        twin.run("ROLLBACK")


def replay(data):
    """[what is wrong], of one client giving the same to the daemon and to plain SQLite."""
    case = Case("replay", **{k: v for k, v in data["case"].items()})
    d, twin = daemon_for(case, SETTINGS), Twin(case.pragmas)
    ops = [(place, kind, steps_in(steps)) for place, kind, steps in data["ops"]]
    try:
        with d.client() as c:
            for sql, values in [(s, []) for s in case.schema] + steps_in(data["fill"]):
                redo(twin, "auto", [(sql, values)])
                do(c, "auto", [(sql, values)])
            outcome = over_change(c, case, twin, ops)
            bad = [] if outcome in ("done", "refused", "failed") else ["the job ended as %s" % outcome]
            return bad + differences(
                picture(file_of(d).db, free=case.free_rowids), picture(twin.db, free=case.free_rowids)
            )
    except Exception as e:
        return ["%s: %s" % (type(e).__name__, e)]
    finally:
        bad = d.finish()
        Daemon.all.remove(d)
        if bad:
            return bad


def over_change(c, case, twin, ops):
    def both(place):
        for at, kind, steps in ops:
            if at == place:
                do(c, kind, steps)
                redo(twin, kind, steps)

    both(BEFORE)
    outcome = "refused"
    try:
        c("migrate.alter", sql=case.change, postpone_cutover=True, allow_data_loss=case.force)
    except RpcError as e:
        if e.name != "MIGRATION_INVALID":
            raise
        both(COPYING), both(READY), both(AFTER)
        return outcome
    both(COPYING)
    until("ready", lambda: job(c)["phase"] == "ready" or job(c)["state"] not in ("queued", "running"), 20, every=0.002)
    both(READY)
    if job(c)["state"] == "running":
        c("migrate.cutover")
    outcome = ended(c, 20)["state"]
    if outcome == "done":
        case.do_offline(twin.db)
    both(AFTER)
    return outcome


def smaller(data, seconds):
    """Leaves out what is not needed, as long as there is time. (data, what is wrong); None if it goes well."""
    end = time.monotonic() + seconds
    wrong = replay(data)
    if not wrong:
        return None
    for part in ("ops", "fill"):
        size = max(1, len(data[part]) // 2)
        while size >= 1 and time.monotonic() < end:
            at = 0
            while at < len(data[part]) and time.monotonic() < end:
                tried = dict(data, **{part: data[part][:at] + data[part][at + size :]})
                again = replay(tried)
                if again:
                    data, wrong = tried, again
                else:
                    at += size
            size //= 2
    return data, wrong


def save(data, path):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(data, f, indent=1, ensure_ascii=False)
        f.write("\n")


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)
