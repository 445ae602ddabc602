"""Fit the polynomials of cpp/src/simd/math.hpp and print their coefficients, constant term first.

Each is a least-squares fit on Chebyshev nodes, weighted so that the error is counted relative to the function
that is finally computed. Coefficients are rounded to the element type one at a time, lowest first, and the
others fitted again. The last column is the largest weighted error as a power of two: the rounding unit is -24 in
float32 and -53 in float64.

    pip install mpmath numpy && python scripts/math_coefficients.py
"""

from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp
import numpy as np

mp.mp.dps = 60
Function = Callable[[mp.mpf], mp.mpf]


@dataclass
class Fit:
    """p(x) ~ f(x) on [lo, hi], error times weight(x); float32 and float64 coefficient counts (0: not used)."""

    name: str
    f: Function
    weight: Function
    lo: float
    hi: float
    terms: dict[type, int]


def nodes(lo: mp.mpf, hi: mp.mpf, count: int) -> list[mp.mpf]:
    """Chebyshev nodes of [lo, hi]."""
    middle, half = (hi + lo) / 2, (hi - lo) / 2
    return [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]


def solve(x: list[mp.mpf], target: list[mp.mpf], weight: list[mp.mpf], powers: range) -> mp.matrix:
    """Weighted least squares by the normal equations (60 digits leave room for their condition)."""
    rows = [[w * t**k for k in powers] for t, w in zip(x, weight, strict=True)]
    a = mp.matrix(rows)
    b = mp.matrix([w * y for y, w in zip(target, weight, strict=True)])
    return mp.lu_solve(a.T * a, a.T * b)


def fit(task: Fit, dtype: type) -> tuple[list[float], float]:
    """The rounded coefficients and log2 of the largest weighted error."""
    count = task.terms[dtype]
    x = nodes(mp.mpf(task.lo), mp.mpf(task.hi), 8 * count)
    values = [task.f(t) for t in x]
    weight = [task.weight(t) for t in x]
    rounded: list[float] = []
    for k in range(count):
        rest = [v - sum(c * t**i for i, c in enumerate(rounded)) for v, t in zip(values, x, strict=True)]
        rounded.append(float(dtype(solve(x, rest, weight, range(k, count))[0])))
    check = nodes(mp.mpf(task.lo), mp.mpf(task.hi), 50 * count)
    worst = max(abs(task.weight(t) * (task.f(t) - mp.polyval(rounded[::-1], t))) for t in check)
    return rounded, float(mp.log(worst, 2))


def erf_tail(x: mp.mpf) -> mp.mpf:
    """erfc(x)^(1/4): far smoother than erfc, and two squarings bring it back."""
    return mp.erfc(x) ** mp.mpf("0.25")


def scaled_erfc(t: mp.mpf) -> mp.mpf:
    """erfc(x) e^(x^2) in t = 1 / (x + 2)."""
    x = 1 / t - 2
    return mp.erfc(x) * mp.exp(x * x)


def normal_tail(x: mp.mpf) -> mp.mpf:
    """P(X > x)^(1/4) / (6 - x) for a standard normal X: what is 0 at 6 takes the rest of the tail with it."""
    return mp.ncdf(-x) ** mp.mpf("0.25") / (6 - x)


def normal_weight(x: mp.mpf) -> mp.mpf:
    """What an error of normal_tail makes of P(X > x), and a little where that is next to nothing."""
    return (4 * mp.ncdf(-x) ** mp.mpf("0.75") + mp.mpf("1e-4")) * (6 - x)


