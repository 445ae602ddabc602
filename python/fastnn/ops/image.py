"""Images brought to another size, as Keras's ops.image: by pixels, or by weighted sums of their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import composite
from fastnn.backend import constant
from fastnn.ops.gather import take
from fastnn.ops.gemm import matmul
from fastnn.ops.getitem import getitem
from fastnn.ops.pad import pad
from fastnn.ops.resize2d import resize2d
from fastnn.ops.transpose import reshape
from fastnn.ops.windows import channels_last, whole_numbers


def _triangle(x: Array) -> Array:
    y: Array = np.maximum(0, 1 - x)
    return y


def _keys_cubic(x: Array) -> Array:
    """Keys, 1981, with a = -1/2."""
    near, far = ((1.5 * x - 2.5) * x) * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(radius: int) -> Callable[[Array], Array]:
    return lambda x: np.where(x <= radius, np.sinc(x) * np.sinc(x / radius), 0)


#: By name: the weight of a pixel at a distance.
_WEIGHTS: dict[str, Callable[[Array], Array]] = {
    "bilinear": _triangle,
    "bicubic": _keys_cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}

INTERPOLATIONS = ("nearest", *_WEIGHTS)


@composite
def resize(
    images: Any,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images of another size: each pixel a sum over those around its place, with weights by distance that add up to 1.

    images: real, (n, h, w, c) or (h, w, c). size: (oh, ow). interpolation: "nearest", "bilinear", "bicubic" (Keys),
    "lanczos3" or "lanczos5". antialias: whether the neighbourhood grows where the result is smaller. What changes the
    ratio of the sides is cut off (crop_to_aspect_ratio) or filled up with fill_value (pad_to_aspect_ratio), half of it
    on either side. Returns (n, oh, ow, c) or (oh, ow, c).
    Raises ValueError for an unknown interpolation, other shapes, and both ways to keep the ratio.
    """
    channels_last(data_format, "resize")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"[resize] expected interpolation {', '.join(INTERPOLATIONS)}, got {interpolation!r}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("[resize] expected crop_to_aspect_ratio or pad_to_aspect_ratio, got both")
    if fill_mode != "constant":
        raise ValueError(f"[resize] expected fill_mode 'constant', got {fill_mode!r}")
    if len(images.shape) not in (3, 4):
        raise ValueError(f"[resize] expected images of shape (n, h, w, c) or (h, w, c), got {images.shape}")
    oh, ow = whole_numbers(size, 2, "size", "resize")
    x = reshape(images, (1, *images.shape)) if len(images.shape) == 3 else images
    if crop_to_aspect_ratio:
        x = _cropped(x, oh, ow)
    elif pad_to_aspect_ratio:
        x = _padded(x, oh, ow, fill_value)
    y = _resized(x, oh, ow, interpolation, bool(antialias))
    return reshape(y, (*images.shape[:-3], oh, ow, images.shape[-1]))


def _cropped(x: Any, oh: int, ow: int) -> Any:
    """The largest part in the middle that has the ratio oh : ow."""
    h, w = x.shape[1:3]
    kept_h, kept_w = max(min(h, int(w * oh / ow)), 1), max(min(w, int(h * ow / oh)), 1)
    top, left = (h - kept_h) // 2, (w - kept_w) // 2
    return getitem(x, (slice(None), slice(top, top + kept_h), slice(left, left + kept_w)))


def _padded(x: Any, oh: int, ow: int, value: float) -> Any:
    """An image around it that has the ratio oh : ow, as far as both sides of it get as many pixels."""
    h, w = x.shape[1:3]
    beside = (max(int(w * oh / ow) - h, 0) // 2, max(int(h * ow / oh) - w, 0) // 2)
    return pad(x, ((0, 0), *((m, m) for m in beside), (0, 0)), constant_values=value)


def _resized(x: Any, oh: int, ow: int, interpolation: str, antialias: bool) -> Any:
    n, h, w, c = x.shape
    if interpolation == "nearest":
        rows, cols = (np.floor((np.arange(m) + 0.5) * k / m).astype(np.int64) for m, k in ((oh, h), (ow, w)))
        return take(take(x, constant(rows), axis=1), constant(cols), axis=2)
    if interpolation == "bilinear" and not (antialias and (oh < h or ow < w)):
        return resize2d(x, (oh, ow))
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    down, across = (constant(_table(k, m, interpolation, antialias, dtype)) for k, m in ((h, oh), (w, ow)))
    tall = reshape(matmul(down, reshape(x, (n, h, w * c))), (n * oh, w, c))
    return reshape(matmul(across, tall), (n, oh, ow, c))


@lru_cache(maxsize=64)
def _table(n: int, out: int, interpolation: str, antialias: bool, dtype: Any) -> Array:
    """(out, n): the weight of each of n pixels in each of `out`; beyond the ends nothing is there."""
    place = (np.arange(out) + 0.5) * n / out - 0.5
    width = max(n / out, 1) if antialias else 1.0
    weights = _WEIGHTS[interpolation](np.abs(place[:, None] - np.arange(n)) / width)
    table: Array = (weights / weights.sum(axis=1, keepdims=True)).astype(dtype)
    table.flags.writeable = False
    return table
