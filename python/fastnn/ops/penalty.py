from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import floats, kernels


@primitive
def penalty(x: Any, l1: float = 0.0, l2: float = 0.0) -> Any:
    """Penalty of weights: y = l1 sum(|x|) + l2 sum(x^2). The gradient at 0 is 0.

    x: real, any shape. Returns x's dtype, a scalar array.
    """
    x = floats(x)
    run = kernels(x)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.penalty_backward(x, dy, l1, l2),)

    return run.penalty(x, l1, l2), pullback
