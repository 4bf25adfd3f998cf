# SPDX-License-Identifier: Apache-2.0
"""Scenarios of the verdict bench, public half. Each function drives real clients and declares phases with the status an on-call
engineer would want. c.phase(name, accept, why, grace, parts): accept = group statuses that are right; parts = {"TOPIC/p": {kinds}}
for the culprits (when given, every partition not named must be OK)."""
import math

from scenario_base import *

ALL = []
scenario = collector(ALL)


@scenario(tags={"restart", "broker"})
def healthy_steady(c):
    t = c.topic(2); c.feed(t, 20)
    c.app(t, commit_every=2)
    c.phase("healthy", {OK}, "consumer keeps up", G0)
    c.sleep(390)


@scenario()
def sine_producer(c):
    "Deck case 1 with a slow wave."
    t = c.topic(1)
    c.feed(t, lambda s: 30 + 30 * math.sin(2 * math.pi * s / c.x(100)))
    c.app(t, rate=42, commit_every=3)
    c.phase("waves", {OK, WARN}, "lag grows 30 s of each 100 s and drains to zero; a WARN on the rising edge is arguable, an ERR is not", G0)
    c.sleep(390)


@scenario(tags={"restart"})
def slow_consumer(c):
    "Deck case 2."
    t = c.topic(1); c.feed(t, 30)
    a = c.app(t, rate=200, commit_every=3)
    c.phase("healthy", {OK}, "keeps up", G0)
    c.sleep(100)
    a.rate = 15
    c.phase("slow", {WARN}, "consumes 15/s of 30/s: lag only grows; it does work, so not ERR", GW, {t + "/0": {OK, WARN}})
    c.sleep(240)
    a.rate = 500
    c.phase("caught up", {OK}, "drains the backlog in a few seconds", GR)
    c.sleep(120)


@scenario()
def sawtooth_flat(c):
    t = c.topic(1); c.feed(t, 10)
    c.app(t, rate=lambda s: 300 if int(s) % 20 < 5 else 0.01, commit_every=2, commit_same=True)
    c.phase("batch consumer", {OK}, "works every 20 s and always gets to the end", G0)
    c.sleep(390)


@scenario()
def stuck_poison(c):
    "Deck case 3: end offset rises, the committed offset stands still, commits go on."
    t = c.topic(1); c.feed(t, 20)
    a = c.app(t, commit_every=2, commit_same=True)
    c.phase("healthy", {OK}, "keeps up", G0)
    c.sleep(100)
    a.stick()
    c.phase("stuck", {ERR}, "commits the same offset every 2 s while messages arrive", GE, {t + "/0": {STALL}})
    c.sleep(180)
    a.unstick()
    c.phase("recovered", {OK}, "drained within seconds", GR)
    c.sleep(120)


@scenario(tags={"restart", "broker"})
def killed_busy(c):
    t = c.topic(2); c.feed(t, 20)
    a = c.app(t, commit_every=3)
    c.phase("healthy", {OK}, "keeps up", G0)
    c.sleep(100)
    a.stop("kill")
    c.phase("dead", {ERR}, "no consumer, messages arrive", GE, {t + "/0": {STOP, STALL}, t + "/1": {STOP, STALL}})
    c.sleep(290)


@scenario()
def dead_then_recovers(c):
    t = c.topic(2); c.feed(t, 20)
    a = c.app(t, commit_every=3)
    c.phase("healthy", {OK}, "keeps up", G0)
    c.sleep(80)
    a.stop("kill")
    c.phase("dead", {ERR}, "no consumer, messages arrive", GE)
    c.sleep(170)
    a = c.app(t, rate=80, commit_every=3)
    c.phase("catching up", {OK, WARN}, "works again, lag falls 60/s: ERR must go", GR)
    c.sleep(70)
    c.phase("caught up", {OK}, "lag is gone", 15)
    c.sleep(100)


@scenario(tags={"restart"})
def killed_idle(c):
    t = c.topic(2); f = c.feed(t, 20)
    a = c.app(t, commit_every=2)
    c.phase("healthy", {OK}, "keeps up", G0)
    c.sleep(70)
    f["rate"] = 0; c.sleep(10)
    a.stop()
    c.phase("idle and off", {OK}, "nothing to read, consumer shut down: no message waits", 0)
    c.sleep(310)


