# SPDX-License-Identifier: Apache-2.0
"""What dies comes back, and what is wrong is said: brokers, daemons, input."""

import os
import socket
import subprocess
import time

import pytest

from broker import VERSIONS, Broker
from clients import commit, create_topic, produce, unique
from conftest import SETTINGS
from warren import AGENT, AGGREGATOR, Agent, Aggregator, cluster, wait_for


def make_group(bootstrap, lag=3):
    topic, group = unique("orders"), unique("readers")
    create_topic(bootstrap, topic, 1)
    produce(bootstrap, topic, 10)
    commit(bootstrap, group, {(topic, 0): 10 - lag})
    return topic, group


def test_several_clusters_and_environments(tmp_path, aggregator, start_agent):
    """Three clusters of two versions, two agents, one endpoint; names keep their case."""
    with Broker(VERSIONS[0], tmp_path / "k1", properties=SETTINGS, heap="256m") as one, \
            Broker(VERSIONS[1], tmp_path / "k2", properties=SETTINGS, heap="256m") as two:
        _, first = make_group(one.bootstrap, 4)
        _, second = make_group(two.bootstrap, 6)
        start_agent("agent-a", [aggregator],
                    [cluster("Seoul", one.bootstrap, "PROD"),
                     cluster("berlin-QA", two.bootstrap, "QA")])
        start_agent("agent-b", [aggregator], [cluster("zürich 1", two.bootstrap, "DEV")])
        wait_for("three clusters", 60, lambda: set(aggregator.clusters()) ==
                 {"Seoul", "berlin-QA", "zürich 1"})
        for name, group, lag in [("Seoul", first, 4), ("berlin-QA", second, 6),
                                 ("zürich 1", second, 6)]:
            wait_for("the lag in " + name, 60,
                     lambda n=name, g=group: (aggregator.lag(n, g) or {}).get("totallag") == lag)
        assert first not in aggregator.groups("berlin-QA")


def test_broker_away_for_20_s(own_broker, aggregator, start_agent):
    topic, group = make_group(own_broker.bootstrap)
    agent = start_agent("agent", [aggregator], [cluster("Live", own_broker.bootstrap)])
    wait_for("the group", 60, lambda: (topic, 0) in aggregator.lags("Live", group))
    own_broker.stop()
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        assert group in aggregator.groups("Live"), "a group vanished with the broker"
        assert aggregator.lag("Live", group)["status"] == "OK"
        time.sleep(1)
    assert agent.running()
    own_broker.start()
    produce(own_broker.bootstrap, topic, 5)
    wait_for("the new end", 60, lambda: aggregator.lags("Live", group)[(topic, 0)][1] == 8)


def test_agent_restarts(own_broker, aggregator, start_agent):
    """The agent resumes from its stored position: nothing is lost, nothing replayed."""
    topic, group = make_group(own_broker.bootstrap)
    agent = start_agent("agent", [aggregator], [cluster("Live", own_broker.bootstrap)])
    wait_for("the group", 60, lambda: (topic, 0) in aggregator.lags("Live", group))
    status, took = agent.stop()
    assert status == 0 and took < 5
    commit(own_broker.bootstrap, group, {(topic, 0): 9})
    agent.start()
    wait_for("the commit made meanwhile", 60,
             lambda: aggregator.lags("Live", group).get((topic, 0)) == (9, 1))
    agent.kill()
    commit(own_broker.bootstrap, group, {(topic, 0): 10})
    agent.start()
    wait_for("the commit made after kill -9", 60,
             lambda: aggregator.lags("Live", group).get((topic, 0)) == (10, 0))


def test_aggregator_restarts(own_broker, aggregator, start_agent):
    """It knows at once what it knew, and what happened meanwhile comes from the spool."""
    topic, group = make_group(own_broker.bootstrap)
    start_agent("agent", [aggregator], [cluster("Live", own_broker.bootstrap)])
    wait_for("the group", 60, lambda: (topic, 0) in aggregator.lags("Live", group))
    before = aggregator.lags("Live", group)
    status, took = aggregator.stop()
    assert status == 0 and took < 5
    commit(own_broker.bootstrap, group, {(topic, 0): 9})
    time.sleep(3)
    aggregator.start()
    assert aggregator.lags("Live", group) in (before, {(topic, 0): (9, 1)})
    wait_for("the commit made meanwhile", 60,
             lambda: aggregator.lags("Live", group).get((topic, 0)) == (9, 1))
    aggregator.kill()
    aggregator.start()
    assert aggregator.lags("Live", group) == {(topic, 0): (9, 1)}


