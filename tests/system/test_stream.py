"""GET /api/v1/stream: what happens, as it happens, to clients that stay connected."""
import hashlib
import http.client
import json
import socket
import threading
import time

import pytest

from broker import VERSIONS
from clients import commit, create_topic, unique
from warren import Aggregator, cluster, wait_for

# Which Kafka is watched makes no difference to it.
pytestmark = pytest.mark.parametrize("broker", VERSIONS[-1:], indirect=True)


class Stream(threading.Thread):
    """Reads events in the background until it is closed or the server ends it."""

    def __init__(self, aggregator, query="", last_id=None, token=None):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", aggregator.http_port, timeout=60)
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        if token is not None:
            headers["Authorization"] = "Bearer " + token
        self.connection.request("GET", "/api/v1/stream" + query, headers=headers)
        self.socket = self.connection.sock
        self.answer = self.connection.getresponse()
        self.events, self.ended = [], False
        if self.answer.status == 200:
            self.start()

    def run(self):
        event = {}
        try:
            for line in self.answer:
                line = line.decode().rstrip("\n")
                if line == "":
                    self.events += [event] if "data" in event else []
                    event = {}
                elif ":" in line and not line.startswith(":"):
                    name, value = line.split(": ", 1)
                    event[name] = json.loads(value) if name == "data" else value
        except (OSError, ValueError, http.client.HTTPException, AttributeError):
            pass
        self.ended = True

    def of(self, kind):
        return [e for e in self.events if e.get("event") == kind]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)  # or the reading thread keeps it
        self.answer.close()
        self.connection.close()


@pytest.fixture
def watched(broker, aggregator, start_agent):
    """An aggregator, and an agent that watches a broker every second."""
    start_agent("agent", [aggregator], [cluster("one", broker.bootstrap)])
    wait_for("the first pass", 30, lambda: "one" in aggregator.clusters())
    return aggregator


def test_every_pass_and_every_new_group_is_told_once(watched, broker):
    stream = Stream(watched)
    assert stream.answer.getheader("Content-Type") == "text/event-stream"
    wait_for("two passes", 20, lambda: len(stream.of("pass")) >= 2)
    first = stream.of("pass")[0]["data"]
    assert (first["environment"], first["cluster"]) == ("TEST", "one")
    assert set(first["groups"]) == {"ok", "warn", "err"}
    topic, group = unique("streamed"), unique("readers")
    create_topic(broker.bootstrap, topic)
    commit(broker.bootstrap, group, {(topic, 0): 0})
    wait_for("the new group", 20, lambda: [
        e for e in stream.of("status") if e["data"]["group"] == group])
    told = [e["data"] for e in stream.of("status") if e["data"]["group"] == group][0]
    assert (told["from"], told["to"]) == ("NOTFOUND", "OK") and told["sentence"]
    ids = [e["id"] for e in stream.events]
    assert len(set(ids)) == len(ids)
    stream.close()


def join(watched, broker, stream):
    """A new group, once it has been told of; its name."""
    topic, group = unique("streamed"), unique("readers")
    create_topic(broker.bootstrap, topic)
    commit(broker.bootstrap, group, {(topic, 0): 0})
    wait_for("the new group", 60, lambda: group in groups_of(stream))
    return group


def changes_of(events):
    """What the status events among them say, but for the sentence."""
    return [[e["data"][key] for key in ("cluster", "group", "from", "to", "reason", "lag",
                                        "as_of_ms")]
            for e in events if e["event"] == "status"]


def groups_of(stream):
    return [e["data"]["group"] for e in stream.of("status")]


def test_who_comes_back_gets_what_he_missed_and_nothing_twice(watched, broker):
    stream = Stream(watched)
    wait_for("a pass", 60, lambda: stream.of("pass"))
    joined = [join(watched, broker, stream) for _ in range(2)]
    wait_for("a pass", 60, lambda: stream.events[-1]["event"] == "pass")
    stream.close()
    again = Stream(watched, last_id=stream.events[0]["id"])
    late = Stream(watched, last_id=stream.events[-1]["id"])
    for s in (again, late):
        wait_for("a pass", 60, lambda: s.of("pass"))
    missed = [e for e in stream.events[1:] if e["event"] == "status"]
    assert [e["data"]["group"] for e in missed][-2:] == joined
    assert again.of("status") == missed
    assert late.of("status") == [] and late.events[0]["event"] == "pass"
    again.close()
    late.close()


