# SPDX-License-Identifier: Apache-2.0
"""Two aggregators that are fed by the same agent: one is attacked, each is killed and away for a
while, and in the end nobody can tell them apart.

It is one test, because a verdict needs a pace, and to know it takes half a minute: that is when
the attack is made.
"""

import random
import re
import resource
import socket
import ssl
import subprocess
import threading
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from clients import create_topic, retry, unique
from warren import AGGREGATOR, Agent, Aggregator, cluster, wait_for

LIMIT_S = 60
JUDGE = {"stop_after_min": "3s", "max_time_lag": "4s", "raise_after": 1, "clear_after": 1}
TROUBLES = {"healthy": "OK", "slow": "WARN", "stopped": "STOP", "stalled": "STALL",
            "rewound": "REWIND"}
CLUSTER = "pair"
RATE = 5  # messages a partition between two commits
IDLE = 1000  # connections to each port


class Traffic(threading.Thread):
    """A group for each trouble. It shows in partition 0; partition 1 is read well by all."""

    def __init__(self, bootstrap):
        super().__init__(daemon=True)
        self.topic = unique("orders")
        self.groups = {trouble: unique(trouble) for trouble in TROUBLES}
        self.troubled = self.over = False
        self.end = 0
        self.committed = dict.fromkeys(TROUBLES, 0)
        create_topic(bootstrap, self.topic, 2)
        self.producer = Producer({"bootstrap.servers": bootstrap})
        self.consumers = {
            trouble: Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                               "enable.auto.commit": False})
            for trouble, group in self.groups.items()}
        self.start()

    def run(self):
        while not self.over:
            for partition in (0, 1) * RATE:
                self.producer.produce(self.topic, b"x", partition=partition)
            assert self.producer.flush(30) == 0
            self.end += RATE
            for trouble in TROUBLES:
                self.commit(trouble)
            time.sleep(0.5)

    def commit(self, trouble):
        read = self.end - 2
        offsets = [TopicPartition(self.topic, 1, read)]
        at = {"slow": self.committed[trouble] + 1, "stalled": self.committed[trouble],
              "stopped": None, "rewound": 1}.get(trouble, read) if self.troubled else read
        if at is not None:
            self.committed[trouble] = at
            offsets.append(TopicPartition(self.topic, 0, at))
        retry(lambda: self.consumers[trouble].commit(offsets=offsets, asynchronous=False))

    def stop(self):
        self.over = True
        self.join(30)
        for consumer in self.consumers.values():
            consumer.close()


class Watcher(threading.Thread):
    """What an aggregator says of the groups while it runs: {(group, pass): answer}."""

    def __init__(self, site, aggregator):
        super().__init__(daemon=True)
        self.site, self.aggregator = site, aggregator
        self.over = False
        self.seen = {}
        self.start()

    def run(self):
        while not self.over:
            for group in self.site.traffic.groups.values():
                answer = self.site.ask(self.aggregator, group)
                if answer:
                    # When each has heard of the agent is its own affair.
                    self.seen[group, answer["as_of_ms"]] = {**answer, "agent_seen_ms": None}
            time.sleep(0.1)

    def stop(self):
        self.over = True
        self.join(30)


class Site:
    """Consumers on a real broker, an agent, and the two aggregators."""

    def __init__(self, dir, broker):
        self.pair = [Aggregator(dir, name, judge=JUDGE) for name in ("first", "second")]
        for a in self.pair:
            a.start()
        self.dir = dir
        self.agents = []
        self.agent = self.start_agent("agent", self.pair, cluster(CLUSTER, broker.bootstrap))
        self.traffic = Traffic(broker.bootstrap)

    def start_agent(self, name, aggregators, watched):
        self.agents.append(Agent(self.dir, name, aggregators, [watched]))
        return self.agents[-1].start()

    def ask(self, aggregator, group, more=""):
        return aggregator.json("/api/v1/clusters/%s/groups/%s%s" % (CLUSTER, group, more))

    def ask_all(self, aggregator, more=""):
        """{trouble: answer}; without those that are not known yet."""
        answers = {t: self.ask(aggregator, g, more) for t, g in self.traffic.groups.items()}
        return {t: a for t, a in answers.items() if a and len(a["partitions"]) == 2}

    def statuses(self, aggregator):
        """{trouble: (status of partition 0, of partition 1)}"""
        return {t: tuple(p["status"] for p in a["partitions"])
                for t, a in self.ask_all(aggregator).items()}

    def wait_for_statuses(self, aggregator, expected):
        wait_for("the statuses %s" % expected, LIMIT_S,
                 lambda: self.statuses(aggregator) == {t: (s, "OK") for t, s in expected.items()})

    def wait_for_paces(self, aggregator):
        def known():
            answers = self.ask_all(aggregator, "/explain?all")
            return len(answers) == len(TROUBLES) and all(
                p["pace"][kind]["known"] for a in answers.values() for p in a["partitions"]
                for kind in ("commits", "progress"))

        wait_for("the paces", LIMIT_S, known)

    def last_pass(self, aggregator):
        answer = self.ask(aggregator, self.traffic.groups["healthy"])
        return answer["as_of_ms"] if answer else 0

    def stop(self):
        if not self.traffic.over:
            self.traffic.stop()
        for daemon in (*self.agents, *self.pair):
            daemon.kill()


@pytest.fixture
def site(tmp_path, own_broker):
    s = Site(tmp_path, own_broker)
    yield s
    s.stop()


