"""A Transformer that learns to sort.

Eight numbers go in, in any order; out come the same numbers, the smallest first. Every output looks at all inputs:
position i asks which number has i smaller ones. Two encoder blocks find it out from examples alone.

    python examples/sorting_transformer.py            about a minute
    python examples/sorting_transformer.py --small    five numbers, 15 seconds

Writes sorting_transformer.png: how sure each output is of its number.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import layers, ops
from fastnn.losses import SparseCategoricalCrossentropy
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.optimizers.schedules import CosineDecay
from fastnn.random import set_random_seed

NUMBERS, FEATURES = 20, 48


def transformer(t: int, steps: int) -> Any:
    model = Sequential(
        [
            layers.TokenAndPositionEmbedding(NUMBERS, t, FEATURES),
            layers.TransformerEncoder(4 * FEATURES, 4, normalize_first=True),
            layers.TransformerEncoder(4 * FEATURES, 4, normalize_first=True),
            layers.LayerNormalization(),
            layers.Dense(NUMBERS),
        ]
    )
    rate = CosineDecay(0.0, steps, warmup_target=3e-3, warmup_steps=steps // 20)
    model.compile(Adam(rate), SparseCategoricalCrossentropy(from_logits=True))
    return model


def draw(given: Any, logits: Any, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    axes.imshow(ops.softmax(logits), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(NUMBERS))
    axes.set_yticks(range(len(given)), [f"{i + 1}." for i in range(len(given))])
    axes.set(xlabel="number", ylabel="place", title="Sorted: " + " ".join(map(str, given)))
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="five numbers, fewer examples")
    parser.add_argument("--out", type=Path, default=Path("sorting_transformer.png"), help="where the picture goes")
    options = parser.parse_args()
    t, samples, epochs = (5, 4000, 12) if options.small else (8, 12000, 14)
    set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.integers(0, NUMBERS, (samples, t))
    new = rng.integers(0, NUMBERS, (1000, t))
    new = new[~(new[:, None] == x).all(-1).any(1)]  # not one of the examples
    model = transformer(t, epochs * (samples // 64 + 1))
    model.fit(x, np.sort(x), batch_size=64, epochs=epochs, verbose=2)
    logits = model.predict(new)
    draw(new[0], logits[0], options.out)
    answers = np.argmax(logits, axis=-1)
    exact = np.mean((answers == np.sort(new)).all(1))
    for given, answer in zip(new[:3], answers, strict=False):
        print(given, "->", answer)
    print(f"{len(new)} new sequences of {t} numbers: {exact:.1%} sorted without a mistake")
    assert exact > 0.95, exact


if __name__ == "__main__":
    main()
