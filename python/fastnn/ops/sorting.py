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


@composite
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Array:
    """Where each of values belongs in a sorted sequence, (n,): before equal elements, with side "right" behind them."""
    not_recordable()
    ordered = np.asarray(raw(sorted_sequence))
    if ordered.ndim != 1:
        raise ValueError(f"[searchsorted] expected a sequence with 1 axis, got {ordered.ndim}")
    return np.searchsorted(ordered, np.asarray(raw(values)), side=side)  # type: ignore[call-overload, no-any-return]


@composite
def digitize(x: Any, bins: Any) -> Array:
    """Which of the intervals between ascending bins x lies in: i for bins[i - 1] <= x < bins[i]; int32."""
    found: Array = searchsorted(bins, x, "right").astype(np.int32)
    return found


@composite
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Array:
    """True where an element of x1 is among those of x2, or with invert where it is not."""
    not_recordable()
    return np.isin(np.asarray(raw(x1)), np.asarray(raw(x2)), assume_unique=assume_unique, invert=invert)


@composite
def nonzero(x: Any) -> tuple[Array, ...]:
    """The places of the elements that are not 0: their indices along each axis."""
    not_recordable()
    return np.nonzero(np.asarray(raw(x)))
