"""The elementwise family: arithmetic, elementary functions and comparisons, broadcast as NumPy does.

Each function is a row of cpp/include/fastnn/elementwise.def and a line here, or in activation.py for an
activation function; values and derivatives are the kernels'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn import backend
from fastnn.arrays import Array
from fastnn.autograd import Needs, composite, primitive, raw
from fastnn.backend import constant, float_pair, floats, kernels
from fastnn.ops import direct
from fastnn.ops.integers import by_numpy, integral, integral_array
from fastnn.ops.reduce import sum_to

_SAVED: dict[str, str] = backend.unary_saved


def unary(name: str, doc: str, row: str | None = None, *parameters: float) -> Callable[..., Any]:
    """An op of one array without options: the row of the table called `row`, or name, with these parameters."""
    row = row or name
    parameters = (*parameters, 0.0, 0.0, 0.0)[:3]

    def forward(x: Any, *, out: Array | None = None) -> Any:
        return from_row(row, x, parameters, out)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = doc + "\n\n    x: real, any shape. Returns x's dtype and shape.\n    "
    return direct.unary(row, *parameters)(primitive(forward))


def _whole(name: str, doc: str) -> Callable[..., Any]:
    """The op of the row called name, whose results of integers are integers."""

    def forward(x: Any, *, out: Array | None = None) -> Any:
        if integral_array(x):
            return by_numpy(name, x, out=out), None
        return from_row(name, x, (0.0, 0.0, 0.0), out)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = doc + "\n\n    x: real, any shape. Returns x's dtype and shape. Integers are NumPy's.\n    "
    return direct.unary(name, 0.0, 0.0, 0.0)(primitive(forward))


def from_row(row: str, x: Any, parameters: tuple[float, ...], out: Array | None) -> Any:
    """(y, pullback) of a row of the table, with its parameters."""
    x = floats(x)
    run = kernels(x)
    y = getattr(run, row)(x, *parameters, out)
    saved = y if _SAVED[row] == "y" else x

    def pullback(dy: Array, needs: Needs) -> tuple[Array]:
        return (getattr(run, row + "_backward")(saved, dy, *parameters),)

    return y, pullback


negative = _whole("negative", "Negative: y = -x.")
absolute = _whole("absolute", "Absolute value: y = |x|. The gradient at 0 is 0.")
square = _whole("square", "Square: y = x^2.")
sqrt = unary("sqrt", "Square root: y = x^(1/2). NaN for negative x.")
exp = unary("exp", "Exponential: y = e^x.")
log = unary("log", "Natural logarithm: y = ln x. NaN for negative x, -infinity at 0.")
log1p = unary("log1p", "Logarithm of 1 + x: y = ln(1 + x), exact to the last bits near 0. -infinity at -1, NaN below.")
expm1 = unary("expm1", "Exponential less 1: y = e^x - 1, exact to the last bits near 0.")
sin = unary("sin", "Sine: y = sin x, x in radians. NaN for an infinity.")
cos = unary("cos", "Cosine: y = cos x, x in radians. NaN for an infinity.")
erf = unary("erf", "Error function: y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.")
sign = _whole("sign", "Sign: y = -1, 0 or 1. The gradient is 0.")
floor = unary("floor", "Largest whole number that is not above x. The gradient is 0.")
ceil = unary("ceil", "Smallest whole number that is not below x. The gradient is 0.")

rint = unary("round", "Nearest whole number, the even one of two. The gradient is 0.")
arctan = unary("arctan", "Inverse tangent: y = arctan x, in radians.")


@primitive
def _clip_scalar(x: Any, low: float, high: float, *, out: Array | None = None) -> Any:
    return from_row("clip", x, (low, high, 0.0), out)


@composite
def clip(x: Any, x_min: Any, x_max: Any, *, out: Array | None = None) -> Any:
    """Clips to an interval: y = min(max(x, x_min), x_max).

    x: real, any shape. x_min, x_max: numbers, arrays that broadcast with x, or None for no bound. For numbers the
    gradient at a bound is 1. Returns the broadcast shape. Integers between integers stay integers.
    """
    low = -np.inf if x_min is None else x_min
    high = np.inf if x_max is None else x_max
    bounds = [raw(bound) for bound in (x_min, x_max) if bound is not None]
    if integral_array(raw(x)) and integral(*bounds):
        return by_numpy("clip", raw(x), raw(x_min), raw(x_max), out=out)
    if np.ndim(raw(low)) == 0 and np.ndim(raw(high)) == 0:
        return _clip_scalar(x, float(raw(low)), float(raw(high)), out=out)
    return minimum(maximum(x, low), high, out=out)


def binary(name: str, doc: str, whole: bool = False) -> Callable[..., Any]:
    """A function of two arrays, broadcast. whole: its results of integers are integers."""
    backward = name + "_backward"

    def forward(x1: Any, x2: Any, *, out: Array | None = None) -> Any:
        if whole and integral(x1, x2):
            return by_numpy(name, x1, x2, out=out), None
        a, b = float_pair(x1, x2)
        run = kernels(a)
        y = getattr(run, name)(a, b, out)

        def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None]:
            da = sum_to(getattr(run, backward)(False, a, b, dy), a.shape) if needs[0] else None
            db = sum_to(getattr(run, backward)(True, a, b, dy), b.shape) if needs[1] else None
            return da, db

        return y, pullback

    forward.__name__ = forward.__qualname__ = name
    returned = "Returns the broadcast shape" + ("; integers are NumPy's." if whole else ".")
    forward.__doc__ = f"{doc}\n\n    x1, x2: real, shapes that broadcast together. {returned}\n    "
    return direct.binary(name)(primitive(forward))


multiply = binary("multiply", "Product: y = x1 x2.", whole=True)
divide = binary("divide", "Quotient: y = x1 / x2.")
power = binary("power", "Power: y = x1^x2.", whole=True)
maximum = binary(
    "maximum", "Larger of two: y = max(x1, x2). NaN if either is; where equal, each gets half the gradient.", whole=True
)
minimum = binary(
    "minimum",
    "Smaller of two: y = min(x1, x2). NaN if either is; where equal, each gets half the gradient.",
    whole=True,
)
true_divide = divide


@direct.binary("add")
@primitive
def add(x1: Any, x2: Any, *, out: Array | None = None) -> Any:
    """Sum: y = x1 + x2.

    x1, x2: real, shapes that broadcast together. Returns the broadcast shape. Integers are NumPy's.
    """
    if integral(x1, x2):
        return by_numpy("add", x1, x2, out=out), None
    a, b = float_pair(x1, x2)
    y = kernels(a).add(a, b, out)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None]:
        return sum_to(dy, a.shape) if needs[0] else None, sum_to(dy, b.shape) if needs[1] else None

    return y, pullback


@direct.binary("subtract")
@primitive
def subtract(x1: Any, x2: Any, *, out: Array | None = None) -> Any:
    """Difference: y = x1 - x2.

    x1, x2: real, shapes that broadcast together. Returns the broadcast shape. Integers are NumPy's.
    """
    if integral(x1, x2):
        return by_numpy("subtract", x1, x2, out=out), None
    a, b = float_pair(x1, x2)
    run = kernels(a)
    y = run.subtract(a, b, out)

    def pullback(dy: Array, needs: Needs) -> tuple[Array | None, Array | None]:
        return sum_to(dy, a.shape) if needs[0] else None, run.negative(sum_to(dy, b.shape)) if needs[1] else None

    return y, pullback


def _comparison(name: str, doc: str) -> Callable[..., Any]:
    def forward(x1: Any, x2: Any, *, out: Array | None = None) -> Any:
        a, b = float_pair(x1, x2)
        return getattr(kernels(a), name)(a, b, out), None

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = (
        doc + "\n\n    x1, x2: real, shapes that broadcast together. Returns bool, the broadcast shape.\n    "
    )
    return direct.binary(name)(primitive(forward))


equal = _comparison("equal", "Comparison: y = (x1 = x2).")
not_equal = _comparison("not_equal", "Comparison: y = (x1 != x2), true where either is NaN.")
less = _comparison("less", "Comparison: y = (x1 < x2).")
less_equal = _comparison("less_equal", "Comparison: y = (x1 <= x2).")
greater = _comparison("greater", "Comparison: y = (x1 > x2).")
greater_equal = _comparison("greater_equal", "Comparison: y = (x1 >= x2).")


@primitive
def _where(condition: Any, x1: Any, x2: Any, *, out: Array | None = None) -> Any:
    if out is None and integral(x1, x2):
        return by_numpy("where", np.asarray(condition, bool), x1, x2), None
    a, b = float_pair(x1, x2)
    chosen = np.asarray(condition, bool)
    run = kernels(a)
    y = run.where(chosen, a, b, out)

    def pullback(dy: Array, needs: Needs) -> tuple[None, Array | None, Array | None]:
        zero = constant(np.zeros((), dy.dtype))
        da = sum_to(run.where(chosen, dy, zero), a.shape) if needs[1] else None
        db = sum_to(run.where(chosen, zero, dy), b.shape) if needs[2] else None
        return None, da, db

    return y, pullback


@composite
def where(condition: Any, x1: Any = None, x2: Any = None, *, out: Array | None = None) -> Any:
    """Choice: y = x1 where condition holds, x2 elsewhere.

    condition: bool, x1, x2: real, shapes that broadcast together. Returns the broadcast shape; of integers integers.
    Without x1 and x2: the indices where condition holds, a tuple of arrays as from numpy.nonzero.
    """
    if x1 is None and x2 is None:
        return np.nonzero(raw(condition))
    if x1 is None or x2 is None:
        raise ValueError("[where] expected both x1 and x2 or neither, got one")
    return _where(condition, x1, x2, out=out)
