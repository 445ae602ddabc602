"""Classes as rows of zeros and a one, and vectors brought to length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import raw


def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """A row for each class in x: 1 at that place, 0 elsewhere.

    x: integers from 0, (...) or (..., 1). num_classes: length of the rows, by default one more than the largest of x.
    Returns float64, (..., num_classes). Raises ValueError for classes that are no integers in [0, num_classes).
    """
    given = np.asarray(raw(x))
    classes = given.astype(np.int64)
    if np.any(classes != given):
        raise ValueError(f"[to_categorical] expected integers, got {given.dtype}")
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    width = int(num_classes) if num_classes else int(classes.max(initial=-1)) + 1
    if classes.size and not (classes.min() >= 0 and classes.max() < width):
        found = f"{classes.min()} to {classes.max()}"
        raise ValueError(f"[to_categorical] expected classes in [0, {width}), got {found}")
    rows: Array = (classes[..., None] == np.arange(width)).astype(np.float64)
    return rows


def normalize(x: Any, axis: int = -1, order: float = 2) -> Array:
    """x divided by its norm of this order along axis; zeros stay zeros."""
    array = np.asarray(raw(x))
    norms = np.linalg.norm(array, order, axis, keepdims=True)
    found: Array = array / np.where(norms == 0, 1, norms)
    return found
