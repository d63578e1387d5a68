"""One change of one schema by the daemon with clients writing, judged by plain SQLite.

Clients keep a record of what they were answered. A table `op` gets a row in each of their transactions, so that their
order is known, and with it the schema they saw, so that it is known where in that order the swap took place. Plain
SQLite is then given the same: the writes before it, the change offline, the writes behind it.
"""
import random
import sqlite3
import threading
import time
import traceback

from change import PHASES, job, shadows
from daemon import Daemon
from gen import Gen, Profile, Sampled, quoted
from limits import scaled, until
from oracle import Twin, differences, from_wire, offline, opened, picture, rebuild, to_wire
from wire import RpcError

OP = "CREATE TABLE op(seq INTEGER PRIMARY KEY AUTOINCREMENT, who INT, n INT, seen TEXT)"
SETTINGS = {"store.synchronous": "normal", "migrate.batch_rows": "25", "migrate.duty": "30"}
FAMILY = 19  # SQLITE_CONSTRAINT and its kin
OPS_MAX = 400  # a writer's transactions in one case


class Case:
    """
    name; schema: statements; table; change: what migrate.alter is given. Offline it is `after` (CREATE TABLE with {T})
    with `mapping`, or else `statements`, or nothing at all. `refused`: why the daemon does not do it yet.
    `fails`: the job must end as failed, for that reason.
    """

    def __init__(self, name, schema, change, table="t", after=None, mapping=None, statements=None, **more):
        self.name, self.table, self.change = name, table, change
        self.schema = [s.strip() for s in schema.split(";;")] if isinstance(schema, str) else list(schema)
        self.after, self.mapping, self.statements = after, mapping or {}, statements
        get = more.pop
        self.gone, self.rename, self.added = get("gone", ()), get("rename", None), get("added", ())
        self.keep_rowid = get("keep_rowid", True)
        self.rows, self.domains = get("rows", 300), get("domains", {})
        self.tables = get("tables", None) or [self.table]
        self.extra, self.refused, self.fails = get("extra", ()), get("refused", None), get("fails", None)
        self.force, self.postpone = get("force", False), get("postpone", True)
        self.offender, self.clear = get("offender", None), get("clear", True)
        self.key_range, self.fill, self.check = get("key_range", None), get("fill", ()), get("check", None)
        self.clients, self.reads = get("clients", 3), get("reads", ())
        self.vanishes = get("vanishes", self.rename is not None)  # the table has another name in the end, or none
        self.settings, self.ops = get("settings", {}), get("ops", OPS_MAX)
        self.pragmas = get("pragmas", ())  # of the file, before it is anybody's
        self.before = get("before", ())  # done by plain SQLite with foreign keys off, before the daemon has the file
        # The new table's rowids are anybody's choice, and so is the order of its rows.
        self.free_rowids = get("free_rowids", False)
        self.then = get("then", None)  # (SQL, statements offline): a second change, asked for at once behind the first
        self.files = get("files", None)  # what migrate.up is given for one step, instead of `change`
        self.steer = get("steer", None)  # abort, pause, throttle or kill, at some moment
        self.fuzzy = get("fuzzy", False)  # whatever comes of it is right as long as plain SQLite agrees
        assert not more, more

    def names(self, table):
        return [table, self.rename] if self.rename and table == self.table else [table]

    def do_offline(self, db):
        if self.fails:
            return
        if self.after:
            rebuild(db, self.table, self.after, self.mapping, self.gone, self.rename, self.added, self.keep_rowid)
        elif self.statements:
            offline(db, self.statements)

    def sampled(self, twin):
        """Profiles of tables that hold rows of their own."""
        after = opened()
        twin.backup(after)
        self.do_offline(after)
        out = [Sampled(twin, after, t) for t in self.tables]
        after.close()
        return out

    def profiles(self):
        """Of each table that is written to, from its shape before the change and behind it."""
        before, after = opened(), opened()
        for db in (before, after):
            for sql in list(self.before) + self.schema + list(self.fill):
                db.execute(sql)
        self.do_offline(after)
        if self.then:
            offline(after, self.then[1])
        out = []
        for t in self.tables:
            names = self.names(t)
            out.append(Profile(before, after, t, self.rows, self.domains, names, self.key_range))
        before.close()
        after.close()
        return out


