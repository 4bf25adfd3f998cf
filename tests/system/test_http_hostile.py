# SPDX-License-Identifier: Apache-2.0
"""What is sent to break the HTTP server, one request after the other to the same process: each
gets a refusal or a plain answer, none an answer to another question, and afterwards all goes on as
before. Requests of two readings, and clients that are slow, are in test_rest_rights.py."""

import json
import re
import socket
import time

import pytest

from test_rest_rights import CLOSE, Web, bearer, credentials, hear, statuses

ADMIN = ("Authorization: %s\r\n" % bearer("admin")).encode()
REFUSED = {400, 404, 405, 411, 413, 414, 417, 431, 501, 505}


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    dir = tmp_path_factory.mktemp("hostile")
    w = Web(dir, http={"auth": credentials(dir), "anonymous": "none"}).start()
    yield w
    try:
        assert w.running() and w.status("/v3/kafka", bearer("read")) == 200
        assert "Sanitizer" not in w.log()
    finally:
        w.kill()


@pytest.fixture(autouse=True)
def goes_on(web):
    """Nothing of a test stays: the server answers, in time, and no line of its log is broken."""
    yield
    began = time.monotonic()
    assert web.status("/v3/kafka", bearer("read")) == 200
    assert time.monotonic() - began < 20
    assert all(line.startswith("time=") for line in web.log().splitlines())


def get(target, more=b""):
    return b"GET " + target + b" HTTP/1.1\r\n" + ADMIN + more + CLOSE


def leave(web, data):
    """Say this, and go without an answer."""
    with web.dial() as s:
        s.sendall(data)


