"""Order: sort and argsort. NumPy sorts; a recorded step does not run through them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import not_recordable


@primitive
def sort(x: Any, axis: int = -1) -> Any:
    """x in ascending order along axis, NaN at the end. Gradients go back to where the elements came from.

    Raises ValueError for an axis out of range.
    """
    x = np.asarray(x)
    order = argsort(x, axis)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        dx = np.empty_like(dy)
        np.put_along_axis(dx, order, dy, axis)
        return (dx,)

    return np.take_along_axis(x, order, axis), pullback


@composite
def argsort(x: Any, axis: int | None = -1) -> Array:
    """Where the elements of x in ascending order stand along axis, equal ones in their order; int64.

    axis: None for the flattened x.
    """
    not_recordable()
    array = np.asarray(raw(x))
    if axis is not None and not -array.ndim <= axis < array.ndim:
        raise ValueError(f"[argsort] expected axis in [{-array.ndim}, {array.ndim}), got {axis}")
    return np.argsort(array, axis, kind="stable")
