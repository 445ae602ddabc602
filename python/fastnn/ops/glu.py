from __future__ import annotations

from typing import Any

from fastnn.arrays import Array, normalize_axes
from fastnn.autograd import Needs, primitive
from fastnn.backend import floats, kernels


@primitive
def glu(x: Any, axis: int = -1, *, out: Array | None = None) -> Any:
    """Gated linear unit: y = a / (1 + e^-b), where a and b are the halves of x along axis.

    x: real, of even length along axis. Returns x's dtype, half as long along axis. Raises ValueError for an odd length
    or an axis out of range. Source: Dauphin et al., 2017.
    """
    x = floats(x)
    (at,) = normalize_axes(int(axis), x.ndim, "glu")
    run = kernels(x)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.glu_backward(x, dy, at),)

    return run.glu(x, at, out), pullback
