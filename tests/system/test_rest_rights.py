# SPDX-License-Identifier: Apache-2.0
"""Who may ask the aggregator what over HTTP, and what hostile clients can do: over sockets."""

import base64
import hashlib
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from certs import Authority
from warren import Aggregator, cluster, wait_for

PASSWORD = "open sesame"
HASH = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$6JlLzEdKMvGk83Zgd3owplAejssJr2SFlJFlOc7i54A"
TOKENS = {n: hashlib.sha256(n.encode()).hexdigest() for n in ("metrics", "read", "admin", "prod")}
WAIT_S = 20


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


def secret(path, text):
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def bearer(name):
    return "Bearer " + TOKENS[name]


def credentials(dir):
    return [
        {"name": "prometheus", "token_file": secret(dir / "m", TOKENS["metrics"]),
         "roles": ["metrics"]},
        {"name": "grafana", "token_sha256": hashlib.sha256(TOKENS["read"].encode()).hexdigest(),
         "roles": ["metrics", "read"]},
        {"name": "prod-only", "token_file": secret(dir / "p", TOKENS["prod"]), "roles": ["admin"],
         "clusters": ["PROD/*"]},
        {"name": "root", "token_file": secret(dir / "a", TOKENS["admin"]), "roles": ["admin"]},
        {"name": "ops", "user": "ops", "password_hash": HASH, "roles": ["admin"]},
        {"name": "old", "user": "old", "password_file": secret(dir / "o", PASSWORD),
         "roles": ["read"]},
    ]


class Web(Aggregator):
    """An aggregator with its own options for HTTP; requests go over sockets of our own."""

    def __init__(self, dir, tls=None, http={}, **changes):
        super().__init__(dir, **changes)
        config = json.load(open(self.config))
        config["http"].update(http)
        if tls is not None:
            config["http"]["tls"] = tls
        self.write_config(config)
        self.tls = None
        if tls is not None:
            self.tls = ssl._create_unverified_context()

    def start(self):
        super(Aggregator, self).start()
        wait_for("the port", WAIT_S, lambda: not self.running() or self.open())
        assert self.running(), self.log()
        return self

    def open(self):
        try:
            socket.create_connection(("127.0.0.1", self.http_port), 2).close()
            return True
        except OSError:
            return False

    def dial(self, source="127.0.0.1", tls=True):
        s = socket.create_connection(("127.0.0.1", self.http_port), WAIT_S, (source, 0))
        if self.tls is None or not tls:
            return s
        return self.tls.wrap_socket(s, server_hostname="localhost")

    def raw(self, data, source="127.0.0.1"):
        """All that comes back until the server ends the connection."""
        with self.dial(source) as s:
            try:
                s.sendall(data)
            except OSError:
                pass
            return hear(s)

    def ask(self, path, authorization=None, method="GET", body=b"", source="127.0.0.1"):
        """Status, headers in lower case, body."""
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: x", "Connection: close"]
        lines += ["Authorization: " + authorization] if authorization else []
        lines += ["Content-Length: %d" % len(body)] if body else []
        answer = self.raw("\r\n".join(lines + ["", ""]).encode() + body, source)
        head, _, body = answer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = [line.lower().partition(": ")[::2] for line in lines[1:]]
        return int(lines[0].split()[1]), headers, body.decode()

    def status(self, *args, **more):
        return self.ask(*args, **more)[0]


def hear(s):
    answer = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return answer
            answer += part
    except OSError:
        return answer


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def tls_of(ca, name="server", **more):
    files = ca.issue(name, **more)
    return {"cert_file": files["cert_file"], "key_file": files["key_file"]}


@pytest.fixture(params=["plain", "tls"])
def web(request, tmp_path, ca):
    """An aggregator with credentials, without anything for strangers."""
    w = Web(tmp_path, tls_of(ca) if request.param == "tls" else None,
            {"auth": credentials(tmp_path), "anonymous": "none"})
    w.start()
    yield w
    w.kill()
    log = w.log()
    for s in list(TOKENS.values()) + [PASSWORD, HASH, base64.b64encode(PASSWORD.encode()).decode()]:
        assert s not in log
    assert "Sanitizer" not in log


# --- roles ---

