# SPDX-License-Identifier: Apache-2.0
"""The reading half of /api/v1, asked of real daemons over a real broker: lists, forms, agents, and
two clusters of one name."""

import csv
import gzip
import http.client
import io
import json
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from clients import create_topic, retry, unique
from telegraf import Gathering
from warren import cluster, quote, wait_for

ODD_NAMES = ["a/b", "100%", "two words", "Capitals", "=SUM(A1)", "caf\u00e9-\u4e2d\u6587", "%2F"]


class Asker:
    """One kept connection, and headers as they come."""

    def __init__(self, aggregator):
        self.connection = http.client.HTTPConnection("127.0.0.1", aggregator.http_port, timeout=10)

    def ask(self, path, method="GET", **headers):
        self.connection.request(method, "/api/v1" + path,
                                headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = self.connection.getresponse()
        return answer, answer.read()

    def json(self, path):
        answer, body = self.ask(path)
        assert answer.status == 200, body
        return json.loads(body)

    def refused(self, path, status):
        answer, body = self.ask(path)
        assert answer.status == status, body
        assert answer.getheader("Content-Type") == "application/problem+json"
        problem = json.loads(body)
        assert problem["status"] == status and problem["title"] and problem["detail"]
        return problem


def commit(bootstrap, group, topic, offset):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group,
                         "enable.auto.commit": False})
    retry(lambda: consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False))
    consumer.close()


def fill(bootstrap, names):
    """Groups of these names that read one topic of ten messages, each one message less."""
    topic = unique("orders")
    create_topic(bootstrap, topic, 1)
    producer = Producer({"bootstrap.servers": bootstrap})
    for _ in range(10):
        producer.produce(topic, b"x", partition=0)
    assert producer.flush(30) == 0
    for i, name in enumerate(names):
        commit(bootstrap, name, topic, 10 - i % 10)
    return topic


def test_lists_of_a_real_cluster(own_broker, aggregator, start_agent):
    topic = fill(own_broker.bootstrap, ODD_NAMES)
    start_agent("agent", [aggregator], [cluster("Live 1", own_broker.bootstrap)])
    asker = Asker(aggregator)
    wait_for("the groups", 60, lambda: asker.json("/groups")["total"] == len(ODD_NAMES) or None)
    check_names(asker, topic)
    check_pages(asker)
    check_forms(asker)
    check_refusals(asker)
    check_agent(asker)
    check_telegraf(aggregator, topic)


def check_names(asker, topic):
    base = "/clusters/%s" % quote("Live 1")
    for i, name in enumerate(ODD_NAMES):
        group = asker.json("%s/groups/%s" % (base, quote(name)))
        assert (group["environment"], group["cluster"], group["group"]) == ("TEST", "Live 1", name)
        assert group["lag"] == i
        assert group["sentence"] and group["as_of_ms"] and not group["stale"]
        (p,) = asker.json("%s/groups/%s/partitions" % (base, quote(name)))["partitions"]
        assert (p["topic"], p["log_end"], p["lag"]) == (topic, 10, i) and p["sentence"]
        (found,) = asker.json("/groups?group=%s" % quote(name))["groups"]
        assert found["group"] == name
    one = asker.json("%s/topics/%s" % (base, topic))
    assert one["consumer_count"] == len(ODD_NAMES) and one["messages"] == 10
    assert one["partitions"][0]["log_stable"] in (10, None)
    assert {c["group"] for c in one["consumers"]} == set(ODD_NAMES)
    assert asker.json("/environments/TEST")["groups"]["total"] == len(ODD_NAMES)


def check_telegraf(aggregator, topic):
    """Every name that it escapes twice is found, and every type is one that it takes."""
    told = Gathering(aggregator.http_port)
    assert not told.errors
    assert told.topics["Live 1", topic, "0"] == {"offset": 10}
    assert set(told.groups) == {("Live 1", name) for name in ODD_NAMES}
    for i, name in enumerate(ODD_NAMES):
        group = told.groups["Live 1", name]
        (partition,) = [p for tags, p in told.partitions.items()
                        if tags == ("Live 1", name, topic, "0", "")]
        assert abs(group.pop("timestamp") - time.time() * 1000) < 300000
        assert group == {"status": "OK", "status_code": 1, "partition_count": 1, "total_lag": i,
                         "lag": i, "offset": 10 - i}
        assert (partition["status_code"], partition["lag"], partition["offset"]) == (1, i, 10 - i)


def check_pages(asker):
    for sort in ("name", "-lag", "status", "-since", "time_lag"):
        seen, path = [], "/groups?limit=3&sort=" + sort
        cursor = ""
        while cursor is not None:
            answer = asker.json(path + (cursor and "&cursor=" + cursor))
            seen += [g["group"] for g in answer["groups"]]
            cursor = answer["next"]
        assert sorted(seen) == sorted(ODD_NAMES), sort
        if sort == "name":
            assert seen == sorted(ODD_NAMES, key=str.encode)
        if sort == "-lag":
            assert seen == ODD_NAMES[::-1]


