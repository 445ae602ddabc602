import numpy as np
import pytest

from fastnn.autograd import vjp
from fastnn.ops import maxout
from fastnn.testing import check_op


def reference(x, num_units, axis=-1):
    parts = np.split(x, num_units, axis)
    return np.concatenate([part.max(axis, keepdims=True) for part in parts], axis)


@pytest.mark.parametrize(("shape", "num_units", "axis"), [((3, 8), 4, -1), ((3, 12), 4, 1), ((6, 2, 5), 2, 0)])
def test_matches_reference(rng, shape, num_units, axis):
    x = rng.permutation(np.prod(shape)).reshape(shape) / 7.0  # no ties
    check_op(maxout, reference, x, num_units=num_units, axis=axis)


def test_the_gradient_goes_to_the_winner():
    y, pullback = vjp(lambda x: maxout(x, 1), np.array([[1.0, 3.0, 2.0]]))
    np.testing.assert_array_equal(y, [[3.0]])
    np.testing.assert_array_equal(pullback(np.array([[5.0]]))[0], [[0, 5, 0]])


@pytest.mark.parametrize("num_units", [0, 3])
def test_groups_that_do_not_fit_are_refused(num_units):
    with pytest.raises(ValueError, match=r"\[maxout\] expected num_units to divide the 8 of x \(2, 8\), got"):
        maxout(np.zeros((2, 8)), num_units)
