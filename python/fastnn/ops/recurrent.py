"""What the recurrent ops share: their activation functions as the kernels take them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import backend
from fastnn.arrays import Array
from fastnn.ops.activation import ROWS

#: By name: code and parameters of an activation that the recurrent kernels compute.
_CODES: dict[str | None, tuple[int, float, float, float]] = {
    name: (backend.unary_codes[row], p[0], p[1], p[2]) for name, (row, p) in ROWS.items()
}
_CODES[None] = _CODES["linear"]


def activation_code(op: str, argument: str, name: str | None) -> tuple[int, float, float, float]:
    """The code and parameters of the activation of that name. Raises ValueError if there is none."""
    try:
        return _CODES[name]
    except (KeyError, TypeError):
        raise ValueError(f"[{op}] expected {argument} None or one of {', '.join(ROWS)}, got {name!r}") from None


def seen(x: Array, mask: Any) -> Array:
    """x (n, t, i) with zeros where mask (n, t) leaves steps out: times 0, a NaN there would spoil sums of gradients.

    A mask of another shape is left to the kernels, which refuse it.
    """
    if mask is None or np.shape(mask) != x.shape[:2]:
        return x
    steps: Array = np.asarray(mask, bool)[..., None]
    return backend.kernels(x).where(steps, x, backend.constant(np.zeros((), x.dtype)))  # type: ignore[no-any-return]
