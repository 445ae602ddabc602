import hashlib

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import vjp
from fastnn.testing import check_op


def reference(x, target, weight=None, *, reduction="none"):
    values = np.einsum("...i,...i->...", x - target, x - target) / x.shape[-1]
    if weight is not None:
        values = values * weight
    return {"none": values, "sum": np.sum(values), "mean": np.mean(values)}[reduction]


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17, 33, 300])
def test_matches_reference(rng, n, reduction):
    x, target = rng.standard_normal((2, 3, n)), rng.standard_normal((2, 3, n))
    check_op(ops.mean_squared_error, reference, x, target, reduction=reduction)
    check_op(ops.mean_squared_error, reference, x, target, rng.uniform(0, 2, (2, 3)), wrt=[0, 1], reduction=reduction)


@pytest.mark.parametrize("n", [7, 8, 33])
def test_one_column(rng, n):
    x, target = rng.standard_normal((n, 1)), rng.standard_normal((n, 1))
    for reduction in ("none", "sum", "mean"):
        check_op(ops.mean_squared_error, reference, x, target, reduction=reduction)
        check_op(ops.mean_squared_error, reference, x, target, rng.uniform(0, 2, n), wrt=[0, 1], reduction=reduction)


def test_no_rows():
    x = np.zeros((0, 3), np.float32)
    assert ops.mean_squared_error(x, x).shape == (0,)
    assert ops.mean_squared_error(x, x, reduction="sum") == 0
    assert np.isnan(ops.mean_squared_error(x, x, reduction="mean"))


def test_large_sums_are_accurate():
    x = np.full((1000, 1001), 0.1, np.float32)
    expected = float(np.float32(0.1) * np.float32(0.1))
    for weight in (None, np.ones(1000)):
        y = ops.mean_squared_error(x, np.zeros_like(x), weight, reduction="mean")
        np.testing.assert_allclose(y, expected, rtol=4 * np.finfo(np.float32).eps)


def test_what_does_not_fit_is_refused():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\[mean_squared_error\] expected target of shape \(2, 3\), got \(3,\)"):
        ops.mean_squared_error(x, np.zeros(3))
    with pytest.raises(ValueError, match=r"\[mean_squared_error\] expected sample_weight of shape \(2,\), got \(3,\)"):
        ops.mean_squared_error(x, x, np.ones(3))
    with pytest.raises(ValueError, match=r"\[mean_squared_error\] expected x with at least 1 axis, got a scalar"):
        ops.mean_squared_error(1.0, 2.0)


def test_bits_do_not_depend_on_threads(rng):
    x, target = rng.standard_normal((2, 500, 100)).astype(np.float32)
    before = backend.get_num_threads()
    for weight in (None, rng.uniform(0, 1, 500)):
        for reduction in ("none", "mean"):
            found = set()
            for n in (1, 2, 3, 8):
                backend.set_num_threads(n)
                y, pullback = vjp(lambda a: ops.mean_squared_error(a, target, weight, reduction=reduction), x)  # noqa: B023
                found.add(hashlib.sha256(y.tobytes() + pullback(np.ones_like(y))[0].tobytes()).hexdigest())
            assert len(found) == 1
    backend.set_num_threads(before)
