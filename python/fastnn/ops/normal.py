from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastnn.arrays import Array, DTypeLike, float_dtype
from fastnn.backend import function
from fastnn.random import SeedGenerator, as_generator


def normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: DTypeLike | None = None,
    seed: int | SeedGenerator | None = None,
) -> Array:
    """Normally distributed numbers: y = mean + stddev z.

    shape: that of y. dtype: float32 or float64, by default floatx(). seed: a SeedGenerator, which moves on by one step;
    an integer; or None for the next stream of the program. Returns the same numbers, rounded to dtype, at any number of
    threads, and on every instruction set up to the last bits. Raises ValueError if stddev is negative.
    Source: Box and Muller, 1958.
    """
    found = float_dtype(dtype, "normal")
    y: Array = function("normal")(as_generator(seed).state, tuple(shape), float(mean), float(stddev), np.dtype(found))
    return y
