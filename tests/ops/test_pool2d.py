from functools import lru_cache

import numpy as np
import pytest

from fastnn import _core, ops, set_num_threads, vjp
from fastnn.ops import windows
from fastnn.testing import check_op, covering_sample, missing_pairs

#: h, w, window, strides, padding, channels: every window and stride with every kind of padding, and channels around
#: every vector width, those that are folded (up to 32 bytes) and those that are not.
GEOMETRIES = [
    ((7, 9), (2, 2), (2, 2), "valid", 1),
    ((8, 8), (2, 2), (2, 2), "valid", 9),
    ((4, 6), (2, 2), (2, 2), "valid", 33),
    ((6, 7), (3, 3), (2, 2), "same", 16),
    ((7, 8), (3, 2), (1, 1), ((1, 0), (0, 1)), 17),
    ((8, 6), (3, 3), (2, 2), 1, 3),
    ((5, 5), (2, 2), (1, 1), "same", 8),
    ((9, 5), (1, 1), (3, 2), "valid", 7),
    ((4, 7), (4, 7), (1, 1), "valid", 2),
    ((9, 9), (2, 3), (4, 4), 1, 1),
    ((3, 11), (3, 5), (1, 3), ((2, 2), (4, 3)), 33),
    ((1, 1), (3, 3), (1, 1), "same", 15),
    ((6, 10), (5, 4), (2, 3), ((0, 4), (3, 0)), 4),
]


def spread(rng, *shape):
    """Values far enough apart that a difference does not change which is largest."""
    return rng.permutation(np.prod(shape)).reshape(shape) / 10


def windows_of(length, size, stride, padding):
    """(first, end) of each window in the padded axis, and what was put before and behind."""
    if padding == "same":
        out = (length + stride - 1) // stride
        missing = max(0, (out - 1) * stride + size - length)
        before, behind = missing // 2, missing - missing // 2
    else:
        before, behind = (0, 0) if padding == "valid" else padding
    starts = range(0, length + before + behind - size + 1, stride)
    return [(s, s + size) for s in starts], (before, behind)


def pooled(x, pool_size, strides, padding, value, of_window):
    """Loops over windows of a padded copy. of_window: (n, kh, kw, c) -> (n, c)."""
    sides = [padding, padding] if isinstance(padding, str) else np.broadcast_to(padding, (2, 2)).tolist()
    found = [windows_of(*a) for a in zip(x.shape[1:3], pool_size, strides, sides, strict=True)]
    padded = np.pad(x, ((0, 0), found[0][1], found[1][1], (0, 0)), constant_values=value)
    y = np.empty((len(x), len(found[0][0]), len(found[1][0]), x.shape[3]))
    for i, (top, bottom) in enumerate(found[0][0]):
        for j, (left, right) in enumerate(found[1][0]):
            y[:, i, j] = of_window(padded[:, top:bottom, left:right])
    return y


def max_reference(x, pool_size, strides, padding):
    return pooled(x, pool_size, strides, padding, -np.inf, lambda part: part.max(axis=(1, 2)))


def mean_reference(x, pool_size, strides, padding, count_include_pad=False):
    if count_include_pad:
        return pooled(x, pool_size, strides, padding, 0.0, lambda part: part.mean(axis=(1, 2)))
    return pooled(x, pool_size, strides, padding, np.nan, lambda part: np.nanmean(part, axis=(1, 2)))


@pytest.mark.parametrize(("lengths", "pool_size", "strides", "padding", "c"), GEOMETRIES)
def test_max_pool_matches_loops(rng, lengths, pool_size, strides, padding, c):
    x = spread(rng, 2, *lengths, c)
    check_op(ops.max_pool2d, max_reference, x, pool_size=pool_size, strides=strides, padding=padding)


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize(("lengths", "pool_size", "strides", "padding", "c"), GEOMETRIES)
def test_avg_pool_matches_loops(rng, lengths, pool_size, strides, padding, c, count_include_pad):
    options = {"pool_size": pool_size, "strides": strides, "padding": padding, "count_include_pad": count_include_pad}
    check_op(ops.avg_pool2d, mean_reference, rng.standard_normal((2, *lengths, c)), linear=[0], **options)


