import numpy as np
import pytest

from fastnn import ops

A = np.array([[True, False, True], [False, False, True]])
B = np.array([1.5, 0.0, np.nan], np.float32)


@pytest.mark.parametrize("name", ["logical_and", "logical_or"])
@pytest.mark.parametrize(("a", "b"), [(A, B), (B, A), (A, A[:1]), (A, np.array([0, 3, -1])), (A[:0], B), (True, A)])
def test_truth_values_are_those_of_numpy(name, a, b):
    y = getattr(ops, name)(a, b)
    assert y.dtype == bool
    np.testing.assert_array_equal(y, getattr(np, name)(a, b))


@pytest.mark.parametrize("x", [A, B, A[:0], np.zeros((2, 3)), np.ones((2, 2), int), np.array(True)])
def test_not_any_and_all_are_those_of_numpy(x):
    np.testing.assert_array_equal(ops.logical_not(x), np.logical_not(x))
    for axis in (None, *range(x.ndim)):
        for name in ("any", "all"):
            y = getattr(ops, name)(x, axis, keepdims=True)
            assert np.asarray(y).dtype == bool
            np.testing.assert_array_equal(y, getattr(np, name)(x, axis, keepdims=True))
