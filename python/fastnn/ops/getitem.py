from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import full, kernels
from fastnn.ops.gather import take


@primitive
def _view(x: Any, *, key: tuple[Any, ...]) -> Any:
    x = np.asarray(x)
    try:
        y = x[key]
    except IndexError as error:
        raise IndexError(f"[getitem] expected a key for shape {x.shape}, got {key}: {error}") from None

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        dx = full(x.shape, 0.0, dy.dtype)
        kernels(dy).assign(dy, dx[key])
        return (dx,)

    return y, pullback


@composite
def getitem(x: Any, key: Any) -> Any:
    """Indexing: y = x[key].

    x: any shape. key: integers, slices, None and Ellipsis, as in NumPy; the result is a view. Or an array or list of
    integers, which takes slices along the first axis, as take(x, key, axis=0). Raises IndexError for a key that does
    not fit x, TypeError for one of another kind.
    """
    parts = key if type(key) is tuple else (key,)
    if len(parts) == 1 and _is_indices(raw(parts[0])):
        return take(x, raw(parts[0]), axis=0)
    ellipsis = False
    for part in parts:
        if part is Ellipsis:
            ellipsis = True
        elif not (part is None or (isinstance(part, (int, slice, np.integer)) and not isinstance(part, bool))):
            raise TypeError(
                "[getitem] expected integers, slices, None and Ellipsis, or one array of integers, "
                f"got {type(part).__name__} in {key!r}"
            )
    # With an Ellipsis NumPy gives an array even where every axis is indexed.
    return _view(x, key=parts if ellipsis else (*parts, Ellipsis))


def _is_indices(part: Any) -> bool:
    if isinstance(part, list):
        part = np.asarray(part, None if part else np.int64)
    return isinstance(part, np.ndarray) and part.dtype.kind in "iu"
