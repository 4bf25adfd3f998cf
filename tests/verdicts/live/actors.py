# SPDX-License-Identifier: Apache-2.0
"""Actors of the verdict bench: real Kafka producers and consumer applications with a throttle, a handbrake and a kill switch."""
import queue
import struct
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition, OFFSET_BEGINNING, OFFSET_END
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel
from confluent_kafka.admin import AdminClient, OffsetSpec

QUIET = {"log_level": 0}


def log(*a):
    print(time.strftime("%H:%M:%S"), *a, flush=True)


class Feeds:
    """One thread that produces for every topic of every scenario, at the wanted rate (a number or a function of seconds)."""

    def __init__(self, bootstrap):
        self.p = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "acks": 1, "topic.metadata.refresh.interval.ms": 5000,
                           "message.timeout.ms": 60000, "allow.auto.create.topics": False,
                           "queue.buffering.max.messages": 2000000, **QUIET})
        self.feeds, self.lock, self.failed, self.stopping, self.worst = [], threading.Lock(), 0, False, 0.0
        self.thr = threading.Thread(target=self._run, daemon=True)
        self.thr.start()

    def add(self, topic, parts, rate):
        f = {"topic": topic, "parts": list(parts), "rate": rate, "debt": 0.0, "next": 0, "t0": time.time()}
        with self.lock:
            self.feeds.append(f)
        return f

    def remove(self, f):
        with self.lock:
            if f in self.feeds:
                self.feeds.remove(f)

    def _dr(self, err, msg):
        if err:
            self.failed += 1

    def send(self, topic, part, n):
        for i in range(n):
            self._one(topic, part)
            if i % 1000 == 999:
                self.p.poll(0)
        self.p.poll(0)

    def _one(self, topic, part):
        for _ in range(50):
            try:
                self.p.produce(topic, value=b"x" * 60, partition=part, on_delivery=self._dr)
                return
            except BufferError:
                self.p.poll(0.1)
            except KafkaException:
                self.failed += 1
                return

    def _run(self):
        last = time.time()
        while not self.stopping:
            time.sleep(0.1)
            now = time.time()
            dt, last = now - last, now
            self.worst = max(self.worst, dt)
            with self.lock:
                fs = list(self.feeds)
            for f in fs:
                f["debt"] += (f["rate"](now - f["t0"]) if callable(f["rate"]) else f["rate"]) * dt
                n = int(f["debt"])
                f["debt"] -= n
                for _ in range(n):
                    self._one(f["topic"], f["parts"][f["next"] % len(f["parts"])])
                    f["next"] += 1
            self.p.poll(0)

    def stop(self):
        self.stopping = True
        self.thr.join(5)
        self.p.flush(5)


