"""Faces and what is none: a small convolutional network on 200 patches, looked at from inside.

scikit-image brings 100 faces and 100 patches without one, 25 x 25 pixels each (part of Labeled Faces in the Wild). The
network has six thousand weights and 160 patches to learn from, so it sees them mirrored and shifted as well. Held to
five-fold cross-validation: each patch is judged by a network that has not seen it.

    python examples/faces.py            ten seconds
    python examples/faces.py --small    two of the five folds

Writes face_filters.png (the first layer's filters), face_maps.png (what each layer makes of a face) and
face_mistakes.png (the patches that were judged wrongly, or least surely).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import layers
from fastnn.models import Model, Sequential
from fastnn.optimizers import Adam
from fastnn.random import set_random_seed

FOLDS = 5


def patches() -> tuple[Any, Any]:
    """x: (200, 25, 25, 1) with mean 0 and variance 1 in each patch, y: (200, 1), 1 for a face."""
    from skimage.data import lfw_subset

    x = lfw_subset().astype(np.float32)[..., None]
    x -= x.mean(axis=(1, 2), keepdims=True)
    x /= x.std(axis=(1, 2), keepdims=True) + 1e-6
    return x, np.repeat([[1.0], [0.0]], len(x) // 2, axis=0).astype(np.float32)


def shifted(x: Any, y: Any) -> tuple[Any, Any]:
    """The patches, mirrored ones, and each moved by up to two pixels."""
    x = np.concatenate([x, x[:, :, ::-1]])
    wide = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), "edge")
    moved = [wide[:, i : i + 25, j : j + 25] for i, j in ((2, 2), (0, 1), (1, 4), (4, 3), (3, 0))]
    return np.concatenate(moved), np.concatenate([y] * 2 * len(moved))


def network() -> Sequential:
    model = Sequential(
        [
            layers.Input((25, 25, 1)),
            layers.Conv2D(8, 5, padding="same", activation="relu", name="first"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="second"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.3),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="third"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(Adam(2e-3), "binary_crossentropy", metrics=["accuracy"])
    return model


def cross_validated(x: Any, y: Any, folds: int) -> tuple[Any, Any, Sequential]:
    """(which patches were held out, what was said about them, the last network)"""
    set_random_seed(0)
    place = np.random.default_rng(0).permutation(len(x))
    said = np.full(len(x), np.nan)
    for fold in range(folds):
        held_out = place[fold::FOLDS]
        learned = np.setdiff1d(place, held_out)
        model = network()
        model.fit(*shifted(x[learned], y[learned]), batch_size=32, epochs=15, verbose=0)
        said[held_out] = model.predict(x[held_out], verbose=0)[:, 0]
    judged = np.flatnonzero(~np.isnan(said))
    return judged, said[judged], model


def grid(path: Path, images: list[Any], titles: list[str], columns: int, heading: str, largest: float = 0.0) -> None:
    """Images in rows, None for an empty place; grey, or, where a largest value is given, blue below 0 and red above."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = -(-len(images) // columns)
    size = (1.3 * columns, 1.5 * rows + 0.4)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    colours = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest} if largest else {"cmap": "gray"}
    shown = None
    for axis, image, title in zip(axes.flat, images, titles, strict=False):
        if image is not None:
            shown = axis.imshow(image, **colours)
            axis.set_title(title, fontsize=8)
    if largest and shown is not None:
        figure.colorbar(shown, ax=axes, shrink=0.8).ax.tick_params(labelsize=7)
    figure.suptitle(heading, fontsize=10)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw(folder: Path, x: Any, y: Any, judged: Any, said: Any, model: Sequential) -> None:
    filters = model.layers[0].kernel.numpy()  # (5, 5, 1, 8)
    images = list(np.moveaxis(filters[:, :, 0], -1, 0))
    titles = [f"filter {k}" for k in range(len(images))]
    heading = "weights of the first layer's filters"
    grid(folder / "face_filters.png", images, titles, 4, heading, float(np.abs(filters).max()))

    maps: list[Any] = []
    titles = []
    for name, start in (("first", x[0, ..., 0]), ("second", None), ("third", None)):
        output = next(layer.output for layer in model.layers if layer.name == name)
        seen = Model(model.inputs, output).predict(x[:1], verbose=0)[0]
        strongest = np.argsort(seen.sum(axis=(0, 1)))[::-1][:6]
        maps += [start, *(seen[..., k] for k in strongest)]
        titles += ["a face", *(f"{name} layer, {k}" for k in strongest)]
    grid(folder / "face_maps.png", maps, titles, 7, "what the layers make of it: the six strongest maps of each")

    right = np.where(y[judged, 0] == 1, said, 1 - said)  # probability given to what it is
    worst = np.argsort(right)[:12]
    names = [f"{'face' if y[judged[k], 0] else 'no face'}: {100 * right[k]:.1f} %" for k in worst]
    heading = "judged worst: what it is, and the probability given to that"
    grid(folder / "face_mistakes.png", [x[judged[k], ..., 0] for k in worst], names, 6, heading)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="two folds of five")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the pictures")
    options = parser.parse_args()

    x, y = patches()
    judged, said, model = cross_validated(x, y, 2 if options.small else FOLDS)
    accuracy = float(np.mean((said > 0.5) == (y[judged, 0] == 1)))
    print(f"{model.count_params()} weights; {len(judged)} patches judged, {100 * accuracy:.1f} % of them rightly")
    options.out.mkdir(parents=True, exist_ok=True)
    draw(options.out, x, y, judged, said, model)
    print("wrote face_filters.png, face_maps.png, face_mistakes.png")
    assert accuracy >= 0.95, accuracy


if __name__ == "__main__":
    main()