def test_offsets_topic_that_is_not_there_yet(own_broker, aggregator, start_agent):
    """No group has ever committed: the agent waits for __consumer_offsets and finds it."""
    start_agent("agent", [aggregator], [cluster("Live", own_broker.bootstrap,
                                                source="offsets-topic")])
    wait_for("the empty cluster", 60, lambda: "Live" in aggregator.clusters())
    _, group = make_group(own_broker.bootstrap)
    wait_for("the first group", 60,
             lambda: (aggregator.lag("Live", group) or {}).get("totallag") == 3)


def test_delete_by_rest(own_broker, aggregator, start_agent):
    topic, group = make_group(own_broker.bootstrap)
    start_agent("agent", [aggregator], [cluster("Live", own_broker.bootstrap)])
    wait_for("the group", 60, lambda: group in aggregator.groups("Live"))
    status, body = aggregator.get("/v3/kafka/Live/consumer/" + group, "DELETE")
    assert (status, '"message":"consumer group removed"' in body) == (200, True)
    wait_for("the group to go", 5, lambda: group not in aggregator.groups("Live"))
    time.sleep(3)
    assert group not in aggregator.groups("Live")
    commit(own_broker.bootstrap, group, {(topic, 0): 8})
    wait_for("it to come back with its next commit", 30,
             lambda: group in aggregator.groups("Live"))


@pytest.mark.parametrize("port", ["link_port", "http_port"])
def test_garbage_on_every_port(own_broker, aggregator, start_agent, port):
    _, group = make_group(own_broker.bootstrap)
    start_agent("agent", [aggregator], [cluster("Live", own_broker.bootstrap)])
    for garbage in (b"", b"\x00" * 64, os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n",
                    b"\x00SP\x00\x00\x31\x00\x00" + b"\xff" * 8 + os.urandom(100),
                    b"\x00SP\x00\x00\x30\x00\x00" + (100).to_bytes(8, "big") + os.urandom(100)):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", getattr(aggregator, port))) as s:
                s.settimeout(0.2)
                try:
                    s.sendall(garbage)
                    s.recv(1000)
                except OSError:
                    pass
    assert aggregator.running()
    wait_for("the group", 60, lambda: group in aggregator.groups("Live"))


@pytest.mark.parametrize("program", [AGENT, AGGREGATOR])
def test_wrong_configuration(tmp_path, program):
    path = tmp_path / "wrong.yaml"
    path.write_text("name: [a]\nno_such_key: 1\nlog: {level: loud}\n")
    run = subprocess.run([program, "-c", str(path)], capture_output=True, text=True, timeout=20)
    assert run.returncode != 0
    assert "wrong.yaml:2" in run.stderr and "no_such_key" in run.stderr
    assert "wrong.yaml:3" in run.stderr and "debug" in run.stderr
    run = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 0 and "0.1.0" in run.stdout
    run = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=20)
    assert run.returncode == 0 and "--check-config" in run.stdout


def test_check_config_and_once(tmp_path, own_broker, aggregator):
    topic, group = make_group(own_broker.bootstrap)
    agent = Agent(tmp_path, "agent", [aggregator], [cluster("Live", own_broker.bootstrap)])
    run = subprocess.run([AGENT, "-c", agent.config, "--check-config"], capture_output=True,
                         text=True, timeout=20)
    assert run.returncode == 0, run.stderr
    run = subprocess.run([AGENT, "-c", agent.config, "--once"], capture_output=True, text=True,
                         timeout=60)
    assert run.returncode == 0, run.stderr
    row = next(line.split() for line in run.stdout.splitlines() if group in line)
    assert [topic, "0", "7", "10", "3"] == row[1:6]


def test_second_daemon_on_one_directory(tmp_path, aggregator):
    run = subprocess.run([AGGREGATOR, "-c", aggregator.config], capture_output=True, text=True,
                         timeout=20)
    assert run.returncode != 0 and "another aggregator" in run.stderr
