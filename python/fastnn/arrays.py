"""Names for arrays and shapes, and the default floating dtype."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ArrayLike = npt.ArrayLike
DTypeLike = npt.DTypeLike
Shape = tuple[int, ...]
#: A shape some of whose lengths are not known yet, the batch as a rule.
PartialShape = tuple[int | None, ...]

F32 = np.dtype(np.float32)
F64 = np.dtype(np.float64)
I64 = np.dtype(np.int64)

_floatx = "float32"


def floatx() -> str:
    """The dtype of new layers and of arrays made from Python numbers: "float32" unless set_floatx changed it."""
    return _floatx


def set_floatx(dtype: str) -> None:
    """Sets floatx(). dtype: "float32" or "float64". Raises ValueError for any other."""
    global _floatx
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    if name not in ("float32", "float64"):
        raise ValueError(f"[set_floatx] expected 'float32' or 'float64', got {dtype!r}")
    _floatx = name


def float_dtype(dtype: DTypeLike | None, where: str) -> np.dtype[Any]:
    """dtype, or floatx() for None, as a NumPy dtype. Raises ValueError unless it is float32 or float64."""
    found = np.dtype(floatx() if dtype is None else dtype)
    if found != F32 and found != F64:
        raise ValueError(f"[{where}] expected dtype float32 or float64, got {found}")
    return found


def normalize_axes(axis: int | Iterable[int] | None, ndim: int, where: str) -> Shape:
    """Axes as sorted non-negative numbers; None means all. Raises ValueError if one is out of range or repeated."""
    if axis is None:
        return tuple(range(ndim))
    given = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    axes = []
    for a in given:
        if not -ndim <= a < ndim:
            raise ValueError(f"[{where}] expected axis in [{-ndim}, {ndim}), got {a}")
        axes.append(int(a) % ndim)
    if len(set(axes)) < len(axes):
        raise ValueError(f"[{where}] expected each axis once, got {axis}")
    return tuple(sorted(axes))
