"""/metrics as Prometheus reads it: both formats, by the strict parsers of its own client library."""
import os
import re
import urllib.request

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from clients import commit, create_topic, produce, unique
from warren import ROOT, cluster, wait_for

OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def scrape(aggregator, accept):
    request = urllib.request.Request(aggregator.url + "/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def samples(families):
    """{(name, labels): value}, and {name: type} as the older format has it."""
    values, types = {}, {}
    for family in families:
        for s in family.samples:
            values[s.name, tuple(sorted(s.labels.items()))] = s.value
            types[s.name] = family.type
    return values, types


def described():
    """{family: (type, set of labels)} of the table in README.md."""
    with open(os.path.join(ROOT, "README.md")) as f:
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| \w* \| ([^|]*) \| .+ \|$", f.read(), re.M)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def served(families):
    """The same of what is served in the older format."""
    found = {}
    for family in families:
        counter = "_total" if family.type == "counter" else ""
        for s in family.samples:
            found[family.name + counter] = (family.type.replace("unknown", "untyped"),
                                            frozenset(s.labels) - {"le"})
    return found


def test_both_formats_say_the_same(broker, aggregator, start_agent):
    topic, group = unique("measured"), unique('re"ad\\ers ä')
    create_topic(broker.bootstrap, topic)
    produce(broker.bootstrap, topic, 10)
    commit(broker.bootstrap, group, {(topic, 0): 4})
    start_agent("agent", [aggregator], [cluster("one", broker.bootstrap)])
    wait_for("the group", 30, lambda: "one" in aggregator.clusters()
             and group in aggregator.groups("one"))

    kind, text = scrape(aggregator, "text/plain")
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    old, old_types = samples(text_string_to_metric_families(text))
    assert served(text_string_to_metric_families(text)).items() <= described().items()
    lag = [v for (name, labels), v in old.items() if name == "burrow_kafka_consumer_partition_lag"
           and dict(labels).get("topic") == topic]
    assert lag == [6]

    kind, text = scrape(aggregator, OPEN)
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("\n# EOF\n")
    new, new_types = samples(openmetrics.text_string_to_metric_families(text))
    assert new_types == old_types
    assert set(new) == set(old)
    groups = {dict(labels).get("consumer_group") or dict(labels).get("group") for _, labels in new}
    assert group in groups


def test_what_is_switched_off_is_left_out(broker, aggregator, start_agent):
    topic, group = unique("quiet"), unique("silent")
    create_topic(broker.bootstrap, topic)
    commit(broker.bootstrap, group, {(topic, 0): 0})
    start_agent("agent", [aggregator], [cluster("one", broker.bootstrap)])
    wait_for("the group", 30, lambda: "one" in aggregator.clusters()
             and group in aggregator.groups("one"))
    of = {"metrics_partitions": "burrow_kafka_consumer_partition_lag{",
          "metrics_topics": "burrow_kafka_topic_partition_offset{",
          "metrics_groups": "burrow_kafka_consumer_status{"}
    for off in of:
        aggregator.stop()
        aggregator.settings["http"].update({key: key != off for key in of})
        aggregator.write_config(aggregator.settings)
        aggregator.start()
        wait_for("the cluster", 30, lambda: "one" in aggregator.clusters())
        _, text = scrape(aggregator, "text/plain")
        assert {key for key, start in of.items() if start not in text} == {off}