def test_a_restart_costs_who_comes_back_nothing(watched, broker):
    stream = Stream(watched)
    wait_for("two passes", 60, lambda: len(stream.of("pass")) >= 2)
    begin = stream.of("pass")[1]
    group = join(watched, broker, stream)
    last = stream.events[-1]["id"]
    status, took = watched.stop()
    assert status == 0 and took < 5
    wait_for("the end of the stream", 60, lambda: stream.ended)
    watched.start()
    again, late, lost = (Stream(watched, last_id=i) for i in (begin["id"], last, "1-2-3"))
    for s in (again, late, lost):
        wait_for("a pass", 60, lambda: s.of("pass"))
    missed = changes_of(stream.events[stream.events.index(begin):])
    told = changes_of(again.events)
    assert group in groups_of(again) and all(change in told for change in missed)
    assert not again.of("reset") and not late.of("reset")
    assert lost.events[0]["event"] == "reset" and groups_of(lost) == []
    for s in (again, late, lost):
        s.close()


def test_a_token_sees_events_of_its_clusters_alone(broker, tmp_path, start_agent):
    aggregator = Aggregator(tmp_path)
    aggregator.settings["http"].update(anonymous="none", auth=[
        {"name": name, "roles": ["read"], **limits,
         "token_sha256": hashlib.sha256((name * 40).encode()).hexdigest()}
        for name, limits in (("a", {}), ("b", {"clusters": ["MINE/*"]}))])
    aggregator.write_config(aggregator.settings)
    aggregator.start()
    try:
        start_agent("agent", [aggregator], [
            cluster("mine", broker.bootstrap, "MINE"), cluster("other", broker.bootstrap, "OTHER")])
        assert Stream(aggregator).answer.status == 401
        everything, limited = (Stream(aggregator, token=name * 40) for name in "ab")
        asked = Stream(aggregator, "?cluster=other", token="b" * 40)
        wait_for("passes of both", 60, lambda: {"mine", "other"} <= {
            e["data"]["cluster"] for e in everything.of("pass")})
        group = join(aggregator, broker, everything)
        wait_for("it in both", 60, lambda: groups_of(everything).count(group) == 2)
        wait_for("it in his", 60, lambda: group in groups_of(limited))
        again = Stream(aggregator, last_id=everything.events[0]["id"], token="b" * 40)
        wait_for("it again", 60, lambda: group in groups_of(again))
        for s in (limited, again):
            assert {e["data"]["cluster"] for e in s.events} == {"mine"}
        assert asked.events == []
        for s in (everything, limited, asked, again):
            s.close()
    finally:
        aggregator.kill()


def test_filters_hold_and_unknown_parameters_are_refused(watched):
    stream = Stream(watched, "?env=TEST&cluster=o*")
    other = Stream(watched, "?cluster=nothing-like-it")
    wait_for("two passes", 20, lambda: len(stream.of("pass")) >= 2)
    assert other.events == []
    wrong = Stream(watched, "?colour=red")
    assert wrong.answer.status == 400
    assert "colour" in wrong.answer.read().decode()
    for s in (stream, other, wrong):
        s.close()


def test_many_streams_and_one_that_never_reads_hold_nobody_up(watched):
    deaf = socket.create_connection(("127.0.0.1", watched.http_port))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: w\r\n\r\n")
    streams = [Stream(watched) for _ in range(39)]
    wait_for("a pass on each", 20, lambda: all(s.of("pass") for s in streams))
    began = time.monotonic()
    assert watched.clusters() == ["one"]
    assert time.monotonic() - began < 5
    over = Stream(watched)
    assert over.answer.status == 503 and over.answer.getheader("Retry-After")
    assert "too many" in over.answer.read().decode()
    for s in streams:
        s.close()
    deaf.close()
