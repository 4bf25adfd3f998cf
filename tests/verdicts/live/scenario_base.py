# SPDX-License-Identifier: Apache-2.0
"""What both halves of the scenarios share: names of statuses, grace periods, the decorator."""
OK, WARN, ERR, NF = "OK", "WARN", "ERR", "NOTFOUND"
ANY = {OK, WARN, ERR, NF}
BAD = {WARN, ERR}
STALL, STOP, REW = "STALL", "STOP", "REWIND"

# Grace in seconds at scale 1: start; a stop or stall must show (60 s + two passes of 10 s + a commit interval); growth must show
# (until the oldest unread message is 60 s old, and two passes); recovery must show (three passes and a commit interval).
G0, GE, GW, GR = 30, 90, 150, 45


def collector(all_):
    def scenario(tags=()):
        def deco(f):
            f.tags = set(tags)
            all_.append(f)
            return f
        return deco
    return scenario