FACTORS = {
    "window": [(1, 1), (2, 2), (3, 3), (5, 5), (7, 2), (11, 11)],
    "strides": [(1, 1), (2, 2), (3, 1), (3, 3), (4, 4)],
    "padding": ["valid", "same", "one", "most"],
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
}


def numbers(padding, window):
    """The argument padding: as it is, 1 everywhere, or one less than the window before or behind."""
    explicit = {"one": ((1, 1), (1, 1)), "most": ((0, window[0] - 1), (window[1] - 1, 0))}
    return explicit.get(padding, padding)


def found_windows(window, strides, padding, h, w):
    given = numbers(padding, window)
    sides = (given, given) if isinstance(given, str) else given
    return [windows_of(*a) for a in zip((h, w), window, strides, sides, strict=True)]


def fits(window, strides, padding, c, h, w, n):
    (rows, _), (cols, _) = found_windows(window, strides, padding, h, w)
    inside = padding != "one" or min(window) > 1
    return inside and len(rows) * len(cols) > 0 and max(n, 1) * c * len(rows) * len(cols) * np.prod(window) < 100_000


SAMPLE = covering_sample(FACTORS, fits, count=200)


def test_the_sample_holds_every_pair_of_values_that_fits():
    assert missing_pairs(FACTORS, SAMPLE) == {(("window", "(1, 1)"), ("padding", "one"))}  # a window of padding alone


@lru_cache
def expected(i):
    """x, dy, then y and dx of the largest and of the mean."""
    g = SAMPLE[i]
    rng = np.random.default_rng(i)
    x = spread(rng, g["n"], g["h"], g["w"], g["c"])
    (rows, above), (cols, beside) = found_windows(*(g[name] for name in ("window", "strides", "padding", "h", "w")))
    sides = ((0, 0), above, beside, (0, 0))
    padded, real = np.pad(x, sides, constant_values=-np.inf), np.pad(np.ones(x.shape), sides)
    dy = rng.standard_normal((g["n"], len(rows), len(cols), g["c"]))
    largest, mean, of_largest, of_mean = (np.zeros(a.shape) for a in (dy, dy, padded, padded))
    for r, (top, bottom) in enumerate(rows):
        for c, (left, right) in enumerate(cols):
            at, step = np.s_[:, top:bottom, left:right], dy[:, r, c][:, None, None]
            counts = real[at] / np.maximum(real[at].sum((1, 2), keepdims=True), 1)
            largest[:, r, c] = padded[at].max((1, 2))
            mean[:, r, c] = np.where(real[at] > 0, padded[at], 0).sum((1, 2)) / real[at].sum((1, 2))
            of_largest[at] += (padded[at] == largest[:, r, c][:, None, None]) * step
            of_mean[at] += counts * step
    inner = np.s_[:, above[0] : above[0] + g["h"], beside[0] : beside[0] + g["w"]]
    return x, dy, (largest, of_largest[inner]), (mean, of_mean[inner])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("i", range(len(SAMPLE)), ids=lambda i: "-".join(map(str, SAMPLE[i].values())))
def test_values_and_gradients_of_every_geometry(i, dtype):
    g = SAMPLE[i]
    x, dy, *wanted = expected(i)
    settings = (g["window"], g["strides"], numbers(g["padding"], g["window"]))
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    for pool, (y, dx) in zip((ops.max_pool2d, ops.avg_pool2d), wanted, strict=True):
        got, pullback = vjp(lambda x, pool=pool: pool(x, *settings), x.astype(dtype))
        (gradient,) = pullback(dy.astype(dtype))
        assert got.shape == y.shape and got.dtype == gradient.dtype == dtype
        np.testing.assert_allclose(got, y, rtol=tolerance, atol=tolerance * 10)
        np.testing.assert_allclose(gradient, dx, rtol=tolerance, atol=tolerance * 10)


