"""Elements and slices chosen by index, and classes as rows: take, one_hot, multi_hot."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike, floatx
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import floats, kernels, not_recordable
from fastnn.ops.reduce import max as largest


@primitive
def take(x: Any, indices: Any, axis: int | None = None, *, wrap: bool = True, out: Array | None = None) -> Any:
    """Slices of x at indices along axis: y[..., k, ...] = x[..., indices[k], ...].

    x: any dtype, at least 1 axis. indices: integers, any shape, in [-n, n) for an axis of length n. axis: None for the
    flattened x. Returns x's dtype; the shape of indices in place of axis. Slices taken twice get both gradients, added
    in the order of indices. wrap: False to refuse negative indices. Raises ValueError for an index or axis out of
    range, TypeError for indices that are no integers.
    """
    x = x if isinstance(x, np.ndarray) else floats(x)
    where = indices if isinstance(indices, np.ndarray) else np.asarray(indices)
    run = kernels(x)
    shape = x.shape
    flat = run.dense(x).reshape(-1) if axis is None else x
    at = 0 if axis is None else axis

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, None]:
        need = needs[0]
        if need is None:
            return None, None
        if axis is not None:
            return run.take_backward(dy, where, shape, at, need.out), None
        return run.take_backward(dy, where, flat.shape, 0).reshape(shape), None

    return run.take(flat, where, at, out, wrap), pullback


@composite
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: DTypeLike | None = None, sparse: bool = False) -> Array:
    """One where the class is: y[..., c] = 1 if x[...] = c, else 0.

    x: integers, any shape, also as floats; one outside [0, num_classes) gives zeros. axis: where the classes go in the
    result. dtype: floatx() if None. Raises ValueError for an axis out of range, TypeError if x holds no integers.
    """
    if sparse:
        raise ValueError("[one_hot] expected sparse=False, got True: there are no sparse arrays")
    indices = _whole(np.asarray(raw(x)))
    wanted = np.dtype(floatx() if dtype is None else dtype)
    held = wanted if wanted.kind == "f" and wanted.itemsize in (4, 8) else np.dtype(np.float32)
    y: Array = kernels(indices).one_hot(indices, num_classes, axis, held)
    return y if held is wanted else y.astype(wanted)


def _whole(numbers: Array) -> Array:
    """Floats that are whole numbers, as labels from files often are, as integers; anything else as it is."""
    if numbers.dtype.kind != "f":
        return numbers
    not_recordable()
    integers = numbers.astype(np.int64)
    return integers if np.array_equal(integers, numbers) else numbers


@composite
def multi_hot(
    inputs: Any,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DTypeLike | None = None,
    sparse: bool = False,
) -> Array:
    """One where a class is among those of a row: y[..., c] = 1 if any of inputs[...] is c, else 0.

    inputs: integers, (n, k), or (k,) for one row. num_classes: one more than the largest of inputs if None. Otherwise
    as one_hot. Returns (n, num_classes), or (num_classes,).
    """
    classes = _whole(np.asarray(raw(inputs)))
    if num_classes is None:
        num_classes = int(classes.max(initial=-1)) + 1
    found: Array = largest(one_hot(classes, num_classes, axis, dtype, sparse), 1 if classes.ndim > 1 else 0)
    return found
