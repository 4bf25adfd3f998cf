# SPDX-License-Identifier: Apache-2.0
"""A person understands why Warren says what it says, and what happened: REST and command line."""

import re
import subprocess
import time

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from clients import create_topic, retry, unique
from warren import AGGREGATOR, Aggregator, cluster, quote, wait_for

STOP_AFTER_S = 12


@pytest.fixture
def aggregator(tmp_path):
    """One that calls a stuck consumer early."""
    a = Aggregator(tmp_path, judge={"stop_after_min": "%ds" % STOP_AFTER_S})
    a.start()
    yield a
    a.kill()


class Reader:
    """A producer, and a simple consumer that commits once a second what it is told."""

    def __init__(self, bootstrap):
        self.topic, self.group = unique("orders"), unique("readers")
        create_topic(bootstrap, self.topic, 1)
        self.producer = Producer({"bootstrap.servers": bootstrap})
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": self.group,
                                  "enable.auto.commit": False})
        self.end = 0
        self.committed = 0

    def second(self, behind=None):
        """Five messages come; committed is all but the last so many, or the same as before."""
        for _ in range(5):
            self.producer.produce(self.topic, b"x", partition=0)
        assert self.producer.flush(30) == 0
        self.end += 5
        if behind is not None:
            self.committed = self.end - behind
        offset = TopicPartition(self.topic, 0, self.committed)
        retry(lambda: self.consumer.commit(offsets=[offset], asynchronous=False))
        time.sleep(1)

    def until(self, what, limit_s, condition, behind=None):
        limit = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < limit, "waited %d s for %s" % (limit_s, what)
            self.second(behind)

    def close(self):
        self.consumer.close()


def explain_command(aggregator, *more):
    data = aggregator.dir + "/aggregator-data"
    return subprocess.run([AGGREGATOR, "explain", "--data", data, *more], capture_output=True,
                          text=True, timeout=20)


