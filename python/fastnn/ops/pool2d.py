"""Pooling: the largest element or the mean of each window. One and three axes run on the kernels for two."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from fastnn import backend
from fastnn.arrays import Array, Shape
from fastnn.autograd import Needs, primitive, recording
from fastnn.backend import floats, kernels
from fastnn.ops.windows import (
    POINT,
    Windows,
    adaptive_windows,
    channels_last,
    paddings,
    whole_numbers,
    windows_over,
)

_DIVISORS = backend.function("pool_divisors")

#: What a mean is taken of: the elements in the window, or those it would have with its padding.
_COVERED, _WINDOW = _DIVISORS["covered"], _DIVISORS["window"]

#: Positions that a float counts exactly.
_MOST_PLACES = backend.function("most_places")


class Stage(NamedTuple):
    """One call of the 2D kernels: the windows over h and over w as they take them, the shapes of x and y there."""

    h: tuple[int, ...]
    w: tuple[int, ...]
    x_shape: Shape
    y_shape: Shape


class Plan(NamedTuple):
    stages: list[Stage]
    y_shape: Shape
    whole: bool  # one window holds all of an image


def plan_of(shape: Shape, windows: Sequence[Windows]) -> Plan:
    """One axis is a row. Three are two stages, as what is pooled over h and w may be pooled over d thereafter."""
    n, c = shape[0], shape[-1]

    def stage(x_shape: Shape, h: Windows, w: Windows) -> Stage:
        return Stage(tuple(h), tuple(w), x_shape, (x_shape[0], h.out, w.out, x_shape[3]))

    if len(windows) == 1:
        stages = [stage((n, 1, shape[1], c), POINT, windows[0])]
    elif len(windows) == 2:
        stages = [stage(shape, *windows)]
    else:
        d, h, w = windows
        stages = [
            stage((n * shape[1], *shape[2:]), h, w),
            stage((n, shape[1], 1, h.out * w.out * c), d, POINT),
        ]
    lengths = shape[1:-1]
    whole = all(w.holds(length) for w, length in zip(windows, lengths, strict=True)) and prod(lengths) <= _MOST_PLACES
    return Plan(stages, (n, *(w.out for w in windows), c), whole)


_AXES = {1: "(n, t, c)", 2: "(n, h, w, c)", 3: "(n, d, h, w, c)"}


@lru_cache(1024, typed=True)  # 2.0 is not 2
def _plan_once(shape: Shape, axes: int, pool_size: Any, strides: Any, padding: Any, where: str) -> Plan:
    """Made once for each layer: that takes longer than pooling a small image."""
    if len(shape) != axes + 2:
        raise ValueError(f"[{where}] expected x of shape {_AXES[axes]}, got {shape}")
    sizes = whole_numbers(pool_size, axes, "pool_size", where)
    steps = sizes if strides is None else whole_numbers(strides, axes, "strides", where)
    return plan_of(shape, windows_over(shape[1:-1], sizes, steps, paddings(padding, axes, where), where))


def _planned(shape: Shape, axes: int, pool_size: Any, strides: Any, padding: Any, where: str) -> Plan:
    try:
        return _plan_once(shape, axes, pool_size, strides, padding, where)
    except TypeError:  # lists, which cannot be looked up
        return _plan_once.__wrapped__(shape, axes, pool_size, strides, padding, where)


@lru_cache(1024, typed=True)  # 2.0 is not 2
def _adaptive_plan(shape: Shape, output_size: int | Shape, where: str) -> Plan:
    if not 3 <= len(shape) <= 5:
        raise ValueError(f"[{where}] expected inputs of 3, 4 or 5 axes, channels last, got {shape}")
    outs = whole_numbers(output_size, len(shape) - 2, "output_size", where)
    return plan_of(shape, adaptive_windows(shape[1:-1], outs, where))


def shaped(x: Array, shape: Shape) -> Array:
    """x, or a view of it."""
    if x.shape == shape:
        return x
    dense: Array = kernels(x).dense(x)
    return dense.reshape(shape)


def _max(x: Array, plan: Plan) -> Any:
    """(y, pullback) of the largest elements."""
    if plan.whole and recording():
        return _largest_of_images(x, plan)
    run, y, inputs = kernels(x), x, []
    for h, w, shape, _ in plan.stages:
        y = shaped(y, shape)
        inputs.append(y)
        y = run.max_pool2d(y, h, w)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        for (h, w, _, shape), x_in in zip(reversed(plan.stages), reversed(inputs), strict=True):
            dy = run.max_pool2d_backward(x_in, shaped(dy, shape), h, w)
        return (shaped(dy, x.shape),)

    return shaped(y, plan.y_shape), pullback


def _largest_of_images(x: Array, plan: Plan) -> Any:
    """The same of windows that hold whole images, whose positions are kept: they are next to nothing."""
    run, x_shape = kernels(x), x.shape
    y, places = run.global_max_pool(x)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.global_max_pool_backward(places, shaped(dy, places.shape), x_shape),)

    return shaped(y, plan.y_shape), pullback


def _mean(x: Array, plan: Plan, divisor: int = _COVERED) -> Any:
    """(y, pullback) of the means."""
    run, y, x_shape = kernels(x), x, x.shape
    for h, w, shape, _ in plan.stages:
        y = run.avg_pool2d(shaped(y, shape), h, w, divisor)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        for h, w, shape, y_shape in reversed(plan.stages):
            dy = run.avg_pool2d_backward(shaped(dy, y_shape), shape, h, w, divisor)
        return (shaped(dy, x_shape),)

    return shaped(y, plan.y_shape), pullback


@primitive
def max_pool1d(x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid") -> Any:
    """max_pool2d along one axis. x: real, (n, t, c). Returns (n, ot, c)."""
    x = floats(x)
    return _max(x, _planned(x.shape, 1, pool_size, strides, padding, "max_pool1d"))


@primitive
def max_pool2d(x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid") -> Any:
    """Largest element of each window: y[n, i, j, c] = max of x[n, i sh + p, j sw + q, c] over p < kh, q < kw.

    x: real, (n, h, w, c). pool_size: (kh, kw), or one number. strides: (sh, sw), pool_size if None. padding: "valid",
    "same" (h / sh outputs, rounded up), or as much on every side, a number or ((top, bottom), (left, right)); padding
    never is the largest. Returns (n, oh, ow, c).

    A NaN makes its windows NaN. The gradient goes to the first of equal elements, row by row, and to the last of
    several NaNs, as in PyTorch. x is kept for it, not the positions, unless a window holds the whole image. Raises
    ValueError for windows that do not fit, or padding as large as they are.
    """
    x = floats(x)
    return _max(x, _planned(x.shape, 2, pool_size, strides, padding, "max_pool2d"))


@primitive
def max_pool3d(x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid") -> Any:
    """max_pool2d along three axes. x: real, (n, d, h, w, c). Returns (n, od, oh, ow, c)."""
    x = floats(x)
    return _max(x, _planned(x.shape, 3, pool_size, strides, padding, "max_pool3d"))


@primitive
def avg_pool1d(
    x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid", *, count_include_pad: bool = False
) -> Any:
    """avg_pool2d along one axis. x: real, (n, t, c). Returns (n, ot, c)."""
    x = floats(x)
    plan = _planned(x.shape, 1, pool_size, strides, padding, "avg_pool1d")
    return _mean(x, plan, _WINDOW if count_include_pad else _COVERED)


@primitive
def avg_pool2d(
    x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid", *, count_include_pad: bool = False
) -> Any:
    """Mean of each window: y[n, i, j, c] = mean of x[n, i sh + p, j sw + q, c] over p < kh, q < kw.

    x: real, (n, h, w, c). pool_size, strides, padding: as for max_pool2d. count_include_pad: whether zeros in the
    padding are part of the mean, as in PyTorch by default; else they are left out, as in Keras. Returns (n, oh, ow, c).
    Raises ValueError for windows that do not fit, or padding as large as they are.
    """
    x = floats(x)
    plan = _planned(x.shape, 2, pool_size, strides, padding, "avg_pool2d")
    return _mean(x, plan, _WINDOW if count_include_pad else _COVERED)


@primitive
def avg_pool3d(
    x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid", *, count_include_pad: bool = False
) -> Any:
    """avg_pool2d along three axes. x: real, (n, d, h, w, c). Returns (n, od, oh, ow, c)."""
    x = floats(x)
    plan = _planned(x.shape, 3, pool_size, strides, padding, "avg_pool3d")
    return _mean(x, plan, _WINDOW if count_include_pad else _COVERED)


@primitive
def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Largest elements of windows that share the axes out evenly: window i of o is [i n / o, (i + 1) n / o).

    inputs: real, (n, t, c), (n, h, w, c) or (n, d, h, w, c). output_size: windows along each axis, or one number for
    all. The bounds of windows are rounded outward. Returns (n, *output_size, c). NaN and ties: see max_pool2d.
    """
    channels_last(data_format, "adaptive_max_pool")
    x = floats(inputs)
    size = tuple(output_size) if isinstance(output_size, Sequence) else output_size
    return _max(x, _adaptive_plan(x.shape, size, "adaptive_max_pool"))


