"""New arrays, and what an array or Tensor is made of."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastnn import backend
from fastnn.arrays import Array, DTypeLike, Shape, floatx
from fastnn.autograd import Tensor, Variable, composite, primitive, raw
from fastnn.backend import constant
from fastnn.operators import Operators
from fastnn.symbolic import is_symbolic


def _shape(shape: int | Sequence[int]) -> Shape:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(length) for length in shape)


def full(shape: int | Sequence[int], fill_value: Any, dtype: DTypeLike | None = None) -> Array:
    """A new array with one value everywhere. dtype: floatx() by default."""
    found, value = np.dtype(dtype or floatx()), raw(fill_value)
    if found.kind == "f" and found.itemsize in (4, 8) and np.ndim(value) == 0:
        return backend.full(_shape(shape), float(value), found)
    return constant(np.full(_shape(shape), value, found))


def zeros(shape: int | Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """A new array of zeros. dtype: floatx() by default."""
    return full(shape, 0, dtype)


def ones(shape: int | Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """A new array of ones. dtype: floatx() by default."""
    return full(shape, 1, dtype)


def empty(shape: int | Sequence[int], dtype: DTypeLike | None = None) -> Array:
    """A new array, of zeros, as no kernel reads what nobody wrote. dtype: floatx() by default."""
    return zeros(shape, dtype)


def _like(x: Any, dtype: DTypeLike | None) -> tuple[Shape, DTypeLike]:
    array = np.asarray(raw(x))
    return array.shape, array.dtype if dtype is None else dtype


@composite
def zeros_like(x: Any, dtype: DTypeLike | None = None) -> Array:
    """Zeros of x's shape. dtype: x's by default."""
    return zeros(*_like(x, dtype))


@composite
def ones_like(x: Any, dtype: DTypeLike | None = None) -> Array:
    """Ones of x's shape. dtype: x's by default."""
    return ones(*_like(x, dtype))


@composite
def full_like(x: Any, fill_value: Any, dtype: DTypeLike | None = None) -> Array:
    """One value everywhere, in x's shape. dtype: x's by default."""
    shape, found = _like(x, dtype)
    return full(shape, fill_value, found)


def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> Array:
    """Ones on a diagonal: y[i, j] = 1 where j = i + k. N rows, M columns, N by default. dtype: floatx() by default."""
    return constant(np.eye(N, M, k, dtype or floatx()))


def identity(n: int, dtype: DTypeLike | None = None) -> Array:
    """The identity matrix of n rows. dtype: floatx() by default."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> Array:
    """Ones on a diagonal and below: y[i, j] = 1 where j <= i + k. dtype: floatx() by default."""
    return constant(np.tri(N, M, k, dtype or floatx()))


def _numbers(array: Array, dtype: DTypeLike | None) -> Array:
    """Python's floats become floatx(), integers stay integers."""
    return constant(array.astype(dtype or (floatx() if array.dtype.kind == "f" else array.dtype), copy=False))


def arange(start: Any, stop: Any = None, step: Any = None, dtype: DTypeLike | None = None) -> Array:
    """Evenly spaced numbers below stop: start, start + step, ...; from 0 if only stop is given.

    dtype: int64 for integers, else floatx(), by default.
    """
    first, last = (0, start) if stop is None else (start, stop)
    return _numbers(np.arange(first, last, 1 if step is None else step), dtype)


@composite
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Any:
    """`num` evenly spaced numbers from start to stop, which is left out unless endpoint. dtype: floatx() by default.

    retstep: returns (numbers, step).
    """
    y, step = np.linspace(raw(start), raw(stop), num, endpoint, retstep=True, axis=axis)
    numbers = constant(np.asarray(y, dtype or floatx()))
    return (numbers, step) if retstep else numbers


def array(x: Any, dtype: DTypeLike | None = None) -> Array:
    """x as a new array; Python's floats as floatx()."""
    value = raw(x)
    if dtype is None and not isinstance(value, (np.ndarray, np.generic)):
        return np.array(_numbers(np.asarray(value), None))
    return np.array(value, dtype)


@composite
def convert_to_tensor(x: Any, dtype: DTypeLike | None = None) -> Any:
    """x as ops take it: Tensors and arrays as they are, Variables as their value, anything else as a new array."""
    if isinstance(x, (Tensor, Variable, np.ndarray)) and (dtype is None or x.dtype == np.dtype(dtype)):
        return x
    if isinstance(x, Tensor):
        raise TypeError(f"[convert_to_tensor] expected dtype {x.dtype} or None for a Tensor, got {dtype}; use ops.cast")
    return array(x, dtype)


def convert_to_numpy(x: Any) -> Array:
    """x as an array, without the history it may have."""
    return np.asarray(raw(x))


def shape(x: Any) -> tuple[Any, ...]:
    """The lengths of x's axes; None where one is not known yet."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def ndim(x: Any) -> int:
    """The number of x's axes."""
    return len(shape(x))


def size(x: Any) -> int | None:
    """The number of x's elements; None where it is not known yet."""
    lengths = shape(x)
    return None if None in lengths else prod(lengths)


@primitive
def stop_gradient(variable: Any) -> Any:
    """The same values, to which no gradient flows back."""
    return np.asarray(variable), None


def empty_like(x: Any, dtype: DTypeLike | None = None) -> Array:
    """A new array of x's shape, of zeros. dtype: x's by default."""
    made: Array = zeros_like(x, dtype)
    return made


def copy(x: Any) -> Any:
    """A new array of x's elements. Gradients go back to x."""
    return convert_to_tensor(x) if isinstance(x, Operators) else np.array(x)


def dtype(x: Any) -> str:
    """The name of x's dtype."""
    return str(x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype)


def is_tensor(x: Any) -> bool:
    """Whether x is an array, a Tensor or a Variable."""
    return isinstance(x, np.ndarray) or (isinstance(x, Operators) and not is_symbolic(x))
