"""Pools whose windows share an image out: to any size, and to one pixel, which is global pooling."""

import numpy as np
import pytest

from fastnn import _core, ops, set_num_threads, vjp
from fastnn.testing import check_op, covering_sample, missing_pairs

FACTORS = {
    "c": [1, 3, 8, 15, 16, 17, 64],
    "h": [1, 7, 8, 14, 28],
    "w": [1, 7, 8, 14, 28],
    "n": [0, 1, 3, 8],
    "out_h": [1, 2, 3, 5, 9],
    "out_w": [1, 2, 4, 7, 14],
}


def fits(c, h, w, n, out_h, out_w):
    return max(n, 1) * c * max(h * w, out_h * out_w) < 8_000


SAMPLE = covering_sample(FACTORS, fits, count=60)
GLOBAL = {**{name: FACTORS[name] for name in "chwn"}, "d": [1, 2, 5], "axes": [1, 2, 3]}


def is_small(c, h, w, n, d, axes):
    return max(n, 1) * c * h * (w if axes > 1 else 1) * (d if axes > 2 else 1) < 8_000


GLOBAL_SAMPLE = covering_sample(GLOBAL, is_small, count=52)


def test_the_samples_hold_every_pair_of_values():
    assert not missing_pairs(FACTORS, SAMPLE)
    assert not missing_pairs(GLOBAL, GLOBAL_SAMPLE)


