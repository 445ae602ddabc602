"""Keras's names for convolutions over one, two and three axes, and those over three as sums of such over two."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from fastnn.autograd import composite, raw
from fastnn.backend import full
from fastnn.ops.activation import activate
from fastnn.ops.concatenate import concatenate, stack
from fastnn.ops.conv2d import Lengths, Padding, conv1d, conv2d, lengths, pads
from fastnn.ops.conv_transpose2d import conv_transpose1d, conv_transpose2d, crops
from fastnn.ops.dense import epilogue
from fastnn.ops.depthwise_conv2d import depthwise_conv1d, depthwise_conv2d
from fastnn.ops.elementwise import add
from fastnn.ops.getitem import getitem
from fastnn.ops.transpose import reshape


def _needs_axes(op: str, x: Any, w: Any, groups: int = 1, transposed: bool = False) -> None:
    """Errors over three axes, before those of the planes."""
    x_shape, w_shape = raw(x).shape, raw(w).shape
    kernel = "(kd, kh, kw, o, c)" if transposed else "(kd, kh, kw, c / groups, o)"
    for name, shape, wanted in (("x", x_shape, "(n, d, h, w, c)"), ("w", w_shape, kernel)):
        if len(shape) != 5:
            raise ValueError(f"[{op}] expected {name} with 5 axes {wanted}, got {shape}")
    (groups,) = lengths(op, "groups", groups, 1)
    channels = w_shape[4] if transposed else w_shape[3] * groups
    if channels != x_shape[4]:
        of_groups = "" if groups == 1 else f" / {groups}"
        raise ValueError(
            f"[{op}] expected w {kernel} with {x_shape[4]}{of_groups} channels in, got x {x_shape} and w {w_shape}"
        )
    if w_shape[4] % groups:
        raise ValueError(f"[{op}] expected filters that groups divides, got groups {groups} and w {w_shape}")


def _flat(x: Any) -> Any:
    """(n, d, h, w, c) -> (n d, h, w, c)"""
    shape = raw(x).shape
    return reshape(x, (shape[0] * shape[1], *shape[2:]))


def _total(terms: list[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = add(total, term)
    return total


@composite
def conv3d(
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
) -> Any:
    """3D convolution: y[n, h, i, j, q] = activation(b[q] + sum_{m, k, l, p} x[n, h s + m d, i s + k d, j s + l d, p]
    w[m, k, l, p, q]).

    x: real, (n, d, h, w, c). w: (kd, kh, kw, c / groups, o). The rest as in conv2d: it is the sum of one 2D convolution
    of all planes for each plane of the kernel. Returns (n, od, oh, ow, o).
    """
    op = "conv3d"
    epilogue(op, activation, negative_slope)
    _needs_axes(op, x, w, groups)
    steps, spread = lengths(op, "strides", strides, 3), lengths(op, "dilation_rate", dilation_rate, 3)
    same, sides = pads(op, padding, 3)
    (n, d, height, width, c), kd = raw(x).shape, raw(w).shape[0]
    (before, after), window = sides[0], (kd - 1) * spread[0] + 1
    if same:
        missing = max(0, (-(-d // steps[0]) - 1) * steps[0] + window - d)
        before, after = missing // 2, missing - missing // 2
    if window > d + before + after:
        raise ValueError(
            f"[{op}] expected a kernel that fits into the padded image of depth {d + before + after}, got one that "
            f"covers {window}"
        )
    if before or after:
        ends = [full((n, size, height, width, c), 0.0, raw(x).dtype) for size in (before, after)]
        x = concatenate([ends[0], x, ends[1]], axis=1)
    depth = (d + before + after - window) // steps[0] + 1
    moves = {"strides": steps[1:], "padding": "same" if same else sides[1:], "dilation_rate": spread[1:]}
    terms = []
    for m in range(kd):
        first = m * spread[0]
        planes = getitem(x, (slice(None), slice(first, first + (depth - 1) * steps[0] + 1, steps[0])))
        terms.append(conv2d(_flat(planes), getitem(w, m), b if m == 0 else None, groups=groups, **moves))
    y = _total(terms)
    y = reshape(y, (n, depth, *raw(y).shape[1:]))
    return y if activation is None else activate(y, activation=activation, negative_slope=negative_slope)


@composite
def conv_transpose3d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    strides: Lengths = 1,
    padding: Padding = "valid",
    output_padding: Lengths | None = None,
    dilation_rate: Lengths = 1,
) -> Any:
    """Transposed convolution over three axes, as conv_transpose2d.

    x: real, (n, d, h, w, c). w: (kd, kh, kw, o, c). Returns (n, od, oh, ow, o).
    """
    op = "conv_transpose3d"
    _needs_axes(op, x, w, transposed=True)
    steps, spread = lengths(op, "strides", strides, 3), lengths(op, "dilation_rate", dilation_rate, 3)
    same, sides = pads(op, padding, 3)
    extra = (None,) * 3 if output_padding is None else lengths(op, "output_padding", output_padding, 3, 0)
    (n, d), kd = raw(x).shape[:2], raw(w).shape[0]
    window = (kd - 1) * spread[0] + 1
    before, after = crops(steps[0], window, same, sides[0], extra[0])
    depth = (d - 1) * steps[0] + window - before - after
    flat = _flat(x)
    moves: dict[str, Any] = {"strides": steps[1:], "dilation_rate": spread[1:]}
    moves["padding"] = "same" if same else sides[1:]
    moves["output_padding"] = None if output_padding is None else extra[1:]
    planes = [conv_transpose2d(flat, getitem(w, m), **moves) for m in range(kd)]
    planes = [reshape(p, (n, d, *raw(p).shape[1:])) for p in planes]
    found = []
    for at in range(before, before + depth):
        terms = [
            getitem(planes[m], (slice(None), (at - m * spread[0]) // steps[0]))
            for m in range(kd)
            if (at - m * spread[0]) % steps[0] == 0 and 0 <= (at - m * spread[0]) // steps[0] < d
        ]
        found.append(_total(terms) if terms else full((n, *raw(planes[0]).shape[2:]), 0.0, raw(planes[0]).dtype))
    y = stack(found, axis=1)
    return y if b is None else add(y, b)


def _by_axes(op: str, functions: dict[int, Callable[..., Any]], x: Any, data_format: str | None) -> Callable[..., Any]:
    if data_format not in (None, "channels_last"):
        raise ValueError(f"[{op}] expected data_format 'channels_last', got {data_format!r}")
    axes = len(x.shape) - 2
    if axes not in functions:
        wanted = " or ".join(str(a + 2) for a in functions)
        raise ValueError(f"[{op}] expected inputs with {wanted} axes, got shape {tuple(x.shape)}")
    return functions[axes]


@composite
def conv(
    inputs: Any,
    kernel: Any,
    strides: Lengths = 1,
    padding: Padding = "valid",
    data_format: str | None = None,
    dilation_rate: Lengths = 1,
) -> Any:
    """Convolution over one, two or three axes: conv1d, conv2d or conv3d, as inputs have axes.

    inputs: (n, ..., c). kernel: (..., c / groups, o), which tells the number of groups. Raises ValueError as these do.
    """
    function = _by_axes("conv", {1: conv1d, 2: conv2d, 3: conv3d}, inputs, data_format)
    groups = max(1, inputs.shape[-1] // max(1, kernel.shape[-2]))
    return function(inputs, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate, groups=groups)


@composite
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Lengths = 1,
    padding: Padding = "valid",
    data_format: str | None = None,
    dilation_rate: Lengths = 1,
) -> Any:
    """Convolution of each channel by itself, over one or two axes: depthwise_conv1d or depthwise_conv2d.

    inputs: (n, ..., c). kernel: (..., c, m). Returns (n, ..., c m).
    """
    function = _by_axes("depthwise_conv", {1: depthwise_conv1d, 2: depthwise_conv2d}, inputs, data_format)
    return function(inputs, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate)


@composite
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Lengths = 1,
    padding: Padding = "valid",
    data_format: str | None = None,
    dilation_rate: Lengths = 1,
) -> Any:
    """Depthwise convolution, and a convolution of windows of one pixel over its channels.

    inputs: (n, ..., c). depthwise_kernel: (..., c, m). pointwise_kernel: (1, ..., c m, o). Returns (n, ..., o).
    """
    y = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    channels = y.shape[-1]
    if prod(pointwise_kernel.shape[:-2]) != 1 or pointwise_kernel.shape[-2] != channels:
        raise ValueError(
            f"[separable_conv] expected pointwise_kernel (1, ..., {channels}, o), "
            f"got shape {tuple(pointwise_kernel.shape)}"
        )
    return conv(y, pointwise_kernel)


@composite
def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Lengths = 1,
    padding: Padding = "valid",
    output_padding: Lengths | None = None,
    data_format: str | None = None,
    dilation_rate: Lengths = 1,
) -> Any:
    """Transposed convolution over one, two or three axes.

    inputs: (n, ..., c). kernel: (..., o, c). Returns (n, ..., o).
    """
    functions = {1: conv_transpose1d, 2: conv_transpose2d, 3: conv_transpose3d}
    function = _by_axes("conv_transpose", functions, inputs, data_format)
    return function(
        inputs, kernel, strides=strides, padding=padding, output_padding=output_padding, dilation_rate=dilation_rate
    )