def test_each_role(web):
    rights = {None: 0, bearer("metrics"): 1, bearer("read"): 2, basic("old", PASSWORD): 2,
              bearer("admin"): 3, basic("ops", PASSWORD): 3}
    requests = [("GET", "/healthz", 0), ("GET", "/burrow/admin", 0), ("GET", "/metrics", 1),
                ("GET", "/v3/kafka", 2), ("GET", "/v3/config", 2), ("GET", "/api/v1/clusters", 2),
                ("GET", "/api/v1/rules", 2), ("DELETE", "/v3/kafka/c/consumer/g", 3),
                ("POST", "/v3/admin/loglevel", 3)]
    for authorization, role in rights.items():
        for method, path, least in requests:
            body = b'{"level":"error"}' if method == "POST" else b""
            status, headers, _ = web.ask(path, authorization, method, body)
            assert status == (200 if role >= least else 401 if role == 0 else 403), (path, role)
            challenges = [v for k, v in headers if k == "www-authenticate"]
            assert len(challenges) == (2 if status == 401 else 0)
    assert web.status("/v3/admin/loglevel", bearer("prod"), "POST", b'{"level":"info"}') == 403
    assert web.status("/v3/kafka/c/consumer/g", bearer("prod"), "DELETE") == 200
    assert web.status("/v3/kafka", bearer("prod").replace("Bearer", "bearer ")) == 200


def test_every_change_is_in_the_log_with_who_did_it(web):
    web.ask("/v3/kafka/c/consumer/g?x=%0a", bearer("admin"), "DELETE")
    web.ask("/v3/admin/loglevel", basic("ops", PASSWORD), "POST", b'{"level":"error"}')
    web.ask("/v3/kafka/c/consumer/g", bearer("read"), "DELETE")  # at level error
    web.ask("/v3/kafka/c/consumer/g", None, "DELETE")
    lines = [line for line in web.log().splitlines() if "change over HTTP" in line]
    assert len(lines) == 3
    for line, parts in zip(lines, [
            ["who=root", "from=127.0.0.1", "method=DELETE", "c/consumer/g?x=%0a", "status=200"],
            ["who=ops", "method=POST", r'body="{\"level\":\"error\"}"', "status=200"],
            ["who=grafana", "method=DELETE", "status=403"]]):
        for part in parts:
            assert part in line


def test_wrong_credentials_are_slowed_and_counted(web):
    wrong = [bearer("read")[:-1], bearer("read") + "0", "Bearer", "Digest x", "Basic !",
             basic("old", "x"), basic("old", ""), basic("nobody", PASSWORD),
             "Basic " + "A" * 8000, "\x80\xff"]
    for authorization in wrong:
        status = web.status("/v3/kafka", authorization, source="127.0.0.7")
        assert status in (401, 503), authorization  # 503: another password was just tried
    for _ in range(4):
        web.ask("/v3/kafka", "Bearer x", source="127.0.0.7")
    status, headers, _ = web.ask("/v3/kafka", basic("old", PASSWORD), source="127.0.0.7")
    assert status == 429 and 0 < int(dict(headers)["retry-after"]) <= 60
    assert web.status("/healthz", "Bearer x", source="127.0.0.7") == 200
    assert web.status("/v3/kafka", bearer("read"), source="127.0.0.7") == 200
    assert web.status("/v3/kafka", basic("old", PASSWORD), source="127.0.0.8") == 200
    text = web.ask("/metrics", bearer("metrics"))[2]
    assert 'warren_http_auth_failures_total{reason="wrong"} 1' in text  # 10 or more
    assert 'warren_http_auth_failures_total{reason="throttled"} 0' not in text
    lines = [line for line in web.log().splitlines() if "127.0.0.7" in line]
    assert len(lines) == 2 and "address blocked" in lines[1]


def test_guessing_passwords_leaves_the_others_served(web):
    """Each guess costs tens of milliseconds of a processor, and there are many addresses."""
    stop = threading.Event()

    def guess(n):
        while not stop.is_set():
            web.ask("/v3/kafka", basic("ops", "guess"), source="127.0.1.%d" % n)

    assert web.status("/v3/kafka", basic("ops", PASSWORD)) == 200  # remembered from here on
    threads = [threading.Thread(target=guess, args=(n,)) for n in range(1, 9)]
    for t in threads:
        t.start()
    try:
        began = time.monotonic()
        for _ in range(100):
            assert web.status("/v3/kafka", basic("ops", PASSWORD)) == 200
        assert time.monotonic() - began < 10
    finally:
        stop.set()
        for t in threads:
            t.join()


