"""Views with axes of length 1 more or less, and broadcasting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import Needs, primitive
from fastnn.backend import kernels
from fastnn.ops.reduce import sum_to


def _reshaped_back(x: Array) -> Any:
    """The pullback of a view that has x's elements in x's order."""
    shape = x.shape

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (kernels(dy).dense(dy).reshape(shape),)

    return pullback


@primitive
def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """x without axes of length 1. A view.

    x: any shape. axis: which to leave out; None for all of length 1. Raises ValueError if one is not of length 1.
    """
    x = np.asarray(x)
    if axis is None:
        axes = tuple(i for i, length in enumerate(x.shape) if length == 1)
    else:
        axes = normalize_axes(axis, x.ndim, "squeeze")
    for a in axes:
        if x.shape[a] != 1:
            raise ValueError(f"[squeeze] expected an axis of length 1, got axis {a} of shape {x.shape}")
    return x[(*tuple(0 if i in axes else slice(None) for i in range(x.ndim)), ...)], _reshaped_back(x)


@primitive
def expand_dims(x: Any, axis: int | Sequence[int]) -> Any:
    """x with new axes of length 1, which stand at `axis` in the result. A view.

    x: any shape. Raises ValueError for an axis out of range.
    """
    x = np.asarray(x)
    count = 1 if isinstance(axis, (int, np.integer)) else len(axis)
    axes = normalize_axes(axis, x.ndim + count, "expand_dims")
    return x[tuple(None if i in axes else slice(None) for i in range(x.ndim + count))], _reshaped_back(x)


@primitive
def broadcast_to(x: Any, shape: int | Sequence[int]) -> Any:
    """x repeated along new axes and those of length 1, to `shape`. A read-only view.

    x: any shape that broadcasts to `shape`. Raises ValueError for another one.
    """
    x = np.asarray(x)
    wanted = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)
    lead = len(wanted) - x.ndim
    if lead < 0 or any(n not in (1, w) for n, w in zip(x.shape, wanted[lead:], strict=True)):
        raise ValueError(f"[broadcast_to] expected a shape that {x.shape} broadcasts to, got {wanted}")
    own = x.shape

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (sum_to(dy, own),)

    return np.broadcast_to(x, wanted), pullback
