# SPDX-License-Identifier: Apache-2.0
"""The way from agent to aggregator: who gets in and for what, and that nothing is lost on it."""

import os
import random
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from broker import die_with_parent, free_ports
from certs import Authority, agent_key
from proxy import Proxy
from warren import AGENT, AGGREGATOR, BUILD, Agent, Aggregator, cluster, wait_for

SERVER = "warren.test"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    """The demonstration's clusters: {name: (environment, bootstrap)}."""
    demo = subprocess.Popen([os.path.join(BUILD, "deploy", "warren-demo")], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            preexec_fn=die_with_parent)
    clusters = {}
    for line in demo.stdout:
        words = line.split()
        if words[0] == "ready":
            break
        clusters[words[1]] = (words[2], words[3])
    yield clusters
    demo.kill()
    demo.wait()


@pytest.fixture(scope="module")
def prod(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("prod"), "prod-ca")


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("dev"), "dev-ca")


def watched(kafka, *names):
    return [cluster(name, kafka[name][1], kafka[name][0]) for name in names]


class Site:
    """An aggregator with a port for each zone, and agents with keys; all are stopped at the end."""

    def __init__(self, dir, prod, dev, agents):
        self.dir = dir
        self.prod_port, self.dev_port = free_ports(2)
        self.server = {"prod": prod.issue(SERVER, "DNS:" + SERVER),
                       "dev": dev.issue(SERVER, "DNS:" + SERVER)}
        self.keys = {name: agent_key(dir / (name + ".key")) for name in agents}
        self.aggregator = Aggregator(
            dir,
            listen=[{"url": self.url(self.prod_port), "tls": self.server["prod"]},
                    {"url": self.url(self.dev_port), "tls": self.server["dev"],
                     "clusters": ["DEV/*"]}],
            agents=[{"name": name, "key_file": self.keys[name], "clusters": globs}
                    for name, globs in agents.items()])
        self.agents = []
        self.aggregator.start()

    @staticmethod
    def url(port):
        return "tls+tcp://127.0.0.1:%d" % port

    def agent(self, name, clusters, tls, key=None, port=None, server_name=SERVER):
        a = Agent(self.dir, name, [self.url(port or self.prod_port)], clusters,
                  tls={**tls, "server_name": server_name}, key_file=key or self.keys[name])
        self.agents.append(a)
        return a.start()

    def stop(self):
        for a in self.agents:
            a.kill()
        self.aggregator.kill()


@pytest.fixture
def site(tmp_path, prod, dev):
    s = Site(tmp_path, prod, dev, {"prod-a": ["PROD/*"], "dev-a": ["DEV/*"], "any": ["*"]})
    yield s
    s.stop()


def seen(aggregator, name):
    """Whether a pass of the cluster has been judged."""
    return name in aggregator.clusters()


