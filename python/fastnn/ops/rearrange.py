"""The same elements elsewhere: axes moved, parts reversed, shifted, repeated, taken apart; triangles and diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import composite, raw
from fastnn.backend import constant
from fastnn.ops.concatenate import concatenate, split, stack
from fastnn.ops.creation import zeros_like
from fastnn.ops.elementwise import multiply, not_equal, subtract, where
from fastnn.ops.gather import take
from fastnn.ops.getitem import getitem
from fastnn.ops.reduce import sum
from fastnn.ops.transpose import reshape, transpose
from fastnn.ops.views import broadcast_to, expand_dims


def _shape(x: Any) -> tuple[int, ...]:
    return np.shape(raw(x))


@composite
def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged. A view."""
    order = list(range(len(_shape(x))))
    a, b = (normalize_axes(axis, len(order), "swapaxes")[0] for axis in (axis1, axis2))
    order[a], order[b] = order[b], order[a]
    return transpose(x, order)


@composite
def moveaxis(x: Any, source: int | Sequence[int], destination: int | Sequence[int]) -> Any:
    """x with the axes of source at the places of destination, and the others in their order. A view."""
    n = len(_shape(x))
    pair = []
    for axes in (source, destination):
        given = [axes] if isinstance(axes, (int, np.integer)) else list(axes)
        pair.append([normalize_axes(int(axis), n, "moveaxis")[0] for axis in given])
    moved, places = pair
    if len(moved) != len(places) or len(set(moved)) < len(moved) or len(set(places)) < len(places):
        raise ValueError(f"[moveaxis] expected as many axes in both, each once, got {source} and {destination}")
    order = [axis for axis in range(n) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return transpose(x, order)


def ravel(x: Any) -> Any:
    """x's elements along one axis."""
    return reshape(x, -1)


@composite
def flip(x: Any, axis: int | Sequence[int] | None = None) -> Any:
    """x backwards along axis: one, several, or all by default. A view."""
    n = len(_shape(x))
    axes = normalize_axes(axis, n, "flip")
    return getitem(x, tuple(slice(None, None, -1 if i in axes else None) for i in range(n)))


@composite
def roll(x: Any, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Any:
    """x shifted along axis, what leaves at the end coming in at the front; without an axis in the flattened array."""
    shape = _shape(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), shape)
    axes = [axis] if isinstance(axis, (int, np.integer)) else list(axis)
    shifts = [shift] * len(axes) if isinstance(shift, (int, np.integer)) else list(shift)
    for one, by in zip(axes, shifts, strict=True):
        (at,) = normalize_axes(int(one), len(shape), "roll")
        cut = (-int(by)) % shape[at] if shape[at] else 0
        if cut:
            head = (slice(None),) * at
            x = concatenate([getitem(x, (*head, slice(cut, None))), getitem(x, (*head, slice(None, cut)))], at)
    return x


@composite
def repeat(x: Any, repeats: int | Sequence[int], axis: int | None = None) -> Any:
    """Every element of x along axis several times in a row; without an axis those of the flattened array.

    repeats: how often, one number or one for each place along axis.
    """
    if axis is None:
        x, axis = ravel(x), 0
    (at,) = normalize_axes(axis, len(_shape(x)), "repeat")
    return take(x, constant(np.repeat(np.arange(_shape(x)[at]), raw(repeats))), axis=at)


@composite
def tile(x: Any, repeats: int | Sequence[int]) -> Any:
    """x side by side with itself, repeats[i] times along axis i. Axes that x lacks are put in front."""
    counts = [repeats] if isinstance(repeats, (int, np.integer)) else list(repeats)
    shape = list(_shape(x))
    counts = [1] * (len(shape) - len(counts)) + [int(count) for count in counts]
    shape = [1] * (len(counts) - len(shape)) + shape
    apart = reshape(x, [length for n in shape for length in (1, n)])
    wide = broadcast_to(apart, [length for count, n in zip(counts, shape, strict=True) for length in (count, n)])
    return reshape(wide, [count * n for count, n in zip(counts, shape, strict=True)])


@composite
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The parts of x along axis, as a list, without that axis. num: how many, where that is to be checked."""
    shape = _shape(x)
    (at,) = normalize_axes(axis, len(shape), "unstack")
    if num is not None and num != shape[at]:
        raise ValueError(f"[unstack] expected num {shape[at]} for axis {axis} of {shape}, got {num}")
    return [getitem(x, (*(slice(None),) * at, i)) for i in range(shape[at])]


@composite
def hstack(xs: Sequence[Any]) -> Any:
    """Arrays one after the other along the second axis, vectors along their only one."""
    return concatenate(xs, 0 if len(_shape(xs[0])) == 1 else 1)


@composite
def vstack(xs: Sequence[Any]) -> Any:
    """Arrays one below the other; a vector is a row."""
    return concatenate([expand_dims(x, 0) if len(_shape(x)) == 1 else x for x in xs], 0)


@composite
def dstack(xs: Sequence[Any]) -> Any:
    """Arrays one behind the other along a third axis; a vector is a row, a matrix has depth 1."""
    return concatenate([_deep(x) for x in xs], 2)


def _deep(x: Any) -> Any:
    n = len(_shape(x))
    return expand_dims(x, (0, 2)) if n == 1 else expand_dims(x, 2) if n == 2 else x


@composite
def array_split(x: Any, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Any]:
    """As split, but of parts that need not be equal the first are longer by one."""
    cuts = indices_or_sections
    if isinstance(cuts, (int, np.integer)):
        length, parts = _shape(x)[normalize_axes(int(axis), len(_shape(x)), "array_split")[0]], int(cuts)
        if parts < 1:
            raise ValueError(f"[array_split] expected 1 part or more, got {parts}")
        cuts = np.cumsum([length // parts + (i < length % parts) for i in range(parts)])[:-1].tolist()
    found: list[Any] = split(x, cuts, axis)
    return found


@composite
def hsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """x cut along its second axis, a vector along its only one; see split."""
    found: list[Any] = split(x, indices_or_sections, 0 if len(_shape(x)) == 1 else 1)
    return found


@composite
def vsplit(x: Any, indices_or_sections: int | Sequence[int]) -> list[Any]:
    """x cut along its first axis; see split."""
    found: list[Any] = split(x, indices_or_sections, 0)
    return found


@composite
def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """x2 behind x1 along axis; None for both flattened."""
    return concatenate([ravel(x1), ravel(x2)], 0) if axis is None else concatenate([x1, x2], axis)


@composite
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along axis, n times: y[i] = a[i + 1] - a[i]; of bools whether they differ."""
    if n < 0:
        raise ValueError(f"[diff] expected n >= 0, got {n}")
    head = (slice(None),) * normalize_axes(int(axis), len(_shape(a)), "diff")[0]
    apart = not_equal if np.asarray(raw(a)).dtype.kind == "b" else subtract
    for _ in range(n):
        a = apart(getitem(a, (*head, slice(1, None))), getitem(a, (*head, slice(None, -1))))
    return a


def flipud(x: Any) -> Any:
    """x backwards along its first axis. A view."""
    return flip(x, 0)


def fliplr(x: Any) -> Any:
    """x backwards along its second axis. A view."""
    return flip(x, 1)


def _triangle(x: Any, k: int, lower: bool) -> Any:
    rows, cols = _shape(x)[-2:]
    inside = np.tri(rows, cols, k if lower else k - 1, bool)
    return where(constant(inside if lower else ~inside), x, False)


@composite
def tril(x: Any, k: int = 0) -> Any:
    """The lower triangle of matrices, zeros elsewhere: y[i, j] = x[i, j] where j <= i + k."""
    return _triangle(x, k, True)


@composite
def triu(x: Any, k: int = 0) -> Any:
    """The upper triangle of matrices, zeros elsewhere: y[i, j] = x[i, j] where j >= i + k."""
    return _triangle(x, k, False)


@composite
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """A diagonal of matrices that lie in two axes: y[..., i] = x[i, i + offset, ...]."""
    matrices = moveaxis(x, (axis1, axis2), (-2, -1))
    *outer, rows, cols = _shape(matrices)
    places: Array = np.arange(rows * cols).reshape(rows, cols).diagonal(offset).copy()
    return take(reshape(matrices, (*outer, rows * cols)), constant(places), axis=-1)


@composite
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal."""
    return sum(diagonal(x, offset, axis1, axis2), -1)


@composite
def diag(x: Any, k: int = 0) -> Any:
    """The matrix with a vector on its diagonal k; of a matrix that diagonal."""
    shape = _shape(x)
    if len(shape) == 2:
        return diagonal(x, k)
    if len(shape) != 1:
        raise ValueError(f"[diag] expected x with 1 or 2 axes, got {shape}")
    length = shape[0] + abs(k)
    row, col = np.indices((length, length))
    places = np.clip(np.minimum(row, col), 0, max(0, shape[0] - 1))
    return where(constant(col - row == k), take(x, constant(places), axis=0), False)


@composite
def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """array turned by k quarters, from the first of two axes towards the second. A view."""
    a, b = (normalize_axes(axis, len(_shape(array)), "rot90")[0] for axis in axes)
    if a == b:
        raise ValueError(f"[rot90] expected two different axes, got {axes}")
    turns = k % 4
    if turns == 2:
        return flip(array, (a, b))
    if turns == 1:
        return swapaxes(flip(array, b), a, b)
    return flip(swapaxes(array, a, b), b) if turns == 3 else array


@composite
def meshgrid(*x: Any, indexing: str = "xy") -> list[Any]:
    """For each x, (n_i,), an array with an axis for every x, along one of which x runs: the first and the second are
    exchanged with indexing "xy", and are not with "ij"."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"[meshgrid] expected indexing 'xy' or 'ij', got {indexing!r}")
    order = list(range(len(x)))
    if indexing == "xy" and len(x) > 1:
        order[:2] = [1, 0]
    lines = [ravel(part) for part in x]
    shape = [0] * len(x)
    for axis, line in zip(order, lines, strict=True):
        shape[axis] = _shape(line)[0]
    return [
        broadcast_to(reshape(line, [-1 if i == axis else 1 for i in range(len(x))]), shape)
        for axis, line in zip(order, lines, strict=True)
    ]


@composite
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Vector product. x1, x2: two or three components along axisa and axisb, else shapes that broadcast together; of
    axisc in the result. axis: for all three. The third component is 0 where it lacks; it alone is the result where both
    lack it."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    counts = _shape(a)[-1], _shape(b)[-1]
    if not {*counts} <= {2, 3}:
        raise ValueError(f"[cross] expected vectors of 2 or 3 components, got {counts[0]} and {counts[1]}")
    (a0, a1, a2), (b0, b1, b2) = (_components(v) for v in (a, b))
    third = subtract(multiply(a0, b1), multiply(a1, b0))
    if counts == (2, 2):
        return third
    parts = [
        subtract(multiply(a1, b2), multiply(a2, b1)),
        subtract(multiply(a2, b0), multiply(a0, b2)),
        third,
    ]
    return moveaxis(stack(parts, -1), -1, axisc)


def _components(v: Any) -> list[Any]:
    """The three of vectors that lie along the last axis; 0 for the one that plane vectors lack."""
    found = [getitem(v, (..., i)) for i in range(_shape(v)[-1])]
    return found if len(found) == 3 else [*found, zeros_like(found[0])]
