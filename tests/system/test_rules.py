# SPDX-License-Identifier: Apache-2.0
"""The rules file of a running aggregator: loaded, shown, reloaded, refused."""

import json
import re
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from warren import AGGREGATOR, Aggregator, cluster, wait_for

TOKEN = "a-token-of-this-test"


def write(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def post_reload(aggregator, token=None):
    """Status, content type and the answer's members."""
    headers = {} if token is None else {"Authorization": "Bearer " + token}
    request = urllib.request.Request(aggregator.url + "/api/v1/rules/reload", method="POST",
                                     headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], json.load(error)


@pytest.fixture
def ruled(tmp_path):
    """An aggregator with a rules file and a token, both named relative to its configuration."""
    write(tmp_path / "rules.yaml", "rules:\n- {group: payments, stop_after_min: 300s}\n")
    write(tmp_path / "token", TOKEN + "\n")
    a = Aggregator(tmp_path, rules_file="rules.yaml")
    config = json.load(open(a.config))
    config["http"]["auth"] = [{"name": "ops", "token_file": "token", "roles": ["admin"]}]
    config["judge"] = {"warn_after": "90s"}
    a.write_config(config)
    a.start()
    yield a
    a.kill()
    assert TOKEN not in a.log()


def test_the_set_is_shown(ruled):
    shown = ruled.json("/api/v1/rules")
    assert (shown["file"], shown["version"], shown["refused"]) == ("rules.yaml", 1, None)
    assert shown["defaults"]["warn_after"] == {"value": "90s", "ms": 90000,
                                               "origin": "aggregator.yaml"}
    assert shown["defaults"]["window"]["origin"] == "default"
    assert shown["rules"][0]["group"] == "payments"
    assert shown["rules"][0]["values"] == {
        "stop_after_min": {"value": "5m", "ms": 300000, "line": 2}}


def test_reload_by_post(ruled, tmp_path):
    status, kind, answer = post_reload(ruled)
    assert (status, kind) == (401, "application/problem+json")
    assert post_reload(ruled, "wrong")[0] == 401
    status, kind, answer = post_reload(ruled, TOKEN)
    assert (status, kind, answer["changed"]) == (200, "application/json", False)

    write(tmp_path / "rules.yaml", "rules:\n- {allowed_lag: 7}\n- {allowed_lag: 8}\n")
    status, _, answer = post_reload(ruled, TOKEN)
    assert (status, answer["changed"], answer["rules"], answer["version"]) == (200, True, 2, 2)

    write(tmp_path / "rules.yaml", "rules:\n- {allowed_lag: x}\n- {widow: 1m}\n")
    status, kind, answer = post_reload(ruled, TOKEN)
    assert (status, kind) == (422, "application/problem+json")
    path = str(tmp_path / "rules.yaml")
    assert answer["errors"] == [
        path + ":2: allowed_lag: x is wrong; expects a whole number",
        path + ":3: widow: unknown; did you mean window?"]
    shown = ruled.json("/api/v1/rules")
    assert (shown["version"], len(shown["rules"])) == (2, 2)
    assert shown["refused"]["errors"] == answer["errors"]
    assert "the rules from before stay in force" in ruled.log()
    assert "widow: unknown" in ruled.log()


def test_reload_by_signal(ruled, tmp_path):
    write(tmp_path / "rules.yaml", "rules: [{ignore: maybe}]\n")
    ruled.process.send_signal(signal.SIGHUP)
    shown = wait_for("the refusal", 10, lambda: ruled.json("/api/v1/rules")["refused"] and
                     ruled.json("/api/v1/rules"))
    assert (shown["version"], shown["rules"][0]["group"]) == (1, "payments")
    write(tmp_path / "rules.yaml", "rules: [{group: other, ignore: true}]\n")
    ruled.process.send_signal(signal.SIGHUP)
    wait_for("the new rules", 10, lambda: ruled.json("/api/v1/rules")["version"] == 2)
    shown = ruled.json("/api/v1/rules")
    assert shown["refused"] is None and shown["rules"][0]["group"] == "other"
    status, took = ruled.stop()
    assert status == 0 and took < 5


def test_without_options_nothing_is_reloaded(aggregator):
    assert aggregator.json("/api/v1/rules")["rules"] == []
    status, kind, answer = post_reload(aggregator, "guess")
    assert (status, kind) == (403, "application/problem+json")
    assert "under http.auth" in answer["detail"]
    aggregator.process.send_signal(signal.SIGHUP)
    wait_for("the hint", 10, lambda: "set rules_file" in aggregator.log())
    assert aggregator.running()


@pytest.mark.parametrize("check", [[], ["--check-config"]])
def test_a_start_with_wrong_files_is_refused(tmp_path, check):
    write(tmp_path / "rules.yaml", "rules:\n- {window: 1s}\n- {partition: x, ignore: true}\n")
    write(tmp_path / "token", TOKEN, mode=0o644)
    a = Aggregator(tmp_path, rules_file="rules.yaml")
    config = json.load(open(a.config))
    config["http"]["auth"] = [{"name": "ops", "token_file": "token", "roles": ["admin"]}]
    a.write_config(config)
    done = subprocess.run([a.program, "-c", a.config] + check, capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 3 and TOKEN not in done.stderr
    assert lines[0].endswith("rules.yaml:2: window: 1s is out of range; allowed are 2m to 1h")
    assert "rules.yaml:3: partition: x matches no number" in lines[1]
    assert "token: token_file: others may read or write it" in lines[2]


# --- with Kafka, of the demonstration's kind ---

def test_rules_decide_verdicts(ruled, tmp_path, demo, start_agent):
    """A slow group is late by rule; ignored and in maintenance it is not counted."""
    name, group = "stg-frankfurt", "search-indexer"
    place = "/api/v1/clusters/%s/groups/%s/rules" % (name, group)
    late = "rules:\n- {group: search-*, max_time_lag: 10s}\n"
    start_agent("agent", [ruled], [cluster(name, demo[name], "STG")])
    wait_for("the group", 60, lambda: group in ruled.groups(name))
    answer = ruled.json(place + "?topic=catalog.updates&partition=0&env=STG")
    assert answer["known"] and answer["values"]["max_time_lag"]["origin"] == "default"
    assert ruled.json(place + "?env=PROD") is None

    def reload(rules):
        write(tmp_path / "rules.yaml", rules)
        assert post_reload(ruled, TOKEN)[0] == 200

    def bad():
        return ruled.lag(name, group)["status"] != "OK"

    assert not bad()
    reload(late)
    wait_for("the group to be late", 150, bad)
    for rule in ["ignore: true",
                 "maintenance: {until: 2099-01-01T00:00:00Z, why: the disks are changed}"]:
        reload(late + "- environment: STG\n  topic: catalog.*\n  " + rule + "\n")
        wait_for("the group to count no more", 30, lambda: not bad())
        key = rule.split(":")[0]
        values = ruled.json(place + "?topic=catalog.updates")["values"]
        assert values[key]["origin"] == "rules.yaml line 5"
        assert values["max_time_lag"]["origin"] == "rules.yaml line 2"
        reload(late)
        wait_for("the group to count again", 30, bad)
    check_maintenance(ruled, name, group, bad)


def change(aggregator, method, path, body=None):
    """Status and answer of who may."""
    request = urllib.request.Request(aggregator.url + path, method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"Authorization": "Bearer " + TOKEN})
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def check_maintenance(ruled, name, group, bad):
    """Declared over HTTP: nothing is bad, everybody sees why, and it outlives a restart."""
    one = "/api/v1/clusters/%s/groups/%s" % (name, group)
    trouble = "/api/v1/incidents?group=" + group
    assert ruled.json(one)["maintenance_until_ms"] is None
    before = wait_for("the incident", 60, lambda: ruled.json(trouble)["incidents"])
    status, declared = change(ruled, "POST", "/api/v1/maintenance", {
        "environment": "STG", "cluster": name, "group": "search-*", "for_s": 3600,
        "note": "new disks"})
    assert status == 201 and declared["by"] == "ops"
    wait_for("the group to count no more", 60, lambda: not bad())
    for answer in (ruled.json(one), ruled.json(one + "/explain"),
                   ruled.json("/api/v1/groups?group=" + group)["groups"][0]):
        assert answer["status"] == "OK"
        assert (answer["maintenance_until_ms"], answer["maintenance_by"],
                answer["maintenance_note"]) == (declared["until_ms"], "ops", "new disks")
    assert re.search(r"; in maintenance until \S+Z by ops: new disks$", ruled.json(one)["sentence"])
    assert ruled.json(one + "/rules")["values"]["maintenance"]["origin"] == "ops over HTTP"
    wait_for("no incident", 60, lambda: ruled.json(trouble)["incidents"] == [])
    assert ruled.json("/api/v1/incidents/" + before[0]["id"])["end"] == "maintenance"
    ruled.restart()
    assert ruled.json("/api/v1/maintenance") == {"maintenance": [declared]}
    backup = ruled.dir + "/backup"
    subprocess.run([AGGREGATOR, "backup", "--data", ruled.data_dir(), backup], check=True, timeout=60)
    with open(backup + "/maintenance.jsonl", encoding="utf-8") as kept:
        assert [json.loads(line) for line in kept] == [declared]
    wait_for("a pass", 60, lambda: ruled.json(one) and not ruled.json(one)["stale"])
    assert not bad() and ruled.json(one)["maintenance_by"] == "ops"
    assert change(ruled, "DELETE", "/api/v1/maintenance/" + declared["id"]) == (204, None)
    assert ruled.json("/api/v1/maintenance") == {"maintenance": []}
    wait_for("the group to count again", 60, bad)
