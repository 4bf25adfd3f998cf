# SPDX-License-Identifier: Apache-2.0
"""Messages on their way: receivers that misbehave, and mail over TLS with a password."""

import email
import email.policy
import http.server
import json
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from broker import VERSIONS, Broker
from certs import Authority
from clients import unique
from conftest import SETTINGS
from test_incidents import Groups, change, make_aggregator, of_groups, quick_rules
from warren import AGGREGATOR, cluster, free_ports, wait_for


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with Broker(VERSIONS[-1], tmp_path_factory.mktemp("kafka"), properties=SETTINGS) as b:
        yield b


class Hostile(http.server.ThreadingHTTPServer):
    """Does to each request what comes next in its script; the last for ever."""

    def __init__(self, *script):
        super().__init__(("127.0.0.1", 0), HostileHandler)
        self.script, self.got, self.lock = list(script), [], threading.Lock()
        self.url = "http://127.0.0.1:%d/hook" % self.server_port
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def next(self):
        with self.lock:
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def handle_error(self, request, address):
        pass


class HostileHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        what = self.server.next()
        self.server.got.append((what, self.headers["Idempotency-Key"], body, time.time()))
        getattr(self, what)()

    def taken(self, status=200, headers=(), body=b""):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def fails(self):
        self.taken(500, body=b"no")

    def busy(self):
        self.taken(429, [("Retry-After", "2")])

    def refuses(self):
        self.taken(403)

    def redirects(self):
        self.taken(302, [("Location", "http://127.0.0.1:1/elsewhere")])

    def resets(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def halves(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half of it")
        self.close_connection = True

    def sleeps(self):
        time.sleep(4)

    def floods(self):
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(64):
                self.wfile.write(b"x" * (1 << 20))
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, *args):
        pass


def receiver(name, url, **more):
    return {"name": name, "type": "webhook", "url": url, "timeout": "2s",
            "retry": {"first": "1s", "max": "1s", "for": "5m"}, **more}


def test_what_fails_comes_again_with_its_key_and_holds_up_nobody(kafka, tmp_path, start_agent):
    bad = Hostile("fails", "resets", "halves", "busy", "sleeps", "taken")
    good = Hostile("taken")
    dead = Hostile("refuses")
    moved = Hostile("redirects")
    servers = {"bad": bad, "good": good, "dead": dead, "moved": moved}
    a = make_aggregator(tmp_path, rules_file=quick_rules(tmp_path), alert={
        "receivers": [receiver(n, s.url) for n, s in servers.items()],
        "route": {"receiver": "", "routes": [
            {"receiver": n, "wait": "0s", "continue": True, "kind": ["group"]} for n in servers]}})
    try:
        groups = Groups(kafka.bootstrap, 1)
        start_agent("agent", [a], [cluster(unique("told"), kafka.bootstrap,
                                           groups={"allow": [groups.list[0].name]})])
        groups.list[0].stuck = True
        groups.until("the incident", 60, lambda: of_groups(a))
        wait_for("who takes it", 60, lambda: good.got)
        wait_for("who takes it in the end", 60, lambda: bad.got and bad.got[-1][0] == "taken")
        tried = [(what, body) for what, key, body, _ in bad.got if key == bad.got[0][1]]
        assert [what for what, _ in tried] == ["fails", "resets", "halves", "busy", "sleeps",
                                               "taken"], bad.got
        assert len({body for _, body in tried}) == 1
        assert good.got[0][3] <= bad.got[1][3], "a receiver that fails holds up no other"
        assert bad.got[4][3] - bad.got[3][3] >= 2, "Retry-After is honoured"

        def dead_letters():
            return {m["receiver"]: m for m in a.json("/api/v1/outbox?state=dead")["messages"]} \
                if a.running() else {}
        wait_for("the dead letters", 10, lambda: set(dead_letters()) == {"dead", "moved"})
        assert "403" in dead_letters()["dead"]["error"]
        assert len(dead.got) == 1 and len(moved.got) == 1
        wait_for("what was confirmed to be written down", 10, lambda: {"bad", "good"} <= {
            m["receiver"] for m in a.json("/api/v1/outbox?state=sent")["messages"]})
        before = {n: len(s.got) for n, s in servers.items()}
        a.kill()
        a.start()
        time.sleep(3)
        assert {n: len(s.got) for n, s in servers.items()} == before, "confirmed is confirmed"
        check_back(a, dead, dead_letters()["dead"])
    finally:
        a.kill()
        for s in servers.values():
            s.shutdown()


def check_back(a, receiver, letter):
    """What is dead can be put back, once its receiver takes it."""
    receiver.script = ["taken"]
    path = "/api/v1/outbox/%d/retry" % letter["id"]
    assert change(a, path, token="wrong")[0] == 401
    assert change(a, path) == (204, None)
    wait_for("the dead letter", 60, lambda: receiver.got[-1][0] == "taken")
    assert receiver.got[-1][1:3] == receiver.got[0][1:3], "it is what it was, and has its key"
    assert change(a, path)[0] == 404
    wait_for("what became of it", 60, lambda: [
        m for m in a.json("/api/v1/outbox?state=sent")["messages"] if m["key"] == letter["key"]])


def notify_test(tmp_path, receiver, secret=None):
    """Exit status and output of warren-aggregator notify-test with one receiver."""
    if secret is not None:
        (tmp_path / "password").write_text(secret + "\n")
        (tmp_path / "password").chmod(0o600)
    link, web = free_ports(2)
    (tmp_path / "data").mkdir(exist_ok=True)
    config = {"data_dir": str(tmp_path / "data"), "listen": ["tcp://127.0.0.1:%d" % link],
              "http": {"listen": "127.0.0.1:%d" % web},
              "alert": {"receivers": [receiver], "route": {"receiver": receiver["name"]}}}
    file = tmp_path / "aggregator.yaml"
    file.write_text(json.dumps(config))
    run = subprocess.run([AGGREGATOR, "notify-test", "--config", str(file), receiver["name"]],
                         capture_output=True, text=True, timeout=60)
    return run.returncode, run.stdout + run.stderr


def test_a_huge_answer_is_no_trouble(tmp_path):
    flood = Hostile("floods")
    status, text = notify_test(tmp_path, receiver("hook", flood.url))
    flood.shutdown()
    assert len(flood.got) == 1
    assert status == 0 and len(text) < 4096, text


class Box:
    """An SMTP server that keeps what it gets, and wants a password."""

    def __init__(self, dir, authority, implicit):
        files = authority.issue("localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files["cert_file"], files["key_file"])
        tls = {"ssl_context": context} if implicit else {"tls_context": context}
        port, = free_ports(1)
        self.got, self.encrypted = [], []
        self.controller = Controller(
            self, hostname="127.0.0.1", port=port, authenticator=self.authenticate,
            auth_required=True, auth_require_tls=not implicit,
            require_starttls=not implicit, **tls)
        self.url = "%s://localhost:%d" % ("smtps" if implicit else "smtp", port)
        self.controller.start()

    def authenticate(self, server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and \
            (data.login, data.password) == (b"warren", b"sesame")
        return AuthResult(success=right, handled=False)

    async def handle_DATA(self, server, session, envelope):
        envelope.taken_ms = time.time() * 1000
        self.got.append(envelope)
        return "250 taken"


@pytest.fixture(params=["STARTTLS", "TLS"])
def box(request, tmp_path):
    authority = Authority(tmp_path / "ca")
    b = Box(tmp_path, authority, request.param == "TLS")
    b.ca = authority.ca
    yield b
    b.controller.stop()


def mail(box, **more):
    return {"name": "mail", "type": "mail", "server": box.url, "user": "warren",
            "password_file": "password", "from": "warren@example.org",
            "to": ["ops@example.org", "night@example.org"], "tls": {"ca_file": box.ca},
            "timeout": "10s", **more}


def test_mail_goes_over_tls_with_a_password(box, tmp_path):
    status, text = notify_test(tmp_path, mail(box), "sesame")
    assert status == 0, text
    assert "sesame" not in text
    envelope, = box.got
    assert envelope.mail_from == "warren@example.org"
    assert sorted(envelope.rcpt_tos) == ["night@example.org", "ops@example.org"]
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["From"].addresses[0].addr_spec == "warren@example.org"
    assert message["Subject"] and message["Date"] and message["Message-ID"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_body(("plain",)).get_content().strip()
    assert "<" in message.get_body(("html",)).get_content()


def test_mail_does_not_go_to_who_is_not_known_nor_with_a_wrong_password(box, tmp_path):
    status, text = notify_test(tmp_path, mail(box), "guess")
    assert status != 0 and "guess" not in text
    stranger = Authority(tmp_path / "other")
    status, text = notify_test(tmp_path, mail(box, tls={"ca_file": stranger.ca}), "sesame")
    assert status != 0 and "certificate" in text.lower()
    assert box.got == []


def check_in_time(a, mail):
    """The pass comes first, then the message, then the mail: which is no time that may be tested,
    but is shown."""
    opened_ms = of_groups(a)[0]["opened_ms"]
    decided_ms = a.json("/api/v1/outbox?state=all")["messages"][0]["created_ms"]
    assert opened_ms <= decided_ms <= mail.taken_ms + 1
    print("from the pass to the message %d ms, to the mail's last byte %d ms" %
          (decided_ms - opened_ms, mail.taken_ms - opened_ms))


def test_a_mail_shows_how_the_lag_grew(kafka, tmp_path, start_agent):
    authority = Authority(tmp_path / "ca")
    box = Box(tmp_path, authority, False)
    box.ca = authority.ca
    (tmp_path / "password").write_text("sesame\n")
    (tmp_path / "password").chmod(0o600)
    a = make_aggregator(tmp_path, rules_file=quick_rules(tmp_path), alert={
        "receivers": [mail(box)], "route": {"receiver": "", "routes": [
            {"receiver": "mail", "wait": "0s", "kind": ["group"]}]}})
    try:
        groups = Groups(kafka.bootstrap, 1)
        start_agent("agent", [a], [cluster(unique("told"), kafka.bootstrap,
                                           groups={"allow": [groups.list[0].name]})])
        groups.list[0].stuck = True
        opened = groups.until("the mail", 60, lambda: box.got)[0]
        check_in_time(a, opened)
        groups.list[0].stuck = False
        groups.until("the end", 60, lambda: len(box.got) > 1)
    finally:
        a.kill()
        box.controller.stop()
    first, last = [email.message_from_bytes(e.content, policy=email.policy.default)
                   for e in (opened, box.got[-1])]
    picture, = [part for part in first.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content().startswith(b"\x89PNG\r\n\x1a\n") and picture["Content-ID"]
    html = first.get_body(("html",)).get_content()
    assert "cid:" + picture["Content-ID"].strip("<>") in html
    assert groups.list[0].name in first.get_body(("plain",)).get_content()
    assert first["References"] and first["References"] == last["References"], "they stay together"
    assert first["Message-ID"] != last["Message-ID"]
