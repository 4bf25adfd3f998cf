# SPDX-License-Identifier: Apache-2.0
"""Time lag against ground truth: messages produced at known times, read by a consumer that stands."""

import time

from clients import commit, create_topic, produce, unique
from warren import cluster, wait_for

INTERVAL_S = 2


def test_time_lag_is_the_age_of_the_oldest_unread_message(own_broker, aggregator, start_agent):
    """Within one sample interval, told from the history of log ends alone: the probe is off."""
    topic, group = unique("clocked"), unique("stands")
    create_topic(own_broker.bootstrap, topic, 1)
    start_agent("agent", [aggregator],
                [cluster("Live", own_broker.bootstrap, interval="%ds" % INTERVAL_S,
                         probe={"enabled": False})])
    wait_for("the topic", 60, lambda: topic in aggregator.topics("Live"))
    produced = []
    for _ in range(40):
        produce(own_broker.bootstrap, topic, 1)
        produced.append(time.time())
        time.sleep(0.5)

    for offset in (3, 17, 30):
        commit(own_broker.bootstrap, group, {(topic, 0): offset})
        wait_for("the commit", 30,
                 lambda o=offset: aggregator.lags("Live", group).get((topic, 0), (0,))[0] == o)
        answer = aggregator.json("/api/v1/clusters/Live/groups/" + group)
        seen = answer["partitions"][0]
        truth_ms = answer["as_of_ms"] - 1000 * produced[offset]
        assert not seen["time_lag_at_least"]
        assert abs(seen["time_lag_ms"] - truth_ms) <= 1000 * INTERVAL_S, (offset, truth_ms, seen)

    commit(own_broker.bootstrap, group, {(topic, 0): 40})
    wait_for("nothing to wait", 30,
             lambda: aggregator.json("/api/v1/clusters/Live/groups/" + group)
             ["partitions"][0]["time_lag_ms"] == 0)
