"""Functions of elements that are made of others, and tests of elements. Names are Keras's."""

from __future__ import annotations

from math import log as _ln
from math import pi as _pi
from typing import Any

import numpy as np

from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import float_pair, floats, full, kernels
from fastnn.ops.cast import cast
from fastnn.ops.elementwise import (
    absolute,
    add,
    arctan,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    greater,
    less,
    less_equal,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    rint,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    where,
)
from fastnn.ops.integers import by_numpy, integral, integral_array, real
from fastnn.ops.reduce import sum_to


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


@primitive
def sinh(x: Any) -> Any:
    """Hyperbolic sine: y = (e^x - e^-x) / 2, exact to the last bits near 0."""
    x = floats(x)
    return _sinh(x), lambda dy, needs: (multiply(dy, _cosh(x)),)


@primitive
def cosh(x: Any) -> Any:
    """Hyperbolic cosine: y = (e^x + e^-x) / 2."""
    x = floats(x)
    return _cosh(x), lambda dy, needs: (multiply(dy, _sinh(x)),)


def _sinh(x: Array) -> Array:
    """2 sinh(x / 2) cosh(x / 2)"""
    up, down = _half_way(x)
    y: Array = multiply(subtract(up, down), multiply(add(add(up, down), 2.0), 0.5))
    return y


def _cosh(x: Array) -> Array:
    """1 + 2 sinh(x / 2)^2"""
    up, down = _half_way(x)
    chord = subtract(up, down)
    y: Array = add(multiply(multiply(chord, 0.5), chord), 1.0)
    return y


def _half_way(x: Array) -> tuple[Array, Array]:
    """e^(x / 2) - 1 and e^(-x / 2) - 1, whose products are finite as far as (e^x + e^-x) / 2 is; e^x is not."""
    half = multiply(x, 0.5)
    return expm1(half), expm1(negative(half))


@composite
def arctan2(x1: Any, x2: Any) -> Any:
    """Angle of the point (x2, x1), in [-pi, pi]: y = arctan(x1 / x2), in the quadrant of the two.

    Zeros have a sign: the angle of (-1, -0) is -pi. The gradient at (0, 0) is that of y = x1.
    """
    x1, x2 = real(x1), real(x2)
    steep = greater(absolute(x1), absolute(x2))  # the smaller of the two is divided by the larger one
    above, below = where(steep, x2, x1), where(steep, x1, x2)
    infinite = isinf(above)  # and so is below, unless it is NaN
    above, below = where(infinite, sign(above), above), where(infinite, sign(below), below)
    share = divide(above, where(equal(below, 0.0), 1.0, below))
    angle = arctan(where(isnan(above), above, share))
    side = cast(where(_below_0(x1), -1.0, 1.0), angle.dtype)
    behind = where(_below_0(x2), add(angle, multiply(side, _pi)), angle)
    return where(steep, subtract(multiply(side, _pi / 2), angle), behind)


def _below_0(x: Any) -> Any:
    """Whether x has a sign, as -0 has: below 0 lies x or 1 / x."""
    return less(where(equal(x, 0.0), divide(1.0, x), x), 0.0)


@composite
def arcsin(x: Any) -> Any:
    """Inverse of the sine, in [-pi / 2, pi / 2]; NaN outside of [-1, 1]."""
    return arctan2(x, sqrt(multiply(subtract(1.0, x), add(1.0, x))))


@composite
def arccos(x: Any) -> Any:
    """Inverse of the cosine, in [0, pi]; NaN outside of [-1, 1]."""
    return arctan2(sqrt(multiply(subtract(1.0, x), add(1.0, x))), x)


@composite
def arcsinh(x: Any) -> Any:
    """Inverse of the hyperbolic sine: y = sign(x) ln(|x| + sqrt(x^2 + 1)), exact to the last bits near 0."""
    return _odd(_arcsinh, x)


def _arcsinh(x: Any) -> Any:
    """arcsinh of x >= 0; ln 2x where 1 is lost beside x^2 in any case."""
    large = greater(x, 1e9)
    some, much = where(large, 1.0, x), where(large, x, 1.0)
    within = multiply(some, divide(some, add(1.0, hypot(some, 1.0))))
    return where(large, add(log(much), _ln(2)), log1p(add(some, within)))


def _odd(function: Any, x: Any) -> Any:
    """function, known for x >= 0, of any x: f(-x) = -f(x). sign(x) would have no gradient at 0."""
    x = real(x)
    below = less(x, 0.0)
    y = function(where(below, negative(x), x))
    return where(below, negative(y), y)


def arccosh(x: Any) -> Any:
    """Inverse of the hyperbolic cosine: y = ln(x + sqrt(x - 1) sqrt(x + 1)); NaN below 1."""
    return log(add(x, multiply(sqrt(subtract(x, 1.0)), sqrt(add(x, 1.0)))))


