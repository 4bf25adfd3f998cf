# SPDX-License-Identifier: Apache-2.0
"""Incidents of a real cluster: opened, worse, acknowledged, resolved, and never lost or doubled."""

import http.server
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request

from confluent_kafka import Consumer, Producer, TopicPartition

from clients import create_topic, delete_group, retry, unique
from shapes import differences, example_of
from warren import AGGREGATOR, Aggregator, cluster, wait_for

TOKEN = "a-token-of-this-test"
FAR_TOKEN = "a-token-for-other-clusters"
JUDGE = {"stop_after_min": "10s", "stop_after_max": "60s", "warn_after": "10s"}


def make_aggregator(dir, name="aggregator", **changes):
    for file, secret in (("token", TOKEN), ("far_token", FAR_TOKEN)):
        (dir / file).write_text(secret + "\n")
        (dir / file).chmod(0o600)
    a = Aggregator(dir, name, judge=JUDGE, **changes)
    config = dict(a.settings)
    config["http"] = {**config["http"], "anonymous": "read",
                      "auth": [{"name": "ops", "token_file": str(dir / "token"), "roles": ["admin"]},
                               {"name": "far", "token_file": str(dir / "far_token"),
                                "roles": ["admin"], "clusters": ["TEST/far-*"]}]}
    a.write_config(config)
    return a.start()


def quick_rules(dir, **more):
    """For rules_file: a lag of a second is an incident, at once and whatever the pace."""
    rule = {"max_time_lag": "1s", "raise_after": 1, **more}
    (dir / "rules.yaml").write_text(json.dumps({"rules": [rule]}))
    return "rules.yaml"


def change(aggregator, path, body=None, method="POST", token=TOKEN):
    """Status and the answer."""
    request = urllib.request.Request(aggregator.url + path, method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer " + token})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def incidents(aggregator, **query):
    text = "&".join("%s=%s" % item for item in query.items())
    answer = aggregator.json("/api/v1/incidents" + ("?" + text if text else ""))
    return answer["incidents"] if answer else []


def of_groups(aggregator, **query):
    """Not those of clusters: on a machine that has much to do one may be blind for a moment."""
    return [i for i in incidents(aggregator, **query) if i["kind"] == "group"]


def one(aggregator, id):
    return aggregator.json("/api/v1/incidents/" + id)


def open_of(aggregator, group):
    found = incidents(aggregator, group=group)
    assert len(found) <= 1
    return found[0] if found else None


class Group:
    """A group that commits all there is, or what it did before."""

    def __init__(self, bootstrap, name=None):
        self.bootstrap = bootstrap
        self.topic = unique("incident")
        self.name = name or unique("group")
        self.end = 0
        self.committed = 0
        self.stuck = False
        create_topic(bootstrap, self.topic)
        self.producer = Producer({"bootstrap.servers": bootstrap})
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": self.name,
                                  "enable.auto.commit": False})

    def step(self):
        for _ in range(5):
            self.producer.produce(self.topic, b"x", partition=0)
        assert self.producer.flush(30) == 0
        self.end += 5
        if not self.stuck:
            self.committed = self.end
        offset = TopicPartition(self.topic, 0, self.committed)
        retry(lambda: self.consumer.commit(offsets=[offset], asynchronous=False))

    def delete(self):
        self.consumer.close()
        delete_group(self.bootstrap, self.name)


class Groups:
    """Several, which do something once a second."""

    def __init__(self, bootstrap, count):
        self.list = [Group(bootstrap) for _ in range(count)]

    def until(self, what, limit_s, condition):
        """The first true value of condition()."""
        limit = time.monotonic() + limit_s
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < limit, "waited %d s for %s" % (limit_s, what)
            for group in self.list:
                group.step()
            time.sleep(1)

    def known(self, aggregator, name):
        """Go on until the aggregator knows their pace."""
        self.until("the groups", 60, lambda: len(aggregator.groups(name)) >= len(self.list))
        for group in self.list:
            self.until("its pace", 120, lambda: pace_is_known(aggregator, name, group.name))


def pace_is_known(aggregator, name, group):
    answer = aggregator.json("/api/v1/clusters/%s/groups/%s/explain?all" % (name, group))
    return all(answer["partitions"][0]["pace"][k]["known"] for k in ("commits", "progress"))


def changes_of(aggregator, id):
    return [step["change"] for step in one(aggregator, id)["timeline"]]


