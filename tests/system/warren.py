# SPDX-License-Identifier: Apache-2.0
"""Warren's daemons as a test starts and asks them."""

import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from broker import die_with_parent, free_ports

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("WARREN_BUILD", os.path.join(ROOT, "build", "release"))
AGENT = os.path.join(BUILD, "agent", "warren-agent")
AGGREGATOR = os.path.join(BUILD, "aggregator", "warren-aggregator")

START_LIMIT_S = 30
STOP_LIMIT_S = 10


def wait_for(what, limit_s, condition):
    """The first true value of condition(); AssertionError naming what was waited for."""
    limit = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < limit, "waited %d s for %s" % (limit_s, what)
        time.sleep(0.2)


@functools.lru_cache(maxsize=None)
def preload(library):
    """A path of this library for LD_PRELOAD, which ends a path at its first space."""
    if " " not in library:
        return library
    return shutil.copy(library, tempfile.mkdtemp(prefix="warren-preload-"))


class Daemon:
    """One process with a configuration file and a log in a directory of its own."""

    def __init__(self, program, name, dir, config):
        self.program = program
        self.name = name
        self.dir = str(dir)
        self.process = None
        self.environment = {}  # beside that of the tests
        os.makedirs(self.dir, exist_ok=True)
        self.config = os.path.join(self.dir, name + ".yaml")
        self.log_path = os.path.join(self.dir, name + ".log")
        self.write_config(config)

    def write_config(self, config):
        self.settings = config
        with open(self.config, "w") as f:
            json.dump(config, f, indent=1)  # JSON is YAML

    def start(self):
        assert not self.running()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.program, "-c", self.config],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment},
                                            preexec_fn=die_with_parent)
        return self

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; returns the exit status and how long it took."""
        if self.process is None:
            return None, 0.0
        began = time.monotonic()
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        return status, time.monotonic() - began

    def kill(self):
        if self.running():
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def log(self):
        with open(self.log_path) as f:
            return f.read()


class Aggregator(Daemon):
    """An aggregator on free ports, with the questions tests ask of it."""

    def __init__(self, dir, name="aggregator", **changes):
        self.link_port, self.http_port = free_ports(2)
        self.url = "http://127.0.0.1:%d" % self.http_port
        config = {"data_dir": os.path.join(str(dir), name + "-data"),
                  "map_size": "256MiB",
                  "listen": [self.link_url()],
                  "http": {"listen": "127.0.0.1:%d" % self.http_port},
                  "log": {"level": "debug"}}
        config.update(changes)
        super().__init__(AGGREGATOR, name, dir, config)

    def data_dir(self):
        return self.settings["data_dir"]

    def link_url(self):
        return "tcp://127.0.0.1:%d" % self.link_port

    def start(self):
        super().start()
        wait_for("the aggregator to answer", START_LIMIT_S,
                 lambda: not self.running() or self.get("/healthz")[0] == 200)
        assert self.running(), self.log()
        return self

    def get(self, path, method="GET", body=None):
        """Status and body; status 0 if nobody answers."""
        request = urllib.request.Request(self.url + path, method=method, data=body)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, OSError):
            return 0, ""

    def json(self, path):
        status, body = self.get(path)
        return json.loads(body) if status == 200 else None

    def clusters(self):
        return (self.json("/v3/kafka") or {}).get("clusters", [])

    def groups(self, cluster):
        answer = self.json("/v3/kafka/%s/consumer" % quote(cluster))
        return answer["consumers"] if answer else []

    def topics(self, cluster):
        answer = self.json("/v3/kafka/%s/topic" % quote(cluster))
        return answer["topics"] if answer else []

    def lag(self, cluster, group):
        """The status object of /lag, or None where there is none."""
        answer = self.json("/v3/kafka/%s/consumer/%s/lag" % (quote(cluster), quote(group)))
        return answer["status"] if answer else None

    def lags(self, cluster, group):
        """{(topic, partition): (committed, lag)} of one group."""
        status = self.lag(cluster, group) or {"partitions": []}
        return {(p["topic"], p["partition"]): (p["end"]["offset"], p["current_lag"])
                for p in status["partitions"] if p["end"]}


def quote(name):
    return urllib.parse.quote(name, safe="")


class Agent(Daemon):
    """An agent that ships to the given aggregators, objects or URLs."""

    def __init__(self, dir, name, aggregators, clusters, environment={}, **changes):
        config = {"name": name,
                  "state_dir": os.path.join(str(dir), name + "-state"),
                  "aggregators": [a if isinstance(a, str) else a.link_url() for a in aggregators],
                  "clusters": clusters,
                  "limits": {"spool_bytes": "64MiB"},
                  "log": {"level": "debug"}}
        config.update(changes)
        super().__init__(AGENT, name, dir, config)
        self.environment = environment

    def start(self):
        super().start()
        time.sleep(0.3)
        assert self.running(), self.log()
        return self


def cluster(name, bootstrap, environment="TEST", interval="1s", **more):
    """One entry of an agent's clusters."""
    return {"name": name, "environment": environment, "sample_interval": interval,
            "kafka": {"bootstrap.servers": bootstrap}, **more}