def daemon_for(case, settings):
    """A daemon on a file of the kind the case wants."""
    d = Daemon(settings=dict(settings, **case.settings), start=False)
    if case.pragmas or case.before:
        db = opened(d.db)
        for sql in ["PRAGMA " + p for p in case.pragmas] + ["CREATE TABLE first(x)", "DROP TABLE first"]:
            db.execute(sql)
        for sql in case.before:
            db.execute(sql)
        db.close()
    d.start()
    return d


class Op:
    """One acknowledged transaction: its statements, and what each was answered where that can be compared."""

    def __init__(self, steps, answers=None, kind=""):
        self.steps, self.answers, self.kind = steps, answers, kind
        self.place = self.seen = None


class Writer(threading.Thread):
    def __init__(self, run, who, rng):
        super().__init__(daemon=True)
        self.run_of, self.who, self.rng = run, who, rng
        self.gen = Gen(rng, run.profiles, run.case.extra, run.case.clear)
        self.n, self.ops, self.auto, self.bad = 0, {}, [], []
        self.open = {}  # transactions whose answer never came: they may have happened
        self.stopping = threading.Event()

    def seen(self):
        case = self.run_of.case
        # With auto_vacuum SQLite moves root pages as it likes.
        root = "''" if any("auto_vacuum" in p for p in case.pragmas) else "rootpage"
        names = ", ".join("'%s'" % n.replace("'", "''") for n in case.names(case.table))
        return (
            "(SELECT ifnull(group_concat(%s || ' ' || ifnull(sql, ''), ';'), '-') FROM sqlite_schema "
            "WHERE tbl_name IN (%s) AND type <> 'trigger')" % (root, names)
        )

    def mark(self):
        self.n += 1
        return "INSERT INTO op(who, n, seen) VALUES(?, ?, %s)" % self.seen(), [self.who, self.n]

    def run(self):
        try:
            while not self.stopping.is_set() and self.n < self.run_of.case.ops:
                self.connected()
        except Exception as e:
            self.bad.append("%s: %s" % (type(e).__name__, e))
            self.bad.append(traceback.format_exc()[-400:])

    def connected(self):
        """Until it is told to stop, or the daemon is killed and comes again."""
        try:
            with self.run_of.d.client() as c:
                while not self.stopping.is_set() and self.n < self.run_of.case.ops:
                    self.operation(c)
        except OSError:
            if not self.run_of.killed.is_set():
                raise
            self.run_of.again.wait(scaled(30))

    def operation(self, c):
        r = self.rng.random()
        try:
            if self.who == 0 and r < 0.6 and self.run_of.case.steer != "kill":
                self.autocommit(c)
            elif r < 0.5:
                self.batch(c)
            else:
                self.transaction(c)
        except RpcError as e:
            text = "%s %s" % (e.code, e.message)
            known = e.code and (e.code & 255 == FAMILY or (e.code == 1 and "no such" in text) or e.code == 1)
            if not known or "_alterd_" in text or "malformed" in text:
                self.bad.append(text)

    def autocommit(self, c):
        """Only one client does these: between two of the marked ones they have no order but their own."""
        sql, values = self.gen.one()
        if "IGNORE" in sql or "NOTHING" in sql or sql[:6] not in ("INSERT", "UPDATE", "DELETE"):
            # A row that is ignored may have taken a number of sqlite_sequence, and tells nothing of its place.
            return self.batch(c, [(sql, values)])
        self.n += 1
        r = c.exec(
            "%s RETURNING (SELECT ifnull(max(seq), 0) FROM op), %s" % (sql, self.seen()), *[to_wire(v) for v in values]
        )
        if r["rows"]:
            op = Op([(sql, values)], None, "auto")
            op.place, op.seen = r["rows"][0]
            self.auto.append(op)

    def batch(self, c, steps=None):
        steps = steps or [self.gen.one() for _ in range(self.rng.randrange(1, 4))]
        if self.gen.clear and self.rng.random() < 0.01:
            steps = [("DELETE FROM " + self.rng.choice(self.gen.profiles).sql, [])] + steps
        mark = self.mark()
        op = self.open[self.n] = Op(steps, None, "batch")
        c("batch", statements=[{"sql": s, "bind": [to_wire(v) for v in b]} for s, b in [mark] + steps])
        self.ops[self.n] = op

    def transaction(self, c):
        r = self.rng
        op = Op([], [], "transaction")

        def say(sql, values=()):
            values = list(values)
            try:
                a = c.exec(sql, *[to_wire(v) for v in values])
                rows = [tuple(from_wire(v) for v in row) for row in a.get("rows", [])]
                answer = (sorted(map(repr, rows)), a["changes"], 0, "")
            except RpcError as e:
                if e.code < 0:
                    raise
                rows, answer = [], ([], 0, e.code, e.message)
            op.steps.append((sql, values))
            op.answers.append(answer)
            return rows

        c("begin", wait_ms=int(scaled(20000)))
        try:
            sql, values = self.mark()
            c.exec(sql, *values)
            self.steps(say)
            if r.random() < 0.9:
                self.open[self.n] = op
                c("commit")
                self.ops[self.n] = op
            else:
                c("rollback")
        except RpcError:
            try:
                c("rollback")
            except RpcError:
                pass
            raise

    def steps(self, say):
        """What one transaction does."""
        r, g = self.rng, self.gen
        k = r.random()
        if k < 0.25:
            pair = g.swap(r.choice(g.profiles))
            if pair:
                rows = say(*pair[0])
                for sql, values in pair[1](rows):
                    say(sql, values)
                return
        if k < 0.5:
            say("SAVEPOINT s")
            for _ in range(r.randrange(1, 3)):
                say(*g.one(True))
            if g.clear and r.random() < 0.15:
                say("DELETE FROM " + r.choice(g.profiles).sql)
            if r.random() < 0.6:
                say("ROLLBACK TO s")
            say("RELEASE s")
        for _ in range(r.randrange(1, 4)):
            say(*g.one(True))

    def end(self):
        self.stopping.set()
        self.join(scaled(30))
        assert not self.is_alive(), "a writer does not end"


