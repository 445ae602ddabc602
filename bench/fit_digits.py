"""fit on the digits of scikit-learn against scikit-learn's network and Keras's, and against its own train_on_batch.

    python -m bench.fit_digits bench/results/fit/digits.json

64-64-32-10, Adam, batches of 64, 20 epochs of 1,437 samples, shuffled. Every library has its own process with its own
default of threads; they take turns, and those that wait are stopped. Two figures: a new model made, compiled and
fitted, and the same model fitted again, in which nothing is compiled any more. All must reach 0.93 on the 360 samples
held out.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import record

PEERS = {
    "fastnn": {},
    "scikit-learn": {},
    "keras on jax": {"KERAS_BACKEND": "jax"},
    "keras on torch": {"KERAS_BACKEND": "torch"},
}  # fmt: skip
ROUNDS, EPOCHS, BATCH = 3, 20, 64


def main() -> None:
    peers = {name: start(name) for name in PEERS}
    times: dict[str, dict[str, list[float]]] = {name: {} for name in peers}
    for _ in range(ROUNDS):
        for name, process in peers.items():
            for figure, value in ask(process).items():
                times[name].setdefault(figure, []).append(value)
    for process in peers.values():
        process.kill()
        process.wait()
    cases = {
        name: {figure: round(statistics.median(values), 4) for figure, values in found.items()}
        for name, found in times.items()
    }
    own = cases["fastnn"]
    for name, found in cases.items():
        ratios = [f"{found[figure] / own[figure]:7.1f}" for figure in ("new model", "fitted again")]
        print(f"{name:15} {found['new model']:8.3f} s {found['fitted again']:8.3f} s  x{' x'.join(ratios)}", end="")
        print(f"  held out {found['accuracy']:.3f}")
    print(f"fit over as many train_on_batch calls: {own['fit over train_on_batch']:.3f}")
    command = f"python -m bench.fit_digits {sys.argv[1]}"
    content = {**record.provenance([]), "command": command, "unit": "s, medians", "cases": cases}
    Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
    Path(sys.argv[1]).write_text(json.dumps(content, indent=1) + "\n")


def start(name: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", **PEERS[name]}
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.fit_digits", "--peer", name], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    answer(process)
    process.send_signal(signal.SIGSTOP)
    return process


def ask(process: subprocess.Popen[str]) -> dict[str, float]:
    """The figures of one turn; the process is stopped before and after."""
    process.send_signal(signal.SIGCONT)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    found = answer(process)
    process.send_signal(signal.SIGSTOP)
    return found


def answer(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            found: dict[str, float] = json.loads(line)
            return found
    raise RuntimeError(f"{process.args} ended")


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype("float32"), y[order]
    return x[:1437], y[:1437], x[1437:], y[1437:]


def serve(name: str) -> None:
    """One library: a figure for every line that comes in."""
    x, y, held_x, held_y = digits()
    make = scikit_learn if name == "scikit-learn" else keras_like
    fit, predict = make(name)
    fit(x, y)
    print("{}", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        again = fit(x, y)
        middle = time.perf_counter()
        again()
        figures = {"new model": middle - begin, "fitted again": time.perf_counter() - middle}
        figures["accuracy"] = float(np.mean(predict(held_x).argmax(1) == held_y))
        assert figures["accuracy"] > 0.93, name
        if name == "fastnn":
            figures["fit over train_on_batch"] = ratio(x, y)
        print(json.dumps(figures), flush=True)


Fit = Callable[[Any, Any], Callable[[], Any]]


def scikit_learn(name: str) -> tuple[Fit, Callable[[Any], Any]]:
    import warnings

    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # of not having converged
    model = MLPClassifier((64, 32), batch_size=BATCH, max_iter=EPOCHS, n_iter_no_change=EPOCHS, alpha=0.0)

    def fit(x: Any, y: Any) -> Callable[[], Any]:
        model.fit(x, y)
        return lambda: model.fit(x, y)

    return fit, model.predict_proba


def keras_like(name: str) -> tuple[Fit, Callable[[Any], Any]]:
    keras: Any
    if name == "fastnn":
        import fastnn as keras
    else:
        import keras
    made: list[Any] = []

    def fit(x: Any, y: Any) -> Callable[[], Any]:
        layers = keras.layers
        model = keras.Sequential([
            keras.Input((64,)), layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu"),
            layers.Dense(10),
        ])  # fmt: skip
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        made[:] = [model]
        train = lambda: model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)  # noqa: E731
        train()
        return train

    return fit, lambda x: np.asarray(made[0].predict(x, verbose=0))


def ratio(x: Any, y: Any) -> float:
    """fit over the same number of train_on_batch calls on batches that are there, on one thread; best of turns."""
    import fastnn
    from bench.call_overhead import network

    model, steps = network(), len(x) // BATCH
    x, y = x[: steps * BATCH], y[: steps * BATCH]
    batch = x[:BATCH].copy(), y[:BATCH].copy()
    best = [float("inf")] * 2
    with fastnn.threads(1):
        for _ in range(10):
            begin = time.perf_counter()
            model.fit(x, y, batch_size=BATCH, epochs=10, verbose=0)
            middle = time.perf_counter()
            for _ in range(10 * steps):
                model.train_on_batch(*batch)
            best = [min(best[0], middle - begin), min(best[1], time.perf_counter() - middle)]
    return best[0] / best[1]


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        serve(sys.argv[2])
    else:
        main()