SOME = [i for i, g in enumerate(SAMPLE) if g["n"]][::2]


@pytest.mark.parametrize("i", SOME, ids=lambda i: "-".join(map(str, SAMPLE[i].values())))
def test_equal_elements_of_every_geometry(i):
    """Three values in all: nearly every window has its largest several times, and the first of them gets all."""
    g = SAMPLE[i]
    rng = np.random.default_rng(i)
    x = rng.integers(0, 3, (g["n"], g["h"], g["w"], g["c"])).astype(np.float32)
    (rows, above), (cols, beside) = found_windows(*(g[name] for name in ("window", "strides", "padding", "h", "w")))
    padded = np.pad(x, ((0, 0), above, beside, (0, 0)), constant_values=-np.inf)
    dy = rng.integers(1, 9, (g["n"], len(rows), len(cols), g["c"])).astype(np.float32)
    dx = np.zeros_like(padded)
    sample, channel = np.ogrid[: g["n"], : g["c"]]
    for r, (top, bottom) in enumerate(rows):
        for c, (left, right) in enumerate(cols):
            place = padded[:, top:bottom, left:right].reshape(g["n"], -1, g["c"]).argmax(1)
            dx[sample, top + place // (right - left), left + place % (right - left), channel] += dy[:, r, c]
    settings = (g["window"], g["strides"], numbers(g["padding"], g["window"]))
    _, pullback = vjp(lambda x: ops.max_pool2d(x, *settings), x)
    wanted = dx[:, above[0] : above[0] + g["h"], beside[0] : beside[0] + g["w"]]
    np.testing.assert_array_equal(pullback(dy)[0], wanted)


@pytest.mark.parametrize(("pool", "fn"), [(ops.max_pool1d, np.max), (ops.avg_pool1d, np.mean)])
def test_one_axis(rng, pool, fn):
    def reference(x):
        return np.stack([fn(x[:, i : i + 3], axis=1) for i in range(0, x.shape[1] - 2, 2)], axis=1)

    check_op(lambda x: pool(x, 3, 2), reference, spread(rng, 2, 8, 5))


@pytest.mark.parametrize(("pool", "fn"), [(ops.max_pool3d, np.max), (ops.avg_pool3d, np.mean)])
def test_three_axes(rng, pool, fn):
    def reference(x):
        y = np.empty((2, 2, 3, 2, 3))
        for d, h, w in np.ndindex(2, 3, 2):
            part = x[:, d : d + 2, max(0, 2 * h - 1) : 2 * h + 2, 2 * w : 2 * w + 2]
            y[:, d, h, w] = fn(part, axis=(1, 2, 3))
        return y

    padding = ((0, 0), (1, 0), (0, 0))
    check_op(lambda x: pool(x, (2, 3, 2), (1, 2, 2), padding), reference, spread(rng, 2, 3, 6, 4, 3))


@pytest.mark.parametrize("size", [1, 2, (3, 5), (7, 6), (9, 1)])
@pytest.mark.parametrize(("pool", "fn"), [(ops.adaptive_max_pool, np.max), (ops.adaptive_average_pool, np.mean)])
def test_adaptive_pools_share_the_axes_out(rng, pool, fn, size):
    oh, ow = (size, size) if isinstance(size, int) else size

    def reference(x):
        h, w = x.shape[1:3]
        y = np.empty((len(x), oh, ow, x.shape[3]))
        for i, j in np.ndindex(oh, ow):
            rows = slice(int(np.floor(i * h / oh)), int(np.ceil((i + 1) * h / oh)))
            cols = slice(int(np.floor(j * w / ow)), int(np.ceil((j + 1) * w / ow)))
            y[:, i, j] = fn(x[:, rows, cols], axis=(1, 2))
        return y

    check_op(lambda x: pool(x, size), reference, spread(rng, 2, 7, 6, 3))


def test_adaptive_pools_along_one_and_three_axes(rng):
    x = rng.standard_normal((2, 4, 6, 8, 3))
    halves = x.reshape(2, 2, 2, 3, 2, 4, 2, 3)
    np.testing.assert_allclose(ops.adaptive_average_pool(x, (2, 3, 4)), halves.mean(axis=(2, 4, 6)), rtol=1e-12)
    np.testing.assert_array_equal(ops.adaptive_max_pool(x, (2, 3, 4)), halves.max(axis=(2, 4, 6)))
    np.testing.assert_array_equal(ops.adaptive_max_pool(x[0, 0], 4), x[0, 0].reshape(6, 4, 2, 3).max(axis=2))


@pytest.mark.parametrize("c", [1, 2, 5, 17])
def test_ties_go_to_the_first_and_nans_to_the_last(c):
    """Row by row, as in PyTorch."""
    x = np.zeros((1, 2, 2, c), np.float32)
    cases = [([0, 0, 0, 0], 0), ([1, 2, 2, 1], 1), ([np.nan, 5, np.nan, 1], 2), ([-np.inf] * 4, 0), ([1, 1, 1, 2], 3)]
    for values, winner in cases:
        x[...] = np.reshape(values, (1, 2, 2, 1))
        y, pullback = vjp(lambda x: ops.max_pool2d(x, 2), x)
        (dx,) = pullback(np.full_like(y, 3))
        expected = np.zeros(4)
        expected[winner] = 3
        np.testing.assert_array_equal(y.ravel(), np.full(c, np.max(values)))
        np.testing.assert_array_equal(dx[0, ..., 0].ravel(), expected)
        np.testing.assert_array_equal(dx, np.repeat(dx[..., :1], c, axis=3))


def test_a_nan_spoils_its_windows_alone():
    for c in (1, 16):
        x = np.ones((1, 4, 4, c), np.float32)
        x[0, 1, 1] = np.nan
        for pool in (ops.max_pool2d, ops.avg_pool2d):
            np.testing.assert_array_equal(pool(x, 2)[0, ..., 0], [[np.nan, 1], [1, 1]])


def test_overlapping_windows_add_up_their_gradients():
    x = np.zeros((1, 1, 5, 1))
    x[0, 0, 2] = 1
    _, pullback = vjp(lambda x: ops.max_pool2d(x, (1, 3), 1), x)
    np.testing.assert_array_equal(pullback(np.array([1.0, 10, 100]).reshape(1, 1, 3, 1))[0].ravel(), [0, 0, 111, 0, 0])


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (2, 4, 4, 0)])
def test_empty(shape):
    for pool in (ops.max_pool2d, ops.avg_pool2d):
        y, pullback = vjp(lambda x, pool=pool: pool(x, 2), np.zeros(shape, np.float32))
        assert y.shape == (shape[0], 2, 2, shape[3]) and pullback(y)[0].shape == shape