# --- configuration ---

def refused(dir, http, insecure=False):
    w = Web(dir, http=http, insecure=insecure)
    done = subprocess.run([w.program, "-c", w.config, "--check-config"], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 1
    for s in list(TOKENS.values()) + [PASSWORD, HASH]:
        assert s not in done.stderr + done.stdout
    return done.stderr


def test_what_is_not_safe_does_not_start(tmp_path, ca):
    tls = tls_of(ca)
    open_to_all = {"listen": "0.0.0.0:18011"}
    who = {"name": "n", "roles": ["read"]}
    assert "set http.tls and http.auth, or insecure: true" in refused(tmp_path, open_to_all)
    assert "without credentials" in refused(tmp_path, {**open_to_all, "tls": tls})
    assert "without TLS" in refused(tmp_path, {**open_to_all, "auth": credentials(tmp_path)})
    (tmp_path / "w").write_text(TOKENS["read"])
    (tmp_path / "w").chmod(0o644)
    assert "others may read" in refused(
        tmp_path, {"auth": [{**who, "token_file": str(tmp_path / "w")}]})
    assert "too short" in refused(
        tmp_path, {"auth": [{**who, "token_file": secret(tmp_path / "s", "guess")}]})
    assert "n: password_hash: is no hash" in refused(
        tmp_path, {"auth": [{**who, "user": "u", "password_hash": "$1$abc$x"}]})
    assert "b: has the token of a" in refused(tmp_path, {"auth": [
        {"name": n, "roles": ["read"], "token_file": secret(tmp_path / "t", TOKENS["read"])}
        for n in "ab"]})
    os.chmod(tls["key_file"], 0o644)
    assert "others may read" in refused(tmp_path, {"tls": tls})
    os.chmod(tls["key_file"], 0o600)
    other = tls_of(ca, "other")
    assert "is not the key" in refused(tmp_path, {"tls": {**tls, "key_file": other["key_file"]}})
    assert "has expired" in refused(tmp_path, {"tls": tls_of(ca, "past", days=0)})


def test_secrets_are_not_shown(web):
    done = subprocess.run([web.program, "-c", web.config, "--print-config"], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 0 and 'password_hash: "***"' in done.stdout
    for s in list(TOKENS.values()) + [PASSWORD, HASH]:
        assert s not in done.stdout
    pid = web.process.pid
    with open("/proc/%d/cmdline" % pid) as f:
        assert f.read().split("\0")[1:3] == ["-c", web.config]
    with open("/proc/%d/limits" % pid) as f:
        limit = [line for line in f if line.startswith("Max core file size")][0]
    assert limit.split()[4:6] == ["0", "0"]
    if os.geteuid() != 0:
        assert os.stat("/proc/%d/environ" % pid).st_uid == 0  # not dumpable: not ours to read


def test_a_machine_of_its_own_is_as_open_as_burrow(tmp_path):
    w = Web(tmp_path).start()
    try:
        assert w.status("/v3/kafka") == 200
        assert w.status("/v3/kafka", "Basic whatever") == 200
        assert w.status("/v3/kafka/c/consumer/g", method="DELETE") == 200
        assert w.status("/api/v1/rules/reload", method="POST") == 403
    finally:
        w.kill()


def test_strangers_may_be_let_read(tmp_path, ca):
    w = Web(tmp_path, tls_of(ca), {"anonymous": "read", "auth": credentials(tmp_path)}).start()
    try:
        assert w.status("/v3/kafka") == 200
        assert w.status("/v3/kafka", "Bearer wrong") == 401
        assert w.status("/v3/kafka/c/consumer/g", method="DELETE") == 401
    finally:
        w.kill()


# --- certificates ---

def context(files=None, ca_file=None):
    c = ssl.create_default_context(cafile=ca_file) if ca_file else ssl._create_unverified_context()
    if files:
        c.load_cert_chain(files["cert_file"], files["key_file"])
    return c


def tls_status(web, c, **more):
    web.tls = c
    try:
        return web.ask("/v3/kafka", **more)[0]
    except (OSError, IndexError, ValueError):
        return None  # nothing was answered


def test_clients_show_certificates(tmp_path, ca):
    stranger = Authority(tmp_path / "stranger", "stranger-ca")
    ops, other = ca.issue("ops.example"), ca.issue("other.example")
    http = {"anonymous": "none",
            "auth": [{"name": "ops", "client_cn": "ops.example", "roles": ["read"]},
                     {"name": "t", "token_file": secret(tmp_path / "t", TOKENS["read"]),
                      "roles": ["read"]}]}
    w = Web(tmp_path, {**tls_of(ca), "client_ca_file": ca.ca}, http).start()
    try:
        assert tls_status(w, context(ops, ca.ca)) == 200
        assert tls_status(w, context(other)) == 401
        assert tls_status(w, context(other), authorization=bearer("read")) == 200
        for wrong in (None, stranger.issue("ops.example"), ca.issue("ops.example", days=0,
                                                                    file="late")):
            assert tls_status(w, context(wrong), authorization=bearer("read")) is None
        old = context(ops)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert tls_status(w, old) == 200
        old = context(ops)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        assert tls_status(w, old) is None
    finally:
        w.kill()


def serial(web):
    with web.dial() as s:
        return ssl.DER_cert_to_PEM_cert(s.getpeercert(binary_form=True))


def test_certificates_are_changed_without_an_end(tmp_path, ca):
    tls = tls_of(ca, "turn")
    w = Web(tmp_path, tls, {"auth": credentials(tmp_path), "anonymous": "read"}).start()
    try:
        first = serial(w)
        kept = w.dial()
        other = tls_of(ca, "turn-2")
        for name in tls:
            os.replace(other[name], tls[name])
        w.process.send_signal(signal.SIGHUP)
        wait_for("the new certificate", WAIT_S, lambda: serial(w) != first)
        kept.sendall(b"GET /v3/kafka HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert hear(kept).startswith(b"HTTP/1.1 200")
        second = serial(w)
        with open(tls["key_file"], "w") as f:
            f.write("no key\n")
        w.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", WAIT_S, lambda: "certificate for HTTP refused" in w.log())
        assert serial(w) == second and w.status("/v3/kafka") == 200
    finally:
        w.kill()


# --- hostile clients ---

CLOSE = b"Host: x\r\nConnection: close\r\n\r\n"


def statuses(answer):
    """Of each answer. Of refusals of its own, after which it ends the connection, libmicrohttpd
    0.9.75 sends the head twice: they count as one."""
    found = [int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]
             if part[3:4] == b" " and part[:3].isdigit()]
    return found[:1] if b"<html>" in answer and len(set(found)) == 1 else found


def smuggled():
    """Requests with a second one where another reader could see the end of the first."""
    admin = ("Authorization: %s\r\n" % bearer("admin")).encode()
    second = b"DELETE /v3/kafka/c/consumer/smuggled HTTP/1.1\r\nHost: x\r\n" + admin + b"\r\n"
    size = str(len(second)).encode()
    head = b"POST /v3/admin/loglevel HTTP/1.1\r\nHost: x\r\n" + admin
    chunk = b"%x\r\n" % len(second)
    for lines in (b"Content-Length: " + size + b"\r\nTransfer-Encoding: chunked\r\n",
                  b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
                  b"Content-Length: 0\r\nContent-Length: " + size + b"\r\n",
                  b"Content-Length: " + size + b"\r\nContent-Length: " + size + b"\r\n",
                  b"Content-Length: +0\r\n", b"Content-Length: 0, " + size + b"\r\n",
                  b"Content-Length : " + size + b"\r\n", b"Content-Length\t: 5\r\n",
                  b"Content-Length: 0x0\r\n", b"Content-Length: -0\r\n", b"Content-Length:\r\n",
                  b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: xchunked\r\n",
                  b"Transfer-Encoding: chunked, identity\r\n",
                  b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                  b"Transfer-Encoding : chunked\r\n", b"X: a\rContent-Length: 5\r\n",
                  b"Host: y\r\n", admin):
        yield head + lines + b"\r\n" + second
    for lines in (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",):
        yield head + lines + b"\r\n" + chunk + second + b"\r\n0\r\n\r\n"


def test_requests_of_two_readings_are_refused(web):
    for data in smuggled():
        answer = web.raw(data)
        assert statuses(answer) == [400], (data, answer)
    assert "smuggled" not in web.log()


def test_folds_and_bare_line_feeds_end_where_they_seem_to(web):
    """What is let through is read in one way: one answer a request, none in a body."""
    for data in (b"GET /v3/kafka HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\nConnection: close\r\n\r\n",
                 b"GET /v3/kafka HTTP/1.1\nHost: x\nConnection: close\n\n",
                 b"POST /v3/admin/loglevel HTTP/1.1\r\nHost: x\r\nX: a\r\n Content-Length: 5\r\n"
                 b"Connection: close\r\n\r\n",
                 b"POST /v3/admin/loglevel HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n" + CLOSE +
                 b"0\r\n\r\n"):
        assert len(statuses(web.raw(data))) == 1, data


def test_a_nul_does_not_shorten_a_path(web):
    admin = ("Authorization: %s\r\n" % bearer("admin")).encode()
    for target in (b"/v3/kafka/c/consumer/g\0/topic/t", b"/v3/kafka/c/consumer/g/topic/t\0",
                   b"/v3/kafka/c/consumer/g?\0", b"/v3/kafka/c/consumer/\0g", b"\0",
                   b"/v3/kafka/c/consumer/g%00/topic/t", b"/v3/kafka/c/consumer/%zz",
                   b"/v3/kafka/c/consumer/%", b"/v3/kafka/c/consumer/%4"):
        answer = web.raw(b"DELETE " + target + b" HTTP/1.1\r\n" + admin + CLOSE)
        assert statuses(answer) == [400], (target, answer)
        answer = web.raw(b"GET " + target + b" HTTP/1.1\r\n" + admin + CLOSE)
        assert statuses(answer) == [400], (target, answer)
    assert "change over HTTP" not in web.log()
    answer = web.raw(b"DELETE /v3/kafka/c/consumer/g HTTP/1.1\0\r\n" + admin + CLOSE)
    assert statuses(answer) in ([400], [505], []), answer


def test_large_and_odd_requests_are_refused(web):
    for data, wanted in (
            (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + CLOSE, {414, 400}),
            (b"GET /v3/kafka HTTP/1.1\r\nX: " + b"y" * 40000 + b"\r\n" + CLOSE, {431, 413}),
            (b"GET /v3/kafka HTTP/1.1\r\n" + b"X: y\r\n" * 8000 + CLOSE, {431, 413}),
            (b"GET /v3/kafka HTTP/1.1\r\n: y\r\n" + CLOSE, {400}),
            (b"GET /v3/kafka HTTP/1.1\r\nno colon\r\n" + CLOSE, {400}),
            (b"GET /v3/kafka HTTP/1.1\r\n\r\n", {400}),
            (b"GET http://x:y@evil/../v3/kafka HTTP/1.1\r\n" + CLOSE, {401, 301, 404}),
            (b"CONNECT x:1 HTTP/1.1\r\n" + CLOSE, {400}),
            (b"POST /v3/admin/loglevel HTTP/1.1\r\nContent-Length: 65537\r\n" + CLOSE, {413}),
            (b"GET /v3/kafka HTTP/1.1\r\nContent-Length: 5\r\n" + CLOSE + b"hello", {400})):
        answer = statuses(web.raw(data))
        assert len(answer) <= 1 and set(answer) <= wanted, (data[:60], answer)
    assert web.status("/v3/kafka", bearer("read")) == 200


def hello():
    """The first flight of a TLS client."""
    out = ssl.MemoryBIO()
    try:
        ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


def test_scans_find_nothing(web):
    chance = random.Random(7)
    probes = [b"", b"\r\n" * 50, hello(), b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n",
              b"\x00" * 400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n" + CLOSE,
              b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00"]
    probes += [chance.randbytes(chance.randrange(1, 2000)) for _ in range(30)]
    for probe in probes:
        for tls in ((False, True) if web.tls else (False,)):
            with web.dial(tls=tls) as s:
                try:
                    s.sendall(probe)
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                answer = hear(s)
            assert b"HTTP/1.1 200" not in answer.replace(b"Allow", b"", 1) or b"OPTIONS" in probe
    assert web.status("/v3/kafka", bearer("read")) == 200
    assert len(web.log().splitlines()) < 30


def test_a_thousand_connections_leave_when_they_are_told(web):
    idle = []
    for n in range(1000):
        s = socket.socket()
        s.settimeout(0.2)
        s.bind(("127.0.%d.%d" % (2 + n // 50, 1 + n % 50), 0))
        try:
            s.connect(("127.0.0.1", web.http_port))
        except OSError:
            pass
        idle.append(s)
    assert web.running()
    for s in idle:
        s.close()
    wait_for("room", WAIT_S, lambda: web.status("/v3/kafka", bearer("read")) == 200)
    assert len(web.log().splitlines()) < 30


def test_slow_clients_leave_room_and_are_ended(tmp_path, ca):
    w = Web(tmp_path, http={"auth": credentials(tmp_path), "idle_timeout": "2s"}).start()
    slow = []
    try:
        for n in range(80):  # of which 60 are let in
            s = w.dial("127.0.0.9")
            s.sendall(b"GET /v3/kafka HTTP/1.1\r\nX: ")
            slow.append(s)
        began = time.monotonic()
        assert w.status("/v3/kafka") == 200
        assert time.monotonic() - began < 1
        # They never are silent for long, and end all the same.
        alive = set(slow)
        while alive and time.monotonic() - began < 40:
            for s in list(alive):
                try:
                    s.sendall(b"x")
                except OSError:
                    alive.discard(s)
            time.sleep(0.5)
        assert not alive
        assert 10 < time.monotonic() - began < 38  # 2 s and 15 s
    finally:
        for s in slow:
            s.close()
        w.kill()


# --- clusters ---

def test_each_sees_his_clusters(tmp_path, ca, demo, start_agent):
    w = Web(tmp_path, tls_of(ca), {"auth": credentials(tmp_path), "anonymous": "none"}).start()
    prod, dev = "prod-seoul", "dev-lab"
    try:
        start_agent("agent", [w], [cluster(prod, demo[prod], "PROD"), cluster(dev, demo[dev], "DEV")])

        def groups(name, who):
            status, _, body = w.ask("/v3/kafka/%s/consumer" % name, bearer(who))
            return json.loads(body)["consumers"] if status == 200 else []

        wait_for("the groups", 60, lambda: "order-fulfilment" in groups(prod, "prod") and
                 "order-fulfilment" in groups(dev, "read"))
        for who, seen in (("read", {prod, dev}), ("prod", {prod}), ("admin", {prod, dev})):
            for path in ("/v3/kafka", "/v3/config/cluster", "/v3/config/consumer",
                         "/api/v1/clusters", "/metrics"):
                status, _, body = w.ask(path, bearer(who))
                assert status == 200
                assert {c for c in (prod, dev) if '"%s"' % c in body} == seen, (who, path)
        for path in ("/v3/kafka/%s", "/v3/kafka/%s/topic", "/v3/kafka/%s/consumer/checkout-debug",
                     "/v3/kafka/%s/consumer/checkout-debug/lag", "/v3/config/consumer/%s",
                     "/api/v1/clusters/%s", "/api/v1/clusters/%s/groups/checkout-debug/explain"):
            hidden = w.ask(path % dev, bearer("prod"))
            absent = w.ask(path % "dev-pub", bearer("prod"))
            assert hidden[0] == absent[0] == 404
            assert hidden[2] == absent[2].replace("dev-pub", dev)
            assert w.status(path % dev, bearer("read")) == 200
        # What he does not see he cannot delete, and is not told so.
        for name, who, left in ((dev, "prod", True), (dev, "admin", False)):
            path = "/v3/kafka/%s/consumer/checkout-debug" % name
            assert w.status(path, bearer(who), "DELETE") == 200
            assert ("checkout-debug" in groups(dev, "read")) == left
    finally:
        w.kill()
