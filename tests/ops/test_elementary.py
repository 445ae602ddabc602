import numpy as np
import pytest

from fastnn import Input, ops, vjp
from fastnn.testing import check_op


@pytest.fixture
def isa():
    """Made of functions of the elementwise family, which have tests on every instruction set."""


@pytest.mark.parametrize(
    ("name", "reference", "low"),
    [
        ("reciprocal", lambda x: x**-1.0, 0.3),
        ("rsqrt", lambda x: x**-0.5, 0.3),
        ("exp2", np.exp2, -2),
        ("log2", np.log2, 0.3),
        ("log10", np.log10, 0.3),
        ("tan", np.tan, -1),
        ("sinh", np.sinh, -2),
        ("cosh", np.cosh, -2),
        ("deg2rad", np.deg2rad, -1),
        ("rad2deg", np.rad2deg, -1),
    ],
)
def test_functions(rng, name, reference, low):
    check_op(getattr(ops, name), reference, rng.uniform(low, low + 2, (3, 5)))


def test_sinh_near_0_is_exact():
    x = np.array([1e-6, -1e-10], "float32")
    np.testing.assert_allclose(ops.sinh(x), x, rtol=1e-6)


def test_quotients_and_rests(rng):
    a, b = 7 * rng.standard_normal((3, 5)), rng.choice([-2.3, 1.7, 3.1], 5)
    check_op(ops.mod, np.mod, a, b)
    check_op(ops.floor_divide, np.floor_divide, a, b)
    whole, by = rng.integers(-9, 9, (3, 5)), np.array([2, -3, 4, 5, -1])
    np.testing.assert_array_equal(ops.mod(whole, by), whole % by)
    np.testing.assert_array_equal(ops.floor_divide(whole, by), whole // by)
    assert ops.mod(whole, by).dtype == whole.dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quotients_and_rests_at_the_ends(dtype):
    some = np.array([1e30, -1e30, 7.5, -7.5, 3, 0, np.inf, -np.inf, np.nan], dtype)
    a, b = np.meshgrid(some, some)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(ops.floor_divide(a, b), np.floor_divide(a, b))
        np.testing.assert_array_equal(ops.mod(a, b), np.mod(a, b))
    assert 0 <= ops.mod((dtype == "float64" and 1e30) or np.float32(1e30), 3.0) < 3
    y, pullback = vjp(ops.mod, np.array([7.5], dtype), np.array([2], dtype))
    np.testing.assert_array_equal(np.ravel(pullback(np.ones_like(y))), [1, -3])


@pytest.mark.parametrize(("dtype", "last"), [("float32", 89.4), ("float64", 710.4)])
def test_hyperbolic_functions_up_to_the_largest_number(dtype, last):
    x = np.array([-last, last, last - 1, last - 30, 1e-5, 0, -0.0], dtype)
    for name in ("sinh", "cosh"):
        exact = getattr(np, name)(x.astype(np.longdouble))
        assert np.all(np.isfinite(exact.astype(dtype)))
        np.testing.assert_allclose(getattr(ops, name)(x), exact.astype(dtype), rtol=8 * np.finfo(dtype).eps)
        (slopes,) = vjp(getattr(ops, name), x)[1](np.ones_like(x))
        other = np.cosh if name == "sinh" else np.sinh
        np.testing.assert_allclose(slopes, other(x.astype(np.longdouble)).astype(dtype), rtol=8 * np.finfo(dtype).eps)
        far = np.array([np.inf, -np.inf, np.nan, last + 1], dtype)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(getattr(ops, name)(far), getattr(np, name)(far))
    assert np.signbit(ops.sinh(x)[-1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_angles_of_signed_zeros(dtype):
    some = np.array([0.0, -0.0, 1, -1, np.inf, -np.inf], dtype)
    a, b = np.meshgrid(some, some)
    y, expected = ops.arctan2(a, b), np.arctan2(a, b)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    np.testing.assert_array_equal(np.signbit(y), np.signbit(expected))
    gradients = vjp(ops.arctan2, a, b)[1](np.ones_like(a))
    assert np.all(np.isfinite(gradients[0][:4, :4])) and np.all(np.isfinite(gradients[1][:4, :4]))


def test_quotients_by_zero_are_zero_where_that_is_wanted(rng):
    a, b = rng.standard_normal((3, 5)), rng.choice([-2.0, 0.0, 3.0], (3, 5))
    check_op(ops.divide_no_nan, lambda a, b: np.divide(a, b, out=np.zeros_like(a * b), where=b != 0), a, b + (b == 0))
    expected = np.where(b == 0, 0, a / np.where(b == 0, 1, b))
    np.testing.assert_array_equal(ops.divide_no_nan(a, b), expected)
    y, pullback = vjp(ops.divide_no_nan, a, b)
    da, db = pullback(np.ones_like(y))
    zero = b == 0
    assert np.all(da[zero] == 0) and np.all(db[zero] == 0) and np.all(np.isfinite([da, db]))
    for number, expected in ((2, 0.5), (0, 0.0)):
        y = ops.divide_no_nan(np.ones(3, "float32"), number)
        assert y.dtype == np.float32 and np.all(y == expected)


def test_round_to_decimals(rng):
    x = 100 * rng.standard_normal((4, 5))
    for decimals in (0, 2, -1):
        np.testing.assert_allclose(ops.round(x, decimals), np.round(x, decimals), rtol=1e-14)
    np.testing.assert_array_equal(ops.round(np.array([0.5, 1.5, -0.5, -2.5], "float32")), [0, 2, 0, -2])
    np.testing.assert_array_equal(ops.round(np.array([3, 4])), [3, 4])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tests_of_elements(dtype):
    x = np.array([0.0, np.nan, np.inf, -np.inf, np.finfo(dtype).max], dtype)
    for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf"):
        y = getattr(ops, name)(x)
        assert y.dtype == bool
        np.testing.assert_array_equal(y, getattr(np, name)(x))


def test_logic(rng):
    a, b = rng.integers(0, 2, (3, 5)).astype(bool), rng.integers(0, 2, 5)
    np.testing.assert_array_equal(ops.logical_xor(a, b), np.logical_xor(a, b))
    assert ops.logical_not(ops.isnan(Input((3,)))).shape == (None, 3)


@pytest.mark.parametrize("axis", [-1, 0])
def test_sort(rng, axis):
    x = rng.permutation(np.arange(12.0)).reshape(3, 4)
    check_op(ops.sort, np.sort, x, axis=axis, linear=(0,))
    np.testing.assert_array_equal(ops.argsort(x, axis), np.argsort(x, axis))
    np.testing.assert_array_equal(ops.argsort(x, None), np.argsort(x, None))
    with pytest.raises(ValueError, match=r"\[argsort\] expected axis in \[-2, 2\), got 2"):
        ops.sort(x, 2)


@pytest.mark.parametrize(
    ("name", "reference", "low"),
    [
        ("arcsin", np.arcsin, -0.9),
        ("arccos", np.arccos, -0.9),
        ("arcsinh", np.arcsinh, -1.3),
        ("arccosh", np.arccosh, 1.2),
        ("arctanh", np.arctanh, -0.8),
        ("cbrt", np.cbrt, 0.2),
        ("cbrt", np.cbrt, -2.2),
        ("trunc", np.trunc, 1.1),
        ("nan_to_num", np.nan_to_num, -1),
    ],
)
def test_inverse_functions(rng, name, reference, low):
    x = rng.uniform(low, low + (0.8 if name == "trunc" else 1.7), (3, 5))
    check_op(getattr(ops, name), reference, x)


@pytest.mark.parametrize(("name", "reference"), [("arctan2", np.arctan2), ("hypot", np.hypot)])
def test_functions_of_two(rng, name, reference):
    a, b = rng.uniform(0.3, 2, (4, 5)) * rng.choice([-1, 1], (4, 5)), rng.uniform(0.3, 2, 5) * [1, -1, 1, -1, 1]
    check_op(getattr(ops, name), reference, a, b)
    check_op(ops.logaddexp, np.logaddexp, a, b)


def test_ends_of_inverse_functions():
    inf = np.inf
    x, y = np.array([0, 0, 1, -1, 0, 1e30, -1e-30]), np.array([0.0, -1, 0, 0, 2, 1e30, -1e30])
    np.testing.assert_allclose(ops.arctan2(x, y), np.arctan2(x, y), rtol=1e-12)
    np.testing.assert_allclose(ops.arcsin(np.array([-1.0, 1])), [-np.pi / 2, np.pi / 2])
    np.testing.assert_allclose(ops.arccos(np.array([-1.0, 1])), [np.pi, 0], atol=1e-12)
    assert np.isnan(ops.arccos(np.array([1.5]))).all()
    np.testing.assert_allclose(ops.arcsinh(np.array([1e-8, -1e200])), np.arcsinh([1e-8, -1e200]), rtol=1e-12)
    np.testing.assert_allclose(ops.hypot(np.array([3e200, 0]), np.array([4e200, 0])), [5e200, 0])
    np.testing.assert_array_equal(ops.logaddexp(np.array([inf, -inf, 1]), np.array([inf, -inf, -inf])), [inf, -inf, 1])
    np.testing.assert_array_equal(ops.nan_to_num(np.array([np.nan, inf, -inf, 2]), 7.0, 8.0, 9.0), [7, 8, 9, 2])
    np.testing.assert_array_equal(ops.trunc(np.array([-1.7, 1.7])), [-1, 1])
    assert ops.trunc(np.array([3])).dtype.kind == "i"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinities_and_nan(dtype):
    some = np.array([0, 1, -2, np.inf, -np.inf, np.nan], dtype)
    a, b = np.meshgrid(some, some)
    np.testing.assert_allclose(ops.arctan2(a, b), np.arctan2(a, b), rtol=1e-6)
    length = np.where(np.isnan(a) | np.isnan(b), np.nan, np.hypot(a, b))  # NaN stays, as always
    np.testing.assert_allclose(ops.hypot(a, b), length, rtol=1e-6)
    wide = np.array([*some, np.finfo(dtype).max, -1e9, 2e9], dtype)
    np.testing.assert_allclose(ops.arcsinh(wide), np.arcsinh(wide), rtol=1e-6)


def test_gradients_at_0():
    zero = np.zeros(1)
    for function, slope in ((ops.arcsinh, 1.0), (ops.cbrt, np.inf)):
        y, pullback = vjp(function, zero)
        np.testing.assert_array_equal(pullback(np.ones_like(y))[0], [slope])


def test_closeness():
    a, b = np.array([1, np.nan, np.inf, 2]), np.array([1 + 1e-7, np.nan, np.inf, 3])
    np.testing.assert_array_equal(ops.isclose(a, b), [True, False, True, False])
    np.testing.assert_array_equal(ops.isclose(a, b, equal_nan=True), [True, True, True, False])
    assert ops.allclose(a[2:3], b[2:3]) is True
    assert ops.allclose(a, b) is False
