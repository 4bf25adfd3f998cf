# SPDX-License-Identifier: Apache-2.0
"""A real Alertmanager that two aggregators tell of the same incidents."""

import datetime
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.request

import pytest

from broker import die_with_parent, free_ports
from clients import unique
from test_durability import CLOCKSKEW
from test_incidents import Groups, make_aggregator, of_groups, quick_rules
from warren import cluster, wait_for

LONG = bool(os.environ.get("WARREN_LONG"))
LASTS_S = 300  # what it is told of anew no later than this
TOLD_AGAIN_S = 120
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Alertmanager here")


class Notified(http.server.ThreadingHTTPServer):
    """What an Alertmanager notifies of: the alerts of each notification."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), NotifiedHandler)
        self.got = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return "http://127.0.0.1:%d/" % self.server_port

    def of(self, group, status):
        return [alert for alerts in self.got for alert in alerts
                if (alert["labels"]["group"], alert["status"]) == (group, status)]


class NotifiedHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append(body["alerts"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


class Alertmanager:
    def __init__(self, dir, notified):
        port, = free_ports(1)
        self.url = "http://127.0.0.1:%d" % port
        config = {"route": {"receiver": "hook", "group_by": ["group"], "group_wait": "1s",
                            "group_interval": "1s", "repeat_interval": "4h"},
                  "receivers": [{"name": "hook", "webhook_configs": [
                      {"url": notified.url(), "send_resolved": True}]}]}
        (dir / "alertmanager.yml").write_text(json.dumps(config))
        with open(dir / "alertmanager.log", "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--config.file", str(dir / "alertmanager.yml"),
                 "--storage.path", str(dir / "alertmanager"),
                 "--web.listen-address", self.url[len("http://"):], "--cluster.listen-address="],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        wait_for("the Alertmanager", 60, lambda: self.alerts() is not None)

    def alerts(self):
        """Those that are not over, by group; None while nobody answers."""
        try:
            with urllib.request.urlopen(self.url + "/api/v2/alerts", timeout=10) as answer:
                alerts = json.load(answer)
        except OSError:
            return None
        found = {alert["labels"]["group"]: alert for alert in alerts}
        assert len(found) == len(alerts), "one alert for each group: %r" % alerts
        return found

    def stop(self):
        self.process.kill()
        self.process.wait()


def seconds(time):
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def all_told(aggregator):
    answer = aggregator.json("/api/v1/outbox?state=all")
    return answer and answer["messages"] and \
        all(m["state"] == "sent" for m in answer["messages"])


@pytest.fixture
def notified():
    n = Notified()
    yield n
    n.shutdown()


@pytest.fixture
def alertmanager(tmp_path, notified):
    a = Alertmanager(tmp_path, notified)
    yield a
    a.stop()


@pytest.fixture
def pair(tmp_path, alertmanager):
    """Two aggregators whose clocks can be set, and which find a lag quickly."""
    rules = quick_rules(tmp_path, clear_after=3, labels={"team": "night"})
    alert = {"url": "http://warren.example",
             "route": {"receiver": "", "routes": [{"receiver": "am", "kind": ["group"]}]},
             "receivers": [{"name": "am", "type": "alertmanager", "urls": [alertmanager.url]}]}
    pair = [make_aggregator(tmp_path, name, rules_file=rules, alert=alert)
            for name in ("first", "second")]
    for a in pair:
        a.stop()
        a.environment = {"LD_PRELOAD": CLOCKSKEW, "CLOCKSKEW": str(tmp_path / "skew")}
        a.start()
    yield pair
    for a in pair:
        a.kill()


def test_two_replicas_open_keep_and_end_one_alert(own_broker, tmp_path, start_agent, pair,
                                                  alertmanager, notified):
    groups = Groups(own_broker.bootstrap, 2)
    for group in groups.list:
        group.stuck = True
        group.step()
    start_agent("agent", pair, [cluster(unique("paged"), own_broker.bootstrap)])
    for a in pair:
        groups.until("the incidents", 60, lambda: len(of_groups(a)) == 2 and all_told(a))
    check_open(alertmanager, notified, groups, of_groups(pair[0]))
    check_lasts(alertmanager, groups, tmp_path)
    check_worse(alertmanager, groups)
    check_ends(alertmanager, notified, groups)
    for i in of_groups(pair[0], state="all"):
        check_notified(notified, i)


def check_open(alertmanager, notified, groups, opened):
    alerts = alertmanager.alerts()
    assert set(alerts) == {g.name for g in groups.list}
    for i in opened:
        alert = alerts[i["group"]]
        assert alert["labels"] == {"alertname": "WarrenConsumerGroup", "environment": "TEST",
                                   "cluster": i["cluster"], "group": i["group"],
                                   "severity": "warning", "team": "night"}
        assert abs(seconds(alert["startsAt"]) - i["opened_ms"] / 1000) < 1
        assert alert["annotations"]["id"] == i["id"]
        assert alert["generatorURL"].startswith("http://warren.example/")
        wait_for("the notification", 60, lambda: notified.of(i["group"], "firing"))
        assert len(notified.of(i["group"], "firing")) == 1, "two tell of it, one is notified"


def check_lasts(alertmanager, groups, dir):
    ends = {group: seconds(alert["endsAt"]) for group, alert in alertmanager.alerts().items()}
    if not LONG:
        (dir / "skew").write_text(str(TOLD_AGAIN_S + 10))

    def is_told_again():
        alerts = alertmanager.alerts()
        assert set(alerts) == set(ends), "none ends while its incident lasts"
        return all(seconds(a["endsAt"]) > ends[g] + TOLD_AGAIN_S - 10 for g, a in alerts.items())

    groups.until("it is told again", LASTS_S + 60, is_told_again)
    if LONG:
        groups.until("what it was told first to be over", LASTS_S + 60,
                     lambda: is_told_again() and time.time() > max(ends.values()) + 5)


def check_worse(alertmanager, groups):
    """What gets worse stays one alert, whatever of it changes."""
    group = groups.list[0]
    group.committed = group.end + 1000000
    groups.until("the worse alert", 60, lambda: "critical" ==
                 alertmanager.alerts()[group.name]["labels"]["severity"])


def check_ends(alertmanager, notified, groups):
    recovers, doomed = groups.list
    groups.list.remove(doomed)
    doomed.delete()
    groups.until("the end of the deleted", 60,
                 lambda: set(alertmanager.alerts()) == {recovers.name})
    recovers.stuck = False
    groups.until("the end", 60, lambda: alertmanager.alerts() == {})


def check_notified(notified, incident):
    """Once of each severity that it had, and of the end of each."""
    severities = {"WARN": ["warning"], "ERR": ["warning", "critical"]}[incident["worst"]]

    def told(status):
        return [a["labels"]["severity"] for a in notified.of(incident["group"], status)]

    wait_for("the notification", 60, lambda: told("resolved") == severities)
    assert told("firing") == severities
