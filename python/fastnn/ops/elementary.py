"""Functions of elements that are made of others, and tests of elements. Names are Keras's."""

from __future__ import annotations

from math import log as _ln
from math import pi as _pi
from typing import Any

import numpy as np

from fastnn.autograd import composite, raw
from fastnn.ops.elementwise import (
    absolute,
    add,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    less_equal,
    log,
    multiply,
    negative,
    not_equal,
    rint,
    sin,
    sqrt,
    subtract,
    where,
)


def reciprocal(x: Any) -> Any:
    """Reciprocal: y = 1 / x."""
    return divide(1.0, x)


def rsqrt(x: Any) -> Any:
    """Reciprocal of the square root: y = x^(-1/2)."""
    return divide(1.0, sqrt(x))


def exp2(x: Any) -> Any:
    """Power of 2: y = 2^x."""
    return exp(multiply(x, _ln(2)))


def log2(x: Any) -> Any:
    """Logarithm to base 2: y = ln x / ln 2."""
    return multiply(log(x), 1 / _ln(2))


def log10(x: Any) -> Any:
    """Logarithm to base 10: y = ln x / ln 10."""
    return multiply(log(x), 1 / _ln(10))


def deg2rad(x: Any) -> Any:
    """Degrees in radians: y = pi x / 180."""
    return multiply(x, _pi / 180)


def rad2deg(x: Any) -> Any:
    """Radians in degrees: y = 180 x / pi."""
    return multiply(x, 180 / _pi)


def tan(x: Any) -> Any:
    """Tangent: y = sin x / cos x."""
    return divide(sin(x), cos(x))


def sinh(x: Any) -> Any:
    """Hyperbolic sine: y = (e^x - e^-x) / 2, exact to the last bits near 0."""
    return multiply(subtract(expm1(x), expm1(negative(x))), 0.5)


def cosh(x: Any) -> Any:
    """Hyperbolic cosine: y = (e^x + e^-x) / 2."""
    return multiply(add(exp(x), exp(negative(x))), 0.5)


def _integral(x1: Any, x2: Any) -> bool:
    return all(np.asarray(raw(x)).dtype.kind in "biu" for x in (x1, x2))


@composite
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """Quotient, 0 where x2 is 0: y = x1 / x2. The gradient is 0 there too."""
    none = equal(x2, 0.0)
    return where(none, 0.0, divide(x1, where(none, 1.0, x2)))


@composite
def floor_divide(x1: Any, x2: Any) -> Any:
    """Quotient rounded down: y = floor(x1 / x2). The gradient is 0. Integers stay integers."""
    if _integral(x1, x2):
        return np.floor_divide(raw(x1), raw(x2))
    return floor(divide(x1, x2))


@composite
def mod(x1: Any, x2: Any) -> Any:
    """Rest of a division, with the sign of x2: y = x1 - x2 floor(x1 / x2). Integers stay integers."""
    if _integral(x1, x2):
        return np.mod(raw(x1), raw(x2))
    return subtract(x1, multiply(x2, floor(divide(x1, x2))))


@composite
def round(x: Any, decimals: int = 0) -> Any:
    """The nearest number of so many decimals, the even one of two. The gradient is 0. Integers stay integers."""
    value = raw(x)
    if decimals >= 0 and isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biu":
        return value
    if decimals == 0:
        return rint(x)
    return divide(rint(multiply(x, 10.0**decimals)), 10.0**decimals)


def isnan(x: Any) -> Any:
    """True where x is not a number."""
    return not_equal(x, x)


def isinf(x: Any) -> Any:
    """True where x is an infinity."""
    return equal(absolute(x), np.inf)


def isposinf(x: Any) -> Any:
    """True where x is positive infinity."""
    return equal(x, np.inf)


def isneginf(x: Any) -> Any:
    """True where x is negative infinity."""
    return equal(x, -np.inf)


def isfinite(x: Any) -> Any:
    """True where x is a number and no infinity."""
    return less_equal(absolute(x), float(np.finfo(np.float32).max) if _single(x) else float(np.finfo(np.float64).max))


def _single(x: Any) -> bool:
    return bool(getattr(x, "dtype", None) == np.float32)