def split(answer):
    """Its first status, headers and body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return (statuses(answer) or [None])[0], head.lower(), body


def test_lines_that_are_no_request(web):
    for line in (b"GET", b"GET /", b"GET  / HTTP/1.1", b"GET\t/v3/kafka\tHTTP/1.1",
                 b"get /v3/kafka HTTP/1.1",
                 b" GET /v3/kafka HTTP/1.1", b"GET /v3/kafka HTTP/1.1 x", b"GET /v3/kafka HTTP/2.0",
                 b"GET /v3/kafka HTTP/1.10", b"GET /v3/kafka http/1.1", b"GET /v3/kafka HTTPS/1.1",
                 b"GET v3/kafka HTTP/1.1", b"GET ?x HTTP/1.1", b"GET * HTTP/1.1",
                 b"TRACE /v3/kafka HTTP/1.1",
                 b"CONNECT evil:80 HTTP/1.1", b"PATCH /v3/kafka HTTP/1.1",
                 b"G\x00T /v3/kafka HTTP/1.1",
                 b"X" * 20000 + b" /v3/kafka HTTP/1.1", b"\xff\xfe\xfd", b"{}",
                 b"GET /v3/kafka\x0bHTTP/1.1"):
        answer = web.raw(line + b"\r\n" + ADMIN + CLOSE)
        assert set(statuses(answer)) <= REFUSED, (line[:60], answer[:200])


def test_bodies_in_pieces_that_do_not_fit(web):
    head = b"PUT /api/v1/loglevel HTTP/1.1\r\n" + ADMIN + b"Transfer-Encoding: chunked\r\n" + CLOSE
    for body in (b"-1\r\n", b"g\r\n", b"0x5\r\n", b" 5\r\n", b"FFFFFFFFFFFFFFFFF\r\n{}",
                 b"5\r\nabcdefgh\r\n0\r\n\r\n", b"5" + b";x" * 20000 + b"\r\nabcde\r\n0\r\n\r\n",
                 b"\r\n\r\n",
                 b"10\r\n{\"level\":\"info\"}" + b"0" * 40000,
                 b"1\r\n{\r\n" * 70000 + b"0\r\n\r\n"):
        answer = web.raw(head + body)
        assert set(statuses(answer)) <= REFUSED | {500}, (body[:60], answer[:200])  # 500: no room
    # What comes after the last piece is no header of the request.
    body = b"10\r\n{\"level\":\"info\"}\r\n0\r\n%sContent-Length: 5\r\n\r\n"
    assert statuses(web.raw(head + body % ADMIN)) in ([200], [400])
    assert statuses(web.raw(head.replace(ADMIN, b"") + body % ADMIN)) in ([401], [400])
    old = head.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n"
    assert len(statuses(web.raw(old))) <= 1


def test_a_length_is_promised_and_not_kept(web):
    head = b"PUT /api/v1/loglevel HTTP/1.1\r\n" + ADMIN
    for length in (b"18446744073709551615", b"9223372036854775807", b"99999999999999999999999",
                   b"65537", b"1_0",
                   b"1e2", b"\xd9\xa1", b"5 5"):
        answer = web.raw(head + b"Content-Length: " + length + b"\r\n" + CLOSE)
        assert set(statuses(answer)) <= REFUSED and statuses(answer), (length, answer[:200])
    asks = head + b"Content-Length: 70000\r\nExpect: 100-continue\r\n" + CLOSE
    assert set(statuses(web.raw(asks))) <= REFUSED
    leave(web, head + b"Content-Length: 100\r\n\r\n{\"level\":")
    leave(web, head + b"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n{\"level\":")


def test_escapes(web):
    for text in (b"%", b"%4", b"%zz", b"%00", b"a%00b", b"%u0041", b"%%41", b"%-1", b"% 41"):
        for target in (b"/v3/kafka/" + text, b"/api/v1/clusters/" + text,
                       b"/api/v1/groups?group=" + text,
                       b"/api/v1/groups?" + text + b"=x"):
            status, _, body = split(web.raw(get(target)))
            assert status == 400 or b"%" in text and b" " in text, (target, status, body)
    for text in (b"%c0%af", b"%ff%fe", b"%ed%a0%80", b"%f4%90%80%80", b"\xc3\x28", b"%25%30%30",
                 b"%0d%0aX-Evil:%20y",
                 b"%1b%5b31m", b"%22%3e%3cscript%3e", b"%e2%80%ae"):
        for target in (b"/v3/kafka/" + text, b"/api/v1/clusters/" + text,
                       b"/api/v1/groups?sort=" + text, b"/v3/kafka/c/consumer/" + text + b"/lag"):
            status, head, body = split(web.raw(get(target)))
            assert status in (400, 404), (target, status)
            json.loads(body.decode())  # UTF-8, and JSON
            assert b"x-evil" not in head and b"<script" not in body


def test_redirects_stay_here(web):
    for target in (b"//evil.example/v3/kafka", b"/V3/kafka/%0d%0aX-Evil:%20y/", b"/V3//kafka",
                   b"/\\evil.example",
                   b"/v3/./kafka/%2f%2fevil.example/", b"/V3/kafka?%0d%0aX-Evil:y",
                   b"/v3/kafka/..%2f..//",
                   b"http://evil.example/V3/kafka/"):
        answer = web.raw(get(target, b"X-Forwarded-Host: evil.example\r\n"))
        status, head, _ = split(answer)
        assert status in REFUSED | {301, 307}, (target, status)
        found = re.search(rb"^location: (.*?)\r?$", head, re.MULTILINE)
        assert b"\nx-evil" not in head
        assert found is None or re.match(rb"/(?![/\\])", found.group(1)), (target, head)


def test_files_are_those_of_the_page(web):
    for target in (b"/web/../../../etc/passwd", b"/web/%2e%2e/%2e%2e/etc/passwd",
                   b"/web/..%2f..%2fetc%2fpasswd",
                   b"/web//etc/passwd", b"/web/....//etc/passwd", b"/web/app.js%00.css", b"/web/",
                   b"/web/.",
                   b"/etc/passwd", b"/web/%c0%ae%c0%ae/passwd", b"/../aggregator.json"):
        answer = web.raw(get(target))
        assert statuses(answer)[0] in REFUSED | {301}, (target, answer[:200])
        assert b"root:" not in answer


def test_headers_without_end(web):
    for more in (b"".join(b"X-%d: y\r\n" % n for n in range(500)),
                 b"Cookie: " + b"a=b; " * 5000 + b"\r\n",
                 b"If-None-Match: " + b"\"x\", " * 4000 + b"\r\n",
                 b"Accept: " + b"text/csv;q=0.1," * 1500 + b"\r\n",
                 b"Accept-Encoding: " + b"gzip;q=0," * 2000 + b"\r\n",
                 b"Range: bytes=" + b"0-1," * 3000 + b"\r\n",
                 b"Last-Event-ID: " + b"9" * 20000 + b"\r\n", b"X" * 20000 + b": y\r\n"):
        answer = web.raw(get(b"/api/v1/clusters", more))
        assert statuses(answer) and set(statuses(answer)) <= {200, 304, 413, 431, 400}, (more[:40],
                answer[:200])
    for upgrade in (b"h2c", b"websocket", b"TLS/1.0"):
        answer = web.raw(get(b"/v3/kafka",
                b"Upgrade: %s\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" % upgrade))
        assert statuses(answer) == [200]


def test_queries_without_end(web):
    for query in (b"a" * 7900, b"&" * 300, b"a=1&" * 300, b"group=" + b"*" * 7000,
                  b"group=" + b"[" * 7000,
                  b"group=" + b"*a" * 3500, b"limit=" + b"9" * 5000, b"cursor=" + b"f" * 7000,
                  b"sort=" + b"-" * 7000,
                  b"status=" + b"ERR," * 1700, b"q=" + b"%ff" * 2500, b"limit=-1", b"limit=0",
                  b"limit=1e3"):
        began = time.monotonic()
        status, _, body = split(web.raw(get(b"/api/v1/groups?" + query)))
        assert status in (200, 400), (query[:40], status)
        assert time.monotonic() - began < 20
        json.loads(body.decode())
    # There is no room for so many, nor for saying so.
    for query in (b"&" * 7900, b"a=1&" * 1900):
        began = time.monotonic()
        assert web.raw(get(b"/api/v1/groups?" + query)) == b""
        assert time.monotonic() - began < 10  # and not until it has been idle


def test_json_that_is_none(web):
    deep = b"{\"a\":" * 9000 + b"1" + b"}" * 9000
    for path in (b"/api/v1/silences", b"/api/v1/maintenance"):
        for body in (b"", b"null", b"[]", b"1", b"\"x\"", b"{", b"{}" * 2, b"{\"for_s\":1e999}",
                     b"{\"for_s\":" + b"9" * 500 + b"}",
                     b"{\"note\":\"\\ud800\",\"for_s\":5}", b"{\"note\":\"a\\u0000\",\"for_s\":5}",
                     b"{\"note\":\"\xff\",\"for_s\":5}",
                     b"\x00" * 100, b"[" * 60000, deep[:65000], b"{\"a\":{\"b\":{\"c\":1}}}",
                     b"{\"note\":\"" + b"n" * 60000 + b"\",\"for_s\":5}",
                     b"{\"for_s\":true}", b"{\"for_s\":null}", b"{\"for_s\":5,\"for_s\":-5}"):
            length = b"Content-Length: %d\r\n" % len(body)
            request = b"POST %s HTTP/1.1\r\n" % path + ADMIN + length + CLOSE
            status, _, text = split(web.raw(request + body))
            assert status == 400, (path, body[:40], status)
            json.loads(text.decode())
    for path in (b"/api/v1/silences", b"/api/v1/maintenance"):
        assert json.loads(split(web.raw(get(path)))[2].decode()) in ({"silences": []},
                                                                     {"maintenance": []})


def test_many_requests_at_once_are_answered_in_order(web):
    with web.dial() as s:
        many = b"".join(b"GET /v3/kafka/c%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (n,
        ADMIN) for n in range(300))
        s.sendall(many + get(b"/v3/kafka"))
        answer = hear(s)
    assert re.findall(rb"/v3/kafka/c(\d+)\"", answer) == [b"%d" % n for n in range(300)]


def test_who_does_not_read_holds_nobody_up(web):
    deaf = []
    try:
        for n in range(40):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            s.bind(("127.0.3.%d" % (n + 1), 0))
            s.connect(("127.0.0.1", web.http_port))
            s.sendall(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            deaf.append(s)
        began = time.monotonic()
        for _ in range(20):
            assert web.status("/v3/kafka", bearer("read")) == 200
        assert time.monotonic() - began < 20
    finally:
        for s in deaf:
            s.close()
