"""Filters drawn by hand, as kernels of a convolution without flipping."""

from __future__ import annotations

import numpy as np

from fastnn.arrays import Array

#: Each finds edges between a bright left and a dark right side.
_VERTICAL = {
    "prewitt": [[1, 0, -1], [1, 0, -1], [1, 0, -1]],
    "sobel": [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    "scharr": [[3, 0, -3], [10, 0, -10], [3, 0, -3]],
}


def edge_filter(kind: str = "prewitt", direction: str = "vertical") -> Array:
    """A 3x3 filter for edges: (3, 3) of float32.

    kind: "prewitt" (rows 1 0 -1), "sobel" (the middle row counts twice) or "scharr" (3, 10, 3 times). direction:
    "vertical" for edges from top to bottom, positive where it is brighter on the left; "horizontal", positive where it
    is brighter above.
    """
    if kind not in _VERTICAL:
        raise ValueError(f"[edge_filter] expected kind {', '.join(_VERTICAL)}, got {kind!r}")
    if direction not in ("vertical", "horizontal"):
        raise ValueError(f"[edge_filter] expected direction 'vertical' or 'horizontal', got {direction!r}")
    kernel = np.array(_VERTICAL[kind], np.float32)
    return kernel if direction == "vertical" else kernel.T.copy()


def curve_detector() -> Array:
    """A 7x7 filter for a curve that bends from the right above to the bottom: six elements are 30, the others 0."""
    kernel = np.zeros((7, 7), np.float32)
    for row, column in ((1, 5), (2, 4), (3, 3), (4, 3), (5, 3), (6, 3)):
        kernel[row, column] = 30
    return kernel


def as_kernel(filters: Array, channels: int = 1) -> Array:
    """Filters as the kernel of a convolution: (kh, kw) or (kh, kw, o) -> (kh, kw, channels, o), the same for each."""
    filters = np.asarray(filters)
    if filters.ndim == 2:
        filters = filters[..., None]
    if filters.ndim != 3:
        raise ValueError(f"[as_kernel] expected filters of shape (kh, kw) or (kh, kw, o), got {filters.shape}")
    return np.repeat(filters[:, :, None], channels, axis=2)


def rescaled(image: Array, low: float = 0.0, high: float = 255.0) -> Array:
    """image with its smallest element at low and its largest at high, for looking at; low where all are equal."""
    image = np.asarray(image, np.float64)
    span = np.ptp(image)
    return low + (image - image.min()) * ((high - low) / span) if span else np.full(image.shape, low)