def test_life(own_broker, tmp_path, start_agent):
    name = unique("life")
    first = make_aggregator(tmp_path, "first")
    second = make_aggregator(tmp_path, "second")
    try:
        agent = start_agent("agent", [first, second], [cluster(name, own_broker.bootstrap)])
        groups = Groups(own_broker.bootstrap, 3)
        groups.known(first, name)
        check_opening(first, second, name, groups)
        check_hands(first, groups)
        check_ends(first, groups)
        check_blind(first, second, agent, name, groups)
        check_store(first)
    finally:
        first.kill()
        second.kill()


def check_store(aggregator):
    """Every record is as it should be, also after a copy."""
    aggregator.stop()
    backup = aggregator.dir + "/backup"
    for command in (["backup", "--data", aggregator.data_dir(), backup],
                    ["check", "--data", backup], ["check", "--data", aggregator.data_dir()]):
        told = subprocess.run([AGGREGATOR, *command], capture_output=True, text=True, timeout=60)
        assert told.returncode == 0, told.stdout + told.stderr


def check_opening(first, second, name, groups):
    assert incidents(first, state="all") == []
    for group in groups.list:
        group.stuck = True
    groups.until("the incidents", 60, lambda: len(incidents(first)) == 3)
    groups.until("the same on both", 20, lambda: len(incidents(second)) == 3)
    for group in groups.list:
        i = open_of(first, group.name)
        assert (i["state"], i["kind"], i["environment"]) == ("open", "group", "TEST")
        assert (i["cluster"], i["topic"], i["partition"]) == (name, group.topic, 0)
        assert i["status"] in ("WARN", "ERR") and group.topic in i["sentence"]
        assert open_of(second, group.name)["id"] == i["id"]
    groups.until("ERR", 60, lambda: all(i["status"] == "ERR" for i in incidents(first)))
    assert samples(first) == {("open", "ERR"): 3, ("open", "WARN"): 0, ("acknowledged", "ERR"): 0,
                              ("acknowledged", "WARN"): 0}


def samples(aggregator):
    """{(state, status): value} of warren_incidents."""
    found = re.findall(r'^warren_incidents\{environment="TEST",state="(\w+)",status="(\w+)",?\} '
                       r'(\d+)$', aggregator.get("/metrics")[1], re.MULTILINE)
    return {(state, status): int(value) for state, status, value in found}


def check_hands(first, groups):
    kept, _, by_hand = groups.list
    before = {i["id"] for i in incidents(first)}
    id = open_of(first, kept.name)["id"]
    path = "/api/v1/incidents/%s/acknowledge" % id
    assert change(first, path, token="wrong")[0] == 401
    assert change(first, path, token=FAR_TOKEN)[0] == 404
    _, seen = change(first, "/api/v1/incidents?state=all", method="GET", token=FAR_TOKEN)
    assert (seen["total"], seen["incidents"]) == (0, [])
    status, answer = change(first, path, {"note": "I see to it"})
    assert status == 200, answer
    assert (answer["state"], answer["by"], answer["note"]) == ("acknowledged", "ops",
                                                               "I see to it")
    first.kill()
    first.start()
    groups.until("a pass", 20, lambda: first.groups(answer["cluster"]))
    assert {i["id"] for i in incidents(first)} == before
    assert one(first, id)["state"] == "acknowledged"
    for path, told in (("/incidents", first.json("/api/v1/incidents")),
                       ("/incidents/{id}", one(first, id))):
        assert not differences(example_of(path), told), path

    id = open_of(first, by_hand.name)["id"]
    status, answer = change(first, "/api/v1/incidents/%s/resolve" % id)
    assert (status, answer["state"], answer["end"], answer["by"]) == (200, "resolved", "by_hand",
                                                                      "ops")
    for _ in range(5):
        groups.until("a second", 5, groups_step_once(groups))
        assert open_of(first, by_hand.name) is None, "it stays resolved while it is as it was"


def groups_step_once(groups):
    calls = iter([False, True])
    return lambda: next(calls)


