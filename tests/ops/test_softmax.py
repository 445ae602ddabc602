import numpy as np
import pytest

from fastnn.ops import log_softmax, softmax
from fastnn.testing import check_op


def softmax_reference(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def log_softmax_reference(x, axis=-1):
    return np.log(softmax_reference(x, axis))


OPS = [(softmax, softmax_reference), (log_softmax, log_softmax_reference)]


# Around every vector width in use (1, 4, 8, 16), so that each tail is met.
@pytest.mark.parametrize("cols", [1, 7, 8, 9, 15, 16, 17, 33])
@pytest.mark.parametrize(("op", "reference"), OPS)
def test_matches_reference(rng, op, reference, cols):
    check_op(op, reference, 4 * rng.standard_normal((3, cols)))


@pytest.mark.parametrize(("op", "reference"), OPS)
@pytest.mark.parametrize("axis", [0, 1, 2, -2, (0, 2)])
def test_over_other_axes(rng, op, reference, axis):
    check_op(op, reference, rng.standard_normal((3, 4, 5)), axis=axis)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0,)])
@pytest.mark.parametrize(("op", "reference"), OPS)
def test_empty(op, reference, shape):
    assert op(np.zeros(shape, np.float32)).shape == shape


def test_large_inputs_do_not_overflow():
    x = np.array([[1e4, -1e4, 1e4]], np.float32)
    np.testing.assert_array_equal(softmax(x), [[0.5, 0.0, 0.5]])
    np.testing.assert_allclose(log_softmax(x), [[-np.log(2), -2e4 - np.log(2), -np.log(2)]], rtol=1e-6)


def test_a_nan_spoils_its_row_alone():
    y = softmax(np.array([[1.0, np.nan], [0.0, 0.0]], np.float32))
    assert np.isnan(y[0]).all()
    np.testing.assert_array_equal(y[1], [0.5, 0.5])


@pytest.mark.parametrize("op", [softmax, log_softmax])
def test_scalar_is_refused(op):
    with pytest.raises(ValueError, match=r"softmax\] expected x with at least 1 axis, got a scalar"):
        op(np.float32(1.0))


def test_axis_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"\[softmax\] expected axis in \[-2, 2\), got 2"):
        softmax(np.zeros((2, 3), np.float32), axis=2)


def test_many_rows_match_one_row_at_a_time(rng):
    x = rng.standard_normal((5000, 37)).astype(np.float32)
    np.testing.assert_array_equal(softmax(x)[::500], softmax(x[::500]))


def test_out_is_filled_and_returned(rng):
    x = rng.standard_normal((3, 5)).astype(np.float32)
    out = np.empty_like(x)
    assert softmax(x, out=out) is out
    np.testing.assert_array_equal(out, softmax(x))
