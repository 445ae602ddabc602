"""The maximum of whole images, whose places are kept for the gradient."""

import numpy as np
import pytest

from fastnn import _core, ops, set_num_threads, vjp


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
    with pytest.raises(ValueError, match=r"expected n, c >= 0 and pixels >= 1, got \(2, 0, 4\)"):
        _core.global_max_pool(x[:, :0])
    with pytest.raises(ValueError, match=r"expected places and dy of shape \(2, 4\), got \(2, 4\) and \(1, 4\)"):
        _core.global_max_pool_backward(y, y[:1], x.shape)
    with pytest.raises(ValueError, match="expected at most 16777216 pixels, got 16777217"):
        _core.global_max_pool(np.zeros((1, 16777217, 1), np.float32))
