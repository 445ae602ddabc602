"""Values put to places that are given by index: scatter, slices that are replaced, sums of segments."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import floats, kernels, not_recordable
from fastnn.ops.elementwise import add, maximum, minimum, multiply, where
from fastnn.ops.gather import take
from fastnn.ops.getitem import getitem
from fastnn.ops.integers import integral_array
from fastnn.ops.pad import pad
from fastnn.ops.transpose import reshape


@primitive
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Sums of the rows of data that have one id: y[s] = sum of data[i] for segment_ids[i] = s, in the order of i.

    data: real, (n, ...). segment_ids: integers, (n,), in [0, num_segments). num_segments: one more than the largest id
    if None. sorted: of Keras, changes nothing. Returns (num_segments, ...), zeros for an id that is not there. Integers
    stay integers. Raises ValueError for ids out of range.
    """
    whole = integral_array(data)
    x, ids = np.asarray(data) if whole else floats(data), np.asarray(segment_ids)
    if ids.ndim != 1 or len(ids) != len(x):
        raise ValueError(f"[segment_sum] expected segment_ids of shape ({len(x)},), got {ids.shape}")
    count = int(ids.max(initial=-1)) + 1 if num_segments is None else num_segments
    if ids.size and not (ids.min() >= 0 and ids.max() < count):
        raise ValueError(f"[segment_sum] expected segment_ids in [0, {count}), got {ids.min()} to {ids.max()}")
    if whole:
        not_recordable()
        sums = np.zeros((count, *x.shape[1:]), x.dtype)
        np.add.at(sums, ids, x)
        return sums, None
    run = kernels(x)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, None]:
        return None if needs[0] is None else run.take(dy, ids, 0), None

    return run.take_backward(x, ids, (count, *x.shape[1:]), 0), pullback


def _flat(indices: Any, shape: Sequence[int], op: str) -> Array:
    """The places in a flattened array of shape, of rows of indices into its first axes: (n, k), k <= its axes."""
    rows = np.asarray(raw(indices))
    if rows.ndim < 1 or rows.dtype.kind not in "iu" or rows.shape[-1] > len(shape):
        raise ValueError(f"[{op}] expected integer indices of shape (..., k), k <= {len(shape)}, got {rows.shape}")
    known = shape[: rows.shape[-1]]
    rows = rows.reshape(-1, rows.shape[-1])
    if np.any(rows < 0) or np.any(rows >= np.array(known, np.int64)):
        raise ValueError(f"[{op}] expected indices in [0, {tuple(known)}), got {rows.min(0)} to {rows.max(0)}")
    return np.ravel_multi_index(tuple(rows.T), tuple(known)) if known else np.zeros(len(rows), np.int64)


@composite
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Any:
    """Zeros of a shape, with values added at indices: what is given twice adds up.

    indices: integers, (..., k), places along the first k axes of shape. values: (..., *shape[k:]). Gradients go to
    values. Raises ValueError for indices out of range.
    """
    places = _flat(indices, shape, "scatter")
    inner = tuple(shape[np.shape(raw(indices))[-1] :])
    count = int(np.prod(shape[: len(shape) - len(inner)], dtype=np.int64))
    sums = segment_sum(reshape(values, (len(places), *inner)), places, count)
    return reshape(sums, tuple(shape))


@composite
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """inputs with updates at indices in place of what was there; of several for one place the last one counts.

    inputs: (...). indices, updates: as of scatter() into inputs' shape. reduction: None, or "add", "max", "min", "mul"
    for what an update and what was there make, one after the other. Gradients go to inputs and updates.
    """
    shape = np.shape(raw(inputs))
    places, depth = _flat(indices, shape, "scatter_update"), np.shape(raw(indices))[-1]
    rows = reshape(updates, (len(places), *shape[depth:]))
    if reduction == "add":
        return add(inputs, scatter(indices, updates, shape))
    if reduction not in _REDUCTIONS:
        raise ValueError(f"[scatter_update] expected reduction None, add, max, min or mul, got {reduction!r}")
    combine = _REDUCTIONS[reduction]
    count = int(np.prod(shape[:depth], dtype=np.int64))
    y = reshape(inputs, (count, *shape[depth:]))
    for some in _turns(places):
        here = np.zeros((count, *(1 for _ in shape[depth:])), bool)
        here[places[some]] = True
        new = segment_sum(take(rows, some, 0), places[some], count)
        y = where(here, combine(y, new), y)
    return reshape(y, shape)


