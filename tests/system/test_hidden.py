# SPDX-License-Identifier: Apache-2.0
"""Of clusters that a token does not name nothing is told, on whatever path one asks."""

import hashlib
import json
import os
import re
import threading

import pytest
import requests

from warren import ROOT, Agent, Aggregator, cluster, wait_for

SEEN = {"environment": "PROD", "cluster": "seoul", "group": "checkout-debug",
        "topic": "orders.placed", "partition": "0", "agent": "agent", "name": "seoul"}
HIDDEN = {"environment": "HUSH", "cluster": "hush-berlin", "group": "regression-recorder",
          "topic": "mail.outgoing", "partition": "0", "agent": "hush-agent", "name": "hush-berlin"}
ABSENT = {"environment": "NONE", "cluster": "none-at-all", "group": "nobody-there-is-here",
          "topic": "no.such.topic", "partition": "0", "agent": "none-agent", "name": "none-at-all"}
# In whatever letter case; no other cluster has them.
SECRETS = ["hush", "mail-sender", "regression-recorder", "mail.outgoing"]
# What is asked beside the path; what is over is told as well.
QUERIES = {"/api/v1/incidents": "state=all", "/api/v1/sparklines":
           "group=PROD/seoul/checkout-debug&group=HUSH/hush-berlin/regression-recorder"}
LISTS = ["/groups", "/clusters", "/environments", "/agents", "/incidents", "/clusters/seoul/groups",
         "/environments/PROD/groups"]


def token(dir, name, **more):
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": name, "token_sha256": digest, "roles": ["admin"], **more}


class Client:
    """Who asks with one token."""

    def __init__(self, aggregator, name):
        self.url = aggregator.url
        self.headers = {"Authorization": "Bearer " + name}

    def ask(self, path, method="GET", **more):
        return requests.request(method, self.url + path, headers=self.headers, timeout=30, **more)

    def follow(self, texts, enough):
        """What the stream tells, until it is enough."""
        with self.ask("/api/v1/stream", stream=True) as answer:
            for line in answer.iter_lines(decode_unicode=True):
                texts.append(line)
                if enough.is_set():
                    return


@pytest.fixture(scope="module")
def clients(tmp_path_factory, demo):
    """One who sees all, and one who sees seoul alone; both clusters have groups, berlin an incident
    too, and a rule, a silence and a maintenance are for it."""
    dir = tmp_path_factory.mktemp("hidden")
    (dir / "rules.yaml").write_text("rules:\n- {environment: HUSH, cluster: hush-berlin, group: "
                                    "'regression-*', max_time_lag: 1s, raise_after: 1}\n")
    aggregator = Aggregator(dir, judge={"warn_after": "1s"}, rules_file=str(dir / "rules.yaml"))
    aggregator.settings["http"].update(anonymous="none", auth=[
        token(dir, "root"), token(dir, "prod", clusters=["PROD/*"])])
    aggregator.write_config(aggregator.settings)
    aggregator.start()
    agents = [Agent(dir, SEEN["agent"], [aggregator],
                    [cluster(SEEN["cluster"], demo["dev-lab"], "PROD")]).start(),
              Agent(dir, HIDDEN["agent"], [aggregator],
                    [cluster(HIDDEN["cluster"], demo["qa-berlin"], "HUSH")]).start()]
    root, prod = Client(aggregator, "root"), Client(aggregator, "prod")
    for who, names in ((root, HIDDEN), (prod, SEEN)):
        wait_for("the groups", 60, lambda: who.ask(
            "/api/v1/clusters/%(cluster)s/groups/%(group)s/partitions" % names).status_code == 200)
    for path in ("silences", "maintenance"):
        added = requests.post("%s/api/v1/%s" % (aggregator.url, path), headers=root.headers,
                              json={"environment": "HUSH", "cluster": "hush-*", "for_s": 3600,
                                    "group": "mail-*", "note": "hush"}, timeout=30)
        assert added.status_code == 201, added.text
    wait_for("an incident", 60, lambda: "HUSH" in root.ask("/api/v1/incidents?state=all").text)
    yield root, prod
    for daemon in (*agents, aggregator):
        daemon.kill()


def operations():
    """(method, path) of all that can be asked: of the document, and the rest as the source has it."""
    with open(os.path.join(ROOT, "aggregator", "serve", "server.c")) as f:
        routes = re.findall(r'\{METHOD_(\w+),\s*"(/[^"]*)"', f.read())
    with open(os.path.join(ROOT, "aggregator", "serve", "web", "openapi.json")) as f:
        told = {(m.upper(), "/api/v1" + p) for p, ops in json.load(f)["paths"].items() for m in ops}
    assert len(told) > 35 and len(routes) > 65
    return sorted(told | {(m, re.sub(r":(\w+)", r"{\1}", p)) for m, p in routes})


