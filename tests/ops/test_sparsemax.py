import numpy as np
import pytest

from fastnn.autograd import vjp
from fastnn.ops import sparsemax
from fastnn.testing import check_op


def reference(x, axis=-1):
    """By sorting: the largest k with 1 + k z_k > z_1 + ... + z_k gives the threshold."""

    def row(z):
        ordered = np.sort(z)[::-1]
        sums, k = np.cumsum(ordered), np.arange(1, z.size + 1)
        size = k[1 + k * ordered > sums][-1]
        return np.maximum(z - (sums[size - 1] - 1) / size, 0)

    return np.apply_along_axis(row, axis, x)


@pytest.mark.parametrize("spread", [0.02, 0.3, 3])
@pytest.mark.parametrize("cols", [1, 7, 8, 9, 16, 17, 33])
def test_matches_reference(rng, cols, spread):
    check_op(sparsemax, reference, spread * rng.standard_normal((3, cols)))


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_over_other_axes(rng, axis):
    check_op(sparsemax, reference, rng.standard_normal((3, 4, 5)), axis=axis)


def test_over_several_axes(rng):
    x = rng.standard_normal((3, 4, 5))
    expected = reference(x.transpose(1, 0, 2).reshape(4, 15)).reshape(4, 3, 5).transpose(1, 0, 2)
    np.testing.assert_allclose(sparsemax(x, axis=(0, 2)), expected, atol=1e-15)


def test_long_rows_are_distributions(rng):
    x = rng.standard_normal((50, 3000)).astype(np.float32)
    y = sparsemax(x)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(y, reference(x.astype(float)), atol=1e-6)


def test_what_is_known():
    np.testing.assert_allclose(sparsemax(np.array([[1.0, 1.0, -3.0], [0.1, 0.5, 9.0]])), [[0.5, 0.5, 0], [0, 0, 1]])
    np.testing.assert_allclose(sparsemax(np.full((1, 4), 1e4, np.float32)), [[0.25] * 4])
    np.testing.assert_array_equal(sparsemax(np.array([0.0, -np.inf, 0.0])), [0.5, 0, 0.5])


def test_a_nan_spoils_its_row_alone():
    y = sparsemax(np.array([[1.0, np.nan, 0.0], [0.0, 0.0, -5.0]], np.float32))
    assert np.isnan(y[0]).all()
    np.testing.assert_array_equal(y[1], [0.5, 0.5, 0])


def test_gradient_stays_within_the_support():
    _, pullback = vjp(sparsemax, np.array([0.5, 0.4, -3.0]))
    np.testing.assert_allclose(pullback(np.array([1.0, 0.0, 7.0]))[0], [0.5, -0.5, 0])


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0,)])
def test_empty(shape):
    assert sparsemax(np.zeros(shape, np.float32)).shape == shape


def test_scalar_is_refused():
    with pytest.raises(ValueError, match=r"\[sparsemax\] expected x with at least 1 axis, got a scalar"):
        sparsemax(np.float32(1.0))
