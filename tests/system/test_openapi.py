"""The OpenAPI document of /api/v1: what it says is so, for everything it names."""
import hashlib
import json
import os
import re
import subprocess
import sys

import jsonschema_rs
import pytest
import requests
import schemathesis

from clients import commit, create_topic, produce
from shapes import differences
from warren import ROOT, cluster, wait_for

EXAMPLES = 400 if os.environ.get("WARREN_LONG") else 12
TOKEN = "of-one-who-may-change-things"
# The names that the document's examples use.
NAMES = {"cluster": "one", "group": "readers", "topic": "orders", "agent": "agent",
         "environment": "TEST", "partition": 0}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An aggregator that knows something under each of those names, and its document."""
    from broker import Broker
    from conftest import SETTINGS, VERSIONS
    from warren import Agent, Aggregator
    dir = tmp_path_factory.mktemp("openapi")
    with Broker(VERSIONS[-1], dir / "kafka", properties=SETTINGS) as broker:
        aggregator = Aggregator(dir)
        aggregator.settings["http"].update(anonymous="read", auth=[
            {"name": "ops", "roles": ["admin"],
             "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}])
        aggregator.write_config(aggregator.settings)
        aggregator.start()
        agent = Agent(dir, "agent", [aggregator], [cluster("one", broker.bootstrap)]).start()
        create_topic(broker.bootstrap, "orders")
        produce(broker.bootstrap, "orders", 10)
        commit(broker.bootstrap, "readers", {("orders", 0): 4})
        wait_for("the group", 60, lambda: "one" in aggregator.clusters()
                 and "readers" in aggregator.groups("one"))
        wait_for("history", 60, lambda: any(
            lag is not None for lag in
            aggregator.json("/api/v1/clusters/one/groups/readers/history?from=-1m")["lag"]))
        silence = requests.post(aggregator.url + "/api/v1/silences", timeout=10,
                                json={"environment": "NONE", "for_s": 3600, "note": "example"},
                                headers={"Authorization": "Bearer " + TOKEN})
        assert silence.status_code == 201, silence.text
        yield aggregator
        agent.stop()
        aggregator.stop()


@pytest.fixture(scope="module")
def document(served):
    return served.json("/api/v1/openapi.json")


@pytest.fixture(scope="module")
def schema(served):
    return schemathesis.openapi.from_url(served.url + "/api/v1/openapi.json")


def test_the_document_names_every_path_of_the_server(document):
    """The routes are read from the source: one more there is one more here."""
    with open(os.path.join(ROOT, "aggregator", "serve", "server.c")) as f:
        routes = re.findall(r'\{METHOD_([A-Z]+),\s*"/api/v1(/[^"]*)"', f.read())
    served = {(m.lower(), re.sub(r":(\w+)", r"{\1}", p)) for m, p in routes
              if p != "/openapi.json"}
    told = {(m, p) for p, ops in document["paths"].items() for m in ops}
    assert served == told


def examples_of(operation, document):
    """What the document's examples ask of an operation beside its path."""
    found = [document["components"]["parameters"][p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p
             for p in operation.get("parameters", [])]
    return {p["name"]: p["example"] for p in found if p["in"] == "query" and "example" in p}


def test_what_is_there_is_answered_as_the_document_says(served, schema, document):
    """Every GET with the names of the examples: 200, of the shape that is told, and of that which
    its example has."""
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.method != "get" or operation.path == "/stream" or "{id}" in operation.path:
            continue
        told = document["paths"][operation.path]["get"]
        case = operation.Case(path_parameters={n: v for n, v in NAMES.items()
                                               if "{%s}" % n in operation.path},
                              query=examples_of(told, document))
        response = case.call(base_url=served.url + "/api/v1")
        assert response.status_code == 200, "%s: %s" % (operation.path, response.text)
        case.validate_response(response)
        example = told["responses"]["200"]["content"]["application/json"]["example"]
        assert not differences(example, response.json()), operation.path
        asked += 1
    assert asked >= 20


def contents(node, where="#"):
    """(where, schema, example) of all in a document that may have an example."""
    if isinstance(node, dict):
        if "schema" in node:
            yield where, node["schema"], node.get("example")
        for key, value in node.items():
            if key != "example":
                yield from contents(value, where + "/" + key)
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from contents(value, "%s/%d" % (where, i))


def test_every_example_is_as_its_schema_says():
    """Read from the source, and every GET that answers with JSON has one."""
    with open(os.path.join(ROOT, "aggregator", "serve", "web", "openapi.json")) as f:
        document = json.load(f)
    examples = [c for c in contents(document) if c[2] is not None]
    for where, schema, example in examples:
        jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]}).validate(
            example)
    for path, operations in document["paths"].items():
        if "get" in operations:
            told = operations["get"]["responses"]["200"]["content"]
            assert all("example" in c for type, c in told.items() if type != "text/csv"), path
    assert len(examples) > 30


def test_csv_has_the_columns_of_the_document(served, document):
    rows = {"groups": "Group", "clusters": "Cluster", "environments": "Environment",
            "agents": "Agent"}
    for what, row in rows.items():
        status, body = served.get("/api/v1/%s?format=csv" % what)
        assert status == 200
        columns = body.splitlines()[0].split(",")
        names = set(document["components"]["schemas"][row]["properties"])
        assert {c.split(".")[0] for c in columns} == names


def test_methods_that_the_document_does_not_name_are_refused_with_those_it_does(served, document):
    for path, operations in document["paths"].items():
        for method in {"get", "post", "put", "delete"} - set(operations):
            url = served.url + "/api/v1" + re.sub(r"{id}", "0" * 16, re.sub(
                r"{(?!id)(\w+)}", lambda m: str(NAMES[m.group(1)]), path))
            answer = requests.request(method, url, timeout=10)
            assert answer.status_code == 405, "%s %s" % (method, path)
            allowed = {m.lower() for m in answer.headers["Allow"].split(", ")}
            assert set(operations) <= allowed and method not in allowed


def test_nothing_that_is_asked_breaks_the_server_or_the_document(served, tmp_path):
    """Requests made up from the document, right ones and wrong ones. That a text is taken cannot be
    told from the document where only the server knows which: cursors, names, times."""
    run = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run",
         served.url + "/api/v1/openapi.json", "--max-examples", str(EXAMPLES), "--seed", "1",
         "--phases", "examples,coverage,fuzzing,stateful", "--exclude-path", "/stream",
         "--exclude-checks", "positive_data_acceptance,unsupported_method", "--continue-on-failure", "--no-color",
         "--generation-deterministic", "--warnings", "off", "-H", "Authorization: Bearer " + TOKEN],
        cwd=tmp_path, capture_output=True, text=True, timeout=1200)
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr
