#!/usr/bin/env python3
"""Metrics: the text holds to Prometheus' format and says what happened; the socket that answers it bears with anyone."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import socket
import stat
import tempfile
import time

import prometheus
from daemon import Daemon
from limits import scaled, until
from suite import Suite
from wire import RpcError

suite = Suite()
folder = tempfile.mkdtemp(prefix="alterd-t-")
web = os.path.join(folder, "m")
d = Daemon(folder=folder, settings={"server.metrics_socket": web})
c = d.client()
c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")

NAMED = """build_info up queries_total query_duration_seconds writer_queue_length writer_wait_seconds db_bytes wal_bytes
oldest_reader_seconds checkpoints_total sessions migration_version migrations_pending migration_rows_total
errors_total""".split()


def metrics():
    return prometheus.parse(c("metrics")["text"])


def connected():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(scaled(20))
    s.connect(web)
    return s


def answer(s):
    out = b""
    while got := s.recv(65536):
        out += got
    s.close()
    return out


def ask(data, shut=False):
    s = connected()
    s.sendall(data)
    if shut:
        s.shutdown(socket.SHUT_WR)
    head, _, body = answer(s).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(l.split(": ", 1) for l in lines[1:])
    return int(lines[0].split()[1]) if lines[0] else 0, fields, body


@suite.section
def the_text():
    before = metrics()
    for name in NAMED:
        suite.check("there is alterd_" + name, "alterd_" + name in before, sorted(before))
    for i in range(40):
        c.exec("INSERT INTO t(v) VALUES(?)", i)
        c.value("SELECT v FROM t WHERE id = ?", i + 1)
    for _ in range(3):
        try:
            c.exec("INSERT INTO t(id) VALUES(1)")
        except RpcError:
            pass
    m = metrics()

    def grown(metric, **labels):
        return m.value(metric, **labels) - (before.value(metric, **labels) or 0)

    suite.same("up", m.value("alterd_up"), 1.0)
    hello = c("stats")
    suite.check("build_info", m.labels("alterd_build_info")[0]["sqlite"].startswith("3."), m.labels("alterd_build_info"))
    suite.same("writes", grown("alterd_queries_total", kind="write"), 43.0)
    suite.check("reads", 40 <= grown("alterd_queries_total", kind="read") <= 44, m["alterd_queries_total"])
    suite.same("errors by name", m.value("alterd_errors_total", name="SQLITE_CONSTRAINT_PRIMARYKEY"), 3.0)
    suite.same("as many in the histogram of writes", grown("alterd_write_duration_seconds_count"), 43.0)
    suite.check("each of the good ones had its sync", grown("alterd_writer_sync_seconds_count") >= 40, "")
    suite.check("reads in theirs", grown("alterd_query_duration_seconds_count") >= 40, "")
    suite.check("sums", 0 < grown("alterd_query_duration_seconds_sum") < 60, m.value("alterd_query_duration_seconds_sum"))
    suite.check("db_bytes", m.value("alterd_db_bytes") > 0 and m.value("alterd_wal_bytes") > 0, "")
    suite.same("sessions", m.value("alterd_sessions"), 1.0)
    c("begin", mode="read")
    c.value("SELECT count(*) FROM t")
    until("the oldest reader is told", lambda: metrics().value("alterd_oldest_reader_seconds") > 0)
    c("rollback")
    suite.check("stats kept its keys", {"queries_total", "writer_wait_ms", "errors_total"} <= set(hello), sorted(hello))


@suite.section
def buckets():
    """A read that sleeps for some milliseconds falls where it belongs."""
    before = metrics()
    slow = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 30000) SELECT count(*) FROM c"
    took = c.query(slow)["ms"] / 1000
    m, name = metrics(), "alterd_query_duration_seconds_bucket"
    grown = [
        (float(l["le"].replace("Inf", "inf")), v - before.value(name, le=l["le"]))
        for n, l, v in m["alterd_query_duration_seconds"]["samples"]
        if n == name
    ]
    least = [b for b, g in grown if g == max(g for _, g in grown)][0]
    suite.check("the bucket of %.1f ms" % (took * 1000), took * 0.9 <= least <= max(took * 2.5, 0.0001), (took, grown))


@suite.section
def a_migration():
    c.exec('CREATE TABLE "a\\b""c\n"(x)')
    c("batch", statements=[{"sql": 'INSERT INTO "a\\b""c\n" VALUES(?)', "bind": [i]} for i in range(500)])
    c("migrate.alter", sql='ALTER TABLE "a\\b""c\n" ALTER x TYPE TEXT', postpone_cutover=True)
    until("it waits for its cutover", lambda: (c("migrate.status")["job"] or {}).get("phase") == "ready")
    m = metrics()
    labels = m.labels("alterd_migration_progress_ratio")
    suite.same("its table, escaped and read back", labels, [{"version": "0", "table": 'a\\b"c\n'}])
    suite.check("progress", 0.9 <= m.value("alterd_migration_progress_ratio") <= 1, m["alterd_migration_progress_ratio"])
    suite.same("it runs", (m.value("alterd_migration_running"), m.value("alterd_migration_paused")), (1.0, 0.0))
    c("migrate.pause")
    suite.same("paused", metrics().value("alterd_migration_paused"), 1.0)
    c("migrate.resume")
    c("migrate.cutover")
    until("done", lambda: metrics().value("alterd_migration_running") == 0)
    m = metrics()
    suite.same("jobs that are done", m.value("alterd_migration_jobs_total", state="done"), 1.0)
    suite.check("rows", m.value("alterd_migration_rows_total") >= 500, m.value("alterd_migration_rows_total"))
    suite.check("no progress of what is over", "alterd_migration_progress_ratio" not in m, sorted(m))


@suite.section
def over_http():
    status, fields, body = ask(b"GET /metrics HTTP/1.0\r\n\r\n")
    suite.same("GET", status, 200)
    suite.same("type", fields["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
    suite.same("length", fields["Content-Length"], str(len(body)))
    suite.check("a strict reader takes it", "alterd_up" in prometheus.parse(body.decode()), body[:200])
    for what, request in [
        ("with fields", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"),
        ("with bare line ends", b"GET /metrics HTTP/1.0\n\n"),
        ("with a query", b"GET /metrics?x=1 HTTP/1.0\r\n\r\n"),
    ]:
        suite.same(what, ask(request)[0], 200)
    status, fields, body = ask(b"HEAD /metrics HTTP/1.0\r\n\r\n")
    suite.check("HEAD", status == 200 and body == b"" and int(fields["Content-Length"]) > 1000, (status, fields))
    for want, request in [
        (404, b"GET / HTTP/1.0\r\n\r\n"),
        (404, b"GET /metricsx HTTP/1.0\r\n\r\n"),
        (405, b"POST /metrics HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
        (405, b"DELETE /metrics HTTP/1.0\r\n\r\n"),
        (400, b"\x16\x03\x01\x02\x00\x01\r\n\r\n"),
        (400, b"GET /metrics\r\n\r\n"),
        (400, b"GET  /metrics HTTP/1.0\r\n\r\n"),
        (400, b"get /metrics HTTP/1.0\r\n\r\n"),
        (400, b"GET /metrics FTP/1.0\r\n\r\n"),
        (400, b'{"id":1,"method":"ping"}\n\n'),
        (400, b"\r\n\r\n"),
    ]:
        suite.same("%r" % request[:40], ask(request)[0], want)
    suite.same("what has no end", ask(b"GET /me", shut=True)[0], 400)
    suite.same("too large", ask(b"GET /metrics HTTP/1.0\r\nX: " + b"x" * 100000)[0], 431)
    s = connected()
    for b in b"GET /metrics HTTP/1.0\r\n\r\n":
        s.sendall(bytes([b]))
    suite.check("byte by byte", answer(s).startswith(b"HTTP/1.0 200"), "")
    st = os.stat(web)
    suite.same("its mode", (stat.S_ISSOCK(st.st_mode), st.st_mode & 0o777), (True, 0o666))


@suite.section
def a_crowd():
    """Those who sit on their connection do not keep others out for ever, and nobody else notices."""
    refused = c("stats")["scrapes_refused_total"]
    idle = [connected() for _ in range(8)]
    late = connected()
    late.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    begun = time.monotonic()
    suite.same("clients of the database go on", c.value("SELECT 1"), 1)
    suite.check("at once", time.monotonic() - begun < scaled(1), time.monotonic() - begun)
    suite.check("who waits is answered once they are put out", answer(late).startswith(b"HTTP/1.0 200"), "")
    suite.check("that is after 2 s", 1 < time.monotonic() - begun < 3 + scaled(3), time.monotonic() - begun)
    suite.check("they are", all(s.recv(10) == b"" for s in idle), "")
    for s in idle:
        s.close()
    suite.check("and counted", c("stats")["scrapes_refused_total"] - refused >= 8, c("stats"))
    done = 0
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        if ask(b"GET /metrics HTTP/1.0\r\n\r\n")[0] == 200:
            done += 1
    suite.check("a flood gets its share and no more", 1 <= done <= 40, done)


@suite.section
def from_the_command_line():
    r = d.ctl("metrics")
    suite.check("alterctl metrics", r.returncode == 0 and "alterd_up" in prometheus.parse(r.stdout), r)
    path = os.path.join(d.folder, "alterd.prom")
    with open(path, "w", encoding="ascii") as f:
        f.write("old\n")
    r = d.ctl("metrics", "-o", path)
    with open(path, encoding="utf-8") as f:
        suite.check("into a file", r.returncode == 0 and "alterd_up" in prometheus.parse(f.read()), r)
    suite.same("nothing beside it", [n for n in os.listdir(d.folder) if n.startswith("alterd.prom")], ["alterd.prom"])
    r = d.ctl("metrics", "-o", os.path.join(d.folder, "no", "x.prom"))
    suite.check("a folder that is not there", r.returncode == 1 and "no/x.prom" in r.stderr, r)


@suite.section
def paths():
    two = Daemon(settings={"server.metrics_socket": web}, start=False)
    two.spawn()
    suite.same("one in use is refused", two.wait(), 75)
    two.forgiven = True
    suite.same("which changes nothing for the other", ask(b"GET /metrics HTTP/1.0\r\n\r\n")[0], 200)
    d.restart()
    suite.same("after a restart", ask(b"GET /metrics HTTP/1.0\r\n\r\n")[0], 200)
    d.stop()
    suite.check("it is gone with the daemon", not os.path.exists(web), "")
    d.start()


suite.run()