class Reader(threading.Thread):
    """Reads what there is, again and again: no read may fail because of a change."""

    def __init__(self, run, statements):
        super().__init__(daemon=True)
        self.run_of, self.statements = run, statements
        self.n, self.bad, self.stopping = 0, [], threading.Event()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.connected()
        except Exception as e:
            self.bad.append("%s: %s" % (type(e).__name__, e))

    def connected(self):
        try:
            with self.run_of.d.client() as c:
                while not self.stopping.is_set():
                    self.read(c, self.statements[self.n % len(self.statements)])
                    self.n += 1
                    self.stopping.wait(0.001)
        except OSError:
            if not self.run_of.killed.is_set():
                raise
            self.run_of.again.wait(scaled(30))

    def read(self, c, sql):
        try:
            c.rows(sql)
        except RpcError as e:
            if not self.run_of.case.vanishes or e.code != 1:
                self.bad.append("%s: %s %s" % (sql, e.code, e.message))

    def end(self):
        self.stopping.set()
        self.join(scaled(30))
        assert not self.is_alive(), "a reader does not end"


def file_of(daemon):
    """What the daemon's file holds, as plain SQLite of its own."""
    copy = Twin()
    ro = opened("file:%s?mode=ro" % daemon.db, uri=True)
    copy.db.execute("PRAGMA page_size = %d" % ro.execute("PRAGMA page_size").fetchone())
    ro.backup(copy.db)
    ro.close()
    copy.db.execute("PRAGMA foreign_keys = ON")
    return copy


