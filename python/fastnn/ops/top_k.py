from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import floats, kernels, not_recordable


@primitive
def _largest(x: Any, *, k: int, places: list[Array]) -> Any:
    x = floats(x)
    run = kernels(x)
    values, indices = run.top_k(x, k)
    places.append(indices)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.top_k_backward(dy, indices, x.shape),)

    return values, pullback


def _largest_integers(x: Array, k: int) -> tuple[Array, Array]:
    """The same for integers that floats have not got."""
    not_recordable()
    n = x.shape[-1] if x.ndim else 0
    if not 0 <= k <= n:
        raise ValueError(f"[top_k] expected k in [0, {n}], got {k}")
    ascending = np.argsort(x[..., ::-1], axis=-1, kind="stable")  # equal ones from the last to the first
    places = n - 1 - ascending[..., ::-1][..., :k]
    return np.take_along_axis(x, places, -1), places


@composite
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Array]:
    """The k largest elements along the last axis, in descending order, and where they are.

    x: real, (..., n). k: in [0, n]. sorted: for Keras's sake; they are always in order. Of equal elements the first
    comes first; NaN counts as less than everything. Returns (values, indices): x's dtype and int64, (..., k).
    Raises ValueError for another k.
    """
    places: list[Array] = []
    given = np.asarray(raw(x))
    dtype = given.dtype
    if dtype.kind in "iu" and dtype.itemsize == 8 and np.abs(given.astype(np.float64)).max(initial=0) >= 2.0**53:
        return _largest_integers(given, index(k))
    values = _largest(x, k=index(k), places=places)
    return (values.astype(dtype) if dtype.kind in "iu" else values), places[0]
