from contextlib import nullcontext

import numpy as np
import pytest

from fastnn import ops
from fastnn.testing import check_op


@pytest.fixture
def isa():
    """Made of reductions and elementwise functions, which have tests on every instruction set."""


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 1, (0, -1)])
def test_variance_and_standard_deviation(rng, axis, keepdims):
    x = rng.standard_normal((2, 3, 4))
    check_op(ops.var, np.var, x, axis=axis, keepdims=keepdims)
    check_op(ops.std, np.std, x, axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("axis", [None, 1, (0, -1)])
def test_logsumexp(rng, axis):
    check_op(ops.logsumexp, lambda x, axis: np.log(np.exp(x).sum(axis)), rng.standard_normal((2, 3, 4)), axis=axis)


def test_logsumexp_of_large_and_of_no_numbers():
    x = np.array([[1e4, 1e4], [-np.inf, -np.inf], [np.inf, 0.0]], "float32")
    np.testing.assert_allclose(ops.logsumexp(x, axis=1), [1e4 + np.log(2), -np.inf, np.inf])
    assert ops.logsumexp(x, axis=1, keepdims=True).shape == (3, 1)


@pytest.mark.parametrize("ord", [None, 1, 2, 3, 0.5, np.inf, -np.inf, 0])
def test_norms_of_vectors(rng, ord):
    x = rng.permutation(np.linspace(0.5, 3, 12)).reshape(3, 4) * rng.choice([-1, 1], (3, 4))
    for keepdims in (False, True):
        check_op(
            lambda x, ord, keepdims: ops.norm(x, ord, 1, keepdims),
            lambda x, ord, keepdims: np.linalg.norm(x, ord, 1, keepdims),
            x,
            ord=ord,
            keepdims=keepdims,
        )


@pytest.mark.parametrize("ord", [None, "fro", 1, -1, np.inf, -np.inf])
def test_norms_of_matrices(rng, ord):
    x = rng.permutation(np.linspace(0.5, 3, 24)).reshape(2, 3, 4)
    check_op(lambda x: ops.norm(x, ord, (1, 2)), lambda x: np.linalg.norm(x, ord, (1, 2)), x)
    check_op(lambda x: ops.norm(x, ord), lambda x: np.linalg.norm(x, ord), x[0])


def test_norm_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match=r"\[norm\] expected ord of a matrix, got 'nuc'"):
        ops.norm(np.ones((2, 2), "float32"), "nuc")
    with pytest.raises(ValueError, match=r"\[norm\] expected x with 1 or 2 axes for ord 1 and no axis, got 3 axes"):
        ops.norm(np.ones((2, 2, 2), "float32"), 1)
    with pytest.raises(ValueError, match=r"\[norm\] expected axis in \[-1, 1\), got 1"):
        ops.norm(np.ones(3, "float32"), 1, (0, 1))


def test_average(rng):
    x, weights = rng.standard_normal((3, 4)), rng.uniform(0.5, 2, (3, 4))
    check_op(lambda x, w: ops.average(x, 1, w), lambda x, w: np.average(x, 1, w), x, weights)
    check_op(lambda x, w: ops.average(x, None, w), lambda x, w: np.average(x, None, w), x, weights)
    check_op(lambda x, w: ops.average(x, 0, w), lambda x, w: np.average(x, 0, w), x, weights[:, 0])
    np.testing.assert_allclose(ops.average(x, 1), x.mean(1), rtol=1e-12)
    with pytest.raises(
        ValueError, match=r"\[average\] expected weights of x's shape \(3, 4\), or along one axis, got \(3,\)"
    ):
        ops.average(x, 1, weights[:, 0])


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_cumsum(rng, axis):
    check_op(ops.cumsum, np.cumsum, rng.standard_normal((3, 4)), axis=axis, linear=(0,))
    np.testing.assert_array_equal(ops.cumsum(np.arange(6).reshape(2, 3), axis), np.cumsum([[0, 1, 2], [3, 4, 5]], axis))


def test_counts(rng):
    x = rng.integers(0, 2, (3, 4)).astype("float32")
    for axis in (None, 1, [0, 1]):
        given = axis if not isinstance(axis, list) else tuple(axis)
        np.testing.assert_array_equal(ops.count_nonzero(x, axis), np.count_nonzero(x, given))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, (0, -1)])
