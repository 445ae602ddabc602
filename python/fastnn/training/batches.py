"""Batches of arrays, in order or shuffled, gathered one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.backend import gather_rows
from fastnn.random import SeedGenerator

#: Shuffled batches are gathered together up to so many bytes: a call costs more than a small batch.
GATHERED_BYTES = 1 << 18

#: One batch: inputs, targets or None, weights or None.
Batch = tuple[Any, Any, Any]


def unpack_x_y_sample_weight(data: Any) -> Batch:
    """(x, y, sample_weight) of x, (x,), (x, y) or (x, y, sample_weight), with None for what is not there."""
    if not isinstance(data, (tuple, list)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(f"[data] expected x, (x,), (x, y) or (x, y, sample_weight), got {len(data)} parts")
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """x, (x, y) or (x, y, sample_weight), as train_step() is given it; (x,) where x is itself a tuple or list."""
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def as_arrays(data: Any, what: str, where: str) -> Any:
    """data as arrays, in the nesting of lists, tuples and dicts it comes in. Lists of numbers become arrays.

    Memory-mapped arrays stay on disk, and everything keeps its dtype.
    """
    if data is None or (type(data) is np.ndarray and data.ndim and data.dtype.kind in "fiub"):
        return data
    if isinstance(data, Mapping):
        return {key: as_arrays(part, what, where) for key, part in data.items()}
    if isinstance(data, tuple) or (isinstance(data, list) and any(hasattr(part, "__array__") for part in data)):
        return type(data)([as_arrays(part, what, where) for part in data])
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"[{where}] expected {what} to be an array of numbers, got dtype {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"[{where}] expected {what} with a first axis of samples, got a scalar")
    return array


def as_batch(data: Any, where: str) -> Batch:
    """What a generator or a PyDataset gives, as arrays."""
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    return (
        as_arrays(x, "x", where), as_arrays(y, "y", where), as_arrays(sample_weight, "sample_weight", where)
    )  # fmt: skip


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
        return type(data)([each(function, part) for part in data])
    return function(data)


def samples_of(x: Any) -> int:
    """The number of samples in a batch's inputs."""
    if type(x) is np.ndarray:
        return len(x)
    found = leaves(x)
    return len(found[0]) if found else 0


class Batches:
    """An epoch of batches at a time: what an epoch takes of a table of arrays.

    data: inputs, targets, weights; arrays whose first axes have one length. shuffle: a random stream for the order of
    the samples, drawn anew every epoch; None for the order they have. whole: shuffles the order of whole batches, whose
    samples stay neighbours, as tables on disk want it.
    """

    def __init__(
        self, data: Batch, batch_size: int, shuffle: SeedGenerator | None, where: str, whole: bool = False
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"[{where}] expected batch_size to be a positive integer, got {batch_size!r}")
        self.data, self.batch_size, self.shuffle, self.whole = data, int(batch_size), shuffle, whole
        counts = {len(array) for array in leaves(data)}
        if len(counts) != 1:
            shapes = ", ".join(str(array.shape) for array in leaves(data))
            raise ValueError(f"[{where}] expected one number of samples in all arrays, got shapes {shapes}")
        self.samples = counts.pop()

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        size, samples = self.batch_size, self.samples
        if self.shuffle is None:
            starts: Sequence[int] = range(0, samples, size)
        elif self.whole:
            starts = [int(i) * size for i in self.shuffle.numpy().permutation(len(self))]
        else:
            return self._gathered(self.shuffle.numpy().permutation(samples))
        return (self._slice(start, min(start + size, samples)) for start in starts)

    def _gathered(self, order: Array) -> Iterator[Batch]:
        """Gathers as many batches at once as are small together, and gives them out one by one, as views."""
        size = self.batch_size
        bytes_of_batch = size * sum(array.nbytes // max(len(array), 1) for array in leaves(self.data))
        block = size * max(1, GATHERED_BYTES // max(bytes_of_batch, 1))
        takers = {id(array): _taker(array) for array in leaves(self.data)}
        for start in range(0, self.samples, block):
            rows = order[start : start + block]
            parts = tuple([each(lambda a: takers[id(a)](a, rows), part) for part in self.data])  # noqa: B023
            if block == size:
                yield parts
            else:
                yield from _slices(parts, len(rows), size)

    def _slice(self, start: int, stop: int) -> Batch:
        return _slice(self.data, start, stop)


def _slices(data: Batch, samples: int, size: int) -> list[Batch]:
    x, y, w = data
    if type(x) is np.ndarray and type(y) is np.ndarray and w is None:
        return [(x[start : start + size], y[start : start + size], None) for start in range(0, samples, size)]
    return [_slice(data, start, min(start + size, samples)) for start in range(0, samples, size)]


def _slice(data: Batch, start: int, stop: int) -> Batch:
    x, y, w = data
    if type(x) is np.ndarray and type(y) is np.ndarray and w is None:
        return x[start:stop], y[start:stop], None
    return tuple([each(lambda a: a[start:stop], part) for part in data])


def _taker(array: Array) -> Callable[[Array, Array], Array]:
    """How rows are gathered: by a kernel where they are dense, by NumPy elsewhere, never by a copy of the whole."""
    one = array[:1]
    return gather_rows if one.flags.c_contiguous and array.strides[:1] > (0,) else _indexed


def _indexed(array: Array, rows: Array) -> Array:
    return np.ascontiguousarray(array[rows])


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


def with_class_weights(batch: Batch, weights: Mapping[int, float] | None, where: str) -> Batch:
    """The batch with each sample weighted by its class. Raises ValueError, as Keras does, if it has weights already."""
    if weights is None:
        return batch
    x, y, sample_weight = batch
    if sample_weight is not None:
        raise ValueError(f"[{where}] expected class_weight or sample_weight, got both")
    return x, y, class_weights(y, weights, where)


def class_weights(y: Any, weights: Mapping[int, float], where: str) -> Array:
    """One weight per sample: that of its class. y: integer labels (n,) or (n, 1), or one-hot (n, classes)."""
    if not isinstance(y, np.ndarray):
        raise ValueError(f"[{where}] expected one array of targets for class_weight, got {type(y).__name__}")
    if not isinstance(weights, Mapping):
        raise TypeError(f"[{where}] expected class_weight as {{class: weight}}, got {type(weights).__name__}")
    labels = np.argmax(y, axis=-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y), -1)[:, 0]
    found, positions = np.unique(labels, return_inverse=True)
    return np.array([float(weights.get(int(label), 1.0)) for label in found])[positions.reshape(-1)]
