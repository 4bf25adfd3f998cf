# SPDX-License-Identifier: Apache-2.0
"""What inputs.burrow of Telegraf 1.34 asks, and what it makes of the answers: as strict as it is."""

import http.client
import json
from urllib.parse import quote

CODES = {"OK": 1, "NOT_FOUND": 2, "WARN": 3, "ERR": 4, "STOP": 5, "STALL": 6}  # others are 0


def escaped(name):
    """A name in a path: escaped, and then once more with the whole path."""
    return quote(name, safe="$&+:=@").replace("%", "%25")


def typed(value, kind):
    """Null is nothing; another type is fatal for the answer that holds it."""
    if value is None:
        return kind()
    if type(value) is not kind:
        raise TypeError("cannot unmarshal %r into %s" % (value, kind.__name__))
    return value


def strings(answer, member):
    return [typed(s, str) for s in answer.get(member) or []]


class Gathering:
    """One gathering: {tags: fields} of each measurement, tags as sorted pairs; and what failed."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.topics, self.groups, self.partitions, self.errors = {}, {}, {}, []
        for cluster in strings(self.get(), "clusters"):
            for topic in strings(self.get(cluster, "topic"), "topics"):
                self.topic(cluster, topic)
            for group in strings(self.get(cluster, "consumer"), "consumers"):
                self.group(cluster, group)

    def get(self, *parts):
        path = "".join("/" + escaped(part) for part in parts)
        self.connection.request("GET", "/v3/kafka" + path, headers={
            "User-Agent": "Go-http-client/1.1", "Accept-Encoding": "gzip"})
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            self.errors.append("wrong response: %d for %s" % (answer.status, path))
            return {}
        return json.loads(body)

    def topic(self, cluster, topic):
        for i, offset in enumerate(self.get(cluster, "topic", topic).get("offsets") or []):
            self.topics[cluster, topic, str(i)] = {"offset": typed(offset, int)}

    def group(self, cluster, group):
        status = self.get(cluster, "consumer", group, "lag").get("status") or {}
        partitions = status.get("partitions") or []
        word = typed(status.get("status"), str)
        ends = [self.partition(cluster, group, p) for p in partitions]
        self.groups[cluster, group] = {
            "status": word,
            "status_code": CODES.get(word, 0),
            "partition_count": typed(status.get("partition_count"), int) or len(partitions),
            "total_lag": typed(status.get("totallag"), int),
            "lag": typed((status.get("maxlag") or {}).get("current_lag"), int),
            "offset": sum(offset for offset, _ in ends),
            "timestamp": max((at for _, at in ends), default=0)}

    def partition(self, cluster, group, p):
        end = p.get("end") or {}
        offset, at = typed(end.get("offset"), int), typed(end.get("timestamp"), int)
        tags = (cluster, group, typed(p.get("topic"), str), str(typed(p.get("partition"), int)),
                typed(p.get("owner"), str))
        word = typed(p.get("status"), str)
        self.partitions[tags] = {"status": word, "status_code": CODES.get(word, 0),
                                 "lag": typed(p.get("current_lag"), int), "offset": offset,
                                 "timestamp": at}
        return offset, at
