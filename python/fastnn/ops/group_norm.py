from __future__ import annotations

from typing import Any

from fastnn import backend
from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import Needs, primitive
from fastnn.backend import floats, kernels
from fastnn.ops.transpose import to_last_axis


@primitive
def group_norm(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    *,
    groups: int,
    axis: int = -1,
    epsilon: float = 1e-3,
    out: Array | None = None,
) -> Any:
    """Group normalisation: y = (x - mean) / sqrt(variance + epsilon) gamma + beta.

    Mean and variance are those of a sample's `groups` groups of adjacent channels, which lie along `axis`: with one
    group for each channel, instance normalisation. x: real, (n, ..., c). gamma, beta: (c,), or None for 1 and 0.
    Returns x's dtype and shape. Raises ValueError unless groups divide c. Source: Wu and He, 2018.
    """
    x = floats(x)
    run = kernels(x)
    gamma, beta = (None if p is None else backend.cast(floats(p), x.dtype) for p in (gamma, beta))
    channels = normalize_axes(axis, x.ndim, "group_norm")[0] if x.ndim else 0
    if channels == 0 and x.ndim > 1:
        raise ValueError(f"[group_norm] expected channels on another axis than the samples, got axis {axis}")
    last = channels == x.ndim - 1
    rows, restore = (x, None) if last else to_last_axis(x, axis, "group_norm")
    y, mean, inverse = run.group_norm(rows, gamma, beta, groups, epsilon, out if last else None)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, ...]:
        need_x, need_gamma, need_beta = (*needs, None, None)[:3]
        if not last:
            dy = to_last_axis(dy, axis, "group_norm")[0]
        dx, *own = run.group_norm_backward(
            *(rows, gamma, mean, inverse, dy),
            *(need is not None for need in (need_x, need_gamma, need_beta)),
            *(need_gamma and need_gamma.out, need_beta and need_beta.out),
        )
        return (dx if restore is None or dx is None else restore(dx), *own)[: len(needs)]

    return (y if restore is None else restore(y, out)), pullback
