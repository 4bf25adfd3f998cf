# SPDX-License-Identifier: Apache-2.0
"""What somebody takes or closes here is taken and closed at PagerDuty and Opsgenie."""

import json

from test_incidents import change, incidents, make_aggregator, quick_rules
from test_render import Hook
from warren import cluster, wait_for

CLUSTER = "prod-seoul"


def of_group(hook, group):
    """What was told of a group: (path, body), each of an alert that was opened for it."""
    told = [(path, json.loads(body)) for path, _, body in list(hook.got)]
    keys = {b.get("dedup_key") or b.get("alias") for _, b in told
            if group in (b.get("payload", b).get("group"), b.get("entity"))}
    return [(path, body) for path, body in told
            if body.get("dedup_key", body.get("alias")) in keys or
            any(key in path for key in keys)]


def test_who_keeps_alerts_hears_of_each_step(tmp_path, demo, start_agent):
    (tmp_path / "key").write_text("k3y\n")
    (tmp_path / "key").chmod(0o600)
    with Hook() as pager, Hook() as genie:
        receivers = [{"name": name, "type": type, "api_key_file": str(tmp_path / "key"),
                      "url": "http://127.0.0.1:%d/v2/alerts" % hook.server_port}
                     for name, type, hook in (("pager", "pagerduty", pager),
                                              ("genie", "opsgenie", genie))]
        # Whoever was late stays so.
        a = make_aggregator(tmp_path, rules_file=quick_rules(tmp_path, clear_after=100), alert={
            "receivers": receivers, "route": {
                "wait": "0s", "group_by": ["cluster", "group"], "routes": [
                    {"receiver": "pager", "continue": True}, {"receiver": "genie"}]}})
        try:
            start_agent("agent", [a], [cluster(CLUSTER, demo[CLUSTER], "PROD")])
            i = wait_for("an incident", 90, lambda: incidents(a))[0]
            url = "/api/v1/incidents/" + i["id"]

            def told(hook, what, wanted):
                return wait_for(what, 60, lambda: [
                    m for m in of_group(hook, i["group"]) if wanted(*m)])[0]

            def action(word):
                return lambda path, body: body.get("event_action") == word

            _, trigger = told(pager, "the trigger", action("trigger"))
            _, created = told(genie, "the alert", lambda path, body: "alias" in body)
            key, alias = trigger["dedup_key"], created["alias"]
            assert trigger["routing_key"] == "k3y"
            assert change(a, url + "/acknowledge", {"note": "on it"})[0] in (200, 202)
            _, taken = told(pager, "that it is taken", action("acknowledge"))
            assert taken == {"routing_key": "k3y", "event_action": "acknowledge", "dedup_key": key}
            path, taken = told(genie, "that it is taken",
                               lambda path, body: "/acknowledge" in path)
            assert path == "/v2/alerts/%s/acknowledge?identifierType=alias" % alias
            assert taken["user"] == "ops" and taken["note"].endswith("on it")
            assert change(a, url + "/resolve", {"note": "done"})[0] in (200, 202)
            _, end = told(pager, "the end", action("resolve"))
            assert end["dedup_key"] == key
            path, _ = told(genie, "the end", lambda path, body: "/close" in path)
            assert path == "/v2/alerts/%s/close?identifierType=alias" % alias
        finally:
            a.kill()
