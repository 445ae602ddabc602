"""The adding problem: what a recurrent net has to remember, and why SimpleRNN cannot.

A sequence holds random numbers, two of which are marked; the answer is the sum of those two. Whoever ignores the input
answers 1 and has a mean squared error of 1/6. The LSTM was made for problems like this one (Hochreiter and Schmidhuber,
1997): elsewhere the gradient of the answer with respect to an early step is a product of one factor for each step
between, and vanishes.

    python examples/adding_problem.py            sequences of 100 steps, half a minute
    python examples/adding_problem.py --small    of 60 steps, 10 seconds

Writes adding_problem.png: the error while training, and the norm of the gradient by distance after it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import layers, vjp
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.random import set_random_seed

KINDS = {"SimpleRNN": layers.SimpleRNN, "GRU": layers.GRU, "LSTM": layers.LSTM}
UNITS = 32


def sequences(rng: np.random.Generator, n: int, t: int) -> tuple[Any, Any]:
    """x: (n, t, 2), a number and whether it is marked; y: (n, 1). One mark lies in each half."""
    x = np.zeros((n, t, 2), np.float32)
    x[..., 0] = rng.random((n, t))
    marks = np.stack([rng.integers(0, t // 2, n), rng.integers(t // 2, t, n)], 1)
    np.put_along_axis(x[..., 1], marks, 1, axis=1)
    return x, (x[..., 0] * x[..., 1]).sum(1, keepdims=True)


def gradient_by_distance(layer: Any, x: Any) -> Any:
    """Norm of the gradient of the last state with respect to the input k steps before, k = 0, 1, ..."""
    state, pullback = vjp(layer, x)
    (dx,) = pullback(np.ones_like(state))
    return np.sqrt((dx**2).sum((0, 2)))[::-1]


def train(kind: str, t: int, epochs: int) -> tuple[list[float], Any]:
    """Mean squared error on new sequences after each epoch, and the gradients at the end."""
    set_random_seed(3)
    rng = np.random.default_rng(0)
    x, y = sequences(rng, 5000, t)
    test = sequences(rng, 1000, t)
    net = KINDS[kind](UNITS)
    model = Sequential([net, layers.Dense(1)])
    model.compile(Adam(5e-3, clipnorm=1.0), "mse")
    history = model.fit(x, y, batch_size=50, epochs=epochs, validation_data=test, verbose=0).history
    return history["val_loss"], gradient_by_distance(net, test[0][:64])


def draw(results: dict[str, tuple[list[float], Any]], t: int, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for kind, (errors, gradients) in results.items():
        left.semilogy(range(1, len(errors) + 1), errors, label=kind)
        right.semilogy(gradients, label=kind)
    left.axhline(1 / 6, color="grey", linestyle=":", label="always 1")
    left.set(xlabel="epoch", ylabel="mean squared error", title=f"Adding problem, {t} steps")
    right.set(xlabel="steps back", ylabel="norm of the gradient", title="How far gradients reach, after training")
    left.legend()
    right.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="shorter sequences, fewer epochs")
    parser.add_argument("--out", type=Path, default=Path("adding_problem.png"), help="where the picture goes")
    given = parser.parse_args()
    t, epochs = (60, 15) if given.small else (100, 30)
    results = {}
    for kind in KINDS:
        results[kind] = train(kind, t, epochs)
        print(f"{kind:10} mean squared error {results[kind][0][-1]:.5f}")
    draw(results, t, given.out)
    gradients = {kind: result[1] for kind, result in results.items()}
    print(f"gradient {t} steps back: SimpleRNN {gradients['SimpleRNN'][-1]:.1e}, LSTM {gradients['LSTM'][-1]:.1e}")

    errors = {kind: result[0][-1] for kind, result in results.items()}
    assert errors["LSTM"] < 0.01, errors
    assert errors["GRU"] < 0.01, errors
    assert errors["SimpleRNN"] > 0.1, errors


if __name__ == "__main__":
    main()
