"""Variance, norms, logarithms of sums and averages, made of reductions."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from math import prod as product_of
from typing import Any

import numpy as np

from fastnn.arrays import Array, DTypeLike, normalize_axes
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import floats, full, not_recordable
from fastnn.ops.cast import cast
from fastnn.ops.concatenate import concatenate, stack
from fastnn.ops.creation import stop_gradient
from fastnn.ops.elementary import isfinite
from fastnn.ops.elementwise import absolute, add, divide, exp, log, multiply, not_equal, power, sqrt, square, where
from fastnn.ops.getitem import getitem
from fastnn.ops.integers import integral, real
from fastnn.ops.layer_norm import moments
from fastnn.ops.reduce import max, mean, min, sum
from fastnn.ops.sorting import sort
from fastnn.ops.transpose import reshape, transpose
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
    shape = np.shape(raw(x))
    axes = normalize_axes(axis, len(shape), "logsumexp")
    if 0 in (shape[at] for at in axes):
        return log(sum(x, axes, keepdims))  # -infinity: there is no highest
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
    x = real(x)
    n = len(np.shape(raw(x)))
    if axis is None and ord is not None and n > 2:
        raise ValueError(f"[norm] expected x with 1 or 2 axes for ord {ord!r} and no axis, got {n} axes")
    normalize_axes(axis, n, "norm")
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
    x, weights = real(x), real(weights)
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


@composite
def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: DTypeLike | None = None) -> Any:
    """Product over axis, 1 of no elements. Gradients are right where elements are 0, too. Integers stay integers."""
    shape = np.shape(raw(x))
    axes = normalize_axes(axis, len(shape), "prod")
    if integral(raw(x)):
        return np.asarray(np.prod(raw(x), axes, dtype, keepdims=keepdims))
    y = x if dtype is None else cast(x, dtype)
    for at in axes:
        y = _product(y, at)
    return y if keepdims else squeeze(y, axes)


def _product(x: Any, axis: int) -> Any:
    """The product along one axis, which stays with length 1: the one half times the other, again and again."""
    before = (slice(None),) * axis
    length = np.shape(raw(x))[axis]
    if length == 0:
        return sum(x, axis, True) + 1
    while length > 1:
        half = length // 2
        y = multiply(getitem(x, (*before, slice(half))), getitem(x, (*before, slice(half, 2 * half))))
        x = y if length == 2 * half else concatenate([y, getitem(x, (*before, slice(2 * half, None)))], axis)
        length -= half
    return x


@composite
def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The middle of the sorted elements over axis, the mean of the two in the middle of an even number."""
    return quantile(x, 0.5, axis, "linear", keepdims)


@composite
def percentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Any:
    """quantile() of q / 100."""
    return quantile(x, np.asarray(raw(q), np.float64) / 100, axis, method, keepdims)


@composite
def quantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Any:
    """What a share q of the elements over axis lies below.

    x: real. q: in [0, 1], one number or (k,), whose axis comes first in the result. method: "linear", "lower",
    "higher", "midpoint" or "nearest", what is taken between two elements. NaN where x has one, and of no elements.
    Gradients go to the elements that count. Raises ValueError for another q or method.
    """
    shares = np.asarray(raw(q), np.float64)
    if shares.ndim > 1 or not np.all((shares >= 0) & (shares <= 1)):
        raise ValueError(f"[quantile] expected q in [0, 1], a number or one axis of them, got {raw(q)!r}")
    if method not in _BETWEEN:
        raise ValueError(f"[quantile] expected method one of {', '.join(_BETWEEN)}, got {method!r}")
    shape = np.shape(raw(x))
    axes = normalize_axes(axis, len(shape), "quantile")
    others = [at for at in range(len(shape)) if at not in axes]
    outer, length = [shape[at] for at in others], product_of(shape[at] for at in axes)
    kept = tuple(1 if at in axes else shape[at] for at in range(len(shape)))
    if length == 0:
        return full(shares.shape + (kept if keepdims else tuple(outer)), np.nan, floats(raw(x)).dtype)
    ordered = sort(reshape(transpose(x, [*others, *axes]), (*outer, length)))
    found = [_at(ordered, float(share) * (length - 1), method) for share in np.atleast_1d(shares)]
    bad = not_equal(getitem(ordered, (..., -1)), getitem(ordered, (..., -1)))  # NaN are sorted to the end
    found = [where(bad, np.nan, y) for y in found]
    if keepdims:
        found = [reshape(y, kept) for y in found]
    return stack(found, 0) if shares.ndim else found[0]


#: By method of quantile: the share of the upper one of two elements, at a fraction of the way between them.
_BETWEEN: dict[str, Callable[[float, int], float]] = {
    "linear": lambda fraction, lower: fraction,
    "lower": lambda fraction, lower: 0.0,
    "higher": lambda fraction, lower: float(fraction > 0),
    "midpoint": lambda fraction, lower: 0.5 * (fraction > 0),
    "nearest": lambda fraction, lower: float(np.rint(lower + fraction) - lower),
}


def _at(ordered: Any, place: float, method: str) -> Any:
    lower = int(place)
    share = _BETWEEN[method](place - lower, lower)
    y = getitem(ordered, (..., lower))
    if share == 0:
        return y
    return add(multiply(y, 1 - share), multiply(getitem(ordered, (..., lower + 1)), share))


@composite
def cumprod(x: Any, axis: int | None = None, dtype: DTypeLike | None = None) -> Any:
    """Products of the elements so far: y[i] = x[0] ... x[i] along axis, of the flattened x without one.

    Gradients are right where elements are 0, too. Integers stay integers.
    """
    x = reshape(x, -1) if axis is None else x
    (at,) = normalize_axes(0 if axis is None else axis, len(np.shape(raw(x))), "cumprod")
    if integral(raw(x)):
        return np.cumprod(raw(x), at, dtype)
    x = x if dtype is None else cast(x, dtype)
    before = (slice(None),) * at
    reach = 1  # each element is the product of so many
    while reach < np.shape(raw(x))[at]:
        longer = multiply(getitem(x, (*before, slice(reach, None))), getitem(x, (*before, slice(None, -reach))))
        x = concatenate([getitem(x, (*before, slice(reach))), longer], at)
        reach *= 2
    return x


@composite
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Array:
    """How often each of 0, 1, 2, ... is in x, or the sums of their weights.

    x: integers from 0, (n,), or (m, n), which are counted row by row. weights: the shape of x. minlength: the least
    length of the result. Raises ValueError for negative x.
    """
    if sparse:
        raise ValueError("[bincount] expected sparse=False, got True: there are no sparse arrays")
    values, given = np.asarray(raw(x)), None if weights is None else np.asarray(raw(weights))
    if values.size and values.min() < 0:
        raise ValueError(f"[bincount] expected x >= 0, got {values.min()}")
    if values.ndim < 2:
        return np.bincount(values, given, minlength)
    longest = builtins.max(int(values.max(initial=-1)) + 1, minlength)
    rows = [np.bincount(row, None if given is None else given[i], longest) for i, row in enumerate(values)]
    return np.stack(rows)
