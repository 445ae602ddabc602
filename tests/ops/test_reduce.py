import hashlib

import numpy as np
import pytest

from fastnn import backend, ops
from fastnn.autograd import vjp
from fastnn.ops.reduce import sum_to
from fastnn.testing import check_op

LENGTHS = [1, 7, 8, 9, 15, 16, 17, 33, 700]
AXES = [None, 0, 1, 2, 3, -1, (0, 1), (1, 2), (2, 3), (0, 2), (1, 3), (0, 1, 3), (0, 1, 2, 3), ()]
NUMPY = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "argmax": np.argmax, "argmin": np.argmin}


def apart(rng, shape):
    """Values no two of which are within reach of a central difference."""
    return rng.permutation(np.arange(np.prod(shape, dtype=int)) / 7.0 - 3.0).reshape(shape)


@pytest.fixture
def thread_counts():
    before = backend.get_num_threads()
    yield [1, 2, 3, 8]
    backend.set_num_threads(before)


def hashes(thread_counts, compute):
    found = set()
    for n in thread_counts:
        backend.set_num_threads(n)
        found.add(hashlib.sha256(np.ascontiguousarray(compute()).tobytes()).hexdigest())
    return found


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_sums_along_rows_and_columns(rng, name, n):
    check_op(getattr(ops, name), NUMPY[name], rng.standard_normal((3, n)), axis=1, linear=[0])
    check_op(getattr(ops, name), NUMPY[name], rng.standard_normal((n, 3)), axis=0, linear=[0])
    check_op(getattr(ops, name), NUMPY[name], rng.standard_normal((2, 3, n)), axis=1, linear=[0])


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_along_rows_and_columns(rng, name, n):
    check_op(getattr(ops, name), NUMPY[name], apart(rng, (3, n)), axis=1)
    check_op(getattr(ops, name), NUMPY[name], apart(rng, (n, 3)), axis=0)
    check_op(getattr(ops, name), NUMPY[name], apart(rng, (2, 3, n)), axis=1)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
def test_any_axes(rng, name, axis, keepdims):
    check_op(getattr(ops, name), NUMPY[name], apart(rng, (2, 3, 4, 2)), axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions_of_extremes(rng, name, n):
    op, reference = getattr(ops, name), NUMPY[name]
    x = rng.integers(0, 5, (3, n, 2)).astype(np.float32)  # with ties
    for axis in (None, 0, 1, 2, -1):
        for keepdims in (False, True):
            for v in (x, x.astype(np.float64), x[::-1, :, ::-1]):
                y = op(v, axis, keepdims)
                assert y.dtype == np.int64
                np.testing.assert_array_equal(y, reference(v, axis, keepdims=keepdims))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("at", [0, 5, 16, 40])
def test_nan_propagates(rng, dtype, at):
    x = rng.standard_normal((41, 3)).astype(dtype)
    x[at, 1] = np.nan
    x[40, 1] = np.nan
    for v, axis in ((x, 0), (x.T, 1), (x.T.copy(), 1)):
        for name in ("max", "min", "sum", "mean"):
            np.testing.assert_array_equal(np.isnan(getattr(ops, name)(v, axis)), [False, True, False])
        for name in ("argmax", "argmin"):
            np.testing.assert_array_equal(getattr(ops, name)(v, axis), NUMPY[name](v, axis))


def test_infinities_are_extremes_and_positions():
    x = np.full((2, 5), -np.inf, np.float32)
    np.testing.assert_array_equal(ops.max(x, 1), [-np.inf, -np.inf])
    np.testing.assert_array_equal(ops.argmax(x, 1), [0, 0])
    np.testing.assert_array_equal(ops.argmin(-x, 1), [0, 0])


def test_ties_share_the_gradient():
    x = np.array([[2.0, 1.0, 2.0, 0.0], [3.0, 3.0, 3.0, 3.0]])
    for v, axis in ((x, 1), (x.T.copy(), 0)):
        _, pullback = vjp(lambda a, axis=axis: ops.max(a, axis), v)
        expected = np.array([[0.5, 0, 0.5, 0], [0.5, 0.5, 0.5, 0.5]])
        np.testing.assert_array_equal(pullback(np.array([1.0, 2.0]))[0], expected if axis == 1 else expected.T)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (0, 0), (2, 0, 3)])
