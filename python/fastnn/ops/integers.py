"""Arithmetic of integers and bools, which NumPy does: exact, in its dtypes. A recorded step does not run through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.backend import cast, not_recordable


def integral(*operands: Any) -> bool:
    """True where all are integers or bools: arrays, numbers or lists of them."""
    for x in operands:
        kind = type(x)
        if kind is np.ndarray:
            if x.dtype.kind not in "biu":
                return False
        elif kind is float or (kind is not int and kind is not bool and np.asarray(x).dtype.kind not in "biu"):
            return False
    return True


def integral_array(x: Any) -> bool:
    """True for arrays of integers or bools. Python's own numbers and lists of them count as real here."""
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "biu"


def by_numpy(name: str, *operands: Any, out: Array | None = None) -> Array:
    """NumPy's function of that name."""
    not_recordable()
    y = getattr(np, name)(*operands) if out is None else getattr(np, name)(*operands, out=out)
    return np.asarray(y)


def real(x: Any) -> Any:
    """An array of integers or bools as float64, in which differences and squares do not run over; else x as it is."""
    return cast(np.asarray(x), np.dtype(np.float64)) if integral_array(x) else x
