from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import floats, kernels
from fastnn.ops import direct
from fastnn.ops.transpose import to_last_axis


def _last_axis(name: str) -> Callable[[direct.Op], direct.Op]:
    return direct.unary(
        name, setting="axis", choose=lambda axis: (name, ()) if type(axis) is int and axis == -1 else None
    )


@_last_axis("softmax")
@primitive
def softmax(x: Any, axis: Any = -1, *, out: Array | None = None) -> Any:
    """Softmax over axis: y = exp(x - max(x)) / sum(exp(x - max(x))).

    x: real, at least 1 axis. axis: one axis or several, -1 by default. Returns x's dtype and shape, summing to 1 over
    axis. Raises ValueError if x is a scalar or axis is out of range.
    """
    return over_axis("softmax", floats(x), axis, out)


@_last_axis("log_softmax")
@primitive
def log_softmax(x: Any, axis: Any = -1, *, out: Array | None = None) -> Any:
    """Logarithm of softmax over axis: y = x - max(x) - ln(sum(exp(x - max(x)))).

    x: real, at least 1 axis. axis: one axis or several, -1 by default. Returns x's dtype and shape.
    Raises ValueError if x is a scalar or axis is out of range.
    """
    return over_axis("log_softmax", floats(x), axis, out)


def over_axis(name: str, x: Array, axis: Any, out: Array | None) -> Any:
    """(y, pullback) of kernels that work on the last axis and save y, over any axes."""
    run = kernels(x)
    forward, backward = getattr(run, name), getattr(run, name + "_backward")
    if axis == -1 or (axis == x.ndim - 1 and x.ndim):
        y = forward(x, out)
        return y, lambda dy, needs: (backward(y, dy),)

    rows, restore = to_last_axis(x, axis, name)
    y_rows = forward(rows)
    y = restore(y_rows, out)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (restore(backward(y_rows, to_last_axis(dy, axis, name)[0])),)

    return y, pullback
