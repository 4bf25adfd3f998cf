# SPDX-License-Identifier: Apache-2.0
"""What system tests share: real brokers of each version, and daemons that are always stopped."""

import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "kafka")]

from broker import VERSIONS, Broker, die_with_parent  # noqa: E402
from warren import BUILD, Agent, Aggregator  # noqa: E402

SETTINGS = {"group.coordinator.rebalance.protocols": "classic,consumer",
            "offsets.topic.num.partitions": "5",
            "log.retention.check.interval.ms": "1000",
            "log.initial.task.delay.ms": "1000"}


def pytest_collection_modifyitems(items):
    """The file that takes the longest first: it would be left alone at the end."""
    items.sort(key=lambda item: item.path.name != "test_verdicts.py")


@pytest.fixture(scope="session", params=VERSIONS)
def broker(request, tmp_path_factory):
    """A broker that all tests of this version share; none may stop it."""
    with Broker(request.param, tmp_path_factory.mktemp("kafka-" + request.param),
                properties=SETTINGS) as b:
        yield b


@pytest.fixture
def own_broker(tmp_path):
    """A broker of the newest version for one test, which may do with it as it likes."""
    with Broker(VERSIONS[-1], tmp_path / "kafka", properties=SETTINGS) as b:
        yield b


@pytest.fixture(scope="module")
def demo():
    """{cluster: bootstrap} of the demonstration's clusters."""
    process = subprocess.Popen([os.path.join(BUILD, "deploy", "warren-demo")], text=True,
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               preexec_fn=die_with_parent)
    found = {}
    for line in process.stdout:
        if line.startswith("ready"):
            break
        _, name, _, bootstrap = line.split()
        found[name] = bootstrap
    yield found
    process.kill()
    process.wait()


@pytest.fixture
def aggregator(tmp_path):
    a = Aggregator(tmp_path)
    a.start()
    yield a
    a.kill()


@pytest.fixture
def start_agent(tmp_path):
    """start_agent(name, aggregators, clusters) -> a running agent, stopped after the test."""
    started = []

    def start(name, aggregators, clusters, **changes):
        agent = Agent(tmp_path, name, aggregators, clusters, **changes)
        started.append(agent)
        return agent.start()

    yield start
    for agent in started:
        agent.kill()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Show the end of the daemons' logs with a failure."""
    outcome = yield
    report = outcome.get_result()
    path = item.funcargs.get("tmp_path") if hasattr(item, "funcargs") else None
    if report.when == "call" and report.failed and path is not None:
        for log in sorted(path.glob("*.log")):
            report.sections.append((log.name, log.read_text()[-4000:]))
