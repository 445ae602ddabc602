from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import layers, losses, optimizers
from fastnn.arrays import Array
from fastnn.demo import pictures
from fastnn.demo.recipe import CNN, RECIPES, Recipe, code
from fastnn.demo.tables import Table, load
from fastnn.models import Sequential, load_model
from fastnn.random import set_random_seed


def run(
    name: str = "digits",
    out: str | Path = "fastnn-demo",
    seed: int = 0,
    epochs: int | None = None,
    verbose: int = 1,
    echo: Callable[[str], Any] = print,
    model: str = "dense",
) -> dict[str, float]:
    """Trains on a bundled table, writes model and pictures into `out`, reloads the model. Returns the test figures.

    name: one of fastnn.demo.tables.NAMES. verbose: 0 for no progress bar. model: "dense", or "cnn" for the digits as
    images.
    """
    recipe = choose(name, model)
    recipe = recipe if epochs is None else replace(recipe, epochs=epochs)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    table = load(name, seed)
    echo(f"{name}: {len(table.x_train)} samples to learn from, {len(table.x_test)} held out")

    network = build(table, recipe, seed)
    network.summary(print_fn=echo)
    began = time.perf_counter()
    history = network.fit(
        table.x_train,
        table.y_train,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        validation_split=0.15,
        verbose=verbose,
    )
    seconds = time.perf_counter() - began
    figures: dict[str, float] = network.evaluate(table.x_test, table.y_test, verbose=0, return_dict=True)
    echo(f"trained in {seconds:.2f} s; held-out " + ", ".join(f"{n} {v:.4f}" for n, v in figures.items()))

    guesses = network.predict(table.x_test)
    written = [folder / "model.safetensors", *_draw(folder, table, history.history, guesses)]
    network.save(written[0])
    again = load_model(written[0]).predict(table.x_test)
    if not np.array_equal(guesses, again):
        raise RuntimeError("[demo] expected the reloaded model to predict the same bits, got others")
    echo("wrote " + ", ".join(str(path) for path in written))
    echo("reloaded the model: its predictions are identical")
    echo("\nThe same in a few lines:\n\n" + code(name, recipe, seed, recipe.epochs) + "\n")
    return {**figures, "seconds": seconds}


def choose(name: str, model: str) -> Recipe:
    """The recipe of a table and a kind of network."""
    if model not in ("dense", "cnn"):
        raise ValueError(f"[demo] expected model 'dense' or 'cnn', got {model!r}")
    if model == "cnn" and name != "digits":
        raise ValueError(f"[demo] expected the digits for a network over images, got {name}")
    return CNN if model == "cnn" else RECIPES[name]


def build(table: Table, recipe: Recipe, seed: int) -> Sequential:
    """The compiled network for a table."""
    set_random_seed(seed)
    model = Sequential([layers.Input((table.x_train.shape[1],))])
    if recipe.filters:
        _add_convolutions(model, recipe)
    for width in recipe.hidden:
        model.add(layers.Dense(width, activation="relu"))
        if recipe.dropout:
            model.add(layers.Dropout(recipe.dropout))
    model.add(layers.Dense(1 if table.classes is None else len(table.classes)))
    loss: Any = "mse" if table.classes is None else losses.SparseCategoricalCrossentropy(from_logits=True)
    metric = "mae" if table.classes is None else "accuracy"
    model.compile(optimizers.Adam(recipe.learning_rate), loss, metrics=[metric])
    return model


def _add_convolutions(model: Sequential, recipe: Recipe) -> None:
    model.add(layers.Reshape((8, 8, 1)))
    for filters in recipe.filters:
        for _ in range(2):
            model.add(layers.Conv2D(filters, 3, padding="same"))
            model.add(layers.BatchNormalization(momentum=0.9))
            model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D(2))
        model.add(layers.Dropout(recipe.dropout))
    model.add(layers.Flatten())


def _draw(folder: Path, table: Table, figures: dict[str, list[float]], guesses: Array) -> list[Path]:
    """Writes the pictures and returns their paths."""
    written = [folder / "history.png"]
    pictures.history(written[0], figures)
    if table.classes is None:
        written.append(folder / "predictions.png")
        truth, guessed = (table.y_mean + table.y_std * values for values in (table.y_test, guesses[:, 0]))
        pictures.predictions(written[-1], truth, guessed)
        return written
    labels = np.argmax(guesses, axis=-1)
    written.append(folder / "confusion.png")
    pictures.confusion(written[-1], table.y_test, labels, table.classes)
    if table.name == "digits":
        written.append(folder / "mistakes.png")
        pictures.mistakes(written[-1], table.x_test.reshape(-1, 8, 8), table.y_test, labels)
    return written
