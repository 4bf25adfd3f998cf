# SPDX-License-Identifier: Apache-2.0
"""Who may change something over HTTP, and what is written down of it: every path that does."""

import hashlib
import json
import re
import urllib.error
import urllib.request

import pytest

from warren import Aggregator

TOKENS = {"root": "r" * 40, "reader": "e" * 40}
NAMES = {"cluster": "one", "group": "readers", "topic": "orders", "id": "0123456789abcdef"}
BURROW = [("delete", "/v3/kafka/one/consumer/readers", None),
          ("delete", "/v3/kafka/one/consumer/readers/topic/orders", None),
          ("post", "/v3/admin/loglevel", {"level": "debug"})]


@pytest.fixture
def served(tmp_path):
    (tmp_path / "rules.yaml").write_text("rules:\n- {group: payments, allowed_lag: 7}\n")
    a = Aggregator(tmp_path, rules_file="rules.yaml")
    a.settings["http"].update(anonymous="none", auth=[
        {"name": name, "roles": [role],
         "token_sha256": hashlib.sha256(TOKENS[name].encode()).hexdigest()}
        for name, role in (("root", "admin"), ("reader", "read"))])
    a.write_config(a.settings)
    a.start()
    yield a
    a.kill()
    assert not any(token in a.log() for token in TOKENS.values())


def ask(aggregator, method, path, body=None, who=None):
    """Status, and the answer."""
    headers = {"Authorization": "Bearer " + TOKENS[who]} if who else {}
    request = urllib.request.Request(aggregator.url + path, method=method.upper(), headers=headers,
                                     data=None if body is None else json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def changes(aggregator):
    """Method, path, body and the name of each request that changes something."""
    document = json.loads(ask(aggregator, "get", "/api/v1/openapi.json", who="reader")[1])
    for path, operations in document["paths"].items():
        for method in {"post", "put", "delete", "patch"} & set(operations):
            body = operations[method].get("requestBody", {}).get("content", {})
            example = body.get("application/json", {}).get("example")
            yield method, "/api/v1" + re.sub(r"{(\w+)}", lambda m: NAMES[m.group(1)], path), example
    yield from BURROW


def written(aggregator, since):
    """What was written down since, as members of each line."""
    return [dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line))
            for line in aggregator.log()[since:].splitlines() if "change over HTTP" in line]


def test_each_change_needs_an_admin_and_is_written_down_once(served):
    asked = 0
    for method, path, body in changes(served):
        statuses = {}
        since = len(served.log())
        for who in (None, "reader", "root"):
            statuses[who] = ask(served, method, path, body, who)[0]
        assert (statuses[None], statuses["reader"]) == (401, 403), path
        assert statuses["root"] < 500 and statuses["root"] not in (401, 403), (path, statuses)
        lines = written(served, since)
        assert [line["who"] for line in lines] == ["reader", "root"], path
        for line in lines:
            assert (line["from"], line["method"]) == ("127.0.0.1", method.upper())
            assert line["target"].strip('"') == path
            assert line["status"] == str(statuses[line["who"]])
            if body is not None:
                assert json.loads(json.loads(line["body"])) == body
        asked += 1
    assert asked >= len(BURROW) + 8


def test_a_rules_file_that_is_wrong_changes_nothing_and_is_written_down(served, tmp_path):
    (tmp_path / "rules.yaml").write_text("rules:\n- {group: good, ignore: true}\n- {widow: 1m}\n")
    since = len(served.log())
    status, answer = ask(served, "post", "/api/v1/rules/reload", who="root")
    assert status == 422 and "widow" in answer
    rules = json.loads(ask(served, "get", "/api/v1/rules", who="reader")[1])
    assert [r["group"] for r in rules["rules"]] == ["payments"] and rules["version"] == 1
    line, = written(served, since)
    assert (line["who"], line["status"]) == ("root", "422")


def test_the_log_level_hides_no_change(served):
    for level in ("error", "info"):
        since = len(served.log())
        assert ask(served, "put", "/api/v1/loglevel", {"level": level}, "root")[0] == 200
        assert len(written(served, since)) == 1
    assert ask(served, "put", "/api/v1/loglevel", {"level": "loud"}, "root")[0] == 400
    assert json.loads(ask(served, "get", "/api/v1/loglevel", who="reader")[1]) == {"level": "info"}
