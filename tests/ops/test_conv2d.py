"""2D and 1D convolution. The reference sums shifted images, one tap of the kernel after the other, in float64."""

import math
from functools import lru_cache

import numpy as np
import pytest

from fastnn import GradientTape, Variable, backend, ops, vjp
from fastnn.autograd import Want
from fastnn.backend import kernels
from fastnn.ops import conv1d, conv2d, conv_transpose2d
from fastnn.testing import check_op, covering, covering_sample, missing_pairs


@pytest.fixture
def threads():
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


def zeros(*shape):
    return np.zeros(shape, np.float32)


def sides(padding, size, kernel, stride, dilation):
    """Zeros before and after an axis."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        missing = max(0, (-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size)
        return missing // 2, missing - missing // 2
    return padding


def taps(shape, w_shape, strides, padding, dilation, groups):
    """For every tap and group: slices of the padded image, of the channels in and out."""
    (n, *size, c), (*kernel, _, o) = shape, w_shape
    pads = [sides(padding[i], size[i], kernel[i], strides[i], dilation[i]) for i in range(2)]
    out = [(size[i] + sum(pads[i]) - (kernel[i] - 1) * dilation[i] - 1) // strides[i] + 1 for i in range(2)]
    found = []
    for i, j in np.ndindex(*kernel):
        rows, cols = (
            slice(t * dilation[a], t * dilation[a] + (out[a] - 1) * strides[a] + 1, strides[a])
            for a, t in enumerate((i, j))
        )
        for g in range(groups):
            cut = [slice(g * size // groups, (g + 1) * size // groups) for size in (c, o)]
            found.append((i, j, rows, cols, *cut))
    return pads, (n, *out, o), found


def reference(x, w, b=None, *, strides=(1, 1), padding=("valid", "valid"), dilation=(1, 1), groups=1):
    pads, shape, found = taps(x.shape, w.shape, strides, padding, dilation, groups)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    y = np.zeros(shape)
    for i, j, rows, cols, c, o in found:
        y[..., o] += padded[:, rows, cols, c] @ w[i, j, :, o]
    return y if b is None else y + b


def reference_gradients(x, w, dy, *, strides, padding, dilation, groups):
    pads, _, found = taps(x.shape, w.shape, strides, padding, dilation, groups)
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    dx, dw = np.zeros(padded.shape), np.zeros(w.shape)
    for i, j, rows, cols, c, o in found:
        dx[:, rows, cols, c] += dy[..., o] @ w[i, j, :, o].T
        dw[i, j, :, o] += np.einsum("nhwc,nhwo->co", padded[:, rows, cols, c], dy[..., o])
    (top, _), (left, _) = pads
    return dx[:, top : top + x.shape[1], left : left + x.shape[2]], dw, dy.sum((0, 1, 2))


# ---- geometries -----------------------------------------------------------------------------------------------------

FACTORS = {
    "kernel": [(1, 1), (2, 2), (3, 3), (5, 5), (7, 7), (11, 11), (1, 3), (5, 2)],
    "strides": [(1, 1), (2, 2), (3, 3), (4, 4), (2, 1), (1, 3)],
    "padding": ["valid", "same", (1, 1), (0, 2), "wide"],
    "dilation": [(1, 1), (2, 2), (3, 1)],
    "groups": [1, 1, 2, 3],
    "c": [1, 3, 8, 15, 16, 17, 64],
    "o": [1, 3, 8, 16, 17, 50],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
}


def explicit(kernel, padding):
    """Padding for each axis; "wide" is more than the kernel."""
    return tuple((size + 1, size + 2) if padding == "wide" else padding for size in kernel)


def fits(kernel, strides, padding, dilation, groups, c, o, h, w, n):
    if c % groups or o % groups:
        return False
    size = []
    for i, length in enumerate((h, w)):
        before, after = sides(explicit(kernel, padding)[i], length, kernel[i], strides[i], dilation[i])
        size.append((length + before + after - (kernel[i] - 1) * dilation[i] - 1) // strides[i] + 1)
    work = max(n, 1) * size[0] * size[1] * kernel[0] * kernel[1] * c * o / groups
    return min(size) > 0 and work < 2e6


GEOMETRIES = covering_sample(FACTORS, fits, count=200)
# Beyond what the sample allows: several chunks of pixels, blocks of the depth, panels of outputs, and all at once.
GEOMETRIES += [
    {"strides": (1, 1), "dilation": (1, 1), "groups": 1, **g}
    for g in (
        {"kernel": (3, 3), "padding": "same", "c": 70, "o": 100, "h": 12, "w": 13, "n": 2},
        {"kernel": (2, 2), "padding": "valid", "c": 600, "o": 49, "h": 5, "w": 5, "n": 1},
        {"kernel": (1, 9), "padding": "same", "c": 5, "o": 7, "h": 1, "w": 700, "n": 1},
        {"kernel": (3, 3), "padding": "same", "c": 2, "o": 3, "h": 3, "w": 3, "n": 70},
        {"kernel": (14, 14), "padding": "valid", "c": 3, "o": 20, "h": 14, "w": 14, "n": 5},
        {"kernel": (1, 1), "padding": "valid", "c": 20, "o": 30, "h": 14, "w": 14, "n": 3},
    )
]


@lru_cache
def expected(i):
    """Inputs of geometry i, what its forward pass and its gradients are, and its settings."""
    g = GEOMETRIES[i]
    rng = np.random.default_rng(i)
    x = rng.standard_normal((g["n"], g["h"], g["w"], g["c"]))
    w = rng.standard_normal((*g["kernel"], g["c"] // g["groups"], g["o"]))
    b = rng.standard_normal(g["o"])
    padding = explicit(g["kernel"], g["padding"])
    settings = {"strides": g["strides"], "groups": g["groups"]}
    slow = {**settings, "padding": padding, "dilation": g["dilation"]}
    y = reference(x, w, b, **slow)
    dy = rng.standard_normal(y.shape)
    if not isinstance(g["padding"], str) or g["padding"] == "wide":
        settings["padding"] = padding
    else:
        settings["padding"] = g["padding"]
    return (x, w, b), y, dy, reference_gradients(x, w, dy, **slow), {**settings, "dilation_rate": g["dilation"]}


def test_the_sample_holds_nearly_every_pair_of_values():
    """All but those that do not fit or take too long, such as 11 x 11 kernels of 64 channels: 18 of 1205."""
    assert len(missing_pairs(FACTORS, GEOMETRIES)) <= 18


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("i", range(len(GEOMETRIES)), ids=lambda i: "-".join(map(str, GEOMETRIES[i].values())))
def test_values_and_gradients_of_every_geometry(i, dtype):
    arrays, y, dy, grads, settings = expected(i)
    got, pullback = vjp(lambda *given: conv2d(*given, **settings), *(a.astype(dtype) for a in arrays))
    # Windows of some size and channels are summed by Winograd's algorithm: 7 times the error; docs/numerics.md.
    (rows, cols), (kh, kw, c, o) = settings["strides"], arrays[1].shape
    taps = {-(-kh // rows), -(-kw // rows)}  # of the phases of a stride
    tiled = rows == cols and taps in ({3}, {4}, {5}) and min(c * rows * cols, o) >= 8
    slack = 10 if dy.size and tiled else 1
    tolerance = slack * (1e-5 if dtype == "float32" else 1e-13)
    area, pixels = np.prod(arrays[1].shape[:2]), dy[..., 0].size
    terms = (area * arrays[1].shape[2], area * y.shape[-1], pixels, pixels)  # in each sum, of values around 1
    for found, wanted, count in zip((got, *pullback(dy.astype(dtype))), (y, *grads), terms, strict=True):
        assert found.shape == wanted.shape and found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * np.sqrt(count))


# ---- Winograd -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "h", "w", "c", "o", "padding"),
    [
        (1, 16, 16, 64, 64, "same"),
        (5, 51, 52, 32, 32, "same"),
        (2, 14, 15, 32, 40, 1),
        (2, 17, 9, 70, 33, "valid"),
        (1, 12, 20, 128, 50, 2),
    ],
)
@pytest.mark.parametrize(
    ("kernel", "strides"), [((3, 3), (1, 1)), ((4, 4), (1, 1)), ((5, 5), (1, 1)), ((3, 3), (2, 2)), ((5, 5), (2, 2))]
)
def test_winograd_keeps_its_bound(rng, n, h, w, c, o, padding, kernel, strides):
    keeps_bound(rng, n, h, w, c, o, padding, kernel=kernel, strides=strides)


@pytest.mark.parametrize(
    ("n", "size", "c", "o", "kernel", "strides"),
    [
        (1, 14, 130, 140, (3, 3), (1, 1)),
        (1, 8, 129, 144, (5, 5), (1, 1)),
        (1, 28, 256, 200, (3, 3), (2, 2)),
        (1, 16, 66, 70, (6, 6), (2, 2)),
        (9, 13, 257, 256, (3, 3), (1, 1)),
    ],
)
def test_winograd_keeps_its_bound_with_large_kernels(rng, n, size, c, o, kernel, strides):
    """Kernels that are transformed where they are multiplied, some channels at a time; the last in two passes."""
    keeps_bound(rng, n, size, size, c, o, "same", kernel=kernel, strides=strides)


#: Sizes from 4 n to 4 n + 3, channels beside 16, 32 and 64, tiles in padding alone. Winograd's way is taken for all
#: windows with stride 1.
TILED = covering(
    kernel=[((2, 2), (1, 1)), ((3, 3), (1, 1)), ((4, 4), (1, 1)), ((5, 5), (1, 1)), ((3, 3), (2, 2))],
    h=[16, 17, 18, 19],
    w=[16, 17, 18, 19],
    padding=["valid", "same", ((0, 3), (2, 0)), ((7, 2), (6, 9))],
    c=[9, 16, 33, 64],
    o=[17, 32, 40, 65, 80],
    n=[1, 3],
    dtype=["float32", "float64"],
)


@pytest.mark.parametrize("g", TILED, ids=lambda g: "-".join(map(str, g.values())))
def test_winograd_in_every_geometry(rng, g):
    kernel, strides = g["kernel"]
    keeps_bound(rng, **{**g, "kernel": kernel, "strides": strides})


#: Windows with a stride, as windows over its phases: shorter than these by 0 to 2 pixels, few channels or more than a
#: vector in a row of phases, pixels that no window reaches.
PHASES = covering(
    kernel=[(4, 2), (5, 2), (6, 2), (7, 2), (8, 2), (10, 2), (7, 3), (8, 3), (9, 3), (8, 4), (11, 4), (12, 4)],
    h=[0, 1, 2, 3],  # beyond 12 windows
    w=[0, 1, 2, 3],
    padding=["valid", "same", ((0, 3), (2, 0)), ((7, 2), (6, 9))],
    c=[3, 5, 9, 17, 33],
    o=[16, 43, 50],
    n=[1, 3],
    dtype=["float32", "float64"],
)


@pytest.mark.parametrize("g", PHASES, ids=lambda g: "-".join(map(str, g.values())))
def test_phases_of_strides_in_every_geometry(rng, g):
    kernel, stride = g["kernel"]
    h, w = (11 * stride + kernel + g[axis] for axis in "hw")
    c = min(g["c"], 300 // stride**2)  # errors of sums grow with their length, however they are taken
    keeps_bound(rng, **{**g, "h": h, "w": w, "c": c, "kernel": (kernel, kernel), "strides": (stride, stride)})


@pytest.mark.parametrize(("kernel", "stride", "past"), [(11, 4, 3), (7, 2, 1), (5, 2, 1), (7, 3, 2), (3, 2, 1)])
def test_what_no_window_reaches_stays_unread(rng, kernel, stride, past):
    """NaN there is in no sum, also where the phases of a stride reach further than windows."""
    size = 17 * stride + kernel
    x, w = rng.standard_normal((2, size, size, 16)), rng.standard_normal((kernel, kernel, 16, 32))
    wide = np.full((2, size + past, size + past, 16), np.nan)
    wide[:, :size, :size] = x
    dy = rng.standard_normal((2, 18, 18, 32))
    for dtype in (np.float32, np.float64):
        y, pullback = vjp(lambda *given: conv2d(*given, strides=stride), x.astype(dtype), w.astype(dtype))
        y_wide, pullback_wide = vjp(lambda *given: conv2d(*given, strides=stride), wide.astype(dtype), w.astype(dtype))
        np.testing.assert_array_equal(y_wide, y)
        np.testing.assert_array_equal(pullback_wide(dy.astype(dtype))[1], pullback(dy.astype(dtype))[1])


#: Windows 3 and 5 wide whose kernel gradient is summed for all taps at once: images narrower than a window, padding
#: wider than one, lines and channels beside those that one call takes.
NARROW = covering(
    kernel=[(3, 3), (1, 3), (7, 3), (5, 5), (2, 5)],
    h=[1, 2, 9, 14],
    w=[1, 2, 7, 18],
    padding=["same", ((6, 6), (4, 4)), ((7, 5), (5, 0)), ((6, 6), (0, 7))],
    c=[1, 2, 3, 5, 16, 33],
    o=[1, 6, 16, 17, 50],
    n=[1, 3],
    dtype=["float32", "float64"],
)


@pytest.mark.parametrize("g", NARROW, ids=lambda g: "-".join(map(str, g.values())))
def test_narrow_windows_in_every_geometry(rng, g):
    if g["w"] == 1 and g["padding"] == ((7, 5), (5, 0)):
        g = {**g, "padding": ((7, 5), (5, 1))}  # so that windows of 5 and more fit
    keeps_bound(rng, **g)


#: Windows 5 wide that lie inside of rows, by whose results such sums go: a single window, rows of windows beyond the
#: image, lines that make no five, more columns than a vector.
INNER = [
    {"n": 3, "h": 9, "w": 11, "c": 2, "o": 6},
    {"n": 2, "h": 5, "w": 5, "c": 1, "o": 16},
    {"n": 7, "h": 8, "w": 14, "c": 6, "o": 16},
    {"n": 1, "h": 4, "w": 9, "c": 5, "o": 23, "kernel": (3, 5)},
    {"n": 2, "h": 4, "w": 8, "c": 4, "o": 3, "kernel": (3, 5)},
    {"n": 2, "h": 3, "w": 9, "c": 3, "o": 7, "padding": ((6, 3), (0, 0))},
    {"n": 2, "h": 7, "w": 9, "c": 3, "o": 7, "padding": ((0, 0), (0, 1))},
    {"n": 40, "h": 12, "w": 12, "c": 3, "o": 9},
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("g", INNER, ids=lambda g: "-".join(map(str, g.values())))
def test_windows_inside_of_rows(rng, g, dtype):
    keeps_bound(rng, **{"kernel": (5, 5), "padding": "valid", **g}, dtype=dtype)


#: Windows of one pixel, in rows that are no multiple of a tile, deeper than one pass, fewer than a tile. Their kernel
#: gradient is a sum over chunks of pixels: as dw lies or turned, of one part and of several, by rows of dw, with
#: columns that fill no vector, panels of one to three vectors; pixels apart in one or two directions, some beyond the
#: last window, in images that end within a chunk; and the sizes beside these.
POINTS = [
    {"n": 1, "h": 64, "w": 65, "c": 64, "o": 17},
    {"n": 2, "h": 64, "w": 32, "c": 48, "o": 37},
    {"n": 3, "h": 37, "w": 41, "c": 17, "o": 48},
    {"n": 1, "h": 64, "w": 64, "c": 64, "o": 64},
    {"n": 1, "h": 2, "w": 65, "c": 1024, "o": 32},
    {"n": 2, "h": 1, "w": 3, "c": 1040, "o": 18},
    {"n": 3, "h": 9, "w": 14, "c": 20, "o": 64, "strides": (2, 2)},
    {"n": 2, "h": 21, "w": 5, "c": 130, "o": 48, "strides": (1, 3)},
    {"n": 2, "h": 8, "w": 70, "c": 16, "o": 528, "strides": (3, 1)},
    {"n": 2, "h": 50, "w": 63, "c": 65, "o": 64, "strides": (2, 1)},
    {"n": 0, "h": 8, "w": 7, "c": 16, "o": 48, "strides": (2, 2)},
    {"n": 1, "h": 9, "w": 7, "c": 16, "o": 56, "strides": (2, 2)},
    {"n": 1, "h": 9, "w": 7, "c": 15, "o": 48, "strides": (2, 2)},
    {"n": 1, "h": 63, "w": 65, "c": 64, "o": 17},
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("g", POINTS, ids=lambda g: "-".join(map(str, g.values())))
def test_windows_of_one_pixel(rng, g, dtype):
    keeps_bound(rng, **g, padding="valid", kernel=(1, 1), dtype=dtype)


#: Batches around one and two vectors of images, whose pixels go side by side through kernels with few channels: tiles
#: of every number of channels, rows and images narrower than a tile, rows of windows outside of the image.
BATCHES = covering(
    n=[7, 8, 13, 15, 16, 31, 32],
    kernel=[(3, 3), (1, 4), (5, 5), (4, 2), (1, 1)],
    h=[1, 3, 6, 11],
    w=[1, 2, 6, 13],
    padding=["same", ((4, 4), (3, 3)), ((7, 5), (5, 6))],
    strides=[(1, 1), (2, 1), (1, 3)],
    dilation=[(1, 1), (2, 1), (1, 2)],
    c=[1, 2, 3, 6, 16],
    o=[1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17, 21],
)


@pytest.mark.parametrize("g", BATCHES, ids=lambda g: "-".join(map(str, g.values())))
def test_batches_of_few_channels_in_every_geometry(rng, g):
    keeps_bound(rng, **g)


@pytest.mark.parametrize(("c", "o"), [(0, 4), (4, 0), (0, 0)])
@pytest.mark.parametrize("op", [conv2d, conv_transpose2d])
def test_batches_without_channels(op, c, o):
    x, w = zeros(16, 5, 5, c), zeros(3, 3, *((c, o) if op is conv2d else (o, c)))
    y, pullback = vjp(lambda *given: op(*given, padding="same"), x, w)
    np.testing.assert_array_equal(y, zeros(16, 5, 5, o))
    for gradient, given in zip(pullback(y), (x, w), strict=True):
        np.testing.assert_array_equal(gradient, np.zeros_like(given))


@pytest.mark.parametrize("o", [5, 16])
@pytest.mark.parametrize("activation", [None, "relu", "gelu"])
def test_a_batch_has_the_bits_of_its_images(rng, o, activation):
    """Whichever way they go, for finite weights: sums are taken in the same order. 21 images fill vectors of 8 and 4,
    but not of 16, and 17 those of 4 alone."""
    for n in (8, 16, 31, 41, 21, 17):
        x, w, b = (rng.standard_normal(s).astype(np.float32) for s in ((n, 9, 10, 3), (3, 3, 3, o), (o,)))
        whole = conv2d(x, w, b, padding="same", activation=activation)
        single = [conv2d(image[None], w, b, padding="same", activation=activation) for image in x]
        np.testing.assert_array_equal(whole, np.concatenate(single))


def keeps_bound(rng, n, h, w, c, o, padding, dtype="float32", kernel=(3, 3), strides=(1, 1), dilation=(1, 1)):
    """Root mean square errors, relative to the values, stay below 4e-6 in float32, the largest below 1e-4."""
    arrays = [rng.standard_normal(s).astype(dtype) for s in ((n, h, w, c), (*kernel, c, o), (o,))]
    settings = {"strides": strides, "padding": padding, "dilation_rate": dilation}
    y, pullback = vjp(lambda *given: conv2d(*given, **settings), *arrays)
    pairs = {str: (padding,) * 2, int: ((padding,) * 2,) * 2}.get(type(padding), padding)
    slow = {"strides": strides, "dilation": dilation, "groups": 1, "padding": pairs}
    exact = [a.astype(np.float64) for a in arrays]
    expected = reference(*exact, **slow)
    dy = rng.standard_normal(expected.shape).astype(dtype)
    dx_expected, dw_expected, *_ = reference_gradients(*exact[:2], dy.astype(np.float64), **slow)
    dx, dw, _ = pullback(dy)
    scale = 1 if dtype == "float32" else 1e-8
    for got, wanted in ((y, expected), (dx, dx_expected), (dw, dw_expected)):
        assert got.dtype == dtype and got.shape == wanted.shape
        if not np.any(wanted):
            assert not np.any(got)
            continue
        size = np.sqrt(np.mean(wanted**2))
        assert np.sqrt(np.mean((got - wanted) ** 2)) < 4e-6 * scale * size
        assert np.abs(got - wanted).max() < 1e-4 * scale * size


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("shapes", [((2, 15, 14, 32), (3, 3, 32, 40), (40,)), ((2, 15, 14, 17), (1, 1, 17, 56), (56,))])
def test_with_activation_is_the_activation_of_it(rng, activation, shapes):
    """Winograd, and windows of one pixel."""
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in shapes)
    z = conv2d(x, w, b, padding="same")
    expected = getattr(ops, activation)(z, **({"approximate": False} if activation == "gelu" else {}))
    np.testing.assert_allclose(conv2d(x, w, b, padding="same", activation=activation), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("n", "size", "strides", "o"),
    [(6, 3, 1, 100), (6, 4, 1, 100), (6, 5, 1, 100), (6, 3, 2, 100), (6, 5, 2, 50), (1, 3, 1, 200)],
)
def test_winograd_has_the_same_bits_at_any_thread_count(rng, threads, n, size, strides, o):
    shapes = (n, 20 * strides, 20 * strides, 128), (size, size, 128, o), (o,)
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in shapes)
    results = []
    for count in (1, 2, 3, 8):
        backend.set_num_threads(count)
        y, pullback = vjp(lambda *given: conv2d(*given, strides=strides, activation="relu"), x, w, b)
        results.append((y, *pullback(np.ones_like(y))))
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


# ---- manners ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", [None, "tanh", "gelu"])
@pytest.mark.parametrize("settings", [{}, {"strides": 2, "padding": "same"}, {"groups": 2, "padding": 1}])
def test_manners(rng, activation, settings):
    """One for each way: y or z is kept, arrays are strided or read-only, each gradient alone."""
    x, w, b = (rng.standard_normal(shape) for shape in ((2, 5, 4, 4), (3, 2, 4 // settings.get("groups", 1), 6), (6,)))

    def slow(x, w, b, activation, strides=1, padding="valid", groups=1):
        padding = (padding,) * 2 if isinstance(padding, str) else ((padding, padding),) * 2
        z = reference(x, w, b, strides=(strides, strides), padding=padding, groups=groups)
        return ACTIVATIONS[activation](z)

    check_op(conv2d, slow, x, w, b, activation=activation, **settings)


ACTIVATIONS = {
    None: lambda z: z,
    "tanh": np.tanh,
    "gelu": lambda z: z / 2 * (1 + np.vectorize(math.erf)(z / np.sqrt(2))),
}


def test_without_bias_it_is_linear_in_both(rng):
    x, w = rng.standard_normal((2, 4, 5, 3)), rng.standard_normal((2, 3, 3, 2))
    check_op(conv2d, reference, x, w, linear=(0, 1))


@pytest.mark.parametrize("settings", [{}, {"strides": 2}, {"padding": (2, 0), "dilation_rate": 2}, {"groups": 3}])
def test_1d_is_2d_with_one_row(rng, settings):
    x, w, b = rng.standard_normal((2, 9, 6)), rng.standard_normal((3, 6 // settings.get("groups", 1), 3)), np.ones(3)
    y, pullback = vjp(lambda *given: conv1d(*given, **settings), x, w, b)
    stride, dilation = settings.get("strides", 1), settings.get("dilation_rate", 1)
    slow = {
        "strides": (1, stride),
        "dilation": (1, dilation),
        "padding": ((0, 0), settings.get("padding", "valid")),
        "groups": settings.get("groups", 1),
    }
    np.testing.assert_allclose(y, reference(x[:, None], w[None], b, **slow)[:, 0], rtol=1e-12, atol=1e-12)
    dy = rng.standard_normal(y.shape)
    wanted = reference_gradients(x[:, None], w[None], dy[:, None], **slow)
    for got, expected in zip(pullback(dy), (wanted[0][:, 0], wanted[1][0], wanted[2]), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("x_shape", "w_shape", "settings"),
    [
        ((4, 20, 20, 16), (3, 3, 16, 40), {"padding": "same"}),
        ((9, 30, 31, 16), (3, 3, 16, 6), {"padding": "same"}),
        ((31, 15, 14, 6), (5, 5, 6, 17), {"padding": "same"}),
        ((31, 15, 14, 6), (5, 5, 6, 16), {}),
        ((31, 20, 21, 3), (5, 5, 3, 6), {"padding": "same"}),
        ((1, 8, 8, 200), (3, 3, 200, 70), {"padding": "same", "strides": 2}),
        ((3, 16, 16, 12), (5, 5, 6, 24), {"groups": 2}),
        ((3, 40, 41, 40), (1, 1, 40, 80), {}),
        ((1, 10, 20, 1024), (1, 1, 1024, 24), {}),
        ((5, 40, 41, 40), (1, 1, 40, 80), {"strides": 2}),
    ],
)
def test_same_bits_at_any_thread_count(rng, threads, x_shape, w_shape, settings):
    x, w, b = (rng.standard_normal(s).astype(np.float32) for s in (x_shape, w_shape, w_shape[-1:]))
    results = []
    for count in (1, 2, 3, 8):
        backend.set_num_threads(count)
        y, pullback = vjp(lambda *given: conv2d(*given, activation="relu", **settings), x, w, b)
        results.append((y, *pullback(np.ones_like(y))))
    for result in results[1:]:
        for array, first in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(array, first)


def test_gradients_go_where_they_are_wanted(rng):
    x = rng.standard_normal((2, 5, 5, 3)).astype(np.float32)
    w, b = Variable(rng.standard_normal((2, 2, 3, 4)).astype(np.float32)), Variable(np.zeros(4, np.float32))
    w.want, b.want = Want(np.empty((2, 2, 3, 4), np.float32)), Want(np.empty(4, np.float32))
    with GradientTape() as tape:
        y = conv2d(x, w, b)
    grads = tape.gradient(y, [w, b])
    assert grads[0] is w.want.out and grads[1] is b.want.out
    np.testing.assert_array_equal(grads[1], np.full(4, 2 * 4 * 4))


def test_out(rng):
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 4, 4, 2), (2, 2, 2, 3)))
    out = np.empty((1, 3, 3, 3), np.float32)
    assert conv2d(x, w, out=out) is out
    np.testing.assert_array_equal(out, conv2d(x, w))


# ---- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((zeros(4, 4, 3), zeros(2, 2, 3, 5)), {}, r"x with 4 axes \(n, h, w, c\), got x \(4, 4, 3\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 3, 5)), {}, r"w with 4 axes \(kh, kw, c / groups, o\), got w \(2, 3, 5\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 4, 5)), {}, r"w with 3 / 1 channels in for x .*, got w \(2, 2, 4, 5\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 5)), {"groups": 2}, "channels that groups divides, got groups 2 for 3"),
        ((zeros(1, 4, 4, 3), zeros(5, 2, 3, 5)), {}, "padded image of 4 x 4, got one that covers 5 x 2"),
        ((zeros(1, 4, 4, 3), zeros(3, 3, 3, 5)), {"dilation_rate": 2}, "of 4 x 4, got one that covers 5 x 5"),
        ((zeros(1, 4, 4, 3), zeros(0, 2, 3, 5)), {}, "a kernel of at least 1 x 1, got 0 x 2"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 5), zeros(4)), {}, r"b \(5,\) for w \(2, 2, 3, 5\), got b \(4,\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 5)), {"strides": 0}, "strides to be an integer or 2 of them >= 1, got 0"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 5)), {"strides": (1, 2, 3)}, r"strides to be .*, got \(1, 2, 3\)"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 5)), {"padding": "full"}, "padding 'valid', 'same', or .*, got 'full'"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 5)), {"padding": -1}, "padding to be .* >= 0"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 5)), {"padding": ((1, 2), (3,))}, "padding to be an integer or 2"),
        ((zeros(1, 4, 4, 3), zeros(2, 2, 3, 5)), {"activation": "softmax"}, "activation None or one of .*'softmax'"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=r"\[conv2d\] expected .*" + message):
        conv2d(*arguments, **settings)


def test_1d_refuses_in_its_own_words():
    with pytest.raises(ValueError, match=r"\[conv1d\] expected x with 3 axes \(n, w, c\), got x \(1, 4, 4, 3\)"):
        conv1d(zeros(1, 4, 4, 3), zeros(2, 3, 5))


def test_backward_refuses_another_dy():
    x, w, window = zeros(1, 4, 4, 3), zeros(2, 2, 3, 5), (1, 1, 1, 1, 0, 0, 0, 0, 0, 1)
    with pytest.raises(ValueError, match=r"\[conv2d_backward\] expected dy of shape \(1, 3, 3, 5\), got \(1, 3, 4"):
        kernels(x).conv2d_backward(x, w, zeros(1, 3, 3, 5), zeros(1, 3, 4, 5), 2, window)


def test_no_images_no_channels(rng):
    assert conv2d(zeros(0, 4, 4, 3), zeros(2, 2, 3, 5)).shape == (0, 3, 3, 5)
    assert conv2d(zeros(2, 4, 4, 3), zeros(2, 2, 3, 0)).shape == (2, 3, 3, 0)
    y, pullback = vjp(conv2d, zeros(2, 4, 4, 0), zeros(2, 2, 0, 5), np.arange(5, dtype=np.float32))
    np.testing.assert_array_equal(y, np.broadcast_to(np.arange(5), (2, 3, 3, 5)))
    assert [g.shape for g in pullback(y)] == [(2, 4, 4, 0), (2, 2, 0, 5), (5,)]
