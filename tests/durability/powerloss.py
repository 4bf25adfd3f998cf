# SPDX-License-Identifier: Apache-2.0
"""Power cuts, played back from an oplog (see oplog.c).

    for image, promised, pending in cuts(oplog, seed, 500):
        write_image(directory, image)
        ...open it, and see whether what was promised is there

A cut falls at any point of the log. What was synced before it is on the disk; of what was written
since any 4 KiB page may be or not, a few of them in part.
"""

import os
import random
import struct

HEAD = struct.Struct("=BBIQI")
WRITE, SYNC, LENGTH, MARK = 1, 2, 3, 4
PAGE, SECTOR = 4096, 512


def read_log(path):
    """[(kind, durable, offset, data)] of an oplog; it must tell of one file only."""
    ops, files = [], set()
    with open(path, "rb") as f:
        raw = f.read()
    at = 0
    while at + HEAD.size <= len(raw):
        kind, flags, file, offset, size = HEAD.unpack_from(raw, at)
        at += HEAD.size
        ops.append((kind, flags == 1, offset, raw[at:at + size]))
        at += size
        if kind != MARK:
            files.add(file)
    assert len(files) == 1, "the log tells of %d files" % len(files)
    return ops


class Disk:
    """What is safely there, and what is on its way."""

    def __init__(self):
        self.safe = bytearray()
        self.pending = []  # (offset, bytes), at most a page each
        self.promised = 0

    @staticmethod
    def put(image, offset, data):
        if len(image) < offset + len(data):
            image.extend(bytes(offset + len(data) - len(image)))
        image[offset:offset + len(data)] = data

    def do(self, op):
        kind, durable, offset, data = op
        if kind == WRITE and durable:
            self.put(self.safe, offset, data)
        elif kind == WRITE:
            at = 0
            while at < len(data):
                size = min(PAGE - (offset + at) % PAGE, len(data) - at)
                self.pending.append((offset + at, data[at:at + size]))
                at += size
        elif kind == SYNC:
            for at, piece in self.pending:
                self.put(self.safe, at, piece)
            self.pending = []
        elif kind == LENGTH:
            del self.safe[offset:]
            self.safe.extend(bytes(offset - len(self.safe)))
        else:
            self.promised = max(self.promised, offset)

    def image(self, chance):
        """As the disk may be after a cut at this moment."""
        image = bytearray(self.safe)
        share = chance.random()
        for at, piece in self.pending:
            if chance.random() >= share:
                continue
            if chance.random() < 0.1:  # torn: only some of its sectors
                piece = piece[:SECTOR * chance.randrange(0, len(piece) // SECTOR + 1)]
            self.put(image, at, piece)
        if len(image) % PAGE:
            image.extend(bytes(PAGE - len(image) % PAGE))
        return image


def cuts(path, seed, count):
    """Yield (image, promised, pending) for so many cuts of the log, in its order."""
    chance = random.Random(seed)
    ops = read_log(path)
    first = next(i for i, op in enumerate(ops) if op[0] == MARK)
    disk, done = Disk(), 0
    for cut in sorted(chance.randrange(first, len(ops) + 1) for _ in range(count)):
        for op in ops[done:cut]:
            disk.do(op)
        done = cut
        yield disk.image(chance), disk.promised, len(disk.pending)


def write_image(dir, image):
    """Make the image the only file of a directory."""
    os.makedirs(dir, exist_ok=True)
    for name in os.listdir(dir):
        os.unlink(os.path.join(dir, name))
    with open(os.path.join(dir, "data.mdb"), "wb") as f:
        f.write(image)
