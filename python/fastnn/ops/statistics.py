"""Variance, norms, logarithms of sums and averages, made of reductions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike, normalize_axes
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import not_recordable
from fastnn.ops.cast import cast
from fastnn.ops.creation import stop_gradient
from fastnn.ops.elementary import isfinite
from fastnn.ops.elementwise import absolute, add, divide, exp, log, multiply, not_equal, power, sqrt, square, where
from fastnn.ops.layer_norm import moments
from fastnn.ops.reduce import max, mean, min, sum
from fastnn.ops.transpose import reshape
from fastnn.ops.views import squeeze

Axis = int | Sequence[int] | None


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Variance over axis: y = mean((x - mean(x))^2)."""
    return moments(x, axis, keepdims)[1]


def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Standard deviation over axis: y = sqrt(mean((x - mean(x))^2)). The gradient is NaN where it is 0."""
    return sqrt(var(x, axis, keepdims))


@composite
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Logarithm of a sum of exponentials over axis: y = ln(sum(e^x)), taken so that nothing overflows."""
    axes = normalize_axes(axis, len(np.shape(raw(x))), "logsumexp")
    highest = stop_gradient(max(x, axes, True))
    shift = where(isfinite(highest), highest, 0.0)
    y = add(log(sum(exp(x - shift), axes, True)), shift)
    return y if keepdims else squeeze(y, axes)


@composite
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """Norm of vectors, or of matrices for two axes: sqrt(sum(x^2)) by default.

    x: real. axis: one for vectors, two for matrices; None for all of x. ord: None; of vectors a number p, for
    sum(|x|^p)^(1 / p), 0 for the count of what is not 0, +-infinity for the largest or smallest |x|; of matrices "fro",
    1 or +-infinity for the largest or smallest sum of a column or row of |x|, -1. Raises ValueError for another ord.
    """
    n = len(np.shape(raw(x)))
    if axis is None and ord is not None and n > 2:
        raise ValueError(f"[norm] expected x with 1 or 2 axes for ord {ord!r} and no axis, got {n} axes")
    axes = [axis] if isinstance(axis, (int, np.integer)) else list(range(n)) if axis is None else list(axis)
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return sqrt(sum(square(x), axes, keepdims))
    if len(axes) == 1 and isinstance(ord, (int, float)):
        return _vector_norm(absolute(x), float(ord), axes[0], keepdims)
    if len(axes) == 2 and ord in (1, -1, np.inf, -np.inf):
        rows, cols = (int(a) % n for a in axes)
        added, chosen = (rows, cols) if abs(ord) == 1 else (cols, rows)
        y = (max if ord > 0 else min)(sum(absolute(x), added, True), chosen, True)
        return y if keepdims else squeeze(y, (rows, cols))
    raise ValueError(f"[norm] expected ord of {'a vector' if len(axes) == 1 else 'a matrix'}, got {ord!r}")


def _vector_norm(size: Any, ord: float, axis: int, keepdims: bool) -> Any:
    if np.isinf(ord):
        return (max if ord > 0 else min)(size, axis, keepdims)
    if ord == 0:
        return sum(cast(not_equal(size, 0.0), size.dtype), axis, keepdims)
    if ord == 1:
        return sum(size, axis, keepdims)
    return power(sum(power(size, ord), axis, keepdims), 1 / ord)


@composite
def average(x: Any, axis: Axis = None, weights: Any = None) -> Any:
    """Weighted mean over axis: y = sum(x weights) / sum(weights); mean(x) without weights.

    weights: of x's shape, or one for each place along one axis.
    """
    if weights is None:
        return mean(x, axis)
    shape, own = np.shape(raw(x)), np.shape(raw(weights))
    if own != shape:
        if not isinstance(axis, (int, np.integer)) or own != (shape[axis],):
            raise ValueError(f"[average] expected weights of x's shape {shape}, or along one axis, got {own}")
        weights = reshape(weights, [length if i == axis % len(shape) else 1 for i, length in enumerate(shape)])
    return divide(sum(multiply(x, weights), axis), sum(weights, axis if own == shape else None))


@composite
def count_nonzero(x: Any, axis: Axis = None) -> Array:
    """Number of elements over axis that are not 0."""
    array = np.asarray(raw(x))
    return np.asarray(
        np.count_nonzero(array, axis if axis is None else normalize_axes(axis, array.ndim, "count_nonzero"))
    )


@primitive
def cumsum(x: Any, axis: int | None = None, dtype: DTypeLike | None = None) -> Any:
    """Sums of the elements so far: y[i] = x[0] + ... + x[i] along axis, of the flattened x without one.

    Added in double by NumPy; a recorded step does not run through it. Integers stay integers.
    """
    not_recordable()
    x = np.asarray(x)
    (at,) = (0,) if axis is None else normalize_axes(axis, x.ndim, "cumsum")
    along = x.reshape(-1) if axis is None else x
    wide = np.cumsum(along, at, np.float64 if x.dtype.kind == "f" else None)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        back = np.flip(np.cumsum(np.flip(dy, at), at, np.float64), at)
        return (np.ascontiguousarray(back.astype(dy.dtype)).reshape(x.shape),)

    kept = x.dtype if x.dtype.kind == "f" else wide.dtype
    return wide.astype(dtype or kept, copy=False), pullback
