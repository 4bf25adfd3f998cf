# SPDX-License-Identifier: Apache-2.0
"""What /v3 says is what Kafka says: every kind of consumer, both sources, both broker versions."""

import pytest

from clients import (Member, admin, alter, commit, committed, create_topic, delete_group,
                     delete_topic, log_ends, produce, unique)
from warren import cluster, wait_for

SOURCES = ["offsets-topic", "admin"]


def same_as_kafka(aggregator, name, broker, group):
    """True when /v3 shows what the AdminClient shows, partition by partition."""
    offsets = committed(broker.bootstrap, group)
    ends = log_ends(broker.bootstrap, offsets)
    wanted = {p: (offset, max(0, ends[p] - offset)) for p, offset in offsets.items()}
    return bool(wanted) and aggregator.lags(name, group) == wanted


def wait_same(aggregator, name, broker, group):
    wait_for("%s to be as Kafka says" % group, 30,
             lambda: same_as_kafka(aggregator, name, broker, group))


@pytest.fixture(params=SOURCES)
def watched(request, broker, aggregator, start_agent):
    """A broker, and an aggregator that sees it through one agent with each source."""
    start_agent("agent", [aggregator], [cluster("Live", broker.bootstrap, source=request.param)])
    wait_for("the cluster", 60, lambda: "Live" in aggregator.clusters())
    return broker, aggregator, request.param


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members(watched, protocol):
    broker, aggregator, source = watched
    if protocol == "consumer" and broker.version < "4":
        pytest.skip("KIP-848 is not on by default in this broker")
    topic, group = unique("orders"), unique("readers")
    create_topic(broker.bootstrap, topic, 3)
    for p in range(3):
        produce(broker.bootstrap, topic, 100 + p, p)
    member = Member(broker.bootstrap, group, [topic], protocol)
    try:
        member.read(303)
        wait_same(aggregator, "Live", broker, group)
        produce(broker.bootstrap, topic, 7, 1)
        wait_same(aggregator, "Live", broker, group)
        assert aggregator.lags("Live", group)[(topic, 1)][1] == 7
        if protocol == "consumer" and source == "admin":
            return  # librdkafka below 2.10 cannot describe such groups: members stay unknown
        wait_for("the owner", 60, lambda: all(
            p["client_id"] == group + "-client" and "127.0.0.1" in p["owner"]
            for p in aggregator.lag("Live", group)["partitions"]))
    finally:
        member.close()


def test_simple_consumer_and_altered_offsets(watched):
    broker, aggregator, _ = watched
    topic, group = unique("orders"), unique("simple")
    create_topic(broker.bootstrap, topic, 2)
    produce(broker.bootstrap, topic, 50, 0)
    produce(broker.bootstrap, topic, 50, 1)
    commit(broker.bootstrap, group, {(topic, 0): 10, (topic, 1): 50})
    wait_same(aggregator, "Live", broker, group)
    alter(broker.bootstrap, group, {(topic, 0): 45, (topic, 1): 0})
    wait_same(aggregator, "Live", broker, group)
    status = aggregator.lag("Live", group)
    assert status["totallag"] == 55
    assert status["maxlag"]["partition"] == 1


def test_group_and_topic_come_and_go(watched):
    broker, aggregator, _ = watched
    topic, group, stays = unique("short-lived"), unique("goes"), unique("stays")
    kept = unique("kept")
    create_topic(broker.bootstrap, topic, 1)
    create_topic(broker.bootstrap, kept, 1)
    produce(broker.bootstrap, topic, 5)
    commit(broker.bootstrap, group, {(topic, 0): 5})
    commit(broker.bootstrap, stays, {(topic, 0): 5, (kept, 0): 0})
    wait_for("the group", 30, lambda: group in aggregator.groups("Live"))
    wait_for("the topic", 30, lambda: topic in aggregator.topics("Live"))
    delete_group(broker.bootstrap, group)
    wait_for("the group to go", 30, lambda: group not in aggregator.groups("Live"))
    assert aggregator.get("/v3/kafka/Live/consumer/%s/lag" % group)[0] == 404
    delete_topic(broker.bootstrap, topic)
    wait_for("the topic to go", 30, lambda: topic not in aggregator.topics("Live"))
    wait_for("its partitions to leave the group", 30,
             lambda: set(aggregator.lags("Live", stays)) == {(kept, 0)})
    assert group not in aggregator.get("/metrics")[1]


def test_new_partitions_are_seen(watched):
    from confluent_kafka.admin import NewPartitions
    broker, aggregator, _ = watched
    topic = unique("grows")
    create_topic(broker.bootstrap, topic, 1)
    wait_for("the topic", 30, lambda: topic in aggregator.topics("Live"))
    admin(broker.bootstrap).create_partitions([NewPartitions(topic, 4)])[topic].result(30)
    wait_for("four partitions", 30, lambda: len(
        aggregator.json("/v3/kafka/Live/topic/%s" % topic)["offsets"]) == 4)


def test_transactional_commits(watched):
    """Offsets of an aborted transaction are no commit; those of a committed one are."""
    from confluent_kafka import Consumer, Producer, TopicPartition
    broker, aggregator, _ = watched
    topic, group = unique("exactly-once"), unique("txn")
    create_topic(broker.bootstrap, topic, 1)
    produce(broker.bootstrap, topic, 40)
    member = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group,
                       "auto.offset.reset": "earliest", "enable.auto.commit": False})
    member.subscribe([topic])
    wait_for("a message", 30, lambda: member.poll(0.5))
    p = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": unique("id")})
    p.init_transactions(30)

    def transaction(offset, end):
        p.begin_transaction()
        p.send_offsets_to_transaction([TopicPartition(topic, 0, offset)],
                                      member.consumer_group_metadata(), 30)
        end(30)

    try:
        transaction(20, p.commit_transaction)
        wait_for("the committed offset", 30,
                 lambda: aggregator.lags("Live", group).get((topic, 0)) == (20, 20))
        transaction(33, p.abort_transaction)
        transaction(25, p.commit_transaction)
        wait_for("the next committed offset", 30,
                 lambda: aggregator.lags("Live", group).get((topic, 0)) == (25, 15))
    finally:
        member.close()
