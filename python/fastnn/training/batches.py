"""Batches of arrays, in order or shuffled, gathered one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.backend import gather_rows
from fastnn.random import SeedGenerator

#: One batch: inputs, targets or None, weights or None.
Batch = tuple[Any, Any, Any]


def as_arrays(data: Any, what: str, where: str) -> Any:
    """data as arrays, in the nesting of lists, tuples and dicts it comes in. Lists of numbers become arrays."""
    if data is None:
        return None
    if isinstance(data, Mapping):
        return {key: as_arrays(part, what, where) for key, part in data.items()}
    if isinstance(data, tuple) or (isinstance(data, list) and any(isinstance(part, np.ndarray) for part in data)):
        return type(data)(as_arrays(part, what, where) for part in data)
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"[{where}] expected {what} to be an array of numbers, got dtype {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"[{where}] expected {what} with a first axis of samples, got a scalar")
    return array


def leaves(data: Any) -> list[Array]:
    """The arrays in a structure."""
    if data is None:
        return []
    if isinstance(data, Mapping):
        return [leaf for part in data.values() for leaf in leaves(part)]
    if isinstance(data, (list, tuple)):
        return [leaf for part in data for leaf in leaves(part)]
    return [data]


def each(function: Callable[[Array], Any], data: Any) -> Any:
    """The structure with function applied to its arrays."""
    if data is None:
        return None
    if isinstance(data, Mapping):
        return {key: each(function, part) for key, part in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(each(function, part) for part in data)
    return function(data)


class Batches:
    """An epoch of batches at a time.

    data: inputs, targets, weights; arrays whose first axes have one length. shuffle: a random stream for the order of
    the samples, drawn anew every epoch; None for the order they have.
    """

    def __init__(self, data: Batch, batch_size: int, shuffle: SeedGenerator | None, where: str) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"[{where}] expected batch_size to be a positive integer, got {batch_size!r}")
        self.data, self.batch_size, self.shuffle = data, int(batch_size), shuffle
        counts = {len(array) for array in leaves(data)}
        if len(counts) != 1:
            shapes = ", ".join(str(array.shape) for array in leaves(data))
            raise ValueError(f"[{where}] expected one number of samples in all arrays, got shapes {shapes}")
        self.samples = counts.pop()

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = None if self.shuffle is None else self.shuffle.numpy().permutation(self.samples)
        for start in range(0, self.samples, self.batch_size):
            stop = min(start + self.batch_size, self.samples)
            yield self._slice(start, stop) if order is None else self._gather(order[start:stop])

    def _slice(self, start: int, stop: int) -> Batch:
        x, y, w = self.data
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            return x[start:stop], y[start:stop], None if w is None else w[start:stop]
        return each(lambda a: a[start:stop], x), each(lambda a: a[start:stop], y), each(lambda a: a[start:stop], w)

    def _gather(self, rows: Array) -> Batch:
        x, y, w = self.data
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            return gather_rows(x, rows), gather_rows(y, rows), None if w is None else gather_rows(w, rows)
        return tuple(each(lambda a: gather_rows(a, rows), part) for part in self.data)


def split_off(data: Batch, share: float, where: str) -> tuple[Batch, Batch]:
    """(the first samples, the last `share` of them), as views."""
    if not 0 < share < 1:
        raise ValueError(f"[{where}] expected validation_split in (0, 1), got {share}")
    samples = len(leaves(data)[0])
    at = int(samples * (1 - share))
    if at in (0, samples):
        raise ValueError(
            f"[{where}] expected validation_split to leave samples on both sides, got {share} of {samples}"
        )
    first = tuple(each(lambda a: a[:at], part) for part in data)
    last = tuple(each(lambda a: a[at:], part) for part in data)
    return first, last


def class_weights(y: Any, weights: Mapping[int, float], where: str) -> Array:
    """One weight per sample: that of its class. y: integer labels (n,) or (n, 1), or one-hot (n, classes)."""
    if not isinstance(y, np.ndarray):
        raise ValueError(f"[{where}] expected one array of targets for class_weight, got {type(y).__name__}")
    labels = np.argmax(y, axis=-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y), -1)[:, 0]
    found, positions = np.unique(labels, return_inverse=True)
    return np.array([float(weights.get(int(label), 1.0)) for label in found])[positions.reshape(-1)]
