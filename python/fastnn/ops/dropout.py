from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive
from fastnn.backend import floats, kernels
from fastnn.random import SeedGenerator, as_generator


@primitive
def _dropout(x: Any, *, rate: float, noise_shape: tuple[int, ...] | None, state: Array) -> Any:
    x = floats(x)
    run = kernels(x)
    y, mask = run.dropout(x, state, rate, noise_shape)

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (run.dropout_backward(dy, mask, rate),)

    return y, pullback


@composite
def dropout(
    x: Any, rate: float, *, noise_shape: Sequence[int] | None = None, seed: int | SeedGenerator | None = None
) -> Any:
    """Drops elements at random: y = m x / p, with m = 1 with probability p = 1 - rate, and 0 otherwise.

    x: real, any shape. rate: in [0, 1); it is rounded to a multiple of 2**-32, and p with it, so that the mean of y
    is that of x; at rate 0 x itself is returned. noise_shape: the shape of m, which is broadcast over x; None for x's.
    seed: a SeedGenerator, which moves on by one step; an integer; or None for the next stream of the program.
    Returns x's dtype and shape. The same elements are dropped whatever the dtype, the instruction set and the number of
    threads. Raises ValueError for another rate, and for a noise_shape that does not broadcast to x's shape.
    Source: Srivastava et al., 2014.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"[dropout] expected rate in [0, 1), got {rate}")
    if rate == 0:
        return x
    shape = None if noise_shape is None else tuple(noise_shape)
    return _dropout(x, rate=float(rate), noise_shape=shape, state=as_generator(seed).state)
