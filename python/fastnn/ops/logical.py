"""Functions of truth values: what is not 0 counts as true."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import F32, Array
from fastnn.autograd import composite, raw
from fastnn.backend import cast
from fastnn.ops.elementwise import equal, greater, maximum, minimum, not_equal
from fastnn.ops.reduce import max as largest
from fastnn.ops.reduce import min as smallest


def _truth(x: Any) -> Array:
    """1.0 where x is true, else 0.0."""
    array = np.asarray(raw(x))
    return cast(array if array.dtype == bool else not_equal(array, 0.0), F32)


@composite
def logical_and(x1: Any, x2: Any) -> Array:
    """True where both are. x1, x2: real or bool, shapes that broadcast together. Returns bool."""
    both: Array = greater(minimum(_truth(x1), _truth(x2)), 0.5)
    return both


@composite
def logical_or(x1: Any, x2: Any) -> Array:
    """True where one is. x1, x2: real or bool, shapes that broadcast together. Returns bool."""
    either: Array = greater(maximum(_truth(x1), _truth(x2)), 0.5)
    return either


@composite
def logical_xor(x1: Any, x2: Any) -> Array:
    """True where exactly one is. x1, x2: real or bool, shapes that broadcast together. Returns bool."""
    one: Array = not_equal(_truth(x1), _truth(x2))
    return one


@composite
def logical_not(x: Any) -> Array:
    """True where x is not. x: real or bool, any shape. Returns bool."""
    negated: Array = equal(_truth(x), 0.0)
    return negated


@composite
def any(x: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """True if one element along axis is. x: real or bool. axis: None for all, one or several. Returns bool."""
    array = _truth(x)
    if array.size == 0:
        return np.asarray(np.any(array, axis, keepdims=keepdims))
    found: Array = greater(largest(array, axis, keepdims), 0.5)
    return found


@composite
def all(x: Any, axis: Any = None, keepdims: bool = False) -> Array:
    """True if every element along axis is. x: real or bool. axis: None for all, one or several. Returns bool."""
    array = _truth(x)
    if array.size == 0:
        return np.asarray(np.all(array, axis, keepdims=keepdims))
    found: Array = greater(smallest(array, axis, keepdims), 0.5)
    return found
