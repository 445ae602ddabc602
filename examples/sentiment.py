"""Sentiment and negation: what averaging word vectors cannot know.

A review says 'Completely lacking in good taste, good service, and good ambience': three times 'good', and one star. An
average of word vectors does not see what belongs to what; a recurrent net reads 'lacking' and remembers it.

The reviews are made: praise or blame of several things, and in half of them a word that turns all of it round. So no
word alone says anything about the verdict, and counting words is worth no more than a coin.

    python examples/sentiment.py            12000 reviews, under a minute
    python examples/sentiment.py --small    4000 reviews, 15 seconds

Writes sentiment.png: what both think of that review, word by word.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import layers, ops
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.random import set_random_seed

THINGS = ["taste", "service", "ambience", "food", "coffee", "music", "staff", "menu", "dessert", "value"]
PRAISE = ["good", "great", "excellent", "lovely", "fine", "pleasant"]
BLAME = ["bad", "poor", "awful", "terrible", "dull", "rude"]
TURNS = ["completely lacking in", "without any", "nothing of the", "by no means"]
PLAIN = ["completely full of", "with plenty of", "much of the", "by all means"]
COURSE = "completely lacking in good taste , good service , and good ambience"


def review(rng: np.random.Generator) -> tuple[str, int]:
    """A review, and 1 if its writer was pleased."""
    praised, turned = rng.integers(2), rng.integers(2)
    start = rng.choice(TURNS if turned else PLAIN)
    things = rng.choice(THINGS, rng.integers(1, 5), replace=False)
    parts = [f"{rng.choice(PRAISE if praised else BLAME)} {thing}" for thing in things]
    return f"{start} {' , '.join(parts[:-1]) + ' , and ' if len(parts) > 1 else ''}{parts[-1]}", int(praised ^ turned)


def numbers(texts: list[str], words: dict[str, int], length: int) -> Any:
    """(n, length), a number for each word, 0 behind the end."""
    rows = np.zeros((len(texts), length), np.int64)
    for row, text in zip(rows, texts, strict=True):
        tokens = [words[word] for word in text.split()][:length]
        row[: len(tokens)] = tokens
    return rows


class Average(layers.Layer):
    """The mean of the vectors of a sequence, padding left out."""

    def call(self, x: Any, mask: Any = None) -> Any:
        weights = np.ones(x.shape[:2], np.float32) if mask is None else np.asarray(mask, np.float32)
        return ops.sum(x * (weights / weights.sum(1, keepdims=True))[..., None], axis=1)


def draw(judgements: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for name, pleased in judgements.items():
        axes.plot(pleased, marker="o", label=name)
    axes.set_xticks(range(len(COURSE.split())), COURSE.split(), rotation=45, ha="right")
    axes.set(ylabel="pleased, after this word", ylim=(-0.05, 1.05), title="One star, or five?")
    axes.legend()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="fewer reviews")
    parser.add_argument("--out", type=Path, default=Path("sentiment.png"), help="where the picture goes")
    options = parser.parse_args()
    n = 4000 if options.small else 12000
    set_random_seed(1)
    rng = np.random.default_rng(0)
    texts, labels = zip(*(review(rng) for _ in range(n)), strict=True)
    vocabulary = sorted({word for text in (*texts, COURSE) for word in text.split()})
    words = {word: number for number, word in enumerate(vocabulary, 1)}
    x, y = numbers(list(texts), words, 20), np.array(labels)
    half = n // 2

    said = COURSE.split()
    beginnings = numbers([" ".join(said[: k + 1]) for k in range(len(said))], words, 20)
    accuracy, judgements = {}, {}
    for name, reader in (("average", Average()), ("LSTM", layers.LSTM(32))):
        model = Sequential(
            [layers.Embedding(len(words) + 1, 16, mask_zero=True), reader, layers.Dense(1, activation="sigmoid")]
        )
        model.compile(Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
        model.fit(x[:half], y[:half], batch_size=50, epochs=12, verbose=0)
        accuracy[name] = model.evaluate(x[half:], y[half:], verbose=0)[1]
        judgements[name] = model.predict(beginnings, verbose=0)[:, 0]
        print(f"{name:8} accuracy {accuracy[name]:.3f}, '{COURSE}' pleased: {judgements[name][-1]:.3f}")
    draw(judgements, options.out)

    assert accuracy["LSTM"] > 0.99, accuracy
    assert judgements["LSTM"][-1] < 0.05, judgements
    assert accuracy["average"] < 0.6, accuracy


if __name__ == "__main__":
    main()
