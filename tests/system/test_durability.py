# SPDX-License-Identifier: Apache-2.0
"""Whatever is killed, frozen, full, copied or set wrong: what was acknowledged is there, once."""

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from broker import VERSIONS, Broker, die_with_parent
from clients import commit, committed, create_topic, produce, unique
from conftest import SETTINGS
from warren import AGGREGATOR, BUILD, Agent, Aggregator, cluster, preload, wait_for

LONG = bool(os.environ.get("WARREN_LONG"))
LOAD = os.path.join(BUILD, "tests", "durability_load")
SPOOL = os.path.join(BUILD, "tests", "durability_spool")
CLOCKSKEW = preload(os.path.join(BUILD, "tests", "libdurability_clockskew.so"))
KILLS = 200 if LONG else 20
FROZEN_S = 60 if LONG else 15


@pytest.fixture
def seed():
    """Another one each time; the one of a failure is shown with it, and can be given."""
    value = int(os.environ.get("WARREN_SEED", random.randrange(1 << 32)))
    print("WARREN_SEED=%d" % value)
    random.seed(value)
    return value


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with Broker(VERSIONS[-1], tmp_path_factory.mktemp("kafka"), properties=SETTINGS) as b:
        yield b


class Load:
    """The agent of load.c against one aggregator."""

    def __init__(self, aggregator, agent, **options):
        options = ["%s=%s" % item for item in options.items()]
        self.process = subprocess.Popen([LOAD, aggregator.link_url(), agent, *options],
                                        stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)

    def running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """Have it send no more than it has, until all of that is acknowledged."""
        self.process.terminate()
        return self.result()

    def result(self, limit_s=90):
        """What it counted, by name."""
        out, _ = self.process.communicate(timeout=limit_s)
        words = out.split()
        return dict(zip(words[::2], map(int, words[1::2])))


def check(aggregator):
    """The store is as it should be; {agent: (applied, batches, lost)} of what it holds."""
    data = os.path.join(aggregator.dir, aggregator.name + "-data")
    run = subprocess.run([AGGREGATOR, "check", "--data", data], capture_output=True, text=True,
                         timeout=60)
    assert run.returncode == 0, run.stdout
    found = re.findall(r"^agent (\S+) epoch \S+ applied (\d+) batches (\d+) lost (\d+)",
                       run.stdout, re.M)
    return {agent: tuple(map(int, numbers)) for agent, *numbers in found}