HALF_LN2 = float(mp.log(2) / 2) * 1.001
ROOT2 = float(mp.sqrt(2))
QUARTER_PI = float(mp.pi / 4) * 1.001
FITS = [
    Fit("exp", lambda r: (mp.expm1(r) - r) / r**2, abs, -HALF_LN2, HALF_LN2, {np.float32: 5, np.float64: 11}),
    Fit(
        "log",
        lambda f: (mp.log1p(f) - f + f * f / 2) / f**3,
        lambda f: abs(f**3 / mp.log1p(f)),
        1 / ROOT2 - 1,
        ROOT2 - 1,
        {np.float32: 9},
    ),
    Fit(
        "log",
        lambda z: 2 * (mp.atanh(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3,
        lambda z: z / 2,
        0,
        ((ROOT2 - 1) / (ROOT2 + 1)) ** 2,
        {np.float64: 7},
    ),
    Fit(
        "tanh",
        lambda z: (mp.tanh(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3,
        lambda z: z,
        0,
        0.55**2,
        {np.float32: 5, np.float64: 11},
    ),
    Fit(
        "erf",
        lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1,
        lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)),
        0,
        1,
        {np.float32: 7, np.float64: 13},
    ),
    Fit(
        "sin",
        lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
        lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)),
        0,
        QUARTER_PI**2,
        {np.float32: 3, np.float64: 6},
    ),
    Fit(
        "cos",
        lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2,
        lambda z: z**2 / mp.cos(mp.sqrt(z)),
        0,
        QUARTER_PI**2,
        {np.float32: 3, np.float64: 6},
    ),
    Fit("normal", normal_tail, normal_weight, 0, 6, {np.float32: 9}),
    Fit("erf_tail", erf_tail, lambda x: 4 * erf_tail(x) ** 3, 1, 4, {np.float32: 10}),
    Fit("erf_tail", scaled_erfc, lambda t: mp.exp(-((1 / t - 2) ** 2)), 1 / 8, 1 / 3, {np.float64: 14}),
]


def tanh_table() -> list[list[float]]:
    """Coefficients of tanh_table.hpp: row k holds those of y^k, of 32 polynomials in y = |x| - middle.

    A quarter of an octave each, [1/16, 16) in all, in the order of the five bits of a float32 that tell them apart.
    The first one begins at 0, where y is |x| itself and the relative error counts.
    """
    table = [[0.0] * 32 for _ in range(6)]
    for k in range(32):
        octave, quarter = divmod(k, 4)
        lo = mp.mpf(2) ** (octave - 4) * (1 + mp.mpf(quarter) / 4)
        half = mp.mpf(2) ** (octave - 7)
        middle = lo + half
        if k == 0:
            f = Fit("", lambda y: (mp.tanh(y) - y) / y**2, lambda y: y**2 / mp.tanh(y), 0, 5 / 64, {np.float32: 4})
            column = [0.0, 1.0, *fit(f, np.float32)[0]]
        else:
            value = lambda y, m=middle: mp.tanh(m + y)  # noqa: E731
            weight = lambda y, m=middle: 1 / mp.tanh(m + y)  # noqa: E731
            column = fit(Fit("", value, weight, float(-half), float(half), {np.float32: 6}), np.float32)[0]
        for power, c in enumerate(column):
            table[power][(k + 12) % 32] = c
    return table


def digits(x: float, dtype: type) -> str:
    """The shortest literal that reads back as x."""
    text = str(dtype(x)) if dtype is np.float64 else str(np.float32(x)) + "f"
    return text if "." in text or "e" in text else text.replace("f", ".0f")


def split_ln2(bits: int, dtype: type) -> tuple[float, float]:
    """ln 2 as a head of `bits` bits, so that n * head is exact, and the rounded rest."""
    head = mp.floor(mp.log(2) * mp.mpf(2) ** bits) / mp.mpf(2) ** bits
    return float(head), float(dtype(mp.log(2) - head))


def split_half_pi(bits: int, dtype: type) -> list[float]:
    """pi / 2 as three parts of `bits` bits each, so that n times one is exact for small n, and the rounded rest."""
    rest, parts = mp.pi / 2, []
    for k in range(1, 4):
        unit = mp.mpf(2) ** (k * bits - 1)
        parts.append(float(mp.floor(rest * unit) / unit))
        rest -= parts[-1]
    return [*parts, float(dtype(rest))]


def main() -> None:
    """Print everything in the order of the header."""
    for dtype, bits, pi_bits in ((np.float32, 16, 12), (np.float64, 42, 33)):
        print(dtype.__name__, "ln2 =", " + ".join(digits(c, dtype) for c in split_ln2(bits, dtype)))
        print(dtype.__name__, "pi / 2 =", " + ".join(digits(c, dtype) for c in split_half_pi(pi_bits, dtype)))
        for task in FITS:
            if dtype in task.terms:
                c, error = fit(task, dtype)
                print(f"  {task.name} = {{{', '.join(digits(v, dtype) for v in c)}}}  2^{error:.1f}")
    print("tanh_table =")
    for row in tanh_table():
        print(f"  {{{', '.join(digits(v, np.float32) for v in row)}}},")


if __name__ == "__main__":
    main()
