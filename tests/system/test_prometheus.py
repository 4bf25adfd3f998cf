# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus scrapes a real Warren, with the configuration and the rules of deploy/; and the
dashboard asks for nothing that is not there."""

import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

from broker import VERSIONS, die_with_parent, free_ports
from clients import commit, create_topic, delete_group, produce, unique
from warren import ROOT, cluster, wait_for

DEPLOY = os.path.join(ROOT, "deploy")
RULES = "warren.rules.yml"
DASHBOARD = os.path.join(DEPLOY, "grafana", "warren.json")
LIMIT_S = 60
STATUS = {"OK": 1, "WARN": 2, "ERR": 3}


def promtool(*arguments, text=None):
    """What it says; fails with that when it finds anything."""
    run = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True,
                         timeout=LIMIT_S)
    assert run.returncode == 0 and not run.stderr, run.stdout + run.stderr
    return run.stdout


class Prometheus:
    """One that reads deploy/prometheus, with a target of its own and in quicker steps."""

    def __init__(self, dir, target):
        self.port, = free_ports(1)
        self.log_path = dir / "prometheus.log"
        with open(os.path.join(DEPLOY, "prometheus", "prometheus.yml")) as f:
            config = f.read().replace("127.0.0.1:8000", target)
        config = re.sub(r"_(interval|timeout): \d+s", r"_\1: 1s", config)
        (dir / "prometheus.yml").write_text(config)
        shutil.copy(os.path.join(DEPLOY, "prometheus", RULES), dir)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", "--config.file", str(dir / "prometheus.yml"),
                 "--storage.tsdb.path", str(dir / "prometheus"),
                 "--web.listen-address", "127.0.0.1:%d" % self.port],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def get(self, path, **query):
        """The data of an answer of its API; {} while there is none."""
        url = "http://127.0.0.1:%d/api/v1/%s?%s" % (self.port, path, urllib.parse.urlencode(query))
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return {}

    def query(self, expression):
        """[(labels, value)] of an instant query."""
        return [(row["metric"], float(row["value"][1]))
                for row in self.get("query", query=expression).get("result", [])]

    def value(self, name, **labels):
        """The value of the one series with these labels, or None."""
        selector = ",".join("%s=%s" % (key, json.dumps(text)) for key, text in labels.items())
        rows = self.query("%s{%s}" % (name, selector))
        assert len(rows) < 2, rows
        return rows[0][1] if rows else None

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def prometheus(tmp_path, aggregator):
    server = Prometheus(tmp_path, "127.0.0.1:%d" % aggregator.http_port)
    yield server
    server.stop()


def asked_by_dashboard():
    """Every expression of the dashboard, its variables filled in."""
    with open(DASHBOARD) as f:
        dashboard = json.load(f)
    filled = {"__rate_interval": "1m", **{v["name"]: ".*" for v in dashboard["templating"]["list"]}}
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    expressions += [re.match(r"label_values\((.*), \w+\)$", v["query"])[1]
                    for v in dashboard["templating"]["list"] if v["type"] == "query"]
    return [re.sub(r"\$(\w+)", lambda m: filled[m[1]], e) for e in expressions]


def asked_by_rules():
    with open(os.path.join(DEPLOY, "prometheus", RULES)) as f:
        return re.findall(r"^ +expr: (.*)$", f.read(), re.MULTILINE)


def names_of(expression):
    """The series that an expression reads."""
    return set(re.findall(r"\b(?:warren|process|burrow)_\w+", expression))


# Kafka's version does not matter here.
@pytest.mark.parametrize("broker", VERSIONS[-1:], indirect=True)
def test_prometheus_says_what_v3_says(broker, aggregator, start_agent, prometheus):
    topic, group, gone = unique("orders"), unique('re"ad\\er'), unique("gone")
    create_topic(broker.bootstrap, topic, 2)
    produce(broker.bootstrap, topic, 10)
    commit(broker.bootstrap, group, {(topic, 0): 4, (topic, 1): 0})
    commit(broker.bootstrap, gone, {(topic, 0): 1})
    # Two environments have a cluster of this name: Burrow's series cannot tell them apart.
    start_agent("agent", [aggregator], [cluster("one", broker.bootstrap, environment=e)
                                        for e in ("QA", "TEST")])
    burrows = {"cluster": "one", "consumer_group": group}

    for environment in ("QA", "TEST"):
        wait_for("the group in Prometheus", LIMIT_S, lambda: prometheus.value(
            "warren_consumer_lag_messages", environment=environment, **burrows) == 6)
    wait_for("the target to be up", LIMIT_S, lambda: [
        (t["health"], t["lastError"]) for t in prometheus.get("targets").get("activeTargets", [])
    ] == [("up", "")])
    check_same(aggregator, prometheus, burrows, group)

    delete_group(broker.bootstrap, gone)
    wait_for("the group to go", LIMIT_S, lambda: gone not in aggregator.groups("one"))
    wait_for("its series to go", LIMIT_S,
             lambda: not prometheus.query('{consumer_group="%s"}' % gone))

    check_served(prometheus)
    promtool("check", "metrics", text=aggregator.get("/metrics")[1])
    assert "Error on ingesting" not in prometheus.log_path.read_text()


def check_same(aggregator, prometheus, burrows, group):
    """Burrow's series and Warren's, of the environment that /v3 shows, are soon what /v3 says."""
    def same(name, expected, **of):
        wait_for("%s of %s to be as in /v3" % (name, of or group), LIMIT_S, lambda:
                 prometheus.value(name, **of) == expected(aggregator.lag("one", group)))

    warrens = {**burrows, "environment": "QA"}
    same("burrow_kafka_consumer_lag_total", lambda v3: v3["totallag"], **burrows)
    same("warren_consumer_lag_messages", lambda v3: v3["totallag"], **warrens)
    same("warren_consumer_status", lambda v3: STATUS[v3["status"]], **warrens)
    same("warren_consumer_partitions", lambda v3: v3["partition_count"], **warrens)
    for at, p in enumerate(aggregator.lag("one", group)["partitions"]):
        of = {"topic": p["topic"], "partition": str(p["partition"])}
        lag, committed = (lambda v3: v3["partitions"][at]["current_lag"],
                          lambda v3: v3["partitions"][at]["end"]["offset"])
        same("warren_partition_lag_messages", lag, **warrens, **of)
        same("burrow_kafka_consumer_partition_lag", lag, **burrows, **of)
        same("burrow_kafka_consumer_current_offset", committed, **burrows, **of)


def check_served(prometheus):
    """What dashboard and rules ask for is there, as far as it is there in every Warren; and can be
    asked so."""
    sometimes = {"warren_consumer_retention_margin_seconds",  # of logs that were seen deleting
                 "warren_agent_skew_seconds",                 # once enough was heard of the agent
                 "warren_alert_messages_waiting", "warren_alert_messages_total",
                 "warren_alert_oldest_message_seconds", "warren_alert_sends",
                 "warren_incidents"}
    expressions = asked_by_dashboard() + asked_by_rules()
    served = set(prometheus.get("label/__name__/values"))
    with open(os.path.join(ROOT, "README.md")) as f:
        families = set(re.findall(r"^\| `(\w+)` \|", f.read(), re.MULTILINE))
    for name in set().union(*map(names_of, expressions)):
        assert name in served or name in sometimes & families, name
    for expression in expressions:
        assert prometheus.get("query", query=expression), expression
    rules = wait_for("the rules to be evaluated", LIMIT_S, lambda: evaluated(prometheus))
    assert len(rules) == len(asked_by_rules())
    assert not [(r["name"], r["lastError"]) for r in rules if r["health"] != "ok"]


def evaluated(prometheus):
    """All rules, once none is left that has not been evaluated."""
    rules = [r for g in prometheus.get("rules").get("groups", []) for r in g["rules"]]
    return rules if all(r["health"] != "unknown" for r in rules) else []


def test_what_users_copy_is_right():
    promtool("check", "config", os.path.join(DEPLOY, "prometheus", "prometheus.yml"))
    promtool("test", "rules", os.path.join(ROOT, "tests", "system", "warren.rules_test.yml"))


def test_the_dashboard_is_whole():
    """Grafana cannot be had here: what it is known to choke on."""
    with open(DASHBOARD) as f:
        dashboard = json.load(f)
    panels = dashboard["panels"]
    ids = [p["id"] for p in panels]
    assert len(set(ids)) == len(ids)
    variables = {v["name"] for v in dashboard["templating"]["list"]} | {"__rate_interval"}
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        refs = [t["refId"] for t in panel.get("targets", [])]
        assert len(set(refs)) == len(refs) and (refs or panel["type"] == "row"), panel["title"]
        for target in panel.get("targets", []):
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= variables, panel["title"]
    covered = [(p["gridPos"]["x"] + x, p["gridPos"]["y"] + y) for p in panels
               for x in range(p["gridPos"]["w"]) for y in range(p["gridPos"]["h"])]
    assert len(set(covered)) == len(covered), "panels cover each other"
