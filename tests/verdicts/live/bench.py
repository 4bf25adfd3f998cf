#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live verdict bench for monitors that serve Burrow's v3 REST API. Drives a real broker through scripted consumer behaviours
whose true status is known, and scores what each monitor says about them, once a second.

  bench.py --bootstrap HOST:PORT --monitor NAME=URL:CLUSTER [--monitor ...] [--set public|holdout|all] [--scenarios a,b,@tag]
           [--scale S] [--settle S] [--record cases.jsonl] [--hook NAME:restart='shell command'] [--hook-at SECONDS] [--keep] --out results.json
  bench.py --list                          scenarios, truth and reasons
URL without /v3, e.g. burrow=http://127.0.0.1:8000:local . --hook broker:restart='cmd' restarts the broker instead.
Tags: @restart (for a monitor restart, all must stay what they are), @broker. Tables again from a stored run: score.py results.json
Needs confluent-kafka (pip). The scenarios are in scenarios_public.py and, where present, scenarios_holdout.py."""
import argparse
import http.client
import json
import importlib
import os
import subprocess
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


class Ctx:
    def __init__(self, env, fn, start_delay):
        from confluent_kafka.admin import AdminClient
        self.env, self.fn, self.name, self.delay = env, fn, fn.__name__, start_delay
        self.set = fn.set
        self.group = "%s-%s" % (env.run, self.name)
        self.adm, self.topics, self.nparts, self.hidden = env.adm, [], {}, set()
        self.actors, self.feeds, self.phases, self.own = [], [], [], []
        self.t0, self.t1, self.finished, self.error, self.ntopic = None, None, False, None, 0

    def ready(self):
        """Topics exist from here on; with --settle nothing else happens before every monitor had time to learn of them."""
        if self.t0 is None:
            d = self.env.start + self.env.settle + self.delay - time.time()
            if d > 0 and self.env.stop.wait(d):
                raise KeyboardInterrupt
            self.t0 = time.time()

    def x(self, s):
        return s * self.env.scale

    def sleep(self, s, hard=False):
        if self.env.stop.wait(s if hard else s * self.env.scale):
            raise KeyboardInterrupt

    # ---- topics and traffic
    def create(self, name, n):
        from confluent_kafka.admin import NewTopic
        for i in range(20):
            f = self.adm.create_topics([NewTopic(name, n, 1)])[name]
            try:
                f.result(20)
                break
            except Exception as e:
                if i == 19:
                    raise
                time.sleep(0.5)
        self.nparts[name] = n
        time.sleep(0.3)

    def topic(self, n, hidden=False):
        self.ntopic += 1
        name = "%s-%s-%s" % (self.env.run, self.name, "abcdef"[self.ntopic - 1])
        self.topics.append(name)
        if hidden:
            self.hidden.add(name)
        self.create(name, n)
        return name

    def partitions(self):
        return [(t, p) for t in self.topics if t not in self.hidden for p in range(self.nparts.get(t, 0))]

    def feed(self, t, rate, parts=None, own=False):
        self.ready()
        fs = self.env.feeds
        if own:
            from actors import Feeds
            fs = Feeds(self.env.bootstrap)
            self.own.append(fs)
        f = fs.add(t, parts if parts is not None else range(self.nparts[t]), rate)
        f["by"] = fs
        self.feeds.append(f)
        return f

    def unfeed(self, f):
        f["by"].remove(f)
        self.feeds.remove(f)

    def send(self, t, p, n):
        self.ready()
        self.env.feeds.send(t, p, n)

    def txfeed(self, t, parts, n, every):
        self.ready()
        from actors import TxFeed
        f = TxFeed(self.env.bootstrap, "feed-" + t, t, parts, n, every)
        self.own.append(f)
        return f

    def app(self, topics, stuck=(), **kw):
        self.ready()
        from actors import Actor
        topics = topics if isinstance(topics, list) else [topics]
        kw.setdefault("rate", None)
        a = Actor(self.env.bootstrap, self.group, topics, **kw)
        a.stuck.update((topics[0], p) for p in stuck)
        self.actors.append(a)
        return a

    def txapp(self, t, out):
        self.ready()
        from actors import TxApp
        a = TxApp(self.env.bootstrap, self.group, [t], out)
        self.actors.append(a)
        return a

    # ---- operator
    def alter(self, t, p, off):
        self.ready()
        from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
        for i in range(15):
            try:
                r = self.adm.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(self.group, [TopicPartition(t, p, off)])])[self.group].result(10)
                if all(x.error is None for x in r.topic_partitions):
                    return
            except Exception:
                pass
            time.sleep(1)
        raise RuntimeError("alter offsets refused")

    def delete_topic(self, t):
        self.adm.delete_topics([t])[t].result(20)

    def delete_group(self):
        for i in range(20):
            try:
                self.adm.delete_consumer_groups([self.group])[self.group].result(10)
                return
            except Exception as e:
                err = e
                time.sleep(1)
        raise RuntimeError("delete group refused: %s" % err)

    def add_partitions(self, t, n):
        from confluent_kafka.admin import NewPartitions
        self.adm.create_partitions([NewPartitions(t, n)])[t].result(20)
        self.nparts[t] = n

    def delete_records(self, t, p):
        from confluent_kafka import TopicPartition, OFFSET_END
        for f in self.adm.delete_records([TopicPartition(t, p, OFFSET_END)]).values():
            f.result(20)

    def phase(self, name, accept, why, grace, parts=None, scored=True, grace_ok=()):
        self.phases.append({"name": name, "at": time.time(), "accept": sorted(accept), "why": why, "grace": grace * self.env.scale,
                            "parts": None if parts is None else {k: sorted(v) for k, v in parts.items()}, "scored": scored, "grace_ok": sorted(grace_ok)})

    # ---- life
    def run(self):
        try:
            time.sleep(0.1 * self.delay if self.env.settle else self.delay)
            self.fn(self)
        except KeyboardInterrupt:
            self.error = "interrupted"
        except Exception as e:
            import traceback
            traceback.print_exc()
            self.error = repr(e)
        self.t1 = time.time()
        self.t0 = self.t0 or self.t1
        self.finished = True
        for f in list(self.feeds):
            f["by"].remove(f)
        for a in self.actors:
            if not a.done.is_set():
                a.leave = "kill"
        for o in self.own:
            o.stop()


class Env:
    pass


class Poller(threading.Thread):
    """Polls /status and /lag of every live group once a second; keeps changes only, plus the times of polls that failed."""

    def __init__(self, name, url, cluster, scens):
        super().__init__(daemon=True)
        self.name, self.cluster, self.scens = name, cluster, scens
        u = urllib.parse.urlparse(url)
        self.host, self.port, self.base = u.hostname, u.port or 80, u.path.rstrip("/")
        self.stopping, self.line, self.part, self.lagsum = False, {}, {}, {}
        self.conn, self.polls, self.failed, self.mismatch, self.worst = None, 0, 0, 0, 0.0

    def get(self, path):
        for i in (0, 1):
            try:
                if self.conn is None:
                    self.conn = http.client.HTTPConnection(self.host, self.port, timeout=5)
                self.conn.request("GET", self.base + path)
                r = self.conn.getresponse()
                return json.loads(r.read())
            except Exception:
                try:
                    self.conn.close()
                except Exception:
                    pass
                self.conn = None
        return None

    def one(self, s):
        p = "/v3/kafka/%s/consumer/%s" % (self.cluster, s.group)
        a, b = self.get(p + "/status"), self.get(p + "/lag")
        now = time.time()
        self.polls += 1
        if a is None or b is None or "status" not in a or "status" not in b:
            st, bad = "NOANSWER", []
            self.failed += 1
        else:
            st = a["status"]["status"]
            if b["status"]["status"] != st:
                self.mismatch += 1
            bad = sorted([("%s/%d" % (x["topic"], x["partition"]), x["status"]) for x in b["status"]["partitions"] if x["status"] != "OK"])
            bad = [list(x) for x in bad]
        L = self.line.setdefault(s.name, [])
        if not L or L[-1][2] != st or L[-1][3] != bad or now - L[-1][1] > 4:
            L.append([now, now, st, bad])
        else:
            L[-1][1] = now

    def run(self):
        while not self.stopping:
            a = time.time()
            for s in self.scens:
                if s.t0 and not s.finished and s.phases:
                    self.one(s)
            d = time.time() - a
            self.worst = max(self.worst, d)
            time.sleep(max(0.02, 1.0 - d))


# ---------------------------------------------------------------------------------------------------- corpus
def short(run, k):
    return k[len(run) + 1:] if k.startswith(run + "-") else k


def truth(c, t1):
    """Phases as the scorer and the corpus want them."""
    out = []
    for i, p in enumerate(c.phases):
        end = c.phases[i + 1]["at"] if i + 1 < len(c.phases) else t1
        out.append({"name": p["name"], "ok": p["accept"], "start": p["at"], "end": end, "grace": p["grace"], "grace_ok": p["grace_ok"],
                    "parts": p["parts"], "scored": p["scored"], "why": p["why"]})
    return out


def write_cases(path, run, sampler, scens):
    """One line a group-partition: what a sampling agent would have seen, and the truth of each phase. Times in ms from the start."""
    stem, ext = os.path.splitext(path)
    files = {}
    for s in scens:
        if s.set not in files:
            files[s.set] = open("%s.%s%s" % (stem, s.set, ext or ".jsonl"), "w")
        f = files[s.set]
        rows = sampler.rows.get(s.name, [])
        ms = lambda t: int((t - s.t0) * 1000)
        ph = [{"name": p["name"], "from_ms": ms(p["start"]), "to_ms": ms(p["end"]), "grace_ms": int(p["grace"] * 1000), "group": p["ok"],
               "grace_ok": p["grace_ok"], "scored": p["scored"], "why": p["why"],
               "parts": None if p["parts"] is None else {short(run, k): v for k, v in p["parts"].items()}} for p in truth(s, s.t1)]
        for tp in sorted({k for r in rows for k in r["p"]}):
            ser = [[ms(r["tc"]), ms(r["te"])] + list(r["p"][tp]) + [r["state"], r["members"]] for r in rows if tp in r["p"]]
            co = [[ms(t), o] for t, o in sampler.commits.get((s.group,) + tp, [])]
            f.write(json.dumps({"scenario": s.name, "set": s.set, "run": run, "group": s.name, "topic": short(run, tp[0]), "partition": tp[1],
                                "end_ms": ms(s.t1), "error": s.error, "phases": ph,
                                "columns": ["t_committed_ms", "t_end_ms", "committed", "start", "end", "lso", "assigned", "state", "members"],
                                "series": ser, "commits": co}, separators=(",", ":")) + "\n")
    for f in files.values():
        f.close()


def load(which):
    out = []
    for name in ("public", "holdout"):
        if which in (name, "all"):
            try:
                m = importlib.import_module("scenarios_" + name)
            except ModuleNotFoundError:
                if which == name:
                    raise
                continue
            for f in m.ALL:
                f.set = name
                out.append(f)
    return out


def show():
    import inspect
    import re
    for f in load("all"):
        ph = re.findall(r'c\.phase\("([^"]+)", (\{[^}]*\}|ANY|BAD), "([^"]+)"', inspect.getsource(f))
        print("- %s (%s): %s" % (f.__name__, f.set, "; ".join("%s = %s (%s)" % (a, b.strip("{}").replace(", ", "/"), w) for a, b, w in ph)))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bootstrap")
    ap.add_argument("--monitor", action="append", default=[])
    ap.add_argument("--set", default="all", choices=["public", "holdout", "all"])
    ap.add_argument("--scenarios", default="")
    ap.add_argument("--scale", type=float, default=1.0)
    ap.add_argument("--settle", type=float, default=0, help="seconds between making the topics and the first message")
    ap.add_argument("--out")
    ap.add_argument("--record")
    ap.add_argument("--every", type=float, default=4.0, help="seconds between two passes of the recorder")
    ap.add_argument("--hook", action="append", default=[])
    ap.add_argument("--hook-at", type=float, default=240)
    ap.add_argument("--list", action="store_true")
    ap.add_argument("--keep", action="store_true")
    o = ap.parse_args()
    if o.list:
        return show()
    if not o.bootstrap:
        ap.error("--bootstrap is needed")
    from actors import Feeds, Sampler, log, QUIET
    from confluent_kafka.admin import AdminClient
    import score
    want = [w for w in o.scenarios.split(",") if w]
    fns = [f for f in load(o.set) if not want or f.__name__ in want or any(w[0] == "@" and w[1:] in f.tags for w in want)]
    if not fns:
        ap.error("no such scenario")
    env = Env()
    env.run, env.bootstrap, env.scale, env.stop = "v%x" % (int(time.time()) & 0xfffff), o.bootstrap, o.scale, threading.Event()
    env.start, env.settle = time.time(), o.settle
    env.adm = AdminClient({"bootstrap.servers": o.bootstrap, **QUIET})
    env.feeds = Feeds(o.bootstrap)
    scens = [Ctx(env, f, 0.4 * i) for i, f in enumerate(fns)]
    mons = []
    for m in o.monitor:
        name, rest = m.split("=", 1)
        url, cl = rest.rsplit(":", 1)
        mons.append(Poller(name, url, cl, scens))
    sampler = Sampler(o.bootstrap, scens, o.every)
    sampler.start()
    hooks, start, load0 = [], time.time(), os.getloadavg()
    thr = [threading.Thread(target=s.run, daemon=True) for s in scens]
    for t in thr + mons:
        t.start()
    log("run", env.run, len(scens), "scenarios,", len(mons), "monitors, scale", o.scale)

    def hook(who, cmd):
        if env.stop.wait(o.settle + o.hook_at * o.scale):
            return
        e = {"who": who, "t0": time.time()}
        e["rc"] = subprocess.call(cmd, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        e["t1"] = time.time()
        hooks.append(e)
        log("hook", who, "rc", e["rc"], "%.1f s" % (e["t1"] - e["t0"]))
    for h in o.hook:
        who, cmd = h.split(":restart=", 1)
        threading.Thread(target=hook, args=(who, cmd), daemon=True).start()
    try:
        n = 0
        while any(t.is_alive() for t in thr):
            time.sleep(5)
            n += 1
            if n % 12 == 0:
                log(int(time.time() - start), "s", {m.name: {k: sum(1 for s in scens if m.line.get(s.name) and m.line[s.name][-1][2] == k) for k in ("OK", "WARN", "ERR", "NOTFOUND", "NOANSWER")} for m in mons},
                    "poll worst", {m.name: round(m.worst, 2) for m in mons}, "recorder worst %.1f" % sampler.worst, "load %.1f" % os.getloadavg()[0])
    except KeyboardInterrupt:
        env.stop.set()
    for m in mons:
        m.stopping = True
    sampler.stopping = True
    time.sleep(1)
    res = {"run": env.run, "scale": o.scale, "seconds": int(time.time() - start), "hooks": hooks,
           "monitors": {m.name: {"polls": m.polls, "failed": m.failed, "status_lag_mismatch": m.mismatch, "worst_round_s": round(m.worst, 2)} for m in mons},
           "machine": {"load_before": load0, "load_after": os.getloadavg(), "feed_failed": env.feeds.failed, "feed_worst_tick_s": round(env.feeds.worst, 2),
                       "recorder_late": sampler.late, "recorder_worst_s": round(sampler.worst, 2)},
           "scenarios": {s.name: {"set": s.set, "group": s.group, "t0": s.t0, "t1": s.t1, "error": s.error, "phases": truth(s, s.t1),
                                  "timeline": {m.name: [[a, b, st, dict(bad)] for a, b, st, bad in m.line.get(s.name, [])] for m in mons},
                                  "actors": [{"n": a.n, "commits": a.commits, "errors": a.errors[:20], "nerrors": len(a.errors), "aborted": getattr(a, "aborted", 0)} for a in s.actors]} for s in scens}}
    if o.record:
        write_cases(o.record, env.run, sampler, scens)
    if mons:
        res["score"] = score.score(res)
        print(score.table(res))
    if o.out:
        with open(o.out, "w") as f:
            json.dump(res, f)
    print("\nbench health:", json.dumps(res["machine"]), json.dumps(res["monitors"]))
    for n, s in res["scenarios"].items():
        ne = sum(a["nerrors"] for a in s["actors"])
        if s["error"] or ne:
            print("  note", n, s["error"] or "", ne, "client errors:", sorted({e.split(" ", 1)[-1] for a in s["actors"] for e in a["errors"]})[:4])
    if not o.keep:
        for a in [a for s in scens for a in s.actors]:
            a.done.wait(3)
        try:
            gs = [s.group for s in scens]
            for f in env.adm.delete_consumer_groups(gs, request_timeout=10).values():
                try:
                    f.result(10)
                except Exception:
                    pass
            for f in env.adm.delete_topics([t for s in scens for t in s.topics]).values():
                try:
                    f.result(10)
                except Exception:
                    pass
        except Exception:
            pass
    env.feeds.stop()


if __name__ == "__main__":
    main()
