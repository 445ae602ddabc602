"""A language model of characters, trained on the help texts that come with Python.

An LSTM reads a text character by character and says what the next one will be. It is held to models that count: the
probability of a character after the n - 1 before it, mixed with those of shorter contexts (Witten and Bell, 1991). The
measure is the perplexity on text that was not seen: between how many characters the model hesitates, in the mean.

    python examples/character_model.py            about two minutes
    python examples/character_model.py --small    20 seconds

Ends with a paragraph that the model wrote. Writes character_model.png: perplexity after each pass.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from math import exp, log
from pathlib import Path
from pydoc_data import topics  # the text
from typing import Any

import numpy as np

from fastnn import layers
from fastnn.losses import SparseCategoricalCrossentropy
from fastnn.models import Sequential
from fastnn.optimizers import Adam
from fastnn.random import set_random_seed

STEPS, BATCH = 64, 32


def text() -> str:
    """The help topics one after the other, in printable characters."""
    joined = "\n\n".join(topics.topics[name] for name in sorted(topics.topics))
    return "".join(c for c in joined if c == "\n" or " " <= c <= "~")


class Counts:
    """The probability of a character after a context, of up to `order` - 1 characters."""

    def __init__(self, text: str, order: int) -> None:
        self.order = order
        self.after: dict[str, Counter[str]] = defaultdict(Counter)
        for n in range(order):
            for at in range(n, len(text)):
                self.after[text[at - n : at]][text[at]] += 1
        self.alphabet = len(set(text))

    def probability(self, context: str, c: str) -> float:
        found = 1 / self.alphabet
        for n in range(self.order):
            seen = self.after.get(context[len(context) - n :] if n else "")
            if seen:
                kinds, total = len(seen), sum(seen.values())
                found = (seen[c] + kinds * found) / (total + kinds)
        return found

    def perplexity(self, text: str) -> float:
        start = self.order - 1
        logs = [log(self.probability(text[at - start : at], text[at])) for at in range(start, len(text))]
        return exp(-sum(logs) / len(logs))


def windows(codes: Any) -> tuple[Any, Any]:
    """(n, STEPS) characters, and the ones that follow them."""
    n = (len(codes) - 1) // STEPS
    return codes[: n * STEPS].reshape(n, STEPS), codes[1 : n * STEPS + 1].reshape(n, STEPS)


def sample(model: Any, begin: str, alphabet: str, length: int, temperature: float) -> str:
    """A text that the model continues, one character at a time."""
    embedding, lstm, dense = model.layers
    rng = np.random.default_rng(5)
    state, written = None, begin
    for at in range(len(begin) + length - 1):
        x = embedding(np.array([alphabet.index(written[at])]))
        h, state = lstm.step(x, state)
        if at + 1 == len(written):
            z = np.asarray(dense(h), np.float64)[0] / temperature
            p = np.exp(z - z.max())
            written += alphabet[rng.choice(len(alphabet), p=p / p.sum())]
    return written


def draw(perplexities: list[float], counted: float, order: int, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(range(1, len(perplexities) + 1), perplexities, marker="o", label="LSTM")
    axes.axhline(counted, color="grey", linestyle=":", label=f"counting {order} characters")
    axes.set(
        xlabel="passes over the text", ylabel="perplexity", title="How many characters the model hesitates between"
    )
    axes.legend()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="less text, one pass, a smaller net")
    parser.add_argument("--out", type=Path, default=Path("character_model.png"), help="where the picture goes")
    options = parser.parse_args()
    small = options.small
    whole = text()[: 200_000 if small else 450_000]
    cut = len(whole) * 19 // 20
    seen, unseen = whole[:cut], whole[cut:]
    order = 3 if small else 4
    counted = Counts(seen, order).perplexity(unseen)
    print(f"{len(seen)} characters; counting {order} characters: perplexity {counted:.2f}")

    alphabet = "".join(sorted(set(whole)))
    place = {c: k for k, c in enumerate(alphabet)}
    codes = np.array([place[c] for c in whole])
    set_random_seed(0)
    units = 128 if small else 256
    model = Sequential(
        [layers.Embedding(len(alphabet), 32), layers.LSTM(units, return_sequences=True), layers.Dense(len(alphabet))]
    )
    model.compile(Adam(4e-3, clipnorm=1.0), SparseCategoricalCrossentropy(from_logits=True))
    x, y = windows(codes[:cut])
    held = windows(codes[cut:])
    perplexities = []
    for epoch in range(6 if small else 8):
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
        perplexities.append(exp(float(model.evaluate(*held, batch_size=BATCH, verbose=0))))
        print(f"epoch {epoch + 1}: perplexity {perplexities[-1]:.2f}", flush=True)
    draw(perplexities, counted, order, options.out)
    print(sample(model, "The ", alphabet, 400, 0.7))
    assert perplexities[-1] < counted, (perplexities, counted)


if __name__ == "__main__":
    main()
