"""scikit-learn's bundled tables, split and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.errors import MissingDependency

NAMES = ("digits", "iris", "wine", "breast_cancer", "diabetes")


@dataclass(frozen=True)
class Table:
    """A table in two parts. x: (n, features), scaled by the training part; y: labels (n,) or numbers (n,).

    classes: names of the labels, None for a regression. y_mean, y_std: what numbers were scaled by.
    """

    name: str
    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array
    classes: list[str] | None
    y_mean: float = 0.0
    y_std: float = 1.0


def load(name: str, seed: int) -> Table:
    """The table of that name, a quarter of it held out."""
    try:
        from sklearn import datasets
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise MissingDependency("scikit-learn", "demo", "demo") from None
    bunch: Any = getattr(datasets, f"load_{name}")()
    x, y = np.asarray(bunch.data, np.float32), np.asarray(bunch.target)
    regression = name == "diabetes"
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=0.25, random_state=seed, stratify=None if regression else y
    )
    if name == "digits":
        return Table(name, x_train / 16, y_train, x_test / 16, y_test, [str(digit) for digit in range(10)])
    mean, std = x_train.mean(axis=0), x_train.std(axis=0)
    x_train, x_test = (x_train - mean) / std, (x_test - mean) / std
    if not regression:
        return Table(name, x_train, y_train, x_test, y_test, [str(label) for label in bunch.target_names])
    y_mean, y_std = float(y_train.mean()), float(y_train.std())
    scaled = [((part - y_mean) / y_std).astype(np.float32) for part in (y_train, y_test)]
    return Table(name, x_train, scaled[0], x_test, scaled[1], None, y_mean, y_std)
