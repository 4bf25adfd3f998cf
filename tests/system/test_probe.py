# SPDX-License-Identifier: Apache-2.0
"""Where lag in offsets lies: transactions, compaction, and messages older than the agent."""

import time

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from broker import VERSIONS, Broker
from clients import commit, create_topic, log_ends, produce, retry, unique
from conftest import SETTINGS
from warren import cluster, quote, wait_for

PROBE_LIMIT_S = 40


@pytest.fixture(scope="module")
def cleaning_broker(tmp_path_factory):
    """A broker whose log cleaner does not wait, and which has rights on topics."""
    properties = dict(SETTINGS, **{
        "log.cleaner.backoff.ms": "300",
        "transaction.state.log.num.partitions": "3",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true"})
    with Broker(VERSIONS[-1], tmp_path_factory.mktemp("kafka-cleaning"),
                properties=properties) as b:
        yield b


@pytest.fixture
def watched(cleaning_broker, aggregator, start_agent):
    def watch(**more):
        aggregator.agent = start_agent("agent", [aggregator],
                                       [cluster("Live", cleaning_broker.bootstrap, **more)])
        wait_for("the cluster", 60, lambda: "Live" in aggregator.clusters())
        return aggregator
    return watch


def transactional(bootstrap):
    p = Producer({"bootstrap.servers": bootstrap, "transactional.id": unique("id"), "linger.ms": 5})
    retry(lambda: p.init_transactions(30))
    return p


def send(producer, topic, count, key=b"k", value=b"v"):
    for _ in range(count):
        producer.produce(topic, value, key=key, partition=0)
    assert producer.flush(30) == 0


def end_of(broker, topic):
    return log_ends(broker.bootstrap, [(topic, 0)])[(topic, 0)]


def is_empty_between(broker, topic, offset, end):
    """True when a reader that begins at offset comes to end without a record."""
    c = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": unique("reader"),
                  "enable.auto.commit": False, "enable.partition.eof": True})
    try:
        c.assign([TopicPartition(topic, 0, offset)])
        message, = wait_for("a record or the end", 20, lambda: c.consume(1, 1))
        error = message.error()
        return (error is not None and error.code() == KafkaError._PARTITION_EOF and
                message.offset() >= end)
    finally:
        c.close()


def partition(aggregator, group):
    """The one partition of the group as the API shows it, or None."""
    answer = aggregator.json("/api/v1/clusters/Live/groups/%s" % quote(group))
    return answer["partitions"][0] if answer and answer["partitions"] else None


def wait_lag(aggregator, group, lag):
    def same():
        p = partition(aggregator, group)
        return p if p and p["lag"] == lag else None
    return wait_for("lag %d of %s" % (lag, group), PROBE_LIMIT_S, same)


def test_only_markers_are_left(cleaning_broker, watched):
    """A committed and an aborted transaction lie behind the last record read."""
    broker, aggregator = cleaning_broker, watched()
    topic, group = unique("exactly-once"), unique("g")
    create_topic(broker.bootstrap, topic)
    p = transactional(broker.bootstrap)
    p.begin_transaction()
    send(p, topic, 10)
    p.commit_transaction(30)
    p.begin_transaction()
    send(p, topic, 5)
    p.abort_transaction(30)
    wait_for("both markers", 10, lambda: end_of(broker, topic) == 17)
    commit(broker.bootstrap, group, {(topic, 0): 10})
    wait_lag(aggregator, group, 0)
    assert partition(aggregator, group)["status"] == "OK"
    # A record more, and it is the only one that waits, though offsets say 9.
    p.begin_transaction()
    send(p, topic, 1)
    p.commit_transaction(30)
    assert wait_lag(aggregator, group, 9)["time_lag_ms"] < 30000
    commit(broker.bootstrap, group, {(topic, 0): 18})
    wait_lag(aggregator, group, 0)


def test_the_tail_is_compacted_away(cleaning_broker, watched):
    """Tombstones that the cleaner has removed leave a gap before markers."""
    broker, aggregator = cleaning_broker, watched()
    topic, group = unique("compacted"), unique("g")
    create_topic(broker.bootstrap, topic, **{
        "cleanup.policy": "compact", "segment.ms": "200", "delete.retention.ms": "0",
        "min.cleanable.dirty.ratio": "0.0", "file.delete.delay.ms": "0"})
    p = transactional(broker.bootstrap)
    for value in [b"v", None]:
        p.begin_transaction()
        send(p, topic, 5, value=value)
        p.commit_transaction(30)

    def is_cleaned():
        """A tombstone goes when a later run of the cleaner finds something to do."""
        p.begin_transaction()
        send(p, topic, 1)
        time.sleep(0.3)
        p.abort_transaction(30)
        return is_empty_between(broker, topic, 6, 12)

    wait_for("the cleaner", 60, is_cleaned)
    commit(broker.bootstrap, group, {(topic, 0): 6})
    wait_lag(aggregator, group, 0)
    assert partition(aggregator, group)["status"] == "OK"


