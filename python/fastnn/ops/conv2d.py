"""2D convolution as one primitive: sum over windows, bias and activation in one pass; and 1D convolution, which is the
same kernels on images of one row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive, recording
from fastnn.backend import PackedKernel, float_pair, floats, kernels
from fastnn.ops.batch_norm import activation_code
from fastnn.ops.dense import epilogue
from fastnn.ops.windows import is_whole, per_axis

#: What bindings take for the way a kernel moves: strides, dilations, 1 for padding "same", explicit padding (top,
#: bottom, left, right), groups.
Window = tuple[int, int, int, int, int, int, int, int, int, int]
#: A number for all axes, or one for each.
Lengths = int | Sequence[int]
#: A name, a number of zeros on every side, or (before, after) for each axis.
Padding = str | int | Sequence[Any]
#: Of batch normalisation: gamma or None, beta or None, mean, variance, each (o,), and epsilon.
Statistics = tuple[Array | None, Array | None, Array, Array, float]


def lengths(op: str, name: str, value: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """value as one number for each axis. Raises ValueError."""
    given = per_axis(value, axes)
    if len(given) != axes or not all(is_whole(v) and v >= least for v in given):
        wanted = "an integer" if axes == 1 else f"an integer or {axes} of them"
        raise ValueError(f"[{op}] expected {name} to be {wanted} >= {least}, got {value!r}")
    return tuple(int(v) for v in given)


def pads(op: str, padding: Padding, axes: int) -> tuple[bool, tuple[tuple[int, int], ...]]:
    """(whether padding is "same", explicit padding for each axis). Raises ValueError."""
    none = ((0, 0),) * axes
    if isinstance(padding, str):
        if padding.lower() not in ("valid", "same"):
            raise ValueError(f"[{op}] expected padding 'valid', 'same', or numbers of zeros, got {padding!r}")
        return padding.lower() == "same", none
    given = per_axis(padding, axes)
    if axes == 1 and len(given) == 2 and all(is_whole(p) for p in given):
        given = (given,)
    if len(given) != axes:
        raise ValueError(f"[{op}] expected padding as a number or one pair for each of {axes} axes, got {padding!r}")
    return False, tuple(lengths(op, "padding", p, 2, 0) for p in given)  # type: ignore[misc]


def hashable(value: Any) -> Any:
    return tuple(map(hashable, value)) if isinstance(value, (list, tuple)) else value


@lru_cache(maxsize=1024, typed=True)  # 2.0 is not 2
def _window(op: str, strides: Any, padding: Any, dilation_rate: Any, groups: Any) -> Window:
    axes = int(op[-2])
    steps, spread = lengths(op, "strides", strides, axes), lengths(op, "dilation_rate", dilation_rate, axes)
    (groups,) = lengths(op, "groups", groups, 1)
    same, sides = pads(op, padding, axes)
    if axes == 1:
        steps, spread, sides = (1, *steps), (1, *spread), ((0, 0), *sides)
    return (*steps, *spread, int(same), *sides[0], *sides[1], groups)


def window(op: str, strides: Lengths, padding: Padding, dilation_rate: Lengths, groups: int = 1) -> Window:
    """The settings of a convolution as bindings take them. Raises ValueError."""
    try:
        return _window(op, strides, padding, dilation_rate, groups)
    except TypeError:  # a list cannot be looked up
        return _window(op, hashable(strides), hashable(padding), hashable(dilation_rate), groups)


def convolution(
    name: str,
    op: str,
    x: Any,
    w: Any,
    b: Any,
    moves: Window,
    activation: str | None,
    negative_slope: float,
    out: Array | None,
    statistics: Statistics | None = None,
    *kept: PackedKernel | None,
) -> Any:
    """(y, pullback) by the kernels `name`_forward and `name`_backward, on behalf of op, whose last letters but one tell
    how many axes it has. kept: for conv2d, where w stays packed, or None."""
    if statistics is not None:
        return _normalised(name, op, x, w, b, moves, activation, out, statistics, *kept), None
    code, from_z, parameters = epilogue(op, activation, negative_slope)
    function, axes = (code, *parameters), int(op[-2])
    x, w = float_pair(x, w)
    if b is not None:
        b = floats(b)
    run = kernels(x)
    forward, backward = getattr(run, f"{name}_forward"), getattr(run, f"{name}_backward")
    if from_z and recording():
        y, saved = forward(x, w, b, axes, moves, function, True, out, *kept)
    else:
        y = saved = forward(x, w, b, axes, moves, function, False, out, *kept)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None, Array | None]:
        need_x, need_w, need_b = needs if len(needs) == 3 else (*needs, None)
        grads: tuple[Array | None, Array | None, Array | None] = backward(
            *(x, w, saved, dy, axes, moves, function),
            *(need_x is not None, need_w is not None, need_b is not None),
            *(need_w and need_w.out, need_b and need_b.out),
        )
        return grads

    return y, pullback


def _normalised(
    name: str,
    op: str,
    x: Any,
    w: Any,
    b: Any,
    moves: Window,
    activation: str | None,
    out: Array | None,
    statistics: Statistics,
    *kept: PackedKernel | None,
) -> Array:
    """batch_norm_inference of the convolution, in one pass."""
    if recording() or out is not None:
        raise ValueError(f"[{op}] expected statistics without a tape that records, and without out")
    x, w = float_pair(x, w)
    forward = getattr(kernels(x), f"{name}_batch_norm")
    code = activation_code(activation, op)
    y: Array = forward(x, w, None if b is None else floats(b), int(op[-2]), moves, statistics, code, *kept)
    return y


@primitive
def conv2d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    strides: Lengths = 1,
    padding: Padding = "valid",
    dilation_rate: Lengths = 1,
    groups: int = 1,
    activation: str | None = None,
    negative_slope: float = 0.2,
    out: Array | None = None,
    kept: PackedKernel | None = None,
    statistics: Statistics | None = None,
) -> Any:
    """2D convolution: y[n, i, j, q] = activation(b[q] + sum_{k, l, p} x[n, i s + k d, j s + l d, p] w[k, l, p, q]).

    x: real, (n, h, w, c). w: (kh, kw, c / groups, o), not flipped. b: (o,) or None. strides s, dilation_rate d: a
    number, or one for height and one for width. padding: "valid" for none, "same" for as many zeros around x as make
    the output ceil(h / s) high, a number of zeros on every side, or ((top, bottom), (left, right)). groups: output
    channels are cut into so many pieces, as input channels are, and each sees its own piece alone. activation: None or
    one of ops.dense.ACTIVATIONS. kept: a Variable's `packed`, if w is that Variable. statistics: (gamma, beta, mean,
    variance, epsilon) if batch_norm_inference, whose ACTIVATIONS count then, is to be done to what is convolved, with
    the same bits in one pass; of arrays, and not while a tape records. Returns (n, oh, ow, o) with oh =
    floor((h + top + bottom - (kh - 1) d - 1) / s) + 1. Raises ValueError if sizes do not fit, the kernel is larger than
    the padded image, groups does not divide c and o.
    """
    moves = window("conv2d", strides, padding, dilation_rate, groups)
    return convolution("conv2d", "conv2d", x, w, b, moves, activation, negative_slope, out, statistics, kept)


@primitive
def conv1d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    strides: Lengths = 1,
    padding: Padding = "valid",
    dilation_rate: Lengths = 1,
    groups: int = 1,
    activation: str | None = None,
    negative_slope: float = 0.2,
    out: Array | None = None,
    kept: PackedKernel | None = None,
    statistics: Statistics | None = None,
) -> Any:
    """1D convolution: y[n, j, q] = activation(b[q] + sum_{l, p} x[n, j s + l d, p] w[l, p, q]).

    x: real, (n, w, c). w: (kw, c / groups, o). padding: "valid", "same", a number or (before, after). The rest, and
    what is raised, as in conv2d. Returns (n, ow, o).
    """
    moves = window("conv1d", strides, padding, dilation_rate, groups)
    return convolution("conv2d", "conv1d", x, w, b, moves, activation, negative_slope, out, statistics, kept)
