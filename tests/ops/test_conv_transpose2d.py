"""Transposed convolution. The reference adds each pixel's scaled kernel to the output, tap by tap, in float64."""

from functools import lru_cache

import numpy as np
import pytest

from fastnn import backend, vjp
from fastnn.ops import conv2d, conv_transpose1d, conv_transpose2d
from fastnn.testing import check_op, covering, covering_sample, missing_pairs


def everything(x, w, strides, dilation):
    """All that the kernels reach."""
    (n, h, w_, _), (kh, kw, o, _) = x.shape, w.shape
    size = [(s - 1) * t + (k - 1) * d + 1 for s, t, k, d in zip((h, w_), strides, (kh, kw), dilation, strict=True)]
    y = np.zeros((n, *size, o))
    for i, j in np.ndindex(kh, kw):
        rows, cols = (
            slice(k * d, k * d + (s - 1) * t + 1, t)
            for k, d, s, t in zip((i, j), dilation, (h, w_), strides, strict=True)
        )
        y[:, rows, cols] += x @ w[i, j].T
    return y


def reference(x, w, b=0.0, *, strides=(1, 1), dilation=(1, 1), cut=((0, 0), (0, 0))):
    y = everything(x, w, strides, dilation)
    for axis, (before, after) in enumerate(cut, 1):
        y = np.pad(y, [(0, max(0, -after)) if a == axis else (0, 0) for a in range(4)])
        y = y.take(range(before, y.shape[axis] - max(0, after)), axis)
    return y + b


FACTORS = {
    "kernel": [(1, 1), (2, 2), (3, 3), (5, 4), (7, 2), (11, 11)],
    "strides": [(1, 1), (2, 2), (3, 2), (3, 3), (1, 4), (4, 4)],
    "dilation": [(1, 1), (2, 2), (2, 3)],
    "cut": [((0, 0), (0, 0)), ((1, 1), (0, 2)), ((0, -1), (1, 0)), ((4, 4), (4, 4))],  # less than 0: output padding
    "c": [1, 3, 8, 15, 16, 17, 64],
    "o": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
}


def fits(kernel, strides, dilation, cut, c, o, h, w, n):
    size = [
        (s - 1) * t + (k - 1) * d + 1 - sum(p)
        for s, t, k, d, p in zip((h, w), strides, kernel, dilation, cut, strict=True)
    ]
    extra = all(-after < stride for (_, after), stride in zip(cut, strides, strict=True))
    return min(size) > 0 and extra and max(n, 1) * h * w * kernel[0] * kernel[1] * c * o < 1e6


GEOMETRIES = covering_sample(FACTORS, fits, count=200)


def test_the_sample_holds_every_pair_of_values_that_fits():
    padded = ("cut", "((0, -1), (1, 0))")  # output padding, which has to be less than the stride
    impossible = {(("strides", stride), padded) for stride in ("(1, 1)", "(1, 4)")}
    assert missing_pairs(FACTORS, GEOMETRIES) == impossible


@lru_cache
def expected(i):
    """Arrays, y, dy, and directions in x and in w with the change of y along each, times dy."""
    g = GEOMETRIES[i]
    rng = np.random.default_rng(i)
    x, w = rng.standard_normal((g["n"], g["h"], g["w"], g["c"])), rng.standard_normal((*g["kernel"], g["o"], g["c"]))
    b = rng.standard_normal(g["o"])
    slow = {"strides": g["strides"], "dilation": g["dilation"], "cut": g["cut"]}
    y = reference(x, w, b, **slow)
    dy = rng.standard_normal(y.shape)
    directions = []
    for _ in range(2):
        v, u = rng.standard_normal(x.shape), rng.standard_normal(w.shape)
        directions.append((v, (dy * reference(v, w, **slow)).sum(), u, (dy * reference(x, u, **slow)).sum()))
    return (x, w, b), y, dy, directions