def arctanh(x: Any) -> Any:
    """Inverse of the hyperbolic tangent: y = ln((1 + x) / (1 - x)) / 2, exact to the last bits near 0."""
    x = real(x)
    return multiply(subtract(log1p(x), log1p(negative(x))), 0.5)


@composite
def hypot(x1: Any, x2: Any) -> Any:
    """Length of the vector (x1, x2): y = sqrt(x1^2 + x2^2), taken so that nothing overflows."""
    a, b = absolute(real(x1)), absolute(real(x2))
    larger = maximum(a, b)
    smaller = where(isinf(larger), 0.0, minimum(a, b))
    return multiply(larger, sqrt(add(1.0, square(divide_no_nan(smaller, larger)))))


@composite
def logaddexp(x1: Any, x2: Any) -> Any:
    """Logarithm of a sum: y = ln(e^x1 + e^x2), taken so that nothing overflows."""
    x1, x2 = real(x1), real(x2)
    larger = maximum(x1, x2)
    gap = negative(absolute(subtract(x1, x2)))
    return add(larger, log1p(exp(where(isnan(gap), 0.0, gap))))  # infinities of one sign differ by NaN


@composite
def cbrt(x: Any) -> Any:
    """Cubic root. The gradient at 0 is infinite."""
    return _odd(lambda size: power(size, 1 / 3), x)


@composite
def trunc(x: Any) -> Any:
    """x without its fraction: the next integer towards 0. The gradient is 0. Integers stay integers."""
    if integral(raw(x)):
        return raw(x)
    return multiply(sign(x), floor(absolute(x)))


@composite
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """Quotient, 0 where x2 is 0: y = x1 / x2. The gradient is 0 there too."""
    none = equal(x2, 0.0)
    by = (x2 or 1.0) if isinstance(x2, (int, float)) else where(none, 1.0, x2)  # a number of Python's stays one
    return where(none, 0.0, divide(x1, by))


@primitive
def floor_divide(x1: Any, x2: Any) -> Any:
    """Quotient rounded down: y = floor(x1 / x2). The gradient is 0. Integers stay integers.

    By NumPy, which is exact where quotients are huge or not finite; a recorded step does not run through it.
    """
    y, a, b = _divided("floor_divide", x1, x2)
    return y, lambda dy, needs: (full(a.shape, 0.0, dy.dtype), full(b.shape, 0.0, dy.dtype))


@primitive
def mod(x1: Any, x2: Any) -> Any:
    """Rest of a division, with the sign of x2: y = x1 - x2 floor(x1 / x2). Integers stay integers.

    By NumPy, which is exact where quotients are huge or not finite; a recorded step does not run through it.
    """
    y, a, b = _divided("mod", x1, x2)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None]:
        run = kernels(dy)
        da = sum_to(dy, a.shape) if needs[0] else None
        quotient = _divided("floor_divide", a, b)[0] if needs[1] else dy
        return da, run.negative(sum_to(run.multiply(dy, quotient), b.shape)) if needs[1] else None

    return y, pullback


def _divided(name: str, x1: Any, x2: Any) -> tuple[Array, Array, Array]:
    """NumPy's division of that name, which has answers for 0 and infinity, and what it divides."""
    if not integral(x1, x2):
        x1, x2 = float_pair(x1, x2)
    with np.errstate(all="ignore"):
        return by_numpy(name, x1, x2), np.asarray(x1), np.asarray(x2)


@composite
def round(x: Any, decimals: int = 0) -> Any:
    """The nearest number of so many decimals, the even one of two. The gradient is 0. Integers stay integers."""
    value = raw(x)
    if integral_array(value):
        return value if decimals >= 0 else by_numpy("round", value, decimals)
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


@composite
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with numbers in place of NaN and of infinities, by default the largest there are. Gradients are 0 there."""
    if integral(raw(x)):
        return raw(x)
    largest = float(np.finfo(np.float32 if _single(x) else np.float64).max)
    x = where(isnan(x), nan, x)
    x = where(isposinf(x), largest if posinf is None else posinf, x)
    return where(isneginf(x), -largest if neginf is None else neginf, x)


@composite
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Array:
    """True where |x1 - x2| <= atol + rtol |x2|; infinities are close to themselves, NaN too with equal_nan."""
    a, b = np.asarray(raw(x1)), np.asarray(raw(x2))
    close: Array = np.isclose(a, b, rtol, atol, equal_nan)
    return close


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements of x1 and x2 are close, as isclose()."""
    return bool(np.all(isclose(x1, x2, rtol, atol, equal_nan)))
