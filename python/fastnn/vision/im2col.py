"""Convolution as a matrix product, for looking at: windows as rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.ops.windows import Windows, paddings, whole_numbers, windows_over


def im2col(x: Any, window: Any, strides: Any = 1, padding: Any = "valid") -> Array:
    """Every window of an image: (n, h, w, c) -> (n, oh, ow, kh, kw, c). A read-only view; of a copy if padded.

    window: (kh, kw), or one number. strides, padding: as for ops.max_pool2d. With a kernel w: (kh, kw, c, o),
    im2col(x, ...).reshape(-1, kh*kw*c) @ w.reshape(-1, o) is the convolution, (n*oh*ow, o).
    """
    x = np.asarray(x)
    if x.ndim != 4:
        raise ValueError(f"[im2col] expected x of shape (n, h, w, c), got {x.shape}")
    sizes, steps = whole_numbers(window, 2, "window", "im2col"), whole_numbers(strides, 2, "strides", "im2col")
    found = windows_over(x.shape[1:3], sizes, steps, paddings(padding, 2, "im2col"), "im2col")
    sides = [_sides(n, w) for n, w in zip(x.shape[1:3], found, strict=True)]
    if any(map(any, sides)):
        x = np.pad(x, ((0, 0), *sides, (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(x, sizes, axis=(1, 2))  # (n, all, all, c, kh, kw)
    return view[:, :: steps[0], :: steps[1]][:, : found[0].out, : found[1].out].transpose(0, 1, 2, 4, 5, 3)


def _sides(length: int, windows: Windows) -> tuple[int, int]:
    """Zeros before and behind an axis that its windows reach."""
    end = (windows.out - 1) * windows.step + windows.size - windows.before
    return windows.before, max(0, end - length)


def dense_as_convolution(kernel: Any, image_shape: tuple[int, int, int]) -> Array:
    """The kernel of a convolution that does what a dense layer does to a flattened image.

    kernel: (h*w*c, u), of the dense layer. image_shape: (h, w, c). Returns (h, w, c, u): over an image of that size
    one window, and over a larger one a map of outputs, as if the network had been run at every place.
    """
    kernel = np.asarray(kernel)
    h, w, c = image_shape
    if kernel.ndim != 2 or len(kernel) != h * w * c:
        raise ValueError(f"[dense_as_convolution] expected a kernel of shape ({h * w * c}, u), got {kernel.shape}")
    filters: Array = kernel.reshape(h, w, c, kernel.shape[1])
    return filters