@pytest.mark.parametrize("i", range(len(GEOMETRIES)), ids=lambda i: "-".join(map(str, GEOMETRIES[i].values())))
def test_values_and_gradients_of_every_geometry(i):
    g = GEOMETRIES[i]
    arrays, y, dy, directions = expected(i)
    settings = {
        "strides": g["strides"],
        "dilation_rate": g["dilation"],
        "padding": tuple((before, max(0, after)) for before, after in g["cut"]),
        "output_padding": tuple(max(0, -after) for _, after in g["cut"]),
    }
    got, pullback = vjp(lambda *given: conv_transpose2d(*given, **settings), *arrays)
    np.testing.assert_allclose(got, y, rtol=1e-12, atol=1e-11)
    single = conv_transpose2d(*(a.astype(np.float32) for a in arrays), **settings)
    np.testing.assert_allclose(single, y, rtol=1e-5, atol=1e-5 * np.sqrt(arrays[1][..., 0, :].size))

    # It is linear in x and in w: what a gradient says of any step is the change of y along it.
    dx, dw, db = pullback(dy)
    np.testing.assert_allclose(db, dy.sum((0, 1, 2)), rtol=1e-11, atol=1e-11)
    for v, along_v, u, along_u in directions:
        np.testing.assert_allclose((dx * v).sum(), along_v, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose((dw * u).sum(), along_u, rtol=1e-9, atol=1e-9)


#: All phases of the stride at once by Winograd's algorithm, with 10 channels and more: images that begin and end within
#: a phase, rows no kernel reaches, columns that are no whole vector.
PHASES = covering(
    kernel=[(3, 2), (4, 2), (5, 2), (6, 2), (7, 2), (9, 3), (11, 4)],
    cut=[((0, 0), (0, 0)), ((1, 1), (0, 2)), ((0, -1), (1, 0)), ((4, 2), (3, -1))],
    h=[9, 12, 14],
    w=[8, 13, 15],
    c=[17, 64],
    o=[3, 16, 35, 64],
    n=[1, 3],
    activation=[None, "relu", "tanh"],
    dtype=["float32", "float64"],
)


@pytest.mark.parametrize("g", PHASES, ids=lambda g: "-".join(map(str, g.values())))
def test_phases_in_every_geometry(rng, g):
    """Errors of sums, and relative to their size 4e-6 at most in float32."""
    kernel, stride = g["kernel"]
    shapes = (g["n"], g["h"], g["w"], g["c"]), (kernel, kernel, g["o"], g["c"]), (g["o"],)
    arrays = [rng.standard_normal(shape).astype(g["dtype"]) for shape in shapes]
    settings = {
        "strides": stride,
        "padding": tuple((before, max(0, after)) for before, after in g["cut"]),
        "output_padding": tuple(max(0, -after) for _, after in g["cut"]),
    }
    wanted = reference(*(a.astype(np.float64) for a in arrays), strides=(stride, stride), cut=g["cut"])
    bound = 4e-6 * (1 if g["dtype"] == "float32" else 1e-8) * np.sqrt(np.mean(wanted**2))
    act = {None: np.array, "relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}[g["activation"]]
    got = conv_transpose2d(*arrays, **settings, activation=g["activation"])
    assert got.shape == wanted.shape and got.dtype == g["dtype"]
    assert np.sqrt(np.mean((got - act(wanted)) ** 2)) < bound
    assert np.abs(got - act(wanted)).max() < 25 * bound


@pytest.mark.parametrize("activation", [None, "gelu", "tanh"])
def test_manners(rng, activation):
    x, w, b = rng.standard_normal((2, 3, 4, 3)), rng.standard_normal((3, 2, 2, 3)), rng.standard_normal(2)

    def slow(x, w, b, activation):
        z = reference(x, w, b, strides=(2, 2), cut=((0, 1), (0, 0)))
        return {None: np.array, "tanh": np.tanh, "gelu": gelu}[activation](z)

    check_op(
        lambda *given, **how: conv_transpose2d(*given, strides=2, padding="same", **how),
        slow,
        *(x, w, b),
        activation=activation,
    )


def gelu(z):
    from math import erf

    return z / 2 * (1 + np.vectorize(erf)(z / np.sqrt(2)))


# Lengths as Keras has them: (length, kernel, stride, dilation, padding, output_padding) -> length.
@pytest.mark.parametrize(
    ("setting", "length"),
    [
        ((4, 3, 2, 1, "valid", None), 9),
        ((4, 2, 3, 1, "valid", None), 12),  # a stride is not cut short
        ((4, 3, 2, 1, "same", None), 8),
        ((4, 3, 2, 1, "same", 0), 7),
        ((4, 4, 2, 1, "same", 1), 7),
        ((4, 3, 1, 2, "valid", None), 8),
        ((4, 3, 2, 1, "valid", 1), 10),
    ],
)
def test_lengths(setting, length):
    size, kernel, stride, dilation, padding, extra = setting
    settings = {"strides": stride, "dilation_rate": dilation, "padding": padding, "output_padding": extra}
    y = conv_transpose1d(np.ones((1, size, 1), np.float32), np.ones((kernel, 1, 1), np.float32), **settings)
    assert y.shape == (1, length, 1)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_it_is_the_input_gradient_of_a_convolution(rng, padding):
    x, w = rng.standard_normal((2, 8, 6, 3)), rng.standard_normal((2, 2, 3, 5))
    y, pullback = vjp(lambda x: conv2d(x, w, strides=2, padding=padding), x)
    np.testing.assert_array_equal(pullback(y)[0], conv_transpose2d(y, w, strides=2, padding=padding))


def test_1d_is_2d_with_one_row(rng):
    x, w, b = rng.standard_normal((2, 5, 3)), rng.standard_normal((4, 2, 3)), rng.standard_normal(2)
    y, pullback = vjp(lambda *given: conv_transpose1d(*given, strides=2, padding=1), x, w, b)
    wide, wide_pullback = vjp(
        lambda *given: conv_transpose2d(*given, strides=(1, 2), padding=((0, 0), (1, 1))), x[:, None], w[None], b
    )
    np.testing.assert_array_equal(y, wide[:, 0])
    for got, expected in zip(pullback(y), wide_pullback(wide), strict=True):
        np.testing.assert_array_equal(got, expected.reshape(got.shape))


def test_same_bits_at_any_thread_count(rng):
    before = backend.get_num_threads()
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in ((4, 12, 12, 20), (4, 4, 40, 20), (40,)))
    results = []
    try:
        for count in (1, 2, 3, 8):
            backend.set_num_threads(count)
            y, pullback = vjp(lambda *given: conv_transpose2d(*given, strides=2, activation="relu"), x, w, b)
            results.append((y, *pullback(np.ones_like(y))))
    finally:
        backend.set_num_threads(before)
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((zeros(4, 4, 3), zeros(2, 2, 5, 3)), {}, r"x with 4 axes \(n, h, w, c\), got x \(4, 4, 3\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 5, 4)), {}, r"w with 3 channels in for x .*, got w \(2, 2, 5, 4\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 5, 3)), {"output_padding": 1}, "output_padding smaller than strides"),
        ((zeros(1, 1, 4, 3), zeros(2, 2, 5, 3)), {"padding": 2}, "padding that leaves something of the output"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 5, 3), zeros(3)), {}, r"b \(5,\) for w \(2, 2, 5, 3\), got b \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=r"\[conv_transpose2d\] expected .*" + message):
        conv_transpose2d(*arguments, **settings)