_REDUCTIONS: dict[str | None, Any] = {
    None: lambda old, new: new,
    "max": maximum,
    "min": minimum,
    "mul": multiply,
}


def _turns(places: Array) -> list[Array]:
    """Which updates come first, second, ... to their places: no place twice in a turn."""
    seen: dict[int, int] = {}
    turn = np.empty(len(places), np.int64)
    for i, place in enumerate(places):
        turn[i] = seen.get(int(place), 0)
        seen[int(place)] = int(turn[i]) + 1
    return [np.flatnonzero(turn == t) for t in range(int(turn.max(initial=-1)) + 1)]


@composite
def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> Any:
    """The part of inputs of a shape that begins at start_indices, one for each axis. A view.

    A length of -1 stands for all that follow. A start below 0 counts from the end; one out of range stands for the
    nearest possible one.
    """
    outer, given = np.shape(raw(inputs)), list(raw(start_indices))
    if len(outer) == len(given) == len(shape):
        shape = [n - _from_front(a, n) if m == -1 else m for a, n, m in zip(given, outer, shape, strict=True)]
    starts = _starts(given, outer, shape, "slice")
    return getitem(inputs, tuple(builtins.slice(a, a + n) for a, n in zip(starts, shape, strict=True)))


@composite
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """inputs with updates in place of the part of their shape that begins at start_indices. Gradients go to both."""
    outer, inner = np.shape(raw(inputs)), np.shape(raw(updates))
    starts = _starts(start_indices, outer, inner, "slice_update")
    around = [(a, n - a - m) for a, n, m in zip(starts, outer, inner, strict=True)]
    here = np.pad(np.ones(inner, bool), around)
    return where(here, pad(updates, around), inputs)


def _starts(given: Any, outer: Sequence[int], inner: Sequence[int], op: str) -> list[int]:
    starts = [int(raw(start)) for start in raw(given)]
    if not len(starts) == len(outer) == len(inner) or any(not 0 <= m <= n for n, m in zip(outer, inner, strict=False)):
        raise ValueError(
            f"[{op}] expected starts and a part for each axis of {tuple(outer)}, got {starts} and {tuple(inner)}"
        )
    return [min(_from_front(a, n), n - m) for a, n, m in zip(starts, outer, inner, strict=True)]


def _from_front(start: Any, length: int) -> int:
    at = int(raw(start))
    return max(at + length if at < 0 else at, 0)


@composite
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Elements of x by an index of their own along axis: y[i, j] = x[indices[i, j], j] for axis 0.

    x: any shape. indices: integers, as many axes as x, whose other axes broadcast with x's; in [-n, n). axis: None for
    the flattened x. Gradients of elements that are taken twice add up. Raises ValueError for indices out of range.
    """
    places = np.asarray(raw(indices))
    if axis is None:
        return take(reshape(x, -1), places.reshape(-1), 0)
    shape = np.shape(raw(x))
    (at,) = normalize_axes(axis, len(shape), "take_along_axis")
    if places.ndim != len(shape) or places.dtype.kind not in "iu":
        raise ValueError(
            f"[take_along_axis] expected integer indices with {len(shape)} axes, got {places.dtype} {places.shape}"
        )
    n = shape[at]
    if places.size and not (places.min() >= -n and places.max() < n):
        raise ValueError(f"[take_along_axis] expected indices in [{-n}, {n}), got {places.min()} to {places.max()}")
    wide = np.broadcast_shapes((*shape[:at], 1, *shape[at + 1 :]), (*places.shape[:at], 1, *places.shape[at + 1 :]))
    wide = (*wide[:at], places.shape[at], *wide[at + 1 :])
    flat = np.zeros(wide, np.int64)
    step = 1
    for i in range(len(shape) - 1, -1, -1):
        along = np.broadcast_to(places % n if i == at else _counted(shape[i], i, len(shape)), wide)
        flat += along * step
        step *= shape[i]
    return take(reshape(x, -1), flat, 0)


def _counted(length: int, axis: int, axes: int) -> Array:
    """0, 1, ... along one axis of so many."""
    return np.arange(length).reshape([length if i == axis else 1 for i in range(axes)])