def test_products(rng, axis, keepdims):
    x = rng.uniform(0.5, 1.5, (3, 2, 5)) * rng.choice([-1, 1], (3, 2, 5))
    check_op(ops.prod, np.prod, x, axis=axis, keepdims=keepdims)


def test_products_with_zeros_have_gradients():
    check_op(ops.prod, np.prod, np.array([[2.0, 0, 3], [0, 0, 1], [1, 2, 4]]), axis=1)
    check_op(ops.cumprod, np.cumprod, np.array([[2.0, 0, 3], [0, 0, 1], [1, 2, 4]]), axis=1)


def test_products_of_integers_and_of_nothing():
    assert ops.prod(np.array([2, 3])).dtype.kind == "i"
    assert ops.cumprod(np.array([2, 3])).tolist() == [2, 6]
    np.testing.assert_array_equal(ops.prod(np.zeros((2, 0), "float32"), 1), [1, 1])


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_products_so_far(rng, axis):
    check_op(ops.cumprod, np.cumprod, rng.uniform(0.5, 1.5, (3, 7)), axis=axis)


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("axis", [None, 0, (0, 2)])
def test_quantiles(rng, axis, method):
    x = rng.permutation(np.linspace(-2, 3, 30)).reshape(3, 2, 5)
    for keepdims in (False, True):
        check_op(
            lambda x, keepdims: ops.quantile(x, [0, 0.3, 1], axis, method, keepdims),
            lambda x, keepdims: np.quantile(x, [0, 0.3, 1], axis, method=method, keepdims=keepdims),
            x,
            keepdims=keepdims,
        )


def test_medians_and_percentiles(rng):
    x = rng.permutation(np.linspace(-2, 3, 12)).reshape(3, 4)
    check_op(ops.median, np.median, x, axis=1, keepdims=True)
    check_op(lambda x: ops.percentile(x, 40, 0), lambda x: np.percentile(x, 40, 0), x)
    x[1, 2] = np.nan
    np.testing.assert_array_equal(ops.median(x, 1), np.median(x, 1))


def test_quantile_refuses():
    for q, method, message in ((1.5, "linear", "expected q in"), (0.5, "middle", "expected method one of linear")):
        with pytest.raises(ValueError, match=message):
            ops.quantile(np.ones(3), q, method=method)


def test_counts_of_numbers():
    np.testing.assert_array_equal(ops.bincount(np.array([1, 3, 1]), minlength=6), [0, 2, 0, 1, 0, 0])
    np.testing.assert_array_equal(ops.bincount(np.array([1, 3, 1]), np.array([0.5, 1, 2])), [0, 2.5, 0, 1])
    np.testing.assert_array_equal(ops.bincount(np.array([[0, 0], [2, 1]])), [[2, 0, 0], [0, 1, 1]])
    with pytest.raises(ValueError, match="expected x >= 0, got -1"):
        ops.bincount(np.array([-1]))


@pytest.mark.parametrize(("shape", "axis"), [((0,), None), ((0, 3), 0), ((0, 3), 1), ((3, 0), 1), ((2, 0, 3), (0, 1))])
def test_statistics_of_no_elements(shape, axis):
    x = np.zeros(shape, "float32")
    for keepdims in (False, True):
        with pytest.warns(RuntimeWarning) if x.shape != (0, 3) or axis == 0 else nullcontext():
            expected = np.median(x, axis, keepdims=keepdims)
        y = ops.median(x, axis, keepdims)
        assert y.dtype == np.float32 and y.shape == np.shape(expected) and np.all(np.isnan(y))
        total = ops.logsumexp(x, axis, keepdims)
        assert total.shape == np.shape(expected) and np.all(total == -np.inf)
    assert ops.quantile(x, [0.25, 0.5], axis).shape == (2, *ops.median(x, axis).shape)


def test_what_has_no_answer_for_no_elements_says_so():
    for function in (ops.max, ops.min, ops.argmax, ops.argmin):
        with pytest.raises(ValueError, match="expected at least 1 element"):
            function(np.zeros((0, 3), "float32"), axis=0)
    assert ops.diag(np.zeros(0, "float32")).shape == (0, 0)
