import hashlib
from functools import partial

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import vjp
from fastnn.testing import check_op


def huber_of(d, delta=1.0):
    inside = np.clip(d, -delta, delta)
    return inside * d - inside**2 / 2


#: What each op takes the mean of, written in another way than in the kernel
RESIDUALS = {
    "mean_squared_error": lambda d: np.power(np.abs(d), 2),
    "mean_absolute_error": lambda d: np.maximum(d, -d),
    "huber": huber_of,
    "log_cosh": lambda d: np.logaddexp(d, -d) - np.log(2),
}


def reference(name, residual=None):
    def values(x, target, weight=None, *, reduction="none", factor=1.0, delta=1.0):
        f = partial(huber_of, delta=delta) if name == "huber" else RESIDUALS[name]
        rows = factor * np.sum(f(x - target), axis=-1) / x.shape[-1]
        if weight is not None:
            rows = rows * weight
        return {"none": rows, "sum": np.sum(rows), "mean": np.mean(rows)}[reduction]

    return values


def check(name, *arrays, **options):
    check_op(getattr(ops, name), reference(name), *arrays, wrt=[0, 1], **options)


def apart(rng, *shape):
    """Residuals away from the kinks at 0, and, for Huber's loss with delta 1 or 0.5, at +-delta."""
    target = rng.standard_normal(shape)
    return target + rng.choice([-1, 1], shape) * rng.choice([0.2, 0.7, 1.3, 3.0], shape), target


@pytest.mark.parametrize("name", RESIDUALS)
@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17, 33])
def test_matches_reference(rng, name, n):
    x, target = apart(rng, 3, n)
    check(name, x, target, rng.uniform(0, 2, 3), reduction="none")
    check(name, x, target, reduction="mean")


@pytest.mark.parametrize("name", RESIDUALS)
def test_reductions_with_and_without_weights(rng, name):
    x, target = apart(rng, 3, 5)
    for reduction in ("none", "sum", "mean"):
        check(name, x, target, reduction=reduction)
        check(name, x, target, rng.uniform(0, 2, 3), reduction=reduction)


@pytest.mark.parametrize("name", RESIDUALS)
def test_one_column_many_axes_and_more_than_a_grain(rng, name):
    x, target = apart(rng, 33, 1)
    for reduction in ("none", "mean"):
        check(name, x, target, rng.uniform(0, 2, 33), reduction=reduction, factor=0.5)
    check(name, *apart(rng, 2, 3, 5), rng.uniform(0, 2, (2, 3)), factor=3.0)
    check(name, *apart(rng, 30, 2500), reduction="mean")


@pytest.mark.parametrize("delta", [0.0, 0.5, 2.5])
def test_huber_with_other_deltas(rng, delta):
    check("huber", *apart(rng, 4, 9), delta=delta)


def test_huber_worked_values():
    d = np.array([[-3.0], [-1.0], [-0.4], [0.0], [0.7], [1.0], [2.5]])
    found = ops.huber(d, np.zeros((7, 1)))
    np.testing.assert_allclose(found, [2.5, 0.5, 0.08, 0.0, 0.245, 0.5, 2.0], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_cosh_keeps_its_digits_for_small_and_large_differences(dtype):
    """|d| + ln(1 + e^(-2 |d|)) - ln(2) loses all digits where d^2 is small, and cosh overflows where d is large."""
    d = np.array([1e-4, 1e-3, 19.0, 21.0, 1000.0, -1000.0, 1e30], dtype)
    exact = d.astype("float64")
    expected = np.where(np.abs(d) < 1, exact**2 / 2 - exact**4 / 12 + exact**6 / 45, np.abs(exact) - np.log(2))
    zeros = np.zeros((7, 1), dtype)
    np.testing.assert_allclose(ops.log_cosh(d[:, None], zeros), expected, rtol=8 * np.finfo(dtype).eps)
    _, pullback = vjp(ops.log_cosh, d[:, None], zeros)
    np.testing.assert_allclose(pullback(np.ones(7, dtype))[0][:, 0], np.tanh(exact), rtol=8 * np.finfo(dtype).eps)


def test_equal_values_have_no_gradient():
    x = np.array([[1.0, -2.0, 0.0]])
    for name in RESIDUALS:
        y, pullback = vjp(getattr(ops, name), x, x.copy())
        assert y[0] == 0 and not pullback(np.ones(1))[0].any()


@pytest.mark.parametrize("name", RESIDUALS)
def test_a_nan_stays(name):
    x = np.array([[1.0, np.nan]])
    y, pullback = vjp(getattr(ops, name), x, np.zeros((1, 2)))
    assert np.isnan(y[0]) and np.isnan(pullback(np.ones(1))[0][0, 1])


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


@pytest.mark.parametrize("name", RESIDUALS)
def test_what_does_not_fit_is_refused(name):
    op, x = getattr(ops, name), np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=rf"\[{name}\] expected target of shape \(2, 3\), got \(3,\)"):
        op(x, np.zeros(3))
    with pytest.raises(ValueError, match=rf"\[{name}\] expected sample_weight of shape \(2,\), got \(3,\)"):
        op(x, x, np.ones(3))
    with pytest.raises(ValueError, match=rf"\[{name}\] expected x with at least 1 axis, got a scalar"):
        op(1.0, 2.0)
    with pytest.raises(ValueError, match=rf"\[{name}\] expected reduction to be one of"):
        op(x, x, reduction="max")


def test_a_negative_delta_is_refused():
    with pytest.raises(ValueError, match=r"\[huber\] expected delta >= 0, got -1"):
        ops.huber(np.zeros((3, 1)), np.zeros((3, 1)), delta=-1.0)


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
