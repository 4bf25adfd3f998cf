"""GET /api/v1/stream: what happens, as it happens, to clients that stay connected."""
import http.client
import json
import socket
import threading
import time

import pytest

from clients import commit, create_topic, unique
from warren import cluster, wait_for


class Stream(threading.Thread):
    """Reads events in the background until it is closed or the server ends it."""

    def __init__(self, aggregator, query="", last_id=None):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection("127.0.0.1", aggregator.http_port, timeout=60)
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
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
                if line == "" and "data" in event:
                    self.events.append(event)
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


def test_who_comes_back_gets_what_he_missed_and_nothing_twice(watched):
    stream = Stream(watched)
    wait_for("three passes", 20, lambda: len(stream.of("pass")) >= 3)
    stream.close()
    first = stream.events[0]["id"]
    again = Stream(watched, last_id=first)
    wait_for("what was missed", 20, lambda: len(again.events) >= len(stream.events) - 1)
    missed = [e["id"] for e in stream.events[1:]]
    assert [e["id"] for e in again.events][:len(missed)] == missed
    again.close()


def test_after_a_restart_who_comes_back_is_told_to_load_anew(watched):
    stream = Stream(watched)
    wait_for("a pass", 20, lambda: stream.of("pass"))
    last = stream.events[-1]["id"]
    status, took = watched.stop()
    assert status == 0 and took < 5
    wait_for("the end of the stream", 5, lambda: stream.ended)
    watched.start()
    again = Stream(watched, last_id=last)
    wait_for("an event", 20, lambda: again.events)
    assert again.events[0]["event"] == "reset"
    again.close()


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
