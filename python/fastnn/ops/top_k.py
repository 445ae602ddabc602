from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import floats, kernels


@primitive
def _largest(x: Any, *, k: int, places: list[Array]) -> Any:
    x = floats(x)
    run = kernels(x)
    values, indices = run.top_k(x, k)
    places.append(indices)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.top_k_backward(dy, indices, x.shape),)

    return values, pullback


@composite
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Array]:
    """The k largest elements along the last axis, in descending order, and where they are.

    x: real, (..., n). k: in [0, n]. sorted: for Keras's sake; they are always in order. Of equal elements the first
    comes first; NaN counts as less than everything. Returns (values, indices): x's dtype and int64, (..., k).
    Raises ValueError for another k.
    """
    places: list[Array] = []
    values = _largest(x, k=int(k), places=places)
    dtype = np.asarray(raw(x)).dtype
    return (values.astype(dtype) if dtype.kind in "iu" else values), places[0]
