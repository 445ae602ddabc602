"""Transposed convolution, in two dimensions and one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import primitive
from fastnn.ops.conv2d import Lengths, Padding, Window, convolution, hashable, lengths, pads


def crops(stride: int, window: int, same: bool, sides: tuple[int, int], extra: int | None) -> tuple[int, int]:
    """What an axis of the output loses before and after, of all that the kernels reach; less than 0 where it goes on.

    window: length under the kernel. As Keras has it: "valid" keeps everything, and at least a stride of it; "same"
    makes an output of stride times the input, or of extra more than the least that ends with the last kernel's middle.
    """
    if not same:
        before, after = sides
        return before, after - (max(window, stride) - window if extra is None else extra)
    total = stride + window - 2 if extra is None else window + window % 2 - 2 + extra  # zeros around the spread input
    before = min((total + 1) // 2, window - 1)
    return window - 1 - before, window - 1 - (total - before)


@lru_cache(maxsize=1024, typed=True)  # 2.0 is not 2
def _window(op: str, kernel: Any, strides: Any, padding: Any, output_padding: Any, dilation_rate: Any) -> Window:
    axes = len(kernel)
    steps, spread = lengths(op, "strides", strides, axes), lengths(op, "dilation_rate", dilation_rate, axes)
    same, sides = pads(op, padding, axes)
    extra = (None,) * axes if output_padding is None else lengths(op, "output_padding", output_padding, axes, 0)
    cut = [
        crops(s, (k - 1) * d + 1, same, side, e)
        for s, k, d, side, e in zip(steps, kernel, spread, sides, extra, strict=True)
    ]
    if axes == 1:
        steps, spread, cut = (1, *steps), (1, *spread), [(0, 0), *cut]
    return (steps[0], steps[1], spread[0], spread[1], 0, *cut[0], *cut[1], 1)


def _transposed(
    op: str,
    x: Any,
    w: Any,
    b: Any,
    strides: Lengths,
    padding: Padding,
    output_padding: Lengths | None,
    dilation_rate: Lengths,
    activation: str | None,
    negative_slope: float,
    out: Array | None,
) -> Any:
    kernel = w.shape[: int(op[-2])]
    moves = _window(op, kernel, *map(hashable, (strides, padding, output_padding, dilation_rate)))
    return convolution("conv_transpose2d", op, x, w, b, moves, activation, negative_slope, out)


@primitive
def conv_transpose2d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    strides: Lengths = 1,
    padding: Padding = "valid",
    output_padding: Lengths | None = None,
    dilation_rate: Lengths = 1,
    activation: str | None = None,
    negative_slope: float = 0.2,
    out: Array | None = None,
) -> Any:
    """Transposed convolution: y[n, i s + k d, j s + l d, p] = activation(b[p] + sum x[n, i, j, q] w[k, l, p, q]), the
    sum over all that lands there.

    x: real, (n, h, w, c). w: (kh, kw, o, c). b: (o,) or None. strides s, dilation_rate d: a number, or one for each
    axis. padding: "valid" for everything the kernels reach, at least s h; "same" for s h; a number or ((top, bottom),
    (left, right)) to be cut off. output_padding: how much longer y is than the shortest that x can come from, less than
    s; None for as much as makes the lengths above. Returns (n, oh, ow, o). Raises ValueError if sizes do not fit.
    """
    return _transposed(
        "conv_transpose2d", x, w, b, strides, padding, output_padding, dilation_rate, activation, negative_slope, out
    )


@primitive
def conv_transpose1d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    strides: Lengths = 1,
    padding: Padding = "valid",
    output_padding: Lengths | None = None,
    dilation_rate: Lengths = 1,
    activation: str | None = None,
    negative_slope: float = 0.2,
    out: Array | None = None,
) -> Any:
    """Transposed convolution along one axis: y[n, j s + l d, p] = activation(b[p] + sum x[n, j, q] w[l, p, q]).

    x: real, (n, w, c). w: (kw, o, c). The rest, and what is raised, as in conv_transpose2d. Returns (n, ow, o).
    """
    return _transposed(
        "conv_transpose1d", x, w, b, strides, padding, output_padding, dilation_rate, activation, negative_slope, out
    )
