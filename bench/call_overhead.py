"""What a call costs beside its arithmetic, as multiples of np.maximum on 8 floats timed in the same run.

    python -m bench.call_overhead

One op on 8 floats, one row predicted and one batch of 64 trained by a 64-64-32-10 network with Adam; one thread, the
best of interleaved rounds.
"""

import time
from collections.abc import Callable

import numpy as np

import fastnn
from fastnn import layers, ops

ROUNDS = 15


def main() -> None:
    fastnn.set_num_threads(1)
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(8, dtype=np.float32) for _ in range(2))
    x, y = rng.standard_normal((64, 64), dtype=np.float32), rng.integers(0, 10, 64)
    row = x[:1].copy()
    model = network()
    work: dict[str, tuple[Callable[[], object], int]] = {
        "np.maximum(a, b)": (lambda: np.maximum(a, b), 20000),
        "ops.relu(a)": (lambda: ops.relu(a), 20000),
        "ops.exp(a)": (lambda: ops.exp(a), 20000),
        "ops.add(a, b)": (lambda: ops.add(a, b), 20000),
        "ops.sum(a)": (lambda: ops.sum(a), 20000),
        "ops.softmax(a)": (lambda: ops.softmax(a), 20000),
        "predict_on_batch(row)": (lambda: model.predict_on_batch(row), 2000),
        "train_on_batch(x, y)": (lambda: model.train_on_batch(x, y), 500),
    }
    best = dict.fromkeys(work, float("inf"))
    for _ in range(ROUNDS):
        for name, (call, count) in work.items():
            best[name] = min(best[name], seconds(call, count))
    unit = best["np.maximum(a, b)"]
    for name, found in best.items():
        print(f"{name:24} {1e6 * found:8.2f} us {found / unit:8.2f}")


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
