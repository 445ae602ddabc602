import numpy as np
import pytest

from fastnn.ops import huber
from fastnn.testing import check_op


def reference(x, t, delta=1.0):
    r = x - t
    inside = np.clip(r, -delta, delta)
    return inside * r - inside**2 / 2


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 15, 16, 17, 33, 80_000])
@pytest.mark.parametrize("delta", [0.5, 1.0, 2.5])
def test_matches_reference(rng, n, delta):
    check_op(huber, reference, 2 * rng.standard_normal(n), rng.standard_normal(n), delta=delta)


def test_worked_values():
    r = np.array([-3.0, -1.0, -0.4, 0.0, 0.7, 1.0, 2.5])
    np.testing.assert_allclose(huber(r, np.zeros(7)), [2.5, 0.5, 0.08, 0.0, 0.245, 0.5, 2.0], rtol=1e-15)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"\[huber\] expected target of shape \(3,\), got \(2,\)"):
        huber(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match=r"\[huber\] expected delta >= 0, got -1"):
        huber(np.zeros(3), np.zeros(3), delta=-1.0)
