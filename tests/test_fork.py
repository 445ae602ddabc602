"""The other threads do not follow into a forked child: what runs there must neither wait for them nor differ.

Each test runs in a fresh interpreter with a time limit, since what it guards against is waiting for ever.
"""

import os

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

SETUP = """
import multiprocessing, os, threading, warnings
import numpy as np
from fastnn import backend, ops

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: fork with threads, which is the point here
backend.set_num_threads(4)
x = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)

def work(_=None):
    return ops.softmax(x).tobytes()

def in_child(run):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if run() else 1)
    return os.waitpid(pid, 0)[1] == 0
"""


def passes(run_python, code):
    run = run_python(SETUP + code, timeout=120)
    assert run.returncode == 0, run.stderr


def test_a_child_finishes_with_the_parents_bytes(run_python):
    passes(
        run_python,
        """
before = len(os.listdir("/proc/self/task"))
expected = work()
assert len(os.listdir("/proc/self/task")) > before, "expected the op to have started threads"
assert in_child(lambda: work() == expected)
assert work() == expected
""",
    )


def test_a_grandchild_finishes(run_python):
    passes(run_python, "expected = work(); assert in_child(lambda: in_child(lambda: work() == expected))\n")


def test_a_pool_of_forked_workers_finishes(run_python):
    passes(
        run_python,
        """
expected = work()
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(work, range(6)) == [expected] * 6
""",
    )


def test_forking_while_another_thread_runs_ops(run_python):
    """The pool's lock may be held by that thread at the moment of the fork."""
    passes(
        run_python,
        """
expected, stop = work(), threading.Event()

def loop():
    while not stop.is_set():
        ops.add(x[:8, :8], 1.0)

other = threading.Thread(target=loop)
other.start()
try:
    assert all(in_child(lambda: work() == expected) for _ in range(30))
finally:
    stop.set()
    other.join()
""",
    )


def test_a_child_knows_that_it_is_one(run_python):
    passes(run_python, "from fastnn import _core; assert not _core.forked() and in_child(_core.forked)\n")