def check_forms(asker):
    answer, body = asker.ask("/groups", Accept_Encoding="gzip")
    assert answer.getheader("Content-Encoding") == "gzip"
    assert "Accept-Encoding" in answer.getheader("Vary")
    assert len(json.loads(gzip.decompress(body))["groups"]) == len(ODD_NAMES)
    answer, body = asker.ask("/groups", Accept="text/csv")
    assert answer.getheader("Content-Type").startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert {r["group"] for r in rows} == {n if n[0] != "=" else "'" + n for n in ODD_NAMES}
    assert all(r["status"] == "OK" for r in rows)
    get, body = asker.ask("/clusters")
    head, nothing = asker.ask("/clusters", method="HEAD")
    assert head.status == 200 and nothing == b""
    assert head.getheader("Content-Length") == get.getheader("Content-Length")
    assert asker.ask("/clusters?pretty")[1].startswith(b'{\n  "as_of_ms": ')
    check_tags(asker)


def check_tags(asker):
    """A tag stays as long as the pass does, and no longer."""
    same = other = 0
    answer, body = asker.ask("/groups")
    limit = time.monotonic() + 20
    while (same == 0 or other == 0) and time.monotonic() < limit:
        tag, as_of = answer.getheader("ETag"), json.loads(body)["as_of_ms"]
        again, _ = asker.ask("/groups", If_None_Match=tag)
        if again.status == 304:
            assert again.getheader("ETag") == tag
            same += 1
        answer, body = asker.ask("/groups")
        if answer.getheader("ETag") != tag:
            assert json.loads(body)["as_of_ms"] > as_of
            other += 1
        time.sleep(0.1)
    assert same > 0 and other > 0


def check_refusals(asker):
    assert "sort" in asker.refused("/groups?colour=red", 400)["allowed"]
    assert asker.refused("/groups?sort=size", 400)["allowed"] == [
        "name", "lag", "time_lag", "status", "since"]
    asker.refused("/groups?cursor=xyz", 400)
    asker.refused("/groups/%zz", 400)
    asker.refused("/clusters/Live", 404)
    asker.refused("/clusters/Live%201/groups/none", 404)
    asker.refused("/clusters/Live%201/topics/none", 404)
    asker.refused("/environments/none", 404)
    asker.refused("/agents/none", 404)


def check_agent(asker):
    def told():
        agent = asker.json("/agents/agent")
        return agent if agent["batches"] > 3 else None

    agent = wait_for("batches", 20, told)
    assert agent["version"] and agent["environment"] == "TEST" and agent["problem"] == ""
    assert abs(agent["skew_ms"]) < 1000
    assert 0 <= agent["last_pass_age_ms"] < 15000
    assert abs(agent["now_ms"] - time.time() * 1000) < 5000
    assert agent["now_ms"] - 120000 < agent["connected_ms"] <= agent["seen_ms"]
    assert agent["duplicates"] == agent["rejected"] == agent["dropped"] == 0
    assert agent["spool_batches"] >= 0 and 0 <= agent["spool_age_ms"] < 15000
    assert len(agent["config_hash"]) == 16
    (c,) = agent["clusters"]
    assert (c["cluster"], c["state"], c["stale"]) == ("Live 1", "running", False)


def test_clusters_of_one_name_are_told_apart(own_broker, aggregator, start_agent):
    """Of two environments both are there; of one the second agent is refused, and both logs say
    it."""
    fill(own_broker.bootstrap, ["readers"])
    asker = Asker(aggregator)
    start_agent("first", [aggregator], [cluster("Twin", own_broker.bootstrap, "DEV")])
    start_agent("second", [aggregator], [cluster("Twin", own_broker.bootstrap, "PROD")])
    wait_for("both", 60, lambda: asker.json("/groups")["total"] == 2)
    assert [(g["environment"], g["cluster"]) for g in asker.json("/groups")["groups"]] == [
        ("DEV", "Twin"), ("PROD", "Twin")]
    assert "?env=" in asker.refused("/clusters/Twin", 409)["detail"]
    asker.refused("/clusters/Twin/groups/readers", 409)
    for env, agent in (("DEV", "first"), ("PROD", "second")):
        one = asker.json("/clusters/Twin?env=" + env)
        assert (one["environment"], one["agent"]["name"]) == (env, agent)
        assert asker.json("/clusters/Twin/groups/readers?env=" + env)["environment"] == env
        assert asker.json("/environments/%s/groups" % env)["total"] == 1
    # Burrow's paths know no environments: they show one of the two, always the same.
    assert aggregator.clusters() == ["Twin"]
    assert "two environments have a cluster of one name" in aggregator.log()
    thief = start_agent("third", [aggregator], [cluster("Twin", own_broker.bootstrap, "PROD")])
    wait_for("the refusal", 30,
             lambda: asker.json("/agents/third")["rejected"] > 0
             if asker.ask("/agents/third")[0].status == 200 else None)
    wait_for("the agent's word of it", 20, lambda: "another agent reports this cluster"
             in thief.log() + aggregator.log())
    assert asker.json("/clusters/Twin?env=PROD")["agent"]["name"] == "second"
    assert asker.json("/groups")["total"] == 2