def check_ends(first, groups):
    kept, doomed, by_hand = groups.list
    kept_id = open_of(first, kept.name)["id"]
    doomed_id = open_of(first, doomed.name)["id"]
    groups.list.remove(doomed)
    doomed.delete()
    groups.until("its end", 60, lambda: one(first, doomed_id)["state"] == "resolved")
    assert one(first, doomed_id)["end"] == "deleted"

    kept.stuck = by_hand.stuck = False
    groups.until("the end", 60, lambda: incidents(first) == [])
    end = one(first, kept_id)
    assert (end["state"], end["end"]) == ("resolved", "recovered")
    changes = changes_of(first, kept_id)
    assert changes[0] == "opened" and changes[-1] == "resolved" and "acknowledged" in changes
    assert len(incidents(first, state="all")) == 3, "one for each group, and no more"
    page = first.json("/api/v1/incidents?state=all&limit=2")
    assert page["total"] == 3 and len(page["incidents"]) == 2
    rest = first.json("/api/v1/incidents?state=all&limit=2&cursor=" + page["next"])
    assert rest["next"] is None and len(rest["incidents"]) == 1
    by_hand.stuck = True
    groups.until("trouble again", 90, lambda: open_of(first, by_hand.name))


def check_blind(first, second, agent, name, groups):
    before = [i["id"] for i in incidents(first)]
    agent.kill()
    for a in (first, second):
        wait_for("the blind cluster", 30,
                 lambda: [i for i in incidents(a) if i["kind"] == "blind"])
    blind, = [i for i in incidents(first) if i["kind"] == "blind"]
    assert (blind["cluster"], blind["group"], blind["reason"]) == (name, None, "no_data")
    assert [i["id"] for i in incidents(first) if i["kind"] == "group"] == before
    other, = [i for i in incidents(second) if i["kind"] == "blind"]
    assert other["id"] == blind["id"]
    first.kill()
    first.start()
    assert len([i for i in incidents(first) if i["kind"] == "blind"]) == 1
    agent.start()
    groups.until("sight", 60, lambda: one(first, blind["id"])["state"] == "resolved")
    assert one(first, blind["id"])["end"] == "recovered"
    assert [i["id"] for i in incidents(first)] == before


def test_silences(tmp_path):
    a = make_aggregator(tmp_path)
    try:
        check_silences(a)
    finally:
        a.kill()


def check_silences(a):
    assert a.json("/api/v1/silences") == {"silences": []}
    assert change(a, "/api/v1/silences", {"for_s": 60}, token="wrong")[0] == 401
    status, made = change(a, "/api/v1/silences",
                          {"environment": "DEV", "group": "batch-*", "status": "WARN",
                           "reason": "no_commits", "labels": {"team": "pay*"}, "for_s": 3600,
                           "note": "migration"})
    assert status == 201, made
    assert (made["environment"], made["cluster"], made["group"]) == ("DEV", "*", "batch-*")
    assert (made["status"], made["reason"], made["labels"]) == ("WARN", "no_commits",
                                                                {"team": "pay*"})
    assert (made["by"], made["note"]) == ("ops", "migration")
    assert abs(made["until_ms"] - made["from_ms"] - 3600000) < 1000
    status, window = change(a, "/api/v1/silences",
                            {"days": ["sat", "sun"], "from": "22:00", "to": "06:30",
                             "timezone": "Europe/Berlin", "note": "backups"})
    assert status == 201, window
    assert (window["days"], window["from"], window["to"]) == (["sat", "sun"], "22:00", "06:30")
    assert window["until_ms"] is None
    for wrong, word in [({}, "until_ms"), ({"for_s": "x"}, "for_s"), ({"for_s": -1}, "for_s"),
                        ({"for_s": 60, "colour": "red"}, "colour"),
                        ({"for_s": 60, "status": "OK"}, "status"),
                        ({"for_s": 60, "group": 7}, "group"),
                        ({"for_s": 60, "days": ["someday"]}, "days"),
                        ({"days": ["mon"], "from": "25:00"}, "from"),
                        ({"days": ["mon"], "timezone": "../passwd"}, "timezone"),
                        ({"for_s": 60, "labels": {"a": {"b": "c"}}}, "labels"),
                        ([], "object")]:
        status, problem = change(a, "/api/v1/silences", wrong)
        assert status == 400 and word in problem["detail"], (wrong, problem)
    check_far(a, made["id"])
    a.kill()
    a.start()
    assert {s["id"] for s in a.json("/api/v1/silences")["silences"]} == {made["id"], window["id"]}
    assert change(a, "/api/v1/silences/" + made["id"], method="DELETE") == (204, None)
    assert change(a, "/api/v1/silences/" + made["id"], method="DELETE")[0] == 404
    assert [s["id"] for s in a.json("/api/v1/silences")["silences"]] == [window["id"]]
    for path in ("/api/v1/incidents/x", "/api/v1/incidents/0123456789abcdef"):
        assert a.get(path)[0] == 404
    for query in ("state=closed", "status=OK", "cursor=x", "limit=x"):
        assert a.get("/api/v1/incidents?" + query)[0] == 400, query