@scenario(tags={"restart"})
def low_traffic(c):
    t = c.topic(1)
    c.app(t, commit_every=2)
    c.phase("one message a minute", {OK}, "read and committed within 2 s each time", G0)
    for _ in range(6):
        c.send(t, 0, 1); c.sleep(60)


@scenario(tags={"restart"})
def rare_commit(c):
    t = c.topic(1); c.feed(t, 20)
    c.app(t, commit_every=50)
    c.phase("commits every 50 s", {OK}, "its habit since the start; each commit takes lag to 0", 65)
    c.sleep(430)


@scenario()
def trailing_lag(c):
    "Always 3 messages in hand: constant small lag (users' complaint: WARN at trivial lag)."
    t = c.topic(1); c.feed(t, 10)
    c.app(t, commit_every=2, hold=3)
    c.phase("3 in hand", {OK}, "lag constant at a few messages, consumer at full speed", G0)
    c.sleep(390)


@scenario(tags={"restart"})
def backlog_eaten(c):
    t = c.topic(1); c.send(t, 0, 36000); c.feed(t, 20)
    c.sleep(15, hard=True)
    c.app(t, rate=130, commit_every=10)
    c.phase("eating backlog", {OK}, "new consumer on 36,000 messages, lag falls 110 a second: OK, not WARN, not STOP after the first commit", 5)
    c.sleep(300)
    c.phase("backlog nearly gone or gone", {OK}, "still falls, then zero", 0)
    c.sleep(75)


@scenario()
def reset_to_start(c):
    t = c.topic(1); c.send(t, 0, 9000); c.feed(t, 20)
    a = c.app(t, reset="latest", commit_every=2)
    c.phase("healthy", {OK}, "at the end", G0)
    c.sleep(100)
    a.stop()
    c.alter(t, 0, 0)
    a = c.app(t, rate=140, commit_every=2)
    c.phase("replay", ANY, "operator's reset to 0: some want to see REWIND, some not; not scored", 0, scored=False)
    c.sleep(130)
    c.phase("replayed", {OK}, "caught up again", GR)
    c.sleep(150)


@scenario()
def rewind_jitter(c):
    t = c.topic(1); c.feed(t, 20)
    a = c.app(t, commit_every=3)
    c.phase("jitter", {OK}, "every 15 s a commit 5-40 messages back (rebalance), made good 3 s later", G0)
    for i in range(26):
        c.sleep(15); a.commit_back(t, 0, 5 + 35 * (i % 2))


@scenario()
def commit_beyond_end(c):
    "Wrong verdict C: committed offset past the log end (topic recreated, wrong reset)."
    t = c.topic(1); c.feed(t, 5)
    a = c.app(t, commit_every=2)
    c.phase("healthy", {OK}, "keeps up", G0)
    c.sleep(90)
    a.stop()
    c.alter(t, 0, 100000)
    c.phase("beyond end", BAD, "committed 100000, log end < 2500: what arrives will not be read; WARN or ERR", GE)
    c.sleep(290)


@scenario()
def topic_deleted(c):
    t, u = c.topic(1), c.topic(1)
    c.feed(u, 10); f = c.feed(t, 10)
    a = c.app([t, u], commit_every=2, commit_same=True)
    c.phase("healthy", {OK}, "keeps up on both topics", G0)
    c.sleep(80)
    a.stick([(t, 0)])
    c.phase("one topic stuck", {ERR}, "stuck on one of two topics", GE, {t + "/0": {STALL}})
    c.sleep(160)
    c.unfeed(f); a.resubscribe([u]); c.sleep(3, hard=True); c.delete_topic(t)
    c.phase("topic deleted", {OK}, "the stuck topic is gone, the other is healthy", GR)
    c.sleep(180)


@scenario()
def group_deleted_assign_only(c):
    t = c.topic(1); c.feed(t, 10)
    a = c.app(t, assign=[(t, 0)], commit_every=2)
    c.phase("healthy", {OK}, "simple consumer (assign) keeps up", G0)
    c.sleep(80)
    a.stop()
    c.phase("stopped", {ERR}, "no commits, messages arrive", GE)
    c.sleep(160)
    c.delete_group()
    c.phase("deleted", {NF}, "partition tombstones only (generation 0): must be gone", GR)
    c.sleep(180)


