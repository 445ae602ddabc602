"""Reversal of sequences with attention, and a picture of what it attends to.

A bidirectional LSTM reads the sequence; another writes it backwards, token by token, and before each looks back at what
was read, with Bahdanau's additive attention (2015). While training it is told the true token before (teacher
forcing); then it reads its own.

    python examples/reversal_attention.py            sequences of up to 12 letters, about a minute and a half
    python examples/reversal_attention.py --small    of up to 6, 20 seconds

Writes reversal_attention.png: how much each output looks at each input.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import Input, Model, layers
from fastnn.losses import SparseCategoricalCrossentropy
from fastnn.optimizers import Adam
from fastnn.random import set_random_seed
from fastnn.text import beam_search, pad_sequences, teacher_forcing

PADDING, START, END, LETTERS = 0, 1, 2, 26
TOKENS, UNITS = 3 + LETTERS, 64


def examples(rng: np.random.Generator, n: int, longest: int) -> tuple[Any, Any]:
    """Sequences of 2 to `longest` letters, and the same backwards with an end token; filled up with zeros."""
    sequences = [rng.integers(3, TOKENS, rng.integers(2, longest + 1)) for _ in range(n)]
    backwards = [[*sequence[::-1], END] for sequence in sequences]
    return (
        pad_sequences(sequences, longest, dtype="int64", padding="post"),
        pad_sequences(backwards, longest + 1, dtype="int64", padding="post"),
    )


def networks() -> tuple[Any, Any]:
    """What is trained, and the same with the attention weights as a second output."""
    source, given = Input((None,), dtype="int64"), Input((None,), dtype="int64")
    read = layers.Embedding(TOKENS, 32, mask_zero=True)(source)
    read = layers.Bidirectional(layers.LSTM(UNITS // 2, return_sequences=True))(read)
    written = layers.LSTM(UNITS, return_sequences=True)(layers.Embedding(TOKENS, 32, mask_zero=True)(given))
    look = layers.AdditiveAttention()
    context, weights = look([written, read], return_attention_scores=True)
    logits = layers.Dense(TOKENS)(layers.Concatenate()([written, context]))
    return Model([source, given], logits), Model([source, given], [logits, weights])


def reverse(model: Any, sequence: Any) -> list[int]:
    """What the network makes of one sequence, by beam search."""

    def step(tokens: Any, state: Any) -> Any:
        sources = np.repeat(sequence[None], len(tokens), axis=0)
        return model([sources, tokens])[:, -1], state

    return beam_search(step, START, END, len(sequence) + 1, width=2)[0][0]


def draw(weights: Any, sequence: Any, answer: list[int], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    letters = [chr(ord("a") + token - 3) for token in sequence if token]
    written = [chr(ord("a") + token - 3) for token in answer] + ["end"]
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.imshow(weights[: len(written), : len(letters)], cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(letters)), letters)
    axes.set_yticks(range(len(written)), written)
    axes.set(xlabel="read", ylabel="written", title="Attention while writing backwards")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="shorter sequences, fewer of them")
    parser.add_argument("--out", type=Path, default=Path("reversal_attention.png"), help="where the picture goes")
    options = parser.parse_args()
    longest, samples, epochs = (6, 6000, 12) if options.small else (12, 16000, 16)
    set_random_seed(1)
    rng = np.random.default_rng(0)
    sources, targets = examples(rng, samples, longest)
    model, with_weights = networks()
    model.compile(Adam(4e-3, clipnorm=1.0), SparseCategoricalCrossentropy(from_logits=True))
    given, wanted = teacher_forcing(targets, START)
    model.fit([sources, given], wanted, batch_size=64, epochs=epochs, verbose=2)

    new, backwards = examples(rng, 300, longest)
    answers = [reverse(model, sequence) for sequence in new]
    exact = np.mean([answer == [t for t in b if t > END] for answer, b in zip(answers, backwards, strict=True)])
    shown = int(np.argmax((new > 0).sum(1)))
    _, weights = with_weights([new[shown : shown + 1], np.array([[START, *answers[shown]]])])
    draw(weights[0], new[shown], answers[shown], options.out)
    print(f"{len(new)} new sequences of up to {longest} letters: {exact:.1%} reversed without a mistake")
    assert exact >= 0.99, exact


if __name__ == "__main__":
    main()
