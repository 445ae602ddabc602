import numpy as np
import pytest

from fastnn.autograd import vjp
from fastnn.ops import glu
from fastnn.testing import check_op


def reference(x, axis=-1):
    a, b = np.split(x, 2, axis)
    return a / (1 + np.exp(-b))


@pytest.mark.parametrize("half", [1, 7, 8, 9, 16, 17, 33])
def test_matches_reference(rng, half):
    check_op(glu, reference, rng.standard_normal((2, 2 * half)))


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_over_other_axes(rng, axis):
    check_op(glu, reference, rng.standard_normal((4, 2, 6)), axis=axis)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0,)])
def test_empty(shape):
    assert glu(np.zeros(shape, np.float32)).shape == (*shape[:-1], shape[-1] // 2)


@pytest.mark.parametrize("axis", [0, 1])
def test_above_the_grain_it_is_its_pieces(rng, axis):
    x, dy = rng.standard_normal((300, 600)), rng.standard_normal((300, 600))
    dy = np.split(dy, 2, axis)[0].copy()
    y, pullback = vjp(lambda x: glu(x, axis), x)
    np.testing.assert_allclose(y, reference(x, axis), rtol=1e-12)
    (dx,) = pullback(dy)
    a, b = np.split(x, 2, axis)
    s = 1 / (1 + np.exp(-b))
    np.testing.assert_allclose(dx, np.concatenate([dy * s, dy * a * s * (1 - s)], axis), rtol=1e-10, atol=1e-12)


def test_out_is_filled_and_returned(rng):
    x, out = rng.standard_normal((3, 8)), np.empty((3, 4))
    assert glu(x, out=out) is out
    np.testing.assert_array_equal(out, glu(x))


def test_refusals():
    with pytest.raises(ValueError, match=r"\[glu\] expected an even length along axis 1, got x of shape \(2, 3\)"):
        glu(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"\[glu\] expected axis in \[-2, 2\), got 2"):
        glu(np.zeros((2, 4)), 2)
