"""What a busy program beside it does to a step, with one thread and with two.

    python -m bench.foreign_load bench/results/load/foreign-load.json

Times single calls, quiet and while another process keeps one processor busy, in turns; writes median, mean and
99th percentile in microseconds.
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import fastnn
from bench import record
from bench.call_overhead import network

ROUNDS, CALLS = 4, {"small step": 1000, "784-128-10, batch 128": 300, "gemm 512^3": 60}


def main() -> None:
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for foreign in (0, 1):
            busy = [multiprocessing.Process(target=spin, daemon=True) for _ in range(foreign)]
            for process in busy:
                process.start()
            time.sleep(0.3)
            for threads in (1, 2):
                fastnn.set_num_threads(threads)
                for name, call in WORK.items():
                    found = times.setdefault(f"{name}, {threads} thread{'s' * (threads > 1)}, {foreign} foreign", [])
                    found += samples(call, CALLS[name])
            for process in busy:
                process.terminate()
                process.join()
    figures = {name: summary(found) for name, found in times.items()}
    for name, found in figures.items():
        print(f"{name:50} {found['median']:9.1f} {found['mean']:9.1f} {found['p99']:9.1f} us")
    content = {**record.provenance(sys.argv[1:], "bench.foreign_load"), "unit": "us", "cases": figures}
    Path(sys.argv[1]).write_text(json.dumps(content, indent=1) + "\n")


def spin() -> None:
    while True:
        pass


def samples(call: Callable[[], object], count: int) -> list[float]:
    for _ in range(5):
        call()
    found = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        found.append(1e6 * (time.perf_counter() - begin))
    return found


def summary(found: list[float]) -> dict[str, float]:
    values = np.array(found)
    figures = {"median": np.median(values), "mean": np.mean(values), "p99": np.percentile(values, 99)}
    return {name: round(float(value), 1) for name, value in figures.items()}


def steps() -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 64), dtype=np.float32), rng.integers(0, 10, 64)
    images, labels = rng.standard_normal((128, 784), dtype=np.float32), rng.integers(0, 10, 128)
    a, b = (rng.standard_normal((512, 512), dtype=np.float32) for _ in range(2))
    small, digits = network(), fastnn.Sequential([fastnn.layers.Dense(128, activation="relu"), fastnn.layers.Dense(10)])
    digits.compile("adam", fastnn.losses.SparseCategoricalCrossentropy(from_logits=True))
    return {
        "small step": lambda: small.train_on_batch(x, y),
        "784-128-10, batch 128": lambda: digits.train_on_batch(images, labels),
        "gemm 512^3": lambda: fastnn.ops.matmul(a, b),
    }


WORK = steps()

if __name__ == "__main__":
    main()
