"""Central differences of a NumPy function, and directional ones where there are too many elements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array

#: Up to this many elements, differences are taken one by one; beyond, along seeded directions.
MAX_ELEMENTS = 64
DIRECTIONS = 8


def slopes(f: Callable[..., Any], xs: Sequence[Array], i: int, dy: Array, step: float) -> Iterator[tuple[Array, float]]:
    """(direction, derivative of sum(dy f) along it) for argument i of f, whose arguments are float64 arrays."""
    for direction in _directions(xs[i].shape):
        plus, minus = ([x + sign * step * direction if j == i else x for j, x in enumerate(xs)] for sign in (1.0, -1.0))
        difference = np.asarray(f(*plus), np.float64) - np.asarray(f(*minus), np.float64)
        yield direction, float(np.sum(dy * difference) / (2 * step))


def _directions(shape: tuple[int, ...]) -> Iterator[Array]:
    size = int(np.prod(shape, dtype=np.int64))
    if size <= MAX_ELEMENTS:
        for index in np.ndindex(shape):
            unit = np.zeros(shape)
            unit[index] = 1.0
            yield unit
    else:
        rng = np.random.default_rng(size)
        for _ in range(DIRECTIONS):
            direction = rng.standard_normal(shape)
            yield direction / np.sqrt(np.mean(direction**2))
