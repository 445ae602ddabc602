"""Integers stay integers where NumPy keeps them, and what computes with reals takes them as float64."""

import numpy as np
import pytest

from fastnn import Input, Model, ops

X = np.array([[3, -2, 5], [1, 7, 0]], "int32")
PAIRS = [
    (X, X[::-1]),
    (X, 2),
    (2, np.abs(X)),
    (np.abs(X).astype("uint8"), 3),
    (X, [1, 2, 3]),
    (X, np.abs(X).astype("uint8")),
    (X > 2, 2),
]


@pytest.fixture
def isa():
    """NumPy computes."""


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "maximum", "minimum", "mod", "floor_divide"])
def test_arithmetic(name):
    for a, b in PAIRS:
        with np.errstate(divide="ignore"):
            expected = getattr(np, name)(a, b)
        y = getattr(ops, name)(a, b)
        assert y.dtype == expected.dtype
        np.testing.assert_array_equal(y, expected)
    assert getattr(ops, name)(X, 2.0).dtype == np.float64


def test_powers():
    assert ops.power(X, 2).dtype == np.int32
    np.testing.assert_array_equal(ops.power(X, 3), X**3)
    np.testing.assert_array_equal(ops.power(2, np.abs(X)), 2 ** np.abs(X))
    assert ops.power(X, 0.5).dtype == np.float64


@pytest.mark.parametrize("name", ["negative", "absolute", "square", "sign"])
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8"])
def test_functions_of_one(name, dtype):
    x = np.abs(X).astype(dtype) if dtype == "uint8" else X.astype(dtype)
    y = getattr(ops, name)(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, getattr(np, name)(x))


@pytest.mark.parametrize("x", [X, np.abs(X).astype("uint8"), X > 2], ids=["int32", "uint8", "bool"])
def test_what_moves_and_picks_elements(x):
    below, column = np.tri(2, 3, dtype=bool), np.array([[1], [0]])
    replaced = x.copy()
    replaced[0, 1:] = x[1, :2]
    added = np.stack([x[1], x[0], 0 * x[0]])
    for y, expected in [
        (ops.tril(x), np.tril(x)),
        (ops.triu(x, 1), np.triu(x, 1)),
        (ops.diag(x[0]), np.diag(x[0])),
        (ops.pad(x, 1), np.pad(x, 1)),
        (ops.pad(x, ((0, 1), (1, 0)), "edge"), np.pad(x, ((0, 1), (1, 0)), "edge")),
        (ops.where(below, x, x[::-1]), np.where(below, x, x[::-1])),
        (ops.where(below, x, x.dtype.type(1)), np.where(below, x, x.dtype.type(1))),
        (ops.slice_update(x, (0, 1), x[1:, :2]), replaced),
        (ops.scatter(column, x, (3, 3)), added),
        (ops.segment_sum(x, np.array([1, 0]), 3), added),
        (ops.scatter_update(x, np.array([[0, 1], [0, 2]]), x[1, :2]), replaced),
        (ops.diff(x), np.diff(x)),
    ]:
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, expected)


def test_products_are_exact():
    a, b = np.array([[2**53 + 1, 3]]), np.array([[1], [0]])
    for y in (ops.matmul(a, b), ops.dot(a, b), ops.einsum("ij,jk->ik", a, b), ops.tensordot(a, b, 1)):
        assert y.dtype == np.int64 and y[0, 0] == 2**53 + 1
    assert ops.vdot(X, X).dtype.kind == ops.inner(X, X).dtype.kind == ops.outer(X, X).dtype.kind == "i"
    np.testing.assert_array_equal(ops.cross(X, X[::-1]), [[-35, 5, 23], [35, -5, -23]])


def test_bounds_and_rectifiers():
    for y, expected in (
        (ops.clip(X, 0, 4), np.clip(X, 0, 4)),
        (ops.clip(X, None, 4), np.clip(X, None, 4)),
        (ops.relu(X), np.maximum(X, 0)),
        (ops.round(X, -1), np.round(X, -1)),
    ):
        assert y.dtype == np.int32
        np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(ops.clip(X, 0.5, 2.5), np.clip(X, 0.5, 2.5))


def test_differences_and_squares_of_small_integers_do_not_run_over():
    x, y = np.array([250, 3], "uint8"), np.array([3, 250], "uint8")
    np.testing.assert_allclose(ops.logaddexp(x, y), [250, 250])
    np.testing.assert_allclose(ops.hypot(x, y), np.hypot(250.0, 3.0))
    np.testing.assert_allclose(ops.norm(x), np.hypot(250.0, 3.0))
    np.testing.assert_allclose(ops.norm(x, 1), 253)
    np.testing.assert_allclose(ops.average(x, weights=y), 1500 / 253)
    np.testing.assert_allclose(ops.cosh(np.array([3], "uint8")), np.cosh(3.0))
    np.testing.assert_allclose(ops.arcsinh(np.array([True])), np.arcsinh(1.0))
    np.testing.assert_allclose(ops.arctan2(np.array([-128], "int8"), np.array([5], "int8")), np.arctan2(-128.0, 5.0))


def test_integers_between_layers(rng):
    tokens = Input((4,), dtype="int32")
    shifted = ops.maximum(tokens - 1, 0)
    assert shifted.dtype == np.int32
    model = Model(tokens, ops.take(np.arange(10, dtype="float32"), (shifted * 2 + 1) % 10))
    given = rng.integers(0, 9, (3, 4)).astype("int32")
    np.testing.assert_array_equal(model(given), (np.maximum(given - 1, 0) * 2 + 1) % 10)


def test_operators_of_symbolic_truths():
    x = Input((3,))
    model = Model(x, [x // 2, x % 2, (x > 0) & ~(x > 2), (x < 0) | (x > 2), (x > 0) ^ (x > 2), 7 // x, 7 % x])
    a = np.array([[-1.5, 1.0, 4.5]], "float32")
    inside, outside = [[False, True, False]], [[True, False, True]]
    for y, expected in zip(model(a), [a // 2, a % 2, inside, outside, inside, 7 // a, 7 % a], strict=True):
        np.testing.assert_array_equal(y, expected)