@pytest.mark.parametrize("axis", [None, 0, -1])
def test_empty_arrays(shape, axis):
    x = np.zeros(shape, np.float32)
    np.testing.assert_array_equal(ops.sum(x, axis), np.sum(x, axis))
    y = ops.mean(x, axis)
    assert y.shape == np.sum(x, axis).shape and np.isnan(y).all()
    if np.sum(x, axis).size:
        for name in ("max", "min"):
            with pytest.raises(ValueError, match=rf"\[{name}\] expected at least 1 element to reduce, got x of shape"):
                getattr(ops, name)(x, axis)
    else:
        assert ops.max(x, axis).shape == np.sum(x, axis).shape


@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_with_one_number_more(rng, name):
    x = rng.permutation(np.linspace(-2.0, 2.1, 12)).reshape(3, 4)
    for axis, keepdims in ((None, False), (1, True), ((0, 1), False)):
        for initial in (-9.0, 0.25, 9.0):
            settings = {"axis": axis, "keepdims": keepdims, "initial": initial}
            check_op(getattr(ops, name), getattr(np, name), x, **settings)
    some, none = np.array([3, -1], "int32"), np.zeros((2, 0), "float32")
    assert getattr(ops, name)(some, initial=1) == getattr(np, name)(some, initial=1)
    np.testing.assert_array_equal(getattr(ops, name)(none, 1, initial=7), [7, 7])
    y, pullback = vjp(lambda x: getattr(ops, name)(x, 1, True, 7), none)
    assert y.shape == (2, 1) and pullback(np.ones_like(y))[0].shape == (2, 0)
    out = np.zeros(3)
    assert getattr(ops, name)(x, 1, initial=9.0, out=out) is out


def test_argmax_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"\[argmax\] expected at least 1 element to reduce, got x of shape \(2, 0\)"):
        ops.argmax(np.zeros((2, 0), np.float32), 1)


def test_scalars_and_lists():
    assert ops.sum(3.5) == 3.5 and ops.max(np.float64(2)) == 2
    assert ops.mean([1.0, 2.0]) == 1.5 and ops.mean([1.0, 2.0]).dtype == np.float32


def test_integers_are_numpys():
    x = np.array([[1, 2], [3, 2**40]])
    assert ops.sum(x) == np.sum(x) and ops.sum(x).dtype == np.int64
    assert ops.max(x, axis=0).tolist() == [3, 2**40]
    assert ops.argmin(x, axis=1).tolist() == [0, 0]
    assert ops.sum(np.array([True, True])) == 2
    assert ops.mean(np.array([1, 2])).dtype == np.float64


@pytest.mark.parametrize("value", [1.0, 0.1, 1.2345678])
def test_float32_sums_stay_within_a_few_ulp(value):
    x = np.full(1_000_003, value, np.float32)
    exact = float(np.float32(value)) * x.size
    for v, axis in ((x, None), (np.broadcast_to(x[:, None], (x.size, 3)), 0), (x[: 16 * 60000].reshape(-1, 16), 0)):
        expected = exact / x.size * (v.size if axis is None else v.shape[0])
        np.testing.assert_allclose(ops.sum(v, axis), expected, rtol=3 * np.finfo(np.float32).eps)
        np.testing.assert_allclose(ops.mean(v, axis), exact / x.size, rtol=3 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("shape", [(70_001,), (3, 40_000), (5000, 7), (300, 1100), (3, 5000, 9), (2000, 5, 4)])
def test_bits_do_not_depend_on_threads(rng, thread_counts, shape):
    x = rng.standard_normal(shape).astype(np.float32)
    for axis in (None, 0, len(shape) - 1, len(shape) // 2):
        for name in ("sum", "mean", "max", "argmax"):
            assert len(hashes(thread_counts, lambda: getattr(ops, name)(x, axis))) == 1  # noqa: B023
        np.testing.assert_allclose(ops.sum(x, axis), np.sum(x, axis, np.float64), rtol=1e-5, atol=1e-3)
        np.testing.assert_array_equal(ops.max(x, axis), np.max(x, axis))
        np.testing.assert_array_equal(ops.argmin(x, axis), np.argmin(x, axis))


def test_large_reductions_have_right_gradients(rng):
    x = apart(rng, (300, 130)) / 1000 - 2.8  # small, so that the differences are not lost in rounding
    for axis in (0, 1, None):
        for op in (ops.sum, ops.mean, ops.max):
            check_op(op, NUMPY[op.__name__], x, axis=axis)


def test_out_is_filled_and_returned(rng):
    x = rng.standard_normal((3, 4)).astype(np.float32)
    for name in ("sum", "mean", "max", "min"):
        out = np.empty(8, np.float32)[::2]
        assert getattr(ops, name)(x, 0, out=out) is out
        np.testing.assert_array_equal(out, getattr(ops, name)(x, 0))
    at = np.empty(4, np.int64)
    assert ops.argmax(x, 0, out=at) is at
    np.testing.assert_array_equal(at, x.argmax(0))
    with pytest.raises(ValueError, match=r"\[sum\] expected out of shape \(4,\), got \(3,\)"):
        ops.sum(x, 0, out=np.empty(3, np.float32))


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (2, r"\[sum\] expected axis in \[-2, 2\), got 2"),
        ((0, -3), r"\[sum\] expected axis in \[-2, 2\), got -3"),
        ((0, -2), r"\[sum\] expected each axis once, got -2 again"),
    ],
)
def test_bad_axes_are_refused(axis, message):
    with pytest.raises(ValueError, match=message):
        ops.sum(np.zeros((2, 3), np.float32), axis)


