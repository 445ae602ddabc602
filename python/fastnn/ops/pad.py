from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import backend
from fastnn.arrays import Array
from fastnn.autograd import Needs, primitive
from fastnn.backend import floats, kernels, not_recordable
from fastnn.ops.integers import integral, integral_array

_MODES = backend.function("pad_modes")


@primitive
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: float | None = None) -> Any:
    """x with more elements around it: y[i + before] = x[i], and around that what mode says.

    x: real, any shape. pad_width: for each axis (before, after); one pair, or one number, for all. mode: "constant",
    "edge" (the outermost elements), "reflect" or "symmetric" (mirror images, without or with the outermost elements),
    as in NumPy. constant_values: 0 if None; for mode "constant" alone. Raises ValueError for an unknown mode, and for
    negative or missing widths. Where elements of x appear several times, their gradient is the sum.
    Integers stay integers, padded by NumPy.
    """
    whole = integral_array(x) and integral(constant_values or 0)
    x = np.asarray(x) if whole else floats(x)
    if mode not in _MODES:
        raise ValueError(f"[pad] expected mode {', '.join(_MODES)}, got {mode!r}")
    if mode != "constant" and constant_values is not None:
        raise ValueError(f"[pad] expected no constant_values with mode {mode!r}, got {constant_values!r}")
    widths = _widths(pad_width, x.ndim)
    if whole:
        not_recordable()
        options: Any = {"constant_values": constant_values} if constant_values else {}
        return np.pad(x, widths, mode, **options), None  # type: ignore[call-overload]
    run, shape, code = kernels(x), x.shape, _MODES[mode]

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.pad_backward(dy, shape, widths, code),)

    return run.pad(x, widths, code, float(constant_values or 0)), pullback


def _widths(pad_width: Any, axes: int) -> tuple[tuple[int, int], ...]:
    try:
        pairs = np.broadcast_to(np.asarray(pad_width), (axes, 2)).tolist()
        if all(type(side) is int and side >= 0 for pair in pairs for side in pair):
            return tuple((before, after) for before, after in pairs)
    except ValueError:
        pass
    raise ValueError(f"[pad] expected pad_width of {axes} pairs of integers >= 0, got {pad_width!r}")
