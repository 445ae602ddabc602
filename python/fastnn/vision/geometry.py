"""How large what convolutions and pooling make is, what it sees of the input, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from fastnn.arrays import Shape


def output_size(n: int, f: int, padding: int = 0, stride: int = 1) -> int:
    """floor((n + 2 padding - f) / stride) + 1: places of a window f wide over n elements.

    Raises ValueError if the window does not fit.
    """
    if f < 1 or stride < 1 or padding < 0 or n + 2 * padding < f:
        raise ValueError(f"[output_size] expected a window that fits, got {f} over {n} with padding {padding}")
    return (n + 2 * padding - f) // stride + 1


def same_padding(f: int) -> int:
    """(f - 1) / 2: what keeps the size at stride 1, for odd windows."""
    if f % 2 == 0:
        raise ValueError(f"[same_padding] expected an odd window, got {f}")
    return (f - 1) // 2


def receptive_field(windows: Iterable[tuple[int, int]]) -> int:
    """How many elements of the input one output sees along an axis: 1 + sum_i (f_i - 1) prod_(j < i) s_j.

    windows: (f, s) of every layer, the first one first: window and stride.
    """
    field, step = 1, 1
    for f, stride in windows:
        field += (f - 1) * step
        step *= stride
    return field


def convolution_multiplications(output_shape: Shape, window: Shape, channels: int, groups: int = 1) -> int:
    """Multiplications of a convolution for one image: oh ow o kh kw c / groups.

    output_shape: (oh, ow, o). window: (kh, kw). channels: c.
    """
    return prod(output_shape) * prod(window) * (channels // groups)


def bottleneck_multiplications(output_shape: Shape, window: Shape, channels: int, between: int) -> int:
    """The same by way of a 1x1 convolution to fewer channels: oh ow (c m + kh kw m o), with m = between."""
    reduced = (*output_shape[:2], between)
    first = convolution_multiplications(reduced, (1, 1), channels)
    return first + convolution_multiplications(output_shape, window, between)


def separable_multiplications(output_shape: Shape, window: Shape, channels: int) -> int:
    """The same in two steps, within each channel and across channels: oh ow c (kh kw + o).

    1 / o + 1 / (kh kw) of the full convolution.
    """
    within = convolution_multiplications((*output_shape[:2], channels), window, channels, channels)
    return within + convolution_multiplications(output_shape, (1, 1), channels)
