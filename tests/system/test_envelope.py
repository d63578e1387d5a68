#!/usr/bin/env python3
"""The envelope: framing, ids, notifications, the table of envelope errors, hello, half-closed and odd clients."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
sys.dont_write_bytecode = True

import json
import os
import shutil
import socket
import subprocess

from daemon import Daemon
from limits import pause, scaled
from suite import Suite
from wire import Closed, encode

suite = Suite()
d = Daemon(settings={"server.line_limit": "1MiB"})
c = d.client()
c.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


def ask(raw, client=None):
    client = client or c
    client.raw(raw + b"\n")
    return client.read()


def error(raw):
    m = ask(raw)
    return (m.get("error", {}).get("code"), m.get("error", {}).get("data", {}).get("name"), m.get("id", "absent"))


@suite.section
def framing():
    r = ask(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\r')
    suite.same("\\r before the newline is ignored", r, {"jsonrpc": "2.0", "id": 1, "result": {}})
    c.raw(b'\n\r\n\n{"jsonrpc":"2.0","id":2,"method":"ping"}\n\n\n')
    suite.same("empty lines are ignored", c.read(), {"jsonrpc": "2.0", "id": 2, "result": {}})
    for byte in b'{"jsonrpc":"2.0","id":3,"method":"query","params":{"sql":"SELECT \'\xc3\xa9\'"}}\n':
        c.raw(bytes([byte]))
    suite.same("one byte at a time", c.read()["result"]["rows"], [["é"]])
    c.raw(b"".join(b'{"id":%d,"method":"ping"}\n' % i for i in range(10, 40)))
    suite.same("many in one write", [c.read()["id"] for _ in range(30)], list(range(10, 40)))
    c.raw(b' \t {"jsonrpc" : "2.0" , "id" : 4 , "method" : "ping" , "params" : { } } \n')
    suite.same("blanks around", c.read()["id"], 4)
    line = b""
    c.send("query", sql="SELECT 'a\nb', 'é'")
    line = c.line()
    suite.check(
        "answers are one compact line, jsonrpc first",
        line.startswith(b'{"jsonrpc":"2.0"') and b'": ' not in line and b", " not in line,
        line,
    )


@suite.section
def error_table():
    for what, raw, want in [
        ("no JSON", b"hello", (-32700, "PARSE_ERROR", None)),
        ("half JSON", b'{"jsonrpc":"2.0","id":1,"method":"ping"', (-32700, "PARSE_ERROR", None)),
        ("two objects in a line", b'{"id":1,"method":"ping"}{"id":2,"method":"ping"}', (-32700, "PARSE_ERROR", None)),
        ("duplicate keys", b'{"id":1,"id":2,"method":"ping"}', (-32700, "PARSE_ERROR", None)),
        ("an id of 2^63", b'{"id":9223372036854775808,"method":"ping"}', (-32700, "PARSE_ERROR", None)),
        (
            "1e400",
            b'{"id":1,"method":"query","params":{"sql":"SELECT ?","bind":[1e400]}}',
            (-32700, "PARSE_ERROR", None),
        ),
        ("bytes that are no UTF-8", b'{"id":1,"method":"\xff\xfe"}', (-32700, "PARSE_ERROR", None)),
        ("a NUL byte", b'{"id":1,\0"method":"ping"}', (-32700, "PARSE_ERROR", None)),
        ("an array", b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', (-32600, "INVALID_REQUEST", None)),
        ("an array, blanks first", b"  []", (-32600, "INVALID_REQUEST", None)),
        ("another version", b'{"jsonrpc":"1.0","id":5,"method":"ping"}', (-32600, "INVALID_REQUEST", 5)),
        ("jsonrpc of another type", b'{"jsonrpc":2.0,"id":5,"method":"ping"}', (-32600, "INVALID_REQUEST", 5)),
        (
            "an unknown key on top",
            b'{"jsonrpc":"2.0","id":5,"method":"ping","extra":1}',
            (-32600, "INVALID_REQUEST", 5),
        ),
        ("no method", b'{"jsonrpc":"2.0","id":5}', (-32600, "INVALID_REQUEST", 5)),
        ("method of another type", b'{"jsonrpc":"2.0","id":5,"method":7}', (-32600, "INVALID_REQUEST", 5)),
        ("fractional id", b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', (-32600, "INVALID_REQUEST", None)),
        ("null id", b'{"jsonrpc":"2.0","id":null,"method":"ping"}', (-32600, "INVALID_REQUEST", None)),
        ("boolean id", b'{"jsonrpc":"2.0","id":true,"method":"ping"}', (-32600, "INVALID_REQUEST", None)),
        ("object id", b'{"jsonrpc":"2.0","id":{},"method":"ping"}', (-32600, "INVALID_REQUEST", None)),
        ("unknown method", b'{"jsonrpc":"2.0","id":6,"method":"quary","params":{}}', (-32601, "METHOD_NOT_FOUND", 6)),
        (
            "a method reserved for later",
            b'{"jsonrpc":"2.0","id":6,"method":"migrate.revert","params":{"version":1}}',
            (-32601, "METHOD_NOT_FOUND", 6),
        ),
        ("empty method", b'{"jsonrpc":"2.0","id":6,"method":""}', (-32601, "METHOD_NOT_FOUND", 6)),
        (
            "params an array",
            b'{"jsonrpc":"2.0","id":7,"method":"query","params":["SELECT 1"]}',
            (-32602, "INVALID_PARAMS", 7),
        ),
        ("params null", b'{"jsonrpc":"2.0","id":7,"method":"ping","params":null}', (-32602, "INVALID_PARAMS", 7)),
        (
            "params a string",
            b'{"jsonrpc":"2.0","id":"s","method":"ping","params":"x"}',
            (-32602, "INVALID_PARAMS", "s"),
        ),
        (
            "unknown parameter",
            b'{"jsonrpc":"2.0","id":7,"method":"query","params":{"sql":"SELECT 1","bnid":[]}}',
            (-32602, "INVALID_PARAMS", 7),
        ),
        ("missing parameter", b'{"jsonrpc":"2.0","id":7,"method":"query","params":{}}', (-32602, "INVALID_PARAMS", 7)),
        (
            "parameter of a wrong type",
            b'{"jsonrpc":"2.0","id":7,"method":"query","params":{"sql":1}}',
            (-32602, "INVALID_PARAMS", 7),
        ),
        (
            "timeout_ms 0",
            b'{"jsonrpc":"2.0","id":7,"method":"query","params":{"sql":"SELECT 1","timeout_ms":0}}',
            (-32602, "INVALID_PARAMS", 7),
        ),
        (
            "timeout_ms below 0",
            b'{"jsonrpc":"2.0","id":7,"method":"query","params":{"sql":"SELECT 1","timeout_ms":-5}}',
            (-32602, "INVALID_PARAMS", 7),
        ),
    ]:
        suite.same(what, error(raw), want)
    suite.check("a near miss is named", "query" in ask(b'{"id":1,"method":"quary"}')["error"]["message"])
    suite.check(
        "an unknown parameter is named",
        "bnid" in ask(b'{"id":1,"method":"query","params":{"sql":"SELECT 1","bnid":1}}')["error"]["message"],
    )
    suite.check(
        "an unknown key on top is named", "extra" in ask(b'{"id":1,"method":"ping","extra":1}')["error"]["message"]
    )
    suite.check("a batch array is told what to do", "one object per line" in ask(b"[]")["error"]["message"])
    suite.same("one 2.0 in each error", ask(b"x")["jsonrpc"], "2.0")
    suite.same("the connection goes on", c.value("SELECT 1"), 1)


@suite.section
def ids():
    for raw, want in [
        (b"0", 0),
        (b"-5", -5),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b'""', ""),
        (b'"a\\u0000\xc3\xa9"', "a\0é"),
        (b'"1"', "1"),
    ]:
        suite.same("id %s" % raw.decode(), ask(b'{"id":%s,"method":"ping"}' % raw).get("id"), want)
    n = c.send("query", sql=ENDLESS)
    m = ask(b'{"id":%d,"method":"query","params":{"sql":"SELECT 1"}}' % n)
    suite.check(
        "an id that is in flight", m["error"]["code"] == -32600 and m["error"]["data"]["name"] == "INVALID_REQUEST", m
    )
    c.raw(b'{"id":"%d","method":"ping"}\n' % n)
    suite.same("the same as a string is another id", c.read(), {"jsonrpc": "2.0", "id": "%d" % n, "result": {}})
    c("cancel", id=n)
    suite.same("the first is answered once, as what it is", c.message(n)["error"]["code"], 9)
    suite.same("and its id is free again", ask(b'{"id":%d,"method":"ping"}' % n)["id"], n)
    c.raw(encode({"id": "long" * 5000, "method": "ping"}))
    m = c.read()
    suite.check(
        "a very long id comes back whole, or is refused",
        m.get("id") == "long" * 5000 or m.get("error", {}).get("code") == -32600,
        len(str(m)),
    )


@suite.section
def notifications():
    c.raw(encode({"jsonrpc": "2.0", "method": "exec", "params": {"sql": "INSERT INTO t(id, v) VALUES(1, 'noted')"}}))
    c.raw(encode({"jsonrpc": "2.0", "method": "exec", "params": {"sql": "INSERT INTO t(id) VALUES(1)"}}))
    c.raw(encode({"jsonrpc": "2.0", "method": "nosuch"}))
    c.raw(encode({"jsonrpc": "2.0", "method": "query", "params": {"sql": 5}}))
    c.raw(encode({"jsonrpc": "2.0", "method": "query", "params": {"nope": 5}}))
    c.raw(encode({"jsonrpc": "2.0", "method": "ping"}))
    c.raw(encode({"jsonrpc": "2.0", "method": "query", "params": {"sql": "SELECT 7"}}))
    suite.same("done in their turn, never answered", c.value("SELECT v FROM t WHERE id = 1"), "noted")
    suite.same("not even later", c("ping"), {})
    suite.check("nothing else came", not c.kept and not c.buffer, (c.kept, c.buffer))


@suite.section
def too_long():
    with d.client() as o:
        o.raw(
            b'{"id":1,"method":"query","params":{"sql":"SELECT \''
            + b"x" * (1 << 20)
            + b"'\"}}\n"
            + encode({"id": 2, "method": "ping"})
        )
        m = o.read()
        suite.same(
            "a line above the limit",
            (m["id"], m["error"]["code"], m["error"]["data"]["name"]),
            (None, -32005, "LINE_TOO_LONG"),
        )
        suite.same("is skipped, the next is read", o.read()["id"], 2)
        body = b'{"id":3,"method":"query","params":{"sql":"SELECT length(?)","bind":["'
        pad = (1 << 20) - len(body) - 4
        o.raw(body + b"y" * pad + b'"]}}\n')
        suite.same("a line of exactly the limit is read", o.read().get("result", {}).get("rows"), [[pad]])
        o.raw(body + b"y" * (pad + 1) + b'"]}}\n')
        suite.same("one byte more is not", o.read().get("error", {}).get("code"), -32005)
        o.raw(b" " * (3 << 20))
        m = o.read()
        suite.same("told once, before its end has come", m["error"]["code"], -32005)
        o.raw(b"\n")
        suite.same("and then all is well", o("ping"), {})


@suite.section
def hello():
    for params, ok in [
        ({"protocol": [1, 1]}, True),
        ({"protocol": [0, 9], "client": "x"}, True),
        ({}, True),
        ({"protocol": [1, 1], "readonly": True, "int64": "auto"}, True),
    ]:
        with d.client() as o:
            r = o("hello", **params)
            suite.check(
                "hello %s" % params, r["protocol"] == 1 and r["server"].startswith("alterd/") and r["session"], r
            )
    for key, kind in [
        ("server", str),
        ("protocol", int),
        ("session", str),
        ("role", str),
        ("sqlite", str),
        ("version", int),
        ("capabilities", list),
        ("limits", dict),
    ]:
        suite.check("answers %s" % key, isinstance(r.get(key), kind), r)
    suite.same("root is admin", r["role"] if os.getuid() == 0 else "admin", "admin")
    suite.check("capabilities", {"cursor", "tx", "migrate"} <= set(r["capabilities"]), r["capabilities"])
    lim = r["limits"]
    suite.same(
        "limits",
        [
            lim.get(k)
            for k in ("line_bytes", "page_rows", "page_bytes", "in_flight", "tx_ms", "tx_idle_ms", "cursor_idle_ms")
        ],
        [1 << 20, 1000, 1 << 20, 64, 5000, 2000, 30000],
    )
    suite.same("SQLite's version is the library's", r["sqlite"].split(".")[0], "3")
    for what, p in [("above", [2, 9]), ("below", [0, 0])]:
        with d.client() as o:
            e = suite.refused("a range %s" % what, lambda o=o, p=p: o("hello", protocol=p), "PROTOCOL_VERSION")
            suite.check("code, its own range", e.code == -32001 and "1" in json.dumps(e.data) + str(e.message), e)
            suite.check("and the connection is closed", o.at_end())
    for what, p in [
        ("a reversed range", [2, 1]),
        ("one number", 1),
        ("three", [1, 1, 1]),
        ("strings", ["1", "1"]),
        ("nothing", []),
    ]:
        with d.client() as o:
            suite.refused(what, lambda o=o, p=p: o("hello", protocol=p), -32602, -32001)
    with d.client() as o:
        suite.refused("int64 nobody knows", lambda: o("hello", int64="maybe"), -32602)
        o("ping")
        suite.check("a later hello is refused or harmless", True)
    with d.client() as o:
        o.value("SELECT 1")
        try:
            o("hello", protocol=[1, 1])
            suite.check("hello after a statement: refused", False, "answered")
        except Exception as e:
            suite.check("hello after a statement: refused", getattr(e, "code", 0) in (-32600, -32602), e)
    with d.client() as o:
        o.raw(
            encode({"id": 1, "method": "hello", "params": {"protocol": [1, 1], "int64": "string"}})
            + encode({"id": 2, "method": "query", "params": {"sql": "SELECT 1"}})
        )
        suite.same(
            "hello may be pipelined",
            [o.message(1)["result"]["protocol"], o.message(2)["result"]["rows"]],
            [1, [[{"int": "1"}]]],
        )
    with d.client() as o:
        v = o("hello", protocol=[1, 1])["version"]
        with d.client() as p:
            e = suite.refused(
                "expect_version of another",
                lambda: p("hello", protocol=[1, 1], expect_version=v + 3),
                "VERSION_MISMATCH",
            )
            suite.check("names the actual one", e.code == -32029 and str(v) in json.dumps(e.data) + str(e.message), e)
        with d.client() as p:
            suite.check("expect_version that holds", p("hello", protocol=[1, 1], expect_version=v)["version"] == v)


@suite.section
def readonly_session():
    with d.client() as o:
        o("hello", protocol=[1, 1], readonly=True)
        before = o.value("SELECT count(*) FROM t")
        for sql in ("INSERT INTO t(v) VALUES(1)", "DELETE FROM t", "CREATE TABLE x(y)", "UPDATE t SET v = 1 WHERE 0"):
            suite.refused(sql, lambda s=sql: o.exec(s), "READ_ONLY")
        suite.refused("batch", lambda: o("batch", script="DELETE FROM t"), "READ_ONLY")
        suite.refused("begin immediate", lambda: (o("begin"), o.exec("DELETE FROM t")), "READ_ONLY")
        try:
            o("rollback")
        except Exception:
            pass
        o("begin", mode="read")
        suite.same("it reads", o.value("SELECT count(*) FROM t"), before)
        o("commit")


@suite.section
def half_closed():
    with d.client() as o:
        o.raw(
            b"".join(
                encode({"id": i, "method": "query", "params": {"sql": "SELECT %d, (SELECT count(*) FROM t)" % i}})
                for i in range(1, 31)
            )
        )
        o.raw(encode({"id": 31, "method": "exec", "params": {"sql": "INSERT INTO t(v) VALUES('half')"}}))
        o.end_of_writing()
        got = [o.read()["id"] for _ in range(31)]
        suite.same("a client that half-closes gets all its answers", got, list(range(1, 32)))
        suite.check("and then the end", o.at_end())
    with d.client() as o:
        o.raw(
            b'{"id":1,"method":"query","params":{"sql":"WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 '
            b'FROM g LIMIT 300000) SELECT count(*) FROM g"}}\n'
        )
        o.end_of_writing()
        suite.same("one whose statement is still running too", o.read().get("result", {}).get("rows"), [[300000]])
    with d.client() as o:
        o.raw(b'{"id":1,"method":"ping"}')
        o.end_of_writing()
        try:
            m = o.read(scaled(5))
            suite.check(
                "a last line without newline is answered",
                m.get("id") == 1 or m.get("error", {}).get("code") == -32700,
                m,
            )
        except Closed:
            suite.check("a last line without newline is dropped with its client", True)
    if shutil.which("socat"):
        out = subprocess.run(
            ["socat", "-t5", "-", "UNIX-CONNECT:" + d.socket],
            capture_output=True,
            timeout=scaled(20),
            check=False,
            input=b'{"jsonrpc":"2.0","id":1,"method":"query","params":{"sql":"select 1,2"}}\n',
        ).stdout
        suite.same("one-shot socat", json.loads(out)["result"]["rows"], [[1, 2]])
        suite.same("sees exactly its answer", out.count(b"\n"), 1)
    else:
        suite.skip("one-shot socat", "no socat here")


@suite.section
def odd_connections():
    before = d.open_files()
    for _ in range(200):
        s = socket.socket(socket.AF_UNIX)
        s.connect(d.socket)
        s.close()
    for _ in range(50):
        o = d.client()
        o.raw(b'{"id":1,"method":"ping"}\n{"id":2,"meth')
        o.close()
    for _ in range(50):
        o = d.client()
        o.send("query", sql="SELECT 1")
        o.close()
    suite.same("served after 300 that came and went", c.value("SELECT 1"), 1)
    for _ in range(100):
        if d.open_files() <= before + 2:
            break
        pause(0.05)
    suite.check("and none of them left a descriptor", d.open_files() <= before + 2, (before, d.open_files()))


@suite.section
def many_values():
    with d.client() as o:
        o.raw(b'{"id":1,"method":"query","params":{"sql":"SELECT ?","bind":[' + b"1," * 500000 + b"1]}}\n")
        m = o.read(scaled(20))
        suite.check(
            "500,001 values in 1 MiB", m.get("error", {}).get("code") in (25, -32602, -32600, -32005, 1), str(m)[:200]
        )
        o.raw(b'{"id":1,"method":"query","params":{"sql":"SELECT ?","bind":' + b"[" * 100000 + b"]" * 100000 + b"}}\n")
        m = o.read(scaled(20))
        suite.check("100,000 nested arrays", m.get("error", {}).get("code") in (-32700, -32600, -32602), str(m)[:200])
        suite.same("the connection goes on", o("ping"), {})


suite.run()
