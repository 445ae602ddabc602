"""Convolution of each channel by itself. The reference sums shifted images times a weight, tap by tap, in float64."""

from functools import lru_cache

import numpy as np
import pytest

from fastnn import backend, vjp
from fastnn.ops import conv2d, depthwise_conv1d, depthwise_conv2d
from fastnn.testing import check_op, covering_sample, missing_pairs


def sides(padding, size, kernel, stride, dilation):
    """Zeros before and after an axis."""
    if padding == "same":
        missing = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
        return missing // 2, missing - missing // 2
    return (0, 0) if padding == "valid" else padding


def lengths(h, w, kernel, strides, padding, dilation):
    """Padding and length of the output, for each axis."""
    pads = [sides(padding, (h, w)[i], kernel[i], strides[i], dilation[i]) for i in range(2)]
    return pads, [((h, w)[i] + sum(pads[i]) - (kernel[i] - 1) * dilation[i] - 1) // strides[i] + 1 for i in range(2)]


def views(x, w, strides, padding, dilation):
    """For every tap: where the padded image is read."""
    _, out = lengths(*x.shape[1:3], w.shape, strides, padding, dilation)
    for i, j in np.ndindex(w.shape[:2]):
        taps = zip((i, j), dilation, out, strides, strict=True)
        at = [slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in taps]
        yield (i, j), (slice(None), *at)


def reference(x, w, b=None, *, strides=(1, 1), padding="valid", dilation=(1, 1)):
    pads, out = lengths(*x.shape[1:3], w.shape, strides, padding, dilation)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    y = sum(padded[at][..., None] * w[tap] for tap, at in views(x, w, strides, padding, dilation))
    y = y.reshape(len(x), *out, w.shape[2] * w.shape[3])
    return y if b is None else y + b


def reference_gradients(x, w, dy, *, strides, padding, dilation):
    (top_bottom, left_right), _ = lengths(*x.shape[1:3], w.shape, strides, padding, dilation)
    padded = np.pad(x, ((0, 0), top_bottom, left_right, (0, 0)))
    dx, dw, parts = np.zeros(padded.shape), np.zeros(w.shape), dy.reshape(*dy.shape[:3], *w.shape[2:])
    for tap, at in views(x, w, strides, padding, dilation):
        dx[at] += (parts * w[tap]).sum(-1)
        dw[tap] = (padded[at][..., None] * parts).sum((0, 1, 2))
    rows, cols = (slice(p[0], p[0] + n) for p, n in zip((top_bottom, left_right), x.shape[1:3], strict=True))
    return dx[:, rows, cols], dw, dy.sum((0, 1, 2))


FACTORS = {
    "kernel": [(1, 1), (2, 2), (3, 3), (5, 5), (7, 3), (11, 11)],
    "strides": [(1, 1), (2, 2), (3, 1), (3, 3), (4, 4)],
    "padding": ["valid", "same", (1, 1), (0, 2), (12, 13)],
    "dilation": [(1, 1), (2, 2), (1, 3)],
    "c": [1, 3, 8, 15, 16, 17, 64],
    "m": [1, 1, 1, 2, 3],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
}


def fits(kernel, strides, padding, dilation, c, m, h, w, n):
    _, out = lengths(h, w, kernel, strides, padding, dilation)
    return min(out) > 0 and max(n, 1) * out[0] * out[1] * kernel[0] * kernel[1] * c * m < 300_000


GEOMETRIES = covering_sample(FACTORS, fits, count=200)


def test_the_sample_holds_every_pair_of_values():
    assert not missing_pairs(FACTORS, GEOMETRIES)


@lru_cache
def expected(i):
    g = GEOMETRIES[i]
    rng = np.random.default_rng(i)
    x, w = rng.standard_normal((g["n"], g["h"], g["w"], g["c"])), rng.standard_normal((*g["kernel"], g["c"], g["m"]))
    b = rng.standard_normal(g["c"] * g["m"])
    slow = {name: g[name] for name in ("strides", "padding", "dilation")}
    y = reference(x, w, b, **slow)
    dy = rng.standard_normal(y.shape)
    padding = g["padding"] if isinstance(g["padding"], str) else (g["padding"],) * 2
    settings = {"strides": g["strides"], "padding": padding, "dilation_rate": g["dilation"]}
    return (x, w, b), y, dy, reference_gradients(x, w, dy, **slow), settings


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("i", range(len(GEOMETRIES)), ids=lambda i: "-".join(map(str, GEOMETRIES[i].values())))
def test_values_and_gradients_of_every_geometry(i, dtype):
    arrays, y, dy, grads, settings = expected(i)
    got, pullback = vjp(lambda *given: depthwise_conv2d(*given, **settings), *(a.astype(dtype) for a in arrays))
    tolerance, pixels = 1e-5 if dtype == "float32" else 1e-13, max(1, dy[..., 0].size)
    terms = (9, 9, pixels, pixels)  # about, in each sum, of values around 1
    for found, wanted, count in zip((got, *pullback(dy.astype(dtype))), (y, *grads), terms, strict=True):
        assert found.shape == wanted.shape and found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * np.sqrt(count))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", [(1, 1), (3, 0), (0, 3)])
