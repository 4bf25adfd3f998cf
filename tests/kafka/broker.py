#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Kafka broker on loopback, for tests.

    with Broker("4.4.0", directory) as broker:
        connect(broker.bootstrap)

One combined KRaft broker a Broker object; it needs Java 17 and, the first time a version is
asked for, Maven. A broker takes some 400 MB of memory: stop what is not needed. Nothing
listens on anything but 127.0.0.1.
"""

import argparse
import atexit
import base64
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid

VERSIONS = ("3.9.2", "4.4.0")
START_LIMIT_S = 90
STOP_LIMIT_S = 10  # the last brokers of a cluster wait in vain for a majority

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>warren.tests</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
{}
  </dependencies>
</project>
"""

DEPENDENCY = """    <dependency>
      <groupId>{}</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
    </dependency>"""

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def cache_dir():
    """Where the jars of every version live between runs."""
    return os.environ.get("WARREN_KAFKA_CACHE", os.path.expanduser("~/.cache/warren/kafka"))


def pom(version):
    wanted = [("org.apache.kafka", "kafka_2.13", version),
              ("org.slf4j", "slf4j-simple", "1.7.36")]
    return POM.format("\n".join(DEPENDENCY.format(*w) for w in wanted))


def jars(version):
    """The directory with the jars of this version, fetched from Maven Central if need be."""
    home = os.path.join(cache_dir(), version)
    lib = os.path.join(home, "lib")
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # A fetched directory gets its final name only when whole, so it exists or it does not.
        if os.path.exists(os.path.join(lib, "kafka_2.13-%s.jar" % version)):
            return lib
        with open(os.path.join(home, "pom.xml"), "w") as f:
            f.write(pom(version))
        subprocess.run(["mvn", "-q", "-B", "-f", os.path.join(home, "pom.xml"),
                        "dependency:copy-dependencies",
                        "-DoutputDirectory=" + lib + ".part"], check=True)
        os.rename(lib + ".part", lib)
    return lib


def free_ports(count):
    """Loopback ports that nothing listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def receive(s, size):
    data = b""
    while len(data) < size:
        part = s.recv(size - len(data))
        if not part:
            raise OSError("connection closed")
        data += part
    return data


def answers(port):
    """True if the broker there answers a Metadata request and counts itself as alive."""
    body = struct.pack(">hhih4si", 3, 1, 1, 4, b"wait", 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
            s.settimeout(5)
            s.sendall(struct.pack(">i", len(body)) + body)
            size, = struct.unpack(">i", receive(s, 4))
            _, brokers = struct.unpack(">ii", receive(s, size)[:8])
            return brokers > 0
    except OSError:
        return False


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Broker:
    """One broker. Its data, its log (broker.log) and its configuration are below dir.

    properties override or add to the broker's configuration; format_args go to the storage
    tool (e.g. ["--add-scram", "SCRAM-SHA-256=[name=u,password=p]"]); extra_listeners is a list
    of (listener name, security protocol), each on a port of its own in .ports[name]. Several
    brokers of one cluster share cluster_id and give node.id and controller.quorum.voters as
    properties, with controller_port to match.
    """

    def __init__(self, version, dir, port=0, properties={}, heap="512m", format_args=(),
                 extra_listeners=(), cluster_id=None, controller_port=0):
        self.version = version
        self.dir = os.path.abspath(dir)
        self.heap = heap
        self.format_args = list(format_args)
        self.cluster_id = cluster_id or new_cluster_id()
        self.process = None
        free = free_ports(2 + len(extra_listeners))
        self.port = port or free[0]
        self.controller_port = controller_port or free[1]
        self.ports = {name: p for (name, _), p in zip(extra_listeners, free[2:])}
        self.properties = {**self._defaults(dict(extra_listeners)), **properties}
        self.lib = jars(version)

    @property
    def bootstrap(self):
        return "127.0.0.1:%d" % self.port

    @property
    def pid(self):
        """The JVM's process id, for measuring it; None if it does not run."""
        return self.process.pid if self.running() else None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self, wait=True):
        """Run the broker and return when it answers. The same ports and data every time.

        With wait=False returns at once; call wait_ready() later. Several brokers of one
        cluster need that: none of them is ready before a majority runs.
        """
        assert not self.running()
        if self.process is None:
            self._format()
        # The death signal follows the thread that starts the process, not the whole parent.
        main = threading.current_thread() is threading.main_thread()
        with open(os.path.join(self.dir, "broker.log"), "ab") as log:
            self.process = subprocess.Popen(
                self._java("kafka.Kafka", self._config()),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=die_with_parent if main else None)
        atexit.register(self.kill)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        """Return when the broker answers; RuntimeError with the end of its log if it does not."""
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit and self.running():
            if answers(self.port):
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError("Kafka %s did not start:\n%s" % (self.version, self.log_tail()))

    def stop(self):
        """An orderly stop, with controlled shutdown; by force when it takes too long."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """Stop as a crash does. Harmless when nothing runs."""
        if self.running():
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        atexit.unregister(self.kill)

    def restart(self):
        self.stop()
        return self.start()

    def suspend(self):
        """Freeze the broker: its connections stay open and nothing answers."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def log_tail(self, size=3000):
        with open(os.path.join(self.dir, "broker.log"), "rb") as f:
            return f.read()[-size:].decode(errors="replace")

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def _defaults(self, extra):
        listeners = {"PLAINTEXT": self.port, **self.ports}
        urls = ["%s://127.0.0.1:%d" % item for item in listeners.items()]
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **extra}
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": "1@127.0.0.1:%d" % self.controller_port,
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(urls + ["CONTROLLER://127.0.0.1:%d" % self.controller_port]),
            "advertised.listeners": ",".join(urls),
            "listener.security.protocol.map": ",".join("%s:%s" % p for p in protocols.items()),
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": os.path.join(self.dir, "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
            "log.cleaner.dedupe.buffer.size": "16777216",
        }

    def _config(self):
        return os.path.join(self.dir, "server.properties")

    def _java(self, *args):
        return ["java", "-Xms64m", "-Xmx" + self.heap, "-XX:+UseSerialGC",
                "-cp", os.path.join(self.lib, "*"), *args]

    def _format(self):
        os.makedirs(self.dir, exist_ok=True)
        with open(self._config(), "w") as f:
            f.writelines("%s=%s\n" % item for item in self.properties.items())
        if os.path.exists(os.path.join(self.properties["log.dirs"], "meta.properties")):
            return
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", "format", "-t", self.cluster_id,
                       "-c", self._config(), *self.format_args),
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError("format failed:\n" + done.stdout + done.stderr)


def new_cluster_id():
    """A uuid in Kafka's spelling. One that begins with '-' would be taken for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def main():
    p = argparse.ArgumentParser(description="Run one Kafka broker on loopback until SIGTERM; "
                                            "prints host:port when it answers.")
    p.add_argument("--version", default=VERSIONS[-1], help="of Apache Kafka, e.g. 3.9.2")
    p.add_argument("--dir", required=True, help="data, configuration and log; made if missing")
    p.add_argument("--port", type=int, default=0, help="0: any free one")
    p.add_argument("--heap", default="512m")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                   help="a property of the broker; may be repeated")
    args = p.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    properties = dict(item.split("=", 1) for item in args.set)
    with Broker(args.version, args.dir, args.port, properties, args.heap) as broker:
        print(broker.bootstrap, flush=True)
        status = broker.process.wait()
    sys.exit("the broker ended by itself with status %d" % status)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