def test_axes_that_are_no_integers_are_refused():
    with pytest.raises(TypeError, match=r"\[sum\] expected axis to be None, an integer or several integers"):
        ops.sum(np.zeros((2, 3), np.float32), 1.5)
    with pytest.raises(TypeError, match=r"\[argmax\] expected axis to be None or an integer"):
        ops.argmax(np.zeros((2, 3), np.float32), (0, 1))


def test_sum_to_undoes_broadcasting(rng):
    x = rng.standard_normal((4, 3, 5)).astype(np.float32)
    assert sum_to(x, x.shape) is x
    for shape in [(), (5,), (1,), (3, 1), (4, 1, 1), (1, 3, 5), (1, 1, 1), (3, 5)]:
        y = sum_to(x, shape)
        assert y.shape == shape
        for index in np.ndindex(shape):  # <y, unit> = <x, unit broadcast>
            unit = np.zeros(shape)
            unit[index] = 1.0
            np.testing.assert_allclose(y[index], np.sum(x * np.broadcast_to(unit, x.shape)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
@pytest.mark.parametrize("rows", [0, 1, 33, 5000])
def test_count_correct(rng, thread_counts, rows, dtype):
    scores = rng.integers(0, 4, (rows, 10)).astype(np.float32)  # with ties: the first largest wins
    labels = rng.integers(0, 10, rows).astype(dtype)
    expected = np.sum(scores.argmax(1) == labels) if rows else 0
    for n in thread_counts:
        backend.set_num_threads(n)
        assert ops.count_correct(scores, labels) == expected
        assert ops.count_correct(scores[:, ::-1].astype(np.float64)[:, ::-1], labels) == expected


def test_count_correct_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"labels for the rows of scores \(2, 3\), got labels of shape \(3,\)"):
        ops.count_correct(np.zeros((2, 3), np.float32), np.zeros(3, int))
    with pytest.raises(TypeError, match=r"\[count_correct\] expected integer labels, got float64"):
        ops.count_correct(np.zeros((2, 3), np.float32), np.zeros(2))


@pytest.mark.parametrize("op", [ops.sum, ops.mean])
def test_gradients_between_gaps_are_spread_as_dense_ones(rng, op):
    """Rows of dy that do not lie one behind the other: each is divided and copied for itself."""
    x, wide = rng.standard_normal((3, 4, 20)), rng.standard_normal((4, 50))
    for dy in (wide[:, :20], wide[:, ::2][:, :20], wide[::-1, :20], np.broadcast_to(wide[0, :20], (4, 20))):
        _, pullback = vjp(lambda x: op(x, axis=0), x)
        np.testing.assert_array_equal(pullback(dy)[0], np.stack([dy / (3 if op is ops.mean else 1)] * 3))
