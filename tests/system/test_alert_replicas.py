# SPDX-License-Identifier: Apache-2.0
"""Two aggregators that are fed by the same agent: one tells, and the other when that one is gone."""

import http.server
import re
import threading
import time

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
