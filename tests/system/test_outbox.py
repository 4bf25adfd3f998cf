# SPDX-License-Identifier: Apache-2.0
"""Messages and kill -9: at every step between the transition and the mark that it was told of."""

import collections
import concurrent.futures
import http.client
import http.server
import itertools
import os
import shutil
import threading
import time
import urllib.request

import pytest

from clients import unique
from test_durability import Load, check
from test_incidents import change, incidents, make_aggregator, one
from warren import BUILD, Aggregator, preload, wait_for

STEPKILL = preload(os.path.join(BUILD, "tests", "libdurability_stepkill.so"))
AT_ONCE = 6  # so many aggregators are killed at a time
STEPS_MAX = 100


class Receiver(http.server.HTTPServer):
    """Counts by key what it is asked to take and what it has confirmed, one after the other; held,
    it confirms nothing."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), ReceiverHandler)
        self.asked, self.confirmed = collections.Counter(), collections.Counter()
        self.goes_on = threading.Event()
        self.goes_on.set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return "http://127.0.0.1:%d/" % self.server_port

    def drain(self):
        """Return when all who have connected before were seen to."""
        urllib.request.urlopen(self.url(), timeout=60).close()

    def handle_error(self, request, address):
        pass


class ReceiverHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        key = self.headers["Idempotency-Key"]
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked[key] += 1
        self.server.goes_on.wait()
        self.server.confirmed[key] += 1
        self.send_response(204)
        self.end_headers()

    def do_GET(self):
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


def alert(url):
    return {"receivers": [{"name": "hook", "type": "webhook", "url": url,
                           "retry": {"first": "1s", "max": "1s"}}],
            "route": {"receiver": "hook", "wait": "0s", "repeat_interval": "0s"}}


def outbox(aggregator, state="all"):
    answer = aggregator.json("/api/v1/outbox?state=" + state)
    return answer["messages"] if answer else []


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    """The store of an aggregator with one incident, of which its receiver was told."""
    dir = tmp_path_factory.mktemp("seed")
    receiver = Receiver()
    a = make_aggregator(dir, alert=alert(receiver.url()))
    try:
        Load(a, unique("agent"), passes=3, groups=1, partitions=1, interval_ms=100).result()
        wait_for("the blind cluster", 60, lambda: incidents(a))
        wait_for("the mark", 60, lambda: outbox(a, "sent"))
        assert a.stop()[0] == 0
    finally:
        a.kill()
        receiver.shutdown()
    return a


class Life:
    """An aggregator on a copy of that store, which is killed before its step of this number, and
    what its receiver saw."""

    def __init__(self, dir, seed, step):
        self.receiver = Receiver()
        self.a = Aggregator(dir, alert=alert(self.receiver.url()))
        self.a.write_config({**seed.settings, **self.a.settings,
                             "http": {**seed.settings["http"], **self.a.settings["http"]}})
        shutil.copytree(seed.data_dir(), self.a.data_dir())
        self.arm = dir / "arm"
        self.step = step
        self.a.environment = {"LD_PRELOAD": STEPKILL, "STEPKILL": str(self.arm)}

    def steps(self):
        steps = self.arm.with_suffix(".steps")
        return steps.read_text().split() if steps.exists() else []

    def run(self):
        """Returns the step that it died of, None: none, and how far the message was by then."""
        try:
            self.begin()
            self.end()
        finally:
            self.a.kill()
            self.receiver.goes_on.set()
            self.receiver.shutdown()
        return self.died_of, self.fate

    def begin(self):
        """Resolve the incident, and die on the way to the mark."""
        self.a.start()
        self.opened, = outbox(self.a)
        self.incident, = incidents(self.a)
        part = self.arm.with_suffix(".part")
        part.write_text(str(self.step))
        part.rename(self.arm)
        try:
            self.answer, _ = change(self.a, "/api/v1/incidents/%s/resolve" % self.incident["id"])
        except (OSError, http.client.HTTPException, ValueError):
            self.answer = None  # or a part of one
        wait_for("death, or the mark", 60,
                 lambda: not self.a.running() or len(outbox(self.a, "sent")) == 2)
        self.died_of = None if self.a.running() else self.steps()[-1]
        self.a.kill()

    def end(self):
        """Start again, and compare what the store holds with what the receiver saw, then and in
        the end."""
        self.receiver.drain()
        before = self.receiver.confirmed.copy()
        self.receiver.goes_on.clear()
        self.a.environment = {}
        self.a.start()
        if one(self.a, self.incident["id"])["state"] == "resolved":
            row, = wait_for("the message of the transition", 60, self.rows)
            self.receiver.goes_on.set()
            wait_for("the mark", 60, lambda: len(outbox(self.a, "sent")) == 2)
            assert set(self.receiver.asked) == {row["key"]}, "it comes again with its key"
            self.fate = self.fate_of(row, before[row["key"]], self.receiver.confirmed[row["key"]])
        else:
            assert self.answer is None and self.rows() == [], "nothing was promised"
            assert not self.receiver.asked
            self.fate = "not decided"
        self.a.kill()
        check(self.a)

    def rows(self):
        """What the outbox holds of messages after the opening, of which all were told before."""
        return [m for m in outbox(self.a) if m["id"] != self.opened["id"]]

    def fate_of(self, row, before, after):
        if row["state"] == "sent":
            assert (before, after) == (1, 1), "what is marked was confirmed, and never comes again"
            return "marked"
        assert row["state"] == "waiting" and before <= 1
        assert after == before + 1, "what is not marked comes once more"
        return "confirmed" if before else "decided"


def test_a_kill_at_any_step_loses_nothing_and_repeats_nothing_that_was_marked(seed, tmp_path):
    began = time.monotonic()

    def live(step):
        return Life(tmp_path / str(step), seed, step).run()

    told = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for first in itertools.count(0, AT_ONCE):
            assert first < STEPS_MAX
            told += pool.map(live, range(first, first + AT_ONCE))
            if any(died_of is None for died_of, _ in told):
                break
    for step, (died_of, fate) in enumerate(told):
        print("%2d %-8s %s" % (step, died_of, fate))
    print("%d steps in %.1f s" % (len(told), time.monotonic() - began))
    assert {"write", "sync", "commit", "connect", "send", "receive", None} == \
        {died_of for died_of, _ in told}
    fates = collections.Counter(fate for _, fate in told)
    assert set(fates) == {"not decided", "decided", "confirmed", "marked"}
    print(dict(fates))