def apart(rng, *shape):
    """Values 1/1024 apart, a thousand steps of a difference: which of them is largest does not change."""
    return (rng.permutation(np.prod(shape)).reshape(shape) - np.prod(shape) // 2) / 1024


def shared_out(of):
    """Loops over the windows [floor(i n / out), ceil((i + 1) n / out)) of both axes."""

    def reference(x, output_size):
        y = np.empty((len(x), *output_size, x.shape[3]))
        for at in np.ndindex(output_size):
            places = zip(at, x.shape[1:3], output_size, strict=True)
            rows, cols = (slice(i * n // out, -(-(i + 1) * n // out)) for i, n, out in places)
            y[:, *at] = of(x[:, rows, cols], axis=(1, 2))
        return y

    return reference


@pytest.mark.parametrize("g", SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_every_geometry(g):
    x = apart(np.random.default_rng(SAMPLE.index(g)), g["n"], g["h"], g["w"], g["c"])
    size = (g["out_h"], g["out_w"])
    check_op(ops.adaptive_max_pool, shared_out(np.max), x, output_size=size)
    check_op(ops.adaptive_average_pool, shared_out(np.mean), x, linear=[0], output_size=size)


@pytest.mark.parametrize("g", GLOBAL_SAMPLE, ids=lambda g: "-".join(map(str, g.values())))
def test_global_pools_of_every_geometry(g):
    lengths = {1: (g["h"],), 2: (g["h"], g["w"]), 3: (g["d"], g["h"], g["w"])}[g["axes"]]
    x = apart(np.random.default_rng(GLOBAL_SAMPLE.index(g)), g["n"], *lengths, g["c"])
    axes = tuple(range(1, x.ndim - 1))
    check_op(lambda x: ops.adaptive_max_pool(x, 1), lambda x: x.max(axes, keepdims=True), x)
    check_op(ops.mean, np.mean, x, linear=[0], axis=axes, keepdims=True)
    check_op(lambda x: ops.adaptive_average_pool(x, 1), lambda x: x.mean(axes, keepdims=True), x, linear=[0])


def test_gradients_where_a_window_has_two_columns_more_than_its_length(rng):
    """7 columns by 4: the window from 7/4 to 14/4 has three. Places were counted two a row, so that two of them met."""
    x = apart(rng, 1, 8, 7, 3)
    check_op(ops.adaptive_max_pool, shared_out(np.max), x, output_size=(5, 4))


def places_of_largest(x):
    """Positions among the pixels of (n, pixels, c): the last NaN, else the first of equal ones."""
    nan = np.isnan(x)
    last_nan = x.shape[1] - 1 - nan[:, ::-1].argmax(1)
    return np.where(nan.any(1), last_nan, np.where(nan, -np.inf, x).argmax(1))


WHOLE = [
    ((3, 40), 5, lambda x: ops.adaptive_max_pool(x, 1)),
    ((4, 5, 6), 17, lambda x: ops.adaptive_max_pool(x, 1)),
    ((2, 3, 3, 3), 70, lambda x: ops.adaptive_max_pool(x, 1)),
    ((2, 3, 5), 600, lambda x: ops.max_pool2d(x, (7, 8), 1, ((2, 2), (3, 0)))),
    ((2, 1, 1), 3, lambda x: ops.max_pool2d(x, 1)),
    ((1, 9), 1, lambda x: ops.max_pool1d(x, 9)),
]


@pytest.mark.parametrize(("lengths", "c", "pool"), WHOLE)
def test_whole_images_give_their_gradient_to_the_first_of_equal_ones_and_the_last_nan(rng, lengths, c, pool):
    x = rng.choice([-np.inf, 0.0, 1.0, 1.0, np.nan], (*lengths, c), p=[0.5, 0.25, 0.1, 0.1, 0.05]).astype(np.float32)
    x[0, ..., 0] = -np.inf
    flat = x.reshape(len(x), -1, c)
    y, pullback = vjp(pool, x)
    np.testing.assert_array_equal(y.reshape(len(x), c), flat.max(1))
    np.testing.assert_array_equal(pool(x), y)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    expected = np.zeros_like(flat)
    np.put_along_axis(expected, places_of_largest(flat)[:, None], dy.reshape(len(x), 1, c), 1)
    np.testing.assert_array_equal(pullback(dy)[0], expected.reshape(x.shape))


def test_pools_of_whole_images_have_the_same_bits_on_any_number_of_threads(rng):
    x = rng.standard_normal((3, 12, 12, 700)).astype(np.float32)
    dy = rng.standard_normal((3, 1, 1, 700)).astype(np.float32)
    before = _core.num_threads()
    found = []
    try:
        for threads in (1, 2, 3, 8):
            set_num_threads(threads)
            y, pullback = vjp(lambda x: ops.adaptive_max_pool(x, 1), x)
            found.append((y.tobytes(), pullback(dy)[0].tobytes(), ops.adaptive_max_pool(x, 1).tobytes()))
    finally:
        set_num_threads(before)
    assert all(f == found[0] for f in found)


def test_gradients_of_whole_images_stored_past_the_caches_are_those_of_single_images(rng):
    places = rng.integers(0, 128 * 128, (7, 64)).astype(np.float32)
    dy = rng.standard_normal((7, 64), np.float32)
    dx = _core.global_max_pool_backward(places, dy, (7, 128, 128, 64))  # 29 MB
    one = _core.global_max_pool_backward(places[3:4], dy[3:4], (1, 128, 128, 64))
    np.testing.assert_array_equal(dx[3:4], one)
    np.testing.assert_array_equal(dx.sum((1, 2)), dy)


def test_kernels_of_whole_images_refuse_what_does_not_fit():
    x, y = np.zeros((2, 3, 4), np.float32), np.zeros((2, 4), np.float32)
    with pytest.raises(ValueError, match=r"\[global_max_pool\] expected x of shape \(n, ..., c\), got \(2, 4\)"):
        _core.global_max_pool(y)
    with pytest.raises(ValueError, match=r"expected n, c >= 0 and 1 to 16777216 pixels, got \(2, 0, 4\)"):
        _core.global_max_pool(x[:, :0])
    with pytest.raises(ValueError, match=r"expected places and dy of shape \(2, 4\), got \(2, 4\) and \(1, 4\)"):
        _core.global_max_pool_backward(y, y[:1], x.shape)
