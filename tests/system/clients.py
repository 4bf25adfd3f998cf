# SPDX-License-Identifier: Apache-2.0
"""Real Kafka clients, in the few gestures the tests need."""

import functools
import time
import uuid

from confluent_kafka import (Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec


def unique(prefix):
    return "%s-%s" % (prefix, uuid.uuid4().hex[:8])


@functools.lru_cache(maxsize=None)
def admin(bootstrap):
    """One client a broker, kept: the answers of a client that is no more never come."""
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def create_topic(bootstrap, name, partitions=1, **config):
    """Make a topic and wait until it can be used."""
    a = admin(bootstrap)
    for future in a.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
        future.result(30)
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        topic = a.list_topics(timeout=10).topics.get(name)
        if topic and len(topic.partitions) == partitions:
            return
        time.sleep(0.1)
    raise AssertionError("topic %s did not appear" % name)


def delete_topic(bootstrap, name):
    for future in admin(bootstrap).delete_topics([name]).values():
        future.result(30)


def produce(bootstrap, topic, count, partition=0):
    p = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for i in range(count):
        p.produce(topic, b"%d" % i, partition=partition)
    assert p.flush(30) == 0


def commit(bootstrap, group, offsets):
    """Commit {(topic, partition): offset} as a simple consumer does: never a member."""
    c = Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                  "enable.auto.commit": False})
    retry(lambda: c.commit(offsets=[TopicPartition(t, p, o) for (t, p), o in offsets.items()],
                           asynchronous=False))
    c.close()


def retry(action, limit_s=30):
    """An open port is not a loaded coordinator: try again for a while."""
    limit = time.monotonic() + limit_s
    while True:
        try:
            return action()
        except Exception:
            if time.monotonic() > limit:
                raise
            time.sleep(0.3)


def alter(bootstrap, group, offsets):
    """Set committed offsets as an administrator."""
    wanted = [TopicPartition(t, p, o) for (t, p), o in offsets.items()]
    request = [ConsumerGroupTopicPartitions(group, wanted)]
    retry(lambda: admin(bootstrap).alter_consumer_group_offsets(request)[group].result(30))


def delete_group(bootstrap, group):
    retry(lambda: admin(bootstrap).delete_consumer_groups([group])[group].result(30))


def committed(bootstrap, group):
    """{(topic, partition): committed offset} as the AdminClient says."""
    request = [ConsumerGroupTopicPartitions(group)]
    answer = admin(bootstrap).list_consumer_group_offsets(request)[group].result(30)
    return {(p.topic, p.partition): p.offset for p in answer.topic_partitions}


def log_ends(bootstrap, partitions):
    """{(topic, partition): log end offset} as the AdminClient says."""
    request = {TopicPartition(t, p): OffsetSpec.latest() for t, p in partitions}
    answers = admin(bootstrap).list_offsets(request)
    return {(p.topic, p.partition): f.result(30).offset for p, f in answers.items()}


class Member:
    """A consumer in a group, classic or of the KIP-848 protocol."""

    def __init__(self, bootstrap, group, topics, protocol="classic", **more):
        config = {"bootstrap.servers": bootstrap, "group.id": group, "client.id": group + "-client",
                  "enable.auto.commit": False, "auto.offset.reset": "earliest",
                  "group.protocol": protocol}
        config.update(more)
        self.consumer = Consumer(config)
        self.consumer.subscribe(topics)

    def read(self, count, limit_s=60):
        """Read so many messages and commit after the last."""
        limit = time.monotonic() + limit_s
        got = 0
        while got < count:
            message = self.consumer.poll(0.5)
            if message is not None and message.error() is None:
                got += 1
            assert time.monotonic() < limit, "read %d of %d messages" % (got, count)
        retry(lambda: self.consumer.commit(asynchronous=False))
        return got

    def poll(self, seconds):
        """Stay a member without reading: messages fetched are thrown away, none is committed."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            self.consumer.poll(0.2)

    def close(self):
        self.consumer.close()
