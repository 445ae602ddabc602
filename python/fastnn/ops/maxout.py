from __future__ import annotations

from typing import Any

from fastnn.arrays import normalize_axes
from fastnn.ops.reduce import max as reduce_max
from fastnn.ops.transpose import reshape


def maxout(x: Any, num_units: int, axis: int = -1) -> Any:
    """Largest of each group of k along axis: y[..., u, ...] = max(x[..., u k : (u + 1) k, ...]).

    Ties share the gradient. x: real, with num_units k elements along axis. Returns x's dtype, with num_units elements
    along axis. Raises ValueError if num_units does not divide the length. Source: Goodfellow et al., 2013.
    """
    shape = x.shape
    (at,) = normalize_axes(int(axis), len(shape), "maxout")
    if num_units < 1 or shape[at] % num_units:
        raise ValueError(f"[maxout] expected num_units to divide the {shape[at]} of x {shape}, got {num_units}")
    groups = reshape(x, (*shape[:at], num_units, shape[at] // num_units, *shape[at + 1 :]))
    return reduce_max(groups, at + 1)
