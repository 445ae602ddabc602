"""Convolution of each channel by itself, in two dimensions and one, and what is made of it."""

from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import primitive
from fastnn.ops.conv2d import Lengths, Padding, Statistics, convolution, window


@primitive
def depthwise_conv2d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    strides: Lengths = 1,
    padding: Padding = "valid",
    dilation_rate: Lengths = 1,
    activation: str | None = None,
    negative_slope: float = 0.2,
    out: Array | None = None,
    statistics: Statistics | None = None,
) -> Any:
    """Depthwise convolution: y[n, i, j, p m + q] = activation(b[p m + q] + sum_{k, l} x[n, i s + k d, j s + l d, p]
    w[k, l, p, q]).

    x: real, (n, h, w, c). w: (kh, kw, c, m), m kernels for each channel. b: (c m,) or None. The rest, and what is
    raised, as in conv2d. Returns (n, oh, ow, c m).
    """
    moves = window("depthwise_conv2d", strides, padding, dilation_rate)
    settings = (moves, activation, negative_slope, out, statistics)
    return convolution("depthwise_conv2d", "depthwise_conv2d", x, w, b, *settings)


@primitive
def depthwise_conv1d(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    strides: Lengths = 1,
    padding: Padding = "valid",
    dilation_rate: Lengths = 1,
    activation: str | None = None,
    negative_slope: float = 0.2,
    out: Array | None = None,
    statistics: Statistics | None = None,
) -> Any:
    """Depthwise convolution along one axis: y[n, j, p m + q] = activation(b[p m + q] + sum_l x[n, j s + l d, p] w[l, p,
    q]).

    x: real, (n, w, c). w: (kw, c, m). The rest, and what is raised, as in conv1d. Returns (n, ow, c m).
    """
    moves = window("depthwise_conv1d", strides, padding, dilation_rate)
    settings = (moves, activation, negative_slope, out, statistics)
    return convolution("depthwise_conv2d", "depthwise_conv1d", x, w, b, *settings)