def assert_delivered(aggregator, agents):
    """The aggregator has stopped and holds each batch of these agents once; agents have nothing
    left."""
    run = subprocess.run([AGGREGATOR, "check", "--data", aggregator.data_dir()],
                         capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout
    found = dict((m[1], m) for m in re.finditer(
        r"agent (\S+) epoch \S+ applied (\d+) batches (\d+) lost (\d+)", run.stdout))
    for agent in agents:
        _, applied, batches, lost = found[agent.name].groups()
        assert int(lost) == 0 and applied == batches and int(applied) > 0, found[agent.name][0]
        assert re.findall(r"kept_batches=(\d+)", agent.log())[-1] == "0"
    return sum(int(found[a.name][2]) for a in agents)


def test_agents_of_both_zones_deliver(site, kafka, prod, dev):
    site.agent("prod-a", watched(kafka, "prod-seoul"), prod.issue("prod-a"))
    site.agent("dev-a", watched(kafka, "dev-lab"), dev.issue("dev-a"), port=site.dev_port)
    for name in ("prod-seoul", "dev-lab"):
        wait_for(name, 20, lambda n=name: seen(site.aggregator, n))
    log = site.aggregator.log()
    assert 'peer_identity="key only"' in log or 'peer_identity="certificate and key"' in log
    for agent in site.agents:
        assert agent.stop()[0] == 0
    assert site.aggregator.stop()[0] == 0
    assert_delivered(site.aggregator, site.agents)


def test_who_may_not_is_not_let_in(site, kafka, prod, dev, tmp_path):
    """Agents that lack one thing each; none of them gets a word into the store."""
    def fresh(name):
        return agent_key(tmp_path / (name + ".wrong"))

    clusters = watched(kafka, "prod-seoul")
    good = prod.issue("prod-a", file="good")
    foreign = {**dev.issue("prod-a", file="foreign"), "ca_file": prod.ca}
    distrustful = {**good, "ca_file": dev.ca}
    refused = {
        "certificate of another CA": dict(tls=foreign),
        "aggregator of another CA": dict(tls=distrustful),
        "aggregator of another name": dict(tls=good, server_name="other.test"),
        "DEV's certificate on PROD's port": dict(tls=dev.issue("dev-a", file="dev-port")),
        "wrong key": dict(tls=good, key=fresh("key")),
        "unknown agent": dict(tls=prod.issue("stranger"), name="stranger", key=fresh("stranger")),
        "PROD's agent on DEV's port": dict(tls=dev.issue("prod-a", file="other-port"),
                                           port=site.dev_port),
    }
    for i, (what, how) in enumerate(refused.items()):
        name = how.pop("name", "prod-a")
        agent = Agent(tmp_path / str(i), name, [site.url(how.get("port", site.prod_port))],
                      clusters, tls={**how["tls"], "server_name": how.get("server_name", SERVER)},
                      key_file=how.get("key", site.keys.get(name)))
        agent.what = what
        site.agents.append(agent)
        agent.start()
    time.sleep(5)
    log = site.aggregator.log()
    for agent in site.agents:
        assert agent.running(), agent.what
        speaks = agent.what == "PROD's agent on DEV's port"
        assert ('msg="shipping"' in agent.log()) == speaks, agent.what + agent.log()
    assert site.aggregator.clusters() == []
    assert 'why="wrong key"' in log and 'why="no agent of this name is known"' in log
    assert "nobody may speak for this cluster by this listener" in log
    site.aggregator.stop()
    run = subprocess.run([AGGREGATOR, "check", "--data", site.aggregator.data_dir()],
                         capture_output=True, text=True, timeout=60)
    assert re.search(r"name +0 records", run.stdout), run.stdout


def test_the_certificate_must_have_the_agents_name(site, kafka, prod, tmp_path):
    """Beside the key. Where the CN stands in the subject does not matter, nor what else is there."""
    if '"certificate and key"' not in site.aggregator.log():
        pytest.skip("nng before 1.6 does not tell names")

    def start(name, subject):
        tls = prod.issue(name, file="subject-%d" % len(site.agents), subject=subject)
        agent = Agent(tmp_path / str(len(site.agents)), name, [site.url(site.prod_port)],
                      watched(kafka, "prod-seoul"), tls={**tls, "server_name": SERVER},
                      key_file=site.keys[name])
        site.agents.append(agent)
        return agent.start()

    wrong = ["/CN=dev-a", "/CN=prod-ab", "/CN=prod-a, b", r"/CN=prod-a \+ b", "/O=CN=prod-a",
             "/O=CN=prod-a/CN=dev-a", "/CN=dev-a/O=CN=prod-a"]
    for agent, subject in [(start("prod-a", s), s) for s in wrong]:
        wait_for(subject + " to be refused", 60,
                 lambda a=agent: "certificate has another name" in a.log())
        assert 'msg="shipping"' not in agent.log()
    assert re.search(r'msg="access denied" agent=prod-a remote=\S+ certificate=("[^"]+"|\S+) '
                     r'.* why="the certificate has another name than the agent"',
                     site.aggregator.log())
    for agent in (start("prod-a", "/O=Example/CN=prod-a"), start("any", "/CN=any/O=Example")):
        wait_for("the right name", 60, lambda a=agent: 'msg="shipping"' in a.log())


def test_a_foreign_cluster_is_rejected(site, kafka, prod):
    """The agent's own cluster goes on; the other leaves nothing but a count and a line."""
    agent = site.agent("prod-a", watched(kafka, "prod-seoul", "stg-frankfurt"),
                       prod.issue("prod-a"))
    wait_for("the agent's own cluster", 20, lambda: seen(site.aggregator, "prod-seoul"))
    wait_for("the rejection", 10, lambda: "batch rejected" in agent.log())
    assert "may not speak for this cluster" in agent.log()
    assert re.search(r'msg="access denied" agent=prod-a .* cluster=stg-frankfurt',
                     site.aggregator.log())
    assert site.aggregator.clusters() == ["prod-seoul"]
    metrics = site.aggregator.get("/metrics")[1]
    assert int(re.search(r'denied_total{reason="foreign_cluster"} (\d+)', metrics)[1]) > 0
    assert re.search(r"warren_ingest_connections 1\n", metrics)


def test_no_certificate_and_none_that_is_asked_for(site, kafka, prod):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(prod.ca)
    with socket.create_connection(("127.0.0.1", site.prod_port)) as raw:
        raw.settimeout(10)
        with pytest.raises((ssl.SSLError, OSError)):
            with context.wrap_socket(raw, server_hostname=SERVER) as tls:
                tls.sendall(b"\0SP\0\0\x30\0\0")
                assert tls.recv(8) == b""
                raise OSError("closed")


@pytest.mark.parametrize("what", ["expired", "mismatch", "missing", "open", "key", "name"])
def test_what_is_wrong_is_said_at_start(tmp_path, prod, dev, what):
    """With the name of the file, by both daemons."""
    tls = prod.issue("x", file=what)
    key = agent_key(tmp_path / "agent.key")
    if what == "expired":
        tls, word = prod.issue("x", days=0, file=what), "has expired"
        culprit = tls["cert_file"]
    elif what == "mismatch":
        culprit = tls["key_file"] = prod.issue("y", file="y")["key_file"]
        word = "is not the key"
    elif what == "missing":
        culprit = tls["ca_file"] = str(tmp_path / "nothing.pem")
        word = "No such file"
    elif what == "open":
        culprit, word = tls["key_file"], "others may read"
        os.chmod(culprit, 0o644)
    elif what == "key":
        culprit, word = key, "openssl rand"
        with open(key, "w") as f:
            f.write("secret\n")
    else:
        culprit = tls["cert_file"] = str(tmp_path)
        word = "not a regular file"
    port, http = free_ports(2)
    url = "tls+tcp://127.0.0.1:%d" % port
    aggregator = Aggregator(tmp_path, listen=[{"url": url, "tls": tls}],
                            agents=[{"name": "x", "key_file": key, "clusters": ["*"]}])
    agent = Agent(tmp_path, "agent", [url], [cluster("c", "127.0.0.1:%d" % http)],
                  tls={**tls, "server_name": SERVER}, key_file=key)
    for program, daemon in ((AGGREGATOR, aggregator), (AGENT, agent)):
        run = subprocess.run([program, "-c", daemon.config, "--check-config"],
                             capture_output=True, text=True, timeout=20)
        assert run.returncode != 0
        assert culprit in run.stderr and word in run.stderr, run.stderr
        assert "PRIVATE" not in run.stderr and "secret" not in run.stderr
        assert subprocess.run([program, "-c", daemon.config], capture_output=True,
                              timeout=20).returncode != 0


# What nng's request sockets say, and Warren's frames in it.

GREETING = b"\0SP\0\0\x30\0\0"
WELCOME, ACK = 2, 4
CODE_NAMES = ["OK", "DUPLICATE", "RETRY", "REJECTED", "NEED_HELLO", "REFUSED", "FENCED",
              "CHALLENGE"]


def requests_of(stream):
    """The frames in what an agent has sent on one connection."""
    data, frames = b"".join(stream), []
    assert data.startswith(GREETING)
    data = data[8:]
    while len(data) >= 8:
        size = int.from_bytes(data[:8], "big")
        if len(data) < 8 + size:
            break
        frames.append(data[12:8 + size])
        data = data[8 + size:]
    return frames


def receive(s, size):
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        assert more, "connection closed"
        data += more
    return data


def ask(s, frame, number):
    """Send a frame as it is; the code of the reply."""
    body = (0x80000000 | number).to_bytes(4, "big") + frame
    s.sendall(len(body).to_bytes(8, "big") + body)
    reply = receive(s, int.from_bytes(receive(s, 8), "big"))[4:]
    assert reply[:3] == b"WRN" and reply[4] in (WELCOME, ACK)
    body = reply[16:]
    return CODE_NAMES[body[1]] if body[:1] == b"\x08" else "OK"  # field 1 is not sent when 0


def test_recorded_bytes_are_worth_nothing(tmp_path, kafka):
    """Plain tcp on loopback, so that they can be recorded at all; keys hold there, too."""
    key = agent_key(tmp_path / "a.key")
    aggregator = Aggregator(tmp_path, agents=[{"name": "a", "key_file": key, "clusters": ["*"]}])
    aggregator.start()
    with Proxy(aggregator.link_port, record=True) as proxy:
        agent = Agent(tmp_path, "a", ["tcp://127.0.0.1:%d" % proxy.port],
                      watched(kafka, "dev-lab"), key_file=key).start()
        wait_for("the cluster", 20, lambda: seen(aggregator, "dev-lab"))
        time.sleep(2)
        frames = requests_of(proxy.up)
        hellos = [f for f in frames if f[4] == 1]
        batches = [f for f in frames if f[4] == 3]
        assert len(hellos) == 2 and len(batches) >= 2
        with socket.create_connection(("127.0.0.1", aggregator.link_port)) as s:
            s.settimeout(10)
            s.sendall(GREETING)
            receive(s, 8)
            assert ask(s, hellos[1], 1) == "CHALLENGE"
            assert ask(s, batches[0], 2) == "DUPLICATE"
            damaged = batches[1][:-1] + bytes([batches[1][-1] ^ 1])
            assert ask(s, damaged, 3) == "NEED_HELLO"
            unsealed = batches[1][:5] + bytes([batches[1][5] & ~2]) + batches[1][6:-32]
            assert ask(s, unsealed, 4) == "NEED_HELLO"
            # Another start of the agent is another session.
            assert agent.stop()[0] == 0
            agent.start()
            wait_for("the new session", 20, lambda: agent.log().count('msg="shipping"') == 2)
            assert ask(s, hellos[1], 5) == "CHALLENGE"
            for i, frame in enumerate(batches):
                assert ask(s, frame, 6 + i) == "NEED_HELLO"
        agent.stop()
    aggregator.stop()
    assert_delivered(aggregator, [agent])
    agent.kill()
    aggregator.kill()


def test_nothing_can_be_read_on_the_wire(site, kafka, prod, tmp_path):
    words = [b"prod-seoul", b"payments-settlement", b"orders.placed", b"audit.yearly"]
    with Proxy(site.prod_port, record=True) as proxy:
        site.agent("prod-a", watched(kafka, "prod-seoul"), prod.issue("prod-a", file="wire"),
                   port=proxy.port)
        wait_for("the cluster", 20, lambda: seen(site.aggregator, "prod-seoul"))
        secure = b"".join(proxy.up) + b"".join(proxy.down)
    plain = Aggregator(tmp_path, "plain").start()
    with Proxy(plain.link_port, record=True) as proxy:
        agent = Agent(tmp_path, "prod-b", ["tcp://127.0.0.1:%d" % proxy.port],
                      watched(kafka, "prod-seoul")).start()
        wait_for("the cluster", 20, lambda: seen(plain, "prod-seoul"))
        readable = b"".join(proxy.up)
        agent.kill()
    plain.kill()
    assert len(secure) > 2000
    assert any(word in readable for word in words) and b"prod-b" in readable
    # The agent's name may be there: TLS 1.2 shows certificates.
    assert not any(word in secure for word in [*words, b"WRN\x01"])


def garbage(kind, port, prod):
    """One visit of somebody who looks what is there."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.settimeout(0.05)
        try:
            if kind == 0:
                s.sendall(os.urandom(random.randrange(1, 3000)))
            elif kind == 1:
                s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            elif kind == 2:
                s.sendall(GREETING + (1 << 40).to_bytes(8, "big") + b"x" * 100)
            elif kind == 3:
                ssl._create_unverified_context().wrap_socket(s).recv(1)
            elif kind == 4:
                s.sendall(GREETING + (4 << 20).to_bytes(8, "big") + os.urandom(5000))
            elif kind == 5:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.recv(100)
        except OSError:
            pass


@pytest.mark.parametrize("secure", [True, False])
def test_a_port_scan_disturbs_nobody(tmp_path, kafka, prod, secure):
    """1,000 connections of all kinds, 300 of them held open and silent."""
    tls = prod.issue(SERVER, "DNS:" + SERVER, file="scan-server")
    aggregator = Aggregator(tmp_path)
    url = ("tls+tcp" if secure else "tcp") + "://127.0.0.1:%d" % aggregator.link_port
    config = {"listen": [{"url": url, "tls": tls}] if secure else [url]}
    aggregator = rewrite(aggregator, config).start()
    agent = Agent(tmp_path, "scanned", [url], watched(kafka, "dev-lab", "qa-berlin"),
                  tls={**prod.issue("scanned", file="scanned"), "server_name": SERVER}).start()
    wait_for("the group", 20, lambda: lag_time(aggregator) > 0)
    silent = [socket.create_connection(("127.0.0.1", aggregator.link_port)) for _ in range(300)]
    threads = [threading.Thread(target=lambda k=k: [garbage(k % 7, aggregator.link_port, prod)
                                                    for _ in range(70)]) for k in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    before = lag_time(aggregator)
    wait_for("the next pass", 10, lambda: lag_time(aggregator) > before)
    if secure:
        wait_for("the silent ones to be hung up on", 30, lambda: all(map(closed, silent)))
    for s in silent:
        s.close()
    assert agent.stop()[0] == 0
    assert "link down" not in agent.log()
    assert aggregator.stop()[0] == 0
    assert_delivered(aggregator, [agent])


def rewrite(daemon, changes):
    daemon.settings.update(changes)
    daemon.write_config(daemon.settings)
    return daemon


def lag_time(aggregator):
    """When the newest commit that has come was made; 0: none has."""
    status = aggregator.lag("dev-lab", "order-fulfilment") or {"partitions": []}
    return max((p["end"]["timestamp"] for p in status["partitions"] if p["end"]), default=0)


def closed(s):
    s.setblocking(False)
    try:
        return s.recv(100) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_certificates_change_without_loss(tmp_path, kafka):
    """New certificates, keys and even CAs on both sides, five times, under load."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    both = tmp_path / "both.pem"
    both.write_text(open(old.ca).read() + open(new.ca).read())
    names = ["one", "two", "three"]
    files = {name: {"ca_file": str(both), "cert_file": str(tmp_path / (name + ".pem")),
                    "key_file": str(tmp_path / (name + "-tls.key"))} for name in [*names, "server"]}

    def issue(ca, turn):
        for name, paths in files.items():
            fresh = ca.issue(SERVER if name == "server" else name, "DNS:" + SERVER,
                             file="%s-%d" % (name, turn))
            for part in ("cert_file", "key_file"):
                os.replace(fresh[part], paths[part])

    issue(old, 0)
    keys = {name: agent_key(tmp_path / (name + ".key")) for name in names}
    aggregator = Aggregator(tmp_path)
    url = "tls+tcp://127.0.0.1:%d" % aggregator.link_port
    rewrite(aggregator, {"listen": [{"url": url, "tls": files["server"]}],
                         "agents": [{"name": name, "key_file": keys[name], "clusters": ["*/*"]}
                                    for name in names]}).start()
    agents = [Agent(tmp_path, name, [url], [cluster(c + "-" + name, kafka[c][1], kafka[c][0])
                                            for c in kafka], key_file=keys[name],
                    tls={**files[name], "server_name": SERVER}).start()
              for name in names]
    wait_for("all clusters", 30, lambda: len(aggregator.clusters()) == len(kafka) * len(names))
    pid = aggregator.process.pid
    for turn in range(1, 6):
        issue(new if turn % 2 else old, turn)
        agent_key(keys["two"])  # and one agent's key
        for daemon in random.sample([aggregator, *agents], len(agents) + 1):
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(random.random() / 2)
        time.sleep(1.5)
        assert aggregator.running() and aggregator.process.pid == pid
    wait_for("the aggregator", 20, lambda: len(aggregator.clusters()) > 0)
    # An agent whose key was changed first may have been refused; it asks again after a minute.
    for agent in agents:
        wait_for("no more to send", 90,
                 lambda a=agent: a.log().count('msg="shipping"') >
                 a.log().count("refuses this agent") and
                 a.log().rindex('msg="shipping"') > last(a.log(), "refuses this agent"))
    time.sleep(3)
    for agent in agents:
        assert agent.log().count("new identity in use") == 5
        assert agent.stop()[0] == 0
    assert aggregator.log().count("starts anew") >= 5
    assert aggregator.stop()[0] == 0
    assert assert_delivered(aggregator, agents) > 100


def last(text, part):
    return text.rindex(part) if part in text else -1


def test_a_wrong_new_certificate_changes_nothing(site, kafka, prod, dev):
    tls = prod.issue("prod-a", file="will-break")
    agent = site.agent("prod-a", watched(kafka, "prod-seoul"), tls)
    wait_for("the cluster", 20, lambda: seen(site.aggregator, "prod-seoul"))
    server_key = site.server["prod"]["key_file"]
    right = open(server_key).read()
    for path in (tls["key_file"], server_key):
        with open(path, "w") as f:
            f.write("nonsense\n")
    for daemon in (agent, site.aggregator):
        daemon.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", 10, lambda d=daemon: "no key in PEM" in d.log())
    time.sleep(2)
    assert "link down" not in agent.log() and "starts anew" not in site.aggregator.log()
    with open(server_key, "w") as f:
        f.write(right)
    site.aggregator.process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert "starts anew" not in site.aggregator.log()  # all is as it was
    assert agent.stop()[0] == 0


def test_a_slow_way_that_breaks_loses_nothing(tmp_path, kafka, prod):
    """100 ms each way, and connections cut at random for twenty seconds; then all is counted."""
    tls = prod.issue(SERVER, "DNS:" + SERVER, file="slow-server")
    aggregator = Aggregator(tmp_path)
    url = "tls+tcp://127.0.0.1:%d" % aggregator.link_port
    rewrite(aggregator, {"listen": [{"url": url, "tls": tls}]}).start()
    with Proxy(aggregator.link_port, delay_s=0.1) as proxy:
        agents = [Agent(tmp_path, "slow-%d" % i, [Site.url(proxy.port)],
                        [cluster("%s-%d" % (c, i), kafka[c][1], kafka[c][0]) for c in kafka],
                        tls={**prod.issue("slow-%d" % i), "server_name": SERVER}).start()
                  for i in range(4)]
        wait_for("all clusters", 30, lambda: len(aggregator.clusters()) == 4 * len(kafka))
        limit, cuts = time.monotonic() + 20, 0
        while time.monotonic() < limit:
            time.sleep(random.uniform(0.1, 1.0))
            cuts += proxy.cut(0.5)
        assert cuts > 20
        wait_for("the last connections", 60, lambda: all(
            a.log().rindex('msg="shipping"') > last(a.log(), "link down") for a in agents))
        wait_for("what was kept meanwhile", 60, lambda: all(
            a["spool_batches"] < 5 for a in aggregator.json("/api/v1/agents")["agents"]))
        for agent in agents:
            assert agent.stop()[0] == 0
    assert aggregator.stop()[0] == 0
    assert assert_delivered(aggregator, agents) > 200