@pytest.mark.parametrize("shape", [(3, 60, 64, 20), (20, 40, 40, 3)])
def test_bits_do_not_depend_on_the_number_of_threads(rng, shape):
    """Large enough to be split: few images by rows, many by images."""
    x = rng.standard_normal(shape).astype(np.float32)

    def everything():
        results = []
        for pool in (ops.max_pool2d, ops.avg_pool2d):
            y, pullback = vjp(lambda x, pool=pool: pool(x, 3, 2, "same"), x)
            results += [y, pullback(y)[0]]
        return [r.tobytes() for r in results]

    before = _core.num_threads()
    try:
        found = []
        for threads in (1, 2, 3, 8):
            set_num_threads(threads)
            found.append(everything())
    finally:
        set_num_threads(before)
    assert all(f == found[0] for f in found)


def test_keras_names_choose_by_the_number_of_axes(rng):
    for axes in (1, 2, 3):
        x = rng.standard_normal((2, *(4, 6, 8)[:axes], 3)).astype(np.float32)
        named = [(ops.max_pool, "max_pool"), (ops.average_pool, "avg_pool")]
        for facade, name in named:
            own = getattr(ops, f"{name}{axes}d")
            np.testing.assert_array_equal(facade(x, 2, 1, "same"), own(x, 2, 1, "same"))