def spool(agent):
    """The numbers of an agent's state, which must not be running."""
    state = os.path.join(agent.dir, agent.name + "-state")
    run = subprocess.run([SPOOL, "show", state], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stdout
    words = run.stdout.split()
    return dict(zip(words[::2], words[1::2]))


def gauge(aggregator, name):
    """The value of a metric without labels; None while nobody answers."""
    found = re.search(r"^%s (\S+)$" % name, aggregator.get("/metrics")[1], re.M)
    return float(found[1]) if found else None


def degraded(aggregator):
    return gauge(aggregator, "warren_store_degraded") == 1


class Committer(threading.Thread):
    """Groups that read on, until they are stopped: {(topic, 0): offset} by group."""

    def __init__(self, bootstrap, groups=2, pause_s=0.2):
        super().__init__(daemon=True)
        self.bootstrap = bootstrap
        self.pause_s = pause_s
        self.topic = unique("orders")
        self.groups = [unique("readers") for _ in range(groups)]
        self.over = threading.Event()
        create_topic(bootstrap, self.topic, 1)
        self.start()

    def run(self):
        at = 0
        while not self.over.is_set():
            produce(self.bootstrap, self.topic, 5)
            at += 5
            for group in self.groups:
                commit(self.bootstrap, group, {(self.topic, 0): at})
            self.over.wait(self.pause_s)

    def stop(self):
        self.over.set()
        self.join(30)
        return {g: committed(self.bootstrap, g)[(self.topic, 0)] for g in self.groups}


def wait_for_offsets(aggregator, name, topic, offsets, limit_s=60):
    for group, offset in offsets.items():
        wait_for("%s at %d" % (group, offset), limit_s,
                 lambda g=group, o=offset: aggregator.lags(name, g).get((topic, 0)) == (o, 0))


# --- killed ---


def test_aggregator_killed_under_load(tmp_path, aggregator, seed):
    """Two agents send as fast as they can; each batch is applied once, none is missing."""
    loads = [Load(aggregator, "load-%d" % i, seconds=3600, batches=2) for i in range(2)]
    for _ in range(KILLS):
        time.sleep(random.uniform(0.05, 0.6))
        aggregator.kill()
        aggregator.start()
    assert all(load.running() for load in loads)
    results = [load.end() for load in loads]
    aggregator.stop()
    stored = check(aggregator)
    for i, result in enumerate(results):
        print(result)
        assert result["sent"] == result["acked"] > 100
        assert stored["load-%d" % i] == (result["sent"], result["sent"], 0)


def test_agent_killed_under_load(kafka, aggregator, start_agent, seed):
    """Commits go on meanwhile; at the end everything is as Kafka has it, by numbers without hole."""
    work = Committer(kafka.bootstrap)
    agent = start_agent("agent", [aggregator],
                        [cluster("Live", kafka.bootstrap, interval="1s",
                                 groups={"allow": work.groups})])
    wait_for("the groups", 60, lambda: set(aggregator.groups("Live")) == set(work.groups))
    for _ in range(KILLS):
        time.sleep(random.uniform(0.1, 1.2))
        agent.kill()
        agent.start()
    offsets = work.stop()
    wait_for_offsets(aggregator, "Live", work.topic, offsets)
    assert agent.stop()[0] == 0
    assert aggregator.stop()[0] == 0
    applied, batches, lost = check(aggregator)["agent"]
    state = spool(agent)
    print(state, applied, batches, lost)
    assert (applied, batches, lost) == (int(state["next"]) - 1, int(state["next"]) - 1, 0)
    assert state["dropped"] == "0"


# --- full ---


def test_map_full_and_recovery(tmp_path, seed):
    """One cluster grows until nothing fits; the other is served all the while. When the first
    has shrunk, all is well again, without help."""
    a = Aggregator(tmp_path, map_size="64MiB")
    a.start()
    try:
        steady = Load(a, "steady", passes=2000, batches=1, groups=2, pace_ms=100, drain_s=5)
        filler = Load(a, "filler", passes=100000, groups=10, fresh=1, pace_ms=30)
        wait_for("the store to be full", 60, lambda: degraded(a))
        filler.kill()
        before = a.lags("steady", "readers-0-0-0")
        wait_for("the other cluster to go on", 15,
                 lambda: a.lags("steady", "readers-0-0-0") != before)
        assert degraded(a) and a.get("/readyz")[0] == 503 and "map_size" in a.log()
        wait_for("the gauge", 12, lambda: gauge(a, "warren_store_used_bytes") > 0.75 * (64 << 20))
        applied = check(a)["filler"][0]
        shrinker = Load(a, "filler", passes=3, batches=1, groups=1, full=1, next=applied + 1)
        assert shrinker.result()["acked"] == 3
        wait_for("the store to take writes", 30, lambda: not degraded(a))
        wait_for("the room", 30,
                 lambda: gauge(a, "warren_store_used_bytes") < 0.4 * (64 << 20))
        again = Load(a, "filler", passes=5, batches=1, groups=10, fresh=1, next=applied + 4)
        assert again.result()["acked"] == 5
        assert a.get("/readyz")[0] == 200 and steady.running()
        steady.kill()
        assert "nearly full" in a.log() and "takes writes again" in a.log()
        a.stop()
        applied, batches, lost = check(a)["filler"]
        assert (batches, lost) == (applied, 0)
    finally:
        a.kill()


@pytest.fixture
def small_disk(tmp_path):
    """small_disk(name, size) -> a file system of its own in memory."""
    mounted = []

    def mount(name, size):
        path = str(tmp_path / name)
        os.makedirs(path)
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=" + size, "warren", path]).returncode != 0:
            pytest.skip("a full disk needs the right to mount a tmpfs: run as root")
        mounted.append(path)
        return path

    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", path])


def test_aggregator_disk_full(tmp_path, small_disk, seed):
    """It says so, shows what it has as stale, and goes on by itself when there is room."""
    data = small_disk("aggregator-data", "24m")
    a = Aggregator(tmp_path, data_dir=data)
    a.start()
    try:
        load = Load(a, "load", seconds=12, batches=1, groups=40, fresh=1, pace_ms=20)
        wait_for("the disk to be full", 60, lambda: degraded(a))
        assert a.get("/readyz")[0] == 503 and "look at the disk" in a.log()
        wait_for("what there is to be stale", 20, lambda: "warren_consumer_stale{" in
                 a.get("/metrics")[1] and re.search(r"^warren_consumer_stale\S+ 1$",
                                                    a.get("/metrics")[1], re.M))
        assert len(a.groups("load")) > 100 and a.running()
        subprocess.run(["mount", "-o", "remount,size=400m", data], check=True)
        wait_for("the store to take writes", 30, lambda: not degraded(a))
        result = load.result()
        print(result)
        assert result["sent"] == result["acked"] and result["retries"] > 0
        assert a.get("/readyz")[0] == 200
        a.stop()
        assert check(a)["load"] == (result["sent"], result["sent"], 0)
    finally:
        a.kill()


def test_agent_disk_full(kafka, aggregator, small_disk, start_agent):
    """It samples and sends on from memory, and writes again when there is room."""
    state = small_disk("agent-state", "4m")
    aggregator.stop()
    work = Committer(kafka.bootstrap)
    agent = start_agent("agent", [aggregator], [cluster("Live", kafka.bootstrap, interval="1s",
                                                        groups={"allow": work.groups})])
    time.sleep(2)
    ballast = os.open(os.path.join(state, "ballast"), os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(ballast, bytes(4096))
    except OSError:
        os.close(ballast)
    wait_for("the disk to be full", 60, lambda: "state cannot be written" in agent.log())
    aggregator.start()
    wait_for("the groups", 30, lambda: set(aggregator.groups("Live")) == set(work.groups))
    first = aggregator.lags("Live", work.groups[0])
    wait_for("the next commits", 30, lambda: aggregator.lags("Live", work.groups[0]) != first)
    os.unlink(os.path.join(state, "ballast"))
    wait_for("the state to be written", 30, lambda: "state is written again" in agent.log())
    wait_for_offsets(aggregator, "Live", work.topic, work.stop())
    assert agent.stop()[0] == 0
    aggregator.stop()
    applied, batches, lost = check(aggregator)["agent"]
    assert (applied, batches, lost) == (int(spool(agent)["next"]) - 1, applied, 0)


# --- frozen ---


def test_frozen_agent_and_frozen_aggregator(kafka, aggregator, start_agent):
    """A side that does nothing for a while loses nothing, and raises no alarm about groups."""
    work = Committer(kafka.bootstrap)
    agent = start_agent("agent", [aggregator], [cluster("Live", kafka.bootstrap, interval="1s",
                                                        groups={"allow": work.groups})])
    wait_for("the groups", 60, lambda: set(aggregator.groups("Live")) == set(work.groups))

    agent.process.send_signal(signal.SIGSTOP)
    limit = time.monotonic() + FROZEN_S
    while time.monotonic() < limit:
        assert [aggregator.lag("Live", g)["status"] for g in work.groups] == ["OK"] * 2
        time.sleep(0.5)
    assert re.search(r"^warren_consumer_stale\S+ 1$", aggregator.get("/metrics")[1], re.M)
    agent.process.send_signal(signal.SIGCONT)
    wait_for("it to be seen again", 30, lambda: not re.search(
        r"^warren_consumer_stale\S+ 1$", aggregator.get("/metrics")[1], re.M))

    aggregator.process.send_signal(signal.SIGSTOP)
    time.sleep(FROZEN_S)
    aggregator.process.send_signal(signal.SIGCONT)
    offsets = work.stop()
    wait_for_offsets(aggregator, "Live", work.topic, offsets)
    assert [aggregator.lag("Live", g)["status"] for g in work.groups] == ["OK"] * 2
    assert agent.stop()[0] == 0
    aggregator.stop()
    applied, batches, lost = check(aggregator)["agent"]
    assert (applied, batches, lost) == (int(spool(agent)["next"]) - 1, applied, 0)


# --- copied ---


def test_cloned_state(kafka, tmp_path, aggregator, start_agent):
    """Two agents of one name and one history: one is heard, the other is told; nothing twice."""
    work = Committer(kafka.bootstrap)
    clusters = [cluster("Live", kafka.bootstrap, interval="1s", groups={"allow": work.groups})]
    first = start_agent("agent", [aggregator], clusters)
    wait_for("the groups", 60, lambda: set(aggregator.groups("Live")) == set(work.groups))
    assert first.stop()[0] == 0
    second = Agent(tmp_path / "clone", "agent", [aggregator], clusters)
    shutil.copytree(tmp_path / "agent-state", tmp_path / "clone" / "agent-state")
    first.start()
    second.start()
    told = re.compile("copied or restored|a copy of its state_dir|another agent of this name")
    wait_for("one of them to be told", 30,
             lambda: told.search(first.log()) or told.search(second.log()))
    time.sleep(3)
    wait_for_offsets(aggregator, "Live", work.topic, work.stop())
    first.kill()
    second.kill()
    aggregator.stop()
    applied, batches, lost = check(aggregator)["agent"]
    assert (batches, lost) == (applied, 0)
    assert len(re.findall("agent connected", aggregator.log())) < 20, "they take turns"


def test_restored_state(aggregator):
    """An agent comes back with an old copy of its state, after it has left that epoch."""
    assert Load(aggregator, "load", passes=20, batches=1, epoch=7).result()["acked"] == 20
    aggregator.restart()
    assert Load(aggregator, "load", passes=5, batches=1, epoch=8).result()["acked"] == 5
    aggregator.restart()
    old = Load(aggregator, "load", passes=10, batches=1, epoch=7).result()
    assert old["acked"] == 10  # it is told that they are there
    aggregator.stop()
    assert check(aggregator)["load"] == (5, 5, 0)


# --- the clock ---


def test_clocks_that_are_set(kafka, tmp_path, start_agent):
    """The wall clock of either side jumps an hour ahead and back: passes go on, nothing is
    alarmed; not even when the agent starts again with its clock an hour behind."""
    skews = {}
    for name in ("agent", "aggregator"):
        skews[name] = tmp_path / (name + "-skew")
        skews[name].write_text("0")
    aggregator = Aggregator(tmp_path)
    aggregator.environment = {"LD_PRELOAD": CLOCKSKEW, "CLOCKSKEW": str(skews["aggregator"])}
    aggregator.start()
    work = Committer(kafka.bootstrap)
    try:
        agent = start_agent("agent", [aggregator],
                            [cluster("Live", kafka.bootstrap, interval="1s",
                                     groups={"allow": work.groups})],
                            environment={"LD_PRELOAD": CLOCKSKEW,
                                         "CLOCKSKEW": str(skews["agent"])})
        wait_for("the groups", 60, lambda: set(aggregator.groups("Live")) == set(work.groups))

        def watch(seconds):
            """Every pass brings new offsets, and every group is OK."""
            seen = set()
            limit = time.monotonic() + seconds
            while time.monotonic() < limit:
                for group in work.groups:
                    assert aggregator.lag("Live", group)["status"] == "OK"
                seen.add(str(aggregator.lags("Live", work.groups[0])))
                time.sleep(0.3)
            assert len(seen) >= seconds / 2, "passes have stopped: %s" % seen

        def stale():
            return re.search(r"^warren_consumer_stale\S+ 1$", aggregator.get("/metrics")[1], re.M)

        for name, seconds in [("agent", 3600), ("agent", -3600), ("agent", 0),
                              ("aggregator", 3600), ("aggregator", -3600)]:
            skews[name].write_text(str(seconds))
            watch(4)
            assert not stale()
        agent.kill()
        skews["agent"].write_text("-3600")
        agent.start()
        before = aggregator.lags("Live", work.groups[0])
        wait_for("passes to go on", 15,
                 lambda: aggregator.lags("Live", work.groups[0]) != before)
        watch(4)
        offsets = work.stop()
        wait_for_offsets(aggregator, "Live", work.topic, offsets)
        assert aggregator.running() and agent.running()
    finally:
        aggregator.kill()


# --- copies ---


def test_backup_under_load_and_restore(tmp_path, aggregator):
    """A copy made while batches pour in is one moment's; an aggregator that starts with it goes
    on from there."""
    load = Load(aggregator, "load", seconds=6, batches=2)
    data = os.path.join(aggregator.dir, "aggregator-data")
    for i in range(3):
        time.sleep(0.7)
        run = subprocess.run([AGGREGATOR, "backup", "-c", aggregator.config,
                              str(tmp_path / ("copy-%d" % i))], capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
    assert load.running()
    result = load.result()
    assert result["sent"] == result["acked"]
    copy = str(tmp_path / "copy-2")
    refused = subprocess.run([AGGREGATOR, "restore", copy, "--data", data], capture_output=True,
                             text=True)
    assert refused.returncode == 1 and "another aggregator uses" in refused.stderr
    aggregator.stop()
    refused = subprocess.run([AGGREGATOR, "restore", copy, "--data", data], capture_output=True,
                             text=True)
    assert refused.returncode == 1 and "is there already" in refused.stderr
    shutil.rmtree(data)
    subprocess.run([AGGREGATOR, "restore", copy, "--data", data], check=True)
    applied = check(aggregator)["load"][0]
    assert 0 < applied < result["sent"]
    aggregator.start()
    rest = Load(aggregator, "load", passes=5, batches=2, next=applied + 1).result()
    assert rest["acked"] == 10
    with open(os.path.join(copy, "data.mdb"), "r+b") as f:
        f.seek(5 * 4096)
        f.write(os.urandom(4096 * 20))
    broken = subprocess.run([AGGREGATOR, "restore", copy, "--data", str(tmp_path / "new")],
                            capture_output=True, text=True)
    assert broken.returncode == 1
    assert not os.path.exists(tmp_path / "new" / "data.mdb")