@primitive
def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Means of windows that share the axes out evenly: window i of o is [i n / o, (i + 1) n / o).

    inputs: real, (n, t, c), (n, h, w, c) or (n, d, h, w, c). output_size: windows along each axis, or one number for
    all. The bounds of windows are rounded outward. Returns (n, *output_size, c).
    """
    channels_last(data_format, "adaptive_average_pool")
    x = floats(inputs)
    size = tuple(output_size) if isinstance(output_size, Sequence) else output_size
    return _mean(x, _adaptive_plan(x.shape, size, "adaptive_average_pool"))


_MAX = {3: max_pool1d, 4: max_pool2d, 5: max_pool3d}
_MEAN = {3: avg_pool1d, 4: avg_pool2d, 5: avg_pool3d}


def max_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: Any = "valid", data_format: str | None = None
) -> Any:
    """max_pool1d, max_pool2d or max_pool3d, by the number of axes of inputs; Keras's name."""
    channels_last(data_format, "max_pool")
    return _by_axes(_MAX, inputs, "max_pool")(inputs, pool_size, strides, padding)


def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: Any = "valid", data_format: str | None = None
) -> Any:
    """avg_pool1d, avg_pool2d or avg_pool3d, by the number of axes of inputs; Keras's name. Padding is left out."""
    channels_last(data_format, "average_pool")
    return _by_axes(_MEAN, inputs, "average_pool")(inputs, pool_size, strides, padding)


def _by_axes(pools: dict[int, Any], inputs: Any, where: str) -> Any:
    try:
        return pools[len(inputs.shape)]
    except KeyError:
        raise ValueError(f"[{where}] expected inputs of 3, 4 or 5 axes, channels last, got {inputs.shape}") from None
