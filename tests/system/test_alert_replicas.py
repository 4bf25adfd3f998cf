# SPDX-License-Identifier: Apache-2.0
"""Two aggregators that are fed by the same agent: one tells, and the other when that one is gone."""

import http.server
import re
import ssl
import threading
import time
import urllib.request

from certs import Authority
from clients import unique
from warren import Aggregator, cluster, wait_for


class Hook:
    """A webhook that counts what it gets, by the key."""

    def __init__(self):
        keys = self.keys = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                keys.append(self.headers["Idempotency-Key"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def make_pair(dir, hook, **more):
    pair = [Aggregator(dir, "first"), Aggregator(dir, "second")]
    for a in pair:
        alert = {"send": "first-alive", "peers": [p.url for p in pair], "self": a.url,
                 "takeover_after": "3s",
                 "receivers": [{"name": "hook", "type": "webhook", "url": hook.url}],
                 "route": {"receiver": "hook", "wait": "0s", "repeat_interval": "0s"}}
        alert.update(more)
        a.write_config({**a.settings, "alert": alert})
    return [a.start() for a in pair]


def outbox(aggregator, state="all"):
    return aggregator.json("/api/v1/outbox?state=" + state)["messages"]


def blind(aggregator):
    found = aggregator.json("/api/v1/incidents")["incidents"]
    return [i for i in found if i["kind"] == "blind"]


def metric(aggregator, name):
    found = re.search(r"^%s (\d+)$" % re.escape(name), aggregator.get("/metrics")[1],
                      re.MULTILINE)
    return int(found.group(1))


def test_one_tells_and_the_other_takes_over(own_broker, tmp_path, start_agent):
    hook = Hook()
    first, second = make_pair(tmp_path, hook)
    try:
        agent = start_agent("agent", [first, second],
                            [cluster(unique("pair"), own_broker.bootstrap)])
        for a in (first, second):
            wait_for("the cluster", 60, lambda: a.clusters())
        time.sleep(5)  # some passes
        check_one_tells(first, second, agent, hook)
        check_takeover(first, second, agent, hook)
    finally:
        first.kill()
        second.kill()
        hook.close()


def check_one_tells(first, second, agent, hook):
    agent.kill()
    for a in (first, second):
        wait_for("the blind cluster", 60, lambda: blind(a))
    wait_for("the message", 10, lambda: len(hook.keys) == 1)
    assert metric(first, "warren_alert_sends") == 1
    assert metric(second, "warren_alert_sends") == 0
    wait_for("the row of the other", 20, lambda: outbox(second, "elsewhere"))
    agent.start()
    for a in (first, second):
        wait_for("sight", 60, lambda: not blind(a))
    wait_for("the end", 10, lambda: len(hook.keys) == 2)
    wait_for("the row of the other", 20, lambda: len(outbox(second, "elsewhere")) == 2)
    assert [m["kind"] for m in outbox(first)] == ["open", "resolve"]
    assert [m["state"] for m in outbox(first)] == ["sent", "sent"]
    assert [m["key"] for m in outbox(first)] == [m["key"] for m in outbox(second)]
    assert len(set(hook.keys)) == len(hook.keys) == 2


def check_takeover(first, second, agent, hook):
    first.kill()
    wait_for("the takeover", 20, lambda: metric(second, "warren_alert_sends") == 1)
    agent.kill()
    wait_for("the blind cluster", 60, lambda: blind(second))
    wait_for("the message", 10, lambda: len(hook.keys) == 3)
    assert len(set(hook.keys)) == 3
    wait_for("what became of it", 10, lambda: outbox(second, "sent"))
    second.kill()
    second.start()
    wait_for("the takeover", 20, lambda: metric(second, "warren_alert_sends") == 1)
    time.sleep(2)
    assert len(hook.keys) == 3
    assert [m["state"] for m in outbox(second)] == ["elsewhere", "elsewhere", "sent"]
    assert outbox(second, "waiting") == []


class Secure(Aggregator):
    """Answers over TLS, and those alone who show a certificate of its authority."""

    def __init__(self, dir, name, authority, **alert):
        super().__init__(dir, name)
        self.url = "https://localhost:%d" % self.http_port
        files = authority.issue(name)
        self.tls = ssl.create_default_context(cafile=authority.ca)
        self.tls.load_cert_chain(files["cert_file"], files["key_file"])
        http = {**self.settings["http"], "tls": {"cert_file": files["cert_file"],
                                                 "key_file": files["key_file"],
                                                 "client_ca_file": authority.ca}}
        self.write_config({**self.settings, "http": http})
        self.alert = {"send": "first-alive", "self": self.url, "takeover_after": "3s",
                      "peer_tls": files, **alert}

    def start_among(self, peers):
        self.alert["peers"] = [p.url for p in peers]
        self.write_config({**self.settings, "alert": self.alert})
        return self.start()

    def get(self, path, method="GET", body=None):
        try:
            with urllib.request.urlopen(self.url + path, timeout=10, context=self.tls) as answer:
                return answer.status, answer.read().decode()
        except OSError:
            return 0, ""

    def sends(self):
        return metric(self, "warren_alert_sends") == 1


def test_peers_know_each_other_by_certificate(tmp_path):
    """The second hears the first over TLS; who trusts another authority hears nobody, and does
    what fail_open says."""
    authority, stranger = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    wrong = {"peer_tls": stranger.issue("stranger")}
    first = Secure(tmp_path, "first", authority)
    second = Secure(tmp_path, "second", authority)
    deaf = Secure(tmp_path, "deaf", authority, **wrong)
    shy = Secure(tmp_path, "shy", authority, fail_open=False, **wrong)
    peers = [first, second, deaf, shy]
    try:
        for a in peers:
            a.start_among(peers)
        wait_for("each to know", 60,
                 lambda: [a.sends() for a in peers] == [True, False, True, False])
        first.kill()
        wait_for("the takeover", 60, second.sends)
        assert not shy.sends()
    finally:
        for a in peers:
            a.kill()