class Hook(http.server.ThreadingHTTPServer):
    """Keeps what is posted to it, and when."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), HookHandler)
        self.got = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return "http://127.0.0.1:%d/hook" % self.server_port

    def texts(self):
        return [body for _, body in self.got]


class HookHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.got.append((time.time(), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def check_far(a, others_id):
    """Who sees some clusters alone silences one of them by its name."""
    for wrong in ({}, {"environment": "TEST"}, {"environment": "TEST", "cluster": "far-*"},
                  {"environment": "TEST", "cluster": "near-1"}):
        assert change(a, "/api/v1/silences", {**wrong, "for_s": 60}, token=FAR_TOKEN)[0] == 400
    status, made = change(a, "/api/v1/silences",
                          {"environment": "TEST", "cluster": "far-1", "for_s": 60},
                          token=FAR_TOKEN)
    assert status == 201, made
    _, seen = change(a, "/api/v1/silences", method="GET", token=FAR_TOKEN)
    assert [s["id"] for s in seen["silences"]] == [made["id"]]
    assert change(a, "/api/v1/silences/" + others_id, method="DELETE", token=FAR_TOKEN)[0] == 404
    assert change(a, "/api/v1/silences/" + made["id"], method="DELETE", token=FAR_TOKEN)[0] == 204


def test_somebody_is_told(own_broker, tmp_path, start_agent):
    name = unique("told")
    hook = Hook()
    route = {"receiver": "hook", "wait": "0s", "group_by": ["environment", "cluster", "group"]}
    alert = {"receivers": [{"name": "hook", "type": "webhook", "url": hook.url()}], "route": route}
    a = make_aggregator(tmp_path, rules_file=quick_rules(tmp_path, max_time_lag="8s"), alert=alert)
    try:
        start_agent("agent", [a], [cluster(name, own_broker.bootstrap)])
        groups = Groups(own_broker.bootstrap, 2)
        groups.until("the groups", 60, lambda: len(a.groups(name)) == 2)
        check_messages(a, hook, groups)
    finally:
        a.kill()
        hook.shutdown()


class Stream(threading.Thread):
    """Reads the stream of events until the aggregator is gone."""

    def __init__(self, a):
        super().__init__(daemon=True)
        self.answer = urllib.request.urlopen(a.url + "/api/v1/stream", timeout=60)
        self.incidents = []
        self.start()

    def run(self):
        event = None
        try:
            for line in self.answer:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "incident":
                    self.incidents.append(json.loads(value))
        except OSError:
            pass


def check_messages(a, hook, groups):
    stream = Stream(a)
    loud, quiet = groups.list
    status, _ = change(a, "/api/v1/silences", {"group": quiet.name, "for_s": 3600})
    assert status == 201
    loud.stuck = quiet.stuck = True
    groups.until("both", 60, lambda: len(incidents(a)) == 2)
    assert [i["silenced"] for i in incidents(a, group=quiet.name)] == [True]
    groups.until("the message", 10, lambda: hook.got)
    at, body = hook.got[0]
    i = open_of(a, loud.name)
    print("told %.3f s after the pass" % (at - i["opened_ms"] / 1000))
    assert loud.name in body and i["id"] in body
    assert at - i["opened_ms"] / 1000 < 2, "the pass itself takes some of it"
    assert not [text for text in hook.texts() if quiet.name in text]
    assert {i["id"] for i in stream.incidents} == {i["id"] for i in incidents(a)}

    a.kill()
    a.start()
    silence, = a.json("/api/v1/silences")["silences"]
    before = len([text for text in hook.texts() if loud.name in text])
    assert change(a, "/api/v1/silences/" + silence["id"], method="DELETE")[0] == 204
    wait_for("the silenced one", 20,
             lambda: [text for text in hook.texts() if quiet.name in text])
    assert len([text for text in hook.texts() if loud.name in text]) == before
    loud.stuck = quiet.stuck = False
    groups.until("the end", 60, lambda: incidents(a) == [])
    wait_for("the last message", 20,
             lambda: [text for text in hook.texts() if "resolve" in text and quiet.name in text])
