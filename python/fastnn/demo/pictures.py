"""The demo's pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.errors import MissingDependency

_TRAIN, _VALIDATION = "#1f77b4", "#ff7f0e"


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependency("matplotlib", "demo", "demo") from None
    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def history(path: Path, figures: Mapping[str, Sequence[float]]) -> None:
    """One panel per figure, training and validation over the epochs."""
    names = [name for name in figures if not name.startswith("val_")]
    figure = _figure(4.5 * len(names), 3.6)
    for panel, name in zip(np.ravel(figure.subplots(1, len(names))), names, strict=True):
        epochs = range(1, len(figures[name]) + 1)
        panel.plot(epochs, figures[name], color=_TRAIN, label="train")
        if f"val_{name}" in figures:
            panel.plot(epochs, figures[f"val_{name}"], color=_VALIDATION, label="validation")
        panel.set(title=name, xlabel="epoch")
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(path)


def confusion(path: Path, labels: Array, guesses: Array, classes: Sequence[str]) -> None:
    """How many samples of each class were taken for which."""
    counts = np.zeros((len(classes), len(classes)), int)
    np.add.at(counts, (labels, guesses), 1)
    side = max(4.0, 0.55 * len(classes) + 1.5)
    figure = _figure(side + 0.8, side)
    panel = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            color = "white" if shares[row, column] > 0.5 else "black"
            panel.text(column, row, str(counts[row, column]), ha="center", va="center", color=color)
    panel.set_xticks(range(len(classes)), classes, rotation=0 if len(classes) > 5 else 20)
    panel.set_yticks(range(len(classes)), classes)
    panel.set(xlabel="guess", ylabel="label", title=f"{int(np.trace(counts))} of {counts.sum()} right")
    figure.colorbar(image, label="share of the label", shrink=0.8)
    figure.savefig(path)


def mistakes(path: Path, images: Array, labels: Array, guesses: Array) -> None:
    """The misread digits, each with its label and the guess. images: (n, 8, 8)."""
    wrong = np.flatnonzero(labels != guesses)
    columns = min(6, max(3, len(wrong)))  # three, for the heading
    rows = max(1, -(-len(wrong) // columns))
    figure = _figure(1.5 * columns, 1.75 * rows + 0.4)
    figure.suptitle(f"{len(wrong)} of {len(labels)} misread")
    panels = np.ravel(figure.subplots(rows, columns))
    for panel in panels:
        panel.set_axis_off()
    for panel, i in zip(panels, wrong, strict=False):
        panel.imshow(images[i], cmap="gray_r")
        panel.set_title(f"label {labels[i]}, guess {guesses[i]}", fontsize=8)
    figure.savefig(path)


def predictions(path: Path, targets: Array, guesses: Array) -> None:
    """Predicted against true numbers."""
    figure = _figure(4.8, 4.5)
    panel = figure.subplots()
    panel.scatter(targets, guesses, s=14, alpha=0.7, color=_TRAIN)
    ends = [min(targets.min(), guesses.min()), max(targets.max(), guesses.max())]
    panel.plot(ends, ends, color="gray", linewidth=1)
    panel.set(xlabel="true", ylabel="predicted", title="held-out samples")
    panel.grid(alpha=0.3)
    figure.savefig(path)