def numbers_in(sentence):
    """Every number of a sentence, without its commas."""
    return [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", sentence)]


def test_a_stuck_consumer_is_explained(own_broker, aggregator, start_agent):
    reader = Reader(own_broker.bootstrap)
    start_agent("agent", [aggregator], [cluster("Live", own_broker.bootstrap)])
    base = "/api/v1/clusters/Live/groups/%s" % quote(reader.group)

    def status():
        return (aggregator.json(base) or {}).get("status")

    try:
        reader.until("the group", 60, lambda: status() == "OK", behind=2)
        reader.until("its pace", 120, lambda: pace_is_known(aggregator, base), behind=2)
        assert status() == "OK"
        reader.until("the alarm", STOP_AFTER_S + 30, lambda: status() == "ERR")
        check_stall(reader, aggregator, base)
        reader.until("the end of the alarm", 30, lambda: status() == "OK", behind=0)
        check_events(reader, aggregator, base)
        check_history(reader, aggregator, base)
        check_command(reader, aggregator)
    finally:
        reader.close()


def pace_is_known(aggregator, base):
    partitions = aggregator.json(base + "/explain?all")["partitions"]
    return partitions and all(partitions[0]["pace"][k]["known"] for k in ("commits", "progress"))


def check_stall(reader, aggregator, base):
    answer = aggregator.json(base + "/explain")
    assert answer["status"] == "ERR" and answer["reason"] == "no_progress"
    (p,) = answer["partitions"]
    assert (p["topic"], p["partition"], p["status"]) == (reader.topic, 0, "STALL")
    assert p["judged"]["rule"] == 7
    # Its sentence tells its numbers.
    n = p["numbers"]
    assert n["committed"] == reader.committed
    assert n["lag"] == n["log_end"] - n["committed"] > 0
    said = numbers_in(p["sentence"])
    assert n["committed"] in said and n["lag"] in said, p["sentence"]
    assert n["elapsed_ms"] // 1000 in said and n["time_lag_ms"] // 1000 in said, p["sentence"]
    assert n["elapsed_ms"] >= n["limit_ms"] >= STOP_AFTER_S * 1000
    assert "clears when" in p["sentence"]
    rule = p["rules"]["stop_after_min"]
    assert rule["ms"] == STOP_AFTER_S * 1000 and rule["origin"] == "aggregator.yaml"
    points = p["window"]["points"]
    assert len(points) >= 3 and points[-1]["committed"] == reader.committed
    assert points[-1]["lag"] == points[-1]["log_end"] - reader.committed
    # So does the command line, beside the daemon.
    told = explain_command(aggregator, "Live", reader.group)
    assert told.returncode == 0, told.stderr
    assert "status ERR since" in told.stdout
    assert "judged STALL by rule 7, no_progress" in told.stdout
    assert "committed %s has not moved on" % format(reader.committed, ",") in told.stdout
    assert re.search(r"stop_after_min +%ds +aggregator.yaml" % STOP_AFTER_S, told.stdout)
    named = explain_command(aggregator, "-c", aggregator.config, "Live", reader.group)
    assert "judged STALL by rule 7, no_progress" in named.stdout, named.stderr


def check_events(reader, aggregator, base):
    events = aggregator.json(base + "/events")["events"]
    assert [(e["from"], e["to"]) for e in events if e["topic"] is None] == [
        ("ERR", "OK"), ("OK", "ERR"), ("NOTFOUND", "OK")]
    partition = [e for e in events if e["topic"] == reader.topic]
    assert [(e["from"], e["to"]) for e in partition] == [("STALL", "OK"), ("OK", "STALL")]
    assert "has not moved on" in partition[1]["sentence"]
    assert partition[1]["lag"] > 0 and partition[1]["rule"] == 7


def check_history(reader, aggregator, base):
    history = aggregator.json(base + "/history?from=-10m")
    assert history["step_ms"] == 10000
    assert "ERR" in history["status"] and "OK" in history["status"]
    assert max(lag for lag in history["lag"] if lag is not None) > STOP_AFTER_S * 4
    check_curves(reader, history)
    partition = aggregator.json(base + "/partitions/%s/0/history" % quote(reader.topic))
    check_curves(reader, partition)
    assert "STALL" in partition["status"]
    assert [ms is None for ms in partition["time_lag_ms"]] == [
        end is None for end in partition["log_end"]]


def check_curves(reader, history):
    """What was committed and where the log ended: both only grow, and the lag is between them."""
    assert len({len(v) for v in history.values() if isinstance(v, list)}) == 1
    seen = [(end, committed) for end, committed in zip(history["log_end"], history["committed"])
            if end is not None]
    assert seen and all(0 <= committed <= end <= reader.end for end, committed in seen)
    assert [end for end, _ in seen] == sorted(end for end, _ in seen)
    assert max(end - committed for end, committed in seen) <= max(
        lag for lag in history["lag"] if lag is not None)


def check_command(reader, aggregator):
    quiet = explain_command(aggregator, "Live", reader.group)
    assert quiet.returncode == 0 and "No partition is in trouble" in quiet.stdout
    assert reader.topic + "/0" in explain_command(aggregator, "--all", "Live", reader.group).stdout
    then = explain_command(aggregator, "--at", str(int(time.time() * 1000)), "Live", reader.group)
    assert "group ERR -> OK" in then.stdout and "%s/0 OK -> STALL" % reader.topic in then.stdout
    assert re.search(r"Z ERR +\d", then.stdout), then.stdout
    assert explain_command(aggregator, "Live", "nobody").returncode == 1
    assert explain_command(aggregator, "Mars", reader.group).returncode == 1
    # And after it: what was is kept.
    assert aggregator.stop()[0] == 0
    after = explain_command(aggregator, "--all", "Live", reader.group)
    assert after.returncode == 0 and "status OK since" in after.stdout


def test_recorded_cases_are_judged(tmp_path):
    """The corpus is right; what is no case is refused with its line."""
    corpus = __file__.replace("system/test_explain.py", "verdicts/cases.jsonl")
    told = subprocess.run([AGGREGATOR, "judge", "--scenario", "stuck_poison", corpus],
                          capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stdout
    assert re.search(r"STALL +rule 7, no_progress: committed [\d,]+ has not moved", told.stdout)
    assert "1 of 1 scenarios right" in told.stdout
    bad = tmp_path / "bad.jsonl"
    with open(corpus) as f:
        bad.write_text(f.readline() + '{"scenario": "x"}\n')
    told = subprocess.run([AGGREGATOR, "judge", str(bad)], capture_output=True, text=True,
                          timeout=60)
    assert told.returncode == 1 and "bad.jsonl:2: " in told.stderr
