# SPDX-License-Identifier: Apache-2.0
"""Whether two answers have the same shape: the same members of the same types, all the way down."""

import json
import os

from warren import ROOT

MAPS = ("labels",)  # members whose names are data


def kind(value):
    return "number" if type(value) in (int, float) else type(value).__name__


def differences(a, b, where=""):
    """Where b has another shape than a. null, and a list without anything, is like all else; of
    items of a list any may leave out what another one leaves out."""
    if a is None or b is None:
        return []
    if kind(a) != kind(b):
        return ["%s: %s is no %s" % (where, json.dumps(b), kind(a))]
    if isinstance(a, list):
        return differences_of_items(a, b, where)
    if not isinstance(a, dict) or where.rsplit(".", 1)[-1] in MAPS:
        return []
    found = ["%s.%s" % (where, name) for name in sorted(set(a) ^ set(b))]
    for name in sorted(set(a) & set(b)):
        found += differences(a[name], b[name], where + "." + name)
    return found


def differences_of_items(a, b, where):
    found = []
    for item in b if a else []:
        found = min((differences(told, item, where + "[]") for told in a), key=len)
        if found:
            break
    return found


def example_of(path):
    """The answer to GET of this path under /api/v1 that the document has as its example."""
    with open(os.path.join(ROOT, "aggregator", "serve", "web", "openapi.json")) as f:
        told = json.load(f)["paths"][path]["get"]
    return told["responses"]["200"]["content"]["application/json"]["example"]
