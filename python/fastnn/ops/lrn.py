from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import floats, kernels


@primitive
def lrn(
    x: Any,
    size: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 2.0,
    *,
    out: Array | None = None,
) -> Any:
    """Local response normalisation across channels: y[i] = x[i] / (k + alpha sum_j x[j]^2)^beta.

    The sum goes over `size` adjacent channels, from size // 2 before channel i to (size - 1) // 2 behind it, as far as
    there are any; alpha is not divided by size. Defaults are AlexNet's. x: real, (..., c). Returns x's dtype and shape.
    Raises ValueError if size < 1, or k <= 0. Source: Krizhevsky, Sutskever and Hinton, 2012, section 3.3.
    """
    x = floats(x)
    if not k > 0 or alpha < 0:
        raise ValueError(f"[lrn] expected k > 0 and alpha >= 0, got {k} and {alpha}")
    run = kernels(x)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.lrn_backward(x, dy, size, alpha, beta, k),)

    return run.lrn(x, size, alpha, beta, k, out), pullback
