"""Positions as rotations, and as sines."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import composite, raw
from fastnn.backend import constant, floats
from fastnn.ops.concatenate import concatenate
from fastnn.ops.elementwise import add, multiply
from fastnn.ops.getitem import getitem


@composite
def rotary_embedding(
    x: Any, start_index: int = 0, max_wavelength: float = 10000.0, scaling_factor: float = 1.0, positions: Any = None
) -> Any:
    """Rotary positions: features j and j + d/2 of step p are turned by p max_wavelength^(-2 j / d).

    (y[j], y[j + d/2]) = (x[j] cos a - x[j + d/2] sin a, x[j + d/2] cos a + x[j] sin a)

    x: real, (n, t, ..., d), d even. start_index: position of the first step. positions: those of all steps, (t,),
    instead. scaling_factor: what positions are divided by. Returns x's shape: products of a query and a key depend on
    the distance of their positions. Raises ValueError for an odd d.
    Source: Su et al., RoFormer, 2021.
    """
    like = floats(raw(x))
    if like.ndim < 3 or like.shape[-1] % 2:
        raise ValueError(f"[rotary_embedding] expected x (n, t, ..., d) with an even d, got {like.shape}")
    steps, d = like.shape[1], like.shape[-1]
    where = range(start_index, start_index + steps) if positions is None else np.asarray(positions).tolist()
    if len(where) != steps:
        raise ValueError(f"[rotary_embedding] expected {steps} positions, got {len(where)}")
    cosines, sines = _turns(tuple(where), d, max_wavelength, scaling_factor, like.dtype.str, like.ndim)
    swapped = concatenate([getitem(x, key=(..., slice(d // 2, d))), getitem(x, key=(..., slice(0, d // 2)))], axis=-1)
    return add(multiply(x, constant(cosines)), multiply(swapped, constant(sines)))


@lru_cache(maxsize=64)
def _turns(
    positions: tuple[float, ...], d: int, max_wavelength: float, scaling_factor: float, dtype: str, axes: int
) -> tuple[Array, Array]:
    """cos a twice, and -sin a, sin a, for every position, to be broadcast over an array of so many axes."""
    angles = np.outer(np.asarray(positions) / scaling_factor, max_wavelength ** (-np.arange(0, d, 2) / d))
    shape = (len(positions), *(1,) * (axes - 3), d)
    cosines = np.concatenate([np.cos(angles), np.cos(angles)], axis=1)
    sines = np.concatenate([-np.sin(angles), np.sin(angles)], axis=1)
    return cosines.reshape(shape).astype(dtype), sines.reshape(shape).astype(dtype)


@lru_cache(maxsize=64)
def sine_positions(start: int, steps: int, d: int, max_wavelength: float, dtype: str) -> Array:
    """Sinusoidal positions: y[p, 2 i] = sin(p max_wavelength^(-2 i / d)), y[p, 2 i + 1] the cosine.

    Returns (steps, d) for the positions from start on. Source: Vaswani et al., 2017, section 3.5.
    """
    rates = max_wavelength ** (-2 * (np.arange(d) // 2) / d)
    angles = np.arange(start, start + steps)[:, None] * rates
    return np.where(np.arange(d) % 2 == 0, np.sin(angles), np.cos(angles)).astype(dtype)
