"""Images made larger or smaller: nearest pixels, repeated, or bilinear interpolation."""

from __future__ import annotations

from typing import Any

from fastnn import backend
from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import floats, kernels
from fastnn.ops.pool2d import plan_of, shaped
from fastnn.ops.windows import Windows, whole_numbers

#: Repeated pixels are the gradient of windows that are added up, not divided.
_SUM = backend.function("pool_divisors")["none"]


@primitive
def resize2d(x: Any, size: Any) -> Any:
    """Bilinear interpolation between the centres of pixels, to any size.

    x: real, (n, h, w, c). size: (oh, ow), or one number. y[i, j] is x at ((i + 1/2) h / oh - 1/2, (j + 1/2) w / ow -
    1/2), beyond the centres of the outermost pixels these. Nothing is smoothed where y is smaller. Returns
    (n, oh, ow, c), as Keras's ops.image.resize without antialias and PyTorch's interpolate without align_corners.
    """
    x = floats(x)
    if x.ndim != 4:
        raise ValueError(f"[resize2d] expected x of shape (n, h, w, c), got {x.shape}")
    oh, ow = whole_numbers(size, 2, "size", "resize2d")
    run, h, w = kernels(x), x.shape[1], x.shape[2]

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.resize2d_backward(dy, h, w),)

    return run.resize2d(x, oh, ow), pullback


@primitive
def repeat_pixels(x: Any, size: Any) -> Any:
    """Every pixel size times along each axis of the image: y[n, i, ..., c] = x[n, i // size, ..., c].

    x: real, (n, t, c), (n, h, w, c) or (n, d, h, w, c). size: one number for each of these axes, or one for all.
    """
    x = floats(x)
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"[repeat_pixels] expected x of 3, 4 or 5 axes, channels last, got {x.shape}")
    times = whole_numbers(size, x.ndim - 2, "size", "repeat_pixels")
    y_shape = (x.shape[0], *(n * k for n, k in zip(x.shape[1:-1], times, strict=True)), x.shape[-1])
    plan = plan_of(y_shape, [Windows(n, k, k) for n, k in zip(x.shape[1:-1], times, strict=True)])
    run, y, x_shape = kernels(x), x, x.shape
    for h, w, larger, smaller in reversed(plan.stages):
        y = run.avg_pool2d_backward(shaped(y, smaller), larger, h, w, _SUM)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        for h, w, larger, _ in plan.stages:
            dy = run.avg_pool2d(shaped(dy, larger), h, w, _SUM)
        return (shaped(dy, x_shape),)

    return shaped(y, y_shape), pullback


def upsample2d(x: Any, size: Any, interpolation: str = "nearest") -> Any:
    """An image size times as large: (n, h, w, c) -> (n, h sh, w sw, c).

    size: (sh, sw), or one number. interpolation: "nearest" (pixels repeated) or "bilinear" (see resize2d).
    """
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"[upsample2d] expected interpolation 'nearest' or 'bilinear', got {interpolation!r}")
    if len(x.shape) != 4:
        raise ValueError(f"[upsample2d] expected x of shape (n, h, w, c), got {x.shape}")
    sh, sw = whole_numbers(size, 2, "size", "upsample2d")
    if interpolation == "nearest":
        return repeat_pixels(x, (sh, sw))
    return resize2d(x, (sh * x.shape[1], sw * x.shape[2]))
