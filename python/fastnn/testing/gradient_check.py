"""Gradients of any function of arrays, held to central differences of the function itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.autograd import raw, vjp
from fastnn.testing.differences import slopes


def gradcheck(fn: Callable[..., Any], *arrays: Any, step: float = 1e-6, rtol: float = 1e-5, atol: float = 1e-6) -> bool:
    """True if the gradients of fn at arrays agree with central differences; raises AssertionError where they do not.

    fn: a function of arrays made of fastnn.ops, a layer or a model, returning one array. arrays: float64; anything
        else raises TypeError, since differences in float32 prove nothing.
    step: of the differences. rtol, atol: what may be left between the two.
    """
    given = [np.asarray(raw(x)) for x in arrays]
    for position, x in enumerate(given):
        if x.dtype != np.float64:
            raise TypeError(f"[gradcheck] expected float64 arrays, got {x.dtype} at position {position}")
    y, pullback = vjp(fn, *given)
    dy = np.random.default_rng(0).standard_normal(np.shape(y))
    for i, dx in enumerate(pullback(dy)):
        for direction, slope in slopes(lambda *xs: raw(fn(*xs)), given, i, dy, step):
            np.testing.assert_allclose(
                np.sum(dx * direction), slope, rtol=rtol, atol=atol, err_msg=f"[gradcheck] gradient of argument {i}"
            )
    return True
