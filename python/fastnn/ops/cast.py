from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import backend
from fastnn.arrays import Array, DTypeLike
from fastnn.autograd import Needs, primitive


@primitive
def cast(x: Any, dtype: DTypeLike) -> Any:
    """x in another dtype, as NumPy's astype makes it; x itself if it has it already.

    x: numbers, any shape. The gradient, between float32 and float64, is cast back.
    """
    array, wanted = np.asarray(x), np.dtype(dtype)
    y = backend.cast(array, wanted)
    if wanted.kind != "f" or array.dtype.kind != "f":
        return y, None

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (backend.cast(dy, array.dtype),)

    return y, pullback