def test_a_transaction_is_open(cleaning_broker, watched):
    """Nobody may read on: no fault of the reader, however long it lasts."""
    broker, aggregator = cleaning_broker, watched()
    topic, group = unique("open"), unique("g")
    create_topic(broker.bootstrap, topic)
    produce(broker.bootstrap, topic, 10)
    p = transactional(broker.bootstrap)
    p.begin_transaction()
    send(p, topic, 7)
    commit(broker.bootstrap, group, {(topic, 0): 10})

    def reason():
        return (partition(aggregator, group) or {}).get("reason")

    wait_for("the open transaction to be known", PROBE_LIMIT_S,
             lambda: reason() == "open_transaction")
    assert partition(aggregator, group)["status"] == "OK"
    assert partition(aggregator, group)["lag"] == 7
    p.commit_transaction(30)
    wait_for("it to be known as closed", PROBE_LIMIT_S,
             lambda: reason() not in (None, "open_transaction"))
    commit(broker.bootstrap, group, {(topic, 0): 18})
    wait_lag(aggregator, group, 0)


def test_a_message_older_than_the_agent(cleaning_broker, watched):
    """Nobody saw it come: how long it has waited stands in the message itself."""
    broker = cleaning_broker
    topic, group = unique("orders"), unique("g")
    create_topic(broker.bootstrap, topic)
    produce(broker.bootstrap, topic, 5)
    commit(broker.bootstrap, group, {(topic, 0): 5})
    produced = time.time()
    produce(broker.bootstrap, topic, 3)
    time.sleep(8)
    aggregator = watched()
    wait_lag(aggregator, group, 3)

    def is_exact():
        answer = aggregator.json("/api/v1/clusters/Live/groups/%s" % quote(group))
        p = answer["partitions"][0]
        truth_ms = answer["as_of_ms"] - produced * 1000
        return not p["time_lag_at_least"] and abs(p["time_lag_ms"] - truth_ms) < 1000

    wait_for("the exact time lag", PROBE_LIMIT_S, is_exact)


def test_without_read_nothing_is_known(cleaning_broker, watched):
    """A topic that the agent may describe but not read: lag stays as offsets say."""
    from confluent_kafka.admin import (AclBinding, AclOperation, AclPermissionType,
                                       ResourcePatternType, ResourceType)
    from clients import admin
    broker = cleaning_broker
    topic, group = unique("closed"), unique("g")
    create_topic(broker.bootstrap, topic)
    p = transactional(broker.bootstrap)
    p.begin_transaction()
    send(p, topic, 10)
    p.abort_transaction(30)
    commit(broker.bootstrap, group, {(topic, 0): 0})
    bindings = [AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL,
                           "User:ANONYMOUS", "*", AclOperation.READ, AclPermissionType.DENY),
                AclBinding(ResourceType.TOPIC, topic, ResourcePatternType.LITERAL,
                           "User:*", "*", AclOperation.DESCRIBE, AclPermissionType.ALLOW)]
    for future in admin(broker.bootstrap).create_acls(bindings).values():
        future.result(30)
    aggregator = watched()
    wait_for("the agent to say so", PROBE_LIMIT_S,
             lambda: "topic=%s" % topic in aggregator.agent.log())
    wait_lag(aggregator, group, 11)
    time.sleep(3)
    assert partition(aggregator, group)["lag"] == 11


def test_switched_off(cleaning_broker, watched):
    broker = cleaning_broker
    topic, group = unique("exactly-once"), unique("g")
    create_topic(broker.bootstrap, topic)
    p = transactional(broker.bootstrap)
    p.begin_transaction()
    send(p, topic, 10)
    p.abort_transaction(30)
    commit(broker.bootstrap, group, {(topic, 0): 0})
    aggregator = watched(probe={"enabled": False})
    wait_lag(aggregator, group, 11)
    time.sleep(8)
    assert partition(aggregator, group)["lag"] == 11