class Run:
    """One case on one daemon. `problems` is empty if all was as it should be; `outcome`: done, refused or failed."""

    def __init__(self, daemon, case, seed, twin=None):
        """`twin`: what the file holds already, the table op included; it is carried on."""
        self.d, self.case, self.seed, self.twin = daemon, case, seed, twin
        self.rng = random.Random(seed)
        self.problems, self.outcome, self.reason = [], None, ""
        self.setup = []
        self.profiles = case.sampled(twin.db) if twin else case.profiles()
        self.counts, self.marks, self.ordered = {}, {}, []
        self.name = self.then = self.last = None
        self.then_done, self.made, self.proven = False, set(), True
        self.killed, self.again = threading.Event(), threading.Event()

    def bad(self, text):
        self.problems.append(text)

    def prepare(self, c):
        for sql in self.case.schema + [OP]:
            self.setup.append((sql, []))
        gen = Gen(self.rng, self.profiles)
        for p in self.profiles:
            for step in gen.fill(p, self.case.rows):
                self.setup.append(step)
        self.setup += [(s, []) for s in self.case.fill]
        for sql, values in self.setup:
            try:
                c.exec(sql, *[to_wire(v) for v in values])
            except RpcError as e:
                if e.code & 255 != FAMILY:
                    raise

    def reads(self, c):
        views = [r[0] for r in c.rows("SELECT name FROM sqlite_schema WHERE type = 'view'")]
        tables = [self.case.table] + self.case.tables
        return ["SELECT * FROM %s LIMIT 30" % quoted(t) for t in tables + views] + list(self.case.reads)

    def acked(self):
        return [len(w.ops) + len(w.auto) for w in self.writers]

    def busy(self, n):
        """Waits until each writer has n more transactions, or has done all it may."""
        first = self.acked()
        until(
            "the writers write",
            lambda: all(
                a >= f + n or w.n >= self.case.ops or not w.is_alive()
                for a, f, w in zip(self.acked(), first, self.writers)
            ),
            20,
            every=0.002,
        )

    def go(self):
        with self.d.client() as c:
            self.base = shadows(c)
            self.start = 0
            if self.twin:
                self.start = c.value("SELECT ifnull(max(seq), 0) FROM op")
            else:
                self.prepare(c)
            self.writers = [Writer(self, w, random.Random(self.rng.random())) for w in range(self.case.clients)]
            reader = Reader(self, self.reads(c))
            for w in self.writers + [reader]:
                w.start()
            try:
                self.busy(3)
                try:
                    self.change(c)
                except AssertionError:
                    self.bad("the job stands at %s" % job(c))
                    raise
                c = self.d.client() if self.killed.is_set() else c
                self.busy(3)
            finally:
                for w in self.writers + [reader]:
                    w.end()
            for w in self.writers:
                for text in w.bad[:2]:
                    self.bad("writer %d: %s" % (w.who, text))
            for text in reader.bad[:2]:
                self.bad("reader: %s" % text)
            self.judge(c)
        return self

    def mark_at(self, c, what):
        self.marks[what] = c.value("SELECT ifnull(max(seq), 0) FROM op")

    def change(self, c):
        case = self.case
        begun = sum(self.acked())
        self.mark_at(c, "alter")
        try:
            if case.files:
                r = c("migrate.up", steps=1, allow_data_loss=case.force, **case.files)
            else:
                r = c("migrate.alter", sql=case.change, postpone_cutover=case.postpone, allow_data_loss=case.force)
            self.name = r["job"]
            self.second(c)
        except RpcError as e:
            if e.name != "MIGRATION_INVALID":
                raise
            self.outcome, self.reason = "refused", e.message
            return
        if case.steer:
            c = self.steered(c)
        if case.postpone:
            j = until("ready or over", lambda: self.stands(c), 40, every=0.003)
            self.counts["before ready"] = sum(self.acked()) - begun
            self.mark_at(c, "ready")
            if j["state"] in ("running", "paused") and j["id"] == self.name:
                self.busy(3)
                self.offend(c)
                try:
                    c("migrate.abort" if case.steer == "abort" else "migrate.cutover", job=self.name)
                except RpcError as e:
                    # It may have failed meanwhile.
                    if e.name not in ("WRONG_STATE", "NOT_FOUND"):
                        raise
        j = until("the change ends", lambda: self.over(c, self.name), 40, every=0.005)
        if self.then:
            self.then_done = (
                until("so does the second", lambda: self.over(c, self.then), 40, every=0.005)["state"] == "done"
            )
        self.job = j
        self.outcome = j["state"]
        self.counts["change"] = sum(self.acked()) - begun
        if j["state"] == "failed":
            self.reason = "%s %s" % (j.get("error"), j.get("rows"))
        if j.get("restarts"):
            self.bad("the copy started over, and nobody else has written the file")
        if j["phase"] not in PHASES + (None,):
            self.bad("phase %r" % j["phase"])
        if shadows(c) != self.base:
            self.bad("left behind: %s" % sorted(set(shadows(c)) - set(self.base)))

    def second(self, c):
        """The change that waits for its turn behind this one."""
        if self.case.then:
            try:
                self.then = c("migrate.alter", sql=self.case.then[0])["job"]
            except RpcError as e:
                if e.name != "MIGRATION_INVALID":
                    raise

    def over(self, c, name):
        """The job of that name, once it has ended; it may stand in history already."""
        for j in [job(c)] + c("migrate.history")["history"]:
            if j and j.get("job", j.get("id")) == name and j["state"] in ("done", "failed", "aborted"):
                return j
        return None

    @staticmethod
    def stands(c):
        """The job, once it is over or waits for its cutover."""
        j = job(c)
        # `paused` may still be told just after resume.
        return j if j["state"] in ("done", "failed", "aborted") or j["phase"] == "ready" else None

    def steered(self, c):
        """Something happens to the job at some moment. Returns a client that is connected."""
        how = self.case.steer
        self.busy(self.rng.randrange(3))
        if how == "kill":
            self.killed.set()
            self.d.kill()
            self.d.start()
            self.again.set()
            return self.d.client()
        try:
            if how == "pause":
                c("migrate.pause")
                self.busy(2)
                c("migrate.resume")
            elif how == "throttle":
                c("migrate.throttle", batch_rows=3, duty_percent=10)
                self.busy(2)
                c("migrate.throttle", batch_rows=500, duty_percent=90)
        except RpcError as e:
            if e.name not in ("NOT_FOUND", "WRONG_STATE"):
                raise
        return c

    def offend(self, c):
        if self.case.offender:
            w = self.writers[-1]
            w.end()
            sql, values = w.mark()
            c("batch", statements=[{"sql": sql, "bind": values}, {"sql": self.case.offender}])
            w.ops[w.n] = Op([(self.case.offender, [])], None, "batch")

    # -- the same in plain SQLite -----------------------------------------------------------------------------------

    def order(self, c):
        """All acknowledged transactions in the order of their commits."""
        out, place = [], {}
        for seq, who, n, seen in c.rows("SELECT seq, who, n, seen FROM op WHERE seq > ? ORDER BY seq", self.start):
            op = self.writers[who].ops.pop(n, None)
            if op is None and self.killed.is_set():
                op = self.writers[who].open.get(n)
            if op is None:
                self.bad("transaction %s of writer %s is there, and was not acknowledged" % (n, who))
                continue
            op.seen, op.place = seen, seq
            out.append(op)
        for w in self.writers:
            for n in w.ops:
                self.bad("transaction %s of writer %s was acknowledged, and is not there" % (n, w.who))
        for op in self.writers[0].auto:
            place.setdefault(op.place, []).append(op)
        merged = place.pop(self.start, [])
        for op in out:
            merged += [op] + place.pop(op.place, [])
        if place:
            self.bad("autocommits in no place")
        return merged

    def replay(self, ops):
        twin = self.twin or Twin(self.case.pragmas, self.case.before)
        for sql, values in self.setup:
            twin.run(sql, values)
        # Done so far: nothing, the first change, both.
        stages = [x for x, done in (("first", self.outcome == "done"), ("then", self.then_done)) if done]
        first = ops[0].seen if ops else None
        for i, op in enumerate(ops):
            if op.seen != first:
                self.offline(twin, stages if op.seen == self.last else stages[:1])
            self.redo(twin, i, op)
        self.offline(twin, stages)
        return twin

    def offline(self, twin, stages):
        for stage in stages:
            if stage in self.made:
                continue
            self.made.add(stage)
            try:
                if stage == "first":
                    self.case.do_offline(twin.db)
                else:
                    offline(twin.db, self.case.then[1])
            except Exception as e:
                self.bad("the daemon did what plain SQLite does not: %s" % e)

    def redo(self, twin, i, op):
        twin.db.execute("BEGIN IMMEDIATE")
        if op.kind != "auto":
            twin.run("INSERT INTO op(seq) VALUES(?)", [op.place])
        for k, (sql, values) in enumerate(op.steps):
            answer = twin.run(sql, values)
            if op.answers and op.answers[k] != answer:
                self.bad(
                    "transaction %d, %s %r: the daemon said %.300r, plain SQLite %.300r"
                    % (i, sql, values, op.answers[k], answer)
                )
            if not op.answers and answer[2]:
                self.bad("transaction %d, %s %r: acknowledged, plain SQLite says %s" % (i, sql, values, answer[3]))
        twin.run("COMMIT")
        if twin.db.in_transaction:
            self.bad("transaction %d: committed, but plain SQLite does not" % i)
            twin.run("ROLLBACK")

    def judge(self, c):
        self.last = c.value("SELECT " + self.writers[0].seen())
        ops = self.ordered = self.order(c)
        twin = self.replay(ops)
        self.counts["all"] = len(ops)
        if self.twin:
            ro = opened("file:%s?mode=ro" % self.d.db, uri=True)
            for text in differences(picture(ro, only=self.case.tables), picture(twin.db, only=self.case.tables)):
                self.bad(text)
            ro.close()
            return
        copy = file_of(self.d)
        self.compare("", copy, twin)
        self.proven = self.outcome != "failed" or self.refutes(twin)
        if not self.problems and not self.case.free_rowids:
            self.afterlife(copy, twin)

    def refutes(self, twin):
        """Whether plain SQLite, too, cannot make the change of what is there in the end."""
        again = opened()
        twin.db.backup(again)
        try:
            self.case.do_offline(again)
            return False
        except sqlite3.Error:
            return True
        finally:
            again.close()

    def compare(self, when, copy, twin):
        free = self.case.free_rowids
        for text in differences(picture(copy.db, free=free), picture(twin.db, free=free)):
            self.bad(when + text)
        if self.case.check and self.outcome == "done":
            for sql in self.case.check:
                a, b = copy.run(sql), twin.run(sql)
                if a != b:
                    self.bad("%s%s: the daemon's %.300r, plain SQLite's %.300r" % (when, sql, a, b))

    def afterlife(self, copy, twin):
        """What the table refuses and sets off afterwards: the same writes on both files by plain SQLite."""
        gen = Gen(self.rng, self.profiles, self.case.extra)
        for _ in range(60):
            sql, values = gen.one(True)
            a, b = copy.run(sql, values), twin.run(sql, values)
            if a != b:
                self.bad(
                    "afterwards, %s %r: the daemon's file says %.200r, plain SQLite's %.200r" % (sql, values, a, b)
                )
                return
        self.compare("after more writes: ", copy, twin)
