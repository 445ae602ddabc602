"""What a call costs beside its arithmetic, as multiples of np.maximum on 8 floats timed in the same run.

    python -m bench.call_overhead [bench/results/load/call-overhead.json]

One op on 8 floats, one row predicted and one batch of 64 trained by a 64-64-32-10 network with Adam, one step of
recurrent layers with 128 units; one thread, the best of interleaved rounds. Writes microseconds and multiples.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fastnn
from bench import record
from fastnn import layers, ops

ROUNDS = 15
UNIT = "np.maximum(a, b)"


def main() -> None:
    found = figures()
    for name, one in found.items():
        print(f"{name:24} {one['us']:8.2f} us {one['multiple']:8.2f}")
    if len(sys.argv) > 1:
        content = {**record.provenance(sys.argv[1:], "bench.call_overhead"), "unit": UNIT, "cases": found}
        Path(sys.argv[1]).write_text(json.dumps(content, indent=1) + "\n")


def figures(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """By name of a call: microseconds, and how many times np.maximum's they are."""
    with fastnn.threads(1):
        work = calls()
        best = dict.fromkeys(work, float("inf"))
        for _ in range(rounds):
            for name, (call, count) in work.items():
                best[name] = min(best[name], seconds(call, count))
    return {name: {"us": 1e6 * one, "multiple": one / best[UNIT]} for name, one in best.items()}


def calls() -> dict[str, tuple[Callable[[], object], int]]:
    """What is timed, and how often in a round."""
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(8, dtype=np.float32) for _ in range(2))
    x, y = rng.standard_normal((64, 64), dtype=np.float32), rng.integers(0, 10, 64)
    row, wide = x[:1].copy(), rng.standard_normal((1, 128), dtype=np.float32)
    model = network()
    return {
        UNIT: (lambda: np.maximum(a, b), 20000),
        "ops.relu(a)": (lambda: ops.relu(a), 20000),
        "ops.exp(a)": (lambda: ops.exp(a), 20000),
        "ops.add(a, b)": (lambda: ops.add(a, b), 20000),
        "ops.sum(a)": (lambda: ops.sum(a), 20000),
        "ops.softmax(a)": (lambda: ops.softmax(a), 20000),
        "predict_on_batch(row)": (lambda: model.predict_on_batch(row), 2000),
        "train_on_batch(x, y)": (lambda: model.train_on_batch(x, y), 500),
        "LSTM(128).step(wide)": (steps(layers.LSTM(128), wide), 2000),
        "GRU(128).step(wide)": (steps(layers.GRU(128), wide), 2000),
        "SimpleRNN(128).step(wide)": (steps(layers.SimpleRNN(128), wide), 2000),
    }


def steps(layer: layers.RNN, x: np.ndarray) -> Callable[[], object]:
    """A call that takes one step after the other."""
    state = layer.step(x)[1]

    def call() -> None:
        nonlocal state
        state = layer.step(x, state)[1]

    return call


def network() -> fastnn.Sequential:
    fastnn.utils.set_random_seed(0)
    hidden = [layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")]
    model = fastnn.Sequential([layers.Input((64,)), *hidden, layers.Dense(10)])
    model.compile("adam", fastnn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def seconds(call: Callable[[], object], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begin) / count


if __name__ == "__main__":
    main()