@pytest.mark.parametrize("channels", [20, 84])
def test_windows_of_three_on_few_pixels_and_in_parts_of_rows(rng, stride, padding, channels):
    w, b = rng.standard_normal((3, 3, channels, 1)), rng.standard_normal(channels)
    for size in ((1, 1), (2, 1), (3, 2), (1, 4), (4, 5), (3, 19)):
        x = rng.standard_normal((2, *size, channels))
        if min(lengths(*size, (3, 3), (stride,) * 2, padding, (1, 1))[1]) < 1:
            continue
        slow = {"strides": (stride,) * 2, "padding": padding, "dilation": (1, 1)}
        y = reference(x, w, b, **slow)
        got, pullback = vjp(
            lambda *given: depthwise_conv2d(*given, strides=stride, padding=(padding, padding)), x, w, b
        )
        dy = rng.standard_normal(y.shape)
        for found, wanted in zip((got, *pullback(dy)), (y, *reference_gradients(x, w, dy, **slow)), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", [None, "tanh"])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_manners(rng, activation, multiplier):
    x, w = rng.standard_normal((2, 5, 4, 3)), rng.standard_normal((3, 2, 3, multiplier))
    b = rng.standard_normal(3 * multiplier)

    def slow(x, w, b, activation):
        return (np.tanh if activation else np.array)(reference(x, w, b, padding="same"))

    def op(*given, **how):
        return depthwise_conv2d(*given, padding="same", **how)

    check_op(op, slow, x, w, b, activation=activation)


def test_as_many_groups_as_channels_are_a_depthwise_convolution(rng):
    x, w, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, 9, 8, 20), (3, 3, 20, 1), (20,)))
    settings = {"strides": 2, "padding": "same", "activation": "relu"}
    np.testing.assert_array_equal(
        depthwise_conv2d(x, w, b, **settings), conv2d(x, w.reshape(3, 3, 1, 20), b, groups=20, **settings)
    )


def test_1d_is_2d_with_one_row(rng):
    x, w = rng.standard_normal((2, 9, 6)), rng.standard_normal((3, 6, 2))
    y, pullback = vjp(lambda *given: depthwise_conv1d(*given, strides=2, padding=(1, 2)), x, w)
    wide, wide_pullback = vjp(
        lambda *given: depthwise_conv2d(*given, strides=(1, 2), padding=((0, 0), (1, 2))), x[:, None], w[None]
    )
    np.testing.assert_array_equal(y, wide[:, 0])
    for got, expected in zip(pullback(y), wide_pullback(wide), strict=True):
        np.testing.assert_array_equal(got, expected.reshape(got.shape))


def test_same_bits_at_any_thread_count(rng):
    before = backend.get_num_threads()
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in ((4, 30, 30, 40), (3, 3, 40, 1), (40,)))
    results = []
    try:
        for count in (1, 2, 3, 8):
            backend.set_num_threads(count)
            y, pullback = vjp(lambda *given: depthwise_conv2d(*given, activation="relu", padding="same"), x, w, b)
            results.append((y, *pullback(np.ones_like(y))))
    finally:
        backend.set_num_threads(before)
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((zeros(4, 4, 3), zeros(2, 2, 3, 1)), r"x with 4 axes \(n, h, w, c\), got x \(4, 4, 3\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 3, 1)), r"w with 4 axes \(kh, kw, c, multiplier\), got w \(2, 3, 1\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 4, 1)), r"w with 3 channels for x .*, got w \(2, 2, 4, 1\)"),
        ((zeros(1, 4, 4, 3), zeros(5, 2, 3, 1)), "a kernel that fits into the padded image of 4 x 4"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 2), zeros(3)), r"b \(6,\) for w \(2, 2, 3, 2\), got b \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=r"\[depthwise_conv2d\] expected .*" + message):
        depthwise_conv2d(*arguments)


def test_no_channels():
    x, w = np.zeros((2, 6, 7, 0), np.float32), np.zeros((3, 3, 0, 1), np.float32)
    y, pullback = vjp(lambda *given: depthwise_conv2d(*given, padding="same"), x, w)
    dx, dw = pullback(y)
    assert (y.shape, dx.shape, dw.shape) == (x.shape, x.shape, w.shape)


def test_rows_longer_than_a_part_are_their_parts(rng):
    """A row of 700 pixels of 5 channels, 3 x 3: what its parts are summed from reaches over their ends."""
    x, w = rng.standard_normal((1, 4, 700, 5)).astype("f"), rng.standard_normal((3, 3, 5, 1)).astype("f")
    y, pullback = vjp(lambda *given: depthwise_conv2d(*given), x, w)
    for at in (0, 150, 301, 690):
        part = depthwise_conv2d(x[:, :, at : at + 8], w)
        np.testing.assert_allclose(y[:, :, at : at + 6], part, rtol=1e-5, atol=1e-5)
    dy = rng.standard_normal(y.shape)
    exact = np.zeros(w.shape)
    for i, j in np.ndindex(3, 3):
        exact[i, j, :, 0] = np.einsum("nhwc,nhwc->c", x[:, i : i + 2, j : j + 698].astype(float), dy)
    np.testing.assert_allclose(pullback(dy.astype("f"))[1], exact, rtol=1e-4, atol=1e-4)
