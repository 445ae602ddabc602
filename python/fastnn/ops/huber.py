from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import float_pair, kernels


@primitive
def huber(x: Any, target: Any, delta: float = 1.0) -> Any:
    """Huber's loss of r = x - target: y = r^2 / 2 where |r| <= delta, delta |r| - delta^2 / 2 beyond.

    x, target: real, one shape. Returns that shape, one value per element.
    Raises ValueError if the shapes differ or delta < 0. Source: Huber, 1964.
    """
    x, target = float_pair(x, target)
    run = kernels(x)
    y = run.huber(x, target, delta)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None]:
        dx = run.huber_backward(x, target, dy, delta)
        return dx if needs[0] else None, run.negative(dx) if needs[1] else None

    return y, pullback
