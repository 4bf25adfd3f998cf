#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records __consumer_offsets of a real broker for tests/unit/test_record.c.

Runs groups of every kind through their lives on a broker of its own and writes each record of
__consumer_offsets as one line, "partition offset keyhex valuehex", a tombstone's value as "-":
offsets-VERSION.hex as a reader of committed transactions sees the topic, and
offsets-VERSION-uncommitted.hex with the aborted ones. Needs confluent-kafka and a JDK. The
test expects the numbers of the files in the tree: after a new recording it wants a look.
"""

import argparse
import os
import socket
import struct
import subprocess
import tempfile
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import broker as kafka

HERE = os.path.dirname(os.path.abspath(__file__))
OFFSETS_PARTITIONS = 8
PROPERTIES = {"offsets.topic.num.partitions": str(OFFSETS_PARTITIONS)}
TOPICS = ["orders", "payments"]
WAIT_S = 30


class Wire:
    """The few requests that the client library has no call for, over the plain protocol."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)

    def call(self, key, version, body):
        request = struct.pack(">hhi", key, version, 1) + text("wire-client") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        size, = struct.unpack(">i", kafka.receive(self.socket, 4))
        return kafka.receive(self.socket, size)[4:]

    def delete_offset(self, group, topic, partition):
        body = text(group) + struct.pack(">i", 1) + text(topic) + struct.pack(">ii", 1, partition)
        error, = struct.unpack(">h", self.call(47, 0, body)[:2])
        assert error == 0, error

    def join_as(self, group, protocol_type):
        """Make a group of one member of this protocol type, with bytes of no known form."""
        join = (text(group) + struct.pack(">ii", 6000, 6000) + text("") + text(protocol_type) +
                struct.pack(">i", 1) + text("default") + binary(b"\x00\x01worker"))
        answer = self.call(11, 2, join)
        _, error, generation = struct.unpack(">ihi", answer[:10])
        assert error == 0, error
        rest = skip_text(skip_text(answer[10:]))
        member = rest[2:2 + struct.unpack(">h", rest[:2])[0]].decode()
        sync = (text(group) + struct.pack(">i", generation) + text(member) +
                struct.pack(">i", 1) + text(member) + binary(b"\x00\x01tasks"))
        error, = struct.unpack(">h", self.call(14, 1, sync)[4:6])
        assert error == 0, error
        self.call(13, 1, text(group) + text(member))


def text(s):
    data = s.encode()
    return struct.pack(">h", len(data)) + data


def binary(data):
    return struct.pack(">i", len(data)) + data


def skip_text(data):
    return data[2 + struct.unpack(">h", data[:2])[0]:]


def wait_for(condition, what):
    limit = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def retried(call):
    """What call returns, once the coordinator has loaded: just after the start it has not."""
    limit = time.monotonic() + WAIT_S
    while True:
        try:
            return call()
        except Exception:
            if time.monotonic() > limit:
                raise
            time.sleep(0.3)