class Actor(threading.Thread):
    """A consumer application. What changes its behaviour goes through do(), so that the client is used from one thread only.

    rate: messages a second (number or function of seconds; None = as fast as it can); commit_every: seconds;
    commit_same: commits every owned partition each time, moved or not (what Java's commitSync() does), else only what moved;
    skip_commit: (topic, partition) never committed; hold: commits so many messages behind its position (work in hand)."""

    def __init__(self, bootstrap, group, topics, rate=None, commit_every=2.0, commit_same=False, reset="earliest",
                 protocol="classic", isolation="read_uncommitted", assign=None, skip_commit=(), auto=True, hold=0):
        super().__init__(daemon=True)
        conf = {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "auto.offset.reset": reset,
                "enable.auto.offset.store": False, "max.poll.interval.ms": 900000, "isolation.level": isolation,
                "topic.metadata.refresh.interval.ms": 5000, "metadata.max.age.ms": 15000, "fetch.wait.max.ms": 400,
                "allow.auto.create.topics": False, "queued.max.messages.kbytes": 4096, "fetch.message.max.bytes": 65536,
                "client.id": "app-" + group, "reconnect.backoff.max.ms": 1000, **QUIET}
        if protocol == "consumer":
            conf["group.protocol"] = "consumer"
        else:
            conf["session.timeout.ms"] = 10000
            conf["heartbeat.interval.ms"] = 3000
        self.c = Consumer(conf)
        self.group, self.topics, self.rate, self.auto, self.hold = group, topics, rate, auto, hold
        self.commit_every, self.commit_same, self.skip_commit = commit_every, commit_same, set(skip_commit)
        self.pos, self.sent, self.stuck, self.assigned, self.errors = {}, {}, set(), [], []
        self.hang, self.leave, self.n, self.assign, self.commits = False, None, 0, assign, 0
        self.q, self.done, self.t0, self._need_pause = queue.Queue(), threading.Event(), time.time(), False
        self.start()

    # ---- control, callable from any thread
    def do(self, fn):
        ev = threading.Event()
        self.q.put((fn, ev))
        if not ev.wait(20):
            self.errors.append("do: not served within 20 s")

    def stick(self, parts="*"):
        """Stop processing these (topic, partition); everything assigned if '*'."""
        def f():
            for tp in (list(self.assigned) if parts == "*" else parts):
                self.stuck.add(tuple(tp))
            self._pause()
        self.do(f)

    def unstick(self):
        def f():
            tps = [TopicPartition(t, p) for t, p in self.stuck if (t, p) in self.assigned]
            self.stuck.clear()
            for tp in tps:
                k = (tp.topic, tp.partition)
                if k in self.pos:
                    self.c.seek(TopicPartition(tp.topic, tp.partition, self.pos[k]))
            if tps:
                self.c.resume(tps)
        self.do(f)

    def commit_raw(self, topic, part, off):
        self.do(lambda: self._commit([TopicPartition(topic, part, off)]))

    def commit_back(self, topic, part, n):
        self.do(lambda: self._commit([TopicPartition(topic, part, max(0, self.pos.get((topic, part), n) - n))]))

    def seek(self, topic, part, off):
        def f():
            self.c.seek(TopicPartition(topic, part, off))
            self.pos[(topic, part)] = off
        self.do(f)

    def resubscribe(self, topics):
        self.topics = topics
        self.do(lambda: self.c.subscribe(topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost))

    def stop(self, how="clean"):
        """clean: commits and leaves; kill: leaves the group, nothing committed."""
        self.leave = how
        self.done.wait(20)

    # ---- inside the thread
    def _pause(self):
        tps = [TopicPartition(t, p) for t, p in self.stuck if (t, p) in self.assigned]
        if tps:
            try:
                self.c.pause(tps)
            except KafkaException as e:
                self.errors.append(str(e))

    def _on_assign(self, c, parts):
        try:
            got = c.committed(parts, timeout=10) if parts else []
        except KafkaException as e:
            self.errors.append("committed: %s" % e)
            got = []
        for tp in parts:
            self.assigned.append((tp.topic, tp.partition))
        for tp in got:
            if tp.offset >= 0:
                self.pos[(tp.topic, tp.partition)] = tp.offset
                self.sent[(tp.topic, tp.partition)] = tp.offset
        self._need_pause = True

    def _drop(self, parts):
        for tp in parts:
            k = (tp.topic, tp.partition)
            if k in self.assigned:
                self.assigned.remove(k)
            self.pos.pop(k, None)
            self.sent.pop(k, None)

    def _on_revoke(self, c, parts):
        if self.leave != "kill" and not self.hang and self.auto:
            self._commit_now()
        self._drop(parts)

    def _on_lost(self, c, parts):
        self._drop(parts)

    def _commit(self, tps):
        if not tps:
            return
        try:
            self.c.commit(offsets=tps, asynchronous=False)
            self.commits += 1
        except KafkaException as e:
            self.errors.append("%.0f commit: %s" % (time.time() - self.t0, e.args[0].name()))

    def _commit_now(self):
        out = []
        for k, o in list(self.pos.items()):
            if k in self.skip_commit or k not in self.assigned:
                continue
            o = max(0, o - self.hold)
            if k in self.sent and self.sent[k] == o and not self.commit_same:
                continue
            out.append(TopicPartition(k[0], k[1], o))
            self.sent[k] = o
        self._commit(out)

    def run(self):
        try:
            self._loop()
        except Exception as e:            # an actor that dies must be seen in the results
            self.errors.append("DIED %r" % e)
            log("actor of", self.group, "died:", repr(e))
        finally:
            self.done.set()

    def handle(self, ms):
        """What the application does with a batch (overridden by the transactional one)."""

    def _loop(self):
        if self.assign:
            tps = [TopicPartition(t, p) for t, p in self.assign]
            got = self.c.committed(tps, timeout=10)
            self.c.assign([TopicPartition(t.topic, t.partition, t.offset if t.offset >= 0 else OFFSET_BEGINNING) for t in got])
            self.assigned = list(self.assign)
        else:
            self.c.subscribe(self.topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
        budget, last, next_commit = 0.0, time.time(), time.time() + self.commit_every
        while not self.leave:
            while True:
                try:
                    fn, ev = self.q.get_nowait()
                except queue.Empty:
                    break
                try:
                    fn()
                except Exception as e:
                    self.errors.append("do: %r" % e)
                ev.set()
            if self.hang:
                time.sleep(0.2)
                last = time.time()
                continue
            if self._need_pause:
                self._need_pause = False
                self._pause()
            now = time.time()
            dt, last = now - last, now
            want = 400
            if self.rate is not None:
                r = self.rate(now - self.t0) if callable(self.rate) else self.rate
                budget = min(budget + r * dt, max(1.0, r))
                want = int(min(budget, 400))
            if want > 0 and not self.leave:
                good = []
                for m in self.c.consume(want, 0.15):
                    if m.error():
                        self.errors.append("%.0f %s" % (time.time() - self.t0, m.error().name()))
                    elif (m.topic(), m.partition()) not in self.stuck:
                        good.append(m)
                        self.pos[(m.topic(), m.partition())] = m.offset() + 1
                budget -= len(good)
                self.n += len(good)
                if good:
                    self.handle(good)
            else:
                time.sleep(0.1)
            if self.auto and time.time() >= next_commit:
                self._commit_now()
                next_commit = max(next_commit + self.commit_every, time.time())
        if self.leave == "clean" and self.auto:
            self._commit_now()
        self.c.close()


class TxApp(Actor):
    """Read, process, write, with the offsets committed inside a transaction; with .abort every transaction is rolled back and retried."""

    def __init__(self, bootstrap, group, topics, out, every=2.0, **kw):
        self.tx = Producer({"bootstrap.servers": bootstrap, "transactional.id": "tx-" + group, "linger.ms": 5,
                            "allow.auto.create.topics": False, "transaction.timeout.ms": 60000, **QUIET})
        self.tx.init_transactions(30)
        self.out, self.abort, self.aborted, self.next_tx, self.every = out, False, 0, 0.0, every
        self.good = {}
        kw.setdefault("isolation", "read_committed")
        super().__init__(bootstrap, group, topics, auto=False, **kw)

    def handle(self, ms):
        if time.time() < self.next_tx:
            return
        self.next_tx = time.time() + self.every
        offs = [TopicPartition(t, p, o) for (t, p), o in self.pos.items()]
        try:
            self.tx.begin_transaction()
            for m in ms[:3]:
                self.tx.produce(self.out, value=b"y" * 40, partition=0)
            self.tx.send_offsets_to_transaction(offs, self.c.consumer_group_metadata(), 10)
            if self.abort:
                self.tx.abort_transaction(10)
                self.aborted += 1
            else:
                self.tx.commit_transaction(10)
                self.commits += 1
        except KafkaException as e:
            self.errors.append("tx: %s" % e)
            try:
                self.tx.abort_transaction(10)
            except KafkaException as e2:
                self.errors.append("abort: %s" % e2)


class TxFeed(threading.Thread):
    """Transactional producer: one transaction of n messages to each partition, every `every` seconds."""

    def __init__(self, bootstrap, tid, topic, parts, n, every):
        super().__init__(daemon=True)
        self.p = Producer({"bootstrap.servers": bootstrap, "transactional.id": tid, "linger.ms": 5,
                           "allow.auto.create.topics": False, **QUIET})
        self.topic, self.parts, self.n, self.every, self.stopping, self.errors = topic, parts, n, every, False, []
        self.start()

    def run(self):
        try:
            self.p.init_transactions(30)
            nxt = time.time()
            while not self.stopping:
                if time.time() >= nxt:
                    nxt += self.every
                    self.p.begin_transaction()
                    for part in self.parts:
                        for _ in range(self.n):
                            self.p.produce(self.topic, value=b"t" * 50, partition=part)
                    self.p.commit_transaction(20)
                time.sleep(0.1)
        except KafkaException as e:
            self.errors.append("txfeed: %s" % e)

    def stop(self):
        self.stopping = True
        self.join(10)


class Sampler(threading.Thread):
    """What an agent would see, every few seconds: committed offsets first, then log start, log end and last stable offset;
    group state, members and assignment; and, read apart from __consumer_offsets (committed records only), when commits arrived."""

    def __init__(self, bootstrap, scens, every=3.0):
        super().__init__(daemon=True)
        self.boot, self.scens, self.every = bootstrap, scens, every
        self.adm = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
        self.stopping, self.rows, self.commits, self.lock, self.late, self.worst = False, {}, {}, threading.Lock(), 0, 0.0
        self.watch = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        try:
            c = Consumer({"bootstrap.servers": self.boot, "group.id": "bench-watch-unused", "enable.auto.commit": False,
                          "isolation.level": "read_committed", "fetch.wait.max.ms": 200, **QUIET})
            while not self.stopping:
                t = c.list_topics(timeout=10).topics.get("__consumer_offsets")
                if t is not None and t.partitions:
                    break
                time.sleep(1)
            c.assign([TopicPartition("__consumer_offsets", p, OFFSET_END) for p in t.partitions])
            while not self.stopping:
                for m in c.consume(500, 0.3):
                    if m.error() or m.key() is None:
                        continue
                    k, v = m.key(), m.value()
                    if len(k) < 2 or struct.unpack(">h", k[:2])[0] > 1:
                        continue
                    i = 2
                    (n,) = struct.unpack(">h", k[i:i + 2]); g = k[i + 2:i + 2 + n].decode(); i += 2 + n
                    (n,) = struct.unpack(">h", k[i:i + 2]); tp = k[i + 2:i + 2 + n].decode(); i += 2 + n
                    (p,) = struct.unpack(">i", k[i:i + 4])
                    off = None if v is None else struct.unpack(">q", v[2:10])[0]
                    with self.lock:
                        self.commits.setdefault((g, tp, p), []).append((time.time(), off))
            c.close()
        except Exception as e:
            log("commit watch died:", repr(e))

    def run(self):
        self.watch.start()
        nxt = time.time()
        while not self.stopping:
            a = time.time()
            try:
                self.once()
            except Exception as e:
                self.late += 1
                log("sampler:", repr(e))
            self.worst = max(self.worst, time.time() - a)
            nxt += self.every
            d = nxt - time.time()
            if d < 0:
                nxt = time.time()
                self.late += 1
            else:
                time.sleep(d)

    def once(self):
        live = [s for s in self.scens if s.t0 and not s.finished]
        if not live:
            return
        tc = time.time()
        offs, desc, futs = {}, {}, {}
        for s in live:
            try:
                futs[s.name] = self.adm.list_consumer_group_offsets([ConsumerGroupTopicPartitions(s.group)], request_timeout=5)[s.group]
            except Exception:
                futs[s.name] = None
        for n, f in futs.items():
            try:
                offs[n] = {(t.topic, t.partition): t.offset for t in f.result(6).topic_partitions if t.offset >= 0}
            except Exception:
                offs[n] = None
        for g, f in self.adm.describe_consumer_groups([s.group for s in live], request_timeout=5).items():
            try:
                desc[g] = f.result(6)
            except Exception:
                desc[g] = None
        tps = sorted({tp for s in live for tp in s.partitions()})
        te = time.time()
        res = {}
        for kind, spec, iso in (("start", OffsetSpec.earliest(), IsolationLevel.READ_UNCOMMITTED),
                                ("end", OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED),
                                ("lso", OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)):
            fs = self.adm.list_offsets({TopicPartition(t, p): spec for t, p in tps}, request_timeout=5, isolation_level=iso)
            for tp, f in fs.items():
                try:
                    res.setdefault((tp.topic, tp.partition), {})[kind] = f.result(6).offset
                except Exception:
                    res.setdefault((tp.topic, tp.partition), {})[kind] = None
        for s in live:
            d = desc.get(s.group)
            asg = set()
            for m in (d.members if d else []):
                if m.assignment:
                    asg |= {(t.topic, t.partition) for t in m.assignment.topic_partitions}
            row = {"tc": tc, "te": te, "state": d.state.name if d else None, "members": len(d.members) if d else None, "p": {}}
            for tp in s.partitions():
                e = res.get(tp, {})
                row["p"][tp] = (None if offs.get(s.name) is None else offs[s.name].get(tp), e.get("start"), e.get("end"),
                                e.get("lso"), 1 if tp in asg else 0)
            self.rows.setdefault(s.name, []).append(row)
        if any(e.get("end") is None for e in res.values()):      # librdkafka keeps an old partition count in a long-lived admin client
            self.adm = AdminClient({"bootstrap.servers": self.boot, **QUIET})
