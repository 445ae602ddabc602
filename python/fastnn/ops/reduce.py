"""Reductions: sum, mean, max, min and where they are found; sum_to, which undoes broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.arrays import Array, Shape, normalize_axes
from fastnn.autograd import Needs, primitive, raw
from fastnn.backend import constant, floats, full, kernels
from fastnn.ops import direct
from fastnn.ops.integers import integral_array
from fastnn.ops.transpose import to_last_axis


@direct.unary("sum")
@primitive
def sum(x: Any, axis: Any = None, keepdims: bool = False, *, out: Array | None = None) -> Any:
    """Sum over axis: y = sum(x).

    x: real, any shape. axis: None for all, one or several. keepdims: leave the reduced axes in, with length 1.
    Returns x's dtype; 0 for an empty sum. Partial sums are kept in double, in an order that depends on the shape alone.
    Integers and bools are NumPy's, in exact integers. Raises ValueError if axis is out of range.
    """
    if integral_array(x):
        return np.sum(x, axis, keepdims=keepdims, out=out), None
    x = floats(x)
    run = kernels(x)
    shape = x.shape

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.sum_backward(dy, shape, axis),)

    return run.sum(x, axis, keepdims, out), pullback


@direct.unary("mean")
@primitive
def mean(x: Any, axis: Any = None, keepdims: bool = False, *, out: Array | None = None) -> Any:
    """Mean over axis: y = sum(x) / (number of elements).

    x: real, any shape; integers and bools as float64. axis, keepdims: as in sum. Returns x's dtype; NaN for an empty
    mean. Raises ValueError if axis is out of range.
    """
    x = floats(x)
    run = kernels(x)
    shape = x.shape

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.mean_backward(dy, shape, axis),)

    return run.mean(x, axis, keepdims, out), pullback


def _extreme_backward(x: Array, y: Array, dy: Array, axis: Any) -> Array:
    """Each dy shared equally among the elements of x that equal y."""
    axes = normalize_axes(axis, x.ndim, "max")
    run = kernels(x)
    adjacent = not axes or axes[-1] - axes[0] == len(axes) - 1
    rows, restore = (x, None) if adjacent else to_last_axis(x, axes, "max")
    dx: Array = run.extreme_backward(rows, y, dy, axes if adjacent else -1)
    return dx if restore is None else restore(dx)


def _extreme(name: str, x: Any, axis: Any, keepdims: bool, initial: float | None, out: Array | None) -> Any:
    if integral_array(x):
        others = {} if initial is None else {"initial": initial}
        return getattr(np, name)(x, axis, keepdims=keepdims, out=out, **others), None
    x = floats(x)
    if initial is not None:
        return _bounded_extreme(name, x, axis, keepdims, initial, out)
    y = getattr(kernels(x), name)(x, axis, keepdims, out)
    return y, lambda dy, needs: (_extreme_backward(x, y, dy, axis),)


def _bounded_extreme(name: str, x: Array, axis: Any, keepdims: bool, initial: float, out: Array | None) -> Any:
    """The extreme of x and one number more, which has no part in the gradient."""
    run = kernels(x)
    empty = 0 in (x.shape[at] for at in normalize_axes(axis, x.ndim, name))
    shape = np.sum(x, axis, keepdims=keepdims).shape if empty else ()
    own = full(shape, float(initial), x.dtype) if empty else getattr(run, name)(x, axis, keepdims, None)
    y = getattr(run, f"{name}imum")(own, constant(np.asarray(initial, x.dtype)), out)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        if empty:
            return (full(x.shape, 0.0, x.dtype),)
        from_x = run.where(run.equal(own, y, None), dy, constant(np.zeros((), x.dtype)))
        return (_extreme_backward(x, own, from_x, axis),)

    return y, pullback


@direct.unary("max")
@primitive
def max(
    x: Any, axis: Any = None, keepdims: bool = False, initial: float | None = None, *, out: Array | None = None
) -> Any:
    """Largest element over axis: y = max(x). Ties share the gradient equally.

    x: real, any shape. axis, keepdims: as in sum. initial: one number more to choose from, or None. Returns x's dtype;
    NaN where there is a NaN. Integers and bools are NumPy's. Raises ValueError if there is nothing to choose from.
    """
    return _extreme("max", x, axis, keepdims, initial, out)


@direct.unary("min")
@primitive
def min(
    x: Any, axis: Any = None, keepdims: bool = False, initial: float | None = None, *, out: Array | None = None
) -> Any:
    """Smallest element over axis: y = min(x). Ties share the gradient equally.

    x: real, any shape. axis, keepdims: as in sum. initial: one number more to choose from, or None. Returns x's dtype;
    NaN where there is a NaN. Integers and bools are NumPy's. Raises ValueError if there is nothing to choose from.
    """
    return _extreme("min", x, axis, keepdims, initial, out)


def _arg_extreme(name: str, doc: str) -> Callable[..., Any]:
    def forward(x: Any, axis: int | None = None, keepdims: bool = False, *, out: Array | None = None) -> Any:
        if integral_array(x):
            return getattr(np, name)(x, axis, keepdims=keepdims, out=out), None
        x = floats(x)
        return getattr(kernels(x), name)(x, axis, keepdims, out), None

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"""{doc}

    x: real, any shape. axis: one axis, or None for a position in the flattened array. Returns int64, as NumPy does
    (Keras: int32). Raises ValueError if there is nothing to choose from.
    """
    return primitive(forward)


argmax = _arg_extreme("argmax", "Position of the first largest element over axis, of the first NaN if there is one.")
argmin = _arg_extreme("argmin", "Position of the first smallest element over axis, of the first NaN if there is one.")


def count_correct(scores: Any, labels: Any) -> Array:
    """Number of rows whose first largest score is at the row's label: y = sum_r [argmax(scores[r]) = labels[r]].

    scores: real, (..., k). labels: integers, (...). Returns int64, a scalar array. Raises ValueError if there are not
    as many labels as rows, TypeError for labels that are no integers.
    """
    scores = floats(raw(scores))
    count: Array = kernels(scores).count_correct(scores, raw(labels))
    return count


def sum_to(x: Array, shape: Shape) -> Array:
    """x summed over the axes along which an array of `shape` was broadcast to x's shape: x itself if there are none."""
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1))
    summed: Array = kernels(x).sum(x, axes, True, None)
    return summed.reshape(shape)
