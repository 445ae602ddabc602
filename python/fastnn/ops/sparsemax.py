from __future__ import annotations

from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import primitive
from fastnn.backend import floats
from fastnn.ops import direct
from fastnn.ops.softmax import over_axis


@direct.unary("sparsemax")
@primitive
def sparsemax(x: Any, axis: Any = -1, *, out: Array | None = None) -> Any:
    """The distribution next to x over axis: y = max(x - t, 0), with t such that it sums to 1.

    x: real, at least 1 axis. axis: one axis or several, -1 by default. Returns x's dtype and shape. The gradient of
    what is 0 is 0. Raises ValueError if x is a scalar or axis is out of range. Source: Martins and Astudillo, 2016.
    """
    return over_axis("sparsemax", floats(x), axis, out)
