"""Views: transpose, reshape and axes moved for kernels that work on the last one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import Needs, primitive
from fastnn.backend import kernels


@primitive
def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Axes in another order, those of x reversed by default: y[i, j, ...] = x[..., j, i]. A view of x.

    x: any shape. axes: each axis of x once. Raises ValueError otherwise.
    """
    x = np.asarray(x)
    n = x.ndim
    order = tuple(range(n))[::-1] if axes is None else tuple(a + n if -n <= a < 0 else a for a in axes)
    if sorted(order) != list(range(n)):
        raise ValueError(f"[transpose] expected each axis of x {x.shape} once, got {axes}")
    back = tuple(np.argsort(order))

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (dy.transpose(back),)

    return x.transpose(order), pullback


@primitive
def reshape(x: Any, newshape: int | Sequence[int]) -> Any:
    """The same elements in another shape; -1 stands for what is left. A view where x is dense.

    x: any shape. Raises ValueError if newshape does not hold as many elements.
    """
    x = np.asarray(x)
    shape = (newshape,) if isinstance(newshape, (int, np.integer)) else tuple(newshape)
    try:
        if min(shape, default=0) < -1:  # NumPy takes it for -1
            raise ValueError
        y = (kernels(x).dense(x) if x.dtype.kind == "f" else x).reshape(shape)
    except ValueError:
        raise ValueError(f"[reshape] expected a shape of {x.size} elements, got {shape} for x {x.shape}") from None

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (kernels(dy).dense(dy).reshape(x.shape),)

    return y, pullback


def to_last_axis(x: Array, axis: Any, where: str) -> tuple[Array, Callable[..., Array]]:
    """x with axis (one or several, merged) last and dense, and what undoes it for a result of that shape."""
    if x.ndim == 0:
        raise ValueError(f"[{where}] expected x with at least 1 axis, got a scalar")
    axes = normalize_axes(axis, x.ndim, where)
    order = (*(a for a in range(x.ndim) if a not in axes), *axes)
    moved = x.transpose(order)
    rows = kernels(x).dense(moved).reshape(*moved.shape[: x.ndim - len(axes)], prod(moved.shape[x.ndim - len(axes) :]))
    back = tuple(np.argsort(order))

    def restore(y: Array, out: Array | None = None) -> Array:
        view = y.reshape(moved.shape).transpose(back)
        if out is None:
            dense: Array = kernels(y).dense(view)
            return dense
        if out.shape != view.shape or out.dtype != view.dtype:
            raise ValueError(
                f"[{where}] expected out of shape {view.shape} and {view.dtype}, got {out.shape} and {out.dtype}"
            )
        kernels(y).assign(view, out)
        return out

    return rows, restore