class Recorder:
    def __init__(self, broker):
        self.broker = broker
        self.admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        self.wire = Wire(broker.port)

    def consumer(self, group, client_id, **options):
        return Consumer({"bootstrap.servers": self.broker.bootstrap, "group.id": group,
                         "client.id": client_id, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest",
                         **{k.replace("_", "."): v for k, v in options.items()}})

    def make_topics(self):
        topics = [NewTopic("orders", 4, 1), NewTopic("payments", 1, 1), NewTopic("temporary", 2, 1)]
        for future in self.admin.create_topics(topics).values():
            future.result(WAIT_S)
        producer = Producer({"bootstrap.servers": self.broker.bootstrap})
        for topic, partitions in (("orders", 4), ("payments", 1), ("temporary", 2)):
            for i in range(partitions * 10):
                producer.produce(topic, b"x", partition=i % partitions)
        producer.flush(WAIT_S)

    def commit(self, group, rows):
        """Commit without membership, as a consumer that assigns partitions by itself does."""
        c = self.consumer(group, "simple-client")
        offsets = [TopicPartition(t, p, o, metadata) for t, p, o, metadata in rows]
        retried(lambda: c.commit(offsets=offsets, asynchronous=False))
        c.close()

    def simple(self):
        self.commit("simple", [("orders", 0, 3, ""), ("orders", 1, 7, "m" * 300)])
        self.commit("simple", [("orders", 0, 5, "")])
        self.commit("grüppe/日本 %", [("payments", 0, 1, "é")])
        self.commit("deleted-simple", [("orders", 0, 1, ""), ("orders", 1, 2, "")])
        self.commit("loses-topic", [("temporary", 0, 1, ""), ("temporary", 1, 2, "")])
        self.commit("loses-offset", [("orders", 2, 4, ""), ("payments", 0, 6, "")])
        self.wire.delete_offset("loses-offset", "orders", 2)
        consumed = self.consumer("consumed", "simple-client")
        consumed.assign([TopicPartition("orders", 3, 4)])
        consumed.commit(message=consumed.poll(WAIT_S), asynchronous=False)
        consumed.close()

    def members(self, group, prefix, topics, static=False, **options):
        """Two members that share topics, one after the other; both commit, both end. Static
        members stay in the group until their session times out, which is after the end here."""
        a, b = ({"group_instance_id": prefix + x, "session_timeout_ms": 300000} if static else {}
                for x in ("-a", "-b"))
        first = self.consumer(group, prefix + "-a", **a, **options)
        first.subscribe(topics)
        wait_for(lambda: first.poll(0.1) is not None or len(first.assignment()) == 5, "first")
        second = self.consumer(group, prefix + "-b", **b, **options)
        second.subscribe(topics)

        def shared():
            first.poll(0.05)
            second.poll(0.05)
            counts = len(first.assignment()), len(second.assignment())
            return min(counts) > 0 and sum(counts) == 5
        wait_for(shared, "sharing of " + group)
        for c in (first, second):
            c.commit(offsets=[TopicPartition(tp.topic, tp.partition, 10) for tp in c.assignment()],
                     asynchronous=False)
        second.close()
        first.close()

    def transactions(self):
        for group, commit in (("txn-committed", True), ("txn-aborted", False)):
            producer = Producer({"bootstrap.servers": self.broker.bootstrap,
                                 "transactional.id": group})
            consumer = self.consumer(group, "txn-client")
            retried(lambda: producer.init_transactions(WAIT_S))
            producer.begin_transaction()
            producer.produce("payments", b"y")
            producer.send_offsets_to_transaction(
                [TopicPartition("orders", 3, 8)], consumer.consumer_group_metadata(), WAIT_S)
            if commit:
                producer.commit_transaction(WAIT_S)
            else:
                producer.abort_transaction(WAIT_S)
            consumer.close()

    def modern(self):
        """Groups of the new protocol; returns the names of those to be deleted at the end."""
        self.members("modern", "new", TOPICS, group_protocol="consumer")
        self.members("deleted-modern", "newgone", TOPICS, group_protocol="consumer")
        self.migration()
        return ["deleted-modern"]

    def migration(self):
        """A classic group that a consumer of the new protocol joins."""
        old = self.consumer("moving", "old-client")
        old.subscribe(["orders"])
        wait_for(lambda: old.poll(0.1) is not None, "classic member")
        old.commit(offsets=[TopicPartition("orders", 0, 2)], asynchronous=False)
        new = self.consumer("moving", "new-client", group_protocol="consumer")
        new.subscribe(["orders"])

        def shared():
            old.poll(0.05)
            new.poll(0.05)
            return len(old.assignment()) == 2 and len(new.assignment()) == 2
        wait_for(shared, "migration")
        old.close()
        wait_for(lambda: (new.poll(0.05), len(new.assignment()))[1] == 4, "whole topic")
        new.close()

    def deletions(self, groups):
        for future in self.admin.delete_topics(["temporary"]).values():
            future.result(WAIT_S)
        for future in self.admin.delete_consumer_groups(groups).values():
            future.result(WAIT_S)

    def java(self, program):
        """What only the Java client can do."""
        subprocess.run(["java", "-Xmx128m", "-XX:+UseSerialGC",
                        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                        "-cp", os.path.join(self.broker.lib, "*"),
                        os.path.join(HERE, program), self.broker.bootstrap],
                       check=True, timeout=120)

    def finish(self, out, name):
        time.sleep(1)  # what the coordinator writes by itself after a deletion
        self.dump(os.path.join(out, "offsets-%s.hex" % name))

    def dump(self, path, isolation="read_committed"):
        c = self.consumer("dump", "dump", isolation_level=isolation, enable_partition_eof=True)
        end = {}
        for p in range(OFFSETS_PARTITIONS):
            end[p] = c.get_watermark_offsets(TopicPartition("__consumer_offsets", p), WAIT_S)[1]
        c.assign([TopicPartition("__consumer_offsets", p, 0) for p in end])
        lines, done = [], set()
        while len(done) < len(end):
            m = c.poll(WAIT_S)
            if m.error():
                done.add(m.partition())
                continue
            value = "-" if m.value() is None else m.value().hex()
            lines.append((m.partition(), m.offset(), m.key().hex(), value))
        c.close()
        with open(path, "w") as f:
            f.writelines("%d %d %s %s\n" % line for line in sorted(lines))
        print(path, len(lines))


def record(version, out):
    with tempfile.TemporaryDirectory() as d, kafka.Broker(version, d, 0, PROPERTIES) as b:
        r = Recorder(b)
        r.make_topics()
        r.simple()
        r.members("classic", "app", TOPICS, static=True)
        r.members("deleted-classic", "gone", TOPICS)
        r.wire.join_as("connect-workers", "connect")
        r.transactions()
        gone = ["deleted-simple", "deleted-classic"]
        if version.startswith("4."):
            gone += r.modern()
            r.java("Groups.java")
        r.deletions(gone)
        r.finish(out, version)
        uncommitted = os.path.join(out, "offsets-%s-uncommitted.hex" % version)
        r.dump(uncommitted, "read_uncommitted")


def record_preview(version, out):
    """The new protocol as Kafka 3.9 has it: a preview, with topics' names and ids in records."""
    properties = {**PROPERTIES, "group.coordinator.rebalance.protocols": "classic,consumer"}
    with tempfile.TemporaryDirectory() as d, kafka.Broker(version, d, 0, properties) as b:
        r = Recorder(b)
        r.make_topics()
        r.java("Modern.java")
        r.finish(out, version + "-preview")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--version", action="append", help="of Apache Kafka; default: both")
    p.add_argument("--out", default=os.path.join(HERE, "..", "unit", "data"))
    args = p.parse_args()
    for version in args.version or kafka.VERSIONS:
        record(version, args.out)
        if version.startswith("3."):
            record_preview(version, args.out)


if __name__ == "__main__":
    main()
