import numpy as np
import pytest

import fastnn
from fastnn import ops

SOURCES = ["?", "b", "B", "h", "H", "i", "I", "q", "Q", "f", "d"]


@pytest.mark.parametrize("n", [0, 1, 17, 70_000])
@pytest.mark.parametrize(("source", "target"), [(np.float32, np.float64), (np.float64, np.float32)])
def test_the_gradient_comes_back_in_the_dtype_of_x(rng, n, source, target):
    x, dy = rng.standard_normal(n).astype(source), rng.standard_normal(n).astype(target)
    y, pullback = fastnn.vjp(lambda a: ops.cast(a, target), x)
    (dx,) = pullback(dy)
    assert (y.dtype, dx.dtype) == (target, source)
    np.testing.assert_array_equal(dx, dy.astype(source))


@pytest.mark.parametrize("target", [np.float32, np.float64, np.int64, np.int32, np.bool_])
@pytest.mark.parametrize("source", SOURCES)
def test_every_pair_of_types_is_numpys(rng, source, target):
    x = (100 * rng.random(1003) - 40 * (np.dtype(source).kind in "if")).astype(source)
    for given in (x, x[::3], x.reshape(17, 59).T):
        y = ops.cast(given, target)
        assert y.dtype == target
        np.testing.assert_array_equal(y, given.astype(target))


def test_extremes_of_integers_are_rounded_as_numpy_rounds_them():
    for dtype in (np.int64, np.uint64, np.uint32, np.int32):
        info = np.iinfo(dtype)
        x = np.array([info.min, info.max, info.max - 1, info.max // 3], dtype)
        for target in (np.float32, np.float64):
            np.testing.assert_array_equal(ops.cast(x, target), x.astype(target))


def test_what_has_the_dtype_already_is_returned_as_it_is():
    x = np.ones(3, np.float32)
    assert ops.cast(x, "float32") is x


def test_a_tape_follows_a_cast():
    w = fastnn.Variable(np.array([1.0, 2.0], np.float32))
    with fastnn.GradientTape() as tape:
        y = ops.sum(ops.cast(w, np.float64) * np.array([3.0, 4.0]))
    gradient = tape.gradient(y, w)
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, [3.0, 4.0])


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match=r"\[cast\] expected real numbers, got complex128"):
        fastnn._core.cast(np.ones(2, complex), np.dtype(np.float32))
