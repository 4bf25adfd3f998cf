#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scores a results.json of bench.py; can be run alone on a stored one: score.py results.json [--set public]

Every second of a phase is judged. Outside the grace the status must be one of the phase's; within it also one of the phase before
(the first phase: also NOTFOUND), or the monitor may be down, or a status that the phase allows in its grace."""
import json
import sys

ALARM = {"WARN", "ERR"}


def at(segs, t):
    """Status at t: of the last poll at or before it, at most 3.5 s old."""
    cur = None
    for s in segs:
        if s[0] > t:
            break
        cur = s
    if cur is None or cur[2] == "NOANSWER" or t - cur[1] > 3.5:
        return "DOWN", {}
    return cur[2], cur[3]


def parts_right(want, bad):
    if isinstance(want, dict):
        return all((bad.get(k, "OK") in v) for k, v in want.items()) and all(k in want for k in bad)
    return bool(bad) and all(v in want for v in bad.values())


def score_one(sc, segs, hooks=()):
    """hooks: (from, to) in which the monitor or the broker was being restarted: no answer or NOTFOUND is no fault then."""
    phases, prev = [], None
    for ph in sc["phases"]:
        ok = set(ph["ok"])
        if not ph.get("scored", True):
            prev = ok
            continue
        due = "OK" not in ok and "NOTFOUND" not in ok                   # an alarm is due
        quiet = not (ok & ALARM)                                        # none may be
        r = {"name": ph["name"], "ok": ph["ok"], "secs": 0, "right": 0, "false": 0, "missed": 0, "grade": 0, "absent": 0, "ghost": 0,
             "grace_false": 0, "down": 0, "kind": 0, "kind_of": 0, "delay": None, "seen": {}, "end_right": None}
        run = 0
        t = ph["start"] + 1.0
        while t <= ph["end"]:
            st, bad = at(segs, t)
            if st not in ALARM and any(a <= t <= b for a, b in hooks):
                t += 1.0
                continue
            grace = t - ph["start"] <= ph["grace"]
            good = st in ok
            run = run + 1 if good else 0
            if r["delay"] is None and (good and due or run >= 10):
                r["delay"] = round(t - (run - 1 if not due else 0) - ph["start"])
            if not grace:
                r["secs"] += 1
                r["right"] += good
                r["seen"][st] = r["seen"].get(st, 0) + 1
                if st == "DOWN":
                    r["down"] += 1
                elif not good:
                    if quiet and st in ALARM:
                        r["false"] += 1
                    elif due and st not in ALARM:
                        r["missed"] += 1
                    elif st in ALARM:
                        r["grade"] += 1
                    elif st == "OK":
                        r["ghost"] += 1                                 # OK for a group that is gone
                    else:
                        r["absent"] += 1
                if good and ph["parts"]:
                    r["kind_of"] += 1
                    r["kind"] += parts_right(ph["parts"], bad)
            elif st in ALARM and quiet and st not in ok | (prev or set()) | set(ph["grace_ok"]):
                r["grace_false"] += 1
            t += 1.0
        r["end_right"] = at(segs, ph["end"] - 0.5)[0] in ok
        r["due"], r["was_due"] = due, bool(prev) and not (prev & {"OK", "NOTFOUND"})
        phases.append(r)
        prev = ok
    tot = {k: sum(p[k] for p in phases) for k in ("secs", "right", "false", "missed", "grade", "absent", "ghost", "grace_false", "down",
                                                   "kind", "kind_of")}
    tot["share"] = tot["right"] / tot["secs"] if tot["secs"] else None
    tot["end_right"], tot["phases"] = sum(p["end_right"] for p in phases), len(phases)
    det = [p for p in phases if p["due"]]
    rec = [p for p in phases if not p["due"] and p["was_due"]]
    tot["detect"] = [p["delay"] for p in det]
    tot["recover"] = [p["delay"] for p in rec]
    tot["detail"] = phases
    return tot


def score(res):
    out = {}
    for m in res["monitors"]:
        per = {}
        for n, sc in res["scenarios"].items():
            if sc["error"]:
                continue
            hooks = [(h["t0"], h["t1"] + 30) for h in res["hooks"] if h["who"] in (m, "broker")]
            per[n] = score_one(sc, sc["timeline"].get(m, []), hooks)
        keys = ("secs", "right", "false", "missed", "grade", "absent", "ghost", "grace_false", "down", "kind", "kind_of", "end_right", "phases")
        tot = {k: sum(p[k] for p in per.values()) for k in keys}
        tot["share_mean"] = sum(p["share"] or 0 for p in per.values()) / max(1, len(per))
        tot["clean"] = sum(1 for p in per.values() if p["share"] is not None and p["share"] >= 0.98 and p["grace_false"] <= 2)
        tot["scenarios"] = len(per)
        det = [d for p in per.values() for d in p["detect"]]
        rec = [d for p in per.values() for d in p["recover"]]
        for k, v in (("detect", det), ("recover", rec)):
            hit = sorted(d for d in v if d is not None)
            tot[k] = {"due": len(v), "found": len(hit), "median": hit[len(hit) // 2] if hit else None, "worst": hit[-1] if hit else None}
        out[m] = {"total": tot, "scenarios": per}
    return out


def fmt(v):
    return ",".join("-" if x is None else str(x) for x in v) or "."


def table(res, only=None):
    o = []
    ms = list(res["score"])
    o.append("run %s, %s s, load %.1f -> %.1f, worst feed tick %s s" % (res["run"], res["seconds"], res["machine"]["load_before"][0],
                                                                     res["machine"]["load_after"][0], res["machine"]["feed_worst_tick_s"]))
    o.append("per monitor: right% of the seconds outside grace | phases right at their end | false alarm s (+ in grace) | missed s | "
             "wrong grade s | absent/ghost s | delay of detection, of recovery (s; - = never, . = none due)")
    head = "%-18s %-3s" % ("scenario", "set")
    for m in ms:
        head += " | %-50s" % m
    o.append(head)
    for n, sc in sorted(res["scenarios"].items(), key=lambda x: (x[1]["set"] != "public", list(res["scenarios"]).index(x[0]))):
        if only and sc["set"] != only:
            continue
        line = "%-18s %-3s" % (n, sc["set"][:3])
        if sc["error"]:
            o.append(line + " | scenario failed: " + sc["error"][:80])
            continue
        for m in ms:
            p = res["score"][m]["scenarios"].get(n)
            if not p:
                line += " | %-50s" % "not run (no hook)"
                continue
            line += " | %4.0f%% %d/%d F%3d+%-3d M%3d G%3d A%d/%d d=%s r=%s" % (
                100 * (p["share"] or 0), p["end_right"], p["phases"], p["false"], p["grace_false"], p["missed"], p["grade"], p["absent"],
                p["ghost"], fmt(p["detect"]), fmt(p["recover"]))
            line = line.ljust(22 + 53 * (ms.index(m) + 1))
        o.append(line.rstrip())
    for m in ms:
        t = res["score"][m]["total"]
        o.append("%s: %d of %d scenarios clean; %.1f%% of seconds right (mean of scenarios %.1f%%); phases right at end %d/%d; false alarm %d s "
                 "(+%d s in grace); missed %d s; wrong grade %d s; absent %d s; ghost %d s; down %d s; partition kind right %s; detection %d/%d, "
                 "median %s worst %s s; recovery %d/%d, median %s worst %s s" % (
                     m, t["clean"], t["scenarios"], 100 * t["right"] / max(1, t["secs"]), 100 * t["share_mean"], t["end_right"], t["phases"],
                     t["false"], t["grace_false"], t["missed"], t["grade"], t["absent"], t["ghost"], t["down"],
                     "%.0f%%" % (100 * t["kind"] / t["kind_of"]) if t["kind_of"] else "-", t["detect"]["found"], t["detect"]["due"],
                     t["detect"]["median"], t["detect"]["worst"], t["recover"]["found"], t["recover"]["due"], t["recover"]["median"],
                     t["recover"]["worst"]))
    return "\n".join(o)


if __name__ == "__main__":
    r = json.load(open(sys.argv[1]))
    only = sys.argv[sys.argv.index("--set") + 1] if "--set" in sys.argv else None
    if only:
        r["scenarios"] = {k: v for k, v in r["scenarios"].items() if v["set"] == only}
    r["score"] = score(r)
    if "--why" in sys.argv:
        for n, sc in r["scenarios"].items():
            for m in r["score"]:
                for p in r["score"][m]["scenarios"].get(n, {"detail": []})["detail"]:
                    print("%-18s %-10s %-14s want %-16s seen %s kind %d/%d end %s" % (n, m, p["name"], "/".join(p["ok"]), p["seen"], p["kind"],
                                                                                     p["kind_of"], "right" if p["end_right"] else "WRONG"))
    print(table(r, only))
