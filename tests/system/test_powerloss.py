# SPDX-License-Identifier: Apache-2.0
"""The power fails at any moment: what was promised is there, and all of it fits together."""

import os
import random
import re
import subprocess
import sys

import pytest

from warren import AGGREGATOR, BUILD, ROOT, Aggregator, preload

sys.path.insert(0, os.path.join(ROOT, "tests", "durability"))
from powerloss import cuts, write_image  # noqa: E402

LOAD = os.path.join(BUILD, "tests", "durability_load")
SPOOL = os.path.join(BUILD, "tests", "durability_spool")
MARKED = os.path.join(BUILD, "tests", "durability_aggregator")
OPLOG = preload(os.path.join(BUILD, "tests", "libdurability_oplog.so"))
IMAGES = 5000 if os.environ.get("WARREN_LONG") else 500


@pytest.fixture
def seed(request):
    """Another one each time; the one of a failure is shown with it, and can be given."""
    value = int(os.environ.get("WARREN_SEED", random.randrange(1 << 32)))
    print("WARREN_SEED=%d" % value)
    return value


@pytest.fixture
def scratch(tmp_path):
    """A directory in memory, if there is one: images are many, and need no disk."""
    if not os.access("/dev/shm", os.W_OK):
        yield str(tmp_path / "image")
        return
    dir = "/dev/shm/warren-%d" % os.getpid()
    yield dir
    write_image(dir, b"")
    os.unlink(os.path.join(dir, "data.mdb"))
    os.rmdir(dir)


def test_aggregator_store(tmp_path, seed, scratch):
    """Every acknowledged batch is in every image, and every record of it is as it should be."""
    oplog = str(tmp_path / "oplog")
    a = Aggregator(tmp_path)
    a.program = MARKED
    a.environment = {"LD_PRELOAD": OPLOG, "OPLOG": oplog}
    a.start()
    try:
        subprocess.run([LOAD, a.link_url(), "load", "passes=120", "groups=12", "partitions=10",
                        "pace_ms=25"], check=True, timeout=60)
    finally:
        a.kill()
    unsafe = 0
    for image, promised, pending in cuts(oplog, seed, IMAGES):
        write_image(scratch, image)
        run = subprocess.run([AGGREGATOR, "check", "--data", scratch], capture_output=True,
                             text=True, timeout=30)
        assert run.returncode == 0, "promised %d\n%s" % (promised, run.stdout)
        found = re.search(r"applied (\d+) batches (\d+) lost 0", run.stdout)
        assert found, run.stdout
        assert int(found[1]) == int(found[2]) >= promised
        unsafe += pending != 0
    print("%d images, %d of them of an unfinished write" % (IMAGES, unsafe))
    assert unsafe > IMAGES / 10, "the cuts have missed the writing"


def test_agent_state(tmp_path, seed, scratch):
    """Every transaction that was durable is whole in every image, and so are its batches."""
    oplog = str(tmp_path / "oplog")
    subprocess.run([SPOOL, "write", str(tmp_path / "state"), "400"], check=True, timeout=60,
                   env=dict(os.environ, LD_PRELOAD=OPLOG, OPLOG=oplog))
    unsafe = 0
    for image, promised, pending in cuts(oplog, seed, IMAGES):
        write_image(scratch, image)
        run = subprocess.run([SPOOL, "verify", scratch], capture_output=True, text=True,
                             timeout=30)
        assert run.returncode == 0, "promised %d\n%s" % (promised, run.stdout)
        assert int(run.stdout.split()[1]) >= promised
        unsafe += pending != 0
    print("%d images, %d of them of an unfinished write" % (IMAGES, unsafe))
    assert unsafe > IMAGES / 10, "the cuts have missed the writing"