def templates():
    """Every path that is asked with GET, but the stream, which never ends."""
    return [p for m, p in operations() if m == "GET" and p not in (
        "/api/v1/openapi.json", "/api/v1/stream")]


def fill(template, names):
    return re.sub(r"{(\w+)}", lambda m: names.get(m.group(1), "0" * 16), template)


def betrayed(text):
    return [s for s in SECRETS if s in text.lower()]


def test_no_answer_tells_of_what_is_hidden(clients):
    root, prod = clients
    enough, heard, heard_by_root = threading.Event(), [], []
    threads = [threading.Thread(target=who.follow, args=(texts, enough))
               for who, texts in ((prod, heard), (root, heard_by_root))]
    for t in threads:
        t.start()
    tells = set()
    try:
        for template in templates():
            path = fill(template, SEEN)
            query = "?" + QUERIES.get(path, "")
            for form in ("", "&format=csv", "&pretty"):
                asked = path + query + form
                answer = prod.ask(asked)
                shown = answer.text + str(answer.headers)
                assert not betrayed(shown), (asked, betrayed(shown), shown[:3000])
            if betrayed(root.ask(path + query).text):
                tells.add(template)
        wait_for("events", 60, lambda: any("seoul" in t for t in heard) and
                 betrayed("\n".join(heard_by_root)))
    finally:
        enough.set()
        for t in threads:
            t.join()
    assert not betrayed("\n".join(heard))
    # It was there to be told.
    assert {"/api/v1/groups", "/api/v1/clusters", "/api/v1/environments", "/api/v1/agents",
            "/api/v1/incidents", "/api/v1/silences", "/api/v1/maintenance", "/api/v1/rules", "/api/v1/sparklines", "/v3/kafka",
            "/v3/config/cluster", "/v3/config/consumer", "/metrics"} <= tells


def ids(client):
    """{folder: the id of one thing in it, the oldest} of what has ids and is of HUSH."""
    answers = {"incidents": client.ask("/api/v1/incidents?state=all&env=HUSH"),
               "silences": client.ask("/api/v1/silences"),
               "maintenance": client.ask("/api/v1/maintenance")}
    return {folder: answer.json()[folder][-1]["id"] for folder, answer in answers.items()}


def test_what_is_hidden_is_as_if_it_were_not_there(clients):
    """Whoever asks by its name, or would change it, gets the answer for what nobody has."""
    root, prod = clients
    known = ids(root)
    there = 0
    for method, template in operations():
        names = re.findall(r"{(\w+)}", template)
        if not {"environment", "cluster", "agent", "name", "id"} & set(names):
            continue
        id = {"id": known.get(template.split("/")[3], "0" * 16)}
        hidden, absent = (prod.ask(fill(template, n), method) for n in ({**HIDDEN, **id}, ABSENT))
        text = absent.text
        for name in names:
            text = text.replace(ABSENT.get(name, "-"), HIDDEN.get(name, "-"))
        assert (hidden.status_code, hidden.text) == (absent.status_code, text), template
        if method == "GET":
            there += root.ask(fill(template, {**HIDDEN, **id})).status_code == 200
    assert there > 15
    assert ids(root) == known
    assert root.ask("/api/v1/incidents/" + known["incidents"]).json()["by"] is None
    assert root.ask(fill("/v3/kafka/{cluster}/consumer/{group}", HIDDEN)).status_code == 200


def test_no_question_finds_it(clients):
    root, prod = clients
    for path in LISTS:
        for query in ("env=HUSH", "cluster=hush-*", "group=regression-*", "q=hush", "q=regression"):
            answer = prod.ask("/api/v1%s?%s" % (path, query))
            if answer.status_code in (400, 404):
                continue  # it has no such parameter; seoul is not there
            body = answer.json()
            rows = next(v for v in body.values() if isinstance(v, list))
            assert (body["total"], rows) == (0, []), (path, query, body)


def test_totals_are_of_what_is_seen(clients):
    root, prod = clients
    for path in LISTS:
        body = prod.ask("/api/v1" + path).json()
        rows = next(v for v in body.values() if isinstance(v, list))
        assert body["total"] == len(rows), path

    def sums():
        (seen,) = prod.ask("/api/v1/clusters").json()["clusters"]
        (environment,) = prod.ask("/api/v1/environments").json()["environments"]
        assert (environment["environment"], seen["cluster"]) == ("PROD", SEEN["cluster"])
        return environment["groups"] == seen["groups"]

    wait_for("both answers in one pass", 60, sums)
    assert root.ask("/api/v1/clusters").json()["total"] == 2
