from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import float_pair, kernels
from fastnn.ops.cross_entropy import reduction_number, weights_like


@primitive
def mean_squared_error(x: Any, target: Any, sample_weight: Any = None, *, reduction: str | None = "none") -> Any:
    """Mean of squares over the last axis: y = w mean((x - target)^2).

    x, target: real, of one shape, (..., n). sample_weight: real, (...), or None for ones. reduction: "none" for one
    value per row, "sum", or "mean" over rows. Returns the promoted dtype, (...) or a scalar array. Gradients go to x
    and target. Raises ValueError for shapes that do not fit.
    """
    a, b = float_pair(x, target)
    number = reduction_number(reduction, "mean_squared_error")
    weight = weights_like(sample_weight, a)
    run = kernels(a)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None, None]:
        back = run.mean_squared_error_backward
        dx = back(a, b, weight, dy, number, 1.0) if needs[0] else None
        dt = back(a, b, weight, dy, number, -1.0) if needs[1] else None
        return dx, dt, None

    return run.mean_squared_error(a, b, weight, number), pullback
