"""Losses of the residual x - target, with the mean over the last axis and the reduction over rows in the kernel."""

from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import float_pair, kernels
from fastnn.ops.cross_entropy import reduction_number, weights_like

#: What each makes of a residual, as the kernels number it.
_RESIDUALS = {"mean_squared_error": 0, "mean_absolute_error": 1, "huber": 2, "log_cosh": 3}


def _regression_loss(
    name: str, x: Any, target: Any, sample_weight: Any, reduction: str | None, factor: float, delta: float = 1.0
) -> Any:
    a, b = float_pair(x, target)
    settings = (_RESIDUALS[name], reduction_number(reduction, name), delta, factor)
    weight = weights_like(sample_weight, a)
    run = kernels(a)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None, None]:
        back = run.regression_loss_backward
        dx = back(a, b, weight, dy, *settings, 1.0) if needs[0] else None
        dt = back(a, b, weight, dy, *settings, -1.0) if needs[1] else None
        return dx, dt, None

    return run.regression_loss(a, b, weight, *settings), pullback


@primitive
def mean_squared_error(
    x: Any, target: Any, sample_weight: Any = None, *, reduction: str | None = "none", factor: float = 1.0
) -> Any:
    """Mean of squares over the last axis: y = factor w mean((x - target)^2).

    x, target: real, of one shape, (..., n). sample_weight: real, (...), or None for ones. reduction: "none" for one
    value per row, "sum", or "mean" over rows. Returns the promoted dtype, (...) or a scalar array. Gradients go to x
    and target. Raises ValueError for shapes that do not fit.
    """
    return _regression_loss("mean_squared_error", x, target, sample_weight, reduction, factor)


@primitive
def mean_absolute_error(
    x: Any, target: Any, sample_weight: Any = None, *, reduction: str | None = "none", factor: float = 1.0
) -> Any:
    """Mean of absolute values over the last axis: y = factor w mean(|x - target|). The gradient of equal values is 0.

    Arguments, result and errors as in mean_squared_error.
    """
    return _regression_loss("mean_absolute_error", x, target, sample_weight, reduction, factor)


@primitive
def huber(
    x: Any,
    target: Any,
    sample_weight: Any = None,
    *,
    delta: float = 1.0,
    reduction: str | None = "none",
    factor: float = 1.0,
) -> Any:
    """Huber's loss: y = factor w mean(f(x - target)): f(d) = d^2 / 2 for |d| <= delta, else delta |d| - delta^2 / 2.

    Arguments, result and errors as in mean_squared_error; ValueError also if delta < 0. Source: Huber, 1964.
    """
    return _regression_loss("huber", x, target, sample_weight, reduction, factor, delta)


@primitive
def log_cosh(
    x: Any, target: Any, sample_weight: Any = None, *, reduction: str | None = "none", factor: float = 1.0
) -> Any:
    """Mean logarithm of the hyperbolic cosine over the last axis: y = factor w mean(ln(cosh(x - target))).

    d^2 / 2 for small d and |d| - ln(2) for large ones, without overflow and without loss of digits. Arguments, result
    and errors as in mean_squared_error.
    """
    return _regression_loss("log_cosh", x, target, sample_weight, reduction, factor)