@scenario()
def unsubscribed_topic(c):
    t, u = c.topic(1), c.topic(1)
    c.feed(t, 10); c.feed(u, 10)
    a = c.app([t, u], commit_every=2)
    c.phase("healthy", {OK}, "keeps up on both", G0)
    c.sleep(90)
    a.resubscribe([u])
    c.phase("left one topic", ANY, "intended or a mistake of a deploy: nobody can know yet; not scored", 0, scored=False)
    c.sleep(320)
    c.phase("abandoned", {OK}, "stable live group without the topic for more than 5 minutes: an ERR for ever is the users' pain", 30)
    c.sleep(70)


@scenario()
def never_committed_waiting(c):
    "Wrong verdict K: an owned partition without any commit, messages wait."
    t = c.topic(2); c.feed(t, 20); c.send(t, 1, 2000)
    a = c.app(t, commit_every=2, stuck=[1])
    c.phase("partition 1 never read", BAD, "owned since the start, 10 messages a second, no commit ever: WARN or ERR", 150, {t + "/1": {WARN, STOP, STALL}})
    c.sleep(270)
    a.unstick()
    c.phase("read", {OK}, "partition 1 works now", GR)
    c.sleep(140)


@scenario(tags={"restart"})
def txn_idle_marker(c):
    "Wrong verdict L: the commit marker keeps lag at 1."
    t = c.topic(1)
    f = c.txfeed(t, [0], 10, 5)
    c.app(t, isolation="read_committed", commit_every=2)
    c.phase("busy", {OK}, "keeps up, lag 1 = the marker", G0)
    c.sleep(100)
    f.stop()
    c.phase("idle", {OK}, "everything read; lag stays 1, no more commits", 0)
    c.sleep(290)


@scenario()
def txn_commits_aborted(c):
    t, o = c.topic(1), c.topic(1, hidden=True)
    c.feed(t, 20)
    a = c.txapp(t, o)
    c.phase("healthy", {OK}, "offsets committed in transactions every 2 s", G0)
    c.sleep(100)
    a.abort = True
    c.phase("every transaction aborted", {ERR}, "committed offset stands still, end rises; only aborted offset commits in the log", GE, {t + "/0": {STOP, STALL}})
    c.sleep(180)
    a.abort = False
    c.phase("recovered", {OK}, "commits again", GR)
    c.sleep(120)


@scenario()
def retention_loss(c):
    t = c.topic(1); c.feed(t, 20)
    a = c.app(t, commit_every=2)
    c.phase("healthy", {OK}, "keeps up", G0)
    c.sleep(80)
    a.stop("kill")
    c.phase("dead", {ERR}, "no consumer, messages arrive", GE, {t + "/0": {STOP, STALL}})
    c.sleep(140)
    c.delete_records(t, 0)
    c.phase("records deleted", {ERR}, "log start passed the committed offset: messages lost, consumer still dead", 15)
    c.sleep(80)
    c.app(t, commit_every=2)
    c.phase("restarted", {OK}, "reads from the new start, caught up", GR)
    c.sleep(120)


@scenario()
def kip848_stuck(c):
    t = c.topic(2); c.feed(t, 20)
    a = c.app(t, commit_every=2, commit_same=True, protocol="consumer")
    c.phase("healthy", {OK}, "keeps up", G0)
    c.sleep(100)
    a.stick([(t, 1)])
    c.phase("stuck", {ERR}, "partition 1 commits the same offset", GE, {t + "/1": {STALL}})
    c.sleep(180)
    a.unstick()
    c.phase("recovered", {OK}, "drained", GR)
    c.sleep(120)


@scenario()
def rolling_deploy(c):
    t = c.topic(2); c.feed(t, 20)
    a, b = c.app(t, commit_every=3), c.app(t, commit_every=3)
    c.phase("deploys", {OK}, "two members, each restarted with 10 s pause every 60 s: no page", G0)
    for _ in range(6):
        c.sleep(45); a.stop(); c.sleep(10); a = c.app(t, commit_every=3)
        b.stop(); c.sleep(10); b = c.app(t, commit_every=3)


@scenario(tags={"restart"})
def idle_recommit(c):
    t = c.topic(1); f = c.feed(t, 10)
    c.app(t, commit_every=2, commit_same=True)
    c.phase("busy", {OK}, "keeps up", G0)
    c.sleep(80)
    f["rate"] = 0
    c.phase("idle", {OK}, "nothing comes, the same offset is committed at lag 0", 0)
    c.sleep(310)
