import numpy as np
import pytest

from fastnn import ops
from fastnn.testing import check_op


@pytest.mark.parametrize("axis", [None, 0, -2, (0, 2), ()])
def test_squeeze(rng, axis):
    check_op(ops.squeeze, np.squeeze, rng.standard_normal((1, 3, 1, 2)), axis=axis, linear=[0])


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (-1, 0)])
def test_expand_dims(rng, axis):
    check_op(ops.expand_dims, np.expand_dims, rng.standard_normal((3, 2)), axis=axis, linear=[0])


@pytest.mark.parametrize(
    ("own", "shape"), [((), 3), ((3,), (2, 3)), ((3, 1), (2, 3, 4)), ((2, 2), (2, 2)), ((1,), (0,))]
)
def test_broadcast_to(rng, own, shape):
    check_op(ops.broadcast_to, np.broadcast_to, rng.standard_normal(own), shape=shape, linear=[0])


def test_what_does_not_fit_is_refused():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\[squeeze\] expected an axis of length 1, got axis 1 of shape \(2, 3\)"):
        ops.squeeze(x, 1)
    with pytest.raises(ValueError, match=r"\[expand_dims\] expected axis in \[-3, 3\), got 3"):
        ops.expand_dims(x, 3)
    with pytest.raises(
        ValueError, match=r"\[broadcast_to\] expected a shape that \(2, 3\) broadcasts to, got \(3, 3\)"
    ):
        ops.broadcast_to(x, (3, 3))
