"""Arrays put together and taken apart: concatenate, stack, split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import floats, kernels
from fastnn.ops.getitem import getitem
from fastnn.ops.transpose import reshape


def _of_one_dtype(arrays: Sequence[Any]) -> list[Array]:
    """arrays in the dtype NumPy would concatenate them to."""
    given = [x if isinstance(x, np.ndarray) else floats(x) for x in arrays]
    dtype = given[0].dtype
    if all(x.dtype is dtype for x in given):
        return given
    dtype = np.result_type(*given)
    return [x.astype(dtype, copy=False) for x in given]


def _listed(arrays: Any, where: str) -> list[Any]:
    listed = list(arrays)
    if not listed:
        raise ValueError(f"[{where}] expected at least 1 array, got none")
    return listed


@primitive
def _concatenate(*arrays: Any, axis: int, out: Array | None = None) -> Any:
    parts = _of_one_dtype(arrays)
    run = kernels(parts[0])
    y = run.concatenate(parts, axis, out)

    def pullback(dy: Array, needs: Needs) -> list[Array | None]:
        at, start = axis % dy.ndim, 0
        grads: list[Array | None] = []
        for part, given, need in zip(parts, arrays, needs, strict=True):
            stop = start + part.shape[at]
            key = (slice(None),) * at + (slice(start, stop),)
            grads.append(run.dense(dy[key]).astype(given.dtype, copy=False) if need else None)
            start = stop
        return grads

    return y, pullback


@composite
def concatenate(arrays: Any, axis: int | None = 0, *, out: Array | None = None) -> Any:
    """Arrays one after the other along axis.

    arrays: a list of arrays of one shape, but for axis; dtypes are promoted as NumPy does. axis: None for the flattened
    arrays. Raises ValueError for shapes that do not fit, for an axis out of range, and for an empty list.
    """
    listed = _listed(arrays, "concatenate")
    if axis is None:
        return _concatenate(*(reshape(x, -1) for x in listed), axis=0, out=out)
    return _concatenate(*listed, axis=axis, out=out)


@primitive
def _stack(*arrays: Any, axis: int, out: Array | None = None) -> Any:
    parts = _of_one_dtype(arrays)
    shape = parts[0].shape
    for part in parts:
        if part.shape != shape:
            raise ValueError(f"[stack] expected arrays of one shape, got {shape} and {part.shape}")
    (at,) = normalize_axes(axis, len(shape) + 1, "stack")
    head: tuple[Any, ...] = (slice(None),) * at
    run = kernels(parts[0])
    y = run.concatenate([part[(*head, None)] for part in parts], at, out)

    def pullback(dy: Array, needs: Needs) -> list[Array | None]:
        return [
            run.dense(dy[(*head, i, ...)]).astype(given.dtype, copy=False) if need else None
            for i, (given, need) in enumerate(zip(arrays, needs, strict=True))
        ]

    return y, pullback


@composite
def stack(arrays: Any, axis: int = 0, *, out: Array | None = None) -> Any:
    """Arrays side by side along a new axis.

    arrays: a list of arrays of one shape; dtypes are promoted as NumPy does. axis: where the new axis stands in the
    result. Raises ValueError for shapes that differ, for an axis out of range, and for an empty list.
    """
    return _stack(*_listed(arrays, "stack"), axis=axis, out=out)


@composite
def split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """x cut along axis, as a list of views.

    indices_or_sections: how many equal parts, or where the cuts are. Raises ValueError if x cannot be cut into that
    many equal parts, or for an axis out of range.
    """
    shape = np.shape(raw(x))
    (at,) = normalize_axes(int(axis), len(shape), "split")
    length = shape[at]
    if isinstance(indices_or_sections, (int, np.integer)):
        parts = int(indices_or_sections)
        if parts < 1 or length % parts:
            raise ValueError(f"[split] expected a number of equal parts of an axis of length {length}, got {parts}")
        cuts = [length // parts * i for i in range(1, parts)]
    else:
        cuts = [int(cut) for cut in indices_or_sections]
    head = (slice(None),) * at
    bounds = zip([0, *cuts], [*cuts, length], strict=True)
    return [getitem(x, (*head, slice(start, stop))) for start, stop in bounds]