def test_lists_are_taken_as_tuples(rng):
    x = rng.standard_normal((1, 6, 6, 2)).astype(np.float32)
    np.testing.assert_array_equal(ops.max_pool2d(x, [2, 3], [2, 3], [[0, 0], [1, 2]]),
                                  ops.max_pool2d(x, (2, 3), (2, 3), ((0, 0), (1, 2))))  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 4, 5), {"pool_size": 2}, r"expected x of shape \(n, h, w, c\), got \(3, 4, 5\)"),
        ((1, 4, 4, 1), {"pool_size": 5}, r"expected windows that fit x with padding, got 5 over 4"),
        ((1, 4, 4, 1), {"pool_size": (2, 2, 2)}, r"expected pool_size of 2 integers >= 1, got \(2, 2, 2\)"),
        ((1, 4, 4, 1), {"pool_size": 2, "strides": 0}, "expected strides of 2 integers >= 1, got 0"),
        ((1, 4, 4, 1), {"pool_size": 2, "padding": 2}, r"expected padding less than the windows \(2, 2\), got"),
        ((1, 4, 4, 1), {"pool_size": 2, "padding": "full"}, "expected padding 'valid', 'same', a number or pairs"),
        ((1, 0, 4, 1), {"pool_size": 2, "padding": 1}, r"expected windows that fit .* got 2 over 0"),
    ],
)
def test_bad_geometry_is_refused(shape, options, message):
    for pool, name in ((ops.max_pool2d, "max_pool2d"), (ops.avg_pool2d, "avg_pool2d")):
        with pytest.raises(ValueError, match=rf"\[{name}\] {message}"):
            pool(np.zeros(shape, np.float32), **options)


def test_kernels_refuse_what_does_not_fit():
    x, dy = np.zeros((1, 4, 4, 1), np.float32), np.zeros((1, 2, 3, 1), np.float32)
    h = (2, 2, 2, 1, 0)
    with pytest.raises(ValueError, match=r"expected dy of shape \(1, 2, 2, 1\), got \(1, 2, 3, 1\)"):
        _core.max_pool2d_backward(x, dy, h, h)
    with pytest.raises(ValueError, match=r"expected no window in padding alone, got window 2"):
        _core.max_pool2d(x, (3, 2, 2, 1, 0), h)
    with pytest.raises(ValueError, match=r"expected windows of at most 16777216 elements"):
        big = (1, 1, 1 << 13, 1, 0)
        _core.max_pool2d_backward(x, np.zeros((1, 1, 1, 1), np.float32), big, big)


def test_same_padding_puts_the_odd_one_behind():
    assert windows.same_padding(6, 3, 2) == (0, 1)
    assert windows.same_padding(7, 3, 2) == (1, 1)
    assert windows.same_padding(5, 2, 5) == (0, 0)


def test_gradients_stored_past_the_caches_are_those_of_single_images(rng):
    x = rng.standard_normal((7, 128, 128, 64), np.float32)  # 29 MB
    dy = rng.standard_normal((7, 64, 64, 64), np.float32)
    for pool in (ops.max_pool2d, ops.avg_pool2d):
        dx = vjp(lambda x, pool=pool: pool(x, 2), x)[1](dy)[0]
        one = vjp(lambda x, pool=pool: pool(x, 2), x[3:4])[1](dy[3:4])[0]
        np.testing.assert_array_equal(dx[3:4], one)
