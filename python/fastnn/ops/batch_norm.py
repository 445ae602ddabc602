"""Normalisation by channel: over the batch, by given statistics; and Keras's name for the second."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import backend
from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import WANT, Needs, primitive
from fastnn.backend import constant, floats, kernels
from fastnn.ops.activation import ROWS
from fastnn.ops.transpose import to_last_axis

#: The activations that are applied in the pass that normalises.
ACTIVATIONS = ("linear", "relu", "leaky_relu", "relu6", "silu")

#: By name: the kernels' code and its parameters.
_CODES: dict[str | None, tuple[int, float, float, float]] = {
    name: (backend.unary_codes[ROWS[name][0]], *ROWS[name][1])  # type: ignore[misc]
    for name in ACTIVATIONS
}
_CODES[None] = _CODES["linear"]


def activation_code(activation: str | None, where: str) -> tuple[int, float, float, float]:
    """How kernels know one of ACTIVATIONS. Raises ValueError, on behalf of `where`."""
    try:
        return _CODES[activation]
    except (KeyError, TypeError):
        raise ValueError(
            f"[{where}] expected activation None or one of {', '.join(ACTIVATIONS)}, got {activation!r}"
        ) from None


def _last(axis: int, x: Array, where: str) -> bool:
    return axis == -1 or normalize_axes(axis, x.ndim, where)[0] == x.ndim - 1


def _like(x: Array, *parameters: Any) -> list[Array | None]:
    """The parameters in x's dtype."""
    return [None if p is None else backend.cast(floats(p), x.dtype) for p in parameters]


@primitive
def batch_norm(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    moving_mean: Any = None,
    moving_variance: Any = None,
    *,
    axis: int = -1,
    momentum: float = 0.99,
    epsilon: float = 1e-3,
    activation: str | None = None,
    mask: Any = None,
    out: Array | None = None,
) -> Any:
    """Batch normalisation: y = activation((x - mean) / sqrt(variance + epsilon) gamma + beta).

    Mean and variance (the sum of squares about the mean, divided by their number) are those of x over all axes but
    `axis`. x: real, (..., c). gamma, beta: (c,), or None for 1 and 0. moving_mean, moving_variance: writable arrays of
    x's dtype, (c,), or None: each becomes momentum m + (1 - momentum) statistic. activation: None or one of
    ACTIVATIONS. mask: (...), True for what counts in the statistics, with `axis` the last; all of x is normalised.
    Returns x's dtype and shape. No gradient flows to the moving statistics, which stay as they are if nothing counts.
    Raises ValueError for shapes that do not fit. Source: Ioffe and Szegedy, 2015.
    """
    x = floats(x)
    run, code = kernels(x), activation_code(activation, "batch_norm")
    gamma, beta = _like(x, gamma, beta)
    last = _last(axis, x, "batch_norm")
    if mask is not None:
        if not last or np.ndim(mask) != x.ndim - 1:
            raise ValueError(
                "[batch_norm] expected a mask of one axis less than x, and axis the last, "
                f"got mask {np.shape(mask)}, x {x.shape} and axis {axis}"
            )
        mask = np.broadcast_to(np.asarray(mask, bool), x.shape[:-1])
    rows, restore = (x, None) if last else to_last_axis(x, axis, "batch_norm")
    y, mean, inverse = run.batch_norm(
        rows, gamma, beta, mask, moving_mean, moving_variance, momentum, epsilon, *code, out if last else None
    )

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, ...]:
        grads = _backward(run, rows, gamma, beta, mask, mean, inverse, _rows(dy, axis, last), False, code, needs)
        return grads if restore is None else (_restored(restore, grads[0]), *grads[1:])

    return (y if restore is None else restore(y, out)), pullback


def _rows(dy: Array, axis: int, last: bool) -> Array:
    return dy if last else to_last_axis(dy, axis, "batch_norm")[0]


def _restored(restore: Any, dx: Array | None) -> Array | None:
    return None if dx is None else restore(dx)


def _backward(
    run: Any,
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    mask: Array | None,
    mean: Array,
    inverse: Array,
    dy: Array,
    given: bool,
    code: tuple[int, float, float, float],
    needs: Needs,
) -> tuple[Array | None, ...]:
    """(dx, dgamma, dbeta, None, None), as long as needs."""
    need_x, need_gamma, need_beta = (*needs, None, None)[:3]
    grads: tuple[Array | None, ...] = run.batch_norm_backward(
        x,
        gamma,
        beta,
        mask,
        mean,
        inverse,
        dy,
        given,
        *code,
        need_x is not None,
        need_gamma is not None,
        need_beta is not None,
        need_gamma and need_gamma.out,
        need_beta and need_beta.out,
    )
    return (*grads, None, None)[: len(needs)]


@primitive
def batch_norm_inference(
    x: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    variance: Any,
    *,
    axis: int = -1,
    epsilon: float = 1e-3,
    activation: str | None = None,
    out: Array | None = None,
) -> Any:
    """Normalisation by given statistics: y = activation((x - mean) / sqrt(variance + epsilon) gamma + beta).

    x: real, (..., c). gamma, beta: (c,), or None for 1 and 0. mean, variance: (c,), one value for each place along
    `axis`. activation: None or one of ACTIVATIONS. Returns x's dtype and shape. Raises ValueError for shapes that do
    not fit.
    """
    x = floats(x)
    run, code = kernels(x), activation_code(activation, "batch_norm_inference")
    gamma, beta, mean, variance = _like(x, gamma, beta, mean, variance)
    last = _last(axis, x, "batch_norm_inference")
    rows, restore = (x, None) if last else to_last_axis(x, axis, "batch_norm_inference")
    y, inverse = run.batch_norm_inference(rows, gamma, beta, mean, variance, epsilon, *code, out if last else None)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, ...]:
        dy = _rows(dy, axis, last)
        of_mean, of_variance = needs[3] is not None, needs[4] is not None
        if not (of_mean or of_variance):
            grads = _backward(run, rows, gamma, beta, None, mean, inverse, dy, True, code, needs)
        else:
            both = [need or WANT for need in needs]
            grads = _backward(run, rows, gamma, beta, None, mean, inverse, dy, True, code, both)
            grads = (*grads[:3], *_of_statistics(run, gamma, inverse, grads[1], grads[2]))
        return grads if restore is None else (_restored(restore, grads[0]), *grads[1:])

    return (y if restore is None else restore(y, out)), pullback


def _of_statistics(
    run: Any, gamma: Array | None, inverse: Array, dgamma: Array | None, dbeta: Array | None
) -> tuple[Array, Array]:
    """(dmean, dvariance): -gamma inverse dbeta and -gamma inverse^2 dgamma / 2."""
    scale = inverse if gamma is None else run.multiply(gamma, inverse)
    half = constant(np.asarray(-0.5, inverse.dtype))
    product = run.multiply(scale, run.multiply(inverse, dgamma))
    return run.negative(run.multiply(scale, dbeta)), run.multiply(half, product)


def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """Normalisation by given statistics, as Keras names it: y = (x - mean) / sqrt(variance + epsilon) scale + offset.

    x: real, (..., c). mean, variance, offset, scale: (c,), along `axis`. Returns x's dtype and shape. Every argument
    has a gradient. Raises ValueError for shapes that do not fit.
    """
    return batch_norm_inference(x, scale, offset, mean, variance, axis=axis, epsilon=epsilon)