def test_two_aggregators_say_the_same_though_attacked_and_killed(site):
    """Troubles begin while one is killed and away, and end while the other is."""
    check_attacked(site)
    for a in site.pair:
        site.wait_for_paces(a)
    watchers = [Watcher(site, a) for a in site.pair]
    check_killed(site, watchers)
    for one, other in pairs(watchers):
        assert one == other
    check_memories(site)
    check_stores(site)


# --- attacked ---


def visit(port, data):
    """Say this and nothing more."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.settimeout(0.05)
        try:
            s.sendall(data)
            s.recv(1000)
        except OSError:
            pass


def client_hello():
    """The first flight of a TLS client."""
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return out.read()


def scan(port):
    nng = b"\0SP\0\0\x30\0\0"
    hello = client_hello()
    for data in (b"GET /v3/kafka HTTP/1.1\r\nHost: x\r\n\r\n", hello, hello[:len(hello) // 2], nng,
                 nng[:5], nng + (1 << 40).to_bytes(8, "big"), b"SSH-2.0-OpenSSH_9.2\r\n",
                 nng + (64).to_bytes(8, "big") + random.randbytes(64),
                 *(random.randbytes(random.randrange(1, 3000)) for _ in range(12))):
        visit(port, data)


def idle_connections(port, first_words=b""):
    """Many from one address, which say no more than this."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(now, 4 * IDLE), most))
    held = []
    for _ in range(IDLE):
        s = socket.socket()
        s.settimeout(0.05)
        s.bind(("127.0.0.9", 0))
        try:
            s.connect(("127.0.0.1", port))
            s.sendall(first_words)
        except OSError:
            pass
        held.append(s)
    return held


def check_attacked(site):
    """Scans and two thousand idle connections: the agent stays connected and goes on, another one
    gets in, and whoever asks is answered."""
    victim = site.pair[0]
    wait_for("the first pass", LIMIT_S, lambda: site.last_pass(victim))
    quiet = len(site.agent.log())
    for port in (victim.link_port, victim.http_port):
        scan(port)
    held = idle_connections(victim.http_port) + \
        idle_connections(victim.link_port, b"\0SP\0\0\x30\0\0")
    before = wait_for("an answer", LIMIT_S, lambda: site.last_pass(victim))
    wait_for("three more passes", LIMIT_S, lambda: site.last_pass(victim) >= before + 3000)
    late = site.start_agent("late", [victim], cluster("nowhere", "127.0.0.1:1"))
    wait_for("another agent", LIMIT_S, lambda: 'msg="shipping"' in late.log())
    late.kill()
    for s in held:
        s.close()
    assert victim.running() and site.agent.running()
    assert "link down" not in site.agent.log()[quiet:]


# --- killed ---


def pairs(watchers):
    """What both have said of the same pass and group, where neither said that it was late."""
    one, other = [dict(w.seen) for w in watchers]
    return [(one[key], other[key]) for key in one.keys() & other.keys()
            if not one[key]["stale"] and not other[key]["stale"]]


def told(watchers):
    return {p["status"] for one, _ in pairs(watchers) for p in one["partitions"]}


def check_killed(site, watchers):
    first, second = site.pair
    second.kill()
    site.traffic.troubled = True
    site.wait_for_statuses(first, TROUBLES)
    second.start()
    wait_for("all troubles at both", LIMIT_S, lambda: told(watchers) == set(TROUBLES.values()))

    first.kill()
    site.traffic.troubled = False
    site.wait_for_statuses(second, dict.fromkeys(TROUBLES, "OK"))
    first.start()
    site.wait_for_statuses(first, dict.fromkeys(TROUBLES, "OK"))

    site.traffic.stop()
    assert site.agent.stop()[0] == 0
    wait_for("the last pass at both", LIMIT_S,
             lambda: site.last_pass(first) == site.last_pass(second) > 0)
    for w in watchers:
        w.stop()


def check_memories(site):
    """What was said of passes that one has missed: events tell each change of a status."""
    for trouble, group in site.traffic.groups.items():
        for what in ("/events", "/history?from=-10m",
                     "/partitions/%s/0/history?from=-10m" % site.traffic.topic):
            one, other = [site.ask(a, group, what) for a in site.pair]
            assert one == other
            if what == "/events" and trouble != "healthy":
                assert TROUBLES[trouble] in [e["to"] for e in one["events"] if e["partition"] == 0]
    one, other = [incidents(a) for a in site.pair]
    assert one == other and len(one) >= len(TROUBLES) - 1


def incidents(aggregator):
    """Those of groups: whether the cluster was in sight of an aggregator is its own affair."""
    return {(i["id"], i["group"], i["opened_ms"])
            for i in aggregator.json("/api/v1/incidents?state=all")["incidents"]
            if i["kind"] == "group"}


def check_stores(site):
    """Each has applied each batch that was made, once."""
    applied = []
    for a in site.pair:
        assert a.stop()[0] == 0
        run = subprocess.run([AGGREGATOR, "check", "--data", a.data_dir()], capture_output=True,
                             text=True, timeout=60)
        assert run.returncode == 0, run.stdout
        found = re.search(r"^agent agent epoch (\S+) applied (\d+) batches (\d+) lost (\d+)",
                          run.stdout, re.M)
        assert found[2] == found[3] and found[4] == "0", found[0]
        applied.append(found[0])
    assert applied[0] == applied[1]
    assert re.findall(r"kept_batches=(\d+)", site.agent.log())[-1] == "0"
