# SPDX-License-Identifier: Apache-2.0
"""Verdicts against known truth, live: scripted consumers on a real broker, judged once a second.

The whole bench takes nine minutes: tests/verdicts/live/bench.py, as its README says. Here the
longest scenarios are left out, and aggregator and agent are killed in the middle.
"""

import json
import os
import subprocess
import sys

from clients import unique
from warren import ROOT, cluster, wait_for

LIVE = os.path.join(ROOT, "tests", "verdicts", "live")

SCENARIOS = ["healthy_steady", "trailing_lag", "rewind_jitter", "rolling_deploy", "idle_recommit",
             "txn_idle_marker", "killed_busy", "killed_idle", "stuck_poison", "kip848_stuck",
             "txn_commits_aborted", "commit_beyond_end", "topic_deleted",
             "group_deleted_assign_only", "retention_loss", "backlog_eaten"]
LONG = os.environ.get("WARREN_LONG") == "1"


def test_every_second_is_right(own_broker, aggregator, start_agent, tmp_path):
    name = unique("live")
    agent = start_agent("agent", [aggregator], [cluster(name, own_broker.bootstrap,
                                                        interval="5s")])
    wait_for("the cluster", 60, lambda: name in aggregator.clusters())
    results = tmp_path / "results.json"
    command = [sys.executable, os.path.join(LIVE, "bench.py"), "--bootstrap",
               own_broker.bootstrap, "--monitor", "warren=%s:%s" % (aggregator.url, name),
               "--set", "public", "--settle", "10", "--out", str(results)]
    if not LONG:
        command += ["--scenarios", ",".join(SCENARIOS)]
    bench = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    try:
        if not LONG:
            bench_restarts(bench, aggregator, agent)
        output, _ = bench.communicate(timeout=900)
    finally:
        bench.kill()
    print(output)
    score = json.loads(results.read_text())["score"]
    wrong = [line for line in output.splitlines() if "100%" not in line and " pub " in line]
    assert not wrong, "\n".join(wrong)
    assert score


def bench_restarts(bench, aggregator, agent):
    """Kill each daemon once while everybody is in the middle of something."""
    for seconds, daemon in [(200, aggregator), (40, agent)]:
        try:
            bench.wait(seconds)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.start()
