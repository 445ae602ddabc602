"""The same bits at any thread count, in a forked child, and run after run: a network trained in many processes."""

import os
import subprocess
import sys

import pytest

from fastnn import _core

#: Trains a digits-sized network with dropout and prints a hash of its weights. Its dense layers have 256 * 640 outputs,
#: its first kernel 64 * 640 elements, so that products, activations and updates really are split among threads.
PROGRAM = """
import hashlib, os, sys
import numpy as np
import fastnn
from fastnn import layers

def train():
    rng = np.random.default_rng(0)
    x, y = rng.random((512, 64), dtype="float32"), rng.integers(0, 10, 512)
    fastnn.random.set_random_seed(1)
    model = fastnn.Sequential([
        layers.Input((64,)), layers.Dense(640, "relu"), layers.Dropout(0.2),
        layers.Dense(640, "gelu"), layers.Dropout(0.2), layers.Dense(10, "softmax"),
    ])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=256, epochs=1, validation_split=0.1, verbose=0)
    digest = hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights()))
    digest.update(model.predict(x).tobytes() + repr(history.history).encode())
    return digest.hexdigest()

if "fork" in sys.argv:
    train()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, train().encode())
        os._exit(0)
    os.waitpid(child, 0)
    print(os.read(reader, 100).decode())
else:
    print(train())
    sys.stderr.write(str(len(os.listdir("/proc/self/task"))) if os.path.isdir("/proc/self/task") else "")
"""


def run(threads=None, isa=None, *arguments):
    """(hash of what was trained, number of operating system threads the process had at its end)"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FASTNN_", "OMP_"))}
    environment |= {"FASTNN_NUM_THREADS": str(threads)} if threads else {}
    environment |= {"FASTNN_ISA": isa} if isa else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), int(done.stderr or 0)


@pytest.fixture(scope="module")
def one_thread():
    return {isa: run(1, isa) for isa in _core.supported_isas()}


@pytest.mark.parametrize("threads", [2, 3, 8])
@pytest.mark.parametrize("isa", _core.supported_isas())
def test_any_number_of_threads_gives_the_same_bits(threads, isa, one_thread):
    expected, alone = one_thread[isa]
    found, together = run(threads, isa)
    assert found == expected
    if sys.platform == "linux":
        enough = alone + threads - 1
        # Where OpenMP's teams grow and shrink, a thread that leaves one may still be there.
        ran = together >= enough if _core.threading() == "OpenMP" else together == enough
        assert ran, f"expected shapes large enough for {threads} threads, {enough} in all, got {together}"


def test_the_same_run_again_gives_the_same_bits(one_thread):
    isa = _core.supported_isas()[-1]
    assert run(1, isa)[0] == one_thread[isa][0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_gives_the_same_bits(one_thread):
    isa = _core.supported_isas()[-1]
    assert run(2, isa, "fork")[0] == one_thread[isa][0]


def test_another_seed_gives_other_bits(one_thread):
    """The hash can tell: without this, a program that printed nothing would pass."""
    isa = _core.supported_isas()[-1]
    program = PROGRAM.replace("set_random_seed(1)", "set_random_seed(2)")
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "FASTNN_ISA": isa}, capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert len(done.stdout.strip()) == 64 and done.stdout.strip() != one_thread[isa][0]
